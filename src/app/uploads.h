/* Files on their way to users: by HTTP upload (XEP-0363) to a service of the XMPP server, and on as a URL.
 *
 * One for each component link. A file is taken with the event that brings it; the event comes back without it, later
 * and exactly once: with a URL, or with a text that says why there is none. Nothing else waits for that. */
#ifndef SPANDREL_APP_UPLOADS_H
#define SPANDREL_APP_UPLOADS_H

#include "base/log.h"
#include "core/event.h"
#include "net/http_client.h"
#include "xmpp/gateway.h"

enum {
    UPLOADS_WAITING = 64,             // files, ...
    UPLOADS_BYTES = 32 * 1024 * 1024, // ... and bytes of them, that may wait
    UPLOADS_AT_ONCE = 2,              // under way
    UPLOADS_EVENTS = 64,              // that wait for one file
    UPLOADS_MS = 45000,               // from the event to its end: less than a question to an adapter may take
    UPLOADS_ASK_MS = 10000,           // of one request to the service
    UPLOADS_PUT_MS = 30000,           // of one PUT
    UPLOADS_FIND_MS = 60000,          // until a service is looked for again
    UPLOADS_BURST = 10,               // files that a user may ask for at once, ...
    UPLOADS_RATE_S = 6,               // ... and then one in so many seconds
    UPLOADS_URLS = 128,               // that may be used again
};

struct uploads_config {  // borrowed for the call, copied
    struct str domain;   // the component's own
    struct str service;  // empty: looked for among what the domain above has
    const char *ca_file; // NULL: the system's authorities
    int64_t reuse;       // ms for which the URL of an upload is used again for the same bytes
};

struct uploads_host { // what it needs of its owner; none of them calls back at once
    int64_t (*now)(void *ud);
    int64_t (*wall)(void *ud);
    enum err (*ask)(void *ud, const struct gateway_request *r); // as gateway_ask()
    void (*unask)(void *ud, const void *asker);
    enum err (*send)(void *ud, const struct http_request *r, http_done *done, void *done_ud, struct http_call **out,
                     struct errmsg *msg); // as http_send()
    void (*cancel)(void *ud, struct http_call *call);
    void (*done)(void *ud, const struct event *ev); // the event is ready to go on
    void (*notice)(void *ud, struct str text);      // for the admins, once an outage
    void (*changed)(void *ud);                      // uploads_work() is to be called
};

struct uploads;

struct uploads *uploads_create(const struct uploads_config *cfg, const struct uploads_host *host, void *ud,
                               const struct log_ctx *log);
void uploads_destroy(struct uploads *u);
// Another service is looked for at once; what an earlier one has is not used again.
void uploads_configure(struct uploads *u, const struct uploads_config *cfg);

// MESSAGE or DELIVERED with its bytes in `blob`, its media type and name, and in `body` what it is called. `user`: who
// asked for it, if anybody did. Copies.
void uploads_take(struct uploads *u, const struct event *ev);
// Keeps nothing of this user (bare JID); what is under way for him ends by itself.
void uploads_forget(struct uploads *u, struct str bare);
void uploads_link(struct uploads *u, bool up);
void uploads_work(struct uploads *u);
int64_t uploads_deadline(const struct uploads *u); // monotonic ms; INT64_MAX for none

struct uploads_stat {
    uint64_t sent, reused, failed;
    size_t waiting, bytes;
};
void uploads_stat(const struct uploads *u, struct uploads_stat *out);
// For people: "upload.example.org; 12 sent, 3 used again, 1 failed", or what is wrong and what to do; in the arena.
struct str uploads_status(const struct uploads *u, struct arena *a);

#endif
