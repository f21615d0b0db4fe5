/* Jobs: what takes more effects than one step may have.
 *
 * A job runs in the step that starts it; what does not fit waits and goes on at later ticks. Fan-outs (news of one
 * identity or room, in order for each) come before bulk work (resync, registration, shutdown), so that talk never waits
 * behind a resync. A job about a component whose link is down or congested waits for it, and holds up no other. */
#ifndef SPANDREL_CORE_JOB_H
#define SPANDREL_CORE_JOB_H

#include "base/list.h"
#include "core/bridge.h"
#include "core/room.h"
#include "core/subscription.h"

enum job_kind {
    JOB_PRESENCE, // of an identity, to its subscribers
    JOB_MESSAGE,  // `ev`, of an identity, to its subscribers
    JOB_WELCOME,  // all that a client that enters a room is told, and the others are told of it
    JOB_SAY,      // `ev`, to the clients in a room
    JOB_PUSH,     // the presence of all identities of a component
    JOB_REVIEW,   // end what is no longer allowed, in a component
    JOB_OFFER,    // offer the identities of a component to `user`
    JOB_ANNOUNCE, // offer an identity to all registered users
    JOB_LEAVE,    // end all between `user` and a component
    JOB_ERASE,    // end all between `user` and us, and forget him
    JOB_FORGET,   // end all between an identity (0: each dying one of a component) and its subscribers, then remove it
    JOB_SURVEY,   // offer the identities of a component to all registered users
    JOB_GONE,     // show all identities of `source` as offline
    JOB_SHUTDOWN, // tell all that all in a component is unavailable
    JOB_KINDS
};

enum {
    JOBS_MAX = 1024,    // messages that may wait to be fanned out
    ANNOUNCE_MAX = 256, // ANNOUNCE that may wait in a component; then one SURVEY stands for all
    JOB_VISITS = 4096,  // records a job looks at in a step
};

struct job {
    struct list_node node;
    enum job_kind kind;
    uint16_t component, source;
    uint32_t identity, user;   // handles, 0 for none
    uint32_t at;               // how far it is: a handle, see each
    uint32_t inner;            // SURVEY: how far it is with the user at `at`
    unsigned left;             // OFFER: how many more
    struct client *client;     // WELCOME: who enters; SAY: next to be told
    struct occupant *occupant; // WELCOME: next to be told of; SAY: whom the event is about, NULL for none
    struct client *other;      // WELCOME: next to be told
    uint8_t phase;
    bool again;             // FORGET: begin anew at the end, for more are dying
    bool over;              // to be taken out of its list
    const struct event *ev; // to be sent, in the arena once it waits
    struct arena arena;
};

struct jobs {
    struct list_node fanouts, bulk;
    size_t fanout_count, announce_count;
};

struct bridge;

void jobs_init(struct jobs *j);
void jobs_finish(struct jobs *j);
// Runs a copy of *first, or lets it wait. False when it was dropped: a fan-out of a message, or an ANNOUNCE, when too
// many wait already.
bool job_start(struct bridge *b, struct effects *out, const struct job *first);
void jobs_work(struct bridge *b, struct effects *out);
bool jobs_waiting(const struct bridge *b); // some job could go on now
bool jobs_bulk(const struct bridge *b);    // some bulk work waits, able to go on or not
// The one of this kind that waits about this component (identity), NULL for none.
struct job *jobs_find(const struct bridge *b, enum job_kind kind, uint16_t component, uint32_t identity);
// Ends, undone, what waits to be sent by a component: all its fan-outs, and the push.
void jobs_drop_component(struct bridge *b, uint16_t component);
// What is about to be removed; jobs that point to it step over it or end.
void jobs_forget_sub(struct bridge *b, const struct sub *s);
void jobs_forget_client(struct bridge *b, const struct client *c);
void jobs_forget_occupant(struct bridge *b, const struct occupant *o);
void jobs_forget_identity(struct bridge *b, const struct identity *id);

/* Each returns true when the job is done. */
bool presence_run(struct bridge *b, struct job *j, struct effects *out);
bool message_run(struct bridge *b, struct job *j, struct effects *out);
bool room_welcome_run(struct bridge *b, struct job *j, struct effects *out);
bool room_say_run(struct bridge *b, struct job *j, struct effects *out);
bool push_run(struct bridge *b, struct job *j, struct effects *out);
bool review_run(struct bridge *b, struct job *j, struct effects *out);
bool survey_run(struct bridge *b, struct job *j, struct effects *out);
bool offer_run(struct bridge *b, struct job *j, struct effects *out);
bool announce_run(struct bridge *b, struct job *j, struct effects *out);
bool leave_run(struct bridge *b, struct job *j, struct effects *out);
bool erase_run(struct bridge *b, struct job *j, struct effects *out);
bool forget_run(struct bridge *b, struct job *j, struct effects *out);
bool gone_run(struct bridge *b, struct job *j, struct effects *out);
bool shutdown_run(struct bridge *b, struct job *j, struct effects *out);

#endif
