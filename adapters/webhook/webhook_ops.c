/* What those who operate the bridge say to hooks: list, add, remove, enable, disable, rotate, test, render.
 *
 * Hooks made here are rows; those of the configuration are changed there, but may be disabled here. A token is shown
 * once, when it is made; what is kept is its hash. */
#include "adapters/webhook/webhook_private.h"

#include "base/clock.h"
#include "base/mem.h"
#include "text/hash.h"

#include <inttypes.h>

enum { OVERLAP_MS = 86400000, RENDER_HEADERS = 8 };
#define SPAN_MAX (INT64_C(36500) * 86400000) // a time behind it is still one

struct call {
    struct webhook_adapter *a;
    struct webhook_hook *h; // that was named, where the operation needs one that exists
    struct str name, rest;
    struct arena arena;
    struct strbuf *out;
    struct errmsg *msg;
};

/* Rows. */

void webhook_hook_keep(struct webhook_adapter *a, const struct webhook_hook *h)
{
    struct arena scratch;
    arena_init(&scratch, 1024);
    struct str key = arena_concat(&scratch, (struct str[]){STR("h/"), h->name}, 2);
    webhook_post(a, &(struct event){.kind = EV_STATE, .key = key, .blob = webhook_hook_write(h, &scratch)});
    arena_finish(&scratch);
}

static void row_drop(struct call *c, const char *prefix)
{
    struct str key = arena_printf(&c->arena, "%s" STR_FMT, prefix, STR_ARG(c->name));
    webhook_post(c->a, &(struct event){.kind = EV_STATE, .key = key});
}

void webhook_hook_disable(struct webhook_adapter *a, struct str name, bool disabled)
{
    struct webhook_hook *h = webhook_hooks_find(&a->hooks, name);
    if (h)
        h->disabled = disabled;
    if (disabled && !map_get(&a->disabled, name)) {
        char *kept = mem_dup(name.p, name.n);
        map_put(&a->disabled, (struct str){kept, name.n}, kept);
    } else if (!disabled) {
        mem_free(map_remove(&a->disabled, name));
    }
}

/* Words. */

// "title=Alerts": the value; p is NULL when the word is no such thing.
static struct str value_of(struct str word, const char *name)
{
    struct str key, value;
    if (!str_cut(word, '=', &key, &value) || !str_eq_c(key, name))
        return STR_NONE;
    return value.n ? value : (struct str){"", 0};
}

// Two names where one is meant, or a mistyped one: nothing is done to the other.
static bool nothing_more(struct call *c, const char *verb)
{
    struct str rest = c->rest, word;
    if (!str_word(&rest, &word))
        return true;
    (void)err_set(c->msg, ERR_BADREQ, "hook %s: one name is enough, '" STR_FMT "' is one too many", verb,
                  STR_ARG(word));
    return false;
}

static bool only_at_run_time(struct call *c, const char *what)
{
    if (c->h->run_time)
        return true;
    (void)err_set(c->msg, ERR_NOTALLOWED, "'" STR_FMT "' is of the configuration: %s it there, and reload",
                  STR_ARG(c->name), what);
    return false;
}

/* Showing. */

static struct str url_of(struct call *c, const char *token)
{
    struct str base = c->a->conf.base_url;
    return arena_printf(&c->arena, STR_FMT "/h/" STR_FMT "%s%s", STR_ARG(base), STR_ARG(c->name), token ? "/" : "",
                        token ? token : "");
}

static const char *state_of(const struct call *c, const struct webhook_hook *h)
{
    if (h->disabled)
        return "disabled";
    return h->expires && h->expires <= webhook_wall(c->a) ? "expired" : "up";
}

static void show_places(struct strbuf *out, const struct webhook_hook *h)
{
    for (size_t i = 0; i < h->rooms.n; i++)
        strbuf_printf(out, " " STR_FMT, STR_ARG(h->rooms.at[i]));
    for (size_t i = 0; i < h->people.n; i++)
        strbuf_printf(out, " user=" STR_FMT, STR_ARG(h->people.at[i]));
}

