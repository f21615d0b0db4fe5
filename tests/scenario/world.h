/* A whole bridge in virtual time: the real hub, core, gateways, component machines and adapters, with fake XMPP servers
 * (one a component), users' clients behind them, a fake broker and the store in memory. */
#ifndef SPANDREL_TESTS_WORLD_H
#define SPANDREL_TESTS_WORLD_H

#include "app/hub.h"

struct world;
struct broker;

// `config` is YAML; `record` may be NULL. NULL after the errors were printed.
struct world *world_create(const char *config, const char *name, struct record *record);
void world_destroy(struct world *w);

// Lets everything happen that is to happen now.
void world_settle(struct world *w);
// Time passes, with all that is due in it.
void world_pass(struct world *w, int64_t ms);
// The process is held up for `late` ms, and the wall clock is set by `shift` ms.
void world_jump(struct world *w, int64_t late, int64_t shift);

// The servers: `domain` chooses one, and is empty for all.
void world_xmpp_accept(struct world *w, struct str domain, bool accept); // connections; false also ends what is open
void world_xmpp_cut(struct world *w, struct str domain);
void world_xmpp_send(struct world *w, struct str xml); // to the bridge, over the link of the domain it is for
// Takes the first stanza (in canonical form, owned) that matches the pattern; NULL when none does.
char *world_xmpp_take(struct world *w, const char *pattern);
size_t world_xmpp_count(const struct world *w);
const char *world_xmpp_at(const struct world *w, size_t at);
void world_xmpp_forget(struct world *w); // drops all that was seen
// All servers: read nothing; lose what is sent to them; or the bridge has no room to say anything.
void world_xmpp_deaf(struct world *w, bool deaf);
void world_xmpp_lose(struct world *w, bool lose);
void world_xmpp_full(struct world *w, bool full);

struct broker *world_broker(void); // of the one world there is
void world_mqtt_up(struct world *w, bool up);

// Commits wait.
void world_hold_commits(struct world *w, bool hold);
// Commits wait until the end, or until a restart, whatever else is said.
void world_commit_late(struct world *w);

// The bridge is killed and started again on what was durable.
void world_restart(struct world *w);
// True when the configuration was taken; else all must be as before. What is to be said about it goes to `out`.
bool world_reload(struct world *w, const char *config, struct strbuf *out);
void world_shutdown(struct world *w);
bool world_done(const struct world *w);
void world_operate(struct world *w, const char *line, struct strbuf *out);

// All works again for two minutes.
void world_heal(struct world *w);
// Some of what the bridge said was lost.
void world_excuse(struct world *w);
// Users whose clients missed something log in again.
void world_log_in(struct world *w);
// What the users' clients show: "user contact show" lines, sorted, in `out`; with `all` also what is offline.
void world_roster(const struct world *w, bool all, struct strbuf *out);
// Whether each question of the users had its one answer; what had not goes to `out`.
bool world_satisfied(const struct world *w, struct strbuf *out);

#endif
