/* What the bridge says of what was posted to it.
 *
 * Happy path: each message is JOURNALED -> the request is answered; or, where the sender waits for it, each message is
 * SETTLED -> it is answered then, with the room's ids.
 *
 * Failures: one is REFUSED: the others are taken back, and all of it is refused. Its room cannot be entered, while the
 * sender waits: it is taken back, and the answer says why; where it went out meanwhile, that is told instead. Nothing
 * comes in time: it is told to be on its way. The bridge cannot store it: the sender is told so in time to try again,
 * and what the bridge takes in the end is taken back. A request with several messages is not taken back for one room:
 * what is told is where each of them is. */
#include "adapters/webhook/webhook_private.h"

#include "base/mem.h"
#include "text/jid.h"

struct token {
    struct list_node node;
    uint64_t number;
    struct webhook_request *r;
    size_t at, target; // message of the request, target of that
    bool back;         // it is being taken back
};

uint64_t webhook_token_add(struct webhook_adapter *a, struct webhook_request *r, size_t at, size_t target, bool back)
{
    struct token *t = MEM_NEW(struct token);
    *t = (struct token){.number = ++a->token, .r = r, .at = at, .target = target, .back = back};
    list_init(&t->node);
    list_push(&a->tokens, &t->node);
    r->open++;
    return t->number;
}

static void token_free(struct token *t)
{
    list_remove(&t->node);
    mem_free(t);
}

void webhook_tokens_drop(struct webhook_adapter *a)
{
    while (!list_empty(&a->tokens))
        token_free(LIST_FIRST(&a->tokens, struct token, node));
}

/* The end of a request. */

static void move(struct webhook_request *r, enum webhook_request_state to)
{
    fsm_move(&r->fsm, to, webhook_now(r->a), &r->a->log);
}

static void succeed(struct webhook_request *r, bool confirmed)
{
    if (r->idem)
        webhook_idem_done(r->a->idem, r->idem, str_c(r->id), (unsigned)r->count);
    r->idem = NULL;
    for (size_t i = 0; i < r->final_count; i++)
        webhook_keys_end(r->a->keys, r->hook->name, r->finals[i].key, r->finals[i].to, r->in.wall);
    r->hook->did.accepted++;
    move(r, WEBHOOK_ANSWERED);
    webhook_answer_success(r, r->told, r->count, confirmed, false);
    webhook_request_free(r);
}

static void fail(struct webhook_request *r, int status, int64_t retry_after, struct str detail)
{
    for (size_t i = 0; i < r->count; i++) { // what was to be taken back was not
        struct webhook_message *m = webhook_messages_find(r->a->messages, r->told[i]);
        if (m)
            m->gone = false;
    }
    move(r, WEBHOOK_ANSWERED);
    webhook_answer_problem(r, &(struct webhook_problem){.status = status, .detail = detail}, retry_after);
    webhook_request_free(r);
}

static int status_of(enum err e)
{
    switch (e) {
    case ERR_AGAIN:
    case ERR_LIMIT:
        return 429; // or 503, as the profile has it
    case ERR_FORBIDDEN:
    case ERR_AUTH:
    case ERR_REGISTRATION:
        return 403;
    case ERR_BADREQ:
    case ERR_BADJID:
    case ERR_NOTFOUND:
    case ERR_NOTACCEPTABLE:
    case ERR_NOTALLOWED:
    case ERR_UNSUPPORTED:
        return 422;
    default:
        return 503;
    }
}

static void fail_refused(struct webhook_request *r)
{
    bool full = r->refused == ERR_AGAIN || r->refused == ERR_LIMIT;
    int status = status_of(r->refused);
    struct str why = r->why.n ? r->why : str_c(err_text(r->refused));
    const char *rest = r->too_late ? "; to others it was" : "";
    struct str detail = full && !r->too_late
                            ? STR("too much waits to be delivered already; nothing was posted")
                            : arena_printf(&r->arena, "nothing was posted to " STR_FMT ": " STR_FMT "%s",
                                           STR_ARG(r->place), STR_ARG(why), rest);
    r->condition = r->refused;
    fail(r, status, status == 429 || status == 503 ? WEBHOOK_RETRY_S : 0, detail);
}

