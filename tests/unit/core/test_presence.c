#include "core/bridge_private.h"
#include "lib/core_fixture.h"

static int setup(void **state)
{
    static struct core c;
    core_init(&c);
    *state = &c;
    return 0;
}

static int teardown(void **state)
{
    core_finish(*state);
    return 0;
}

#define ALICE "alice@example.org"
#define LAMP "lamp@gw.example"

static void test_subscribe_is_answered_and_stored(void **state)
{
    struct core *c = *state;
    struct event ev = core_user(EV_SUBSCRIBE, ALICE "/phone", LAMP);
    core_expect(c, &ev,
                "store subscription alice@example.org lamp@gw.example state=1\n"
                "north subscribed lamp@gw.example -> alice@example.org\n"
                "north available lamp@gw.example/home -> alice@example.org show=online body=warm\n");
    core_expect(c, &ev,
                "north subscribed lamp@gw.example -> alice@example.org\n"
                "north available lamp@gw.example/home -> alice@example.org show=online body=warm\n");
}

static void test_offline_contact_says_so(void **state)
{
    struct core *c = *state;
    struct event ev = core_user(EV_SUBSCRIBE, ALICE, "door@gw.example");
    core_expect(c, &ev,
                "store subscription alice@example.org door@gw.example state=1\n"
                "north subscribed door@gw.example -> alice@example.org\n"
                "north unavailable door@gw.example/home -> alice@example.org\n");
}

// What may not be seen answers as what does not exist, to every kind of event.
static void test_invisible_is_nonexistent(void **state)
{
    struct core *c = *state;
    static const enum event_kind kinds[] = {EV_SUBSCRIBE, EV_SUBSCRIBED, EV_UNSUBSCRIBE, EV_UNSUBSCRIBED, EV_PROBE,
                                            EV_MESSAGE,   EV_TYPING,     EV_COMMAND,     EV_JOIN,         EV_PART,
                                            EV_SUBJECT,   EV_AVAILABLE,  EV_UNAVAILABLE, EV_BOUNCE};
    static const unsigned flags[] = {0, EVENT_JOIN, EVENT_ENCRYPTED, EVENT_RECEIPT_WANTED};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        for (size_t f = 0; f < sizeof flags / sizeof *flags; f++) {
            for (int type = MESSAGE_CHAT; type <= MESSAGE_HEADLINE; type++) {
                struct event there = core_user(kinds[k], ALICE "/x", "secret@gw.example/n");
                there.flags = flags[f];
                there.type = (enum message_type)type;
                there.id = STR("i1");
                there.body = STR("b");
                there.err = kinds[k] == EV_BOUNCE ? ERR_NOTFOUND : ERR_OK;
                struct event nowhere = there;
                nowhere.to.local = STR("nobody");
                struct strbuf a;
                strbuf_init(&a, 1 << 16);
                for (const char *p = core_all(c, &there); *p; p++) {
                    if (strncmp(p, "secret@", 7) == 0) {
                        strbuf_c(&a, "nobody@");
                        p += 6;
                    } else {
                        strbuf_char(&a, *p);
                    }
                }
                assert_string_equal(core_all(c, &nowhere), a.n ? a.p : "");
                strbuf_finish(&a);
            }
        }
    }
}

static void test_unknown_is_refused_both_ways(void **state)
{
    struct core *c = *state;
    struct event ev = core_user(EV_SUBSCRIBE, ALICE "/x", "nobody@gw.example");
    ev.id = STR("s1");
    core_expect(c, &ev,
                "north unsubscribed nobody@gw.example -> alice@example.org\n"
                "north bounce nobody@gw.example -> alice@example.org about=available err=notfound id=s1\n");
    ev = core_user(EV_PROBE, ALICE "/x", "nobody@gw.example");
    core_expect(c, &ev, "north unsubscribed nobody@gw.example -> alice@example.org\n");
}

