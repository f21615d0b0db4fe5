/* Text and forms: what `curl -d` and scripts send. */
#include "adapters/webhook/webhook_profile_private.h"

#include "base/utf8.h"
#include "text/markdown.h"

void webhook_read_text(struct reading *r)
{
    struct str body = str_trim(utf8_cut(r->body, WEBHOOK_PAYLOAD_MAX)), text;
    struct arena *a = r->a;
    if (str_empty(body)) {
        reading_fail(r, 422, "no_text", "", "the body is empty: nothing to say");
        return;
    }
    if (str_eq_c(r->type.type, "text/markdown"))
        text = markdown_styled(a, body, NULL, NULL);
    else if (r->settings->plain)
        text = styling_escape(a, styling_clean(a, body));
    else
        text = styling_clean(a, body);
    text = str_trim(styling_cut(a, arena_dup(a, text), WEBHOOK_TEXT_MAX));
    if (str_empty(text)) {
        reading_fail(r, 422, "no_text", "", "the body has nothing that can be shown");
        return;
    }
    struct webhook_post *post = reading_post(r);
    reading_body(r, post, reading_context(r), text);
}

static bool is_body_name(struct str name)
{
    static const char *const names[] = {"body", "message", "msg", "text"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (str_case_eq(name, str_c(names[i])))
            return true;
    return false;
}

static void say_field(struct say *s, const struct http_pair *f)
{
    bool lines = str_find(str_trim(f->value), '\n') >= 0;
    say_bold(s, arena_printf(s->a, STR_FMT ":", STR_ARG(say_oneline(s->a, f->name, 60))));
    if (lines) {
        say_quote(s, f->value);
        return;
    }
    say_raw(s, " ");
    say_value(s, str_trim(f->value));
    say_raw(s, "\n");
}

// A text first, then the others, a line each.
static void say_fields(struct say *s, const struct http_pair *fields, size_t n)
{
    size_t shown = 0, more = 0;
    for (size_t i = 0; i < n; i++)
        if (is_body_name(fields[i].name) && !str_empty(str_trim(fields[i].value))) {
            say_value(s, str_trim(fields[i].value));
            say_break(s);
        }
    for (size_t i = 0; i < n; i++) {
        if (is_body_name(fields[i].name) || str_empty(str_trim(fields[i].value)))
            continue;
        if (shown++ < SAY_ITEMS)
            say_field(s, &fields[i]);
        else
            more++;
    }
    say_more(s, more);
}

void webhook_read_form(struct reading *r)
{
    struct webhook_post files = {0};
    struct say s;
    if (r->json) {
        reading_generic(r);
        return;
    }
    reading_files(r, &files);
    if (r->field_count == 0 && files.file_count == 0) {
        webhook_read_text(r);
        return;
    }
    say_begin(&s, r->a);
    say_fields(&s, r->fields, r->field_count);
    struct str text = say_end(&s);
    if (str_empty(text) && files.file_count == 0) {
        reading_fail(r, 422, "no_text", "", "every field is empty: nothing to say");
        return;
    }
    struct webhook_post *post = reading_post(r);
    post->files = files.files;
    post->file_count = files.file_count;
    reading_body(r, post, reading_context(r), text);
}
