/* What the files of the hub share. */
#ifndef SPANDREL_APP_HUB_PRIVATE_H
#define SPANDREL_APP_HUB_PRIVATE_H

#include "app/hub.h"
#include "app/pictures.h"
#include "app/queue.h"
#include "app/uploads.h"

struct hub_link { // a component domain
    struct hub *hub;
    uint16_t number; // event.component
    char *name;      // in the configuration
    char *domain;
    struct component *component;
    struct gateway *gateway;
    struct uploads *uploads;
    struct log_ctx log;
    struct queue posts;    // of the adapters bound to it; waits while the link is congested
    bool congested;        // the transport says so
    bool held;             // the core was told that it is full
    bool resync;           // output was dropped: say all presence again once it has drained
    bool left;             // at the end: it has said all
    bool outage;           // it was up and is not, against our will
    int64_t lost;          // since when
    struct strbuf notices; // lines for the admins, said when the link is up again
};

struct hub_adapter { // an instance; its slot is kept when it leaves, for its number is in use
    struct adapter_env env;
    struct hub *hub;
    const struct adapter_ops *ops;
    struct adapter *adapter; // NULL once closed
    struct hub_link *link;
    char *name;
    int64_t wake;
    bool closing;
};

struct hub_gate { // a JOURNALED that waits for its batch
    uint64_t batch, token;
    uint16_t adapter;
};

struct hub_operation { // a line or a form that waits for the end of the step
    struct hub_link *link;
    struct event *ev; // in the arena of `operations`
};

struct hub {
    const struct hub_host *host;
    void *ud;
    struct log_ctx log;
    struct bridge *bridge;
    struct store *store;
    struct record *record;           // NULL: nothing is recorded
    const struct conf_value *config; // in force; borrowed from the driver
    struct pictures pictures;        // of adapters
    struct arena listing;            // of the last list of commands
    struct hub_link *links;
    size_t link_count;
    struct hub_adapter **adapters;
    size_t adapter_count;
    struct queue operations; // EV_MESSAGE or EV_COMMAND to a component itself
    struct hub_gate *gates;  // in order of batches
    size_t gate_count, gate_cap;
    struct hub_gone *gone; // adapters that are not in the configuration, of which something is kept
    size_t gone_count;
    int64_t retention;    // ms that it is kept; 0: for ever
    int64_t retention_at; // when to look
    bool unstored;        // the admins were told that the database cannot be written
    struct arena step;    // effects of the step in progress
    struct arena scratch; // of one stanza that came in
    struct arena sending; // of one that goes out
    struct rng rng;
    char **admins;
    size_t admin_count;
    bool more; // the core has more to say
    bool stepping;
    bool stopping;   // SHUTDOWN was said to the core
    int64_t stop_by; // when that must do
    bool leaving;    // the core has said all: links are closing
    int64_t started; // wall ms
};

extern const struct gateway_host hub_gateway_host;         // hub_host.c
extern const struct component_events hub_component_events; // hub_link.c

// hub_step.c: runs one event through the core and carries out its effects.
void hub_step(struct hub *h, struct event *ev);
void hub_release_gates(struct hub *h);
// Says what was read from the journal.
void hub_take_loaded(struct hub *h);
// Takes what the adapter keeps back, before it is closed.
void hub_flush(struct hub *h, struct hub_adapter *a);
// Fills in the times.
void hub_stamp(struct hub *h, struct event *ev);

bool hub_serves(const struct hub *h, struct str domain);               // it is one of its components'
struct hub_link *hub_link_at(struct hub *h, uint16_t number);          // NULL: none
struct hub_adapter *hub_adapter_at(struct hub *h, uint16_t number);    // NULL: none, or closed
struct hub_adapter *hub_adapter_named(struct hub *h, struct str name); // NULL: none, or closed

// hub_link.c
enum err hub_link_init(struct hub_link *l, struct hub *h, const struct conf_value *section, uint16_t number);
void hub_link_finish(struct hub_link *l);
// Sends an n-event over the link's gateway.
void hub_link_send(struct hub_link *l, const struct event *ev);
// What is said to it from now on goes nowhere: tells the core so.
void hub_link_closed(struct hub_link *l);
// Its section of the configuration was `before` and is `after` from now on.
void hub_link_reload(struct hub_link *l, const struct conf_value *before, const struct conf_value *after);

// hub_retention.c: what is kept of adapters that have gone. True for a row of its own; the others are noted.
bool hub_retention_row(struct hub *h, const struct row *row);
// All rows are in, or the configuration is another one.
void hub_retention_follow(struct hub *h, const struct conf_value *config);
void hub_retention_work(struct hub *h);
int64_t hub_retention_deadline(const struct hub *h); // INT64_MAX: never
void hub_retention_finish(struct hub *h);

// hub_notice.c: tells the admins by XMPP, once the link is up, and the log: at debug what has a line there already.
void hub_notice(struct hub_link *l, enum log_level level, struct str text);
// The same without the log, for when the link is down.
void hub_notice_keep(struct hub_link *l, struct str text);
// The link is up: says what was kept.
void hub_notice_kept(struct hub_link *l);

// hub_upload.c
void hub_upload_init(struct hub_link *l, const struct conf_value *section);
// Its section of the configuration was `before` and is `after` from now on.
void hub_upload_reload(struct hub_link *l, const struct conf_value *before, const struct conf_value *after);
// A post with a file: it comes back without, by the link's queue.
void hub_upload_take(struct hub_link *l, const struct event *ev);

// hub_adapter.c
struct hub_adapter *hub_adapter_create(struct hub *h, const struct conf_value *config, const struct conf_value *section,
                                       uint16_t number, struct conf_report *report);
void hub_adapter_destroy(struct hub_adapter *a);
// Starts closing; what it posts from then on is dropped.
void hub_adapter_close(struct hub_adapter *a);

// hub_config.c: the entry of that name; NULL: none.
const struct conf_value *hub_section(const struct conf_value *named, const char *name);
// The core's configuration from the file's, in the arena: the adapters in order of number, those that `config` has.
void hub_bridge_config(struct hub *h, const struct conf_value *config, struct arena *a, struct bridge_config *out);
void hub_take_admins(struct hub *h, const struct conf_value *config);

// Carries out the operations that wait (hub_operate.c).
void hub_run_operations(struct hub *h);

#endif
