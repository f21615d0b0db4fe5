#include "base/err.h"

#include "base/utf8.h"

#include <assert.h>
#include <stdio.h>

struct row {
    const char *text, *type, *condition;
};

static const struct row rows[ERR_COUNT] = {
#define ERR_ROW(name, text, type, condition) {text, type, condition},
    ERR_LIST(ERR_ROW)
#undef ERR_ROW
};

// The names of the list in lower case, which the preprocessor cannot make.
static const char *const names[ERR_COUNT] = {
    [ERR_OK] = "ok",
    [ERR_AGAIN] = "again",
    [ERR_CLOSED] = "closed",
    [ERR_REFUSED] = "refused",
    [ERR_TIMEOUT] = "timeout",
    [ERR_RESOLVE] = "resolve",
    [ERR_OFFLINE] = "offline",
    [ERR_PROTO] = "proto",
    [ERR_AUTH] = "auth",
    [ERR_TLS] = "tls",
    [ERR_FORBIDDEN] = "forbidden",
    [ERR_REGISTRATION] = "registration",
    [ERR_LIMIT] = "limit",
    [ERR_NOTFOUND] = "notfound",
    [ERR_GONE] = "gone",
    [ERR_EXISTS] = "exists",
    [ERR_BADREQ] = "badreq",
    [ERR_BADJID] = "badjid",
    [ERR_NOTACCEPTABLE] = "notacceptable",
    [ERR_NOTALLOWED] = "notallowed",
    [ERR_UNSUPPORTED] = "unsupported",
    [ERR_UNAVAILABLE] = "unavailable",
    [ERR_CONF] = "conf",
    [ERR_IO] = "io",
    [ERR_INTERNAL] = "internal",
};

static enum err known(enum err e)
{
    return (unsigned)e < ERR_COUNT ? e : ERR_INTERNAL;
}

const char *err_name(enum err e)
{
    return names[known(e)];
}

const char *err_text(enum err e)
{
    return rows[known(e)].text;
}

const char *err_type(enum err e)
{
    return rows[known(e)].type;
}

const char *err_condition(enum err e)
{
    return rows[known(e)].condition;
}

enum err err_from_condition(const char *condition)
{
    for (unsigned e = ERR_OK + 1; e < ERR_COUNT; e++)
        if (condition && strcmp(rows[e].condition, condition) == 0)
            return (enum err)e;
    return ERR_INTERNAL;
}

// `head` then `tail`, cut at a character boundary. `tail` may lie in msg.
static void put(struct errmsg *msg, struct str head, struct str tail)
{
    head = utf8_cut(head, sizeof msg->text - 1);
    tail = utf8_cut(tail, sizeof msg->text - 1 - head.n);
    if (tail.n != 0)
        memmove(msg->text + head.n, tail.p, tail.n);
    if (head.n != 0)
        memcpy(msg->text, head.p, head.n);
    msg->text[head.n + tail.n] = '\0';
}

// Formats with some bytes to spare, so that put() sees where the last character ends.
enum { SPARE = sizeof(struct errmsg) + 4 };

__attribute__((format(printf, 2, 0))) static struct str format(char buf[SPARE], const char *fmt, va_list ap)
{
    int n = vsnprintf(buf, SPARE, fmt, ap);
    assert(n >= 0);
    return (struct str){buf, (size_t)n < SPARE ? (size_t)n : SPARE - 1};
}

enum err err_set(struct errmsg *msg, enum err e, const char *fmt, ...)
{
    if (!msg)
        return e;
    char buf[SPARE];
    va_list ap;
    va_start(ap, fmt);
    put(msg, format(buf, fmt, ap), STR_NONE);
    va_end(ap);
    return e;
}

enum err err_wrap(struct errmsg *msg, enum err e, const char *fmt, ...)
{
    if (!msg)
        return e;
    char context[SPARE], buf[SPARE + 2];
    va_list ap;
    va_start(ap, fmt);
    struct str head = format(context, fmt, ap);
    va_end(ap);
    memcpy(buf, head.p, head.n);
    memcpy(buf + head.n, ": ", 2);
    put(msg, (struct str){buf, head.n + 2}, str_c(msg->text));
    return e;
}
