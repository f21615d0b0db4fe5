/* Rooms elsewhere that a bridge's guests enter, in virtual time, on top of a bridge with its journal. A room has
 * occupants, a log, a limit of history, maybe an archive; it reflects, refuses, throws out, forgets and is silent as it
 * is told to. What the bridge says to it and what it answers are two queues: they run by themselves, or by hand, and
 * a link that goes loses what is in them. */
#ifndef SPANDREL_TESTS_ROOM_RIG_H
#define SPANDREL_TESTS_ROOM_RIG_H

#include "lib/journal_fixture.h"

enum { RIG_ROOMS = 3, RIG_OCCUPANTS = 40, RIG_ARCHIVE_MAX = 200 };

struct rig_item { // on its way
    struct list_node node;
    struct arena arena;
    struct event *ev;
    struct rig_room *reflects; // a live copy of what was said there
};

struct rig_occupant {
    char nick[200];
    char full[200]; // of ours; empty: a stranger
    enum role role;
};

struct rig_said {
    char id[64], nick[200], body[64], replace[64], reply[64];
    int64_t stamp; // wall
    bool retract;
};

struct rig_room {
    char jid[64];
    bool there;           // else it is made by who enters, or `absent` is answered
    enum err absent;      // ERR_OK: made
    enum err refuse;      // who enters
    enum err refuse_said; // what is said
    bool deaf;            // answers nothing
    bool no_reflection;
    bool renames_ids;
    bool archive;
    enum err archive_err; // ERR_OK: as `archive` says
    bool plain_nicks;     // others are malformed
    char password[32];
    char prefix[16]; // of nicks that the room gives (210)
    size_t history;  // at most
    size_t max;      // occupants
    enum role role;  // of who enters
    struct rig_occupant who[RIG_OCCUPANTS];
    size_t count;
    struct rig_said *log;
    size_t said, cap;
    unsigned enters, leaves, checks, catchups, opens, bounces;
    int64_t since; // of the last ENTER
    uint64_t faults;
};

struct rig_settled {
    char id[64], reply[64], nick[200];
    enum err err;
};

struct rig {
    struct journal j;
    struct rig_room room[RIG_ROOMS];
    struct list_node up, down; // struct rig_item: to the rooms, from them
    bool by_hand;              // queues do not run by themselves
    struct rig_settled *settled;
    size_t settled_count, settled_cap;
    unsigned parked;
    enum err parked_err; // of the last
    char parked_why[400];
    void (*heard)(void *ud, struct rig_room *r, const struct rig_said *s); // something was said in it
    void (*refused)(void *ud, struct str id);                              // something was not said
    void (*journaled)(void *ud, uint64_t token, bool gated);
    void *ud;
};

static inline void rig_push(struct list_node *queue, const struct event *ev, struct rig_room *reflects)
{
    struct rig_item *item = MEM_NEW(struct rig_item);
    arena_init(&item->arena, 1024);
    item->ev = event_copy(&item->arena, ev);
    item->reflects = reflects;
    list_init(&item->node);
    list_push(queue, &item->node);
}

static inline void rig_drop(struct rig_item *item)
{
    list_remove(&item->node);
    arena_finish(&item->arena);
    mem_free(item);
}

static inline void rig_clear(struct list_node *queue)
{
    while (!list_empty(queue))
        rig_drop(LIST_FIRST(queue, struct rig_item, node));
}

static inline int64_t rig_wall(const struct rig *r)
{
    return 1000000 + r->j.c.now + r->j.wall_shift;
}

/* What the bridge says */

static inline void rig_north(void *ud, const struct event *ev)
{
    struct rig *r = ud;
    switch (ev->kind) {
    case EV_ENTER:
    case EV_LEAVE:
    case EV_SAY:
    case EV_CHECK:
    case EV_CATCHUP:
    case EV_OPEN:
        rig_push(&r->up, ev, NULL);
        break;
    default:
        break;
    }
}

