/* Random runs of guests in rooms that do what rooms do: they restart and forget who was in, throw out, are full, talk,
 * lose what they send back; links are cut with stanzas on their way, the process is killed and begins anew from what
 * was committed, disks are slow.
 *
 * Invariants: what was acknowledged is said in its room, or a letter says why not, and its adapter is told; what an
 * identity says first comes in the order in which it was accepted; what is said twice has a fault before it, and in a
 * room with an archive nothing is; nobody knocks at a door too often; nothing waits for ever. */
#include "lib/room_rig.h"

#include "base/rng.h"

#include <stdlib.h>

enum { POSTS = 3000, BOTS = 6 };

struct post {
    uint8_t bot, room;
    bool acked;               // its source knows that it is durable
    bool abandoned;           // it was not, when the process ended, and its source does not come again
    bool refused;             // once: what was said after it may have been let pass before it was known
    bool strange;             // said under a nick that its guest did not yet know to have
    unsigned said;            // how often
    size_t first;             // in the room's log
    size_t accepted;          // the room's log then
    unsigned told, told_here; // its outcome, to its adapter: in all, by this process
    unsigned asked;           // posts of it, in this process
    uint64_t token_put;       // rows before its gate
    bool gated;
};

struct model {
    struct rig g;
    struct rng r;
    struct post p[POSTS];
    unsigned posted;
    bool up;
    uint64_t faults; // so many so far
    size_t settled_seen;
    int64_t began, held;
};

static uint64_t below(struct model *m, uint64_t n)
{
    return rng_below(&m->r, n);
}

static struct rig_room *any_room(struct model *m)
{
    return &m->g.room[below(m, RIG_ROOMS)];
}

/* What the bridge does */

static bool known_nick(const struct model *m, const struct post *p, const char *nick)
{
    char local[8];
    struct guest_view v;
    (void)snprintf(local, sizeof local, "bot%u", p->bot);
    for (size_t at = 0; bridge_next_guest(m->g.j.c.b, &at, &v);) {
        if (str_eq_c(v.local, local) && str_eq_c(v.room, m->g.room[p->room].jid))
            return str_eq_c(v.nick, nick);
    }
    return false;
}

static void heard(void *ud, struct rig_room *room, const struct rig_said *s)
{
    struct model *m = ud;
    if (s->id[0] != 'p')
        return;
    unsigned n = (unsigned)strtoul(s->id + 1, NULL, 10);
    assert_true(n < m->posted);
    struct post *p = &m->p[n];
    size_t at = room->said - 1;
    assert_ptr_equal(room, &m->g.room[p->room]);
    if (!p->said)
        p->first = at;
    p->strange = p->strange || !known_nick(m, p, s->nick);
    if (p->said && room->archive && !p->strange && room->said - p->accepted < 150) {
        print_error("p%u is said twice in %s, which has an archive\n", n, room->jid);
        fail();
    }
    if (p->said && !m->faults) {
        print_error("p%u is said twice in %s, and nothing was wrong\n", n, room->jid);
        fail();
    }
    p->said++;
    assert_true(p->said < 30);
}

static void refused(void *ud, struct str id)
{
    struct model *m = ud;
    m->p[strtoul(id.p + 1, NULL, 10)].refused = true;
}

static void journaled(void *ud, uint64_t token, bool gated)
{
    struct model *m = ud;
    struct post *p = &m->p[token - 1];
    p->gated = gated;
    p->token_put = m->g.j.puts;
    p->acked = !gated;
}

static void look(struct model *m)
{
    for (unsigned i = 0; i < m->posted; i++) {
        struct post *p = &m->p[i];
        if (p->gated && m->g.j.committed >= p->token_put) {
            p->gated = false;
            p->acked = true;
        }
    }
    for (; m->settled_seen < m->g.settled_count; m->settled_seen++) {
        const struct rig_settled *s = &m->g.settled[m->settled_seen];
        struct post *p = &m->p[strtoul(s->id + 1, NULL, 10)];
        p->told++;
        p->told_here++;
        if (!s->err && !p->said) {
            print_error("%s has arrived, its adapter is told, and it was not said\n", s->id);
            fail();
        }
        if (p->told_here > p->asked && p->told_here > 1) {
            print_error("%s: its adapter is told %u times\n", s->id, p->told_here);
            fail();
        }
    }
}

