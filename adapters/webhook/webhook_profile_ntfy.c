/* ntfy's way to publish: the body is the message, all else stands in headers or the query; or JSON at the root. Every
 * source is brought into the members of that JSON, so that there is one reader. */
#include "adapters/webhook/webhook_profile_private.h"

#include "base/utf8.h"
#include "text/hash.h"
#include "text/markdown.h"
#include "text/slack_markup.h"

enum { ACTIONS = 3, TAGS = 16, HEADER_MAX = 4096, MESSAGE_MAX = 64 * 1024 };

// A member of the JSON and its names in headers and query, as ntfy's docs list them.
static const struct {
    const char *member;
    const char *names[6];
} options[] = {
    {"actions", {"X-Actions", "Actions", "Action"}},
    {"attach", {"X-Attach", "Attach", "a"}},
    {"click", {"X-Click", "Click"}},
    {"delay", {"X-Delay", "Delay", "X-At", "At", "X-In", "In"}},
    {"email", {"X-Email", "X-E-Mail", "Email", "E-Mail", "mail", "e"}},
    {"filename", {"X-Filename", "Filename", "file", "f"}},
    {"icon", {"X-Icon", "Icon"}},
    {"markdown", {"X-Markdown", "Markdown", "md"}},
    {"message", {"X-Message", "Message", "m"}},
    {"priority", {"X-Priority", "Priority", "prio", "p"}},
    {"tags", {"X-Tags", "Tags", "Tag", "ta"}},
    {"title", {"X-Title", "Title", "ti", "t"}},
};

/* Headers */

static int hex_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

static struct str decode_q(struct arena *a, struct str text)
{
    char *out = arena_alloc(a, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        int high = text.p[i] == '=' && i + 2 < text.n ? hex_of(text.p[i + 1]) : -1;
        int low = high >= 0 ? hex_of(text.p[i + 2]) : -1;
        if (low >= 0) {
            out[n++] = (char)(high * 16 + low);
            i += 2;
        } else
            out[n++] = (char)(text.p[i] == '_' ? ' ' : text.p[i]);
    }
    return (struct str){out, n};
}

// "=?UTF-8?B?...?=" (RFC 2047), as one word; anything else is UTF-8 already.
static struct str decode_header(struct arena *a, struct str value)
{
    struct str inner = str_sub(value, 10, value.n > 2 ? value.n - 2 : 0), out;
    bool word = value.n > 12 && str_case_eq(str_sub(value, 0, 8), STR("=?utf-8?")) && str_ends(value, STR("?="));
    char encoding = (char)(word && value.p[9] == '?' ? value.p[8] | 0x20 : 0);
    if (encoding == 'q')
        return decode_q(a, inner);
    return encoding == 'b' && hash_base64_decode(a, inner, &out) ? out : value;
}

static void set(struct reading *r, const char *member, struct str value)
{
    value = utf8_repair(r->a, value);
    (void)json_object_set_new(r->json, member, json_stringn(value.n ? value.p : "", value.n));
}

// Headers count before the query; the case of both is ignored.
static void set_option(struct reading *r, const char *member, const char *const *names)
{
    for (size_t n = 0; n < 6 && names[n]; n++) {
        struct str value = reading_header(r->in, names[n]);
        if (!str_empty(value)) {
            set(r, member, decode_header(r->a, utf8_cut(value, HEADER_MAX)));
            return;
        }
    }
    for (size_t n = 0; n < 6 && names[n]; n++)
        for (size_t i = 0; i < r->query_count; i++)
            if (str_case_eq(r->query[i].name, str_c(names[n]))) {
                set(r, member, utf8_cut(r->query[i].value, HEADER_MAX));
                return;
            }
}

static bool wanted(const json_t *v)
{
    const char *s = json_string_value(v);
    return json_is_true(v) || (s && (strcmp(s, "yes") == 0 || strcmp(s, "true") == 0 || strcmp(s, "1") == 0));
}

