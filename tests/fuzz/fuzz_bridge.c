/* Any bytes as a sequence of events: each byte chooses from small sets of kinds, users, addresses, keys, tokens and
 * flags, so that events meet; the journal's rows at the start have any numbers, what the bridge asks of the journal is
 * answered or not, and fences, errors, and what rooms elsewhere say are about what it said, or not. What must hold: a
 * step stays within its bound, nothing goes north over a link that is down, each posted token is answered once, ticks
 * come to an end, and in the end no deadline is left. */
#include "core/bridge.h"
#include "fuzz.h"

#include <stdio.h>

enum { HEARD = 32, ASKED = 64, RECORDS = 64 };

// What the bridge has said, to be taken up.
struct echo {
    char ids[HEARD][48]; // of messages
    uint64_t check;      // the last question to a room
    struct {
        char local[8], room[8], nick[16]; // who asked last to enter one, or spoke
    } guest;
    size_t id_count;
    uint64_t fence[3];
    struct {
        char lane[32];
        uint64_t after;
    } asked[ASKED];
    size_t asked_count;
    struct {
        char lane[32], key[8], id[48];
        uint64_t number;
    } records[RECORDS];
    size_t record_count;
};

struct input {
    const uint8_t *p;
    size_t n;
};

static unsigned take(struct input *in, unsigned bound)
{
    if (!in->n)
        return 0;
    in->n--;
    return *in->p++ % bound;
}

static struct str pick(struct input *in, const char *const *set, unsigned count)
{
    return str_c(set[take(in, count)]);
}

#define PICK(in, set) pick((in), (set), sizeof(set) / sizeof *(set))

static struct bridge *make_bridge(void)
{
    static const struct bridge_component components[] = {{{"gw", 2}, {"G", 1}}, {{"two", 3}, {"T", 1}}};
    static const struct bridge_adapter adapters[] = {{{"home", 4}, 1, true}, {{"far", 3}, 2, false}};
    static const struct str rules[] = {{"allow all to @f", 15}, {"allow see to x", 14}, {"allow admin to a@f", 18}};
    static const struct str groups[] = {{"f=f", 3}};
    static const struct bridge_venue venues[] = {{.room = {"r@conf", 6}, .password = {"p", 1}, .create = true},
                                                 {.cap = 1, .idle = 60000}};
    static const struct bridge_config cfg = {components,      2, adapters, 2, rules, 3, groups, 1, 1, .venues = venues,
                                             .venue_count = 2};
    struct bridge *b;
    struct errmsg msg;
    FUZZ_CHECK(bridge_create(&cfg, &b, &msg) == ERR_OK);
    return b;
}

static struct jid take_user(struct input *in)
{
    static const char *const locals[] = {"a", "b", "c", ""}, *const domains[] = {"f", "x", "y", "f"},
                             *const resources[] = {"r", "s", ""};
    struct jid j;
    j.local = PICK(in, locals);
    j.domain = PICK(in, domains);
    j.resource = PICK(in, resources);
    return j;
}

static struct jid take_to(struct input *in)
{
    static const char *const locals[] = {"k1", "k2", "k3", "room", "", "nix"}, *const domains[] = {"gw", "two", "no"},
                             *const resources[] = {"", "n1", "n2", "home"};
    struct jid j;
    j.local = PICK(in, locals);
    j.domain = PICK(in, domains);
    j.resource = PICK(in, resources);
    return j;
}

// Of rooms elsewhere, and what adapters have said there.
static void take_venue(struct input *in, const struct echo *echo, struct event *ev)
{
    static const char *const rooms[] = {"r", "q"}, *const nicks[] = {"k1", "k2", "k1 2", "", "n"}, *const ids[] = {"i",
                                                                                                                   "j",
                                                                                                                   "l",
                                                                                                                   "m",
                                                                                                                   "o",
                                                                                                                   "p"};
    static const enum event_kind about[] = {EV_MESSAGE, EV_ENTER, EV_SAY, EV_LEAVE};
    ev->user.local = PICK(in, rooms);
    ev->user.domain = STR("conf");
    ev->user.resource = STR_NONE;
    if (ev->adapter) {
        ev->type = MESSAGE_GROUPCHAT;
        ev->replace = take(in, 4) ? STR_NONE : STR("i");
        ev->reply = take(in, 4) ? STR_NONE : STR("s");
        ev->flags |= take(in, 8) ? 0 : EVENT_RETRACT;
        ev->number *= 1000;
        ev->id = PICK(in, ids);
        return;
    }
    ev->user.resource = PICK(in, nicks);
    ev->name = PICK(in, nicks);
    ev->to.domain = STR("gw");
    if (echo->guest.room[0] && take(in, 8)) {
        ev->user.local = str_c(echo->guest.room);
        ev->user.resource = take(in, 4) ? str_c(echo->guest.nick) : ev->user.resource;
        ev->to.local = str_c(echo->guest.local);
    }
    ev->marks = take(in, 2) ? 1U << take(in, 11) : MARK_SELF;
    ev->marks |= take(in, 2) ? MARK_SELF : 0;
    ev->flags |= take(in, 4) ? 0 : EVENT_SUBJECT;
    ev->role = (enum role)take(in, ROLE_MODERATOR + 1);
    ev->affiliation = (enum affiliation)take(in, AFFILIATION_OWNER + 1);
    ev->about = about[take(in, 4)];
    ev->number = take(in, 4) ? echo->check : ev->number;
    ev->stamp = (int64_t)take(in, 64) * 1000;
    ev->err = take(in, 2) ? ERR_OK : ev->err;
}

