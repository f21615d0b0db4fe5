/* The handlers, by file. */
#ifndef SPANDREL_APP_OP_PRIVATE_H
#define SPANDREL_APP_OP_PRIVATE_H

#include "app/operations.h"

// op_user.c: for everybody who may use the bridge
enum err op_add(struct operation_call *c, struct errmsg *msg);
enum err op_help(struct operation_call *c, struct errmsg *msg);
enum err op_list(struct operation_call *c, struct errmsg *msg);
enum err op_register(struct operation_call *c, struct errmsg *msg);
enum err op_remove(struct operation_call *c, struct errmsg *msg);
enum err op_status(struct operation_call *c, struct errmsg *msg);
enum err op_unregister(struct operation_call *c, struct errmsg *msg);

// op_forget.c
enum err op_forget(struct operation_call *c, struct errmsg *msg);

// op_admin.c: for who operates it
enum err op_adapters(struct operation_call *c, struct errmsg *msg);
enum err op_approve(struct operation_call *c, struct errmsg *msg);
enum err op_grant(struct operation_call *c, struct errmsg *msg);
enum err op_links(struct operation_call *c, struct errmsg *msg);
enum err op_log(struct operation_call *c, struct errmsg *msg);
enum err op_mappings(struct operation_call *c, struct errmsg *msg);
enum err op_reload(struct operation_call *c, struct errmsg *msg);
enum err op_revoke(struct operation_call *c, struct errmsg *msg);
enum err op_rules(struct operation_call *c, struct errmsg *msg);
enum err op_subscriptions(struct operation_call *c, struct errmsg *msg);

// op_hook.c
enum err op_hook(struct operation_call *c, struct errmsg *msg);

// op_delivery.c: what is on its way, and what became of it
enum err op_dead(struct operation_call *c, struct errmsg *msg);
enum err op_discard(struct operation_call *c, struct errmsg *msg);
enum err op_explain(struct operation_call *c, struct errmsg *msg);
enum err op_queue(struct operation_call *c, struct errmsg *msg);
enum err op_replay(struct operation_call *c, struct errmsg *msg);
enum err op_retry(struct operation_call *c, struct errmsg *msg);
enum err op_rooms(struct operation_call *c, struct errmsg *msg);
enum err op_trace(struct operation_call *c, struct errmsg *msg);

// The identity that `text` means to the caller: a JID, a localpart, a name (if but one has it), or what an adapter
// resolves. Borrowed until the next step.
enum err op_identity(struct operation_call *c, struct str text, struct identity_view *out, struct errmsg *msg);
// True when each of the words stands in the name, JID or group of the identity.
bool op_matches(const struct identity_view *id, struct str words);
// Takes the contact that the first argument means out of quarantine, or forgets it; says so.
enum err op_change(struct operation_call *c, enum event_kind kind, const char *done, struct errmsg *msg);
struct str op_address(struct arena *a, struct str local, struct str domain); // the gateway itself has no local part
struct str op_jid(struct arena *a, const struct identity_view *id);

#endif
