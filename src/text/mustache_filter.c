/* The filters of templates. Each reads at most `max` bytes of its value. */
#include "base/clock.h"
#include "base/utf8.h"
#include "text/json.h"
#include "text/mustache_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

bool filter_is_value(const json_t *json)
{
    if (!json || json_is_null(json) || json_is_false(json))
        return false;
    if (json_is_string(json))
        return json_string_length(json) != 0;
    return !json_is_array(json) || json_array_size(json) != 0;
}

// Fails as soon as the buffer is full, which ends the writing.
static int dump_more(const char *bytes, size_t n, void *to)
{
    struct strbuf *b = to;
    if (strbuf_add(b, bytes, n))
        return 0;
    (void)strbuf_str(b, utf8_cut((struct str){bytes, n}, b->max - b->n));
    return -1;
}

static struct str dump(struct arena *a, const json_t *json, size_t max)
{
    struct strbuf b;
    strbuf_init(&b, max);
    (void)json_dump_callback(json, dump_more, &b, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    struct str text = arena_dup(a, strbuf_view(&b));
    strbuf_finish(&b);
    return text;
}

struct str filter_text(struct arena *a, struct filter_value *v, size_t max)
{
    struct str text = v->text;
    if (!v->is_text && json_is_string(v->json))
        text = (struct str){json_string_value(v->json), json_string_length(v->json)};
    else if (!v->is_text)
        text = json_is_array(v->json) || json_is_object(v->json) ? dump(a, v->json, max) : json_text(a, v->json);
    text = utf8_cut(text, max);
    v->work += text.n;
    return text;
}

static void set_text(struct filter_value *v, struct str text)
{
    v->text = text;
    v->is_text = true;
}

static struct str map_ascii(struct arena *a, struct str s, char first, char last)
{
    char *p = arena_alloc(a, s.n + 1);
    for (size_t i = 0; i < s.n; i++)
        p[i] = s.p[i] >= first && s.p[i] <= last ? (char)(s.p[i] ^ 0x20) : s.p[i];
    p[s.n] = '\0';
    return (struct str){p, s.n};
}

static void apply_upper(struct arena *a, const struct filter_use *use, size_t max, struct filter_value *v)
{
    (void)use;
    set_text(v, map_ascii(a, filter_text(a, v, max), 'a', 'z'));
}

static void apply_lower(struct arena *a, const struct filter_use *use, size_t max, struct filter_value *v)
{
    (void)use;
    set_text(v, map_ascii(a, filter_text(a, v, max), 'A', 'Z'));
}

static void apply_trim(struct arena *a, const struct filter_use *use, size_t max, struct filter_value *v)
{
    (void)use;
    set_text(v, str_trim(filter_text(a, v, max)));
}

static void apply_line(struct arena *a, const struct filter_use *use, size_t max, struct filter_value *v)
{
    struct str rest = filter_text(a, v, max), word;
    char *p = arena_alloc(a, rest.n + 1);
    size_t n = 0;
    (void)use;
    while (str_word(&rest, &word)) {
        if (n)
            p[n++] = ' ';
        memcpy(p + n, word.p, word.n);
        n += word.n;
    }
    p[n] = '\0';
    set_text(v, (struct str){p, n});
}

static void apply_default(struct arena *a, const struct filter_use *use, size_t max, struct filter_value *v)
{
    (void)a;
    (void)max;
    if (v->is_text ? v->text.n == 0 : !filter_is_value(v->json))
        set_text(v, use->text);
}

// The first `count` characters, all of them when there are no more.
static struct str first_characters(struct str s, uint64_t count)
{
    size_t at = 0;
    while (at < s.n && count-- > 0)
        (void)utf8_next(s, &at);
    return str_sub(s, 0, at);
}

static void apply_truncate(struct arena *a, const struct filter_use *use, size_t max, struct filter_value *v)
{
    struct str s = filter_text(a, v, max);
    if (first_characters(s, use->number).n < s.n)
        s = arena_concat(a, (const struct str[]){first_characters(s, use->number - 1), STR("…")}, 2);
    set_text(v, s);
}

static void apply_short(struct arena *a, const struct filter_use *use, size_t max, struct filter_value *v)
{
    set_text(v, first_characters(filter_text(a, v, max), use->number));
}

// RFC 3339, or seconds since 1970 (milliseconds where seconds would lie behind the year 5138).
static bool read_time(struct arena *a, struct filter_value *v, int64_t *wall)
{
    static const double latest = 253402300799e3; // the year 9999
    double number;
    struct str text = str_trim(filter_text(a, v, STR_REAL_MAX));
    if (clock_parse(text, wall))
        return true;
    if (!str_to_double(text, &number) || number < -latest || number > latest)
        return false;
    number = number > 1e11 || number < -1e11 ? number : number * 1000;
    *wall = (int64_t)number;
    return true;
}

static void apply_date(struct arena *a, const struct filter_use *use, size_t max, struct filter_value *v)
{
    int64_t wall;
    char text[CLOCK_TEXT];
    if (!read_time(a, v, &wall)) {
        set_text(v, filter_text(a, v, max));
        return;
    }
    struct str iso = clock_put(text, wall);
    ptrdiff_t t = str_find(iso, 'T');
    struct str day = str_sub(iso, 0, (size_t)t), clock = str_sub(iso, (size_t)t + 1, (size_t)t + 9);
    if (str_eq(use->text, STR("iso")))
        set_text(v, arena_dup(a, iso));
    else if (str_eq(use->text, STR("day")))
        set_text(v, arena_dup(a, day));
    else if (str_eq(use->text, STR("time")))
        set_text(v, arena_dup(a, clock));
    else
        set_text(v, arena_concat(a, (const struct str[]){day, STR(" "), str_sub(clock, 0, 5), STR(" UTC")}, 4));
}

static void apply_json(struct arena *a, const struct filter_use *use, size_t max, struct filter_value *v)
{
    (void)use;
    if (!v->is_text && !v->json) {
        set_text(v, STR("null"));
    } else if (!v->is_text) {
        set_text(v, dump(a, v->json, max));
        v->work += v->text.n;
    } else {
        struct strbuf b;
        strbuf_init(&b, max);
        (void)json_write_str(&b, utf8_repair(a, v->text));
        set_text(v, arena_dup(a, strbuf_view(&b)));
        strbuf_finish(&b);
    }
}

static void apply_urlencode(struct arena *a, const struct filter_use *use, size_t max, struct filter_value *v)
{
    static const char hex[] = "0123456789ABCDEF";
    struct str s = filter_text(a, v, max);
    char *p = arena_alloc(a, 3 * s.n + 1);
    size_t n = 0;
    (void)use;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool letter = ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c >= '0' && c <= '9');
        if (letter || (c != '\0' && strchr("-._~", c))) {
            p[n++] = (char)c;
            continue;
        }
        p[n++] = '%';
        p[n++] = hex[c >> 4];
        p[n++] = hex[c & 15];
    }
    p[n] = '\0';
    set_text(v, (struct str){p, n});
}

