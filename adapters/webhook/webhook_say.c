/* What was read becomes messages: one for each post, in it one target for each room and person, and one more for each
 * file. All targets are found before anything is posted, so that a request is said as a whole or not at all. */
#include "adapters/webhook/webhook_private.h"

#include "base/clock.h"
#include "text/jid.h"

#include <inttypes.h>

// A target while it is made: what its event says beside that.
struct line {
    struct webhook_target target;
    const struct webhook_file *file; // NULL: the text
    struct str body;
    struct str replace, reply; // ids
    bool retract;
};

struct plan { // of one post
    const struct webhook_post *post;
    struct str id; // of the message
    struct line *lines;
    size_t count;
};

struct planner {
    struct webhook_request *r;
    struct webhook_problem *problem;
    int64_t *retry_after;
    size_t total; // lines of all posts
};

static bool fail(struct planner *p, int status, struct str detail, struct str pointer)
{
    *p->problem = (struct webhook_problem){.status = status, .detail = detail, .pointer = pointer};
    return false;
}

/* To whom. */

struct place {
    struct str to;
    bool room;
};

static size_t all_places(const struct webhook_hook *h, struct place *out)
{
    size_t n = 0;
    for (size_t i = 0; i < h->rooms.n; i++)
        out[n++] = (struct place){h->rooms.at[i], true};
    for (size_t i = 0; i < h->people.n; i++)
        out[n++] = (struct place){h->people.at[i], false};
    return n;
}

static bool has_place(const struct place *places, size_t n, struct str to)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(places[i].to, to))
            return true;
    }
    return false;
}

// "ops@conference.example.org", and not "@ann", "#ops" or "ops".
static bool is_address(struct str wish)
{
    return str_find(wish, '@') > 0;
}

// Where the post goes: as its sender wishes, where the hook lets him; *n is 0 when it is refused.
static bool places_of(struct planner *p, const struct webhook_post *post, struct place *out, size_t *n)
{
    struct webhook_request *r = p->r;
    *n = 0;
    for (size_t i = 0; i < post->to_count && *n < 2 * WEBHOOK_PLACES_MAX; i++) {
        struct place place;
        if (webhook_hook_finds(r->hook, post->to[i], &place.to, &place.room)) {
            if (!has_place(out, *n, place.to))
                out[(*n)++] = place;
        } else if (is_address(post->to[i])) {
            struct str detail =
                arena_printf(&r->arena, "this hook does not post to '" STR_FMT "'", STR_ARG(post->to[i]));
            return fail(p, 422, detail, STR("/to"));
        }
    }
    if (!*n)
        *n = all_places(r->hook, out);
    return *n || fail(p, 422, STR("the hook posts to nobody"), STR_NONE);
}

/* What. */

// Bytes take a way without a promise: what is promised is then said in words.
static struct str file_names(struct planner *p, const struct webhook_post *post)
{
    struct str text = STR_NONE;
    for (size_t i = 0; i < post->file_count; i++) {
        const struct webhook_file *f = &post->files[i];
        struct str name = f->name.n ? f->name : STR("without a name");
        if (f->url.n)
            continue;
        text = arena_printf(&p->r->arena, STR_FMT "%s" STR_FMT, STR_ARG(text), text.n ? ", " : "File: ", STR_ARG(name));
    }
    return text;
}

// What stands before the text: the subject, who is meant, who says it.
static struct str text_of(struct planner *p, const struct webhook_post *post, struct str prefix)
{
    struct arena *a = &p->r->arena;
    struct str text = post->body.n ? post->body : file_names(p, post);
    bool block = text.n && strchr(">`", text.p[0]); // which only begins a line
    if (post->mention_count) {
        struct str names = post->mentions[0];
        for (size_t i = 1; i < post->mention_count; i++)
            names = arena_printf(a, STR_FMT ", " STR_FMT, STR_ARG(names), STR_ARG(post->mentions[i]));
        text = arena_concat(a, (struct str[]){names, STR(": "), block ? STR("\n") : STR_NONE, text}, 4);
        block = false;
    }
    if (post->subject.n) {
        text = arena_concat(a, (struct str[]){post->subject, STR("\n"), text}, 3);
        block = false;
    }
    if (prefix.n)
        text = arena_concat(a, (struct str[]){prefix, STR(": "), block ? STR("\n") : STR_NONE, text}, 4);
    return text;
}