static enum err op_list(struct call *c)
{
    struct webhook_hook **all;
    char stamp[CLOCK_TEXT];
    size_t n = webhook_hooks_all(&c->a->hooks, &c->arena, &all);
    for (size_t i = 0; i < n; i++) {
        const struct webhook_hook *h = all[i];
        strbuf_printf(c->out, STR_FMT ": %s, %s, %s,", STR_ARG(h->name), state_of(c, h),
                      h->profile ? webhook_profile_name(h->profile) : "auto",
                      h->run_time ? "added" : "of the configuration");
        strbuf_printf(c->out, " %" PRIu64 " accepted, %" PRIu64 " refused", h->did.accepted, h->did.refused);
        if (h->did.last) {
            struct str last = clock_put(stamp, h->did.last);
            strbuf_printf(c->out, ", last " STR_FMT, STR_ARG(last));
        }
        strbuf_c(c->out, "; posts to");
        show_places(c->out, h);
        strbuf_char(c->out, '\n');
    }
    if (!n)
        strbuf_c(c->out, "There are no hooks.\n");
    return ERR_OK;
}

/* Making and ending them. */

static void token_give(struct call *c, struct webhook_hook *h, int64_t overlap)
{
    char token[WEBHOOK_TOKEN_TEXT], sum[WEBHOOK_TOKEN_HASH];
    webhook_token_new(token, sum);
    webhook_hook_rotate(h, sum, overlap, webhook_wall(c->a));
    strbuf_printf(c->out, "Post to " STR_FMT "\nThe token at its end is shown this once.\n", STR_ARG(url_of(c, token)));
    mem_wipe(token, sizeof token);
}

static bool add_place(struct webhook_hook *h, struct webhook_places *places, struct str text)
{
    if (places->n == WEBHOOK_PLACES_MAX)
        return false;
    struct str *at = arena_alloc(&h->arena, WEBHOOK_PLACES_MAX * sizeof *at);
    for (size_t i = 0; i < places->n; i++)
        at[i] = places->at[i];
    if (!webhook_hook_address(&h->arena, text, &at[places->n]))
        return false;
    for (size_t i = 0; i < places->n; i++) {
        if (str_eq(at[i], at[places->n])) // is there already
            return true;
    }
    *places = (struct webhook_places){at, places->n + 1};
    return true;
}

static enum err add_word(struct call *c, struct webhook_hook *h, struct str word)
{
    struct str title = value_of(word, "title"), profile = value_of(word, "profile"), user = value_of(word, "user"),
               expires = value_of(word, "expires");
    int64_t span;
    if (title.p) {
        if (!title.n || !webhook_hook_line_good(title))
            return err_set(c->msg, ERR_BADREQ, "a title is one line of 1 to 200 bytes, without control characters");
        h->title = h->nick = arena_dup(&h->arena, title);
    } else if (profile.p) {
        h->profile = webhook_profile_find(profile);
        if (!h->profile)
            return err_set(c->msg, ERR_BADREQ, "there is no profile '" STR_FMT "'", STR_ARG(profile));
    } else if (expires.p) {
        if (!clock_parse_span(expires, &span) || span <= 0 || span > SPAN_MAX)
            return err_set(c->msg, ERR_BADREQ, "'" STR_FMT "' is no time such as 90d", STR_ARG(expires));
        h->expires = webhook_wall(c->a) + span;
    } else if (!add_place(h, user.p ? &h->people : &h->rooms, user.p ? user : word)) {
        return err_set(c->msg, ERR_BADREQ,
                       "'" STR_FMT "' is no bare JID of a room; also known are user=JID, title=, profile=, expires=",
                       STR_ARG(word));
    }
    return ERR_OK;
}

static enum err add_words(struct call *c, struct webhook_hook *h)
{
    struct str rest = c->rest, word;
    while (str_word(&rest, &word)) {
        enum err e = add_word(c, h, word);
        if (e)
            return e;
    }
    if (!h->rooms.n && !h->people.n)
        return err_set(c->msg, ERR_BADREQ, "hook add: where does it post? Name rooms, or user=JID");
    return ERR_OK;
}

static enum err op_add(struct call *c)
{
    if (!webhook_hook_name_good(c->name))
        return err_set(c->msg, ERR_BADREQ,
                       "'" STR_FMT "' is no name of a hook: a-z first, then a-z, 0-9 and -, at most %d in all",
                       STR_ARG(c->name), WEBHOOK_HOOK_NAME_MAX);
    if (webhook_hooks_find(&c->a->hooks, c->name))
        return err_set(c->msg, ERR_EXISTS, "there is a hook '" STR_FMT "' already", STR_ARG(c->name));
    if (c->a->hooks.by_name.count >= WEBHOOK_HOOKS_MAX)
        return err_set(c->msg, ERR_LIMIT, "there are %d hooks already, and no more are possible", WEBHOOK_HOOKS_MAX);
    struct webhook_hook *h = webhook_hook_create(c->name);
    h->run_time = true;
    enum err e = add_words(c, h);
    if (e) {
        webhook_hook_unref(h);
        return e;
    }
    token_give(c, h, 0);
    webhook_hooks_put(&c->a->hooks, h);
    webhook_hooks_limit(c->a);
    webhook_identity_hook(c->a, h);
    webhook_hook_keep(c->a, h);
    return ERR_OK;
}