static void test_changes_only(void **state)
{
    struct core *c = *state;
    core_subscribe(c, ALICE, LAMP);
    core_subscribe(c, "bob@example.org", LAMP);
    struct event ev = core_adapter(EV_AVAILABLE, HOME, "lamp");
    ev.show = SHOW_ONLINE;
    ev.body = STR("warm");
    core_expect(c, &ev, "");
    ev.body = STR("hot");
    core_expect(c, &ev,
                "north available lamp@gw.example/home -> bob@example.org show=online body=hot\n"
                "north available lamp@gw.example/home -> alice@example.org show=online body=hot\n");
    ev.flags = EVENT_SNAPSHOT | EVENT_DURABLE;
    ev.show = SHOW_DND;
    ev.token = 5;
    assert_int_equal(core_count(core_all(c, &ev), "show=dnd"), 2);
    assert_non_null(strstr(core_all(c, &ev), "gated 5"));
    ev.kind = EV_UNAVAILABLE;
    ev.body = STR_NONE;
    core_expect(c, &ev,
                "north unavailable lamp@gw.example/home -> bob@example.org\n"
                "north unavailable lamp@gw.example/home -> alice@example.org\n"
                "gated 5\n");
}

static void test_presence_of_unknown_key_is_refused(void **state)
{
    struct core *c = *state;
    struct event ev = core_adapter(EV_AVAILABLE, HOME, "nothing");
    ev.token = 9;
    core_expect(c, &ev, "south refused 1: token=9 err=notfound\n");
    ev.key = STR("lamp");
    ev.adapter = 77;
    core_expect(c, &ev, "south refused 77: token=9 err=notfound\n");
}

static void test_probe(void **state)
{
    struct core *c = *state;
    struct event ev = core_user(EV_PROBE, ALICE "/new", LAMP);
    core_expect(c, &ev, "north unsubscribed lamp@gw.example -> alice@example.org\n");
    core_subscribe(c, ALICE, LAMP);
    core_expect(c, &ev, "north available lamp@gw.example/home -> alice@example.org/new show=online body=warm\n");
}

static void test_unsubscribe_answers_alike(void **state)
{
    struct core *c = *state;
    core_subscribe(c, ALICE, LAMP);
    struct event ev = core_user(EV_UNSUBSCRIBE, ALICE "/x", LAMP);
    core_expect(c, &ev,
                "north unsubscribed lamp@gw.example -> alice@example.org\n"
                "north unavailable lamp@gw.example/home -> alice@example.org\n"
                "store -subscription alice@example.org lamp@gw.example\n");
    core_expect(c, &ev,
                "north unsubscribed lamp@gw.example -> alice@example.org\n"
                "north unavailable lamp@gw.example -> alice@example.org\n");
    core_show(c, HOME, "lamp", SHOW_AWAY, "");
    assert_int_equal(c->lines.n, 0);
}

// RFC 6121 appendix A, seen from the identity: state before, what the user says, state after.
static void test_subscription_states(void **state)
{
    struct core *c = *state;
    enum { TO = SUB_TO_USER, FROM = SUB_FROM_USER, OUT = SUB_PENDING_OUT, NO = SUB_REFUSED };
    static const struct {
        unsigned before;
        enum event_kind says;
        unsigned after;
    } rows[] = {
        {0, EV_SUBSCRIBE, TO},
        {0, EV_SUBSCRIBED, 0},
        {0, EV_UNSUBSCRIBE, 0},
        {0, EV_UNSUBSCRIBED, 0},
        {TO, EV_SUBSCRIBE, TO},
        {TO, EV_SUBSCRIBED, TO},
        {TO, EV_UNSUBSCRIBE, 0},
        {TO, EV_UNSUBSCRIBED, TO},
        {OUT, EV_SUBSCRIBE, TO | OUT},
        {OUT, EV_SUBSCRIBED, FROM},
        {OUT, EV_UNSUBSCRIBE, OUT},
        {OUT, EV_UNSUBSCRIBED, NO},
        {FROM, EV_SUBSCRIBE, TO | FROM},
        {FROM, EV_SUBSCRIBED, FROM},
        {FROM, EV_UNSUBSCRIBE, FROM},
        {FROM, EV_UNSUBSCRIBED, 0},
        {TO | OUT, EV_SUBSCRIBED, TO | FROM},
        {TO | OUT, EV_UNSUBSCRIBE, OUT},
        {TO | OUT, EV_UNSUBSCRIBED, TO | NO},
        {TO | FROM, EV_SUBSCRIBE, TO | FROM},
        {TO | FROM, EV_UNSUBSCRIBE, FROM},
        {TO | FROM, EV_UNSUBSCRIBED, TO},
        {NO, EV_SUBSCRIBE, TO},
        {NO, EV_SUBSCRIBED, NO},
        {NO, EV_UNSUBSCRIBE, NO},
        {NO, EV_UNSUBSCRIBED, NO},
        {TO | NO, EV_UNSUBSCRIBE, NO},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct core fresh;
        core_init(&fresh);
        struct row row = {.kind = ROW_SUBSCRIPTION,
                          .user = STR(ALICE),
                          .domain = STR("gw.example"),
                          .local = STR("lamp"),
                          .state = rows[i].before};
        assert_int_equal(bridge_restore(fresh.b, &row), rows[i].before ? ERR_OK : ERR_BADREQ);
        struct event ev = core_user(rows[i].says, ALICE "/x", LAMP);
        core_all(&fresh, &ev);
        struct subscription_view v = {.state = 0};
        uint32_t at = 0;
        struct jid alice = core_jid(ALICE);
        bool found = bridge_next_subscription(fresh.b, &alice, &at, &v);
        assert_int_equal(found, rows[i].after != 0);
        if (v.state != rows[i].after ||
            (rows[i].after && rows[i].after != rows[i].before && !strstr(fresh.lines.p, "store subscription")))
            fail_msg("row %zu: state %u, expected %u", i, v.state, rows[i].after);
        core_finish(&fresh);
    }
    (void)c;
}

