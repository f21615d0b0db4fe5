/* Random runs of the bridge beside a model of a few lines: what each subscriber was last told must be what the model
 * says, whatever the order of events.
 *
 * Invariants: nothing to who is not subscribed or may not see; only changes; nothing north while the link is down; one
 * outcome per token; after a resync each subscriber's view equals the model. */
#include "lib/core_fixture.h"

#include "base/rng.h"
#include "core/pending.h"

enum { USERS = 4, IDS = 6, STEPS = 100000, TOKENS = 64 };

static const char *const users[USERS] = {"alice@example.org", "bob@example.org", "carol@example.org",
                                         "stranger@example.net"};
static const struct {
    const char *key, *jid;
    uint16_t adapter, component;
} ids[IDS] = {
    {"lamp", "lamp@gw.example", HOME, 1}, {"door", "door@gw.example", HOME, 1},
    {"plug", "plug@gw.example", HOME, 1}, {"secret", "secret@gw.example", OTHER, 1},
    {"mill", "mill@two.example", FAR, 2}, {"dam", "dam@two.example", FAR, 2},
};
static const char *const texts[] = {"", "warm", "cold"};

struct told { // the presence of an identity
    enum show show;
    unsigned text;
};

struct model {
    struct core c;
    struct rng r;
    bool up[3];
    bool granted; // carol may see and read home
    uint64_t rule;
    bool alive[IDS], dying[IDS];
    struct told now[IDS];
    bool sub[USERS][IDS];
    struct told view[USERS][IDS]; // what each was told last, at the bare address
    struct {
        uint64_t token;
        unsigned user, id;
        int64_t asked;
    } open[TOKENS];
    size_t open_count;
    unsigned outcomes; // heard in this step
    unsigned presences, messages;
    int prober; // who probes in this step, -1: nobody
};

static uint64_t below(struct model *m, uint64_t n)
{
    return rng_below(&m->r, n);
}

static bool may_see(const struct model *m, size_t u, size_t i)
{
    if (!m->alive[i])
        return false;
    if (ids[i].adapter == OTHER)
        return false;
    return u < 2 || (u == 2 && m->granted && ids[i].adapter == HOME);
}

// What the bridge ends as soon as it can tell: without identity or right there is no subscription.
static void settle(struct model *m)
{
    for (size_t i = 0; i < IDS; i++) {
        if (!m->up[ids[i].component])
            continue;
        m->dying[i] = false;
        if (!m->alive[i])
            m->now[i] = (struct told){SHOW_OFFLINE, 0};
        for (size_t u = 0; u < USERS; u++)
            m->sub[u][i] = m->sub[u][i] && may_see(m, u, i);
    }
}

static size_t index_of_user(const struct jid *j)
{
    for (size_t u = 0; u < USERS; u++) {
        struct jid who = core_jid(users[u]);
        if (jid_bare_eq(&who, j))
            return u;
    }
    fail_msg("nobody has this address: " STR_FMT "@" STR_FMT, STR_ARG(j->local), STR_ARG(j->domain));
    return 0;
}

static size_t index_of_id(const struct jid *j)
{
    for (size_t i = 0; i < IDS; i++) {
        struct jid id = core_jid(ids[i].jid);
        if (jid_bare_eq(&id, j))
            return i;
    }
    return IDS;
}

static unsigned text_index(struct str text)
{
    for (unsigned t = 0; t < sizeof texts / sizeof *texts; t++) {
        if (str_eq_c(text, texts[t]))
            return t;
    }
    fail_msg("unknown text");
    return 0;
}

static void hear_presence(struct model *m, const struct event *ev, size_t u, size_t i)
{
    m->presences++;
    if (ev->user.resource.n) { // an answer to a probe
        assert_int_equal(m->prober, (int)u);
        assert_true(m->sub[u][i] && may_see(m, u, i));
        return;
    }
    bool there = ev->kind == EV_AVAILABLE;
    if (there)
        assert_true(m->sub[u][i] && may_see(m, u, i));
    m->view[u][i] = (struct told){there ? ev->show : SHOW_OFFLINE, text_index(ev->body)};
}

