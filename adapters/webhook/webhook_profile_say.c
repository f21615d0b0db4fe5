#include "adapters/webhook/webhook_profile_say.h"

#include "adapters/webhook/webhook_profile.h"

#include "base/utf8.h"

enum {
    OUT_MAX = WEBHOOK_TEXT_MAX + 8192, // so that what is cut is cut once, at the end
    JSON_SHOWN = 1500,                 // bytes
    URL_MAX = 2048,
};

void say_begin(struct say *s, struct arena *a)
{
    *s = (struct say){.a = a};
    strbuf_init(&s->out, OUT_MAX);
}

static struct str trim_lines(struct str text)
{
    while (text.n > 0 && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == ' '))
        text.n--;
    while (text.n > 0 && *text.p == '\n')
        text = str_sub(text, 1, text.n);
    return text;
}

struct str say_end(struct say *s)
{
    struct str text = arena_dup(s->a, trim_lines(strbuf_view(&s->out)));
    if (s->out.full && text.n <= WEBHOOK_TEXT_MAX)
        text = arena_printf(s->a, STR_FMT " […]", STR_ARG(utf8_cut(text, WEBHOOK_TEXT_MAX - sizeof(" […]"))));
    strbuf_finish(&s->out);
    return styling_cut(s->a, text, WEBHOOK_TEXT_MAX);
}

void say_raw(struct say *s, const char *text)
{
    (void)strbuf_c(&s->out, text);
}

// What there is room for, so that a text that is too long has at least its beginning said.
static struct str fitting(struct say *s, struct str text)
{
    size_t room = s->out.max - s->out.n;
    if (text.n <= room)
        return text;
    s->out.full = true;
    return utf8_cut(text, room);
}

void say_styled(struct say *s, struct str text)
{
    (void)strbuf_str(&s->out, fitting(s, text));
}

void say_value(struct say *s, struct str value)
{
    (void)styling_value(&s->styling, &s->out, fitting(s, value));
}

struct str say_oneline(struct arena *a, struct str text, size_t max)
{
    struct str all = str_trim(text), part = utf8_cut(all, 4 * max + 64), word;
    bool cut = part.n < all.n;
    part = styling_clean(a, part);
    struct strbuf out;
    strbuf_init(&out, part.n + 1);
    while (str_word(&part, &word)) {
        if (out.n > 0)
            (void)strbuf_char(&out, ' ');
        (void)strbuf_str(&out, word);
    }
    struct str line = strbuf_view(&out);
    size_t at = 0, n = 0;
    while (at < line.n && n < max) {
        (void)utf8_next(line, &at);
        n++;
    }
    cut = cut || at < line.n;
    line = cut ? arena_printf(a, STR_FMT "…", STR_ARG(str_sub(line, 0, at))) : arena_dup(a, line);
    strbuf_finish(&out);
    return line;
}

void say_line(struct say *s, struct str value, size_t max)
{
    say_value(s, say_oneline(s->a, value, max));
}

void say_bold(struct say *s, struct str value)
{
    struct str line = say_oneline(s->a, value, SAY_TITLE);
    if (str_empty(line))
        return;
    if (str_find(line, '*') >= 0) { // it would end the span
        say_value(s, line);
        return;
    }
    say_raw(s, "*");
    say_value(s, line);
    say_raw(s, "*");
}

void say_code(struct say *s, struct str value)
{
    struct str line = say_oneline(s->a, value, SAY_TITLE);
    if (str_empty(line))
        return;
    if (str_find(line, '`') >= 0)
        say_value(s, line);
    else
        (void)styling_code(&s->styling, &s->out, line);
}

struct str say_cut(struct arena *a, struct str text, size_t max)
{
    struct str part = utf8_cut(text, 4 * max);
    size_t at = 0;
    for (size_t n = 0; at < part.n && n < max; n++)
        (void)utf8_next(part, &at);
    return at < text.n ? arena_printf(a, STR_FMT " […]", STR_ARG(str_sub(part, 0, at))) : text;
}

void say_quote(struct say *s, struct str text)
{
    text = str_trim(text);
    if (str_empty(text))
        return;
    say_break(s);
    (void)styling_quote(&s->styling, &s->out, say_cut(s->a, text, SAY_QUOTE));
}