static bool of_venue(const struct event *ev)
{
    static const enum event_kind kinds[] = {EV_ENTERED, EV_LEFT, EV_HEARD, EV_CHECKED, EV_CAUGHT_UP, EV_BOUNCE};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (ev->kind == kinds[i])
            return true;
    }
    return ev->adapter && (ev->kind == EV_DISCARD || (ev->kind == EV_MESSAGE && ev->type == MESSAGE_GROUPCHAT));
}

static void take_event(struct input *in, const struct echo *echo, struct event *ev)
{
    static const char *const keys[] = {"k1", "k2", "k3", "room", ""}, *const nicks[] = {"n1", "n2", "", "\x01"},
                             *const texts[] = {"hello", "", "warm", "a longer text of several words"},
                             *const lanes[] = {"home", "far", "", "a@f", "nobody"},
                             *const rules[] = {"allow see read to x", "deny see to a@f", "nonsense", "allow all to *"};
    static const enum event_kind guests[] = {EV_MESSAGE, EV_MESSAGE, EV_ENTERED,   EV_HEARD,
                                             EV_LEFT,    EV_CHECKED, EV_CAUGHT_UP, EV_BOUNCE};
    *ev = (struct event){.kind = (enum event_kind)take(in, EV_COUNT + 8)};
    bool guest = ev->kind >= EV_COUNT; // oftener than the others
    if (guest)
        ev->kind = guests[ev->kind - EV_COUNT];
    unsigned where = take(in, 8);
    ev->adapter = (uint16_t)(where & 3);
    ev->component = (uint16_t)(where < 6 ? 1 : 2);
    ev->user = take_user(in);
    ev->to = take_to(in);
    ev->key = PICK(in, keys);
    ev->wish = ev->name = ev->key;
    ev->nick = PICK(in, nicks);
    ev->body = PICK(in, texts);
    ev->rule = PICK(in, rules);
    unsigned id = take(in, HEARD + 2);
    ev->id = id == HEARD ? STR_NONE : id < echo->id_count ? str_c(echo->ids[id]) : STR("i");
    ev->flags = take(in, 256);
    ev->flags |= ev->flags & EVENT_DURABLE && take(in, 2) ? EVENT_AGAIN : 0;
    ev->token = take(in, 8);
    ev->number = take(in, 4);
    ev->show = (enum show)take(in, SHOW_DND + 1);
    ev->type = (enum message_type)take(in, MESSAGE_HEADLINE + 1);
    ev->identity = (enum identity_kind)(str_eq_c(ev->key, "room") ? IDENTITY_ROOM : take(in, IDENTITY_KINDS));
    ev->err = (enum err)take(in, ERR_COUNT);
    if (ev->kind == EV_FENCED && ev->component < 3 && take(in, 4))
        ev->number = echo->fence[ev->component];
    if (ev->kind == EV_LOADED || ev->kind == EV_REPLAY || ev->kind == EV_DISCARD || ev->kind == EV_RETRY)
        ev->name = PICK(in, lanes);
    if (ev->kind == EV_IDENTITY && take(in, 2))
        ev->to.local = STR_NONE; // minted
    if (ev->kind == EV_IDENTITY && take(in, 4))
        ev->user = (struct jid){.local = STR_NONE}; // of no user's own
    if (guest)
        ev->adapter = ev->kind == EV_MESSAGE;
    if (guest && ev->adapter)
        ev->type = MESSAGE_GROUPCHAT;
    if (of_venue(ev) && (guest || take(in, 4)))
        take_venue(in, echo, ev);
}

