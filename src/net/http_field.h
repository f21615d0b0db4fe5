/* Header values that handlers look into (RFC 9110, RFC 7240, RFC 7617, RFC 6750). */
#ifndef SPANDREL_NET_HTTP_FIELD_H
#define SPANDREL_NET_HTTP_FIELD_H

#include "base/arena.h"

enum { HTTP_PARAMS_MAX = 8 };

struct http_param {
    struct str name;  // lower case
    struct str value; // unquoted
};

// A value with parameters: Content-Type, Content-Disposition. In the arena.
struct http_media {
    struct str type; // "application/json", "form-data": lower case, without blanks
    struct http_param params[HTTP_PARAMS_MAX];
    size_t count;
};

// RFC 9110 sections 5.6.6 and 8.3.1: false when malformed, a name comes twice, or there are more than HTTP_PARAMS_MAX.
bool http_media_parse(struct arena *a, struct str value, struct http_media *out);
// p is NULL when there is none.
struct str http_media_param(const struct http_media *m, const char *name);

// "Basic" (RFC 7617): decoded from base64, split at the first colon. False for another scheme or what is malformed
// (also controls in either).
bool http_auth_basic(struct arena *a, struct str value, struct str *user, struct str *password);
// "Bearer" (RFC 6750): a b64token. False for another scheme or what is malformed. Borrowed from `value`.
bool http_auth_bearer(struct str value, struct str *token);

// Prefer (RFC 7240): what is known here; the rest is ignored, as it says. The first of each counts.
struct http_prefer {
    bool respond_async;
    bool wait;      // "wait=N" is there
    int64_t wait_s; // N, at most 86400
};
// Folds one header of that name in; call for each, *p begins as {0}.
void http_prefer_add(struct http_prefer *p, struct str value);

#endif
