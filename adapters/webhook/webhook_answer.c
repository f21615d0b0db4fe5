/* Answers: in the shape that the profile's clients parse, each once, each with its line in the log. The line holds the
 * hook and who asked, and never the path, which may hold a token. */
#include "adapters/webhook/webhook_private.h"

#include "text/json.h"

#include <inttypes.h>

enum { BODY_MAX = 256 * 1024 };

static void logged(struct webhook_request *r, int status, struct str detail)
{
    const struct http_head *head = http_exchange_head(r->x);
    struct webhook_adapter *a = r->a;
    const struct log_field fields[] = {
        LOG_MSG("request"),
        LOG_S("method", head->method_name),
        LOG_S("hook", r->hook ? r->hook->name : STR_NONE),
        LOG_C("profile", r->profile ? webhook_profile_name(r->profile) : ""),
        LOG_S("event", r->outcome.event),
        LOG_C("source", head->source_text),
        LOG_INT("status", status),
        LOG_INT("messages", r->taken),
        LOG_INT("ms", webhook_now(a) - r->began),
        LOG_S("id", r->taken ? str_c(r->id) : STR_NONE),
        LOG_S("detail", detail),
        LOG_FIELD_END,
    };
    enum log_level level = status >= 400 ? LOG_INFO : LOG_DEBUG;
    if (log_enabled(level, &a->log))
        log_emit(level, &a->log, fields);
}

static void give(struct webhook_request *r, int status, const struct http_header *headers, size_t count,
                 struct str body, struct str detail)
{
    struct http_exchange *x = r->x;
    if (!x)
        return;
    if (r->hook && status >= 400)
        r->hook->did.refused++;
    logged(r, status, detail);
    r->x = NULL;
    http_exchange_answer(x, status, headers, count, body);
}

// RFC 9457 section 3.2: members of our own, where the answer is such a one.
static struct str with_condition(struct webhook_request *r, const struct webhook_answer *answer)
{
    bool problem = false;
    for (size_t i = 0; i < answer->header_count; i++)
        problem = problem || str_starts(answer->headers[i].value, STR("application/problem+json"));
    if (!problem || !str_ends(answer->body, STR("}")))
        return answer->body;
    struct strbuf body;
    strbuf_init(&body, BODY_MAX);
    strbuf_str(&body, str_sub(answer->body, 0, answer->body.n - 1));
    strbuf_printf(&body, ",\"condition\":\"%s\",\"hook\":", err_condition(r->condition));
    json_write_str(&body, r->hook ? r->hook->name : STR_NONE);
    strbuf_c(&body, ",\"to\":");
    json_write_str(&body, r->place);
    strbuf_char(&body, '}');
    struct str text = arena_dup(&r->arena, strbuf_view(&body));
    strbuf_finish(&body);
    return text;
}

void webhook_answer_problem(struct webhook_request *r, const struct webhook_problem *p, int64_t retry_after)
{
    struct webhook_answer answer = {.status = p->status};
    if (!r->x)
        return;
    webhook_profile_refuse(r->profile, p, retry_after, &r->arena, &answer);
    struct str body = r->condition ? with_condition(r, &answer) : answer.body;
    give(r, answer.status, answer.headers, answer.header_count, body, p->detail);
}

void webhook_answer_refused(struct webhook_request *r, int status, const char *challenge)
{
    static const struct {
        int status;
        struct str detail;
    } details[] = {
        {401, {"the credentials are missing or wrong", 36}},
        {403, {"this request is not let in", 26}},
        {404, {"there is no such hook, or its token is another", 46}},
    };
    struct webhook_problem problem = {.status = status};
    struct webhook_answer answer = {.status = status};
    for (size_t i = 0; i < sizeof details / sizeof *details; i++) {
        if (details[i].status == status)
            problem.detail = details[i].detail;
    }
    webhook_profile_refuse(NULL, &problem, 0, &r->arena, &answer);
    struct http_header headers[WEBHOOK_ANSWER_HEADERS + 1];
    size_t count = 0;
    for (; count < answer.header_count; count++)
        headers[count] = answer.headers[count];
    if (challenge)
        headers[count++] = (struct http_header){STR("WWW-Authenticate"), str_c(challenge)};
    give(r, answer.status, headers, count, answer.body, STR_NONE);
}