static void hear(struct model *m, const struct event *ev)
{
    assert_true(m->up[ev->component]);
    size_t u = index_of_user(&ev->user), i = index_of_id(&ev->to);
    if (i == IDS)
        return; // the gateway itself, or an address that nobody has
    switch (ev->kind) {
    case EV_AVAILABLE:
    case EV_UNAVAILABLE:
        hear_presence(m, ev, u, i);
        break;
    case EV_MESSAGE:
        m->messages++;
        assert_true(may_see(m, u, i));
        break;
    case EV_BOUNCE:
        m->outcomes += ev->about == EV_MESSAGE;
        break;
    case EV_RECEIPT:
        m->outcomes++;
        break;
    case EV_SUBSCRIBE:
    case EV_SUBSCRIBED:
        assert_true(may_see(m, u, i));
        break;
    default:
        assert_true(ev->kind == EV_UNSUBSCRIBE || ev->kind == EV_UNSUBSCRIBED);
    }
}

static void read_effects(struct model *m)
{
    for (size_t k = 0; k < m->c.out.count; k++) {
        if (m->c.out.v[k].kind == EFFECT_NORTH)
            hear(m, m->c.out.v[k].ev);
    }
}

static void step(struct model *m, const struct event *ev)
{
    m->outcomes = m->presences = m->messages = 0;
    core_step(&m->c, ev);
    read_effects(m);
    for (unsigned ticks = 0; m->c.out.more; ticks++) {
        assert_true(ticks < 100);
        core_step(&m->c, &(struct event){.kind = EV_TICK});
        read_effects(m);
    }
}

// What is heard and what is so are the same wherever a link works.
static void compare(const struct model *m)
{
    for (size_t u = 0; u < USERS; u++) {
        for (size_t i = 0; i < IDS; i++) {
            if (!m->up[ids[i].component])
                continue;
            const struct told *v = &m->view[u][i], *n = &m->now[i];
            if (m->sub[u][i])
                assert_true(v->show == n->show && v->text == n->text);
            else
                assert_int_equal(v->show, SHOW_OFFLINE);
        }
    }
}

/* What can happen. Each runs one event and takes the model along. */

static struct event of_user(struct model *m, enum event_kind kind, size_t *u, size_t *i)
{
    *u = below(m, USERS);
    *i = below(m, IDS);
    static char full[64];
    snprintf(full, sizeof full, "%s/r", users[*u]);
    struct event ev = core_user(kind, full, ids[*i].jid);
    ev.component = ids[*i].component;
    return ev;
}

static void do_subscription(struct model *m)
{
    static const enum event_kind kinds[] = {EV_SUBSCRIBE,   EV_SUBSCRIBE,    EV_SUBSCRIBE,
                                            EV_UNSUBSCRIBE, EV_UNSUBSCRIBED, EV_SUBSCRIBED};
    size_t u, i;
    struct event ev = of_user(m, kinds[below(m, sizeof kinds / sizeof *kinds)], &u, &i);
    if (!m->up[ev.component])
        return;
    if (ev.kind == EV_SUBSCRIBE)
        m->sub[u][i] = may_see(m, u, i);
    if (ev.kind == EV_UNSUBSCRIBE)
        m->sub[u][i] = false;
    step(m, &ev);
}

static void do_probe(struct model *m)
{
    size_t u, i;
    struct event ev = of_user(m, EV_PROBE, &u, &i);
    if (!m->up[ev.component])
        return;
    m->prober = (int)u;
    step(m, &ev);
    assert_int_equal(m->presences, m->sub[u][i]);
    m->prober = -1;
}

