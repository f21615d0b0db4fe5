/* The one list of errors, each with the XMPP stanza error that tells it to a user (RFC 6120 section 8.3.3), and a text
 * that says where. */
#ifndef SPANDREL_BASE_ERR_H
#define SPANDREL_BASE_ERR_H

#include <stdarg.h>

// name, text, stanza error type, stanza error condition
#define ERR_LIST(X)                                                                                                    \
    X(OK, "success", "", "")                                                                                           \
    X(AGAIN, "busy, try again later", "wait", "resource-constraint")                                                   \
    X(CLOSED, "connection closed", "wait", "remote-server-timeout")                                                    \
    X(REFUSED, "connection refused", "wait", "remote-server-timeout")                                                  \
    X(TIMEOUT, "timed out", "wait", "remote-server-timeout")                                                           \
    X(RESOLVE, "name not resolved", "cancel", "remote-server-not-found")                                               \
    X(OFFLINE, "the far side is offline", "wait", "recipient-unavailable")                                             \
    X(PROTO, "protocol violation", "cancel", "undefined-condition")                                                    \
    X(AUTH, "authentication failed", "auth", "not-authorized")                                                         \
    X(TLS, "TLS failed", "cancel", "remote-server-not-found")                                                          \
    X(FORBIDDEN, "not allowed", "auth", "forbidden")                                                                   \
    X(REGISTRATION, "registration required", "auth", "registration-required")                                          \
    X(LIMIT, "limit exceeded", "modify", "policy-violation")                                                           \
    X(NOTFOUND, "not found", "cancel", "item-not-found")                                                               \
    X(GONE, "gone for good", "cancel", "gone")                                                                         \
    X(EXISTS, "already exists", "cancel", "conflict")                                                                  \
    X(BADREQ, "bad request", "modify", "bad-request")                                                                  \
    X(BADJID, "malformed address", "modify", "jid-malformed")                                                          \
    X(NOTACCEPTABLE, "not acceptable", "modify", "not-acceptable")                                                     \
    X(NOTALLOWED, "not allowed here", "cancel", "not-allowed")                                                         \
    X(UNSUPPORTED, "not supported", "cancel", "feature-not-implemented")                                               \
    X(UNAVAILABLE, "service unavailable", "cancel", "service-unavailable")                                             \
    X(CONF, "configuration error", "cancel", "internal-server-error")                                                  \
    X(IO, "input/output error", "wait", "internal-server-error")                                                       \
    X(INTERNAL, "internal error", "cancel", "internal-server-error")

enum err {
#define ERR_ENUM(name, text, type, condition) ERR_##name,
    ERR_LIST(ERR_ENUM) ERR_COUNT
#undef ERR_ENUM
};

#define MUST_CHECK __attribute__((warn_unused_result))

const char *err_name(enum err e);      // "timeout": lower case, for logs and metrics
const char *err_text(enum err e);      // "timed out"
const char *err_type(enum err e);      // stanza error type
const char *err_condition(enum err e); // stanza error condition
// The error whose stanza condition this is, or ERR_INTERNAL; the first in the list wins where several share one.
enum err err_from_condition(const char *condition);

// What went wrong and where, for people: "adapter home: connect 10.0.0.2:8883: certificate expired".
struct errmsg {
    char text[256]; // NUL-terminated, cut at a character boundary when too long
};

// Sets the text and returns `e`, so that a function can end with `return err_set(msg, ERR_X, ...)`. `msg` may be NULL.
enum err err_set(struct errmsg *msg, enum err e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
// Puts "context: " before the text that is there.
enum err err_wrap(struct errmsg *msg, enum err e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

// Logs what cannot be gone on from (a fault of ours, a disk that lost what it had taken) and aborts.
_Noreturn void err_fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