static bool too_many(struct planner *p)
{
    if (p->total <= WEBHOOK_EVENTS_MAX)
        return false;
    struct str detail = arena_printf(
        &p->r->arena, "it would become more than %d messages: fewer addressees, alerts or files", WEBHOOK_EVENTS_MAX);
    (void)fail(p, 422, detail, STR_NONE);
    return true;
}

// What corrects what, or answers it. `own`: the id that it goes out with.
static void relate(struct planner *p, const struct webhook_post *post, struct line *line, struct str own)
{
    struct webhook_request *r = p->r;
    struct webhook_key_view before;
    if (!line->target.room)
        return;
    if (post->key.n && webhook_keys_find(r->a->keys, r->hook->name, post->key, line->target.to, r->in.wall, &before)) {
        if (str_eq(before.root, own)) // it was said before a kill, and comes again
            return;
        bool corrects = post->mode == WEBHOOK_UPSERT;
        line->replace = corrects ? arena_dup(&r->arena, before.root) : STR_NONE;
        line->reply = arena_dup(&r->arena, before.stanza);
        return;
    }
    if (!post->reply_to.n)
        return;
    struct webhook_message *m = webhook_messages_find(r->a->messages, post->reply_to);
    line->reply = m ? STR_NONE : post->reply_to;
    for (size_t i = 0; m && i < m->count; i++) {
        if (str_eq(m->targets[i].to, line->target.to) && !m->targets[i].part)
            line->reply = arena_dup(&r->arena, m->targets[i].stanza);
    }
}

static bool plan_say(struct planner *p, struct plan *plan)
{
    struct webhook_request *r = p->r;
    const struct webhook_post *post = plan->post;
    struct place places[2 * WEBHOOK_PLACES_MAX + 1];
    size_t n;
    if (!places_of(p, post, places, &n))
        return false;
    p->total += n * (1 + post->file_count);
    if (too_many(p))
        return false;
    struct str key, nick, prefix;
    webhook_identity_of(r->a, r->hook, post->nick, &r->arena, &key, &nick, &prefix);
    char wire[WEBHOOK_ID_MAX + 1];
    struct str text = text_of(p, post, prefix);
    plan->lines = arena_zalloc(&r->arena, n * (1 + post->file_count), sizeof *plan->lines);
    for (size_t i = 0; i < n; i++) {
        for (size_t part = 0; part <= post->file_count; part++) {
            if (!part && !text.n)
                continue;
            struct line *line = &plan->lines[plan->count++];
            line->target = (struct webhook_target){
                .to = places[i].to, .room = places[i].room, .part = (unsigned)part, .key = key, .nick = nick};
            line->file = part ? &post->files[part - 1] : NULL;
            line->body = text;
            if (!part)
                relate(p, post, line, webhook_message_wire(wire, plan->id, plan->count - 1));
        }
    }
    return true;
}

// A correction of all texts of a message, or the end of all of it.
static bool plan_change(struct planner *p, struct plan *plan)
{
    struct webhook_request *r = p->r;
    const struct webhook_post *post = plan->post;
    const struct webhook_message *m = webhook_messages_find(r->a->messages, post->id);
    if (!m || !str_eq(m->hook, r->hook->name))
        return fail(p, 404, STR("there is no message of this id, or not any more"), STR_NONE);
    if (m->gone)
        return fail(p, 404, STR("this message was taken back"), STR_NONE);
    p->total += m->count;
    if (too_many(p))
        return false;
    bool retract = post->act == WEBHOOK_RETRACT;
    plan->lines = arena_zalloc(&r->arena, m->count, sizeof *plan->lines);
    for (size_t i = 0; i < m->count; i++) {
        const struct webhook_target *t = &m->targets[i];
        bool was = t->state <= WEBHOOK_CONFIRMED;
        if (!was || (t->part && !retract) || (retract && !t->room))
            continue;
        struct line *line = &plan->lines[plan->count++];
        line->target = (struct webhook_target){.to = arena_dup(&r->arena, t->to),
                                               .room = t->room,
                                               .part = t->part,
                                               .key = arena_dup(&r->arena, t->key),
                                               .nick = arena_dup(&r->arena, t->nick)};
        char *wire = arena_alloc(&r->arena, WEBHOOK_ID_MAX + 1);
        line->replace = arena_dup(&r->arena, webhook_message_wire(wire, m->id, i));
        line->reply = arena_dup(&r->arena, t->stanza);
        line->body = post->body;
        line->retract = retract;
    }
    return plan->count || fail(p, 404,
                               retract ? STR("nothing of this message was said in a room: what people were sent stays")
                                       : STR("nothing of this message was said"),
                               STR_NONE);
}

