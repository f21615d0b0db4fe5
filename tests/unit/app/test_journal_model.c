/* Random runs of the core with the real store, in memory, and a server that loses what servers lose: links come and go,
 * fences come back or do not, messages bounce, commits wait, the bridge is killed, the server is, days pass.
 *
 * Invariants: what was acknowledged is received by each who was to have it, or a letter says why not; first receipts of
 * a user are in the order of the lane; what is sent twice has the same id, and a kill sends no more twice than what no
 * fence had confirmed to the disk; in the end the counters balance. */
#include "lib/core_fixture.h"

#include "base/mem.h"
#include "base/rng.h"
#include "core/lane.h"
#include "core/letter.h"
#include "store/store.h"

#include <stdlib.h>

enum { USERS = 5, CONTACTS = 4, MESSAGES = 4000, WIRE = 4096, WINDOW_STANZAS = 64 };

static const struct {
    const char *key, *jid;
    uint16_t adapter, component;
    unsigned subscribers; // a set of users
} contacts[CONTACTS] = {
    {"lamp", "lamp@gw.example", HOME, 1, 0x1f},
    {"door", "door@gw.example", HOME, 1, 0x05},
    {"plug", "plug@gw.example", OTHER, 1, 0x0a},
    {"mill", "mill@two.example", FAR, 2, 0x01}, // one user: his records are counted
};

struct message {
    unsigned contact;
    bool answered;        // its source knows that it is durable
    unsigned sent[USERS]; // how often
    bool received[USERS]; // and is there to stay, or to be lost by the server
    int64_t at[USERS];    // when the server took it
    bool bounced[USERS];  // at least once, or expired: no order, then
    bool excused[USERS];  // the bridge was killed with its letter, or that made room for another
    bool fresh[USERS];    // bounced, and nothing of it is committed yet
};

struct stanza { // on the wire to a server
    unsigned message, user;
    uint64_t fence; // 0: a message
};

struct model {
    struct bridge *b;
    struct store *s;
    struct rng r;
    int64_t now, server_since[3];
    bool up[3], hold;
    struct message m[MESSAGES];
    unsigned said, accepted[4];
    struct stanza wire[3][WIRE];
    size_t wire_count[3];
    struct {
        uint64_t token, batch;
    } gates[MESSAGES];
    size_t gate_count;
    unsigned resent, allowed; // since the last kill
    unsigned landed;          // stanzas that fences have confirmed since the last commit
    unsigned notices;
    bool more;
    bool rewound; // a link has come or gone, and what is sent again because of that is not yet
};

static int64_t wall(const struct model *m)
{
    return INT64_C(1700000000000) + m->now;
}

static uint64_t below(struct model *m, uint64_t n)
{
    return rng_below(&m->r, n);
}

static struct bridge_config config(const struct model *m)
{
    static const struct str rules[] = {{"allow all to *", 14}};
    static struct bridge_adapter adapters[3];
    struct bridge_config cfg = core_config();
    memcpy(adapters, cfg.adapters, sizeof adapters);
    for (size_t i = 0; i < 3; i++)
        adapters[i].max_age = 4 * 3600 * 1000;
    adapters[0].max_records = 200;
    cfg.adapters = adapters;
    cfg.rules = rules;
    cfg.rule_count = 1;
    cfg.boot = STR("boot");
    cfg.now = m->now;
    cfg.wall = wall(m);
    return cfg;
}

/* What the bridge does */

static unsigned user_of(const struct event *ev)
{
    assert_int_equal(ev->user.local.n, 2);
    return (unsigned)(ev->user.local.p[1] - '0');
}

static void sent(struct model *m, const struct event *ev)
{
    unsigned user = user_of(ev), n = (unsigned)strtoul(ev->id.p + 1, NULL, 10);
    assert_true(n < m->said && user < USERS);
    struct message *msg = &m->m[n];
    assert_true(contacts[msg->contact].subscribers & 1U << user);
    assert_true(str_eq_c(ev->to.local, contacts[msg->contact].key));
    m->resent += msg->sent[user] > 0 && !msg->bounced[user];
    assert_true(m->resent <= m->allowed);
    msg->sent[user]++;
    assert_true(m->wire_count[ev->component] < WIRE);
    m->wire[ev->component][m->wire_count[ev->component]++] = (struct stanza){n, user, 0};
}

