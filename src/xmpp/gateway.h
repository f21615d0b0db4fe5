/* Stanzas to events and back, for one component domain, and all answers that change nothing: disco, caps, ping,
 * version, last activity, vCard, forms.
 *
 * Every request is answered: with what it asked for, or the right error (RFC 6120 section 8.2.3). Nothing is answered
 * to an error or a result. Foreign XML is never copied through: what goes out is built anew.
 *
 * To whom an identity may not be seen, every answer is the same, byte for byte, as for one that does not exist. A
 * stanza for a domain that is not ours is counted, never answered: the answer's `from` would end the stream.
 *
 * The fields of EV_COMMAND are checked against the command's form and come in normal form: see form.h. */
#ifndef SPANDREL_XMPP_GATEWAY_H
#define SPANDREL_XMPP_GATEWAY_H

#include "base/log.h"
#include "base/rng.h"
#include "base/strbuf.h"
#include "core/view.h"
#include "xml/xml_node.h"
#include "xml/xml_writer.h"

struct gateway;

struct avatar { // image bytes of a class
    struct str mime;
    struct str bytes;
    struct str sha1; // lower-case hex
};

// Whom the gateway asks. `ud` comes first; user is the asker's full JID. Results are borrowed until the next call.
struct gateway_host {
    void (*event)(void *ud, const struct event *ev); // a stanza that changes something; may call gateway_send()
    enum err (*find)(void *ud, const struct jid *user, const struct jid *to, struct identity_view *out);
    // Any *at may come, not only 0 and those that were handed out before.
    bool (*next)(void *ud, uint16_t component, const struct jid *user, uint32_t *at, struct identity_view *out);
    unsigned (*rights)(void *ud, uint16_t component, const struct jid *user);
    bool (*registered)(void *ud, uint16_t component, const struct jid *user);
    enum err (*describe)(void *ud, const struct identity_view *id, struct description *out);
    // Commands that this user may run on an identity, or on the component itself (id NULL).
    size_t (*commands)(void *ud, uint16_t component, const struct jid *user, const struct identity_view *id,
                       const struct command **out);
    // jabber:iq:gateway: what to type, and the JID for what was typed (ERR_NOTFOUND).
    struct str (*prompt)(void *ud, uint16_t component);
    enum err (*resolve)(void *ud, uint16_t component, const struct jid *user, struct str typed, struct arena *a,
                        struct jid *out);
    const struct avatar *(*avatar)(void *ud, struct str cls); // never NULL: a default stands in
    // Types of the gateway identity, "mqtt", ...: those of the component's adapters. False at the end.
    bool (*gateway_type)(void *ud, uint16_t component, size_t at, struct str *type);
    // Whether user is in the room under the nick that is its resource (XEP-0410). NULL: nobody is in a room.
    bool (*occupant)(void *ud, const struct jid *user, const struct jid *room);
    // What `to` is in the room elsewhere that `from` speaks for (the room itself, or an occupant). NULL: we are in
    // none.
    enum guest_ear (*guest)(void *ud, const struct jid *to, const struct jid *from);
};

struct gateway_config {      // copied
    struct str domain, name; // name: for disco and vCard
    uint16_t component;      // event.component
    uint64_t seed;
    int64_t started; // wall ms, for XEP-0012 of the component itself
};

struct gateway *gateway_create(const struct gateway_config *cfg, const struct gateway_host *host, void *ud,
                               const struct log_ctx *log);
void gateway_destroy(struct gateway *g);
void gateway_rename(struct gateway *g, struct str name);

// One stanza that came in. Answers are appended to `out`; what changes something goes to host->event(). `arena` is the
// caller's, reset after the call.
void gateway_stanza(struct gateway *g, const struct xml_node *stanza, struct arena *arena, struct strbuf *out,
                    int64_t now, int64_t wall);
// A stanza over the byte bound: its sender is told.
void gateway_oversize(struct gateway *g, const struct xml_node *head, struct arena *arena, struct strbuf *out);
// One EFFECT_NORTH. ERR_LIMIT when it does not fit and was not sent: what was too long is cut before that, with a mark,
// so this means a full output buffer. ERR_BADJID: its address is none, or not in our domain.
//
// CHECK and CATCHUP are answered by one CHECKED and CAUGHT_UP each, unless they were not sent (see gateway_ask()) or
// the link goes down first. The nick of ENTER is prepared here: ERR_BADJID when it can be none.
//
// A BOUNCE to the occupant of a room in which its sender is a guest is not sent, unless it is about a request: servers
// throw out who sends errors into a room.
//
// RESULT and BOUNCE answer a request: they carry its id, user and to unchanged, its kind in `about`, and for a COMMAND
// its `command`. AVAILABLE and SUBSCRIBE carry identity, cls and name of whom they speak for.
enum err gateway_send(struct gateway *g, const struct event *ev, struct arena *arena, struct strbuf *out) MUST_CHECK;

/* IQ requests of our own. */

// Once, and never from inside gateway_ask(): ERR_OK with the result; the error that came back, with its text, in `iq`
// too; ERR_TIMEOUT or ERR_OFFLINE (the link went down) with `iq` NULL. It may ask anew.
typedef void gateway_answer(void *ud, enum err e, struct str text, const struct xml_node *iq);

struct gateway_request {                             // borrowed for the call
    struct str from;                                 // a JID of ours; empty: the component itself
    struct str to;                                   // a JID: only from there an answer counts, and to `from`
    const char *type;                                // "get" or "set"
    void (*payload)(struct xml_writer *w, void *ud); // writes the one child
    int64_t timeout;                                 // ms
    gateway_answer *answer;
    void (*release)(void *ud); // when it is over, answered or not; NULL: nothing
    void *ud;
};

// ERR_BADJID; ERR_AGAIN: too many are under way; ERR_LIMIT: it does not fit. Nothing is answered or released then.
enum err gateway_ask(struct gateway *g, const struct gateway_request *ask, struct strbuf *out, int64_t now) MUST_CHECK;
// No answer to requests with this ud follows.
void gateway_unask(struct gateway *g, const void *ud);
// Ends requests that were not answered in time; and all, when the link is down.
void gateway_tick(struct gateway *g, int64_t now);
void gateway_down(struct gateway *g);
// When gateway_tick() is to be called, which may be sooner than the first request ends; INT64_MAX: there is none.
int64_t gateway_deadline(const struct gateway *g);

struct gateway_stat {
    uint64_t in, out, errors_in, errors_out, encrypted_refused, foreign_domain, malformed;
    uint64_t unheard; // what guests get that do not listen, and nobody looks at
};
void gateway_stat(const struct gateway *g, struct gateway_stat *out);

#endif
