/* The neutral event: what the XMPP side, the adapters and the core say to each other.
 *
 * Words of this file belong to no protocol. An event borrows all its strings for the length of the call it is handed
 * to; who keeps one copies it (event_copy). The time is inside the event: the core reads no clock. */
#ifndef SPANDREL_CORE_EVENT_H
#define SPANDREL_CORE_EVENT_H

#include "base/arena.h"
#include "base/err.h"
#include "text/jid.h"

// N: from the XMPP side into the core; n: from the core to the XMPP side. A: from an adapter into the core; a: from the
// core to an adapter. O: from the operations table or the app into the core.
#define EVENT_LIST(X)                                                                                                  \
    X(MESSAGE, "message")           /* N n A a: text to or from a contact or a room */                                 \
    X(TYPING, "typing")             /* N n A a: `typing` tells which state (XEP-0085) */                               \
    X(RECEIPT, "receipt")           /* n: `id` has reached the far side (XEP-0184) */                                  \
    X(BOUNCE, "bounce")             /* N: what we sent came back as an error; n: an error in answer to `id` */         \
    X(AVAILABLE, "available")       /* N: a user's; n: an identity's; A: an identity's, with show and text */          \
    X(UNAVAILABLE, "unavailable")   /* N n A */                                                                        \
    X(SUBSCRIBE, "subscribe")       /* N n */                                                                          \
    X(SUBSCRIBED, "subscribed")     /* N n */                                                                          \
    X(UNSUBSCRIBE, "unsubscribe")   /* N n */                                                                          \
    X(UNSUBSCRIBED, "unsubscribed") /* N n */                                                                          \
    X(PROBE, "probe")               /* N n */                                                                          \
    X(JOIN, "join")                 /* N: a user into a room as `nick`; n A: an occupant `nick` is there; a */         \
    X(PART, "part")                 /* N n A a */                                                                      \
    X(SUBJECT, "subject")           /* N n A a: of a room, in `body` */                                                \
    X(REGISTER, "register")         /* N O: a user registers with the gateway (XEP-0077) */                            \
    X(UNREGISTER, "unregister")     /* N O */                                                                          \
    X(ENTER, "enter")               /* n: `to`, our guest, asks to enter the room `user` (bare) elsewhere as `nick` */ \
    X(ENTERED, "entered")           /* N: `user`, an occupant of a room elsewhere, is there, says our guest `to` */    \
    X(OPEN, "open")           /* n: `to`, our guest, takes the room `user` as it was made for it (XEP-0045 10.1.2) */  \
    X(LEAVE, "leave")         /* n: `to`, our guest, leaves the room `user` (with its nick there) */                   \
    X(LEFT, "left")           /* N: `user` is there no more; `marks` and `body` say why */                             \
    X(SAY, "say")             /* n: our guest `to` says something in the room `user` (bare) */                         \
    X(INVITED, "invited")     /* N: the room `user` (bare) asks our guest `to` in, as somebody there wishes */         \
    X(HEARD, "heard")         /* N: `user` has said something in the room; our guest `to` heard it */                  \
    X(CHECK, "check")         /* n: whether our guest `to` is in the room as `user` (XEP-0410); `number` */            \
    X(CHECKED, "checked")     /* N: the answer to CHECK `number`: `err` */                                             \
    X(CATCHUP, "catch-up")    /* n: what the archive of the room `user` (bare) has since `stamp`; `number` */          \
    X(CAUGHT_UP, "caught-up") /* N: the end of the answer to CATCHUP `number`: `err`; it came as HEARD */              \
    X(SETTLED, "settled")     /* a: the message `id` has arrived (`reply`: the room's id) or never will: `err` */      \
    X(PARKED, "parked")       /* a: the room `user` cannot be entered as `key`: `err`, `body`; ERR_OK: it was */       \
    X(RESULT, "result")       /* n: positive answer to the request `id` (IQ or command), text in `body` */             \
    X(COMMAND, "command")     /* N a: a command of an identity with form fields */                                     \
    X(IDENTITY, "identity")   /* A: an identity exists, or its name, class or group changed */                         \
    X(FORGET, "forget")       /* A O a: an identity exists no more; its subscribers are told */                        \
    X(STATE, "state")         /* A: a row of the adapter's own state to keep (empty `blob`: to drop) */                \
    X(BARRIER, "barrier")     /* A: nothing but its token: what was posted before it has been taken */                 \
    X(FENCE, "fence")         /* n: `number` is to come back once the server has taken all that went before */         \
    X(FENCED, "fenced")       /* N: the fence `number` has come back */                                                \
    X(STARTED, "started")     /* N: the server of `component` runs since `stamp` (wall ms); 0: nobody knows */         \
    X(LOADED, "loaded")       /* O: record `number` of the lane `name`; without `id`: the end of what was read */      \
    X(RETRY, "retry")         /* O: letter `number` is tried now; 0: all of `name`, an adapter or a user */            \
    X(REPLAY, "replay")       /* O: the same, also of what nobody tries any more */                                    \
    X(DISCARD, "discard")     /* O: the letter `number` is not wanted any more; 0: as above; A: see below */           \
    X(LINK_UP, "link-up")     /* N A: a component stream or an adapter's link works */                                 \
    X(LINK_DOWN, "link-down") /* N A: it does not; `err`, `body` say why */                                            \
    X(CONGESTED, "congested") /* O: the output of `component` is full: bulk work and fan-outs on it wait */            \
    X(DRAINED, "drained")     /* O: it has room again */                                                               \
    X(NOTICE, "notice")       /* A: `body` is for those who operate the bridge */                                      \
    X(DELIVERED, "delivered") /* A: outcome of `token`: the far side has it; an answer for people in `body` */         \
    X(FAILED, "failed")       /* A a: outcome of `token`: `err`, text in `body` */                                     \
    X(JOURNALED, "journaled") /* a: the event posted with `token` is taken, with EVENT_DURABLE durable */              \
    X(REFUSED, "refused")     /* a: the event posted with `token` was not taken; `err` */                              \
    X(OFFER, "offer")         /* O: ask `user` to subscribe to `key`/`to` */                                           \
    X(WITHDRAW, "withdraw")   /* O: end all between `user` and `to` */                                                 \
    X(ERASE, "erase")         /* O: end all with `user`, and keep nothing of him */                                    \
    X(APPROVE, "approve")     /* O: a quarantined identity `to` becomes visible */                                     \
    X(GRANT, "grant")         /* O: add the access rule in `rule` */                                                   \
    X(REVOKE, "revoke")       /* O: remove the access rule numbered `number` */                                        \
    X(TICK, "tick")           /* O: the deadline of bridge_deadline() has come, or MORE was said */                    \
    X(SHUTDOWN, "shutdown")   /* O: tell all subscribers that all is unavailable */