static void release(struct model *m)
{
    size_t n = 0;
    for (; n < m->gate_count && m->gates[n].batch <= store_committed(m->s); n++) {
        if (m->gates[n].token)
            m->m[m->gates[n].token - 1].answered = true;
    }
    m->gate_count -= n;
    memmove(m->gates, m->gates + n, m->gate_count * sizeof *m->gates);
}

// It waits for a person, or makes room for another one.
static void dead_letter(struct model *m, const struct row *row)
{
    struct message *msg = &m->m[strtoul(row->id.p + 1, NULL, 10)];
    unsigned user = (unsigned)(row->user.p[1] - '0');
    msg->bounced[user] = true;
    msg->excused[user] = msg->excused[user] || row->gone;
}

static void carry_out(struct model *m, const struct effect *e)
{
    switch (e->kind) {
    case EFFECT_NORTH:
        assert_true(m->up[e->ev->component]);
        if (e->ev->kind == EV_MESSAGE)
            sent(m, e->ev);
        if (e->ev->kind == EV_FENCE && m->wire_count[e->ev->component] < WIRE)
            m->wire[e->ev->component][m->wire_count[e->ev->component]++] = (struct stanza){.fence = e->ev->number};
        break;
    case EFFECT_GATED:
        m->gates[m->gate_count].token = e->ev->token;
        m->gates[m->gate_count++].batch = store_batch(m->s);
        break;
    case EFFECT_SOUTH:
        assert_true(e->ev->kind != EV_REFUSED);
        break;
    case EFFECT_STORE:
        store_put(m->s, e->row);
        if (e->row->kind == ROW_LETTER && e->row->state >= LETTER_DEAD)
            dead_letter(m, e->row);
        break;
    case EFFECT_LOAD:
        store_fetch(m->s, e->ev->name, e->ev->number, (unsigned)e->ev->token, 4096);
        break;
    case EFFECT_NOTICE:
        m->notices++;
        break;
    case EFFECT_OPERATE:
        break;
    }
}

static void step(struct model *m, const struct event *ev)
{
    struct arena a;
    struct event own = *ev;
    m->more = true;
    for (unsigned ticks = 0; m->more; ticks++) {
        assert_true(ticks < 1000);
        struct effects out;
        arena_init(&a, 0);
        effects_init(&out, &a);
        own.now = m->now;
        own.wall = wall(m);
        bridge_step(m->b, &own, &out);
        assert_true(out.count <= BRIDGE_EFFECTS);
        for (size_t i = 0; i < out.count; i++)
            carry_out(m, &out.v[i]);
        m->more = out.more;
        own = (struct event){.kind = EV_TICK};
        arena_finish(&a);
    }
}

static void commit(struct model *m)
{
    assert_int_equal(store_flush(m->s), ERR_OK);
    m->landed = 0;
    for (unsigned i = 0; i < m->said; i++)
        memset(m->m[i].fresh, 0, sizeof m->m[i].fresh);
    release(m);
    size_t queued = 0;
    struct lane_view v;
    for (size_t at = 0; bridge_next_lane(m->b, &at, &v);)
        queued += v.queued;
    m->rewound = m->rewound && queued;
}

static void on_record(void *ud, const struct row *row)
{
    struct event ev = {.kind = EV_LOADED,
                       .name = row->adapter,
                       .number = row->number,
                       .key = row->key,
                       .id = row->id,
                       .body = row->text,
                       .type = (enum message_type)row->state,
                       .stamp = row->stamp,
                       .accepted = row->since};
    step(ud, &ev);
}

static void on_end(void *ud, struct str adapter, uint64_t after, bool complete)
{
    step(ud,
         &(struct event){.kind = EV_LOADED, .name = adapter, .number = after, .flags = complete ? EVENT_DURABLE : 0});
}

static bool answer_loads(struct model *m)
{
    static const struct store_reader reader = {on_record, on_end};
    return store_fetched(m->s, &reader, m);
}

/* What the servers do */