static void fail_parked(struct webhook_request *r)
{
    struct str detail =
        arena_printf(&r->arena, "the room " STR_FMT " cannot be entered: %s%s" STR_FMT "; nothing was posted",
                     STR_ARG(r->place), err_condition(r->condition), r->why.n ? ", " : "", STR_ARG(r->why));
    fail(r, 503, WEBHOOK_PARKED_RETRY_S, detail);
}

/* Taking back. */

static void discard(struct webhook_request *r, const struct webhook_message *m, size_t at, size_t target)
{
    const struct webhook_target *t = &m->targets[target];
    char id[WEBHOOK_ID_MAX + 1];
    struct event ev = {.kind = EV_DISCARD, .key = t->key, .id = webhook_message_wire(id, m->id, target)};
    ev.token = webhook_token_add(r->a, r, at, target, true);
    (void)!jid_parse(&r->arena, t->to, &ev.user);
    webhook_post(r->a, &ev);
}

// All that waits in the queue; false when there is nothing.
static bool take_back(struct webhook_request *r)
{
    move(r, WEBHOOK_TAKING_BACK);
    for (size_t i = 0; i < r->count; i++) {
        const struct webhook_message *m = webhook_messages_find(r->a->messages, r->wire[i]);
        for (size_t t = 0; m && t < m->count; t++) {
            if (m->targets[t].state == WEBHOOK_QUEUED || m->targets[t].state == WEBHOOK_PARKED)
                discard(r, m, i, t);
        }
    }
    return r->open;
}

/* At the room. */

struct tally {
    size_t targets, failed, parked, open;
    const struct webhook_target *bad; // the first that is parked or failed
};

static struct tally tally_of(const struct webhook_request *r)
{
    struct tally n = {.targets = 0};
    for (size_t i = 0; i < r->count; i++) {
        const struct webhook_message *m = webhook_messages_find(r->a->messages, r->wire[i]);
        for (size_t t = 0; m && t < m->count; t++) {
            enum webhook_target_state s = m->targets[t].state;
            n.targets++;
            n.failed += s == WEBHOOK_FAILED;
            n.parked += s == WEBHOOK_PARKED;
            n.open += s == WEBHOOK_POSTED || s == WEBHOOK_QUEUED;
            if (!n.bad && (s == WEBHOOK_FAILED || s == WEBHOOK_PARKED))
                n.bad = &m->targets[t];
        }
    }
    return n;
}

static void blame(struct webhook_request *r, const struct webhook_target *t)
{
    r->condition = t->err;
    r->place = arena_dup(&r->arena, t->to);
    r->why = arena_dup(&r->arena, t->text);
}

static void fail_dead(struct webhook_request *r)
{
    struct str detail = arena_printf(&r->arena, STR_FMT " did not take it: %s%s" STR_FMT, STR_ARG(r->place),
                                     err_condition(r->condition), r->why.n ? ", " : "", STR_ARG(r->why));
    fail(r, 502, 0, detail);
}

// Answers as soon as there is something to be told.
static void look(struct webhook_request *r)
{
    if (r->fsm.state != WEBHOOK_AT_ROOM)
        return;
    struct tally n = tally_of(r);
    if (n.bad)
        blame(r, n.bad);
    if (n.targets == 1 && n.parked)
        (void)take_back(r);
    else if (n.open)
        return;
    else if (n.targets && n.failed == n.targets)
        fail_dead(r);
    else
        succeed(r, n.targets && !n.failed && !n.parked);
}

void webhook_result_taken(struct webhook_request *r)
{
    if (!r->x || !r->wait_ms) {
        succeed(r, false);
        return;
    }
    struct webhook_adapter *a = r->a;
    move(r, WEBHOOK_AT_ROOM);
    r->deadline = webhook_now(a) + r->wait_ms;
    list_remove(&r->node);
    list_push(&a->waiting, &r->node);
    look(r); // may be its end
    webhook_schedule(a);
}

void webhook_result_gone(struct webhook_request *r)
{
    // What the answer would have been made of was the exchange's.
    r->in = (struct webhook_input){.wall = r->in.wall};
    r->outcome = (struct webhook_outcome){.profile = r->outcome.profile};
    if (r->fsm.state == WEBHOOK_AT_ROOM)
        succeed(r, false);
    else if (!r->open)
        webhook_request_free(r);
}