enum event_kind {
#define EVENT_ENUM(name, text) EV_##name,
    EVENT_LIST(EVENT_ENUM)
#undef EVENT_ENUM
        EV_COUNT
};

// RFC 6121 section 4.7.2.1, plus what is no presence at all.
enum show { SHOW_OFFLINE, SHOW_XA, SHOW_AWAY, SHOW_ONLINE, SHOW_CHAT, SHOW_DND };

enum typing { TYPING_ACTIVE, TYPING_COMPOSING, TYPING_PAUSED, TYPING_INACTIVE, TYPING_GONE };

enum identity_kind { IDENTITY_CONTACT, IDENTITY_ROOM, IDENTITY_KINDS };

// Rights, adapter-neutral. Each but RIGHT_SEE is worth something only together with RIGHT_SEE.
enum right {
    RIGHT_SEE = 1,       // know that it exists: browse, subscribe, presence
    RIGHT_READ = 2,      // get its messages and readings
    RIGHT_SEND = 4,      // talk to it, ask it
    RIGHT_COMMAND = 8,   // change it
    RIGHT_REGISTER = 16, // register with the gateway
    RIGHT_ADMIN = 32,    // operate the bridge
};

// How a message is addressed (RFC 6121 section 5.2.2).
enum message_type { MESSAGE_CHAT, MESSAGE_NORMAL, MESSAGE_GROUPCHAT, MESSAGE_HEADLINE };

enum event_flag {
    EVENT_RECEIPT_WANTED = 1, // the sender asks for a receipt (XEP-0184)
    EVENT_ENCRYPTED = 2,      // end-to-end encrypted: what body there is must not be forwarded
    EVENT_JOIN = 4,           // AVAILABLE from a user that asks to enter a room
    EVENT_SNAPSHOT = 8,       // not news: state as it was (retained, restored, history)
    EVENT_QUARANTINE = 16,    // IDENTITY: not to be seen before an admin approves
    EVENT_DURABLE = 32,       // posted by an adapter that holds an acknowledgement for it
    EVENT_SELF = 64,          // JOIN/PART/MESSAGE n: about the receiver itself
    EVENT_HIDDEN_BODY = 128,  // log no length, no body
    EVENT_AGAIN = 256,        // MESSAGE A: it may have been posted before, under this id
    EVENT_RETRACT = 512,      // MESSAGE A, SAY n: `replace` is taken back (XEP-0424)
    EVENT_TELL = 2048,    // MESSAGE A, durable: the adapter wants SETTLED (of rooms it gets one anyway), and REFUSED
                          // with ERR_AGAIN where its answer would wait for room
    EVENT_SUBJECT = 1024, // HEARD N: the room's subject, in `body`; it ends what the room tells who enters
};

// What the presence of an occupant elsewhere says beside itself: status codes of XEP-0045 section 15.6.2, as a set.
enum mark {
    MARK_SELF = 1,         // 110: it is about our guest itself
    MARK_RENAMED = 2,      // 210: the room has given it another nick: `user` has it
    MARK_CREATED = 4,      // 201: the room was made for it, and waits for its owner
    MARK_BANNED = 8,       // 301
    MARK_NICK = 16,        // 303: he goes on as `name`
    MARK_KICKED = 32,      // 307
    MARK_AFFILIATION = 64, // 321: no member any more
    MARK_MEMBERS = 128,    // 322: the room is for members alone now
    MARK_SHUTDOWN = 256,   // 332: the service goes down
    MARK_ERROR = 512,      // 333: an error of the connection
    MARK_DESTROYED = 1024, // the room is no more; `name` is the one to go to, or empty
};