static inline void rig_south(void *ud, const struct event *ev, bool gated)
{
    struct rig *r = ud;
    if (ev->kind == EV_SETTLED) {
        if (r->settled_count == r->settled_cap) {
            r->settled_cap = r->settled_cap ? r->settled_cap * 2 : 64;
            r->settled = mem_realloc(r->settled, r->settled_cap, sizeof *r->settled);
        }
        struct rig_settled *s = &r->settled[r->settled_count++];
        journal_copy(s->id, sizeof s->id, ev->id);
        journal_copy(s->reply, sizeof s->reply, ev->reply);
        journal_copy(s->nick, sizeof s->nick, ev->nick);
        s->err = ev->err;
    } else if (ev->kind == EV_PARKED) {
        r->parked++;
        r->parked_err = ev->err;
        journal_copy(r->parked_why, sizeof r->parked_why, ev->body);
    } else if (ev->kind == EV_JOURNALED && r->journaled) {
        r->journaled(r->ud, ev->token, gated);
    }
}

/* Occupants */

static inline struct rig_occupant *rig_named(struct rig_room *room, const char *nick)
{
    for (size_t i = 0; i < room->count; i++) {
        if (strcmp(room->who[i].nick, nick) == 0)
            return &room->who[i];
    }
    return NULL;
}

static inline struct rig_occupant *rig_occupant(struct rig_room *room, const char *full)
{
    for (size_t i = 0; i < room->count; i++) {
        if (room->who[i].full[0] && strcmp(room->who[i].full, full) == 0)
            return &room->who[i];
    }
    return NULL;
}

static inline void rig_take_out(struct rig_room *room, struct rig_occupant *o)
{
    size_t at = (size_t)(o - room->who);
    room->count--;
    memmove(room->who + at, room->who + at + 1, (room->count - at) * sizeof *room->who);
}

// To one of ours.
static inline struct event rig_event(enum event_kind kind, const struct rig_room *room, const char *nick,
                                     const char *full)
{
    struct event ev = core_user(kind, room->jid, full);
    ev.user.resource = ev.nick = str_c(nick);
    return ev;
}

static inline void rig_tell(struct rig *r, struct rig_room *room, enum event_kind kind,
                            const struct rig_occupant *about, unsigned marks, const char *name, const char *reason)
{
    for (size_t i = 0; i < room->count; i++) {
        if (!room->who[i].full[0])
            continue;
        struct event ev = rig_event(kind, room, about->nick, room->who[i].full);
        ev.marks = marks | (&room->who[i] == about ? MARK_SELF : 0);
        ev.role = about->role;
        ev.affiliation = AFFILIATION_NONE;
        ev.name = str_c(name);
        ev.body = str_c(reason);
        rig_push(&r->down, &ev, NULL);
    }
}

static inline void rig_stranger(struct rig *r, struct rig_room *room, const char *nick)
{
    assert_true(room->count < RIG_OCCUPANTS);
    struct rig_occupant *o = &room->who[room->count++];
    *o = (struct rig_occupant){.role = ROLE_PARTICIPANT};
    (void)snprintf(o->nick, sizeof o->nick, "%s", nick);
    rig_tell(r, room, EV_ENTERED, o, 0, "", "");
}

// Out, and all are told so.
static inline void rig_throw_out(struct rig *r, struct rig_room *room, const char *nick, unsigned marks,
                                 const char *name, const char *reason)
{
    struct rig_occupant *o = rig_named(room, nick);
    assert_non_null(o);
    rig_tell(r, room, EV_LEFT, o, marks, name, reason);
    rig_take_out(room, o);
}

static inline void rig_role(struct rig *r, struct rig_room *room, const char *nick, enum role role)
{
    struct rig_occupant *o = rig_named(room, nick);
    assert_non_null(o);
    o->role = role;
    rig_tell(r, room, EV_ENTERED, o, 0, "", "");
}

// It restarts: nobody is in it, and nobody is told.
static inline void rig_restart(struct rig_room *room)
{
    room->count = 0;
}

