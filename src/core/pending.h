/* What was asked of adapters and has no outcome yet: token -> who asked what. Bounded in number, per user, and in
 * bytes; each ends by its deadline. */
#ifndef SPANDREL_CORE_PENDING_H
#define SPANDREL_CORE_PENDING_H

#include "core/user.h"

enum {
    PENDING_MAX = 10000,
    PENDING_USER_MAX = 200,
    PENDING_BYTES_MAX = 16 * 1024 * 1024,
    PENDING_MS = 60000, // the adapter's time to tell the outcome
};

struct pending {
    uint32_t handle;
    uint32_t prev, next; // in the order in which they were asked
    uint32_t user;       // held
    int64_t deadline;    // monotonic ms
    struct arena arena;  // holds the event
    struct event *ask;   // as it went to the adapter, with its token
};

struct pendings {
    struct pool pool;
    struct index by_token;
    struct users *users;
    uint32_t first, last;
    size_t bytes;
};

void pendings_init(struct pendings *t, struct users *users);
void pendings_finish(struct pendings *t);
size_t pendings_bytes(const struct pendings *t);

// Whether one more of this user would pass a bound.
bool pendings_full(const struct pendings *t, const struct user *u);
// Copies the event; its token must be new. Deadlines never go back from one call to the next.
void pending_add(struct pendings *t, const struct event *ask, struct user *u, int64_t now);
// Only the adapter that was asked can tell the outcome. NULL when there is none.
struct pending *pending_find(const struct pendings *t, uint64_t token, uint16_t adapter);
// The oldest whose deadline has come; NULL when there is none.
struct pending *pending_due(const struct pendings *t, int64_t now);
// Walks them, the oldest first: start with *at = 0; NULL at the end. The one that was returned may be removed.
struct pending *pending_next(const struct pendings *t, uint32_t *at);
void pending_remove(struct pendings *t, struct pending *p);
int64_t pendings_deadline(const struct pendings *t); // INT64_MAX for none

#endif