enum affiliation { AFFILIATION_NONE, AFFILIATION_OUTCAST, AFFILIATION_MEMBER, AFFILIATION_ADMIN, AFFILIATION_OWNER };
enum role { ROLE_NONE, ROLE_VISITOR, ROLE_PARTICIPANT, ROLE_MODERATOR };

struct event_field { // of a form
    struct str name;
    struct str value;
};

struct event {
    enum event_kind kind;
    enum event_kind about; // RESULT, BOUNCE: what kind of event `id` was
    unsigned flags;        // enum event_flag
    int64_t now;           // monotonic ms
    int64_t wall;          // ms since 1970; for MESSAGE with `stamp` the time of arrival
    uint64_t token;        // joins a request with its outcome; 0: no outcome wanted
    uint64_t number;       // REVOKE
    uint16_t adapter;      // instance (1..), 0 when it is about none
    uint16_t component;    // component link (1..) it came by or goes out on, 0 when it is about none
    unsigned rights;       // a: what the user may do with the identity (enum right)

    struct jid
        user;       // the XMPP user: full where a resource is known, bare otherwise; domain empty when it is about none
    struct jid to;  // the virtual JID (N: as addressed; n: as it answers), with resource where there is one
    struct str key; // the adapter's own name for the identity: permanent, opaque to the core
    struct str id;  // stanza id (N n), message id of the far side (A)

    struct str body;  // text, subject, reason, answer
    struct str nick;  // of a room occupant; of an identity in SUBSCRIBE n
    int64_t stamp;    // when it was said, if not now (wall ms), else 0 (XEP-0203)
    int64_t accepted; // LOADED: when it was taken (wall ms)
    enum err err;
    enum show show;
    enum typing typing;
    enum message_type type;

    // IDENTITY, and n where presence or a subscription speaks for an identity
    enum identity_kind identity;
    struct str
        name; // for display; PART n a: the nick that the occupant `nick` has from now on, when he only changed it
    struct str wish;  // text to mint the localpart from, when it is new
    struct str cls;   // device class or the like: chooses the avatar; [a-z0-9_]{0,31}
    struct str group; // "area" or the like; may be empty

    struct str command; // COMMAND: its node
    const struct event_field *fields;
    size_t field_count;

    // Of a file: MESSAGE and DELIVERED bring its bytes in `blob` from an adapter, its name in `name`, and what it is
    // called if it cannot be shown in `body`; to the core and the users come either where it is to be had or a text.
    struct str media; // type, "image/jpeg"
    struct str url;

    // Of rooms elsewhere, which identities of ours enter as guests (venue.h). MESSAGE A: of type MESSAGE_GROUPCHAT,
    // from a contact, with `user` the bare address of such a room, and `number` the ms after which it is not worth
    // delivering any more (0: as configured). ENTER: `body` is the password, `cls` chooses the avatar, and `stamp` (0:
    // nothing) since when the room is to tell what was said. ENTERED, LEFT: `name` is his real address, where the room
    // tells it, or what the mark says. DISCARD A: the MESSAGE `id` to the room `user` is taken back, so long as it has
    // not gone out: it is REFUSED with ERR_NOTFOUND when it is no longer known to be here. BOUNCE N about ENTER and SAY
    // comes from the room, to our guest. SAY: `nick`, where it is known, is whom it answers. HEARD with EVENT_SNAPSHOT
    // was said before, says the room, and an occupant can make some rooms say so: after the subject it is no history.
    // CHECKED: ERR_OK, inside; ERR_TIMEOUT, nobody knows; all else, not inside. CAUGHT_UP: ERR_OK, that was all;
    // ERR_LIMIT, there is more; ERR_UNSUPPORTED, there is no archive; all else, it failed.
    struct str replace; // MESSAGE A, SAY n, HEARD: the id that what it corrects went out with first (XEP-0308)
    struct str reply;   // MESSAGE A, SAY n: the room's id of what it answers, where it cannot correct (XEP-0461), or of
                        // what it takes back; HEARD, SETTLED: the id that the room gave it (XEP-0359)
    unsigned marks;     // ENTERED, LEFT: enum mark
    enum affiliation affiliation; // ENTERED; MESSAGE a from an occupant of a room elsewhere, to our guest there alone
    enum role role;               // ENTERED

    struct str blob; // STATE: under `key`; bytes of a file
    struct str rule; // GRANT: as in the configuration
};

const char *event_name(enum event_kind kind);
const char *show_name(enum show show); // "offline", "xa", "away", "online", "chat", "dnd"
const char *right_name(enum right right);
// The rights named in a comma or space separated list ("see, read"); false for an unknown word, which *bad then holds.
bool right_parse(struct str text, unsigned *rights, struct str *bad);
// A deep copy into the arena, pointers and all.
struct event *event_copy(struct arena *a, const struct event *ev);

#endif