/* The message */

// "warning,skull,backup": those that are emoji stand before the title, the others below.
static void say_tags(struct say *s, const json_t *tags, bool emoji)
{
    struct str rest = json_is_string(tags) ? say_at(s->a, tags, "") : STR_NONE, tag;
    size_t total = json_is_array(tags) ? json_array_size(tags) : TAGS, shown = 0;
    for (size_t i = 0; i < total && i < TAGS; i++) {
        if (json_is_array(tags))
            tag = say_at(s->a, json_array_get(tags, i), "");
        else
            (void)str_cut(rest, ',', &tag, &rest);
        tag = say_oneline(s->a, tag, 60);
        struct str character = slack_markup_emoji(tag);
        if (str_empty(tag) || (character.n > 0) != emoji)
            continue;
        if (emoji) {
            say_styled(s, character);
            say_raw(s, " ");
            continue;
        }
        say_raw(s, shown++ == 0 ? "Tags: " : ", ");
        say_value(s, tag);
    }
    say_raw(s, shown > 0 ? "\n" : "");
}

static void say_view(struct say *s, struct str label, struct str url)
{
    if (!say_url_good(url))
        return;
    say_break(s);
    say_line(s, label, 80);
    say_link(s, url);
    say_raw(s, "\n");
}

// "view, Open the door, https://door.example, clear=true"
static void say_short_action(struct say *s, struct str text)
{
    struct str part[3];
    for (size_t i = 0; i < 3; i++) {
        (void)str_cut(text, ',', &part[i], &text);
        part[i] = str_trim(part[i]);
    }
    if (str_case_eq(part[0], STR("view")))
        say_view(s, part[1], part[2]);
}

static void say_action_list(struct say *s, const json_t *actions)
{
    for (size_t i = 0; i < json_array_size(actions) && i < ACTIONS; i++) {
        const json_t *one = json_array_get(actions, i);
        if (str_eq_c(say_at(s->a, one, "action"), "view"))
            say_view(s, say_at(s->a, one, "label"), say_at(s->a, one, "url"));
    }
}

// Only what opens a link can be shown as text.
static void say_actions(struct say *s, const json_t *actions)
{
    struct str text = str_trim(say_at(s->a, actions, "")), one;
    if (json_is_array(actions) || str_starts(text, STR("["))) {
        json_t *list =
            json_is_array(actions) ? json_incref((json_t *)(uintptr_t)actions) : json_read(text, HEADER_MAX, NULL);
        say_action_list(s, list);
        json_decref(list);
        return;
    }
    for (size_t i = 0; i < ACTIONS && !str_empty(text); i++) {
        (void)str_cut(text, ';', &one, &text);
        say_short_action(s, one);
    }
}

static bool urgent(struct arena *a, const json_t *json)
{
    struct str priority = say_at(a, json, "priority");
    return str_eq_c(priority, "5") || str_case_eq(priority, STR("max")) || str_case_eq(priority, STR("urgent"));
}

static void say_message(struct reading *r, struct say *s, bool file)
{
    const json_t *json = r->json;
    struct str title = say_at(r->a, json, "title"), text = str_trim(say_at(r->a, json, "message"));
    struct str click = say_at(r->a, json, "click");
    bool styled = wanted(json_object_get(json, "markdown")) || str_eq_c(r->type.type, "text/markdown");
    if (urgent(r->a, json))
        say_raw(s, "❗ ");
    say_tags(s, json_object_get(json, "tags"), true);
    say_bold(s, title);
    if (!str_empty(str_trim(title)))
        say_break(s);
    if (str_empty(text) && !file)
        text = STR("triggered"); // as ntfy has it
    if (styled)
        say_styled(s, markdown_styled(r->a, text, NULL, NULL));
    else
        say_value(s, text);
    say_break(s);
    say_tags(s, json_object_get(json, "tags"), false);
    if (say_url_good(click)) {
        say_break(s);
        say_link(s, click);
        say_raw(s, "\n");
    }
    say_actions(s, json_object_get(json, "actions"));
}

