/* Hooks: what each is, and the table of them. Those of the configuration are read with it; those made at run time
 * (`hook add`) are rows.
 *
 * A hook that changes is replaced: who works with it holds a reference, and goes on with what it was. */
#ifndef SPANDREL_WEBHOOK_HOOK_H
#define SPANDREL_WEBHOOK_HOOK_H

#include "adapters/webhook/webhook_auth.h"
#include "adapters/webhook/webhook_profile.h"
#include "base/map.h"
#include "base/ratelimit.h"
#include "base/rng.h"

enum webhook_username { WEBHOOK_USERNAME_IGNORE, WEBHOOK_USERNAME_PREFIX, WEBHOOK_USERNAME_PUPPET };

enum {
    WEBHOOK_HOOKS_MAX = 1000,   // of one adapter
    WEBHOOK_PLACES_MAX = 16,    // rooms and people of a hook, each
    WEBHOOK_PUPPETS_MAX = 30,   // of a hook
    WEBHOOK_ROTATE_TOKENS = 2,  // that a hook made at run time may have at once
    WEBHOOK_HOOK_NAME_MAX = 32, // [a-z][a-z0-9-]{0,31}
};

struct webhook_places { // bare addresses, prepared
    const struct str *at;
    size_t n;
};

struct webhook_token { // of a hook made at run time
    char sha256[WEBHOOK_TOKEN_HASH];
    int64_t until; // wall ms; 0: for ever
};

struct webhook_hook {
    unsigned refs;
    struct arena arena;
    struct str name, title, nick, suffix, cls;
    struct str picture, picture_media;           // its avatar, of the class `cls`; empty: that of the class
    struct webhook_places rooms, people, others; // where it posts; and where else its senders may ask it to
    bool shared;                                 // speaks as the adapter's one identity
    enum webhook_username username;
    const struct webhook_profile *profile; // NULL: auto
    struct webhook_auth *auth;             // owned
    struct webhook_settings settings;
    struct mustache **compiled; // owned
    size_t compiled_count;
    int64_t window;       // ms that a key lives
    struct str idem_path; // json_at() of the idempotency key; may be empty
    double per_second, burst;
    int64_t max_age; // ms; 0: as the journal has it
    size_t body_max;
    bool run_time;                                      // made by `hook add`
    bool disabled;                                      // by `hook disable`
    int64_t expires;                                    // wall ms; 0: never
    struct webhook_token tokens[WEBHOOK_ROTATE_TOKENS]; // of a hook made at run time, newest first
    size_t token_count;

    // What it did; a replaced one hands it on.
    struct webhook_did {
        struct ratelimit rate;
        uint64_t accepted, refused;
        int64_t last; // wall ms of the last request that was let in
        bool told;    // its identity was
    } did;
};

struct webhook_hook *webhook_hook_ref(struct webhook_hook *h);
void webhook_hook_unref(struct webhook_hook *h); // NULL is fine
// An empty one, to be filled; its first reference is the caller's.
struct webhook_hook *webhook_hook_create(struct str name);
// The key of the identity that speaks for it.
struct str webhook_hook_identity(const struct webhook_hook *h);
#define WEBHOOK_SHARED STR("*") // that of the one of all hooks: no hook is called so
bool webhook_hook_name_good(struct str name);
// Titles and nicks: one line of at most 200 bytes, of characters that XMPP can carry.
bool webhook_hook_line_good(struct str line);
// A bare address with a local part, prepared, in the arena; false for anything else.
bool webhook_hook_address(struct arena *a, struct str text, struct str *out);
// Whether the hook may post to `wish`, an address or a channel as services name them ("#ops", "@ann", "ops": the local
// part of one of its addresses); *room tells which kind. False: no.
bool webhook_hook_finds(const struct webhook_hook *h, struct str wish, struct str *to, bool *room);

// --- those made at run time ---

// A row: all that `hook add` and `rotate` decide.
struct str webhook_hook_write(const struct webhook_hook *h, struct arena *a);
// NULL when it cannot be read.
struct webhook_hook *webhook_hook_read(struct str name, struct str blob, int64_t wall);
// Whether one of its tokens has had its time.
bool webhook_hook_stale(const struct webhook_hook *h, int64_t wall);
// Makes the list of who is let in from its tokens that live at `wall`; true when one was dropped.
bool webhook_hook_renew(struct webhook_hook *h, int64_t wall);
// Another token, as the newest; the others live on for `overlap` ms.
void webhook_hook_rotate(struct webhook_hook *h, const char *sha256, int64_t overlap, int64_t wall);

// --- the table ---

struct webhook_hooks {
    struct map by_name;
};

void webhook_hooks_init(struct webhook_hooks *t);
void webhook_hooks_finish(struct webhook_hooks *t);
struct webhook_hook *webhook_hooks_find(const struct webhook_hooks *t, struct str name); // NULL
// Takes the caller's reference; what one of that name did is handed on.
void webhook_hooks_put(struct webhook_hooks *t, struct webhook_hook *h);
void webhook_hooks_remove(struct webhook_hooks *t, struct str name);
// Sorted by name, in the arena.
size_t webhook_hooks_all(const struct webhook_hooks *t, struct arena *a, struct webhook_hook ***out);

#endif
