/* One request, from its head to its posts.
 *
 * Happy path: head -> route -> who sends it -> method, state, rate -> body -> (who sends it, where only the body can
 * tell) -> the profile reads it -> idempotency -> posted (webhook_say.c); the bridge's answers end it
 * (webhook_result.c).
 *
 * Failures: each ends it with an answer (webhook_answer.c) before anything is posted. Whether a hook exists is told
 * only to who may post to it. The sender may go at any time: what is posted goes on without him. */
#include "adapters/webhook/webhook_private.h"

#include "net/http_field.h"
#include "net/http_form.h"
#include "text/hash.h"
#include "text/json.h"

#include "base/mem.h"

enum { QUERY_PAIRS = 32 };

static const struct fsm_def request_def = {
    .name = "request",
    .states =
        (const struct fsm_state[]){
            [WEBHOOK_AT_HEAD] = {"at head", FSM_TO(WEBHOOK_AT_BRIDGE) | FSM_TO(WEBHOOK_ANSWERED)},
            [WEBHOOK_AT_BRIDGE] = {"at bridge",
                                   FSM_TO(WEBHOOK_AT_ROOM) | FSM_TO(WEBHOOK_TAKING_BACK) | FSM_TO(WEBHOOK_ANSWERED)},
            [WEBHOOK_AT_ROOM] = {"at room", FSM_TO(WEBHOOK_TAKING_BACK) | FSM_TO(WEBHOOK_ANSWERED)},
            [WEBHOOK_TAKING_BACK] = {"taking back", FSM_TO(WEBHOOK_ANSWERED)},
            [WEBHOOK_ANSWERED] = {"answered", 0},
        },
    .count = WEBHOOK_REQUEST_STATES,
};

struct webhook_request *webhook_request_create(struct webhook_adapter *a, struct http_exchange *x)
{
    struct webhook_request *r = MEM_NEW(struct webhook_request);
    r->a = a;
    r->x = x;
    r->began = webhook_now(a);
    r->deadline = INT64_MAX;
    arena_init(&r->arena, 2048);
    fsm_init(&r->fsm, &request_def, WEBHOOK_AT_HEAD, r->began);
    list_push(&a->requests, &r->node);
    return r;
}

void webhook_request_free(struct webhook_request *r)
{
    for (size_t i = 0; i < r->count; i++) {
        struct webhook_message *m = webhook_messages_find(r->a->messages, r->wire[i]);
        if (m && m->waiter == r)
            m->waiter = NULL;
    }
    if (r->idem)
        webhook_idem_drop(r->a->idem, r->idem);
    list_remove(&r->node);
    webhook_hook_unref(r->hook);
    arena_finish(&r->arena);
    mem_free(r);
}

/* Where it goes. */

// The bytes of the path up to its segment `count`.
static struct str path_head(struct str path, size_t count)
{
    size_t at = 0;
    for (size_t seen = 0; at < path.n; at++) {
        if (path.p[at] == '/' && seen++ == count)
            break;
    }
    return str_sub(path, 0, at);
}

// Services that give a token give it in the query too ("?token=", Gotify).
static struct str query_token(struct webhook_request *r, struct str query)
{
    const struct http_pair *pairs;
    size_t count;
    if (!query.n || !http_form_parse(&r->arena, query, QUERY_PAIRS, &pairs, &count))
        return STR_NONE;
    return http_form_get(pairs, count, "token");
}

// Finds the hook and the token; false when the path is none of ours.
static bool route(struct webhook_request *r, const struct http_head *head, struct str *token)
{
    size_t used = 2;
    if (head->segment_count < used || !str_eq_c(head->segments[0], "h"))
        return false;
    struct webhook_hook *h = webhook_hooks_find(&r->a->hooks, head->segments[1]);
    r->hook = h ? webhook_hook_ref(h) : NULL;
    if (h && webhook_hook_stale(h, webhook_wall(r->a)) && webhook_hook_renew(h, webhook_wall(r->a)))
        webhook_hook_keep(r->a, h);
    *token = query_token(r, head->query);
    // What is so long is a token: no service has such a path.
    if (head->segment_count > used && head->segments[used].n >= WEBHOOK_AUTH_URL_TOKEN_MIN)
        *token = head->segments[used++];
    r->path = arena_dup(&r->arena, path_head(head->path, used));
    r->in = (struct webhook_input){
        .method = head->method_name,
        .segments = head->segments + used,
        .segment_count = head->segment_count - used,
        .query = head->query,
        .headers = head->headers,
        .header_count = head->header_count,
        .wall = webhook_wall(r->a),
    };
    return true;
}