static void test_user_presence_costs_nothing(void **state)
{
    struct core *c = *state;
    core_subscribe(c, ALICE, LAMP);
    struct event ev = core_user(EV_AVAILABLE, ALICE "/x", LAMP);
    core_expect(c, &ev, "");
    ev.user = core_jid("stranger@example.net/x");
    core_expect(c, &ev, "");
    ev.kind = EV_UNAVAILABLE;
    core_expect(c, &ev, "");
}

static void test_component_itself(void **state)
{
    struct core *c = *state;
    struct event ev = core_user(EV_SUBSCRIBE, ALICE, "gw.example");
    core_expect(c, &ev,
                "store subscription alice@example.org @gw.example state=1\n"
                "north subscribed gw.example -> alice@example.org\n"
                "north available gw.example/gateway -> alice@example.org show=online\n");
    ev.user = core_jid("stranger@example.net");
    core_expect(c, &ev,
                "north unsubscribed gw.example -> stranger@example.net\n"
                "north bounce gw.example -> stranger@example.net about=available err=notfound\n");
    struct event up = {.kind = EV_LINK_UP, .component = 1};
    core_expect(c, &up, "north available gw.example/gateway -> alice@example.org show=online\n");
}

static void test_link_down_is_silent_and_up_says_all(void **state)
{
    struct core *c = *state;
    core_subscribe(c, ALICE, LAMP);
    core_subscribe(c, ALICE, "door@gw.example");
    core_subscribe(c, ALICE, "mill@two.example");
    core_link(c, 1, false);
    core_show(c, HOME, "lamp", SHOW_XA, "cold");
    assert_int_equal(c->lines.n, 0);
    core_show(c, FAR, "mill", SHOW_CHAT, "");
    assert_string_equal(c->lines.p, "north available mill@two.example/far -> alice@example.org show=chat\n");
    struct event up = {.kind = EV_LINK_UP, .component = 1};
    core_expect(c, &up,
                "north available lamp@gw.example/home -> alice@example.org show=xa body=cold\n"
                "north unavailable door@gw.example/home -> alice@example.org\n");
    core_expect(c, &up,
                "north available lamp@gw.example/home -> alice@example.org show=xa body=cold\n"
                "north unavailable door@gw.example/home -> alice@example.org\n");
}

static void name_of(char *out, size_t size, const char *prefix, unsigned i)
{
    snprintf(out, size, "%s%05u", prefix, i);
}