// Takes so many stanzas off the wire.
static void serve(struct model *m, uint16_t component, size_t count)
{
    size_t n = 0;
    uint64_t fences[WIRE];
    size_t fence_count = 0;
    for (; n < count && n < m->wire_count[component]; n++) {
        const struct stanza *st = &m->wire[component][n];
        if (st->fence) {
            fences[fence_count++] = st->fence;
            continue;
        }
        struct message *msg = &m->m[st->message];
        if (!msg->received[st->user])
            msg->at[st->user] = m->now;
        msg->received[st->user] = true;
    }
    m->wire_count[component] -= n;
    memmove(m->wire[component], m->wire[component] + n, m->wire_count[component] * sizeof **m->wire);
    for (size_t i = 0; i < fence_count; i++) {
        m->landed += WINDOW_STANZAS;
        step(m, &(struct event){.kind = EV_FENCED, .component = component, .number = fences[i]});
    }
}

// Whether a letter says why, and nobody tries it any more.
static bool has_letter(const struct model *m, unsigned n, unsigned u)
{
    char id[16], user[40];
    (void)snprintf(id, sizeof id, "m%u", n);
    (void)snprintf(user, sizeof user, "u%u@example.org", u);
    struct letter_view v;
    for (uint64_t at = 0; bridge_next_letter(m->b, &at, &v);) {
        if (str_eq_c(v.id, id) && str_eq_c(v.user, user) && v.state >= LETTER_DEAD)
            return true;
    }
    return false;
}

// First receipts are in order: who has a message has all before it of the same contact.
static void check_order(const struct model *m)
{
    for (unsigned c = 0; c < CONTACTS; c++) {
        for (unsigned u = 0; u < USERS; u++) {
            if (!(contacts[c].subscribers & 1U << u))
                continue;
            bool missing = false;
            unsigned first = 0;
            for (unsigned i = 0; i < m->said; i++) {
                const struct message *msg = &m->m[i];
                if (msg->contact != c || msg->bounced[u])
                    continue;
                if (missing && msg->received[u]) {
                    print_error("m%u came to u%u before m%u\n", i, u, first);
                    fail();
                }
                bool owed = !missing && !msg->received[u] && !has_letter(m, i, u);
                first = owed ? i : first;
                missing = missing || owed;
            }
        }
    }
}

static void link_state(struct model *m, uint16_t component, bool up)
{
    m->up[component] = up;
    m->wire_count[component] = 0;
    m->allowed = UINT32_MAX; // all that is not settled
    m->rewound = true;
    step(m, &(struct event){.kind = up ? EV_LINK_UP : EV_LINK_DOWN, .component = component});
    if (up && bridge_doubts(m->b, component))
        step(m, &(struct event){.kind = EV_STARTED, .component = component, .stamp = m->server_since[component]});
}

// The server dies: what it took within the last seconds was in its memory only.
static void lose(struct model *m, uint16_t component)
{
    for (unsigned i = 0; i < m->said; i++) {
        struct message *msg = &m->m[i];
        for (unsigned u = 0; u < USERS; u++) {
            if (contacts[msg->contact].component == component && m->now - msg->at[u] < LANE_HOLD_MS)
                msg->received[u] = false;
        }
    }
    m->server_since[component] = wall(m);
}

/* What can happen */

static void post(struct model *m, unsigned n, unsigned flags)
{
    char id[16];
    (void)snprintf(id, sizeof id, "m%u", n);
    struct event ev = core_adapter(EV_MESSAGE, contacts[m->m[n].contact].adapter, contacts[m->m[n].contact].key);
    ev.flags = EVENT_DURABLE | flags;
    ev.id = ev.body = str_c(id);
    ev.token = n + 1;
    step(m, &ev);
}

static void do_say(struct model *m)
{
    for (size_t n = below(m, below(m, 20) ? 4 : 150); n > 0 && m->said < MESSAGES; n--) {
        m->m[m->said].contact = (unsigned)below(m, CONTACTS);
        m->said++;
        post(m, m->said - 1, 0);
    }
}

static void do_serve(struct model *m)
{
    uint16_t component = (uint16_t)(1 + below(m, 2));
    serve(m, component, 1 + below(m, 200));
}

static void do_loads(struct model *m)
{
    (void)answer_loads(m);
}

static void do_commit(struct model *m)
{
    commit(m);
}

static void do_link(struct model *m)
{
    uint16_t component = (uint16_t)(1 + below(m, 2));
    bool up = !m->up[component] || below(m, 8) == 0; // up twice: something was lost
    bool dies = below(m, 3) == 0;
    if (!up || m->up[component])
        serve(m, component, below(m, m->wire_count[component] + 1));
    if (dies && !up)
        lose(m, component);
    link_state(m, component, up);
}

