/* Who subscribes to whom: a record for each pair of a user and an identity with something between them (RFC 6121
 * appendix A), chained from both sides.
 *
 * A registration is something between a user and a component itself, which has an identity of its own for that. */
#ifndef SPANDREL_CORE_SUBSCRIPTION_H
#define SPANDREL_CORE_SUBSCRIPTION_H

#include "core/identity.h"
#include "core/row.h"
#include "core/user.h"

struct sub {
    uint32_t handle;
    uint32_t user, identity;
    uint32_t user_next, user_prev;         // of the same user
    uint32_t identity_next, identity_prev; // of the same identity
    uint8_t state;                         // enum subscription
    bool registered;                       // with the component that the identity stands for
};

struct mapping { // the mapping table: identities, users and what is between them
    struct identities identities;
    struct users users;
    struct pool subs;
    struct index by_pair;
    size_t registrations;
};

void mapping_init(struct mapping *m);
void mapping_finish(struct mapping *m);
size_t mapping_bytes(const struct mapping *m);

struct sub *sub_at(const struct mapping *m, uint32_t handle); // NULL when there is none
struct sub *sub_find(const struct mapping *m, const struct user *u, const struct identity *id); // u may be NULL
struct sub *sub_take(struct mapping *m, struct user *u, struct identity *id);                   // finds or makes
void sub_set(struct mapping *m, struct sub *s, unsigned state);
void sub_register(struct mapping *m, struct sub *s, bool registered);
bool sub_empty(const struct sub *s);
void sub_remove(struct mapping *m, struct sub *s);
struct user *sub_user(const struct mapping *m, const struct sub *s);
struct identity *sub_identity(const struct mapping *m, const struct sub *s);

#endif