// 600 contacts of one subscriber: more than two steps' worth.
static void test_resync_is_paced_and_follows_changes(void **state)
{
    struct core *c = *state;
    enum { N = 600 };
    char name[64], jid[96];
    for (unsigned i = 0; i < N; i++) {
        name_of(name, sizeof name, "d", i);
        core_identity(c, HOME, name, IDENTITY_CONTACT);
        core_show(c, HOME, name, SHOW_ONLINE, "");
        snprintf(jid, sizeof jid, "%s@gw.example", name);
        core_subscribe(c, ALICE, jid);
    }
    core_link(c, 1, false);
    const char *lines = core_do(c, &(struct event){.kind = EV_LINK_UP, .component = 1});
    size_t first = core_count(lines, "north available");
    assert_true(c->out.more && first > 200 && first <= BRIDGE_EFFECTS);
    // between two steps one goes offline, and one that the walk has not reached is left
    struct event off = core_adapter(EV_UNAVAILABLE, HOME, "d00599");
    core_step(c, &off);
    core_append(c);
    struct event leave = core_user(EV_UNSUBSCRIBE, ALICE, "d00598@gw.example");
    core_step(c, &leave);
    core_append(c);
    lines = core_drain(c);
    assert_int_equal(core_count(lines, "north available"), N - 2);
    assert_int_equal(core_count(lines, "north unavailable d00599@gw.example/home"), 2); // the change, and the walk
    assert_int_equal(core_count(lines, "north available d00598@gw.example"), 0);
    assert_false(c->out.more);
}

// The link is said to be up again while the walk is under way: what was sent before may be lost, so it begins anew.
static void test_resync_begins_anew(void **state)
{
    struct core *c = *state;
    char name[64], jid[96];
    for (unsigned i = 0; i < 400; i++) {
        name_of(name, sizeof name, "d", i);
        core_identity(c, HOME, name, IDENTITY_CONTACT);
        snprintf(jid, sizeof jid, "%s@gw.example", name);
        core_subscribe(c, ALICE, jid);
    }
    struct event up = {.kind = EV_LINK_UP, .component = 1};
    core_do(c, &up);
    assert_true(c->out.more);
    const char *lines = core_all(c, &up);
    assert_int_equal(core_count(lines, "north unavailable d"), 400);
    assert_non_null(strstr(lines, "d00000@gw.example/home"));
}

static void test_resync_ends_with_the_link(void **state)
{
    struct core *c = *state;
    char name[64], jid[96];
    for (unsigned i = 0; i < 400; i++) {
        name_of(name, sizeof name, "d", i);
        core_identity(c, HOME, name, IDENTITY_CONTACT);
        snprintf(jid, sizeof jid, "%s@gw.example", name);
        core_subscribe(c, ALICE, jid);
    }
    core_do(c, &(struct event){.kind = EV_LINK_UP, .component = 1});
    assert_true(c->out.more);
    assert_string_equal(core_do(c, &(struct event){.kind = EV_LINK_DOWN, .component = 1}), "");
    assert_false(c->out.more);
    assert_string_equal(core_do(c, &(struct event){.kind = EV_TICK}), "");
}

// What waits for one component's output holds up neither the other component nor the loop, and goes on when it drains.
static void test_congested_component_waits_alone(void **state)
{
    struct core *c = *state;
    char name[64], jid[96];
    for (unsigned i = 0; i < 400; i++) {
        name_of(name, sizeof name, "d", i);
        core_identity(c, HOME, name, IDENTITY_CONTACT);
        snprintf(jid, sizeof jid, "%s@gw.example", name);
        core_subscribe(c, ALICE, jid);
    }
    core_subscribe(c, ALICE, "mill@two.example");
    struct event up = {.kind = EV_LINK_UP, .component = 1}, two = {.kind = EV_LINK_UP, .component = 2};
    struct event full = {.kind = EV_CONGESTED, .component = 1}, drained = {.kind = EV_DRAINED, .component = 1};
    size_t told = core_count(core_do(c, &up), "north unavailable d");
    assert_true(c->out.more && told > 200);
    assert_string_equal(core_do(c, &full), "");
    assert_false(c->out.more);
    assert_non_null(strstr(core_all(c, &two), "mill@two.example"));
    assert_int_equal(core_count(c->lines.p, "gw.example/home"), 0);
    assert_false(c->out.more);
    told += core_count(core_all(c, &drained), "north unavailable d");
    assert_int_equal(told, 400);
    assert_false(c->out.more);
}

