/* What the files of the uploads share. */
#ifndef SPANDREL_APP_UPLOADS_PRIVATE_H
#define SPANDREL_APP_UPLOADS_PRIVATE_H

#include "app/uploads.h"
#include "base/list.h"
#include "base/ratelimit.h"
#include "xmpp/upload.h"

enum { SHA256_BYTES = 32, UPLOADS_USERS = 256, UPLOADS_TOLD = 256 };

// Why a file did not get there.
enum upload_failure {
    UPLOAD_NOWHERE,   // there is no service
    UPLOAD_FORBIDDEN, // it does not let us
    UPLOAD_FULL,      // a quota: it may be tried again later
    UPLOAD_REFUSED,   // another error of the service
    UPLOAD_HTTP,      // the PUT went wrong
    UPLOAD_LARGE,     // of this file alone, like all below: no outage
    UPLOAD_LATE,
    UPLOAD_OFFLINE, // the link to the XMPP server is down
    UPLOAD_FAILURES
};

enum uploads_service {
    SERVICE_UNKNOWN,
    SERVICE_ITEMS,   // the domain above is asked what it has
    SERVICE_FINDING, // each of these is asked what it does
    SERVICE_FOUND,
    SERVICE_NONE, // until find_at
};

struct upload_candidate {
    struct uploads *uploads;
    char *jid; // owned
};

struct upload_url { // one that may be used again
    uint8_t sum[SHA256_BYTES];
    char *url; // owned
    int64_t until;
};

struct upload_user {
    char *bare; // owned
    struct ratelimit rate;
    int64_t used;
};

enum upload_state { UPLOAD_WAITS, UPLOAD_ASKS, UPLOAD_PUTS };

struct upload { // a file
    struct list_node node;
    struct uploads *uploads;
    enum upload_state state;
    uint8_t sum[SHA256_BYTES]; // of bytes and media type
    struct arena arena;        // what follows
    struct str bytes, media, name;
    const struct event *events[UPLOADS_EVENTS]; // without the file
    size_t event_count;
    struct str get; // URL, once there is a slot
    int64_t deadline, begin_at;
    struct http_call *call;
};

struct uploads {
    struct uploads_host host;
    void *ud;
    const struct log_ctx *log;
    char *domain, *wanted, *ca_file; // owned; the last two may be NULL
    int64_t reuse;
    bool up;

    enum uploads_service state;
    char *service;   // owned; SERVICE_FOUND
    uint64_t max;    // bytes it takes
    int64_t find_at; // SERVICE_NONE: when it is looked for again
    char *why;       // owned: what is wrong with it, for people; NULL: nothing is known to be
    struct upload_candidate candidates[UPLOAD_ITEMS + 1];
    size_t candidate_count, unanswered;

    struct list_node files; // struct upload, in the order in which they came
    size_t count, bytes, running;
    enum upload_failure told; // that the admins know of; UPLOAD_FAILURES: none
    bool told_large;
    char *told_keys[UPLOADS_TOLD]; // owned: whose subscribers know that there are no pictures now
    struct upload_url urls[UPLOADS_URLS];
    struct upload_user users[UPLOADS_USERS];
    struct uploads_stat stat;
};

// uploads_find.c: begins to look for a service.
void uploads_find(struct uploads *u);
// Forgets what it knows, and what it has asked.
void uploads_lose(struct uploads *u);
void uploads_find_finish(struct uploads *u);
// Its name, for people.
const char *uploads_service(const struct uploads *u);
// What is wrong with the service, for the status.
void uploads_blame(struct uploads *u, struct str why);

// uploads_memory.c: URLs that may be used again, who asked how often, who was told of an outage.
const char *uploads_known(const struct uploads *u, const uint8_t sum[SHA256_BYTES]); // NULL: none
void uploads_remember(struct uploads *u, const uint8_t sum[SHA256_BYTES], struct str url);
bool uploads_may(struct uploads *u, const struct jid *user);
// Whether the subscribers of this contact are to be told that a file of it failed: once until one gets there.
bool uploads_first_failure(struct uploads *u, struct str key);
void uploads_success(struct uploads *u, struct str key);
void uploads_forget_urls(struct uploads *u);
void uploads_memory_finish(struct uploads *u);

#endif