/* The request */

// The body is JSON with a topic only at the root; at /topic it is the message itself, or a file.
static bool take_body(struct reading *r, bool *file)
{
    struct errmsg msg;
    bool root = r->segment_count == 0;
    json_t *json = NULL;
    if (root) {
        json = json_read(r->body, WEBHOOK_PAYLOAD_MAX, &msg);
        json_decref(json);
        if (json && !reading_json(r, r->body)) // too deep
            return false;
        if (json && json_is_object(r->json))
            return true;
        if (str_starts(r->type.type, STR("application/json"))) {
            reading_fail(r, 400, NULL, "", "malformed JSON: %s", json ? "not an object" : msg.text);
            return false;
        }
    }
    json_decref(r->json);
    r->json = json_object();
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        set_option(r, options[i].member, options[i].names);
    *file = !str_empty(r->body) &&
            (json_object_get(r->json, "filename") || r->body.n > MESSAGE_MAX || !utf8_valid(r->body));
    if (!*file && !str_empty(r->body))
        set(r, "message", r->body);
    return true;
}

static void take_file(struct reading *r, struct webhook_post *post)
{
    struct webhook_file *f = ARENA_NEW(r->a, struct webhook_file);
    struct str name = say_at(r->a, r->json, "filename");
    *f =
        (struct webhook_file){.name = reading_filename(r->a, str_empty(name) ? STR("attachment") : name),
                              .type = str_starts(r->type.type, STR("application/x-www-form")) ? STR_NONE : r->type.type,
                              .data = r->body};
    post->files = f;
    post->file_count = 1;
}

static struct str echo_of(struct reading *r, struct str topic)
{
    struct str title = say_at(r->a, r->json, "title"), message = say_at(r->a, r->json, "message");
    struct strbuf b;
    strbuf_init(&b, 6 * (topic.n + title.n + message.n) + 64);
    (void)strbuf_c(&b, "\"topic\":");
    (void)json_write_str(&b, topic);
    if (!str_empty(title)) {
        (void)strbuf_c(&b, ",\"title\":");
        (void)json_write_str(&b, title);
    }
    (void)strbuf_c(&b, ",\"message\":");
    (void)json_write_str(&b, str_empty(message) ? STR("triggered") : message);
    struct str out = arena_dup(r->a, strbuf_view(&b));
    strbuf_finish(&b);
    return out;
}

static bool can_do(struct reading *r)
{
    if (say_at(r->a, r->json, "delay").n > 0)
        reading_fail(r, 422, NULL, "/delay", "scheduled delivery is not done here: send it when it is due");
    else if (say_at(r->a, r->json, "email").n > 0)
        reading_warn(r, "e-mail is not sent from here");
    return r->out->problem.status == 0;
}

void webhook_read_ntfy(struct reading *r)
{
    bool file = false;
    struct say s;
    if (r->segment_count > 1) {
        reading_fail(r, 404, NULL, "", "page not found: messages are published to /topic");
        return;
    }
    if (!take_body(r, &file) || !can_do(r))
        return;
    struct str topic = r->segment_count == 1 ? r->segments[0] : say_at(r->a, r->json, "topic");
    struct webhook_post *post = reading_post(r);
    if (file)
        take_file(r, post);
    else
        reading_file_url(r, post, say_at(r->a, r->json, "attach"), say_at(r->a, r->json, "filename"), STR_NONE);
    say_begin(&s, r->a);
    say_message(r, &s, file);
    reading_body(r, post, r->json, say_end(&s));
    reading_avatar(r, post, say_at(r->a, r->json, "icon"));
    reading_key(r, post, STR_NONE, false);
    r->out->echo = echo_of(r, say_oneline(r->a, topic, 64));
}