// A link that was lost while it was congested is not congested when it is up again.
static void test_congestion_ends_with_the_link(void **state)
{
    struct core *c = *state;
    core_subscribe(c, ALICE, LAMP);
    struct event full = {.kind = EV_CONGESTED, .component = 1}, up = {.kind = EV_LINK_UP, .component = 1};
    core_all(c, &full);
    core_link(c, 1, false);
    core_expect(c, &up, "north available lamp@gw.example/home -> alice@example.org show=online body=warm\n");
}

enum { MANY = 700 }; // subscribers: more than two steps tell

static void core_of_many(struct core *c)
{
    static const struct str rules[] = {{"allow see read send to *", 24}};
    struct bridge_config cfg = core_config();
    cfg.rules = rules;
    cfg.rule_count = 1;
    core_init_with(c, &cfg);
    core_link(c, 1, true);
    core_identity(c, HOME, "lamp", IDENTITY_CONTACT);
    char jid[64];
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(jid, sizeof jid, "u%u@example.org", i);
        core_subscribe(c, jid, LAMP);
    }
}

static void test_many_subscribers_hear_the_last_of_it(void **state)
{
    struct core c;
    core_of_many(&c);
    struct event ev = core_adapter(EV_AVAILABLE, HOME, "lamp");
    ev.show = SHOW_ONLINE;
    size_t first = core_count(core_do(&c, &ev), "show=online");
    assert_true(first <= BRIDGE_EFFECTS && c.out.more);
    ev.show = SHOW_AWAY;
    core_all(&c, &ev);
    assert_int_equal(core_count(c.lines.p, "show=online"), 0);
    assert_int_equal(core_count(c.lines.p, "show=away"), MANY);
    core_finish(&c);
    (void)state;
}

// Fan-outs that fill a step leave room for its answer; what cannot be told to all is told to nobody.
static void test_message_to_very_many(void **state)
{
    (void)state;
    struct core c;
    core_of_many(&c);
    struct event ev = core_adapter(EV_MESSAGE, HOME, "lamp");
    ev.body = STR("hot");
    ev.token = 9;
    const char *lines = core_do(&c, &ev);
    assert_non_null(strstr(lines, "south journaled 1: token=9\n"));
    size_t told = core_count(lines, "north message");
    assert_true(told > 200 && c.out.more);
    assert_int_equal(core_count(core_drain(&c), "north message"), MANY);
    unsigned refused = 0;
    for (unsigned i = 0; i < JOBS_MAX + 50; i++) {
        lines = core_do(&c, &ev);
        bool no = strstr(lines, "south refused 1: token=9 err=again") != NULL;
        refused += no;
        assert_true(!no || core_count(lines, "north message") == 0);
    }
    assert_int_equal(refused, 50);
    core_drain(&c);
    core_finish(&c);
}

// To see is to know that it is there, and no more: its readings are for those who may read.
static void test_status_is_for_readers(void **state)
{
    struct core *c = *state;
    struct event grant = {.kind = EV_GRANT, .rule = STR("allow see to carol@example.org on home")};
    core_all(c, &grant);
    core_subscribe(c, "carol@example.org", LAMP);
    assert_non_null(strstr(c->lines.p, "north available lamp@gw.example/home -> carol@example.org show=online\n"));
    core_subscribe(c, ALICE, LAMP);
    core_show(c, HOME, "lamp", SHOW_AWAY, "cold");
    assert_non_null(strstr(c->lines.p, "-> carol@example.org show=away\n"));
    assert_non_null(strstr(c->lines.p, "-> alice@example.org show=away body=cold\n"));
}

static void test_revoked_is_told_and_ended(void **state)
{
    struct core *c = *state;
    core_subscribe(c, ALICE, LAMP);
    core_subscribe(c, "admin@example.org", LAMP);
    struct event grant = {.kind = EV_GRANT, .rule = STR("allow see to carol@example.org on home")};
    core_expect(c, &grant, "store access 1 text=allow see to carol@example.org on home\n");
    core_subscribe(c, "carol@example.org", LAMP);
    struct event revoke = {.kind = EV_REVOKE, .number = 1};
    core_expect(c, &revoke,
                "store -access 1\n"
                "north unsubscribed lamp@gw.example -> carol@example.org\n"
                "north unavailable lamp@gw.example/home -> carol@example.org\n"
                "store -subscription carol@example.org lamp@gw.example\n");
    core_expect(c, &revoke, "");
}

