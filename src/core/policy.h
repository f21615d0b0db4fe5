/* Access: who may do what with which identity. Default deny; the first rule that names the right for this user and
 * identity decides it.
 *
 *     allow see read send to @family on home
 *     allow see,read,send,command to alice@example.org
 *     deny command to example.org on home:kitchen-lock
 *     allow register to example.org
 *     allow admin to admin@example.org
 *
 * Form: ("allow"|"deny") right... "to" who... ["on" what...]; words separated by spaces or commas. who: a bare JID, a
 * domain, @group, or * (anybody); what: an adapter, adapter:localpart, adapter:prefix*, adapter#group (its area), or *
 * (the default). `all` stands for every right but admin. */
#ifndef SPANDREL_CORE_POLICY_H
#define SPANDREL_CORE_POLICY_H

#include "core/event.h"

struct policy;

struct policy_target { // an identity, as rules see it; all empty for a component itself
    struct str adapter, local, group;
};

struct policy *policy_create(void);
void policy_destroy(struct policy *p);
// "name=member,member": members are bare JIDs or domains. ERR_CONF with a text otherwise.
enum err policy_add_group(struct policy *p, struct str group, struct errmsg *msg) MUST_CHECK;
// Parses and appends; `number` is kept for bridge_next_rule(). ERR_CONF with a text that names the word otherwise; an
// unknown group is an error.
enum err policy_add_rule(struct policy *p, uint64_t number, struct str rule, struct errmsg *msg) MUST_CHECK;
// Whether policy_add_rule() would take it.
enum err policy_check_rule(const struct policy *p, struct str rule, struct errmsg *msg) MUST_CHECK;
// ERR_NOTFOUND when no rule has this number.
enum err policy_remove_rule(struct policy *p, uint64_t number) MUST_CHECK;
// Takes the next word of a rule or of a group's members, set apart by blanks and commas; false when there is none.
bool policy_word(struct str *rest, struct str *word);
size_t policy_rule_count(const struct policy *p);
void policy_rule(const struct policy *p, size_t at, uint64_t *number, struct str *rule);

// Whether rules before the one at `at` decide what it names otherwise than it does: *by is the first of these. Then
// *all tells that nothing is left to it, as far as can be told rule by rule.
bool policy_rule_before(const struct policy *p, size_t at, size_t *by, bool *all);

// The rights of a bare or full JID on a target. RIGHT_SEE missing means that all others are missing too, except
// RIGHT_REGISTER and RIGHT_ADMIN.
unsigned policy_rights(const struct policy *p, const struct jid *user, const struct policy_target *target);
// The rights on a component itself: RIGHT_REGISTER, RIGHT_ADMIN, and RIGHT_SEE when any rule might let this user see
// something.
unsigned policy_component_rights(const struct policy *p, const struct jid *user);

#endif
