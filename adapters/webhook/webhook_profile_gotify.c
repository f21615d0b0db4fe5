/* Gotify's API for applications: POST /message. The token is authentication, which is not looked at here. */
#include "adapters/webhook/webhook_profile_private.h"

#include "text/markdown.h"

static bool is_markdown(const json_t *extras)
{
    const json_t *type = json_object_get(json_object_get(extras, "client::display"), "contentType");
    return json_is_string(type) && strcmp(json_string_value(type), "text/markdown") == 0;
}

static void say_message(struct say *s, const json_t *json)
{
    const json_t *extras = json_object_get(json, "extras");
    const json_t *notification = json_object_get(extras, "client::notification");
    struct str text = str_trim(say_at(s->a, json, "message"));
    say_bold(s, say_at(s->a, json, "title"));
    say_break(s);
    if (is_markdown(extras))
        say_styled(s, markdown_styled(s->a, text, NULL, NULL));
    else
        say_value(s, text);
    struct str click = say_at(s->a, notification, "click.url");
    if (say_url_good(click)) {
        say_break(s);
        say_link(s, click);
    }
}

static struct str json_str(struct arena *a, struct str text)
{
    struct strbuf b;
    strbuf_init(&b, 6 * text.n + 2);
    (void)json_write_str(&b, text);
    struct str out = arena_dup(a, strbuf_view(&b));
    strbuf_finish(&b);
    return out;
}

static struct str echo_of(struct reading *r)
{
    const json_t *priority = json_object_get(r->json, "priority");
    struct str title = say_at(r->a, r->json, "title"), message = say_at(r->a, r->json, "message");
    return arena_printf(r->a, "\"message\":" STR_FMT ",\"title\":" STR_FMT ",\"priority\":%lld",
                        STR_ARG(json_str(r->a, message)), STR_ARG(json_str(r->a, title)),
                        (long long)json_integer_value(priority));
}

// Fields of a form or the query in place of JSON.
static void from_fields(struct reading *r)
{
    static const char *const names[] = {"title", "message"};
    if (r->json)
        return;
    r->json = json_incref(reading_context(r));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct str value = http_form_get(r->query, r->query_count, names[i]);
        if (value.p && !json_object_get(r->json, names[i]))
            (void)json_object_set_new(r->json, names[i], json_stringn(value.p, value.n));
    }
}

void webhook_read_gotify(struct reading *r)
{
    struct say s;
    if (r->segment_count > 1 || (r->segment_count == 1 && !str_eq_c(r->segments[0], "message"))) {
        reading_fail(r, 404, NULL, "", "page not found: messages are posted to /message");
        return;
    }
    from_fields(r);
    if (str_empty(str_trim(say_at(r->a, r->json, "message")))) {
        if (json_is_object(r->json) && json_object_size(r->json) > 0 && !json_object_get(r->json, "message") &&
            !json_object_get(r->json, "title") && r->field_count == 0 && !json_object_get(r->json, "text"))
            reading_generic(r);
        else
            reading_fail(r, 400, NULL, "/message", "Field 'message' is required");
        return;
    }
    say_begin(&s, r->a);
    say_message(&s, r->json);
    struct webhook_post *post = reading_say(r, &s);
    struct str image =
        say_at(r->a, json_object_get(json_object_get(r->json, "extras"), "client::notification"), "bigImageUrl");
    reading_file_url(r, post, image, STR_NONE, STR_NONE);
    reading_key(r, post, STR_NONE, false);
    r->out->echo = echo_of(r);
}