static unsigned check_effects(const struct effects *out, const bool up[3], const struct event *ev)
{
    unsigned answers = 0;
    FUZZ_CHECK(out->count <= BRIDGE_EFFECTS);
    for (size_t i = 0; i < out->count; i++) {
        const struct effect *e = &out->v[i];
        FUZZ_CHECK(e->kind == EFFECT_STORE ? e->row != NULL : e->ev != NULL);
        if (e->kind == EFFECT_NORTH) {
            FUZZ_CHECK(e->ev->component && e->ev->component < 3 && up[e->ev->component]);
            bool fence = e->ev->kind == EV_FENCE; // to nobody
            FUZZ_CHECK(fence || (!str_empty(e->ev->user.domain) && !str_empty(e->ev->to.domain)));
        }
        bool answer = e->kind == EFFECT_GATED ||
                      (e->kind == EFFECT_SOUTH && (e->ev->kind == EV_REFUSED || e->ev->kind == EV_JOURNALED));
        answers += answer && e->ev->token == ev->token;
    }
    return answers;
}

static void keep_text(char *to, size_t size, struct str s)
{
    (void)snprintf(to, size, STR_FMT, STR_ARG(s));
}

static void hear(struct echo *echo, const struct effect *e)
{
    if (e->kind == EFFECT_NORTH && e->ev->kind == EV_FENCE)
        echo->fence[e->ev->component] = e->ev->number;
    if (e->kind == EFFECT_NORTH && (e->ev->kind == EV_CHECK || e->ev->kind == EV_CATCHUP))
        echo->check = e->ev->number;
    if (e->kind == EFFECT_NORTH && (e->ev->kind == EV_ENTER || e->ev->kind == EV_SAY)) {
        keep_text(echo->guest.local, sizeof echo->guest.local, e->ev->to.local);
        keep_text(echo->guest.room, sizeof echo->guest.room, e->ev->user.local);
        keep_text(echo->guest.nick, sizeof echo->guest.nick, e->ev->nick);
    }
    if (e->kind == EFFECT_NORTH && (e->ev->kind == EV_MESSAGE || e->ev->kind == EV_SAY))
        keep_text(echo->ids[echo->id_count++ % HEARD], sizeof *echo->ids, e->ev->id);
    if (e->kind == EFFECT_LOAD && echo->asked_count < ASKED) {
        keep_text(echo->asked[echo->asked_count].lane, sizeof echo->asked->lane, e->ev->name);
        echo->asked[echo->asked_count++].after = e->ev->number;
    }
    if (e->kind == EFFECT_STORE && e->row->kind == ROW_RECORD && !e->row->gone) {
        size_t at = echo->record_count++ % RECORDS;
        keep_text(echo->records[at].lane, sizeof echo->records->lane, e->row->adapter);
        keep_text(echo->records[at].key, sizeof echo->records->key, e->row->key);
        keep_text(echo->records[at].id, sizeof echo->records->id, e->row->id);
        echo->records[at].number = e->row->number;
    }
}

// True when there is more to say.
static bool step(struct bridge *b, const struct event *ev, bool up[3], struct echo *echo)
{
    struct arena a;
    struct effects out;
    arena_init(&a, 0);
    effects_init(&out, &a);
    if (!ev->adapter && ev->component < 3 && (ev->kind == EV_LINK_UP || ev->kind == EV_LINK_DOWN))
        up[ev->component] = ev->kind == EV_LINK_UP;
    bridge_step(b, ev, &out);
    FUZZ_CHECK(check_effects(&out, up, ev) <= 1);
    for (size_t i = 0; i < out.count; i++)
        hear(echo, &out.v[i]);
    arena_finish(&a);
    return out.more;
}

static void drain(struct bridge *b, bool up[3], int64_t now, struct echo *echo)
{
    const struct event tick = {.kind = EV_TICK, .now = now, .wall = now};
    for (unsigned ticks = 0; step(b, &tick, up, echo); ticks++)
        FUZZ_CHECK(ticks < 10000);
}

// The oldest question is answered with what was stored and is still known, maybe not all.
static void answer(struct input *in, struct bridge *b, bool up[3], int64_t now, struct echo *echo)
{
    if (!echo->asked_count)
        return;
    char lane[32];
    memcpy(lane, echo->asked[0].lane, sizeof lane);
    uint64_t after = echo->asked[0].after;
    memmove(&echo->asked[0], &echo->asked[1], --echo->asked_count * sizeof *echo->asked);
    struct event ev = {.kind = EV_LOADED, .now = now, .wall = now, .name = str_c(lane), .body = STR("again")};
    size_t count = echo->record_count < RECORDS ? echo->record_count : RECORDS;
    unsigned some = take(in, 4);
    for (size_t i = 0; i < count && some; i++) { // in order of numbers but where the table has turned
        if (strcmp(echo->records[i].lane, lane) != 0 || echo->records[i].number <= after)
            continue;
        struct event record = ev;
        char id[48], key[8];
        memcpy(id, echo->records[i].id, sizeof id);
        memcpy(key, echo->records[i].key, sizeof key);
        record.number = echo->records[i].number;
        record.id = str_c(id);
        record.key = str_c(key);
        (void)step(b, &record, up, echo);
    }
    ev.number = after;
    ev.flags = take(in, 2) ? EVENT_DURABLE : 0;
    (void)step(b, &ev, up, echo);
}

