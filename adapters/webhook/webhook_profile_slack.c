/* Slack's incoming webhooks, and Mattermost's, which take the same with Markdown in place of mrkdwn. */
#include "adapters/webhook/webhook_profile_private.h"

#include "text/markdown.h"
#include "text/slack_markup.h"

#include <stdlib.h>

struct dialect {
    struct reading *r;
    bool markdown; // Mattermost
    bool plain;    // "mrkdwn": false
};

// Mattermost takes Slack's <url|text> and <!here> in its Markdown too.
static void add_reference(struct strbuf *b, struct str inner)
{
    struct str url, text;
    if (inner.n > 1 && *inner.p == '!')
        (void)strbuf_printf(b, "@" STR_FMT, STR_ARG(str_sub(inner, 1, inner.n)));
    else if (str_cut(inner, '|', &url, &text) && say_url_good(url))
        (void)strbuf_printf(b, "[" STR_FMT "](" STR_FMT ")", STR_ARG(text), STR_ARG(url));
    else
        (void)strbuf_printf(b, "<" STR_FMT ">", STR_ARG(inner));
}

static struct str without_references(struct arena *a, struct str text)
{
    struct strbuf b;
    strbuf_init(&b, 2 * text.n + 16);
    for (size_t i = 0; i < text.n; i++) {
        size_t end = i + 1;
        while (text.p[i] == '<' && end < text.n && end - i < 2048 && !strchr("<>\n", text.p[end]))
            end++;
        if (text.p[i] == '<' && end < text.n && text.p[end] == '>') {
            add_reference(&b, str_sub(text, i + 1, end));
            i = end;
        } else
            (void)strbuf_char(&b, text.p[i]);
    }
    struct str out = arena_dup(a, strbuf_view(&b));
    strbuf_finish(&b);
    return out;
}

static struct str styled(const struct dialect *d, struct str text)
{
    struct slack_markup_options slack = {.plain = d->plain};
    struct markdown_options markdown = {.lines = true};
    if (d->markdown && str_find(text, '<') >= 0)
        text = without_references(d->r->a, text);
    return d->markdown ? markdown_styled(d->r->a, text, &markdown, NULL) : slack_markup_styled(d->r->a, text, &slack);
}

static void say_text(const struct dialect *d, struct say *s, struct str text)
{
    if (str_empty(str_trim(text)))
        return;
    say_break(s);
    say_styled(s, styled(d, str_trim(text)));
    say_raw(s, "\n");
}

/* Attachments */

static const char *mark_of_rgb(unsigned long rgb)
{
    unsigned red = (rgb >> 16) & 0xff, green = (rgb >> 8) & 0xff, blue = rgb & 0xff;
    if (red > 150 && green < 110 && blue < 110)
        return "🔴 ";
    if (green > 120 && green > red + 30 && green > blue)
        return "🟢 ";
    return red > 180 && green > 110 && blue < 120 ? "🟡 " : "";
}

// What an attachment's colour says.
static const char *mark_of(struct str color)
{
    char hex[7] = "";
    if (str_eq_c(color, "danger"))
        return "🔴 ";
    if (str_eq_c(color, "warning"))
        return "🟡 ";
    if (str_eq_c(color, "good"))
        return "🟢 ";
    if (color.n == 7 && *color.p == '#')
        color = str_sub(color, 1, 7);
    if (color.n != 6)
        return "";
    memcpy(hex, color.p, 6);
    return strspn(hex, "0123456789abcdefABCDEF") == 6 ? mark_of_rgb(strtoul(hex, NULL, 16)) : "";
}

// A title is bold; where its text has marks of its own they go.
static void say_title(const struct dialect *d, struct say *s, struct str title, struct str url)
{
    struct slack_markup_options plain = {.plain = true};
    if (!d->markdown)
        title = slack_markup_styled(d->r->a, title, &plain);
    say_bold(s, title);
    say_link(s, url);
}

static void say_fields(const struct dialect *d, struct say *s, const json_t *fields)
{
    json_t *one;
    size_t i;
    json_array_foreach(fields, i, one)
    {
        struct arena *a = d->r->a;
        struct str title = say_oneline(a, say_at(a, one, "title"), SAY_TITLE), value = say_at(a, one, "value");
        if (i >= SAY_ITEMS) {
            say_more(s, json_array_size(fields) - i);
            return;
        }
        say_break(s);
        if (!str_empty(title)) {
            say_bold(s, arena_printf(a, STR_FMT ":", STR_ARG(title)));
            say_raw(s, str_find(str_trim(value), '\n') >= 0 ? "\n" : " ");
        }
        say_styled(s, styled(d, str_trim(value)));
        say_raw(s, "\n");
    }
}

static void say_actions(struct say *s, const json_t *actions)
{
    json_t *one;
    size_t i;
    json_array_foreach(actions, i, one)
    {
        struct str url = say_at(s->a, one, "url"), text = say_at(s->a, one, "text");
        if (i >= SAY_ITEMS)
            return;
        if (!say_url_good(url))
            continue;
        say_break(s);
        say_line(s, text.n > 0 ? text : say_at(s->a, one, "name"), 80);
        say_link(s, url);
        say_raw(s, "\n");
    }
}

static void say_head(const struct dialect *d, struct say *s, const json_t *one)
{
    struct arena *a = d->r->a;
    struct str author = say_at(a, one, "author_name"), title = say_at(a, one, "title");
    if (author.n > 0) {
        say_line(s, author, 100);
        say_link(s, say_at(a, one, "author_link"));
        say_raw(s, "\n");
    }
    if (title.n > 0) {
        say_title(d, s, title, say_at(a, one, "title_link"));
        say_raw(s, "\n");
    }
}

