/* Signed requests: where each way to sign has its signature, and over what it is. */
#ifndef SPANDREL_WEBHOOK_SIGNATURE_H
#define SPANDREL_WEBHOOK_SIGNATURE_H

#include "adapters/webhook/webhook_auth.h"
#include "base/arena.h"
#include "base/mem.h"
#include "text/hash.h"

enum { WEBHOOK_PARTS_MAX = 16, WEBHOOK_SIGNATURE_PLACES = 3 };

enum webhook_signature_form {
    WEBHOOK_SIGNATURE_PLAIN,    // a header: prefix, then the signature
    WEBHOOK_SIGNATURE_STANDARD, // webhook-id, webhook-timestamp and webhook-signature (or svix-): "v1,<base64> v1,..."
    WEBHOOK_SIGNATURE_STRIPE,   // a header: "t=<seconds>,v1=<hex>,v1=..."
};

// Of what is signed.
struct webhook_part {
    enum { WEBHOOK_PART_TEXT, WEBHOOK_PART_BODY, WEBHOOK_PART_TIMESTAMP, WEBHOOK_PART_HEADER } type;
    struct str text; // TEXT; HEADER: its name
};

struct webhook_signature_place {
    struct str header, prefix; // what stands before the signature
};

// How requests are signed; its strings are borrowed.
struct webhook_signing {
    enum webhook_signature_form form;
    int64_t tolerance_s;
    struct webhook_signature_place
        places[WEBHOOK_SIGNATURE_PLACES];         // PLAIN, STRIPE: the first that a request has counts
    struct str weak;                              // PLAIN: a header that tells of SHA-1 alone; may be empty
    enum hash_hmac algorithm;                     // PLAIN; else SHA-256
    bool base64;                                  // PLAIN: rather than hex
    struct str timestamp;                         // PLAIN: header with seconds since 1970; empty: none
    struct webhook_part parts[WEBHOOK_PARTS_MAX]; // PLAIN
    size_t part_count;
};

// Reads "{timestamp}:{body}": the names body, timestamp and header:NAME in braces, other text as it stands. ERR_BADREQ
// with a text; the parts are borrowed from the template.
enum err webhook_signature_content(struct str content, struct webhook_signing *out, struct errmsg *msg) MUST_CHECK;

// What a request says of its signature; borrowed from the request.
struct webhook_signed {
    enum hash_hmac algorithm;
    uint8_t signatures[WEBHOOK_AUTH_SIGNATURES_MAX][HASH_HMAC_MAX];
    size_t signature_count;
    struct str parts[WEBHOOK_PARTS_MAX]; // what is signed; the body as far as the request has it
    size_t part_count;
};

// The header of that name: p is NULL when there is none. False, with a text, when it comes twice.
bool webhook_signature_header(const struct webhook_auth_request *r, struct str name, struct str *out,
                              struct errmsg *msg);
// False, with a text: a header is missing, comes twice or is malformed, or the time is too far off.
bool webhook_signature_read(const struct webhook_signing *s, const struct webhook_auth_request *r, struct arena *a,
                            struct webhook_signed *out, struct errmsg *msg);
// Whether any of the signatures is by the key. All are compared, each in constant time.
bool webhook_signature_by(const struct webhook_signed *s, struct str key);

#endif