// The review of many takes several steps; nothing is told meanwhile to whom it has not come to yet.
static void test_revoked_hears_nothing_before_the_review(void **state)
{
    struct core *c = *state;
    struct event grant = {.kind = EV_GRANT, .rule = STR("allow see to carol@example.org on home")};
    core_all(c, &grant);
    char name[64], jid[96];
    for (unsigned i = 0; i < 300; i++) {
        name_of(name, sizeof name, "d", i);
        core_identity(c, HOME, name, IDENTITY_CONTACT);
        snprintf(jid, sizeof jid, "%s@gw.example", name);
        core_subscribe(c, "carol@example.org", jid);
    }
    core_do(c, &(struct event){.kind = EV_REVOKE, .number = 1});
    assert_true(c->out.more);
    struct event ev = core_adapter(EV_AVAILABLE, HOME, "d00299");
    ev.show = SHOW_ONLINE;
    assert_string_equal(core_do(c, &ev), "north unsubscribed d00299@gw.example -> carol@example.org\n"
                                         "north unavailable d00299@gw.example/home -> carol@example.org\n"
                                         "store -subscription carol@example.org d00299@gw.example\n");
    ev = core_adapter(EV_MESSAGE, HOME, "d00298");
    ev.body = STR("news");
    assert_string_equal(core_do(c, &ev), "");
    struct event probe = core_user(EV_PROBE, "carol@example.org/x", "d00298@gw.example");
    assert_string_equal(core_do(c, &probe), "north unsubscribed d00298@gw.example -> carol@example.org\n");
    core_drain(c);
    struct subscription_view v;
    uint32_t at = 0;
    assert_false(bridge_next_subscription(c->b, NULL, &at, &v));
}

static void test_new_rules_end_what_they_forbid(void **state)
{
    struct core *c = *state;
    core_subscribe(c, ALICE, LAMP);
    struct bridge_config cfg = core_config();
    cfg.rule_count = 0;
    struct errmsg msg;
    assert_int_equal(bridge_reconfigure(c->b, &cfg, &msg), ERR_OK);
    assert_int_equal(bridge_deadline(c->b), 0);
    struct event tick = {.kind = EV_TICK};
    core_expect(c, &tick,
                "north unsubscribed lamp@gw.example -> alice@example.org\n"
                "north unavailable lamp@gw.example/home -> alice@example.org\n"
                "store -subscription alice@example.org lamp@gw.example\n");
    assert_int_equal(bridge_deadline(c->b), INT64_MAX);
}

static void test_gone_adapter_is_offline(void **state)
{
    struct core *c = *state;
    core_subscribe(c, ALICE, LAMP);
    struct bridge_config cfg = core_config();
    struct bridge_adapter adapters[] = {{STR_NONE, 0, false}, cfg.adapters[1], cfg.adapters[2]};
    cfg.adapters = adapters;
    struct errmsg msg;
    assert_int_equal(bridge_reconfigure(c->b, &cfg, &msg), ERR_OK);
    struct event tick = {.kind = EV_TICK};
    core_expect(c, &tick, "north unavailable lamp@gw.example/home -> alice@example.org\n");
    struct event ev = core_user(EV_MESSAGE, ALICE "/x", LAMP);
    ev.body = STR("hi");
    assert_non_null(
        strstr(core_all(c, &ev), "bounce lamp@gw.example -> alice@example.org/x about=message err=unavail"));
    struct bridge_adapter back[] = {{STR_NONE, 0, false}, cfg.adapters[1], cfg.adapters[2], {STR("home"), 1, true}};
    cfg.adapters = back;
    cfg.adapter_count = 4;
    assert_int_equal(bridge_reconfigure(c->b, &cfg, &msg), ERR_OK);
    core_show(c, 4, "lamp", SHOW_ONLINE, "");
    assert_non_null(strstr(c->lines.p, "north available lamp@gw.example/home -> alice@example.org"));
}