/* What is said */

static inline struct event rig_heard(const struct rig_room *room, const struct rig_said *s, const char *full, char *sid,
                                     size_t size)
{
    struct event ev = rig_event(EV_HEARD, room, s->nick, full);
    (void)snprintf(sid, size, "sid-%zu", (size_t)(s - room->log));
    ev.type = MESSAGE_GROUPCHAT;
    ev.id = room->renames_ids ? str_c(sid) : str_c(s->id);
    ev.body = str_c(s->body);
    ev.replace = str_c(s->replace);
    ev.reply = str_c(sid);
    return ev;
}

static inline void rig_say(struct rig *r, struct rig_room *room, const struct rig_said *what)
{
    char sid[32];
    if (room->said == room->cap) {
        room->cap = room->cap ? room->cap * 2 : 64;
        room->log = mem_realloc(room->log, room->cap, sizeof *room->log);
    }
    struct rig_said *s = &room->log[room->said++];
    *s = *what;
    s->stamp = rig_wall(r);
    for (size_t i = 0; i < room->count && !room->no_reflection; i++) {
        if (!room->who[i].full[0])
            continue;
        struct event ev = rig_heard(room, s, room->who[i].full, sid, sizeof sid);
        rig_push(&r->down, &ev, room);
    }
    if (r->heard)
        r->heard(r->ud, room, s);
}

static inline void rig_talk(struct rig *r, struct rig_room *room, const char *nick, const char *id)
{
    struct rig_said s = {.retract = false};
    (void)snprintf(s.id, sizeof s.id, "%s", id);
    (void)snprintf(s.nick, sizeof s.nick, "%s", nick);
    (void)snprintf(s.body, sizeof s.body, "talk");
    rig_say(r, room, &s);
}

static inline void rig_tell_log(struct rig *r, struct rig_room *room, size_t from, size_t to, const char *full)
{
    char sid[32];
    for (size_t i = from; i < to; i++) {
        struct event ev = rig_heard(room, &room->log[i], full, sid, sizeof sid);
        ev.flags |= EVENT_SNAPSHOT;
        ev.stamp = room->log[i].stamp;
        rig_push(&r->down, &ev, NULL);
    }
}

static inline size_t rig_since(const struct rig_room *room, int64_t stamp)
{
    size_t at = 0;
    while (at < room->said && room->log[at].stamp < stamp - stamp % 1000)
        at++;
    return at;
}

/* What rooms do with it */

static inline void rig_bounce(struct rig *r, struct rig_room *room, const struct event *ev, const char *full,
                              enum err err)
{
    struct event no = core_user(EV_BOUNCE, room->jid, full);
    no.about = ev->kind;
    no.err = err;
    no.id = ev->id;
    room->bounces++;
    rig_push(&r->down, &no, NULL);
}

static inline bool rig_is_plain(struct str nick)
{
    for (size_t i = 0; i < nick.n; i++) {
        if ((unsigned char)nick.p[i] >= 0x80)
            return false;
    }
    return true;
}

static inline enum err rig_refusal(struct rig_room *room, const struct event *ev, const char *nick, const char *full)
{
    struct rig_occupant *other = rig_named(room, nick);
    if (room->refuse)
        return room->refuse;
    if (!room->there && room->absent)
        return room->absent;
    if (room->plain_nicks && !rig_is_plain(ev->nick))
        return ERR_BADJID;
    if (!str_eq_c(ev->body, room->password))
        return ERR_AUTH;
    if (other && strcmp(other->full, full) != 0)
        return ERR_EXISTS;
    if (room->max && room->count >= room->max && !rig_occupant(room, full))
        return ERR_UNAVAILABLE;
    return ERR_OK;
}

