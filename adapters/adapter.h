/* The adapter contract: all that an adapter and the bridge know of each other.
 *
 * Life: create -> restore* -> start -> (send | reload | browse | describe | commands | resolve | stat)* -> close ->
 * closed callback.
 *
 * Threads: everything here is called on the loop's thread, and nothing is ever re-entered: post() only queues, and
 * send() is never called from inside post(). A failure of the far side is a state (post EV_LINK_DOWN with the reason,
 * then EV_LINK_UP), never the end of the process. */
#ifndef SPANDREL_ADAPTER_H
#define SPANDREL_ADAPTER_H

#include "conf/conf.h"
#include "core/view.h"

struct loop; // net/loop.h
struct adapter_env;

enum { ADAPTER_PICTURE_MAX = 65536 };

// What the bridge gives an instance; it outlives the instance.
struct adapter_env {
    const char *name; // of the instance, permanent
    uint16_t number;  // event.adapter
    struct loop *loop;
    struct log_ctx log; // to be the parent of the adapter's own contexts
    struct rng *rng;
    // Copies the event and queues it; returns at once. With a token other than 0 the adapter gets exactly one JOURNALED
    // or REFUSED through send(), in the order of its posts: with EVENT_DURABLE once that event and all posted before it
    // are on disk, else when they have been taken. While the component's output is full posts wait, so who reads from a
    // source without a bound posts a BARRIER behind each lot and reads on when it is answered. ev->adapter, now and
    // wall are filled in. A MESSAGE with a file (its bytes in `blob`) has no token: it takes its own way, behind or
    // before what is posted after it, and may be lost; so does a DELIVERED with one, whose token is that of the
    // question, and `user` who asked.
    void (*post)(struct adapter_env *env, const struct event *ev);
    // A picture (media type "image/png" or the like, at most ADAPTER_PICTURE_MAX bytes; copied) is the avatar of the
    // identities of this class from now on; a class that has one keeps it. Also before start().
    void (*picture)(struct adapter_env *env, struct str cls, struct str media, struct str bytes);
    int64_t (*now)(struct adapter_env *env);  // monotonic ms: virtual in scenarios
    int64_t (*wall)(struct adapter_env *env); // ms since 1970
    // Calls back once at `at` (monotonic ms) or never; a new call replaces the one before, INT64_MAX cancels. One timer
    // an instance: keep a heap inside.
    void (*wake)(struct adapter_env *env, int64_t at);
};

struct adapter { // embedded first in the adapter's own struct
    const struct adapter_ops *ops;
    struct adapter_env *env;
};

struct adapter_stat {
    bool up;              // its link works
    struct str state;     // in words, with the reason and the next try: "connecting to broker:1883, try 3 in 4 s:
                          // connection refused"
    uint64_t in, out;     // events posted, events accepted
    uint64_t dropped;     // counted losses
    size_t queued, bytes; // waiting events, memory
};

struct adapter_ops {
    const char *type;               // "mqtt"
    const char *gateway;            // disco category gateway, type (XEP-0100): "mqtt"
    const char *prompt;             // what a user types to name a contact: "Name of the device"
    const struct conf_item *schema; // of its section

    // Validates and takes what it needs from the section (which is freed after the call); no I/O, no events. Errors go
    // to the report, with their place.
    enum err (*create)(struct adapter_env *env, const struct conf_value *section, struct conf_report *report,
                       struct adapter **out);
    // A row of EV_STATE written by an earlier run. Before start(); events may be posted.
    void (*restore)(struct adapter *a, struct str key, struct str blob);
    // An identity of this instance that the mapping table holds. Before start(), before restore(); may be NULL.
    void (*known)(struct adapter *a, struct str key, bool quarantined);
    void (*start)(struct adapter *a);
    // Lends the event for the call. ERR_OK: accepted, and exactly one DELIVERED or FAILED with its token follows (never
    // from inside this call; token 0: none). ERR_AGAIN: its queue is full. Any other: refused now. JOURNALED and
    // REFUSED about own posts are always accepted.
    enum err (*send)(struct adapter *a, const struct event *ev);
    // The identity that a user means by typing `text`; ERR_NOTFOUND. The candidate is borrowed until the next call.
    enum err (*resolve)(struct adapter *a, struct str text, struct candidate *out);
    // The adapter's contacts and rooms beyond the mapping table (start with *at = 0; false at the end). May be NULL:
    // all it has are posted as EV_IDENTITY.
    bool (*browse)(struct adapter *a, size_t *at, struct candidate *out);
    enum err (*describe)(struct adapter *a, struct str key, struct description *out);
    // The commands of an identity, borrowed until the next call; none is fine.
    size_t (*commands)(struct adapter *a, struct str key, const struct command **out);
    // Runs a line of words, "add alerts ops@conference.example.org", that somebody who operates the bridge has said to
    // this instance; what is to be shown, lines of UTF-8, is added to `out`, which may also be given with an error. An
    // error says in *msg what was wrong. It may hold secrets that are shown once: log neither. NULL: it has none.
    enum err (*operate)(struct adapter *a, struct str line, struct strbuf *out, struct errmsg *msg);
    // Validates, diffs, and replaces what changed, without dropping a link whose settings did not change. On error
    // nothing has changed.
    enum err (*reload)(struct adapter *a, const struct conf_value *section, struct conf_report *report);
    // The time given to env->wake() has come.
    void (*wake)(struct adapter *a);
    // Posts what it keeps back to write it later, for it is about to be closed. May be NULL.
    void (*flush)(struct adapter *a);
    // Asynchronous and idempotent. After `closed` was called, which may be from inside, nothing of the adapter exists
    // any more and nothing is posted.
    void (*close)(struct adapter *a, void (*closed)(void *ud), void *ud);
    void (*stat)(const struct adapter *a, struct adapter_stat *out);
};

#endif