/* Posting. */

static int64_t lifetime(const struct webhook_request *r, const struct webhook_post *post)
{
    if (post->ttl && r->hook->max_age)
        return post->ttl < r->hook->max_age ? post->ttl : r->hook->max_age;
    return post->ttl ? post->ttl : r->hook->max_age;
}

static struct event event_of(struct webhook_request *r, const struct plan *plan, const struct line *line, struct str id)
{
    struct event ev = {
        .kind = EV_MESSAGE,
        .type = line->target.room ? MESSAGE_GROUPCHAT : MESSAGE_CHAT,
        .flags = EVENT_DURABLE | EVENT_TELL | (r->again ? EVENT_AGAIN : 0) | (line->retract ? EVENT_RETRACT : 0),
        .key = line->target.key,
        .nick = line->target.nick,
        .id = id,
        .body = line->body,
        .replace = line->replace,
        .reply = line->reply,
        .number = (uint64_t)lifetime(r, plan->post),
    };
    // Addresses were prepared when they were read.
    (void)!jid_parse(&r->arena, line->target.to, &ev.user);
    if (!line->file)
        return ev;
    ev.name = line->file->name;
    ev.media = line->file->type;
    ev.body = line->file->name.n ? line->file->name : STR("file");
    if (line->file->url.n) {
        ev.url = ev.body = line->file->url;
    } else {
        ev.blob = line->file->data;
        ev.media = ev.media.n ? ev.media : STR("application/octet-stream");
        ev.flags &= ~(unsigned)EVENT_DURABLE;
    }
    return ev;
}

// A file's bytes take a way without a promise: nothing is told of them but that they were posted.
static bool promised(const struct event *ev)
{
    return ev->flags & EVENT_DURABLE;
}

static void remember(struct webhook_request *r, const struct plan *plan, const struct line *line, struct str wire)
{
    const struct webhook_post *post = plan->post;
    if (!post->key.n || line->file || !line->target.room || post->act != WEBHOOK_SAY)
        return;
    if (post->final) // what is refused comes again, and still corrects
        r->finals[r->final_count++] = (struct webhook_final){arena_dup(&r->arena, post->key), line->target.to};
    else
        webhook_keys_said(r->a->keys, r->hook->name, post->key, line->target.to, wire, r->hook->window, r->in.wall);
}

// What was under its key is gone with it: the next post of that key begins anew.
static void take_back(struct webhook_request *r, const struct plan *plan)
{
    struct webhook_message *m = webhook_messages_find(r->a->messages, plan->post->id);
    m->gone = true;
    for (size_t i = 0; i < plan->count; i++)
        webhook_keys_failed(r->a->keys, plan->lines[i].replace);
}

static void post_plan(struct webhook_request *r, const struct plan *plan, size_t at)
{
    struct webhook_adapter *a = r->a;
    struct webhook_target *targets = arena_zalloc(&r->arena, plan->count, sizeof *targets);
    for (size_t i = 0; i < plan->count; i++)
        targets[i] = plan->lines[i].target;
    struct webhook_message *m =
        webhook_messages_add(a->messages, plan->id, r->hook->name, targets, plan->count, r->in.wall);
    m->waiter = r;
    if (plan->post->act == WEBHOOK_RETRACT)
        take_back(r, plan);
    for (size_t i = 0; i < plan->count; i++) {
        char *id = arena_alloc(&r->arena, WEBHOOK_ID_MAX + 1);
        struct str wire = webhook_message_wire(id, plan->id, i);
        struct event ev = event_of(r, plan, &plan->lines[i], wire);
        if (promised(&ev))
            ev.token = webhook_token_add(a, r, at, i, false);
        else
            (void)webhook_message_move(m, i, WEBHOOK_SENT, ERR_OK, STR_NONE, STR_NONE);
        webhook_post(a, &ev);
        remember(r, plan, &plan->lines[i], wire);
    }
}