void webhook_result_posted(struct webhook_request *r)
{
    struct webhook_adapter *a = r->a;
    if (a->bridge_at != INT64_MAX)
        return;
    a->bridge_at = webhook_now(a) + WEBHOOK_BRIDGE_MS;
    webhook_schedule(a);
}

// It stays until the bridge has said what became of it. What the rooms have already, need not be said again.
static void give_up(struct webhook_request *r)
{
    struct tally n = tally_of(r);
    if (n.targets && !n.open && !n.failed && !n.parked) {
        webhook_answer_success(r, r->told, r->count, true, false);
        return;
    }
    r->given_up = true;
    webhook_answer_problem(
        r, &(struct webhook_problem){.status = 503, .detail = STR("it cannot be stored just now; nothing was posted")},
        WEBHOOK_RETRY_S);
}

static void look_at_bridge(struct webhook_adapter *a, int64_t now)
{
    struct list_node *it, *safe;
    a->bridge_at = INT64_MAX;
    LIST_EACH (it, safe, &a->requests) {
        struct webhook_request *r = CONTAINER_OF(it, struct webhook_request, node);
        int64_t at = r->fsm.since + WEBHOOK_BRIDGE_MS;
        if (r->fsm.state != WEBHOOK_AT_BRIDGE || !r->x)
            continue;
        if (at <= now)
            give_up(r);
        else if (at < a->bridge_at)
            a->bridge_at = at;
    }
}

void webhook_result_deadlines(struct webhook_adapter *a)
{
    int64_t now = webhook_now(a);
    struct list_node *it, *safe;
    if (a->bridge_at <= now)
        look_at_bridge(a, now);
    LIST_EACH (it, safe, &a->waiting) {
        struct webhook_request *r = CONTAINER_OF(it, struct webhook_request, node);
        if (r->fsm.state == WEBHOOK_AT_ROOM && r->deadline <= now)
            succeed(r, false);
    }
}

int64_t webhook_result_deadline(const struct webhook_adapter *a)
{
    int64_t next = a->bridge_at;
    for (struct list_node *it = a->waiting.next; it != &a->waiting; it = it->next) {
        const struct webhook_request *r = CONTAINER_OF(it, struct webhook_request, node);
        if (r->fsm.state == WEBHOOK_AT_ROOM && r->deadline < next)
            next = r->deadline;
    }
    return next;
}

/* Tokens. */

static void parked_now(struct webhook_adapter *a, struct webhook_message *m, size_t target)
{
    const struct webhook_target *t = &m->targets[target];
    const struct webhook_park *p = t->room ? webhook_parked(a, t->key, t->to) : NULL;
    if (p)
        (void)webhook_message_move(m, target, WEBHOOK_PARKED, p->err, STR_NONE, str_c(p->text));
}

static void on_posted(struct webhook_request *r, const struct token *t, struct webhook_message *m,
                      const struct event *ev)
{
    char id[WEBHOOK_ID_MAX + 1];
    struct webhook_adapter *a = r->a;
    if (ev->kind == EV_JOURNALED) {
        r->taken++;
        if (m && webhook_message_move(m, t->target, WEBHOOK_QUEUED, ERR_OK, STR_NONE, STR_NONE))
            parked_now(a, m, t->target);
        return;
    }
    a->dropped++;
    r->refused = ev->err ? ev->err : ERR_INTERNAL;
    r->why = arena_dup(&r->arena, ev->body);
    webhook_keys_failed(a->keys, webhook_message_wire(id, r->wire[t->at], t->target));
    if (!m)
        return;
    r->place = arena_dup(&r->arena, m->targets[t->target].to);
    (void)webhook_message_move(m, t->target, WEBHOOK_REFUSED, r->refused, STR_NONE, ev->body);
}

static void on_back(struct webhook_request *r, const struct token *t, struct webhook_message *m, const struct event *ev)
{
    char id[WEBHOOK_ID_MAX + 1];
    if (ev->kind == EV_REFUSED) {
        r->too_late = true;
        return;
    }
    webhook_keys_failed(r->a->keys, webhook_message_wire(id, r->wire[t->at], t->target));
    if (m)
        (void)webhook_message_move(m, t->target, WEBHOOK_DISCARDED, ERR_OK, STR_NONE, STR_NONE);
}