// First sayings of an identity are in the order in which they were accepted.
static void check_order(const struct model *m)
{
    size_t last[BOTS][RIG_ROOMS] = {{0}};
    for (unsigned i = 0; i < m->posted; i++) {
        const struct post *p = &m->p[i];
        if (!p->said || p->abandoned || p->refused)
            continue;
        if (p->first + 1 <= last[p->bot][p->room]) {
            print_error("p%u of bot%u came too early in r%u\n", i, p->bot, p->room);
            fail();
        }
        last[p->bot][p->room] = p->first + 1;
    }
}

static void check_guests(struct model *m)
{
    struct guest_view a, b;
    for (size_t at = 0; bridge_next_guest(m->g.j.c.b, &at, &a);) {
        for (size_t other = at; bridge_next_guest(m->g.j.c.b, &other, &b);)
            assert_false(a.in && b.in && str_eq(a.room, b.room) && str_eq(a.nick, b.nick));
    }
    int64_t hours = (m->g.j.c.now - m->began) / 3600000 + 1;
    for (size_t i = 0; i < RIG_ROOMS; i++) {
        uint64_t most = BOTS * (20 + (uint64_t)hours * 30) + m->faults * 12 * BOTS;
        assert_true(m->g.room[i].enters < most);
        assert_true(m->g.room[i].checks < most * 3);
    }
}

/* What can happen */

static void post(struct model *m, unsigned n, unsigned flags)
{
    char id[16], key[8];
    struct post *p = &m->p[n];
    (void)snprintf(id, sizeof id, "p%u", n);
    (void)snprintf(key, sizeof key, "bot%u", p->bot);
    struct event ev = rig_post_event(key, m->g.room[p->room].jid, id, "");
    ev.token = n + 1;
    ev.flags |= flags;
    p->asked++;
    rig_do(&m->g, &ev);
}

static void do_post(struct model *m)
{
    for (size_t n = below(m, below(m, 20) ? 4 : 90); n > 0 && m->posted < POSTS; n--) {
        struct post *p = &m->p[m->posted++];
        p->bot = (uint8_t)below(m, BOTS);
        p->room = (uint8_t)below(m, RIG_ROOMS);
        p->accepted = m->g.room[p->room].said;
        post(m, m->posted - 1, 0);
    }
}

static void do_up(struct model *m)
{
    for (size_t n = below(m, 40); n > 0 && !list_empty(&m->g.up); n--)
        rig_go_up(&m->g);
}

static void do_down(struct model *m)
{
    for (size_t n = below(m, 60); n > 0 && !list_empty(&m->g.down); n--)
        rig_come_down(&m->g);
}

static void do_both(struct model *m)
{
    while (!list_empty(&m->g.up) || !list_empty(&m->g.down)) {
        if (!list_empty(&m->g.up))
            rig_go_up(&m->g);
        else
            rig_come_down(&m->g);
    }
}

static void do_loads(struct model *m)
{
    while (m->g.j.load_first < m->g.j.load_count)
        journal_answer(&m->g.j, 1 + below(m, 300));
}

static void do_disk(struct model *m)
{
    m->held = m->g.j.c.now;
    m->g.j.hold = below(m, 2);
    if (!m->g.j.hold)
        journal_commit(&m->g.j);
}

static void do_time(struct model *m)
{
    static const int64_t most[] = {100, 3000, 6000, 16000, 60000, 400000, 3600000};
    int64_t ms = (int64_t)below(m, (uint64_t)most[below(m, 7)]);
    if (ms >= 10000 && (!list_empty(&m->g.up) || !list_empty(&m->g.down))) // so slow is no room that is well
        m->faults++;
    if (ms >= 60000 || m->g.j.c.now - m->held >= 60000) { // no disk is so slow
        journal_commit(&m->g.j);
        m->held = m->g.j.c.now;
    }
    rig_pass(&m->g, ms);
}

// The link is cut: some of what was on its way arrives.
static void cut(struct model *m)
{
    struct list_node *it;
    size_t n = 0;
    for (it = m->g.up.next; it != &m->g.up; it = it->next)
        n++;
    for (n = below(m, n + 1); n > 0; n--)
        rig_go_up(&m->g);
    rig_clear(&m->g.up);
    rig_clear(&m->g.down);
    m->faults++;
}

static void do_link(struct model *m)
{
    if (m->up)
        cut(m);
    m->up = !m->up;
    rig_link(&m->g, m->up);
}