static void do_own_presence(struct model *m)
{
    size_t u, i;
    struct event ev = of_user(m, below(m, 2) ? EV_AVAILABLE : EV_UNAVAILABLE, &u, &i);
    if (!m->up[ev.component])
        return;
    step(m, &ev);
    assert_int_equal(m->c.out.count, 0);
}

static void do_presence(struct model *m)
{
    size_t i = below(m, IDS);
    static const enum show shows[] = {SHOW_OFFLINE, SHOW_AWAY, SHOW_ONLINE};
    struct told next = {shows[below(m, 3)], (unsigned)below(m, 3)};
    struct event ev = core_adapter(next.show ? EV_AVAILABLE : EV_UNAVAILABLE, ids[i].adapter, ids[i].key);
    ev.show = next.show;
    ev.body = str_c(texts[next.text]);
    ev.flags = below(m, 2) ? EVENT_SNAPSHOT : 0;
    bool changed = m->alive[i] && (next.show != m->now[i].show || next.text != m->now[i].text);
    unsigned expected = 0;
    for (size_t u = 0; u < USERS; u++)
        expected += m->sub[u][i] && changed && m->up[ids[i].component];
    if (m->alive[i])
        m->now[i] = next;
    step(m, &ev);
    assert_int_equal(m->presences, expected);
}

static void do_identity(struct model *m)
{
    size_t i = below(m, IDS);
    bool forget = m->alive[i] && below(m, 3) == 0;
    struct event ev = core_adapter(forget ? EV_FORGET : EV_IDENTITY, ids[i].adapter, ids[i].key);
    ev.wish = ev.name = str_c(ids[i].key);
    ev.token = 1;
    if (forget)
        m->dying[i] = true;
    m->alive[i] = !forget;
    if (!forget && m->dying[i]) // named again in time: nothing is lost
        m->dying[i] = false;
    settle(m);
    step(m, &ev);
}

static void do_link(struct model *m)
{
    uint16_t component = (uint16_t)(1 + below(m, 2));
    bool up = below(m, 4) != 0; // up twice is a resync too
    m->up[component] = up;
    settle(m);
    step(m, &(struct event){.kind = up ? EV_LINK_UP : EV_LINK_DOWN, .component = component});
    if (!up)
        assert_int_equal(m->c.out.count, 0);
}

static void do_rule(struct model *m)
{
    if (m->granted) {
        m->granted = false;
        settle(m);
        step(m, &(struct event){.kind = EV_REVOKE, .number = m->rule});
    } else {
        m->granted = true;
        m->rule++;
        step(m, &(struct event){.kind = EV_GRANT, .rule = STR("allow see read to carol@example.org on home")});
    }
}

static void do_ask(struct model *m)
{
    size_t u, i;
    struct event ev = of_user(m, EV_MESSAGE, &u, &i);
    ev.body = STR("on");
    ev.id = STR("m");
    ev.flags = EVENT_RECEIPT_WANTED;
    if (!m->up[ev.component] || m->open_count == TOKENS)
        return;
    step(m, &ev);
    uint64_t token = 0;
    for (size_t k = 0; k < m->c.out.count; k++) {
        if (m->c.out.v[k].kind == EFFECT_SOUTH)
            token = m->c.out.v[k].ev->token;
    }
    bool may = may_see(m, u, i) && u < 2; // carol may not send
    assert_true(may || !token);
    assert_int_equal(m->outcomes, token == 0); // asked, or told why not
    if (!token)
        return;
    for (size_t k = 0; k < m->open_count; k++)
        assert_true(m->open[k].token != token);
    m->open[m->open_count].token = token;
    m->open[m->open_count].user = (unsigned)u;
    m->open[m->open_count].id = (unsigned)i;
    m->open[m->open_count++].asked = m->c.now;
}