static void on_last(struct webhook_request *r)
{
    if (r->given_up && (r->fsm.state != WEBHOOK_AT_BRIDGE || !take_back(r))) {
        webhook_request_free(r);
        return;
    }
    if (r->given_up)
        return;
    if (r->fsm.state == WEBHOOK_AT_BRIDGE) {
        if (!r->refused)
            webhook_result_taken(r);
        else if (!take_back(r))
            fail_refused(r);
        return;
    }
    struct tally n = tally_of(r);
    if (r->refused)
        fail_refused(r);
    else if (r->too_late)
        succeed(r, n.targets && !n.open && !n.failed && !n.parked);
    else
        fail_parked(r);
}

static struct token *token_find(struct webhook_adapter *a, uint64_t number)
{
    for (struct list_node *it = a->tokens.next; it != &a->tokens; it = it->next) { // mostly the first
        struct token *t = CONTAINER_OF(it, struct token, node);
        if (t->number == number)
            return t;
    }
    return NULL;
}

void webhook_result_token(struct webhook_adapter *a, const struct event *ev)
{
    struct token *t = token_find(a, ev->token);
    if (!t)
        return;
    struct webhook_request *r = t->r;
    struct webhook_message *m = webhook_messages_find(a->messages, r->wire[t->at]);
    (t->back ? on_back : on_posted)(r, t, m, ev);
    token_free(t);
    if (--r->open == 0)
        on_last(r);
}

/* Later. */

void webhook_result_settled(struct webhook_adapter *a, const struct event *ev)
{
    struct webhook_message *m;
    size_t at;
    if (ev->err)
        webhook_keys_failed(a->keys, ev->id);
    else
        webhook_keys_settled(a->keys, ev->id, ev->reply);
    if (!webhook_messages_wire(a->messages, ev->id, &m, &at))
        return;
    struct webhook_request *waiter = m->waiter;
    (void)webhook_message_move(m, at, ev->err ? WEBHOOK_FAILED : WEBHOOK_CONFIRMED, ev->err, ev->reply, ev->body);
    webhook_message_named(m, at, ev->nick);
    if (waiter)
        look(waiter);
}

static void park_free(struct webhook_adapter *a, struct webhook_park *p)
{
    if (!p)
        return;
    map_remove(&a->parked, str_c(p->name));
    mem_free(p->name);
    mem_free(p->text);
    mem_free(p);
}

void webhook_parks_drop(struct webhook_adapter *a)
{
    size_t at = 0;
    struct str name;
    void *p;
    while (map_next(&a->parked, &at, &name, &p))
        park_free(a, p);
    map_finish(&a->parked);
}

static struct str park_name(struct arena *a, struct str key, struct str room)
{
    return arena_concat(a, (struct str[]){key, STR(" "), room}, 3);
}

const struct webhook_park *webhook_parked(const struct webhook_adapter *a, struct str key, struct str room)
{
    struct arena scratch;
    arena_init(&scratch, 256);
    const struct webhook_park *p = map_get(&a->parked, park_name(&scratch, key, room));
    arena_finish(&scratch);
    return p;
}

static void park_add(struct webhook_adapter *a, struct str name, enum err e, struct str text)
{
    if (a->parked.count >= WEBHOOK_PARKS_MAX)
        return;
    struct webhook_park *p = MEM_NEW(struct webhook_park);
    *p = (struct webhook_park){mem_dup(name.p, name.n), e, mem_dup(text.p, text.n)};
    map_put(&a->parked, str_c(p->name), p);
}

static void on_parked(void *ud, struct webhook_message *m, size_t at)
{
    (void)ud;
    (void)at;
    if (m->waiter)
        look(m->waiter);
}

void webhook_result_parked(struct webhook_adapter *a, const struct event *ev)
{
    struct arena scratch;
    arena_init(&scratch, 512);
    struct str room = jid_format_bare(&scratch, &ev->user), name = park_name(&scratch, ev->key, room);
    park_free(a, map_get(&a->parked, name));
    if (ev->err) {
        park_add(a, name, ev->err, ev->body);
        log_warn(&a->log, LOG_MSG("a room cannot be entered"), LOG_S("room", room), LOG_S("as", ev->key),
                 LOG_C("condition", err_condition(ev->err)), LOG_S("why", ev->body));
    }
    webhook_messages_park(a->messages, ev->key, room, ev->err, ev->body, on_parked, a);
    arena_finish(&scratch);
}