static inline void rig_enter(struct rig *r, struct rig_room *room, const struct event *ev, const char *full)
{
    char nick[200];
    (void)snprintf(nick, sizeof nick, "%s" STR_FMT, room->prefix, STR_ARG(ev->nick));
    enum err err = rig_refusal(room, ev, nick, full);
    room->since = ev->stamp;
    if (err) {
        rig_bounce(r, room, ev, full, err);
        return;
    }
    struct rig_occupant *o = rig_occupant(room, full);
    if (o)
        rig_take_out(room, o);
    for (size_t i = 0; i < room->count; i++) {
        struct event there = rig_event(EV_ENTERED, room, room->who[i].nick, full);
        there.role = room->who[i].role;
        rig_push(&r->down, &there, NULL);
    }
    assert_true(room->count < RIG_OCCUPANTS);
    o = &room->who[room->count++];
    *o = (struct rig_occupant){.role = room->role};
    (void)snprintf(o->nick, sizeof o->nick, "%s", nick);
    (void)snprintf(o->full, sizeof o->full, "%s", full);
    rig_tell(r, room, EV_ENTERED, o, (room->there ? 0 : MARK_CREATED) | (room->prefix[0] ? MARK_RENAMED : 0), "", "");
    room->there = true;
    size_t from = ev->stamp ? rig_since(room, ev->stamp) : room->said;
    from = room->said - from > room->history ? room->said - room->history : from;
    rig_tell_log(r, room, from, room->said, full);
    struct event subject = rig_event(EV_HEARD, room, "", full);
    subject.flags = EVENT_SUBJECT;
    rig_push(&r->down, &subject, NULL);
}

static inline void rig_take_say(struct rig *r, struct rig_room *room, const struct event *ev, const char *full)
{
    struct rig_occupant *o = rig_occupant(room, full);
    enum err err = !o ? ERR_NOTACCEPTABLE : o->role == ROLE_VISITOR ? ERR_FORBIDDEN : room->refuse_said;
    if (err && r->refused)
        r->refused(r->ud, ev->id);
    if (err) {
        rig_bounce(r, room, ev, full, err);
        return;
    }
    struct rig_said s = {.retract = ev->flags & EVENT_RETRACT};
    journal_copy(s.id, sizeof s.id, ev->id);
    journal_copy(s.body, sizeof s.body, str_sub(ev->body, 0, ev->body.n < 60 ? ev->body.n : 60));
    journal_copy(s.replace, sizeof s.replace, ev->replace);
    journal_copy(s.reply, sizeof s.reply, ev->reply);
    memcpy(s.nick, o->nick, sizeof s.nick);
    rig_say(r, room, &s);
}

static inline void rig_take_catchup(struct rig *r, struct rig_room *room, const struct event *ev, const char *full)
{
    struct event end = core_user(EV_CAUGHT_UP, room->jid, full);
    end.number = ev->number;
    end.err = room->archive_err ? room->archive_err : room->archive ? ERR_OK : ERR_UNSUPPORTED;
    if (!end.err) {
        size_t from = rig_since(room, ev->stamp), to = room->said;
        if (to - from > RIG_ARCHIVE_MAX) {
            to = from + RIG_ARCHIVE_MAX;
            end.err = ERR_LIMIT;
        }
        rig_tell_log(r, room, from, to, full);
    }
    rig_push(&r->down, &end, NULL);
}

