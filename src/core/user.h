/* XMPP users, interned by bare JID.
 *
 * A user stays while something holds him: a subscription, a registration, a place in a room, an awaited outcome. Who is
 * held by nothing is kept for his rate limit only, and the oldest of these makes room when there are more than
 * USERS_IDLE. */
#ifndef SPANDREL_CORE_USER_H
#define SPANDREL_CORE_USER_H

#include "base/index.h"
#include "base/ratelimit.h"
#include "core/event.h"
#include "core/pool.h"

enum { USERS_IDLE = 4096, USER_RATE = 20, USER_BURST = 60 }; // messages and commands per second

struct user {
    uint32_t handle;
    uint32_t subs; // head of the chain of his subscriptions
    uint32_t holds;
    uint32_t idle_prev, idle_next; // in the list of those held by nothing
    uint32_t pending;              // outcomes he waits for
    uint16_t local_len, jid_len;
    char *jid; // owned: bare
    struct ratelimit rate;
    bool erased; // nothing is to be kept of him, not even idle
};

struct users {
    struct pool pool;
    struct index by_jid;
    uint32_t idle_first, idle_last, idle_count; // oldest first
    size_t bytes;
};

void users_init(struct users *t);
void users_finish(struct users *t);
size_t users_bytes(const struct users *t);

struct user *user_at(const struct users *t, uint32_t handle);                  // NULL when there is none
struct user *user_find(const struct users *t, const struct jid *who);          // bare or full; NULL when unknown
struct user *user_intern(struct users *t, const struct jid *who, int64_t now); // made, held by nothing, when unknown
void user_hold(struct users *t, struct user *u);
void user_drop(struct users *t, struct user *u); // gives back one hold

// Forgets him once nothing holds him, his rate limit too; until he is interned again.
void user_erase(struct users *t, struct user *u);

struct str user_jid_text(const struct user *u); // "local@domain", borrowed
struct jid user_jid(const struct user *u);      // bare, borrowed

#endif