void webhook_answer_method(struct webhook_request *r, const char *allow)
{
    const struct webhook_problem problem = {
        .status = 405,
        .detail = arena_printf(&r->arena, "this takes %s; nothing was posted", allow),
    };
    struct webhook_answer answer = {.status = 405};
    webhook_profile_refuse(r->profile, &problem, 0, &r->arena, &answer);
    struct http_header headers[WEBHOOK_ANSWER_HEADERS + 1] = {{STR("Allow"), str_c(allow)}};
    size_t count = 1;
    for (size_t i = 0; i < answer.header_count; i++) {
        if (!str_case_eq(answer.headers[i].name, STR("Allow")))
            headers[count++] = answer.headers[i];
    }
    give(r, answer.status, headers, count, answer.body, problem.detail);
}

void webhook_answer_throttled(struct webhook_request *r, int64_t retry_after)
{
    struct http_exchange *x = r->x;
    struct str after = arena_printf(&r->arena, "%" PRId64, retry_after), why = STR("too many requests from here were "
                                                                                   "refused");
    logged(r, 429, why);
    r->x = NULL;
    http_exchange_problem(x, 429, NULL, why, &(struct http_header){STR("Retry-After"), after}, 1);
}

struct str webhook_answer_self(struct webhook_request *r, struct str id)
{
    struct str base = r->a->conf.base_url;
    return arena_concat(&r->arena, (struct str[]){base, r->path, STR("/messages/"), id}, 4);
}

// Those for whom our own words are the answer.
static bool speaks_natively(const struct webhook_request *r)
{
    static const char *const names[] = {"native", "text", "form"};
    const char *name = r->outcome.profile ? webhook_profile_name(r->outcome.profile) : "";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

static size_t with_replayed(struct http_header *headers, size_t count, bool again)
{
    if (again)
        headers[count++] = (struct http_header){STR("Idempotent-Replayed"), STR("true")};
    return count;
}

static void message_json(struct webhook_request *r, const struct str *ids, size_t at, struct strbuf *out)
{
    const struct webhook_message *m = webhook_messages_find(r->a->messages, r->wire ? r->wire[at] : ids[at]);
    if (m)
        webhook_message_json(m, webhook_answer_self(r, ids[at]), out);
    else
        strbuf_c(out, "{}");
}

// With what became of each target.
static void send_messages(struct webhook_request *r, const struct str *ids, size_t count, int status, bool again)
{
    struct str self = webhook_answer_self(r, ids[0]);
    struct http_header headers[4] = {{STR("Content-Type"), STR("application/json")}, {STR("Location"), self}};
    struct strbuf body;
    strbuf_init(&body, BODY_MAX);
    message_json(r, ids, 0, &body);
    if (count > 1) { // the others stand within the first
        strbuf_truncate(&body, body.n - 1);
        strbuf_c(&body, ",\"more\":[");
        for (size_t i = 1; i < count; i++) {
            strbuf_c(&body, i > 1 ? "," : "");
            message_json(r, ids, i, &body);
        }
        strbuf_c(&body, "]}");
    }
    give(r, status, headers, with_replayed(headers, 2, again), strbuf_view(&body), STR_NONE);
    strbuf_finish(&body);
}

void webhook_answer_success(struct webhook_request *r, const struct str *ids, size_t count, bool confirmed, bool again)
{
    if (!r->x)
        return;
    const struct webhook_message *first =
        count ? webhook_messages_find(r->a->messages, r->wire ? r->wire[0] : ids[0]) : NULL;
    if (first && r->wait_ms && speaks_natively(r)) {
        send_messages(r, ids, count, confirmed ? 200 : 202, again);
        return;
    }
    struct webhook_accepted ok = {
        .ids = ids,
        .count = count,
        .self = count ? webhook_answer_self(r, ids[0]) : STR_NONE,
        .confirmed = confirmed,
        .stanza_id = confirmed && first ? first->targets[0].stanza : STR_NONE,
    };
    struct webhook_answer answer = {.status = 202};
    webhook_profile_success(&r->outcome, &r->in, &ok, &r->arena, &answer);
    struct http_header headers[WEBHOOK_ANSWER_HEADERS + 1];
    for (size_t i = 0; i < answer.header_count; i++)
        headers[i] = answer.headers[i];
    give(r, answer.status, headers, with_replayed(headers, answer.header_count, again), answer.body, STR_NONE);
}

void webhook_answer_message(struct webhook_request *r, const struct webhook_message *m, int status)
{
    const struct http_header headers[] = {{STR("Content-Type"), STR("application/json")},
                                          {STR("Cache-Control"), STR("no-store")}};
    struct strbuf body;
    strbuf_init(&body, BODY_MAX);
    webhook_message_json(m, webhook_answer_self(r, m->id), &body);
    give(r, status, headers, 2, strbuf_view(&body), STR_NONE);
    strbuf_finish(&body);
}
