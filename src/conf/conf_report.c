/* Messages are kept with their place and written out when the text is asked for: by then every secret in the source is
 * hidden. */
#include "conf/conf_value.h"

#include <stdlib.h>

enum { TEXT_MAX = 1 << 18, SHOWN_MAX = 50 };

struct message {
    bool error;
    size_t number; // order of arrival
    struct conf_source *source;
    struct conf_place place;
    struct str text;
};

struct conf_report {
    struct arena arena;
    struct message *messages; // owned; at most SHOWN_MAX are kept
    size_t kept;
    size_t errors, warnings;
    struct strbuf *text; // owned
};

struct conf_report *conf_report_create(void)
{
    struct conf_report *r = MEM_NEW(struct conf_report);
    arena_init(&r->arena, 0);
    r->messages = mem_zalloc(SHOWN_MAX, sizeof *r->messages);
    r->text = MEM_NEW(struct strbuf);
    strbuf_init(r->text, TEXT_MAX);
    return r;
}

void conf_report_destroy(struct conf_report *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->kept; i++)
        conf_source_unref(r->messages[i].source);
    mem_free(r->messages);
    strbuf_finish(r->text);
    mem_free(r->text);
    arena_finish(&r->arena);
    mem_free(r);
}

__attribute__((format(printf, 5, 0))) static void report_vadd(struct conf_report *r, bool error, struct conf_source *s,
                                                              struct conf_place place, const char *fmt, va_list ap)
{
    size_t *count = error ? &r->errors : &r->warnings;
    ++*count;
    if (r->kept == SHOWN_MAX)
        return;
    r->messages[r->kept] = (struct message){
        .error = error,
        .number = r->kept,
        .source = conf_source_ref(s),
        .place = place,
        .text = arena_vprintf(&r->arena, fmt, ap),
    };
    r->kept++;
}

void conf_report_add(struct conf_report *r, bool error, struct conf_source *s, struct conf_place place, const char *fmt,
                     ...)
{
    va_list ap;
    va_start(ap, fmt);
    report_vadd(r, error, s, place, fmt, ap);
    va_end(ap);
}

struct conf_place conf_report_key(const struct conf_value *v)
{
    return v->key.at == UINT32_MAX ? v->place : v->key;
}

// A map is pointed at by its name, a value by itself.
static struct conf_place value_place(const struct conf_value *v)
{
    return v->node == CONF_NODE_SCALAR ? v->place : conf_report_key(v);
}

void conf_fail(struct conf_report *r, const struct conf_value *at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    report_vadd(r, true, at->tree->source, value_place(at), fmt, ap);
    va_end(ap);
}

void conf_warn(struct conf_report *r, const struct conf_value *at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    report_vadd(r, false, at->tree->source, value_place(at), fmt, ap);
    va_end(ap);
}

size_t conf_errors(const struct conf_report *r)
{
    return r->errors;
}

size_t conf_warnings(const struct conf_report *r)
{
    return r->warnings;
}

const char *conf_nearest(struct str word, const char *const *words)
{
    const char *best = NULL;
    size_t limit = word.n < 4 ? 1 : word.n < 8 ? 2 : 3;
    for (size_t i = 0; words[i]; i++) {
        size_t d = str_distance(word, str_c(words[i]), limit);
        if (d <= limit) {
            best = words[i];
            if (d == 0)
                break;
            limit = d - 1;
        }
    }
    return best;
}

// What is about a file as a whole first, then by place.
static int compare(const void *left, const void *right)
{
    const struct message *a = left, *b = right;
    uint32_t x = a->place.at + 1, y = b->place.at + 1;
    if (x != y)
        return x < y ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

static void write_message(const struct message *m, struct strbuf *out)
{
    strbuf_c(out, m->source->name);
    if (m->place.at != UINT32_MAX) {
        size_t line, column;
        conf_source_locate(m->source, m->place.at, &line, &column);
        strbuf_printf(out, ":%zu:%zu", line, column);
    }
    strbuf_c(out, m->error ? ": error: " : ": warning: ");
    strbuf_str(out, m->text);
    strbuf_char(out, '\n');
    if (m->place.at != UINT32_MAX)
        conf_source_show(m->source, m->place, out);
}

struct str conf_report_text(const struct conf_report *r)
{
    struct strbuf *out = r->text;
    strbuf_clear(out);
    if (r->kept)
        qsort(r->messages, r->kept, sizeof *r->messages, compare);
    for (size_t i = 0; i < r->kept; i++)
        write_message(&r->messages[i], out);
    if (r->errors + r->warnings > r->kept)
        strbuf_printf(out, "... and %zu more\n", r->errors + r->warnings - r->kept);
    return strbuf_view(out);
}