static inline void rig_serve(struct rig *r, struct rig_room *room, const struct event *ev)
{
    char full[200];
    (void)snprintf(full, sizeof full, STR_FMT "@" STR_FMT "/" STR_FMT, STR_ARG(ev->to.local), STR_ARG(ev->to.domain),
                   STR_ARG(ev->to.resource));
    struct rig_occupant *o = rig_occupant(room, full);
    room->enters += ev->kind == EV_ENTER;
    room->leaves += ev->kind == EV_LEAVE;
    room->checks += ev->kind == EV_CHECK;
    room->catchups += ev->kind == EV_CATCHUP;
    room->opens += ev->kind == EV_OPEN;
    if (room->deaf && ev->kind == EV_SAY && r->refused)
        r->refused(r->ud, ev->id);
    if (room->deaf)
        return;
    if (ev->kind == EV_ENTER) {
        rig_enter(r, room, ev, full);
    } else if (ev->kind == EV_LEAVE && o) {
        rig_tell(r, room, EV_LEFT, o, 0, "", "");
        rig_take_out(room, o);
    } else if (ev->kind == EV_SAY) {
        rig_take_say(r, room, ev, full);
    } else if (ev->kind == EV_CHECK) {
        struct event answer = core_user(EV_CHECKED, room->jid, full);
        answer.user.resource = ev->user.resource;
        answer.number = ev->number;
        bool in = o && str_eq_c(ev->user.resource, o->nick);
        answer.err = in ? ERR_OK : room->there ? ERR_NOTACCEPTABLE : ERR_NOTFOUND;
        rig_push(&r->down, &answer, NULL);
    } else if (ev->kind == EV_CATCHUP) {
        rig_take_catchup(r, room, ev, full);
    }
}

static inline struct rig_room *rig_room_of(struct rig *r, const struct jid *jid)
{
    for (size_t i = 0; i < RIG_ROOMS; i++) {
        struct jid room = core_jid(r->room[i].jid);
        if (jid_bare_eq(&room, jid))
            return &r->room[i];
    }
    return NULL;
}

// The bridge's oldest word arrives.
static inline void rig_go_up(struct rig *r)
{
    struct rig_item *item = LIST_FIRST(&r->up, struct rig_item, node);
    struct rig_room *room = rig_room_of(r, &item->ev->user);
    if (room)
        rig_serve(r, room, item->ev);
    rig_drop(item);
}

// The rooms' oldest word arrives, unless it is for a guest who does not listen.
static inline void rig_come_down(struct rig *r)
{
    struct rig_item *item = LIST_FIRST(&r->down, struct rig_item, node);
    list_remove(&item->node);
    struct event *ev = item->ev;
    bool listens = bridge_guest(r->j.c.b, &ev->to, &ev->user) == GUEST_LISTENS;
    bool filtered = ev->kind == EV_ENTERED || ev->kind == EV_LEFT || ev->kind == EV_HEARD;
    bool own = (ev->flags & EVENT_SNAPSHOT) || (ev->kind != EV_HEARD && (ev->marks & MARK_SELF));
    if (!filtered || listens || own)
        journal_step(&r->j, ev);
    rig_drop(item);
}

/* Driving */

static inline void rig_run(struct rig *r)
{
    for (unsigned n = 0;; n++) {
        assert_true(n < 2000000); // else they talk for ever
        journal_settle(&r->j);
        if (!list_empty(&r->up))
            rig_go_up(r);
        else if (!list_empty(&r->down))
            rig_come_down(r);
        else
            break;
    }
}

static inline void rig_do(struct rig *r, const struct event *ev)
{
    strbuf_clear(&r->j.c.lines);
    journal_step(&r->j, ev);
    if (!r->by_hand)
        rig_run(r);
}

// Time passes; no deadline comes back at once without something having been done.
static inline void rig_pass(struct rig *r, int64_t ms)
{
    struct journal *j = &r->j;
    int64_t end = j->c.now + ms;
    strbuf_clear(&j->c.lines);
    for (unsigned idle = 0;;) {
        int64_t at = bridge_deadline(j->c.b);
        if (at > end)
            break;
        idle = at > j->c.now ? 0 : idle + 1;
        assert_true(idle < 4); // else it spins
        j->c.now = at > j->c.now ? at : j->c.now;
        journal_step(j, &(struct event){.kind = EV_TICK});
        if (!r->by_hand)
            rig_run(r);
    }
    j->c.now = end;
    journal_step(j, &(struct event){.kind = EV_TICK});
    if (!r->by_hand)
        rig_run(r);
}

static inline void rig_link(struct rig *r, bool up)
{
    if (!up) {
        rig_clear(&r->up);
        rig_clear(&r->down);
    }
    rig_do(r, &(struct event){.kind = up ? EV_LINK_UP : EV_LINK_DOWN, .component = 1});
}

