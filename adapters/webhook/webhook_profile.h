/* Profiles: what a service posts, turned into what is to be said; and the answer that this service understands.
 *
 * Pure: no clock, no I/O, no state. A profile never loses what it cannot read: a payload of another shape than the
 * service documents is said generically (its JSON, short), a template that fails gives way to the profile's own
 * rendering. Refused is only what is malformed (400), too deep or too large (413), of a type that nobody can read
 * (415), asks for what chat cannot do or has nothing to say (422), or goes to a path that the service does not have
 * (404, 405).
 *
 * The caller: webhook_profile_resolve() once the head is there (its overload and error answers are needed from then
 * on), webhook_profile_read() with the body, one message for each post, then webhook_profile_success(). */
#ifndef SPANDREL_WEBHOOK_PROFILE_H
#define SPANDREL_WEBHOOK_PROFILE_H

#include "base/arena.h"
#include "base/err.h"
#include "net/http.h"
#include "text/mustache.h"

enum {
    WEBHOOK_POSTS_MAX = 64,            // of one request; the last one tells how many there were more
    WEBHOOK_FILES_MAX = 16,            // of one post
    WEBHOOK_TO_MAX = 16,               // addressees of one post
    WEBHOOK_TEXT_MAX = 64 * 1024,      // bytes of a body; what is longer is cut with a mark
    WEBHOOK_PAYLOAD_MAX = 1 << 20,     // bytes of JSON or form that are read, and of text
    WEBHOOK_BODY_MAX = 25 * (1 << 20), // bytes of a multipart body
    WEBHOOK_DEPTH_MAX = 64,            // arrays and objects within each other
    WEBHOOK_NICK_MAX = 80,             // characters
    WEBHOOK_KEY_MAX = 512,             // bytes; longer ones are hashed
    WEBHOOK_ANSWER_HEADERS = 4,
};

struct webhook_profile; // one of the table

// --- the table ---

// "native", "slack", "auto", ...; NULL when there is none of that name.
const struct webhook_profile *webhook_profile_find(struct str name);
const char *webhook_profile_name(const struct webhook_profile *p);
// In the order of their names, for docs and the schema; NULL behind the last.
const struct webhook_profile *webhook_profile_at(size_t i);

// --- what comes in ---

// Borrowed for the calls, and by what they return.
struct webhook_input {
    struct str method;          // "POST"
    const struct str *segments; // of the path, behind the hook's name and token, each decoded; "" for a closing "/"
    size_t segment_count;       //
    struct str query;           // as sent, behind the "?"
    const struct http_header *headers; // as sent
    size_t header_count;
    struct str body;                       // complete
    int64_t wall;                          // ms since 1970: when it came
    const struct webhook_profile *settled; // by webhook_profile_settle(); NULL before
    size_t settled_used;                   // segments that named it
};

// What posts of one key become.
enum webhook_update {
    WEBHOOK_UPDATE_GROUP,       // the profile's own key: a group of alerts, a pipeline, a CI run
    WEBHOOK_UPDATE_FINGERPRINT, // one post for each alert (alertmanager, grafana); the others as GROUP
    WEBHOOK_UPDATE_PATH,        // the key is what the payload has at `key_path`; none there: no key
    WEBHOOK_UPDATE_OFF,         // no keys but those that the sender names as such (native)
};

struct webhook_template {
    struct str event; // "push", "pull_request", ...: webhook_outcome.event; empty for all others
    const struct mustache *text;
};

// The hook's; borrowed for the calls. Zeroes and NULL stand for nothing set.
struct webhook_settings {
    const struct webhook_template *templates; // the first that fits
    size_t template_count;
    enum webhook_update update;
    struct str key_path; // json_at()
    bool plain;          // native, text and form: text without a format is plain, not styled
};

// --- what is to be done ---

enum webhook_act {
    WEBHOOK_SAY,     // a message
    WEBHOOK_REPLACE, // the message `id` is now this (PATCH, native "replace")
    WEBHOOK_RETRACT, // the message `id` is taken back (DELETE); nothing else is set
};

enum webhook_mode {
    WEBHOOK_POST,   // a new message
    WEBHOOK_UPSERT, // of `key`: the first is a message, later ones correct it
    WEBHOOK_REPLY,  // of `key`: later ones answer the first; without a key, to `reply_to`
    WEBHOOK_THREAD, // of `key`: all in one thread, `thread` or one made of the key
};

struct webhook_file {
    struct str url;  // http or https; empty where `data` is
    struct str name; // for display, without a path; may be empty
    struct str type; // media type, lower case, without parameters; may be empty
    struct str data; // bytes, borrowed from the body; p is NULL where `url` is
};

