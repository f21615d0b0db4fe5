/* What the fakes do together: so many stanzas or publishes, as fast as the bridge takes them or paced, until as many
 * answers have come, or those that are asked for. */
#ifndef SPANDREL_BENCH_JOB_H
#define SPANDREL_BENCH_JOB_H

#include "http_peer.h"
#include "mqtt_peer.h"
#include "xmpp_peer.h"

struct job_kind;

struct job {
    const struct job_kind *kind; // NULL: none runs
    uint64_t count, devices, users, base, qos, gap_us;
    uint64_t keys;   // of webhooks: with an Idempotency-Key each
    uint64_t window; // stanzas without an answer: an adapter takes 256 commands at a time
    uint64_t wanted; // answers that end it
    uint64_t sent;
    int64_t began, next; // us
    int64_t *asked;      // owned: by device, when its question went out
    int64_t *took;       // owned: by answer
    size_t answers;
    unsigned connections; // the XMPP link's when it began
};

struct peers {
    struct xmpp_peer xmpp;
    struct mqtt_peer mqtt;
    struct http_peer http;
    struct job job;
};

int64_t job_clock(void); // us
// "KIND count=N [name=N...]"; false when it is not understood.
bool job_start(struct peers *p, struct str line);
// Sends what may be sent now. True when all is done: the job ends and its result is appended to `out`.
bool job_work(struct peers *p, struct strbuf *out);
// Milliseconds until it wants to go on by itself, -1: when something comes.
int job_wait(const struct peers *p);
// The counters so far.
void job_counts(const struct peers *p, struct strbuf *out);

#endif