void say_quote_styled(struct say *s, struct str text)
{
    struct str line;
    say_break(s);
    for (text = trim_lines(text); text.n > 0;) {
        (void)str_cut(text, '\n', &line, &text);
        say_raw(s, "> ");
        say_styled(s, line);
        say_raw(s, "\n");
    }
}

bool say_url_good(struct str url)
{
    if (url.n > URL_MAX ||
        !(str_case_eq(str_sub(url, 0, 7), STR("http://")) || str_case_eq(str_sub(url, 0, 8), STR("https://"))))
        return false;
    for (size_t i = 0; i < url.n; i++) {
        unsigned char c = (unsigned char)url.p[i];
        if (c <= ' ' || c == 0x7f || c == '<' || c == '>' || c == '"')
            return false;
    }
    return utf8_xml_valid(url);
}

void say_link(struct say *s, struct str url)
{
    if (!say_url_good(url))
        return;
    say_raw(s, s->out.n > 0 && s->out.p[s->out.n - 1] != '\n' ? " <" : "<");
    say_value(s, url);
    say_raw(s, ">");
}

void say_break(struct say *s)
{
    if (s->out.n > 0 && s->out.p[s->out.n - 1] != '\n')
        say_raw(s, "\n");
}

void say_more(struct say *s, size_t more)
{
    if (more == 0)
        return;
    say_break(s);
    (void)strbuf_printf(&s->out, "... and %zu more\n", more);
}

void say_count(struct say *s, size_t n, const char *noun)
{
    (void)strbuf_printf(&s->out, "%zu %s%s", n, noun, n == 1 ? "" : "s");
}

/* JSON */

struct str say_at(struct arena *a, const json_t *value, const char *path)
{
    const json_t *v = say_get(value, path);
    if (json_is_string(v))
        return (struct str){json_string_value(v), json_string_length(v)};
    return json_is_number(v) || json_is_boolean(v) ? json_text(a, v) : STR_NONE;
}

struct str say_any(struct arena *a, const json_t *value, const char *const *paths)
{
    struct str text = STR_NONE;
    for (; *paths && str_empty(text); paths++)
        text = say_at(a, value, *paths);
    return text;
}

json_t *say_get(const json_t *value, const char *path)
{
    return json_at((json_t *)(uintptr_t)value, str_c(path));
}

// Ends the dump when the buffer is full.
static int dump_some(const char *bytes, size_t n, void *ud)
{
    struct strbuf *b = ud;
    size_t room = b->max - b->n;
    (void)strbuf_add(b, bytes, n < room ? n : room);
    return n < room ? 0 : -1;
}

static void say_dump(struct say *s, const json_t *value)
{
    struct strbuf text;
    strbuf_init(&text, JSON_SHOWN);
    int whole = json_dump_callback(value, dump_some, &text, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    say_break(s);
    struct str shown = utf8_cut(strbuf_view(&text), text.n);
    if (whole != 0)
        shown = arena_printf(s->a, STR_FMT "\n[…]", STR_ARG(shown));
    (void)styling_block(&s->styling, &s->out, STR_NONE, shown);
    strbuf_finish(&text);
}

void say_json(struct say *s, const json_t *value)
{
    static const char *const titles[] = {"title", "subject", "summary", "name", NULL};
    static const char *const texts[] = {"body", "text", "message", "description", "msg", "content", "log", NULL};
    static const char *const urls[] = {"url", "link", "html_url", "web_url", NULL};
    struct str title = say_any(s->a, value, titles), text = say_any(s->a, value, texts);

    if (json_is_string(value) || json_is_number(value) || json_is_boolean(value)) {
        say_value(s, json_text(s->a, value));
        return;
    }
    if (str_empty(str_trim(text))) {
        say_bold(s, title);
        say_dump(s, value);
        return;
    }
    say_bold(s, title);
    say_break(s);
    say_value(s, str_trim(text));
    struct str url = say_any(s->a, value, urls);
    if (say_url_good(url)) {
        say_break(s);
        say_link(s, url);
    }
}