struct webhook_post {
    enum webhook_act act;
    enum webhook_mode mode;
    struct str body;    // message styling (XEP-0393), clean; empty only where there are files
    struct str subject; // one line, or empty
    struct str lang;    // RFC 5646, or empty
    struct str nick;    // wishes: one line of at most WEBHOOK_NICK_MAX characters; http(s) URL. Or empty
    struct str avatar;
    struct str key;       // empty: none
    bool final;           // nothing more is to come of this key (resolved): the next begins anew
    struct str id;        // REPLACE, RETRACT: as we gave it out in an answer
    struct str reply_to;  // an id of ours or of the room, or empty
    struct str thread;    // or empty
    const struct str *to; // wishes: JIDs, or channels as the service names them ("#ops", "@ann"); none: the hook's
    size_t to_count;
    const struct str *mentions; // nicks, without "@"
    size_t mention_count;
    const struct webhook_file *files;
    size_t file_count;
    int64_t ttl;    // ms after which it is not worth saying any more; 0: as configured
    bool transient; // not to be kept in archives (native "hints": {"store": false})
};

struct webhook_problem {
    int status;         // 400, 404, 405, 413, 415, 422
    struct str detail;  // UTF-8, a sentence: "line 3, column 7: '}' expected near 'x'"
    struct str pointer; // RFC 6901 into the payload, or empty: "/attachments/0/url"
    const char *code;   // what the service itself calls it: "no_text"; NULL for what fits the status
};

struct webhook_outcome {
    const struct webhook_profile *profile; // that has read it, never "auto"
    struct webhook_problem problem;        // status 0: there is none
    bool handshake;                        // nothing is to be said, answer with success at once (ping, OPTIONS)
    struct str event;                      // "push", "alert.firing": for logs and templates; may be empty
    struct str delivery;                   // the sender's id of this delivery, for deduplication; may be empty
    struct str warning;                    // for the log: why a template gave way, what was not read; may be empty
    bool wait;                             // the sender wants the message in the answer (discord's ?wait=true)
    struct webhook_post *posts;            // in order
    size_t count;    // 0 only with a problem, a handshake, or an event that says nothing ("status" of a stream)
    struct str echo; // members of the answer that repeat the request; for webhook_profile_success()
    bool generic;    // the payload was not of the profile's shape
};

// As webhook_profile_resolve(), once for all calls about this request: the others do not look again.
const struct webhook_profile *webhook_profile_settle(const struct webhook_profile *configured,
                                                     struct webhook_input *in);
// The profile that reads this request: the configured one, or the one that the path names where the configured one lets
// it ("auto": all; discord: /slack, /github), or what the headers tell where that is "auto"; it may still be "auto"
// when only the body can tell. `configured` may be NULL for "auto". The body is not looked at.
const struct webhook_profile *webhook_profile_resolve(const struct webhook_profile *configured,
                                                      const struct webhook_input *in);
// Whether that profile has this method at all, and in *allow which ones ("POST, PUT"): 405 otherwise. OPTIONS is asked
// too: CloudEvents' handshake is one.
bool webhook_profile_method(const struct webhook_profile *configured, const struct webhook_input *in,
                            const char **allow);
// Bytes of body that may be taken: WEBHOOK_PAYLOAD_MAX, or WEBHOOK_BODY_MAX where files come with it.
size_t webhook_profile_body_max(const struct webhook_profile *configured, const struct webhook_input *in);

// Reads the request. All that *out points to lives in the arena or in `in`. It always ends in posts, a handshake or a
// problem; time is linear in the body, memory bounded by a small multiple of it.
void webhook_profile_read(const struct webhook_profile *configured, const struct webhook_settings *settings,
                          const struct webhook_input *in, struct arena *a, struct webhook_outcome *out);

// --- answers ---

struct webhook_answer {
    int status;
    struct http_header headers[WEBHOOK_ANSWER_HEADERS]; // with Content-Type, where there is a body
    size_t header_count;
    struct str body;
};

struct webhook_accepted {
    const struct str *ids; // of each post, as given out to senders ("msg_01J..")
    size_t count;
    struct str self;      // URL path of the first one ("/v1/messages/msg_01J.."), or empty: then no Location
    bool confirmed;       // all were seen in the room, not only queued
    struct str stanza_id; // of the first one, when confirmed; may be empty
};

// The answer for an outcome without a problem; also for handshakes (`ok->count` 0).
void webhook_profile_success(const struct webhook_outcome *o, const struct webhook_input *in,
                             const struct webhook_accepted *ok, struct arena *a, struct webhook_answer *out);
// The answer for a problem, of the profile or of the caller's own (401, 403, 404, 410, 429, 503, ...), in the shape
// that the service's clients parse; RFC 9457 for those that read none. `retry_after` in seconds becomes Retry-After,
// and is told in the body where the service does so; 0: none. 429 becomes 503 where webhook_profile_overload() says so.
void webhook_profile_refuse(const struct webhook_profile *p, const struct webhook_problem *problem, int64_t retry_after,
                            struct arena *a, struct webhook_answer *out);
// 503 for senders that give up on 429, else 429. `p` as resolved; "auto" and NULL: 503.
int webhook_profile_overload(const struct webhook_profile *p);

#endif