// Rooms have their own pace, whoever posts to them; a whole request is let in or held back.
static bool paced(struct planner *p, const struct plan *plans, size_t count)
{
    struct webhook_adapter *a = p->r->a;
    int64_t now = webhook_now(a), longest = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t l = 0; l < plans[i].count; l++) {
            int64_t ms = webhook_rate_wait(&a->rooms, plans[i].lines[l].target.to, now);
            longest = ms > longest ? ms : longest;
        }
    }
    for (size_t i = 0; !longest && i < count; i++) {
        for (size_t l = 0; l < plans[i].count; l++) {
            const struct webhook_target *t = &plans[i].lines[l].target;
            if (t->room)
                webhook_rate_take(&a->rooms, t->to, a->conf.per_room.per_second, a->conf.per_room.burst, now);
        }
    }
    *p->retry_after = longest > 1000 ? (longest + 999) / 1000 : 1;
    return !longest ||
           fail(p, 429, STR("more is posted to this room than is good for it; nothing was posted"), STR_NONE);
}

// The ids of request and messages, as they go out and as the sender knows them.
static void name_plans(struct webhook_request *r, struct plan *plans)
{
    r->wire = arena_zalloc(&r->arena, r->outcome.count, sizeof *r->wire);
    r->told = arena_zalloc(&r->arena, r->outcome.count, sizeof *r->told);
    for (size_t i = 0; i < r->outcome.count; i++) {
        const struct webhook_post *post = &r->outcome.posts[i];
        plans[i].id = webhook_message_nth(arena_alloc(&r->arena, WEBHOOK_ID_MAX + 1), str_c(r->id), i);
        plans[i].post = post;
        r->wire[i] = plans[i].id;
        r->told[i] = post->act == WEBHOOK_SAY ? plans[i].id : arena_dup(&r->arena, post->id);
    }
}

void webhook_say(struct webhook_request *r, struct webhook_problem *problem, int64_t *retry_after)
{
    struct planner p = {.r = r, .problem = problem, .retry_after = retry_after};
    struct plan *plans = arena_zalloc(&r->arena, r->outcome.count, sizeof *plans);
    name_plans(r, plans);
    for (size_t i = 0; i < r->outcome.count; i++) {
        bool says = plans[i].post->act == WEBHOOK_SAY;
        if (!(says ? plan_say(&p, &plans[i]) : plan_change(&p, &plans[i])))
            return;
    }
    *retry_after = 0;
    if (!paced(&p, plans, r->outcome.count))
        return;
    *retry_after = 0;
    r->count = r->outcome.count;
    r->finals = arena_zalloc(&r->arena, p.total + 1, sizeof *r->finals);
    fsm_move(&r->fsm, WEBHOOK_AT_BRIDGE, webhook_now(r->a), &r->a->log);
    for (size_t i = 0; i < r->count; i++)
        post_plan(r, &plans[i], i);
    if (!r->open) // nothing but the bytes of files
        webhook_result_taken(r);
    else
        webhook_result_posted(r);
}

void webhook_say_text(struct webhook_adapter *a, struct webhook_hook *hook, struct str text, char id[WEBHOOK_ID + 1])
{
    struct webhook_request *r = webhook_request_create(a, NULL);
    struct webhook_problem problem = {.status = 0};
    int64_t retry_after = 0;
    r->hook = webhook_hook_ref(hook);
    r->in.wall = webhook_wall(a);
    r->outcome.posts = ARENA_NEW(&r->arena, struct webhook_post);
    r->outcome.posts[0].body = arena_dup(&r->arena, text);
    r->outcome.count = 1;
    (void)webhook_message_id(r->id, str_c(a->base.env->name), hook->name, STR_NONE);
    memcpy(id, r->id, WEBHOOK_ID + 1);
    webhook_say(r, &problem, &retry_after);
    if (problem.status)
        id[0] = '\0';
    if (!r->open)
        webhook_request_free(r);
}
