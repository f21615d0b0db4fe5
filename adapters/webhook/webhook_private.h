/* What the files of the adapter share: the instance, and one request on its way. Not for others. */
#ifndef SPANDREL_WEBHOOK_PRIVATE_H
#define SPANDREL_WEBHOOK_PRIVATE_H

#include "adapters/adapter.h"
#include "adapters/webhook/webhook_conf.h"
#include "adapters/webhook/webhook_idem.h"
#include "adapters/webhook/webhook_keys.h"
#include "adapters/webhook/webhook_message.h"
#include "adapters/webhook/webhook_rate.h"
#include "adapters/webhook/webhook_throttle.h"
#include "base/backoff.h"
#include "base/fsm.h"
#include "base/list.h"

enum {
    WEBHOOK_EVENTS_MAX = 512,     // messages that one request may become
    WEBHOOK_WAIT_MAX_S = 30,      // of Prefer: wait
    WEBHOOK_RETRY_S = 10,         // told to who comes when the queue is full
    WEBHOOK_PARKED_RETRY_S = 60,  // or when the room cannot be entered
    WEBHOOK_BRIDGE_MS = 8000,     // the bridge has not taken it: the disk is full or gone, and senders go after 10 s
    WEBHOOK_SWEEP_MS = 60 * 1000, // between two looks for what has become too old
    WEBHOOK_PARKS_MAX = 10000,
};

struct webhook_adapter {
    struct adapter base;
    struct log_ctx log;
    struct webhook_conf conf;
    struct webhook_hooks hooks;
    struct map disabled; // hooks of the configuration that `hook disable` named: name (owned) to itself
    struct webhook_idem *idem;
    struct webhook_messages *messages;
    struct webhook_keys *keys;
    struct webhook_throttle *throttle;
    struct webhook_rate sources, rooms;
    struct map parked;             // "identity room" to struct webhook_park
    struct map puppets;            // identity to struct webhook_puppet
    struct list_node puppet_age;   // least lately used first
    struct webhook_server *server; // NULL: it does not listen
    struct backoff backoff;
    int64_t listen_at, sweep_at; // monotonic ms of the next try, or INT64_MAX; of the next look
    int64_t bridge_at;           // of the next look at what waits for the bridge, or INT64_MAX
    struct errmsg why;           // it does not listen
    struct list_node requests;   // all that are not freed, but for those at the room
    struct list_node waiting;    // those
    struct list_node tokens;     // what the bridge has not answered yet, in order
    uint64_t token;              // the last one
    unsigned leaving;            // servers that are being stopped
    bool started, closing;
    bool shared_told; // the identity of all hooks was
    void (*closed)(void *ud);
    void *closed_ud;
    uint64_t in, out, dropped;
    struct arena words; // of stat and describe
};

enum webhook_request_state {
    WEBHOOK_AT_HEAD,     // the head is there, perhaps the body too
    WEBHOOK_AT_BRIDGE,   // posted; it is answered when the last message is taken
    WEBHOOK_AT_ROOM,     // the sender waits for what becomes of it
    WEBHOOK_TAKING_BACK, // what was taken, because of what was not
    WEBHOOK_ANSWERED,    // and freed when the last token has come back
    WEBHOOK_REQUEST_STATES
};

// One request, from its head to its answer, or a message of our own (x NULL).
struct webhook_request {
    struct list_node node;
    struct webhook_adapter *a;
    struct http_exchange *x;   // NULL: nobody waits for an answer
    struct webhook_hook *hook; // a reference, or NULL
    struct fsm fsm;
    struct arena arena;
    struct str path; // as sent, up to what follows hook and token
    struct webhook_input in;
    bool needs_body;                       // to know who sends it
    const struct webhook_profile *profile; // as far as the head tells
    struct webhook_outcome outcome;
    struct webhook_idem_entry *idem;
    char id[WEBHOOK_ID + 1];
    bool again;       // the id is derived from the sender's key
    struct str *wire; // ids of its messages, `count` of them
    struct str *told; // as the sender knows them
    size_t count;
    unsigned open;                // tokens that have not come back
    unsigned taken;               // messages that the bridge has
    enum err refused, condition;  // why it was not taken; what a problem names
    struct str why, place;        // and about which room or person
    int64_t wait_ms, deadline;    // Prefer: wait; the last of it (monotonic ms)
    bool too_late;                // something could not be taken back
    bool given_up;                // the bridge took it too late: it is taken back
    struct webhook_final *finals; // `final_count` of them
    size_t final_count;
    int64_t began;
};

struct webhook_final { // a key under which nothing more is to come, once the request is accepted
    struct str key, to;
};

struct webhook_park {
    char *name; // owned
    enum err err;
    char *text; // owned
};

struct webhook_puppet {
    struct list_node node;
    char *key;     // owned: "hook/name"
    int64_t until; // monotonic ms: until then it may have to say what an earlier run took
    bool up;       // it was told to be there
};