static enum err op_remove(struct call *c)
{
    if (!only_at_run_time(c, "remove"))
        return ERR_NOTALLOWED;
    if (!nothing_more(c, "remove"))
        return ERR_BADREQ;
    row_drop(c, "h/");
    webhook_identity_forget(c->a, c->name);
    webhook_hooks_remove(&c->a->hooks, c->name);
    strbuf_printf(c->out, STR_FMT " is removed.\n", STR_ARG(c->name));
    return ERR_OK;
}

static enum err set_disabled(struct call *c, bool disabled)
{
    struct str key = arena_concat(&c->arena, (struct str[]){STR("d/"), c->name}, 2);
    if (!nothing_more(c, disabled ? "disable" : "enable"))
        return ERR_BADREQ;
    c->h->disabled = disabled;
    if (c->h->run_time) {
        webhook_hook_keep(c->a, c->h);
    } else {
        webhook_hook_disable(c->a, c->name, disabled);
        webhook_post(c->a, &(struct event){.kind = EV_STATE, .key = key, .blob = disabled ? STR("1") : STR_NONE});
    }
    webhook_identity_hook(c->a, c->h);
    strbuf_printf(c->out, STR_FMT " is %s.\n", STR_ARG(c->name), disabled ? "disabled" : "enabled");
    return ERR_OK;
}

static enum err op_disable(struct call *c)
{
    return set_disabled(c, true);
}

static enum err op_enable(struct call *c)
{
    return set_disabled(c, false);
}

static enum err op_rotate(struct call *c)
{
    int64_t overlap = OVERLAP_MS;
    struct str span = str_trim(c->rest);
    if (!only_at_run_time(c, "change"))
        return ERR_NOTALLOWED;
    if (span.n && (!clock_parse_span(span, &overlap) || overlap < 0 || overlap > SPAN_MAX))
        return err_set(c->msg, ERR_BADREQ, "'" STR_FMT "' is no time such as 24h", STR_ARG(span));
    token_give(c, c->h, overlap);
    webhook_hook_keep(c->a, c->h);
    strbuf_printf(c->out, "The token before it is good for another " STR_FMT ".\n",
                  STR_ARG(clock_span(&c->arena, overlap)));
    return ERR_OK;
}

/* Trying them. */

static enum err op_test(struct call *c)
{
    char id[WEBHOOK_ID + 1];
    struct str text = str_trim(c->rest);
    if (!text.n)
        text = arena_printf(&c->arena, "This is a test of the hook " STR_FMT ".", STR_ARG(c->name));
    webhook_say_text(c->a, c->h, text, id);
    if (!id[0])
        return err_set(c->msg, ERR_AGAIN, "nothing was posted: too much was, just now");
    strbuf_printf(c->out, "Posted as %s.\n", id);
    return ERR_OK;
}

// What the command line put a file into.
static bool payload_of(struct call *c, struct str *payload)
{
    struct str text = str_trim(c->rest), coded = STR("base64:");
    if (!str_starts(text, coded)) {
        *payload = text;
        return true;
    }
    return hash_base64_decode(&c->arena, str_sub(text, coded.n, text.n), payload);
}

// Takes "profile=NAME", "event=NAME" and "type=MEDIA" off the front of the rest.
static enum err render_options(struct call *c, const struct webhook_profile **profile, struct str *event,
                               struct str *type)
{
    struct str word;
    for (struct str rest = c->rest; str_word(&rest, &word); c->rest = rest) {
        struct str name = value_of(word, "profile"), e = value_of(word, "event"), t = value_of(word, "type");
        if (name.p) {
            *profile = webhook_profile_find(name);
            if (!*profile)
                return err_set(c->msg, ERR_BADREQ, "there is no profile '" STR_FMT "'", STR_ARG(name));
        } else if (e.p) {
            *event = e;
        } else if (t.p) {
            *type = t;
        } else {
            return ERR_OK;
        }
    }
    return ERR_OK;
}