// Who asked something of it is told at once that no answer will come.
static void test_gone_adapter_answers_nothing(void **state)
{
    struct core *c = *state;
    struct event ask = core_user(EV_MESSAGE, ALICE "/x", LAMP),
                 far = core_user(EV_MESSAGE, ALICE "/x", "mill@two.example");
    ask.body = far.body = STR("on");
    core_all(c, &ask);
    core_all(c, &ask);
    core_all(c, &far);
    struct bridge_config cfg = core_config();
    struct bridge_adapter adapters[] = {{STR_NONE, 0, false}, cfg.adapters[1], cfg.adapters[2]};
    cfg.adapters = adapters;
    struct errmsg msg;
    assert_int_equal(bridge_reconfigure(c->b, &cfg, &msg), ERR_OK);
    struct event tick = {.kind = EV_TICK};
    assert_int_equal(
        core_count(core_all(c, &tick), "north bounce lamp@gw.example -> alice@example.org/x about=message"), 2);
    assert_int_equal(core_count(c->lines.p, "mill"), 0);
}

// It comes back before all was shown as offline: what it says holds.
static void test_adapter_that_comes_back_at_once(void **state)
{
    struct core *c = *state;
    core_subscribe(c, ALICE, LAMP);
    struct bridge_config cfg = core_config();
    struct bridge_adapter gone[] = {{STR_NONE, 0, false}, cfg.adapters[1], cfg.adapters[2]};
    struct bridge_adapter back[] = {{STR_NONE, 0, false}, cfg.adapters[1], cfg.adapters[2], {STR("home"), 1, true}};
    struct errmsg msg;
    cfg.adapters = gone;
    assert_int_equal(bridge_reconfigure(c->b, &cfg, &msg), ERR_OK);
    cfg.adapters = back;
    cfg.adapter_count = 4;
    assert_int_equal(bridge_reconfigure(c->b, &cfg, &msg), ERR_OK);
    core_show(c, 4, "lamp", SHOW_ONLINE, "");
    core_drain(c);
    struct identity_view id;
    assert_int_equal(bridge_find_key(c->b, 4, STR("lamp"), NULL, &id), ERR_OK);
    assert_int_equal(id.show, SHOW_ONLINE);
}

static void test_shutdown(void **state)
{
    struct core *c = *state;
    core_subscribe(c, ALICE, LAMP);
    core_subscribe(c, ALICE, "door@gw.example");
    core_subscribe(c, ALICE, "gw.example");
    struct event ev = {.kind = EV_SHUTDOWN};
    core_expect(c, &ev,
                "north unavailable lamp@gw.example/home -> alice@example.org\n"
                "north unavailable gw.example/gateway -> alice@example.org\n");
    core_expect(c, &ev, "");
    core_show(c, HOME, "lamp", SHOW_AWAY, "");
    assert_int_equal(c->lines.n, 0);
    struct event probe = core_user(EV_PROBE, ALICE "/x", LAMP);
    core_expect(c, &probe, "north unavailable lamp@gw.example/home -> alice@example.org/x\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_subscribe_is_answered_and_stored, setup, teardown),
        cmocka_unit_test_setup_teardown(test_offline_contact_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(test_invisible_is_nonexistent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unknown_is_refused_both_ways, setup, teardown),
        cmocka_unit_test_setup_teardown(test_changes_only, setup, teardown),
        cmocka_unit_test_setup_teardown(test_presence_of_unknown_key_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_probe, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unsubscribe_answers_alike, setup, teardown),
        cmocka_unit_test_setup_teardown(test_subscription_states, setup, teardown),
        cmocka_unit_test_setup_teardown(test_user_presence_costs_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_component_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(test_link_down_is_silent_and_up_says_all, setup, teardown),
        cmocka_unit_test_setup_teardown(test_resync_is_paced_and_follows_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_resync_begins_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(test_resync_ends_with_the_link, setup, teardown),
        cmocka_unit_test_setup_teardown(test_congested_component_waits_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_congestion_ends_with_the_link, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_subscribers_hear_the_last_of_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_message_to_very_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_status_is_for_readers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_revoked_is_told_and_ended, setup, teardown),
        cmocka_unit_test_setup_teardown(test_revoked_hears_nothing_before_the_review, setup, teardown),
        cmocka_unit_test_setup_teardown(test_new_rules_end_what_they_forbid, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gone_adapter_is_offline, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gone_adapter_answers_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_adapter_that_comes_back_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shutdown, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
