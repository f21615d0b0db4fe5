/* The services' own answers: what their clients parse. */
#include "adapters/webhook/webhook_profile_private.h"

#include "base/clock.h"
#include "text/hash.h"

#include <inttypes.h>

enum { ANSWER_MAX = WEBHOOK_TEXT_MAX * 2 };

static void add_header(struct webhook_answer *out, const char *name, struct str value)
{
    if (out->header_count < WEBHOOK_ANSWER_HEADERS && value.n > 0)
        out->headers[out->header_count++] = (struct http_header){str_c(name), value};
}

static void give(struct webhook_answer *out, int status, const char *type, struct str body)
{
    out->status = status;
    out->body = body;
    if (body.n > 0)
        add_header(out, "Content-Type", str_c(type));
}

static void give_json(struct webhook_answer *out, int status, struct arena *a, struct strbuf *json)
{
    give(out, status, "application/json", arena_dup(a, strbuf_view(json)));
    strbuf_finish(json);
}

static void member(struct strbuf *b, const char *name, struct str value)
{
    if (b->n > 1)
        (void)strbuf_char(b, ',');
    (void)strbuf_printf(b, "\"%s\":", name);
    (void)json_write_str(b, value);
}

static void member_number(struct strbuf *b, const char *name, int64_t value)
{
    (void)strbuf_printf(b, "%s\"%s\":%" PRId64, b->n > 1 ? "," : "", name, value);
}

static void begin(struct strbuf *b)
{
    strbuf_init(b, ANSWER_MAX);
    (void)strbuf_char(b, '{');
}

static void echo(struct strbuf *b, struct str members)
{
    if (members.n == 0)
        return;
    if (b->n > 1)
        (void)strbuf_char(b, ',');
    (void)strbuf_str(b, members);
}

static struct str first_id(const struct webhook_accepted *ok)
{
    return ok && ok->count > 0 ? ok->ids[0] : STR_NONE;
}

static struct str first_text(const struct webhook_outcome *o)
{
    return o->count > 0 ? o->posts[0].body : STR_NONE;
}

// A number for clients that know ids as numbers: 31 bits of a digest.
static int64_t number_of(struct str id)
{
    uint8_t digest[32];
    hash_sha256(id, digest);
    return ((int64_t)(digest[0] & 0x7f) << 24) | (digest[1] << 16) | (digest[2] << 8) | digest[3];
}

/* Success */

static void native_success(const struct webhook_outcome *o, const struct webhook_accepted *ok, struct arena *a,
                           struct webhook_answer *out)
{
    struct strbuf b;
    begin(&b);
    if (!ok || ok->count == 0) {
        member(&b, "status", o->handshake ? STR("ok") : STR("ignored"));
        (void)strbuf_char(&b, '}');
        give_json(out, 200, a, &b);
        return;
    }
    member(&b, "id", ok->ids[0]);
    member(&b, "status", ok->confirmed ? STR("confirmed") : STR("queued"));
    if (ok->self.n > 0)
        member(&b, "self", ok->self);
    if (ok->confirmed && ok->stanza_id.n > 0)
        member(&b, "stanza_id", ok->stanza_id);
    for (size_t i = 0; ok->count > 1 && i < ok->count; i++) {
        (void)strbuf_c(&b, i == 0 ? ",\"ids\":[" : ",");
        (void)json_write_str(&b, ok->ids[i]);
    }
    (void)strbuf_c(&b, ok->count > 1 ? "]}" : "}");
    give_json(out, ok->confirmed ? 200 : 202, a, &b);
    add_header(out, "Location", ok->self);
}