static void apply_count(struct arena *a, const struct filter_use *use, size_t max, struct filter_value *v)
{
    size_t n = 0;
    (void)use;
    if (!v->is_text && json_is_array(v->json))
        n = json_array_size(v->json);
    else if (!v->is_text && json_is_object(v->json))
        n = json_object_size(v->json);
    else
        n = utf8_length(filter_text(a, v, max));
    set_text(v, arena_printf(a, "%zu", n));
}

static void apply_pairs(struct arena *a, const struct filter_use *use, size_t max, struct filter_value *v)
{
    struct strbuf b;
    const char *key;
    json_t *value;
    (void)use;
    if (v->is_text || !json_is_object(v->json))
        return;
    strbuf_init(&b, max);
    json_object_foreach(v->json, key, value)
    {
        struct filter_value one = {.json = value};
        v->work++;
        if (b.n > 0)
            (void)strbuf_c(&b, ", ");
        if (!strbuf_c(&b, key) || !strbuf_char(&b, '=') || !strbuf_str(&b, filter_text(a, &one, max)))
            break;
    }
    set_text(v, arena_dup(a, strbuf_view(&b)));
    v->work += b.n;
    strbuf_finish(&b);
}

static void apply_code(struct arena *a, const struct filter_use *use, size_t max, struct filter_value *v)
{
    (void)a;
    (void)use;
    (void)max;
    v->style = STYLE_CODE;
}

static void apply_quote(struct arena *a, const struct filter_use *use, size_t max, struct filter_value *v)
{
    (void)a;
    (void)use;
    (void)max;
    v->style = STYLE_QUOTE;
}

// Sorted by name.
static const struct filter filters[] = {
    {"code", ARGUMENT_NONE, 0, apply_code},   {"count", ARGUMENT_NONE, 0, apply_count},
    {"date", ARGUMENT_FORM, 0, apply_date},   {"default", ARGUMENT_TEXT, 0, apply_default},
    {"json", ARGUMENT_NONE, 0, apply_json},   {"line", ARGUMENT_NONE, 0, apply_line},
    {"lower", ARGUMENT_NONE, 0, apply_lower}, {"pairs", ARGUMENT_NONE, 0, apply_pairs},
    {"quote", ARGUMENT_NONE, 0, apply_quote}, {"short", ARGUMENT_NUMBER_MAY, 7, apply_short},
    {"trim", ARGUMENT_NONE, 0, apply_trim},   {"truncate", ARGUMENT_NUMBER, 0, apply_truncate},
    {"upper", ARGUMENT_NONE, 0, apply_upper}, {"urlencode", ARGUMENT_NONE, 0, apply_urlencode},
};
enum { FILTERS = sizeof filters / sizeof filters[0] };

static int compare_name(const void *key, const void *filter)
{
    return str_cmp(*(const struct str *)key, str_c(((const struct filter *)filter)->name));
}

const struct filter *filter_find(struct str name)
{
    return bsearch(&name, filters, FILTERS, sizeof *filters, compare_name);
}

struct str filter_names(struct arena *a)
{
    struct str all = STR_NONE;
    for (size_t i = 0; i < FILTERS; i++)
        all = arena_concat(a, (const struct str[]){all, i ? STR(", ") : STR_NONE, str_c(filters[i].name)}, 3);
    return all;
}

const char *filter_argument_read(struct filter_use *use, bool given, struct str text)
{
    enum filter_argument kind = use->filter->argument;
    use->text = text;
    use->number = use->filter->number;
    if (kind == ARGUMENT_NONE)
        return given ? "the filter takes no argument: " : NULL;
    if (kind == ARGUMENT_TEXT)
        return given ? NULL : "the filter needs an argument behind \":\": ";
    if (kind == ARGUMENT_FORM)
        return !given || str_eq_c(text, "iso") || str_eq_c(text, "day") || str_eq_c(text, "time")
                   ? NULL
                   : "the form of a date is iso, day or time: ";
    if (!given && kind == ARGUMENT_NUMBER_MAY)
        return NULL;
    return str_to_u64(text, &use->number) && use->number > 0 ? NULL : "the filter needs a number from 1: ";
}