static void do_kill(struct model *m)
{
    cut(m);
    m->up = false;
    rig_kill(&m->g);
    for (unsigned i = 0; i < m->posted; i++) {
        m->p[i].gated = false;
        m->p[i].told_here = m->p[i].asked = 0;
    }
    bool again = below(m, 4);
    for (unsigned i = 0; i < m->posted; i++) { // whose source was not answered says it again, before all else
        if (m->p[i].acked || m->p[i].abandoned)
            continue;
        m->p[i].abandoned = !again;
        if (again)
            post(m, i, EVENT_AGAIN);
    }
    if (below(m, 3)) {
        m->up = true;
        rig_link(&m->g, true);
    }
}

static void do_restart_room(struct model *m)
{
    rig_restart(any_room(m));
    m->faults++;
}

static void do_talk(struct model *m)
{
    char id[24];
    struct rig_room *room = any_room(m);
    for (size_t n = below(m, 6); n > 0; n--) {
        (void)snprintf(id, sizeof id, "t%u", (unsigned)rng_next(&m->r));
        rig_talk(&m->g, room, "stranger", id);
    }
}

// Some of what was sent back is lost on its way.
static void do_lose(struct model *m)
{
    struct list_node *it, *safe;
    LIST_EACH (it, safe, &m->g.down) {
        struct rig_item *item = CONTAINER_OF(it, struct rig_item, node);
        if (item->reflects && below(m, 3) == 0)
            rig_drop(item);
    }
    m->faults++;
}

static void do_throw_out(struct model *m)
{
    static const unsigned marks[] = {MARK_KICKED, MARK_SHUTDOWN, MARK_ERROR, 0};
    struct rig_room *room = any_room(m);
    if (!room->count)
        return;
    const struct rig_occupant *o = &room->who[below(m, room->count)];
    char nick[200];
    memcpy(nick, o->nick, sizeof nick);
    if (below(m, 2)) // and nobody is told
        rig_take_out(room, rig_named(room, nick));
    else
        rig_throw_out(&m->g, room, nick, marks[below(m, 4)], "", "");
    m->faults++;
}

static void do_stranger(struct model *m)
{
    char nick[16];
    struct rig_room *room = any_room(m);
    (void)snprintf(nick, sizeof nick, "bot%u", (unsigned)below(m, BOTS));
    if (!rig_named(room, nick) && room->count < RIG_OCCUPANTS / 2)
        rig_stranger(&m->g, room, nick);
    m->faults++;
}

static void do_trouble(struct model *m)
{
    static const enum err errs[] = {ERR_UNAVAILABLE, ERR_AUTH, ERR_REGISTRATION, ERR_TIMEOUT, ERR_NOTFOUND, ERR_AGAIN};
    struct rig_room *room = any_room(m);
    bool well = !room->refuse && !room->max && !room->deaf && !room->no_reflection && !room->archive_err;
    room->refuse = room->archive_err = ERR_OK;
    room->max = 0;
    room->deaf = room->no_reflection = false;
    m->faults++;
    if (!well)
        return;
    switch (below(m, 4)) {
    case 0:
        room->refuse = errs[below(m, 6)];
        break;
    case 1:
        room->max = 1 + below(m, 3);
        break;
    case 2:
        room->deaf = true;
        break;
    default:
        room->no_reflection = !room->archive || below(m, 2);
    }
}

static void do_role(struct model *m)
{
    struct rig_room *room = any_room(m);
    if (room->count)
        rig_role(&m->g, room, room->who[below(m, room->count)].nick, below(m, 2) ? ROLE_VISITOR : ROLE_PARTICIPANT);
    m->faults++;
}

static void do_congestion(struct model *m)
{
    rig_do(&m->g, &(struct event){.kind = below(m, 2) ? EV_CONGESTED : EV_DRAINED, .component = 1});
}

static void (*const often[])(struct model *) = {do_post, do_post, do_up,   do_up,   do_down, do_down,
                                                do_both, do_time, do_time, do_disk, do_loads};
static void (*const seldom[])(struct model *) = {do_link,    do_link, do_kill,      do_restart_room,
                                                 do_talk,    do_lose, do_throw_out, do_stranger,
                                                 do_trouble, do_role, do_congestion};

/* The end: all is well again, and time enough passes. */

static bool idle(const struct model *m)
{
    struct guest_view v;
    size_t queued = 0;
    for (size_t at = 0; bridge_next_guest(m->g.j.c.b, &at, &v);)
        queued += v.queued;
    return !queued;
}