static void do_time(struct model *m)
{
    static const int64_t most[] = {100, 3000, 6000, 60000, 3600000};
    int64_t end = m->now + (int64_t)below(m, (uint64_t)most[below(m, 5)]);
    for (unsigned idle = 0;;) {
        int64_t at = bridge_deadline(m->b);
        if (at > end)
            break;
        idle = at > m->now ? 0 : idle + 1;
        assert_true(idle < 3); // else it spins
        m->now = at > m->now ? at : m->now;
        step(m, &(struct event){.kind = EV_TICK});
    }
    m->now = end;
    step(m, &(struct event){.kind = EV_TICK});
}

static void do_bounce(struct model *m)
{
    static const enum err errs[] = {ERR_TIMEOUT, ERR_TIMEOUT, ERR_RESOLVE, ERR_NOTFOUND};
    unsigned u = (unsigned)below(m, USERS);
    for (unsigned tries = 0; tries < 20 && m->said; tries++) {
        unsigned n = (unsigned)below(m, m->said);
        struct message *msg = &m->m[n];
        if (!msg->received[u] || !m->up[contacts[msg->contact].component] || m->now - msg->at[u] > 600000)
            continue;
        char user[40], id[16];
        (void)snprintf(user, sizeof user, "u%u@example.org/r", u);
        (void)snprintf(id, sizeof id, "m%u", n);
        struct event ev = core_user(EV_BOUNCE, user, contacts[msg->contact].jid);
        ev.about = EV_MESSAGE;
        ev.id = str_c(id);
        ev.err = errs[below(m, 4)];
        msg->received[u] = false;
        msg->bounced[u] = msg->fresh[u] = true;
        step(m, &ev);
        return;
    }
}

static enum err restore(void *ud, const struct row *row)
{
    struct model *m = ud;
    if (row->kind == ROW_STATE)
        return ERR_OK;
    enum err e = bridge_restore(m->b, row);
    assert_true(!e || e == ERR_NOTFOUND);
    return ERR_OK;
}

static void begin(struct model *m)
{
    struct bridge_config cfg = config(m);
    struct errmsg msg;
    assert_int_equal(bridge_create(&cfg, &m->b, &msg), ERR_OK);
    assert_int_equal(store_load(m->s, restore, m), ERR_OK);
}

static void drop_record(void *ud, const struct row *row)
{
    (void)ud;
    (void)row;
}

static void drop_end(void *ud, struct str adapter, uint64_t after, bool complete)
{
    (void)ud;
    (void)adapter;
    (void)after;
    (void)complete;
}

static void do_kill(struct model *m)
{
    for (uint16_t c = 1; c < 3; c++) { // what is in the socket may arrive
        size_t arrives = below(m, m->wire_count[c] + 1);
        for (size_t i = 0; i < arrives; i++) {
            const struct stanza *st = &m->wire[c][i];
            struct message *msg = &m->m[st->message];
            if (st->fence)
                continue;
            if (!msg->received[st->user])
                msg->at[st->user] = m->now;
            msg->received[st->user] = true;
        }
        m->wire_count[c] = 0;
        m->up[c] = false;
        if (below(m, 4) == 0)
            lose(m, c);
    }
    m->allowed = 2 * WINDOW_STANZAS + m->landed + 2 * LETTERS_FLYING; // of two components
    m->resent = 0;
    m->landed = 0;
    for (unsigned i = 0; i < m->said; i++) {
        for (unsigned u = 0; u < USERS; u++)
            m->m[i].excused[u] = m->m[i].excused[u] || m->m[i].fresh[u];
        memset(m->m[i].fresh, 0, sizeof m->m[i].fresh);
    }
    bridge_destroy(m->b);
    store_forget(m->s);
    m->gate_count = 0;
    static const struct store_reader nobody = {drop_record, drop_end};
    while (store_fetched(m->s, &nobody, NULL)) // questions end with the process
        continue;
    begin(m);
}

// After a kill the sources say again what was not answered, and the links come back.
static void do_restart(struct model *m)
{
    (void)answer_loads(m);
    do_kill(m);
    bool lost[3] = {m->rewound};
    for (uint16_t c = 1; c < 3; c++)
        lost[c] = m->server_since[c] + 3600000 > wall(m); // or so: it may have held something then
    unsigned allowed = m->allowed;
    for (unsigned n = 0; n < m->said; n++) {
        if (!m->m[n].answered)
            post(m, n, EVENT_AGAIN);
    }
    for (uint16_t c = 1; c < 3; c++) {
        if (below(m, 3)) {
            link_state(m, c, true);
            m->allowed = lost[0] || lost[1] || lost[2] ? UINT32_MAX : allowed;
        }
    }
}