static void restore_rows(struct input *in, struct bridge *b)
{
    static const enum row_kind kinds[] = {ROW_LANE,   ROW_RECORD, ROW_RECORD,   ROW_RECORD,
                                          ROW_LETTER, ROW_ASK,    ROW_IDENTITY, ROW_GUEST};
    static const char *const lanes[] = {"home", "far", "nobody", "home r@conf k1", "home q@conf k1"},
                             *const users[] = {"a@f", "b@x", "a@f/r", "@", "", "r@conf", "r@conf/k1"},
                             *const ids[] = {"i", "j", ""};
    static const uint64_t numbers[] = {0, 1, 2, 3, 5, 300, 5000, INT64_MAX, UINT64_MAX};
    static const int64_t times[] = {0, 1, 100000, -1, INT64_MIN, INT64_MAX};
#define NUMBER(in) numbers[take(in, sizeof numbers / sizeof *numbers)]
#define TIME(in) times[take(in, sizeof times / sizeof *times)]
    for (unsigned n = take(in, 8); n > 0; n--) {
        struct row row = {.kind = kinds[take(in, 8)], .domain = STR("gw"), .local = STR("k1"), .key = STR("k1")};
        row.adapter = PICK(in, lanes);
        row.user = PICK(in, users);
        row.id = PICK(in, ids);
        row.name = take(in, 2) ? STR("k1\x1f\x1f\x1f\x1f"
                                     "500\x1f"
                                     "0\x1f"
                                     "7\x1f"
                                     "1")
                               : STR_NONE;
        if (row.kind == ROW_IDENTITY)
            row.adapter = STR("home");
        row.number = NUMBER(in);
        row.settled = NUMBER(in);
        row.trimmed = NUMBER(in);
        row.record = NUMBER(in);
        row.dead = NUMBER(in);
        row.since = TIME(in);
        row.stamp = TIME(in);
        row.next = TIME(in);
        row.state = take(in, 8);
        row.attempts = take(in, 256);
        enum err e = bridge_restore(b, &row);
        FUZZ_CHECK(e == ERR_OK || e == ERR_BADREQ || e == ERR_NOTFOUND || e == ERR_EXISTS);
        (void)bridge_deadline(b);
    }
}

// Without links nothing is waited for for ever.
static void end(struct bridge *b, bool up[3], int64_t now, struct echo *echo)
{
    for (uint16_t c = 1; c < 3; c++)
        (void)step(b, &(struct event){.kind = EV_LINK_DOWN, .component = c, .now = now, .wall = now}, up, echo);
    now += 100000;
    drain(b, up, now, echo);
    for (unsigned rounds = 0; bridge_deadline(b) != INT64_MAX; rounds++) {
        FUZZ_CHECK(rounds < 5000);
        now = bridge_deadline(b) > now ? bridge_deadline(b) : now;
        drain(b, up, now, echo);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct bridge *b = make_bridge();
    bool up[3] = {false, true, false};
    struct echo echo = {.id_count = 0};
    if (take(&in, 2))
        restore_rows(&in, b);
    (void)step(b, &(struct event){.kind = EV_LINK_UP, .component = 1}, up, &echo);
    int64_t now = 0;
    static const char *const keys[] = {"k1", "k2"};
    for (unsigned i = 0; i < 2; i++)
        (void)step(b,
                   &(struct event){.kind = EV_IDENTITY,
                                   .adapter = 1,
                                   .key = str_c(keys[i]),
                                   .wish = str_c(keys[i]),
                                   .name = str_c(keys[i])},
                   up, &echo);
    while (in.n) {
        struct event ev;
        take_event(&in, &echo, &ev);
        unsigned wait = take(&in, 64);
        now += wait < 60 ? wait * 100 : wait * 100000;
        ev.now = ev.wall = now;
        (void)step(b, &ev, up, &echo);
        unsigned then = take(&in, 8);
        if (then < 2)
            drain(b, up, now, &echo);
        else if (then < 4)
            answer(&in, b, up, now, &echo);
    }
    end(b, up, now, &echo);
    struct guest_view v;
    for (size_t at = 0; bridge_next_guest(b, &at, &v);)
        FUZZ_CHECK(v.nick.n <= 80 && !v.in &&
                   bridge_guest(b, &(struct jid){v.local, v.domain, STR_NONE},
                                &(struct jid){STR("r"), STR("conf"), STR_NONE}) <= GUEST_LISTENS);
    struct bridge_stat s;
    bridge_stat(b, &s);
    FUZZ_CHECK(s.pending == 0);
    bridge_destroy(b);
    return 0;
}
