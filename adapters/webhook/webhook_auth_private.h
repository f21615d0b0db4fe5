/* What the files of authentication share. Not for others. */
#ifndef SPANDREL_WEBHOOK_AUTH_PRIVATE_H
#define SPANDREL_WEBHOOK_AUTH_PRIVATE_H

#include "adapters/webhook/webhook_signature.h"

enum webhook_auth_type { // in the order of their names
    WEBHOOK_AUTH_TOKEN,
    WEBHOOK_AUTH_BEARER,
    WEBHOOK_AUTH_BASIC,
    WEBHOOK_AUTH_STANDARD,
    WEBHOOK_AUTH_GITHUB,
    WEBHOOK_AUTH_GITLAB,
    WEBHOOK_AUTH_GITEA,
    WEBHOOK_AUTH_GRAFANA,
    WEBHOOK_AUTH_STRIPE,
    WEBHOOK_AUTH_HMAC,
    WEBHOOK_AUTH_CIDR,
    WEBHOOK_AUTH_NONE,
    WEBHOOK_AUTH_TYPES,
};

extern const char *const webhook_auth_types[]; // NULL-terminated

enum { WEBHOOK_AUTH_DIGESTS = 4, WEBHOOK_AUTH_KEYS = 2, WEBHOOK_AUTH_DIGEST_SIZE = 32 };

struct webhook_auth_entry {
    enum webhook_auth_type type;
    struct net_cidrs from; // empty: from anywhere
    // Tokens; basic: of "user:password".
    uint8_t digests[WEBHOOK_AUTH_DIGESTS][WEBHOOK_AUTH_DIGEST_SIZE];
    size_t digest_count;
    struct str keys[WEBHOOK_AUTH_KEYS]; // owned
    size_t key_count;
    struct str header; // bearer: instead of Authorization
    struct webhook_signing signing;
};

struct webhook_auth {
    struct arena strings;               // of the entries; no secrets
    struct webhook_auth_entry *entries; // owned, at most WEBHOOK_AUTH_ENTRIES_MAX
    unsigned count;
};

// A new one at the end, zeroed; those before it move.
struct webhook_auth_entry *webhook_auth_add(struct webhook_auth *auth);

void webhook_auth_add_digest(struct webhook_auth_entry *e, struct str token);
void webhook_auth_add_key(struct webhook_auth_entry *e, struct str key); // copies it

#endif