static void do_outcome(struct model *m)
{
    if (!m->open_count)
        return;
    size_t k = below(m, m->open_count);
    struct event ev = core_adapter(below(m, 2) ? EV_DELIVERED : EV_FAILED, ids[m->open[k].id].adapter, "");
    ev.token = m->open[k].token;
    ev.err = ERR_OFFLINE;
    bool up = m->up[ids[m->open[k].id].component];
    memmove(&m->open[k], &m->open[k + 1], (m->open_count - k - 1) * sizeof m->open[k]);
    m->open_count--;
    step(m, &ev);
    assert_int_equal(m->outcomes, up);
    step(m, &ev); // an adapter that says it twice
    assert_int_equal(m->outcomes, 0);
}

static void do_time(struct model *m)
{
    m->c.now += (int64_t)below(m, 20000);
    unsigned expected = 0;
    size_t kept = 0;
    for (size_t k = 0; k < m->open_count; k++) {
        bool due = m->open[k].asked + PENDING_MS <= m->c.now;
        expected += due && m->up[ids[m->open[k].id].component];
        if (!due)
            m->open[kept++] = m->open[k];
    }
    m->open_count = kept;
    step(m, &(struct event){.kind = EV_TICK});
    assert_int_equal(m->outcomes, expected);
    int64_t deadline = kept ? m->open[0].asked + PENDING_MS : INT64_MAX;
    assert_true(bridge_deadline(m->c.b) == deadline);
}

static void do_news(struct model *m)
{
    size_t i = below(m, IDS);
    struct event ev = core_adapter(EV_MESSAGE, ids[i].adapter, ids[i].key);
    ev.body = STR("news");
    ev.id = STR("n");
    ev.token = 5;
    if (!m->up[ids[i].component]) // it would be told when the link is there again
        return;
    unsigned expected = 0;
    for (size_t u = 0; u < USERS; u++)
        expected += m->sub[u][i];
    step(m, &ev);
    assert_int_equal(m->messages, expected);
    const struct effect *last = &m->c.out.v[m->c.out.count - 1];
    assert_int_equal(last->ev->token, 5); // one answer, and it is the last effect
    assert_int_equal(last->kind, EFFECT_SOUTH);
}

static void do_registration(struct model *m)
{
    size_t u = below(m, USERS);
    uint16_t component = (uint16_t)(1 + below(m, 2));
    if (!m->up[component])
        return;
    struct jid who = core_jid(users[u]);
    bool leaves = bridge_registered(m->c.b, component, &who);
    struct event ev =
        core_user(leaves ? EV_UNREGISTER : EV_REGISTER, users[u], component == 1 ? "gw.example" : "two.example");
    ev.id = STR("r");
    for (size_t i = 0; leaves && i < IDS; i++)
        m->sub[u][i] = m->sub[u][i] && ids[i].component != component;
    step(m, &ev);
    assert_int_equal(bridge_registered(m->c.b, component, &who), !leaves && u < 2);
}

static void (*const actions[])(struct model *) = {
    do_subscription, do_subscription, do_subscription, do_probe, do_own_presence, do_presence, do_presence,
    do_presence,     do_identity,     do_link,         do_rule,  do_ask,          do_ask,      do_outcome,
    do_outcome,      do_time,         do_news,         do_news,  do_registration,
};

static void run(uint64_t seed, unsigned steps)
{
    static struct model m;
    m = (struct model){.prober = -1};
    struct bridge_config cfg = core_config();
    core_init_with(&m.c, &cfg);
    rng_init(&m.r, seed);
    for (unsigned n = 0; n < steps; n++) {
        actions[below(&m, sizeof actions / sizeof *actions)](&m);
        compare(&m);
    }
    core_finish(&m.c);
}

static void test_one_long_run(void **state)
{
    (void)state;
    run(1, STEPS / 2);
}

static void test_many_short_runs(void **state)
{
    (void)state;
    for (uint64_t seed = 2; seed < 2 + 100; seed++)
        run(seed, STEPS / 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_long_run),
        cmocka_unit_test(test_many_short_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
