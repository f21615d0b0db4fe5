/* The one piece of state that the whole process shares: where lines go, the levels, and what was said lately. A mutex
 * guards all but the levels, which are atomics so that a call that is not enabled costs one load. */
#include "base/log.h"

#include "base/clock.h"
#include "base/strbuf.h"
#include "base/utf8.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum {
    LINE_MAX_BYTES = 16 * 1024,
    VALUE_MAX = 2048, // bytes of one value; longer ones are cut
    REPEAT_SETS = 64,
    REPEAT_WAYS = 4,
};

// How often one context said one message in the present window.
struct repeat {
    const struct log_ctx *ctx;
    const char *msg; // the literal's address
    int64_t since;   // monotonic ms of the window's first line
    unsigned said, held;
};

static struct {
    pthread_mutex_t lock;
    int fd;
    void (*sink)(void *ud, struct str line);
    void *ud;
    int64_t (*mono)(void);
    enum log_format format;
    struct strbuf line;
    struct repeat repeats[REPEAT_SETS][REPEAT_WAYS];
} out = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = STDERR_FILENO, .mono = clock_mono, .line = {.max = LINE_MAX_BYTES}};

#define LEVEL_INIT(name) LOG_INFO,
static atomic_uint levels[LOG_SUB_COUNT] = {LOG_SUBSYSTEMS(LEVEL_INIT)};
#undef LEVEL_INIT

static const char *const level_names[LOG_LEVELS] = {"error", "warn", "info", "debug", "trace"};

#define SUB_NAME(name) #name,
static const char *const sub_names[LOG_SUB_COUNT] = {LOG_SUBSYSTEMS(SUB_NAME)};
#undef SUB_NAME

static enum log_subsystem sub_of(const struct log_ctx *ctx)
{
    return ctx ? ctx->sub : LOG_SUB_app;
}

bool log_enabled(enum log_level level, const struct log_ctx *ctx)
{
    return level <= atomic_load_explicit(&levels[sub_of(ctx)], memory_order_relaxed);
}

/* Writing a line */

static bool breaks_line(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c <= 0x9F) || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) ||
           c == 0x200E || c == 0x200F || c == 0xFFFE || c == 0xFFFF; // the last two: no characters of XML
}

static void put_char(struct strbuf *b, uint32_t c)
{
    static const char plain[] = "\"\\\n\r\t", escaped[] = "\"\\nrt";
    char unit[4];
    const char *hit = c != 0 && c < 0x80 ? strchr(plain, (int)c) : NULL;
    if (hit) {
        (void)strbuf_char(b, '\\');
        (void)strbuf_char(b, escaped[hit - plain]);
    } else if (breaks_line(c)) {
        (void)strbuf_printf(b, "\\u%04x", (unsigned)c);
    } else {
        (void)strbuf_add(b, unit, utf8_put(unit, c == UINT32_MAX ? 0xFFFD : c));
    }
}

// In quotes, with the escapes of RFC 8259: the same in both formats.
static void put_quoted(struct strbuf *b, struct str s)
{
    struct str head = utf8_cut(s, VALUE_MAX);
    (void)strbuf_char(b, '"');
    for (size_t at = 0; at < head.n;)
        put_char(b, utf8_next(head, &at));
    if (head.n < s.n)
        (void)strbuf_c(b, "…");
    (void)strbuf_char(b, '"');
}

// A logfmt value that needs no quotes.
static bool is_bare(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '"' || s.p[i] == '=' || s.p[i] == '\\')
            return false;
    return s.n != 0 && s.n <= VALUE_MAX;
}

static void put_key(struct strbuf *b, const char *key, const char *suffix)
{
    if (out.format == LOG_FORMAT_JSON)
        (void)strbuf_printf(b, "%s\"%s%s\":", b->n > 1 ? "," : "", key, suffix);
    else
        (void)strbuf_printf(b, "%s%s%s=", b->n > 0 ? " " : "", key, suffix);
}

static void put_str(struct strbuf *b, const char *key, struct str s)
{
    put_key(b, key, "");
    if (out.format == LOG_FORMAT_LOGFMT && is_bare(s))
        (void)strbuf_str(b, s);
    else
        put_quoted(b, s);
}

static void put_int(struct strbuf *b, const char *key, const char *suffix, int64_t v)
{
    put_key(b, key, suffix);
    (void)strbuf_i64(b, v);
}

static void put_real(struct strbuf *b, const char *key, double v)
{
    put_key(b, key, "");
    if (isfinite(v))
        (void)strbuf_printf(b, "%.6g", v);
    else
        (void)strbuf_c(b, "null");
}

static void put_field(struct strbuf *b, const struct log_ctx *ctx, const struct log_field *f)
{
    switch (f->type) {
    case LOG_TYPE_END:
        break;
    case LOG_TYPE_MSG:
    case LOG_TYPE_STR:
        put_str(b, f->key, f->s);
        break;
    case LOG_TYPE_INT:
        put_int(b, f->key, "", f->i);
        break;
    case LOG_TYPE_REAL:
        put_real(b, f->key, f->d);
        break;
    case LOG_TYPE_BODY:
        if (log_enabled(LOG_TRACE, ctx))
            put_str(b, f->key, f->s);
        else
            put_int(b, f->key, "_bytes", (int64_t)f->s.n);
        break;
    }
}

static void put_ctx(struct strbuf *b, const struct log_ctx *ctx)
{
    if (!ctx)
        return;
    put_ctx(b, ctx->parent);
    if (ctx->key)
        put_str(b, ctx->key, str_c(ctx->value));
}

