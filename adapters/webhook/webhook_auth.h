/* Who may post to a hook: its list `auth`, any entry of which admits a request.
 *
 * A check is made twice, as the HTTP server asks twice: with the head alone, when a token, a password, an address or a
 * missing signature decides at once, so that nobody who is not let in sends a body; and, when the verdict was
 * WEBHOOK_AUTH_NEEDS_BODY, with the complete body. Signatures are over the bytes as they came.
 *
 * Tokens and passwords are kept as SHA-256 only, keys are wiped when they go, and both are compared in constant time.
 * An unknown hook is checked like any other (`auth` NULL): who guesses a token in the URL gets the same 404, after the
 * same work, whether the name or the token was wrong. */
#ifndef SPANDREL_WEBHOOK_AUTH_H
#define SPANDREL_WEBHOOK_AUTH_H

#include "base/err.h"
#include "conf/conf.h"
#include "net/http.h"
#include "net/net_cidr.h"

struct webhook_auth; // of one hook

enum {
    WEBHOOK_AUTH_ENTRIES_MAX = 16,    // of one hook
    WEBHOOK_AUTH_SIGNATURES_MAX = 16, // in one header that holds a list of them; more are refused
    WEBHOOK_AUTH_TOLERANCE_S = 300,   // how far a signed timestamp may be off, both ways, unless the entry says
    WEBHOOK_AUTH_SECRET_MIN = 16,     // bytes of a token or password, and of a key that the sender gives out
    WEBHOOK_AUTH_URL_TOKEN_MIN = 22,  // characters of a token in a URL: 128 bits when each carries 6
    WEBHOOK_AUTH_KEY_MIN = 24,        // bytes of a key for signatures (Standard Webhooks 1.0)
    WEBHOOK_AUTH_KEY_MAX = 64,        // the same, of Standard Webhooks
};

// --- configuration ---

// One entry of the list.
extern const struct conf_item webhook_auth_schema[];
// The item of a hook's schema that holds the list. Not CONF_REQUIRED: webhook_auth_read() says more when it is missing.
#define WEBHOOK_AUTH_ITEM                                                                                              \
    {                                                                                                                  \
        .name = "auth", .type = CONF_LIST, .of = CONF_MAP, .sub = webhook_auth_schema,                                 \
        .doc = "Who may post; needed. A request is let in by the first entry that it satisfies."                       \
    }

// Takes what it needs from the member `auth` of a hook's map. NULL when the report got an error: no list or an empty
// one (it says what to write), an option that the type does not have, a secret that is too short, a malformed address
// block, hash or template. Warns of "none". Owned: for webhook_auth_destroy().
struct webhook_auth *webhook_auth_read(const struct conf_value *hook, struct conf_report *report) MUST_CHECK;
// Lets nobody in yet: for hooks that are not in the configuration.
struct webhook_auth *webhook_auth_create(void);
// Adds an entry that lets in who has the token in the URL whose SHA-256 this is (64 hex digits). ERR_BADREQ when it is
// no such thing, ERR_LIMIT beyond WEBHOOK_AUTH_ENTRIES_MAX.
enum err webhook_auth_add_token(struct webhook_auth *auth, struct str sha256) MUST_CHECK;
// Wipes the secrets. NULL is fine.
void webhook_auth_destroy(struct webhook_auth *auth);

// --- tokens ---

enum { WEBHOOK_TOKEN_BYTES = 20, WEBHOOK_TOKEN_TEXT = 33, WEBHOOK_TOKEN_HASH = 65 }; // the last two with their NUL

// A new one: 160 random bits in base32 ([a-z2-7], 32 characters), and the SHA-256 of that text in hex, which is what is
// stored. The caller shows the token once and wipes it (mem_wipe).
void webhook_token_new(char token[WEBHOOK_TOKEN_TEXT], char sha256[WEBHOOK_TOKEN_HASH]);

// --- the check ---

struct webhook_auth_request {
    const struct http_header *headers; // http_head.headers
    size_t header_count;
    struct str token;     // what the URL gives as one, decoded; p is NULL when it has none
    struct net_ip source; // http_head.source
    int64_t wall;         // ms since 1970
    bool complete;        // `body` is there
    struct str body;      // as it came
};

enum webhook_auth_verdict {
    WEBHOOK_AUTH_REFUSED,
    WEBHOOK_AUTH_ADMITTED,
    WEBHOOK_AUTH_NEEDS_BODY, // only when the request is not complete: ask again when it is
};

struct webhook_auth_result {
    enum webhook_auth_verdict verdict;
    // ADMITTED: by which entry, for the log: 0 is the first; and its type, "github".
    unsigned entry;
    const char *type;
    // REFUSED. 404: the hook takes a token in the URL, or does not exist (`auth` NULL). 401: bearer or basic would do;
    // `challenge` is the value of WWW-Authenticate, NULL with any other status. 403: anything else.
    int status;
    const char *challenge;
    // REFUSED: why, for the operator's log alone; it holds no secret and nothing that the sender wrote.
    struct errmsg reason;
};

// `auth` NULL stands for a hook that does not exist. Nothing is kept of the request.
void webhook_auth_check(const struct webhook_auth *auth, const struct webhook_auth_request *request,
                        struct webhook_auth_result *result);

#endif