/* Who sends it. */

static bool has_body(const struct http_head *head)
{
    return head->method == HTTP_METHOD_POST || head->method == HTTP_METHOD_PUT || head->method == HTTP_METHOD_PATCH;
}

// True when he is let in, or only the body can tell (r->needs_body); else it is answered.
static bool admit(struct webhook_request *r, const struct http_head *head, struct str token, bool complete)
{
    struct webhook_auth_request ask = {
        .headers = head->headers,
        .header_count = head->header_count,
        .token = token,
        .source = head->source,
        .wall = r->in.wall,
        .complete = complete,
        .body = complete && has_body(head) ? http_exchange_body(r->x) : STR_NONE,
    };
    struct webhook_auth_result result = {.verdict = WEBHOOK_AUTH_REFUSED};
    webhook_auth_check(r->hook ? r->hook->auth : NULL, &ask, &result);
    r->needs_body = result.verdict == WEBHOOK_AUTH_NEEDS_BODY;
    if (result.verdict != WEBHOOK_AUTH_REFUSED)
        return true;
    webhook_throttle_failed(r->a->throttle, &head->source, webhook_now(r->a));
    log_info(&r->a->log, LOG_MSG("a request is not let in"), LOG_S("hook", r->hook ? r->hook->name : STR_NONE),
             LOG_C("source", head->source_text), LOG_C("reason", result.reason.text));
    webhook_answer_refused(r, result.status, result.challenge);
    return false;
}

static void problem(struct webhook_request *r, int status, int64_t retry_after, struct str detail)
{
    webhook_answer_problem(r, &(struct webhook_problem){.status = status, .detail = detail}, retry_after);
}

static bool throttled(struct webhook_request *r, const struct http_head *head)
{
    int64_t s = webhook_throttle_wait(r->a->throttle, &head->source, webhook_now(r->a));
    if (s)
        webhook_answer_throttled(r, s);
    return s;
}

/* Whether it is taken now. */

static struct str source_name(const struct http_head *head)
{
    if (!head->source.known)
        return STR("unix");
    return (struct str){(const char *)head->source.b, net_ip_is4(&head->source) ? 16 : 8};
}

static int64_t seconds(int64_t ms)
{
    return ms > 1000 ? (ms + 999) / 1000 : 1;
}

static bool paced(struct webhook_request *r, const struct http_head *head)
{
    struct webhook_adapter *a = r->a;
    struct webhook_hook *h = r->hook;
    int64_t now = webhook_now(a);
    struct str source = source_name(head);
    int64_t wait_source = webhook_rate_wait(&a->sources, source, now);
    int64_t wait_hook = h->per_second > 0 ? ratelimit_wait(&h->did.rate, now) : 0;
    if (wait_source || wait_hook) {
        int64_t ms = wait_source > wait_hook ? wait_source : wait_hook;
        problem(r, 429, seconds(ms),
                wait_hook ? STR("more requests came than this hook takes; nothing was posted")
                          : STR("more requests came from this address than are taken; nothing was posted"));
        return false;
    }
    webhook_rate_take(&a->sources, source, a->conf.per_source.per_second, a->conf.per_source.burst, now);
    if (h->per_second > 0)
        (void)ratelimit_take(&h->did.rate, now);
    return true;
}

static bool is_messages(const struct webhook_request *r)
{
    return r->in.segment_count == 2 && str_eq_c(r->in.segments[0], "messages");
}

static void show_message(struct webhook_request *r)
{
    const struct webhook_message *m = webhook_messages_find(r->a->messages, r->in.segments[1]);
    if (m && str_eq(m->hook, r->hook->name))
        webhook_answer_message(r, m, 200);
    else
        problem(r, 404, 0, STR("there is no message of this id, or not any more"));
}