static void put_line(struct strbuf *b, enum log_level level, const struct log_ctx *ctx, const struct log_field *fields,
                     unsigned held)
{
    char ts[CLOCK_TEXT];
    bool json = out.format == LOG_FORMAT_JSON;
    if (json)
        (void)strbuf_char(b, '{');
    put_str(b, "ts", clock_put(ts, clock_wall()));
    put_str(b, "level", str_c(level_names[level]));
    put_str(b, "sub", str_c(sub_names[sub_of(ctx)]));
    put_ctx(b, ctx);
    for (const struct log_field *f = fields; f->type != LOG_TYPE_END; f++) {
        size_t before = b->n;
        put_field(b, ctx, f);
        if (b->full || b->n > LINE_MAX_BYTES - 64) // leave out the field that does not fit, keep the line's end
            strbuf_truncate(b, before);
    }
    if (held != 0)
        put_int(b, "held_back", "", held);
    (void)strbuf_c(b, json ? "}\n" : "\n");
}

static void write_all(int fd, struct str s)
{
    while (s.n > 0) {
        ssize_t n = write(fd, s.p, s.n);
        if (n < 0 && errno != EINTR)
            return; // nobody is left to tell
        s = str_sub(s, n > 0 ? (size_t)n : 0, s.n);
    }
}

/* Holding back what is said again and again */

static const char *message_of(const struct log_field *fields)
{
    while (fields->type != LOG_TYPE_END && fields->type != LOG_TYPE_MSG)
        fields++;
    return fields->s.p;
}

// The entry of a message; the one of its set that began longest ago makes room for a new one.
static struct repeat *repeat_find(const struct log_ctx *ctx, const char *msg)
{
    uint64_t mix = ((uint64_t)(uintptr_t)ctx * 31 + (uint64_t)(uintptr_t)msg) * UINT64_C(0x9e3779b97f4a7c15);
    struct repeat *set = out.repeats[mix >> 32 & (REPEAT_SETS - 1)], *oldest = set;
    for (size_t i = 0; i < REPEAT_WAYS; i++) {
        if (set[i].ctx == ctx && set[i].msg == msg)
            return &set[i];
        if (set[i].since < oldest->since)
            oldest = &set[i];
    }
    *oldest = (struct repeat){.ctx = ctx, .msg = msg};
    return oldest;
}

// True when the line is to be written; *held gets how many were not since the last one.
static bool repeat_allows(const struct log_ctx *ctx, const char *msg, unsigned *held)
{
    int64_t now = out.mono();
    struct repeat *r = repeat_find(ctx, msg);
    if (r->said == 0 || now - r->since >= LOG_WINDOW * INT64_C(1000)) {
        *held = r->held;
        *r = (struct repeat){.ctx = ctx, .msg = msg, .since = now, .said = 1};
        return true;
    }
    if (r->said < LOG_BURST) {
        r->said++;
        return true;
    }
    r->held++;
    return false;
}

void log_emit(enum log_level level, const struct log_ctx *ctx, const struct log_field *fields)
{
    unsigned held = 0;
    const char *msg = message_of(fields);
    (void)pthread_mutex_lock(&out.lock);
    if (level >= LOG_DEBUG || !msg || repeat_allows(ctx, msg, &held)) {
        strbuf_clear(&out.line);
        put_line(&out.line, level, ctx, fields, held);
        if (out.sink)
            out.sink(out.ud, strbuf_view(&out.line));
        else
            write_all(out.fd, strbuf_view(&out.line));
    }
    (void)pthread_mutex_unlock(&out.lock);
}

/* Settings */

void log_to_fd(int fd)
{
    (void)pthread_mutex_lock(&out.lock);
    out.fd = fd;
    out.sink = NULL;
    strbuf_shrink(&out.line, 0);
    (void)pthread_mutex_unlock(&out.lock);
}

void log_to_sink(void (*sink)(void *ud, struct str line), void *ud)
{
    (void)pthread_mutex_lock(&out.lock);
    out.sink = sink;
    out.ud = ud;
    (void)pthread_mutex_unlock(&out.lock);
}

void log_set_format(enum log_format f)
{
    (void)pthread_mutex_lock(&out.lock);
    out.format = f;
    (void)pthread_mutex_unlock(&out.lock);
}

void log_set_clock(int64_t (*mono)(void))
{
    (void)pthread_mutex_lock(&out.lock);
    out.mono = mono ? mono : clock_mono;
    (void)pthread_mutex_unlock(&out.lock);
}

void log_set_level(enum log_level all)
{
    for (unsigned i = 0; i < LOG_SUB_COUNT; i++)
        log_set_sub_level((enum log_subsystem)i, all);
}

void log_set_sub_level(enum log_subsystem sub, enum log_level l)
{
    atomic_store_explicit(&levels[sub], l, memory_order_relaxed);
}

static bool parse_name(struct str s, const char *const *names, unsigned count, unsigned *out_index)
{
    for (unsigned i = 0; i < count; i++) {
        if (str_eq_c(s, names[i])) {
            *out_index = i;
            return true;
        }
    }
    return false;
}

bool log_level_parse(struct str s, enum log_level *l)
{
    unsigned i;
    bool ok = parse_name(s, level_names, LOG_LEVELS, &i);
    if (ok)
        *l = (enum log_level)i;
    return ok;
}

bool log_sub_parse(struct str s, enum log_subsystem *sub)
{
    unsigned i;
    bool ok = parse_name(s, sub_names, LOG_SUB_COUNT, &i);
    if (ok)
        *sub = (enum log_subsystem)i;
    return ok;
}

const char *log_level_name(enum log_level l)
{
    return level_names[l];
}