static void heal(struct model *m)
{
    for (size_t i = 0; i < RIG_ROOMS; i++) {
        struct rig_room *room = &m->g.room[i];
        room->refuse = room->archive_err = ERR_OK;
        room->max = 0;
        room->deaf = room->no_reflection = false;
        for (size_t k = 0; k < room->count; k++) {
            if (room->who[k].role == ROLE_VISITOR)
                rig_role(&m->g, room, room->who[k].nick, ROLE_PARTICIPANT);
        }
    }
    m->g.j.hold = m->g.j.slow = false;
    journal_commit(&m->g.j);
    do_loads(m);
    do_both(m);
    m->g.by_hand = false;
    rig_link(&m->g, true);
    rig_do(&m->g, &(struct event){.kind = EV_DRAINED, .component = 1});
    for (unsigned n = 0; n < 40 && !idle(m); n++) { // two tries of who is parked
        rig_pass(&m->g, 100000);
        look(m);
    }
    rig_pass(&m->g, 1000);
    look(m);
}

static void check_end(struct model *m)
{
    for (unsigned i = 0; i < m->posted; i++) {
        struct post *p = &m->p[i];
        char id[16];
        (void)snprintf(id, sizeof id, "p%u", i);
        bool letter = rig_letters(&m->g, id, LETTER_DEAD) || rig_letters(&m->g, id, LETTER_EXPIRED);
        bool well = p->abandoned || (p->acked && p->told && (p->said || letter));
        if (!well) {
            print_error("%s of bot%u in r%u: acknowledged %d, said %u times, told %u times, letter %d, %s\n", id,
                        p->bot, p->room, p->acked, p->said, p->told, letter, idle(m) ? "idle" : "busy");
            struct guest_view v;
            for (size_t at = 0; bridge_next_guest(m->g.j.c.b, &at, &v);)
                print_error("  " STR_FMT " " STR_FMT " " STR_FMT " %s queued %zu next %lld " STR_FMT "\n",
                            STR_ARG(v.room), STR_ARG(v.local), STR_ARG(v.nick), v.state, v.queued, (long long)v.next,
                            STR_ARG(v.why));
            fail();
        }
    }
    check_order(m);
    assert_true(idle(m));
}

static void begin(struct model *m, uint64_t seed)
{
    struct bridge_config cfg = core_config();
    rng_init(&m->r, seed);
    rig_init_with(&m->g, &cfg);
    m->g.heard = heard;
    m->g.refused = refused;
    m->g.journaled = journaled;
    m->g.ud = m;
    m->up = true;
    for (unsigned i = 0; i < BOTS; i++) {
        char key[8];
        (void)snprintf(key, sizeof key, "bot%u", i);
        journal_identity(&m->g.j, HOME, key);
    }
    for (size_t i = 0; i < RIG_ROOMS; i++) {
        m->g.room[i].archive = below(m, 2);
        m->g.room[i].history = below(m, 3) * 20;
    }
    m->g.j.slow = m->g.by_hand = true;
    m->began = m->g.j.c.now;
}

// `trouble`: one step of so many is one.
static void run(uint64_t seed, unsigned steps, unsigned trouble)
{
    struct model *m = MEM_NEW(struct model);
    begin(m, seed);
    for (unsigned n = 0; n < steps; n++) {
        if (below(m, trouble) == 0)
            seldom[below(m, sizeof seldom / sizeof *seldom)](m);
        else
            often[below(m, sizeof often / sizeof *often)](m);
        look(m);
        if (n % 16 == 0) {
            check_order(m);
            check_guests(m);
        }
    }
    heal(m);
    check_end(m);
    check_guests(m);
    rig_finish(&m->g);
    mem_free(m);
}

static void test_runs_with_trouble(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 400; seed++)
        run(seed, 120, 4);
}

static void test_runs_with_little_trouble(void **state)
{
    (void)state;
    for (uint64_t seed = 10001; seed <= 10200; seed++)
        run(seed, 150, 15);
}

static void test_long_runs(void **state)
{
    (void)state;
    for (uint64_t seed = 20001; seed <= 20004; seed++)
        run(seed, 1200, 6);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_with_trouble),
        cmocka_unit_test(test_runs_with_little_trouble),
        cmocka_unit_test(test_long_runs),
    };
    if (argc == 5) { // so many seeds from the first on, so many steps, one of so many is trouble
        uint64_t first = strtoull(argv[1], NULL, 10), count = strtoull(argv[2], NULL, 10);
        for (uint64_t seed = first; seed < first + count; seed++) {
            (void)fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
            run(seed, (unsigned)strtoul(argv[3], NULL, 10), (unsigned)strtoul(argv[4], NULL, 10));
        }
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