// As Discord's message object, with what clients read of it.
static void discord_success(const struct webhook_outcome *o, const struct webhook_input *in,
                            const struct webhook_accepted *ok, struct arena *a, struct webhook_answer *out)
{
    bool changed = o->count > 0 && o->posts[0].act == WEBHOOK_REPLACE;
    struct strbuf b;
    if (!changed && !(o->wait && o->count > 0 && o->posts[0].act == WEBHOOK_SAY)) {
        out->status = 204;
        return;
    }
    begin(&b);
    member(&b, "id", changed ? o->posts[0].id : first_id(ok));
    member_number(&b, "type", 0);
    member(&b, "content", first_text(o));
    member(&b, "channel_id", STR("0"));
    member(&b, "webhook_id", STR("0"));
    member(&b, "timestamp", clock_format(a, in->wall));
    (void)strbuf_c(&b, ",\"author\":{\"bot\":true,\"id\":\"0\",\"username\":");
    (void)json_write_str(&b, o->posts[0].nick.n ? o->posts[0].nick : STR("webhook"));
    (void)strbuf_c(&b, "},\"attachments\":[],\"embeds\":[],\"mentions\":[],\"mention_roles\":[],\"pinned\":false,"
                       "\"mention_everyone\":false,\"tts\":false,\"flags\":0,\"edited_timestamp\":null}");
    give_json(out, 200, a, &b);
}

static void gotify_success(const struct webhook_outcome *o, const struct webhook_input *in,
                           const struct webhook_accepted *ok, struct arena *a, struct webhook_answer *out)
{
    struct strbuf b;
    begin(&b);
    member_number(&b, "id", number_of(first_id(ok)));
    member_number(&b, "appid", 1);
    echo(&b, o->echo);
    member(&b, "date", clock_format(a, in->wall));
    (void)strbuf_char(&b, '}');
    give_json(out, 200, a, &b);
}

static void ntfy_success(const struct webhook_outcome *o, const struct webhook_input *in,
                         const struct webhook_accepted *ok, struct arena *a, struct webhook_answer *out)
{
    struct strbuf b;
    begin(&b);
    member(&b, "id", first_id(ok));
    member_number(&b, "time", in->wall / 1000);
    member_number(&b, "expires", in->wall / 1000 + 43200);
    member(&b, "event", STR("message"));
    echo(&b, o->echo);
    (void)strbuf_char(&b, '}');
    give_json(out, 200, a, &b);
}

// CloudEvents' HTTP webhook specification 1.0.1, section 4.2.
static bool handshake(const struct webhook_outcome *o, const struct webhook_input *in, struct webhook_answer *out)
{
    struct str origin = reading_header(in, "WebHook-Request-Origin");
    if (!o->handshake || !str_eq_c(in->method, "OPTIONS"))
        return false;
    out->status = 200;
    add_header(out, "Allow", STR("POST"));
    add_header(out, "WebHook-Allowed-Origin", origin);
    add_header(out, "WebHook-Allowed-Rate", reading_header(in, "WebHook-Request-Rate").p ? STR("*") : STR_NONE);
    return true;
}

void webhook_profile_success(const struct webhook_outcome *o, const struct webhook_input *in,
                             const struct webhook_accepted *ok, struct arena *a, struct webhook_answer *out)
{
    *out = (struct webhook_answer){0};
    if (handshake(o, in, out))
        return;
    switch (o->profile->dialect) {
    case DIALECT_SLACK:
    case DIALECT_MATTERMOST:
        give(out, 200, "text/plain; charset=utf-8", STR("ok"));
        break;
    case DIALECT_DISCORD:
        discord_success(o, in, ok, a, out);
        break;
    case DIALECT_GOTIFY:
        gotify_success(o, in, ok, a, out);
        break;
    case DIALECT_NTFY:
        ntfy_success(o, in, ok, a, out);
        break;
    case DIALECT_NATIVE:
        native_success(o, ok, a, out);
        break;
    }
}

/* Errors */

// By status; the first row of a status counts.
static const struct {
    int status;
    const char *slack;
    int discord;      // JSON error code
    int ntfy;         // error code
    const char *text; // for those whose bodies have a text
} codes[] = {
    {400, "invalid_payload", 50109, 40024, "Bad Request"},
    {401, "invalid_token", 50027, 40101, "Unauthorized"},
    {403, "action_prohibited", 50013, 40301, "Forbidden"},
    {404, "no_service", 10015, 40401, "Not Found"},
    {405, "invalid_request", 0, 40501, "Method Not Allowed"},
    {410, "channel_is_archived", 10015, 41001, "Gone"},
    {413, "invalid_payload", 40005, 41301, "Payload Too Large"},
    {415, "invalid_payload", 50109, 40000, "Unsupported Media Type"},
    {422, "no_text", 50006, 40000, "Unprocessable Entity"},
    {429, "rate_limited", 0, 42901, "Too Many Requests"},
    {503, "rollup_error", 0, 50301, "Service Unavailable"},
};