static void show_post(struct call *c, const struct webhook_post *p, size_t at, size_t count)
{
    static const char *const acts[] = {"says", "changes a message to", "takes a message back"};
    strbuf_printf(c->out, "%zu of %zu %s", at + 1, count, acts[p->act]);
    if (p->nick.n)
        strbuf_printf(c->out, ", as " STR_FMT, STR_ARG(p->nick));
    if (p->key.n)
        strbuf_printf(c->out, ", under the key " STR_FMT "%s", STR_ARG(p->key), p->final ? " for the last time" : "");
    for (size_t i = 0; i < p->to_count; i++)
        strbuf_printf(c->out, ", to " STR_FMT, STR_ARG(p->to[i]));
    strbuf_c(c->out, ":\n");
    if (p->subject.n)
        strbuf_printf(c->out, STR_FMT "\n", STR_ARG(p->subject));
    if (p->body.n)
        strbuf_printf(c->out, STR_FMT "\n", STR_ARG(p->body));
    for (size_t i = 0; i < p->file_count; i++)
        strbuf_printf(c->out, "file " STR_FMT "\n", STR_ARG(p->files[i].url.n ? p->files[i].url : p->files[i].name));
}

static enum err op_render(struct call *c)
{
    const struct webhook_profile *profile = c->h->profile;
    struct str event = STR_NONE, type = STR_NONE, payload;
    enum err e = render_options(c, &profile, &event, &type);
    if (e)
        return e;
    if (!payload_of(c, &payload) || !payload.n)
        return err_set(c->msg, ERR_BADREQ, "render what? Give the payload, or @FILE on the command line");
    bool json = strchr("{[", payload.p[0]);
    struct http_header headers[RENDER_HEADERS] = {
        {STR("Content-Type"), type.n ? type : (json ? STR("application/json") : STR("text/plain"))},
        {STR("X-GitHub-Event"), event},
        {STR("X-Gitlab-Event"), event},
        {STR("X-Gitea-Event"), event},
    };
    struct webhook_input in = {.method = STR("POST"),
                               .headers = headers,
                               .header_count = event.n ? 4 : 1,
                               .body = payload,
                               .wall = webhook_wall(c->a)};
    struct webhook_outcome o = {.count = 0};
    webhook_profile_read(profile, &c->h->settings, &in, &c->arena, &o);
    if (o.problem.status)
        return err_set(c->msg, ERR_BADREQ, "it would be refused with %d: " STR_FMT, o.problem.status,
                       STR_ARG(o.problem.detail));
    strbuf_printf(c->out, "Read as %s%s" STR_FMT "; nothing is posted.\n",
                  o.profile ? webhook_profile_name(o.profile) : "auto", o.event.n ? ", " : "", STR_ARG(o.event));
    if (o.warning.n)
        strbuf_printf(c->out, "Warning: " STR_FMT "\n", STR_ARG(o.warning));
    for (size_t i = 0; i < o.count; i++)
        show_post(c, &o.posts[i], i, o.count);
    if (!o.count)
        strbuf_c(c->out, "It says nothing.\n");
    return ERR_OK;
}

static const struct {
    const char *name;
    bool needs_hook; // one that exists
    enum err (*run)(struct call *c);
} verbs[] = {
    {"add", false, op_add},      {"disable", true, op_disable}, {"enable", true, op_enable}, {"list", false, op_list},
    {"remove", true, op_remove}, {"render", true, op_render},   {"rotate", true, op_rotate}, {"test", true, op_test},
};

static enum err run(struct call *c, struct str verb)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (!str_eq_c(verb, verbs[i].name))
            continue;
        c->h = webhook_hooks_find(&c->a->hooks, c->name);
        if (verbs[i].needs_hook && !c->name.n)
            return err_set(c->msg, ERR_BADREQ, "hook %s: which hook?", verbs[i].name);
        if (verbs[i].needs_hook && !c->h)
            return err_set(c->msg, ERR_NOTFOUND, "there is no hook '" STR_FMT "'; 'hook list' lists them",
                           STR_ARG(c->name));
        return verbs[i].run(c);
    }
    return err_set(c->msg, ERR_BADREQ, "hook knows list, add, remove, enable, disable, rotate, test and render");
}

enum err webhook_operate(struct adapter *base, struct str line, struct strbuf *out, struct errmsg *msg)
{
    struct call c = {.a = CONTAINER_OF(base, struct webhook_adapter, base), .rest = line, .out = out, .msg = msg};
    struct str verb = STR_NONE;
    arena_init(&c.arena, 1024);
    (void)str_word(&c.rest, &verb);
    (void)str_word(&c.rest, &c.name);
    // A hook may end with its operation.
    struct webhook_hook *h = webhook_hooks_find(&c.a->hooks, c.name);
    h = h ? webhook_hook_ref(h) : NULL;
    enum err e = run(&c, verb);
    webhook_hook_unref(h);
    webhook_schedule(c.a);
    arena_finish(&c.arena);
    return e;
}