static bool working(struct webhook_request *r)
{
    bool expired = r->hook->expires && r->hook->expires <= r->in.wall;
    if (!expired && !r->hook->disabled)
        return true;
    problem(r, 410, 0, expired ? STR("the hook has expired") : STR("the hook is disabled"));
    return false;
}

// Who sends it is known: true when its body may come, or be read.
static bool welcome(struct webhook_request *r, const struct http_head *head)
{
    const char *allow = "POST";
    if (!working(r))
        return false;
    r->profile = webhook_profile_settle(r->hook->profile, &r->in);
    if (is_messages(r) && (head->method == HTTP_METHOD_GET || head->method == HTTP_METHOD_HEAD)) {
        show_message(r);
        return false;
    }
    if (!webhook_profile_method(r->hook->profile, &r->in, &allow)) {
        webhook_answer_method(r, allow);
        return false;
    }
    if (!paced(r, head))
        return false;
    r->hook->did.last = r->in.wall;
    return true;
}

static void end(struct webhook_request *r)
{
    if (!r->x && !r->open)
        webhook_request_free(r);
}

static size_t body_limit(const struct webhook_request *r)
{
    size_t profile = webhook_profile_body_max(r->hook->profile, &r->in);
    return profile < r->hook->body_max ? profile : r->hook->body_max;
}

static size_t on_head(void *ud, struct http_exchange *x)
{
    struct webhook_adapter *a = ud;
    const struct http_head *head = http_exchange_head(x);
    struct webhook_request *r = webhook_request_create(a, x);
    struct str token = STR_NONE;
    http_exchange_set_ud(x, r);
    if (throttled(r, head)) {
        end(r);
        return 0;
    }
    bool ours = route(r, head, &token);
    if (!ours) {
        r->in.wall = webhook_wall(a);
        webhook_answer_refused(r, 404, NULL);
    } else if (admit(r, head, token, !has_body(head)) && !r->needs_body) {
        (void)welcome(r, head);
    }
    size_t limit = r->x && r->hook ? body_limit(r) : 0;
    end(r);
    return limit;
}

/* What it says. */

static struct str header_of(const struct webhook_request *r, const char *name)
{
    for (size_t i = 0; i < r->in.header_count; i++) {
        if (str_case_eq(r->in.headers[i].name, str_c(name)))
            return r->in.headers[i].value;
    }
    return STR_NONE;
}

static struct str path_key(struct webhook_request *r)
{
    struct errmsg msg;
    if (!r->hook->idem_path.n)
        return STR_NONE;
    json_t *body = json_read(r->in.body, WEBHOOK_PAYLOAD_MAX, &msg);
    struct str key = json_text(&r->arena, json_at(body, r->hook->idem_path));
    key = arena_dup(&r->arena, key);
    json_decref(body);
    return key;
}

// GitLab's events have one id with all that they have led to: only with its body does it name a request.
static struct str event_key(struct webhook_request *r)
{
    struct str event = header_of(r, "X-Gitlab-Event-UUID");
    uint8_t sum[32];
    if (!event.n)
        return STR_NONE;
    hash_sha256(r->in.body, sum);
    return arena_concat(&r->arena, (struct str[]){event, STR(" "), hash_hex(&r->arena, sum, sizeof sum)}, 3);
}

// What the sender calls this request, the same when he sends it again; empty: nothing.
static struct str idem_key(struct webhook_request *r)
{
    static const char *const names[] = {"Idempotency-Key",  "webhook-id",         "X-GitHub-Delivery",
                                        "X-Gitea-Delivery", "X-Forgejo-Delivery", "X-Gogs-Delivery"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct str key = header_of(r, names[i]);
        if (key.n)
            return key;
    }
    struct str key = event_key(r);
    if (!key.n)
        key = path_key(r);
    return key.n ? key : r->outcome.delivery;
}

static void digest(struct webhook_request *r, uint8_t out[WEBHOOK_IDEM_DIGEST])
{
    struct str parts[3 + 2 * HTTP_SEGMENTS_MAX] = {r->in.method, {"", 1}};
    size_t n = 2;
    for (size_t i = 0; i < r->in.segment_count; i++) {
        parts[n++] = r->in.segments[i];
        parts[n++] = (struct str){"", 1};
    }
    parts[n++] = r->in.body;
    hash_sha256(arena_concat(&r->arena, parts, n), out);
}

