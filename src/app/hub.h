/* The hub wires component links, gateways, the core, the store and the adapters into one bridge, and knows neither loop
 * nor socket: the daemon drives it with libuv, scenarios with virtual time.
 *
 * One pass each way: bytes -> stanza -> event -> bridge_step() -> effects, in order -> arena reset. Events that arrive
 * during a step wait in a queue. */
#ifndef SPANDREL_APP_HUB_H
#define SPANDREL_APP_HUB_H

#include "adapters/adapter.h"
#include "app/record.h"
#include "core/bridge.h"
#include "store/store.h"
#include "xmpp/component.h"
#include "xmpp/gateway.h"

struct hub;

struct hub_host { // what the hub needs of its driver
    int64_t (*now)(void *ud);
    int64_t (*wall)(void *ud);
    struct loop *(*loop)(void *ud); // NULL in scenarios
    struct http *(*http)(void *ud); // NULL in scenarios; outlives the hub
    void (*changed)(void *ud);      // something is to be done: call hub_work() at the end of this turn
    bool (*reload)(
        void *ud,
        struct conf_report *report); // reads the configuration again and calls hub_reload(); NULL in scenarios
};

// The configuration has passed app_conf_check(), and is borrowed until hub_reload() takes another, or hub_destroy().
// `record`, where it is not NULL, gets all that decides what the core does; it must outlive the hub.
struct hub *hub_create(const struct conf_value *config, struct store *store, const struct hub_host *host, void *ud,
                       struct record *record, struct conf_report *report);
// All adapters must be closed, or never have been started.
void hub_destroy(struct hub *h);
void hub_start(struct hub *h);
// Carries on all that waits: queued events, effects, ticks, committed batches, `more`. Returns when there is nothing to
// do before hub_deadline().
void hub_work(struct hub *h);
int64_t hub_deadline(const struct hub *h);
// Reloads: validates all, then applies all; what changed is said in the log. On error nothing has changed.
enum err hub_reload(struct hub *h, const struct conf_value *config, struct conf_report *report);
// Tells subscribers, leaves cleanly; hub_done() is true when all links have ended.
void hub_shutdown(struct hub *h);
bool hub_done(const struct hub *h);
// Closes the adapters and tells nobody, when there is no time or no way to end in good order; asynchronous,
// hub_adapters_closed() tells when.
void hub_abandon(struct hub *h);
bool hub_adapters_closed(const struct hub *h);

size_t hub_component_count(const struct hub *h);
struct component *hub_component(struct hub *h, size_t at);
// Its section of the configuration in force.
const struct conf_value *hub_component_config(const struct hub *h, size_t at);
// How full the transport of a link is: above, `more` waits.
void hub_component_congested(struct hub *h, size_t at, bool congested);

// Runs one line, "list kitchen", as an operation (operations.h) with all rights; the answer is appended to out as text
// or JSON.
enum err hub_operate(struct hub *h, struct str line, bool json, struct strbuf *out);

#endif