static size_t code_of(int status)
{
    size_t n = sizeof(codes) / sizeof(codes[0]);
    for (size_t i = 0; i < n; i++)
        if (codes[i].status == status)
            return i;
    return status >= 500 ? n - 1 : 0;
}

static void refuse_discord(const struct webhook_problem *p, int64_t retry_after, struct strbuf *b)
{
    bool limited = p->status == 429;
    int code = p->code && strcmp(p->code, "no_text") == 0 ? 50006 : codes[code_of(p->status)].discord;
    member(b, "message", limited ? STR("You are being rate limited.") : p->detail);
    if (limited) {
        member_number(b, "retry_after", retry_after);
        (void)strbuf_c(b, ",\"global\":false");
    }
    member_number(b, "code", code);
}

static void refuse_native(const struct webhook_problem *p, int64_t retry_after, struct strbuf *b)
{
    member(b, "type", STR("about:blank"));
    member(b, "title", str_c(http_status_text(p->status)));
    member_number(b, "status", p->status);
    if (p->detail.n > 0)
        member(b, "detail", p->detail);
    if (retry_after > 0)
        member_number(b, "retry_after", retry_after);
    if (p->pointer.n > 0) {
        (void)strbuf_c(b, ",\"errors\":[{\"pointer\":");
        (void)json_write_str(b, p->pointer);
        (void)strbuf_c(b, ",\"detail\":");
        (void)json_write_str(b, p->detail);
        (void)strbuf_c(b, "}]");
    }
}

static void refuse_json(const struct webhook_profile *profile, const struct webhook_problem *p, int64_t retry_after,
                        struct strbuf *b)
{
    size_t row = code_of(p->status);
    switch (profile->dialect) {
    case DIALECT_DISCORD:
        refuse_discord(p, retry_after, b);
        break;
    case DIALECT_GOTIFY:
        member(b, "error", str_c(codes[row].text));
        member_number(b, "errorCode", p->status);
        member(b, "errorDescription", p->detail);
        break;
    case DIALECT_NTFY:
        member_number(b, "code", codes[row].ntfy);
        member_number(b, "http", p->status);
        member(b, "error", p->detail);
        break;
    case DIALECT_MATTERMOST:
        member(b, "id", STR("web.incoming_webhook.error"));
        member(b, "message", p->detail);
        member_number(b, "status_code", p->status);
        break;
    case DIALECT_SLACK:
    case DIALECT_NATIVE:
        refuse_native(p, retry_after, b);
        break;
    }
}

int webhook_profile_overload(const struct webhook_profile *p)
{
    return p && p->patient ? 429 : 503;
}

void webhook_profile_refuse(const struct webhook_profile *p, const struct webhook_problem *problem, int64_t retry_after,
                            struct arena *a, struct webhook_answer *out)
{
    struct webhook_problem told = *problem;
    struct strbuf b;

    *out = (struct webhook_answer){0};
    p = p ? p : webhook_profile_find(STR("auto"));
    if (told.status == 429)
        told.status = webhook_profile_overload(p);
    if (p->dialect == DIALECT_SLACK) {
        const char *code = told.code ? told.code : codes[code_of(told.status)].slack;
        give(out, told.status, "text/plain; charset=utf-8", str_c(code));
    } else {
        begin(&b);
        refuse_json(p, &told, retry_after, &b);
        (void)strbuf_char(&b, '}');
        give_json(out, told.status, a, &b);
        if (p->dialect == DIALECT_NATIVE)
            out->headers[0].value = STR("application/problem+json");
    }
    if (retry_after > 0)
        add_header(out, "Retry-After", arena_printf(a, "%" PRId64, retry_after));
    if (told.status == 405)
        add_header(out, "Allow", str_c(p->methods));
}