static void answer_again(struct webhook_request *r, const struct webhook_idem_known *known)
{
    size_t count = known->count < WEBHOOK_POSTS_MAX ? known->count : WEBHOOK_POSTS_MAX;
    struct str *ids = arena_zalloc(&r->arena, count + 1, sizeof *ids);
    for (size_t i = 0; i < count; i++)
        ids[i] = webhook_message_nth(arena_alloc(&r->arena, WEBHOOK_ID_MAX + 1), known->id, i);
    for (size_t i = 0; i < count && i < r->outcome.count; i++) {
        if (r->outcome.posts[i].act != WEBHOOK_SAY)
            ids[i] = r->outcome.posts[i].id;
    }
    webhook_answer_success(r, ids, count, false, true);
}

// False when it is answered: it came before, or comes just now.
static bool first_time(struct webhook_request *r)
{
    struct str key = idem_key(r);
    uint8_t sum[WEBHOOK_IDEM_DIGEST];
    struct webhook_idem_known known;
    (void)webhook_message_id(r->id, str_c(r->a->base.env->name), r->hook->name, key);
    r->again = key.n;
    if (!key.n)
        return true;
    digest(r, sum);
    switch (webhook_idem_begin(r->a->idem, r->hook->name, key, sum, r->in.wall, &r->idem, &known)) {
    case WEBHOOK_IDEM_SAME:
        answer_again(r, &known);
        return false;
    case WEBHOOK_IDEM_BUSY:
        problem(r, 409, 1, STR("the same request is under way: its answer is to come"));
        return false;
    case WEBHOOK_IDEM_OTHER:
        problem(r, 422, 0, STR("this idempotency key came with another request before"));
        return false;
    case WEBHOOK_IDEM_NEW:
    default:
        return true;
    }
}

static void take_prefer(struct webhook_request *r)
{
    struct http_prefer prefer = {.wait = false};
    for (size_t i = 0; i < r->in.header_count; i++) {
        if (str_case_eq(r->in.headers[i].name, STR("Prefer")))
            http_prefer_add(&prefer, r->in.headers[i].value);
    }
    int64_t s = prefer.wait ? prefer.wait_s : 0;
    if (!prefer.wait && r->outcome.wait)
        s = 5;
    r->wait_ms = (s > WEBHOOK_WAIT_MAX_S ? WEBHOOK_WAIT_MAX_S : s) * 1000;
}

static void say(struct webhook_request *r)
{
    struct webhook_problem why = {.status = 0};
    int64_t retry_after = 0;
    take_prefer(r);
    if (!first_time(r))
        return;
    webhook_say(r, &why, &retry_after);
    if (why.status)
        webhook_answer_problem(r, &why, retry_after);
}

static void understand(struct webhook_request *r)
{
    r->in.body = http_exchange_body(r->x);
    webhook_profile_read(r->hook->profile, &r->hook->settings, &r->in, &r->arena, &r->outcome);
    if (r->outcome.profile)
        r->profile = r->outcome.profile;
    if (r->outcome.warning.n)
        log_warn(&r->a->log, LOG_MSG("a payload was not read as meant"), LOG_S("hook", r->hook->name),
                 LOG_S("why", r->outcome.warning));
    if (r->outcome.problem.status)
        webhook_answer_problem(r, &r->outcome.problem, 0);
    else if (r->outcome.handshake || !r->outcome.count)
        webhook_answer_success(r, NULL, 0, false, false);
    else
        say(r);
}

static void on_request(void *ud, struct http_exchange *x)
{
    (void)ud;
    struct webhook_request *r = http_exchange_ud(x);
    const struct http_head *head = http_exchange_head(x);
    bool known = !r->needs_body;
    if (!known && admit(r, head, STR_NONE, true))
        known = welcome(r, head);
    if (known)
        understand(r);
    end(r);
}

static void on_gone(void *ud, struct http_exchange *x)
{
    (void)ud;
    struct webhook_request *r = http_exchange_ud(x);
    r->x = NULL;
    webhook_result_gone(r);
}

const struct http_handler webhook_handler = {.head = on_head, .request = on_request, .gone = on_gone};