static inline void rig_kill(struct rig *r)
{
    rig_clear(&r->up);
    rig_clear(&r->down);
    journal_kill(&r->j);
}

static inline struct event rig_post_event(const char *key, const char *room, const char *id, const char *nick)
{
    struct event ev = core_adapter(EV_MESSAGE, HOME, key);
    ev.flags = EVENT_DURABLE;
    ev.type = MESSAGE_GROUPCHAT;
    ev.user = core_jid(room);
    ev.id = ev.body = str_c(id);
    ev.nick = str_c(nick);
    ev.token = 1;
    return ev;
}

static inline void rig_post(struct rig *r, const char *key, const char *id)
{
    struct event ev = rig_post_event(key, r->room[0].jid, id, "");
    rig_do(r, &ev);
}

static inline size_t rig_said(const struct rig_room *room, const char *id)
{
    size_t n = 0;
    for (size_t i = 0; i < room->said; i++)
        n += strcmp(room->log[i].id, id) == 0;
    return n;
}

// How often its adapter was told so of a message; `err`: with that outcome.
static inline size_t rig_settled(const struct rig *r, const char *id, enum err err)
{
    size_t n = 0;
    for (size_t i = 0; i < r->settled_count; i++)
        n += strcmp(r->settled[i].id, id) == 0 && r->settled[i].err == err;
    return n;
}

// The guest of that name in the first room.
static inline bool rig_guest(const struct rig *r, const char *local, struct guest_view *out)
{
    for (size_t at = 0; bridge_next_guest(r->j.c.b, &at, out);) {
        if (str_eq_c(out->local, local) && str_eq_c(out->room, r->room[0].jid))
            return true;
    }
    return false;
}

static inline const char *rig_state(const struct rig *r, const char *local)
{
    struct guest_view v;
    return rig_guest(r, local, &v) ? v.state : "none";
}

static inline size_t rig_letters(const struct rig *r, const char *id, enum letter_state state)
{
    struct letter_view v;
    size_t n = 0;
    for (uint64_t at = 0; bridge_next_letter(r->j.c.b, &at, &v);)
        n += str_eq_c(v.id, id) && v.state == state;
    return n;
}

// lamp, door and the others of the journal's bridge; r0..r2@conf.example are there, empty, with history and no archive.
static inline void rig_init_with(struct rig *r, const struct bridge_config *cfg)
{
    memset(r, 0, sizeof *r);
    list_init(&r->up);
    list_init(&r->down);
    for (size_t i = 0; i < RIG_ROOMS; i++) {
        (void)snprintf(r->room[i].jid, sizeof r->room[i].jid, "r%zu@conf.example", i);
        r->room[i].there = true;
        r->room[i].history = 20;
        r->room[i].role = ROLE_PARTICIPANT;
    }
    journal_init_with(&r->j, cfg);
    static const char *const ours[] = {"lamp", "door"};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        struct event there = core_adapter(EV_AVAILABLE, HOME, ours[i]);
        there.show = SHOW_ONLINE;
        journal_do(&r->j, &there);
    }
    r->j.north = rig_north;
    r->j.south = rig_south;
    r->j.ud = r;
    r->j.trims = true;
}

static inline void rig_finish(struct rig *r)
{
    rig_clear(&r->up);
    rig_clear(&r->down);
    for (size_t i = 0; i < RIG_ROOMS; i++)
        mem_free(r->room[i].log);
    mem_free(r->settled);
    journal_finish(&r->j);
}

static inline int rig_setup(void **state)
{
    struct bridge_config cfg = core_config();
    struct rig *r = MEM_NEW(struct rig);
    rig_init_with(r, &cfg);
    *state = r;
    return 0;
}

static inline int rig_teardown(void **state)
{
    rig_finish(*state);
    mem_free(*state);
    return 0;
}

#endif
