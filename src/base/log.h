/* Structured log: one line an event, logfmt or JSON, on a file descriptor.
 *
 *     log_info(&link->log, LOG_MSG("component link is up"), LOG_C("domain", d), LOG_INT("ms", took));
 *
 * Fields of the context and its parents come first. Bodies of messages go out only at LOG_TRACE; secrets never. The
 * same message from the same context is written at most LOG_BURST times in LOG_WINDOW seconds; how many were held back
 * is said by the next one (held_back). Debug and trace hold nothing back: who asks for them wants all. */
#ifndef SPANDREL_BASE_LOG_H
#define SPANDREL_BASE_LOG_H

#include "base/err.h"
#include "base/str.h"

enum { LOG_BURST = 10, LOG_WINDOW = 30 };

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_TRACE, LOG_LEVELS };

// The subsystems that can be given a level of their own.
#define LOG_SUBSYSTEMS(X)                                                                                              \
    X(app)                                                                                                             \
    X(conf)                                                                                                            \
    X(xmpp)                                                                                                            \
    X(core)                                                                                                            \
    X(net)                                                                                                             \
    X(store)                                                                                                           \
    X(mqtt)                                                                                                            \
    X(webhook)                                                                                                         \
    X(irc)                                                                                                             \
    X(null)

enum log_subsystem {
#define LOG_ENUM(name) LOG_SUB_##name,
    LOG_SUBSYSTEMS(LOG_ENUM) LOG_SUB_COUNT
#undef LOG_ENUM
};

enum log_type { LOG_TYPE_END, LOG_TYPE_MSG, LOG_TYPE_STR, LOG_TYPE_INT, LOG_TYPE_REAL, LOG_TYPE_BODY };

struct log_field {
    enum log_type type;
    const char *key;
    struct str s;
    int64_t i;
    double d;
};

// Who speaks: lives in its object; the parent must outlive it.
struct log_ctx {
    const struct log_ctx *parent; // NULL for the root
    enum log_subsystem sub;
    const char *key;   // "adapter", "component", ...; NULL adds no field
    const char *value; // borrowed C string
};

#define LOG_MSG(literal) ((struct log_field){LOG_TYPE_MSG, "msg", STR(literal), 0, 0})
#define LOG_S(k, str) ((struct log_field){LOG_TYPE_STR, (k), (str), 0, 0})
#define LOG_C(k, cstr) ((struct log_field){LOG_TYPE_STR, (k), str_c(cstr), 0, 0})
#define LOG_INT(k, v) ((struct log_field){LOG_TYPE_INT, (k), STR_NONE, (int64_t)(v), 0})
#define LOG_REAL(k, v) ((struct log_field){LOG_TYPE_REAL, (k), STR_NONE, 0, (v)})
#define LOG_ERR(e) ((struct log_field){LOG_TYPE_STR, "error", str_c(err_name(e)), 0, 0})
// What people wrote: shown only at trace, else its length.
#define LOG_BODY(k, str) ((struct log_field){LOG_TYPE_BODY, (k), (str), 0, 0})
#define LOG_FIELD_END ((struct log_field){LOG_TYPE_END, NULL, STR_NONE, 0, 0})

#define log_at(level, ctx, ...)                                                                                        \
    do {                                                                                                               \
        if (log_enabled((level), (ctx)))                                                                               \
            log_emit((level), (ctx), (const struct log_field[]){__VA_ARGS__, LOG_FIELD_END});                          \
    } while (0)
#define log_error(ctx, ...) log_at(LOG_ERROR, ctx, __VA_ARGS__)
#define log_warn(ctx, ...) log_at(LOG_WARN, ctx, __VA_ARGS__)
#define log_info(ctx, ...) log_at(LOG_INFO, ctx, __VA_ARGS__)
#define log_debug(ctx, ...) log_at(LOG_DEBUG, ctx, __VA_ARGS__)
#define log_trace(ctx, ...) log_at(LOG_TRACE, ctx, __VA_ARGS__)

bool log_enabled(enum log_level level, const struct log_ctx *ctx);
void log_emit(enum log_level level, const struct log_ctx *ctx, const struct log_field *fields);

enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };
// Where lines go; a test may take them instead. Thread-safe, as is log_emit().
void log_to_fd(int fd);
void log_to_sink(void (*sink)(void *ud, struct str line), void *ud);
// The monotonic clock by which repeats are counted; NULL for clock_mono().
void log_set_clock(int64_t (*mono)(void));
void log_set_format(enum log_format f);
void log_set_level(enum log_level all);                           // for every subsystem
void log_set_sub_level(enum log_subsystem sub, enum log_level l); // for one
bool log_level_parse(struct str s, enum log_level *out);          // "error" ... "trace"
bool log_sub_parse(struct str s, enum log_subsystem *out);
const char *log_level_name(enum log_level l);

#endif