static inline int64_t webhook_now(const struct webhook_adapter *a)
{
    return a->base.env->now(a->base.env);
}

static inline int64_t webhook_wall(const struct webhook_adapter *a)
{
    return a->base.env->wall(a->base.env);
}

// webhook_adapter.c
void webhook_post(struct webhook_adapter *a, const struct event *ev);
void webhook_hooks_limit(struct webhook_adapter *a); // new hooks get a full bucket
void webhook_schedule(struct webhook_adapter *a);    // what is next to be done has changed

// webhook_server.c: where it listens
void webhook_server_open(struct webhook_adapter *a);   // now, or later again
void webhook_server_close(struct webhook_adapter *a);  // a->leaving until it is closed; then webhook_left()
void webhook_server_reload(struct webhook_adapter *a); // the certificate
void webhook_left(struct webhook_adapter *a);          // webhook_adapter.c

// webhook_request.c: from the head to the posts
extern const struct http_handler webhook_handler; // ud: the adapter
struct webhook_request *webhook_request_create(struct webhook_adapter *a, struct http_exchange *x);
void webhook_request_free(struct webhook_request *r);

// webhook_say.c: what was read becomes messages
// Posts it all, or *problem says why not and nothing was posted.
void webhook_say(struct webhook_request *r, struct webhook_problem *problem, int64_t *retry_after);
// A message of our own to all whom the hook posts to.
void webhook_say_text(struct webhook_adapter *a, struct webhook_hook *hook, struct str text, char id[WEBHOOK_ID + 1]);

// webhook_result.c: what the bridge says
void webhook_result_token(struct webhook_adapter *a, const struct event *ev); // JOURNALED, REFUSED
void webhook_result_taken(struct webhook_request *r);                         // the bridge has all of it
void webhook_result_gone(struct webhook_request *r);                          // nobody waits for its answer any more
void webhook_result_settled(struct webhook_adapter *a, const struct event *ev);
void webhook_result_parked(struct webhook_adapter *a, const struct event *ev);
void webhook_result_posted(struct webhook_request *r); // the bridge is asked to take it
void webhook_result_deadlines(struct webhook_adapter *a);
int64_t webhook_result_deadline(const struct webhook_adapter *a); // the next one, or INT64_MAX
// A token for a message of the request (its number there), or for taking it back.
uint64_t webhook_token_add(struct webhook_adapter *a, struct webhook_request *r, size_t at, size_t target, bool back);
void webhook_tokens_drop(struct webhook_adapter *a); // at the end
const struct webhook_park *webhook_parked(const struct webhook_adapter *a, struct str key, struct str room);
void webhook_parks_drop(struct webhook_adapter *a);

// webhook_owner.c: a word from somebody to an identity, which is answered.
void webhook_owner_said(struct webhook_adapter *a, const struct event *ev);

// webhook_answer.c: each answers the request, once, and logs it; without an exchange nothing is sent
void webhook_answer_problem(struct webhook_request *r, const struct webhook_problem *p, int64_t retry_after);
void webhook_answer_refused(struct webhook_request *r, int status, const char *challenge); // in one shape for all hooks
void webhook_answer_throttled(struct webhook_request *r, int64_t retry_after);             // whatever it asks for
void webhook_answer_method(struct webhook_request *r, const char *allow);
// What the profile's clients take for success; `again`: it was answered before.
void webhook_answer_success(struct webhook_request *r, const struct str *ids, size_t count, bool confirmed, bool again);
void webhook_answer_message(struct webhook_request *r, const struct webhook_message *m, int status);
struct str webhook_answer_self(struct webhook_request *r, struct str id);

// webhook_identity.c: who speaks
void webhook_identity_hook(struct webhook_adapter *a, struct webhook_hook *h); // exists, and whether it is up
void webhook_identity_shared(struct webhook_adapter *a);
// The identity and nick that speak for the hook where the sender wishes to be called `wish` (may be empty); *prefix:
// what is to stand before the text in its place, or empty. In the arena.
void webhook_identity_of(struct webhook_adapter *a, struct webhook_hook *h, struct str wish, struct arena *arena,
                         struct str *key, struct str *nick, struct str *prefix);
void webhook_identity_forgotten(struct webhook_adapter *a, struct str key); // the operator wished it
void webhook_identity_known(struct webhook_adapter *a, struct str key);
void webhook_identity_gone(struct webhook_adapter *a, struct str hook);   // nobody speaks as it, or its puppets
void webhook_identity_forget(struct webhook_adapter *a, struct str hook); // with its puppets
void webhook_puppets_drop(struct webhook_adapter *a);

// webhook_ops.c
enum err webhook_operate(struct adapter *base, struct str line, struct strbuf *out, struct errmsg *msg);
void webhook_hook_keep(struct webhook_adapter *a, const struct webhook_hook *h); // its row
// A hook of the configuration is disabled, or not any more.
void webhook_hook_disable(struct webhook_adapter *a, struct str name, bool disabled);

#endif