static void say_foot(struct say *s, const json_t *one)
{
    struct str footer = say_oneline(s->a, say_at(s->a, one, "footer"), 120);
    if (str_empty(footer))
        return;
    say_break(s);
    say_raw(s, "_");
    say_value(s, footer);
    say_raw(s, str_find(footer, '_') >= 0 ? "\n" : "_\n");
}

// All of it but for what stands before its colour.
static struct str attachment_text(const struct dialect *d, struct webhook_post *post, const json_t *one)
{
    struct arena *a = d->r->a;
    struct str text = str_trim(say_at(a, one, "text"));
    struct say s;
    say_begin(&s, a);
    say_head(d, &s, one);
    if (text.n > 0)
        say_styled(&s, styled(d, text));
    say_fields(d, &s, json_object_get(one, "fields"));
    webhook_slack_blocks(d->r, &s, post, json_object_get(one, "blocks"));
    say_actions(&s, json_object_get(one, "actions"));
    if (s.out.n == 0 && say_at(a, one, "pretext").n == 0)
        say_text(d, &s, say_at(a, one, "fallback"));
    if (s.out.n > 0)
        say_foot(&s, one);
    return say_end(&s);
}

static void say_attachment(const struct dialect *d, struct say *s, struct webhook_post *post, const json_t *one)
{
    static const char *const images[] = {"image_url", "thumb_url", NULL};
    struct str text = attachment_text(d, post, one);
    say_text(d, s, say_at(d->r->a, one, "pretext"));
    say_break(s);
    if (text.n > 0) {
        const char *mark = mark_of(say_at(d->r->a, one, "color"));
        say_raw(s, mark);
        if (*mark != '\0' && (*text.p == '>' || str_starts(text, STR("```")))) // a block begins its line
            say_raw(s, "\n");
        say_styled(s, text);
        say_raw(s, "\n");
    }
    reading_file_url(d->r, post, say_any(d->r->a, one, images), STR_NONE, STR_NONE);
}

static void say_attachments(const struct dialect *d, struct say *s, struct webhook_post *post, const json_t *list)
{
    json_t *one;
    size_t i;
    json_array_foreach(list, i, one)
    {
        if (i >= SAY_ITEMS) {
            say_more(s, json_array_size(list) - i);
            return;
        }
        if (json_is_string(one))
            say_text(d, s, say_at(d->r->a, one, ""));
        else
            say_attachment(d, s, post, one);
    }
}

/* The message */

static void wishes(struct reading *r, struct webhook_post *post)
{
    struct str thread = say_at(r->a, r->json, "thread_ts");
    reading_nick(r, post, say_at(r->a, r->json, "username"));
    reading_avatar(r, post, say_at(r->a, r->json, "icon_url"));
    reading_to(r, post, say_at(r->a, r->json, "channel"));
    post->thread = arena_dup(r->a, styling_clean(r->a, say_oneline(r->a, thread, 128)));
}

// Blocks stand in place of the text, which is then what notifications show.
static void say_message(const struct dialect *d, struct say *s, struct webhook_post *post)
{
    struct reading *r = d->r;
    webhook_slack_blocks(r, s, post, json_object_get(r->json, "blocks"));
    if (s->out.n == 0)
        say_text(d, s, say_at(r->a, r->json, "text"));
    say_attachments(d, s, post, json_object_get(r->json, "attachments"));
    if (d->markdown) {
        say_attachments(d, s, post, say_get(r->json, "props.attachments"));
        say_text(d, s, say_at(r->a, r->json, "props.card"));
    }
}

// Form fields in place of JSON: text=...&username=...
static bool payload_ready(struct reading *r)
{
    if (!r->json && http_form_get(r->fields, r->field_count, "text").p)
        r->json = json_incref(reading_context(r));
    if (json_is_object(r->json))
        return true;
    reading_fail(r, 400, "invalid_payload", "", "no JSON object, and no form with \"payload\" or \"text\"");
    return false;
}

// None, or as where only the server's name can be set: hooks/KEY (Mattermost), services/T/B/X (Slack).
static bool good_path(const struct reading *r, bool markdown)
{
    if (r->segment_count == 0)
        return true;
    return markdown ? r->segment_count == 2 && str_eq_c(r->segments[0], "hooks")
                    : r->segment_count == 4 && str_eq_c(r->segments[0], "services");
}

static void read_message(struct reading *r, bool markdown)
{
    struct webhook_post *post;
    struct say s;
    if (!good_path(r, markdown)) {
        reading_fail(r, 404, "no_service", "", "no such path behind the hook's");
        return;
    }
    if (!payload_ready(r))
        return;
    struct dialect d = {.r = r, .markdown = markdown, .plain = json_is_false(json_object_get(r->json, "mrkdwn"))};
    post = reading_post(r);
    say_begin(&s, r->a);
    say_message(&d, &s, post);
    struct str text = say_end(&s);
    wishes(r, post);
    bool known = json_object_get(r->json, "text") || json_object_get(r->json, "blocks") ||
                 json_object_get(r->json, "attachments");
    if (str_empty(text) && post->file_count == 0 && (known || json_object_size(r->json) == 0)) {
        reading_fail(r, 400, "no_text", "/text", "No text specified.");
        return;
    }
    reading_body(r, post, r->json, text);
    reading_key(r, post, STR_NONE, false);
}

void webhook_read_slack(struct reading *r)
{
    read_message(r, false);
}

void webhook_read_mattermost(struct reading *r)
{
    read_message(r, true);
}