static void (*const actions[])(struct model *) = {
    do_say,   do_say,  do_say,  do_serve, do_serve, do_serve,  do_serve,  do_loads,
    do_loads, do_link, do_time, do_time,  do_time,  do_commit, do_commit, do_bounce,
};

/* The end */

static void heal(struct model *m)
{
    for (uint16_t c = 1; c < 3; c++)
        link_state(m, c, true);
    for (unsigned rounds = 0; rounds < 3000; rounds++) {
        commit(m);
        bool busy = answer_loads(m);
        for (uint16_t c = 1; c < 3; c++) {
            busy = busy || m->wire_count[c];
            serve(m, c, WIRE);
        }
        if (busy)
            continue;
        int64_t at = bridge_deadline(m->b);
        if (at == INT64_MAX || rounds > 2990)
            break;
        m->now = at > m->now ? at : m->now;
        step(m, &(struct event){.kind = EV_TICK});
    }
}

static void check_end(const struct model *m)
{
    for (unsigned n = 0; n < m->said; n++) {
        const struct message *msg = &m->m[n];
        assert_true(msg->answered);
        for (unsigned u = 0; u < USERS; u++) {
            bool owed = contacts[msg->contact].subscribers & 1U << u;
            if (owed && !msg->received[u] && !msg->excused[u] && !has_letter(m, n, u)) {
                print_error("m%u to u%u: sent %u times, bounced %d\n", n, u, msg->sent[u], msg->bounced[u]);
                fail();
            }
        }
    }
    struct lane_view v;
    for (size_t at = 0; bridge_next_lane(m->b, &at, &v);) {
        assert_int_equal(v.queued, 0);
        assert_int_equal(v.in_flight, 0);
        assert_int_equal(v.parked, 0);
        assert_int_equal(v.retrying, 0);
        assert_int_equal(v.bytes, 0);
        if (str_eq_c(v.adapter, "far")) { // each record has one user
            unsigned said = 0;
            for (unsigned n = 0; n < m->said; n++)
                said += m->m[n].contact == 3;
            assert_int_equal(v.accepted, said);
            assert_int_equal(v.accepted, v.settled + v.dead + v.expired);
        }
    }
    assert_true(bridge_deadline(m->b) == INT64_MAX);
}

static void run(uint64_t seed, unsigned steps)
{
    struct model *m = MEM_NEW(struct model);
    m->allowed = UINT32_MAX;
    m->s = store_open_memory();
    rng_init(&m->r, seed);
    begin(m);
    for (uint16_t c = 1; c < 3; c++)
        link_state(m, c, true);
    for (unsigned c = 0; c < CONTACTS; c++) {
        struct event ev = core_adapter(EV_IDENTITY, contacts[c].adapter, contacts[c].key);
        ev.name = ev.wish = str_c(contacts[c].key);
        step(m, &ev);
        for (unsigned u = 0; u < USERS; u++) {
            char user[40];
            (void)snprintf(user, sizeof user, "u%u@example.org", u);
            ev = core_user(EV_SUBSCRIBE, user, contacts[c].jid);
            if (contacts[c].subscribers & 1U << u)
                step(m, &ev);
        }
    }
    commit(m);
    for (unsigned n = 0; n < steps; n++) {
        if (below(m, 60) == 0)
            do_restart(m);
        else
            actions[below(m, sizeof actions / sizeof *actions)](m);
        if (n % 8 == 0)
            check_order(m);
    }
    heal(m);
    check_order(m);
    check_end(m);
    bridge_destroy(m->b);
    store_close(m->s);
    mem_free(m);
}

static void test_short_runs(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++)
        run(seed, 150);
}

static void test_long_runs(void **state)
{
    (void)state;
    for (uint64_t seed = 1000; seed < 1004; seed++)
        run(seed, 1500);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_short_runs),
        cmocka_unit_test(test_long_runs),
    };
    if (argc == 3) { // one seed, so many steps
        run(strtoull(argv[1], NULL, 10), (unsigned)strtoul(argv[2], NULL, 10));
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
