#include "core/bridge_private.h"
#include "lib/core_fixture.h"

#include "core/job.h"

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

static struct event request(enum event_kind kind, const char *user)
{
    struct event ev = core_user(kind, user, "gw.example");
    ev.id = STR("r1");
    return ev;
}

static void do_register(struct core *c)
{
    struct event ev = request(EV_REGISTER, ALICE "/x");
    core_all(c, &ev);
}

static void test_register_offers_what_may_be_seen(void **state)
{
    struct core *c = *state;
    struct jid alice = core_jid(ALICE);
    assert_false(bridge_registered(c->b, 1, &alice));
    struct event ev = request(EV_REGISTER, ALICE "/x");
    core_expect(c, &ev,
                "store registration alice@example.org gw.example\n"
                "north result gw.example -> alice@example.org/x about=register id=r1\n"
                "store subscription alice@example.org @gw.example state=4\n"
                "north subscribe gw.example -> alice@example.org nick=Gateway\n"
                "north available gw.example/gateway -> alice@example.org show=online\n"
                "store subscription alice@example.org lamp@gw.example state=4\n"
                "north subscribe lamp@gw.example -> alice@example.org nick=lamp\n"
                "store subscription alice@example.org door@gw.example state=4\n"
                "north subscribe door@gw.example -> alice@example.org nick=door\n");
    assert_true(bridge_registered(c->b, 1, &alice));
    assert_false(bridge_registered(c->b, 2, &alice));
    // again: answered again, nothing asked twice
    core_expect(c, &ev,
                "north result gw.example -> alice@example.org/x about=register id=r1\n"
                "north available gw.example/gateway -> alice@example.org show=online\n");
}

static void test_register_needs_the_right(void **state)
{
    struct core *c = *state;
    struct event ev = request(EV_REGISTER, "stranger@example.net/x");
    core_expect(c, &ev, "north bounce gw.example -> stranger@example.net/x about=register err=forbidden id=r1\n");
    ev = request(EV_UNREGISTER, ALICE "/x");
    core_expect(c, &ev, "north bounce gw.example -> alice@example.org/x about=unregister err=registration id=r1\n");
}

static void test_a_refusal_is_remembered(void **state)
{
    struct core *c = *state;
    do_register(c);
    struct event no = core_user(EV_UNSUBSCRIBED, ALICE, "lamp@gw.example");
    core_expect(c, &no, "store subscription alice@example.org lamp@gw.example state=8\n");
    struct event ev = request(EV_REGISTER, ALICE "/x");
    assert_int_equal(core_count(core_all(c, &ev), "lamp"), 0);
    // an operation asks all the same
    struct event offer = core_adapter(EV_OFFER, HOME, "lamp");
    offer.user = core_jid(ALICE);
    core_expect(c, &offer,
                "store subscription alice@example.org lamp@gw.example state=4\n"
                "north subscribe lamp@gw.example -> alice@example.org nick=lamp\n");
}

static void test_offer_only_what_may_be_seen(void **state)
{
    struct core *c = *state;
    struct event offer = core_adapter(EV_OFFER, OTHER, "secret");
    offer.user = core_jid(ALICE);
    core_expect(c, &offer, "");
    offer = core_user(EV_OFFER, ALICE, "lamp@gw.example");
    assert_non_null(strstr(core_all(c, &offer), "north subscribe lamp@gw.example"));
    core_subscribe(c, ALICE, "lamp@gw.example");
    core_expect(c, &offer, ""); // has it
}

static void test_unregister_order(void **state)
{
    struct core *c = *state;
    do_register(c);
    core_subscribe(c, ALICE, "lamp@gw.example");
    core_subscribe(c, ALICE, "mill@two.example");
    struct event no = core_user(EV_UNSUBSCRIBED, ALICE, "door@gw.example");
    core_all(c, &no);
    struct event ev = request(EV_UNREGISTER, ALICE "/x");
    core_expect(c, &ev,
                "north result gw.example -> alice@example.org/x about=unregister id=r1\n"
                "store -subscription alice@example.org door@gw.example\n" // refused: nothing to be said
                "north unsubscribe lamp@gw.example -> alice@example.org\n"
                "north unsubscribed lamp@gw.example -> alice@example.org\n"
                "north unavailable lamp@gw.example/home -> alice@example.org\n"
                "store -subscription alice@example.org lamp@gw.example\n"
                "north unsubscribe gw.example -> alice@example.org\n"
                "north unsubscribed gw.example -> alice@example.org\n"
                "north unavailable gw.example/gateway -> alice@example.org\n"
                "store -subscription alice@example.org @gw.example\n"
                "store -registration alice@example.org gw.example\n");
    // what ejabberd says back is not answered
    static const enum event_kind back[] = {EV_UNSUBSCRIBED, EV_UNAVAILABLE};
    for (size_t i = 0; i < 2; i++) {
        struct event echo = core_user(back[i], ALICE, "lamp@gw.example");
        core_expect(c, &echo, "");
    }
    struct subscription_view v;
    uint32_t at = 0;
    assert_true(bridge_next_subscription(c->b, NULL, &at, &v)); // the other component's stays
    assert_true(str_eq_c(v.local, "mill"));
    assert_false(bridge_next_subscription(c->b, NULL, &at, &v));
}

static void test_offers_are_capped_and_paced(void **state)
{
    struct core *c = *state;
    char name[32];
    for (unsigned i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "d%05u", i);
        core_identity(c, HOME, name, IDENTITY_CONTACT);
    }
    struct event ev = request(EV_REGISTER, ALICE "/x");
    core_do(c, &ev);
    assert_true(c->out.more);
    assert_int_equal(core_count(core_drain(c), "north subscribe "), 200 + 1); // and the component itself
    core_drain(c);
}

static void test_new_contacts_are_offered_to_the_registered(void **state)
{
    struct core *c = *state;
    do_register(c);
    struct event ev = core_adapter(EV_IDENTITY, HOME, "k");
    ev.wish = STR("plug");
    ev.name = STR("Plug");
    ev.token = 4;
    ev.flags = EVENT_DURABLE;
    core_expect(c, &ev,
                "store identity plug@gw.example home:k name=Plug\n"
                "store subscription alice@example.org plug@gw.example state=4\n"
                "north subscribe plug@gw.example -> alice@example.org nick=Plug\n"
                "gated 4\n");
    core_expect(c, &ev, "gated 4\n");
    core_identity(c, HOME, "den", IDENTITY_ROOM); // rooms are entered, not subscribed to
    assert_int_equal(core_count(c->lines.p, "subscribe"), 0);
}

// More at once than may wait as single announcements: one survey stands for all, and nobody is left out.
static void test_mass_import_offers_all(void **state)
{
    struct core *c = *state;
    do_register(c);
    core_link(c, 1, false);
    char name[32];
    for (unsigned i = 0; i < ANNOUNCE_MAX + 50; i++) {
        snprintf(name, sizeof name, "d%05u", i);
        core_identity(c, HOME, name, IDENTITY_CONTACT);
    }
    struct event up = {.kind = EV_LINK_UP, .component = 1};
    assert_int_equal(core_count(core_all(c, &up), "north subscribe d"), ANNOUNCE_MAX + 50);
}

/* The catalogue */

static void test_name_changes_the_address_does_not(void **state)
{
    struct core *c = *state;
    struct event ev = core_adapter(EV_IDENTITY, HOME, "lamp");
    ev.name = STR("Big lamp");
    ev.wish = STR("other");
    core_expect(c, &ev, "store identity lamp@gw.example home:lamp name=Big lamp\n");
    core_subscribe(c, ALICE, "lamp@gw.example");
    ev.cls = STR("light"); // another avatar: presence is said again
    core_expect(c, &ev,
                "store identity lamp@gw.example home:lamp name=Big lamp\n"
                "north available lamp@gw.example/home -> alice@example.org show=online body=warm\n");
}

static void test_bad_identities_are_refused(void **state)
{
    struct core *c = *state;
    static char long_key[IDENTITY_KEY_MAX + 1];
    memset(long_key, 'k', sizeof long_key);
    struct event ev = core_adapter(EV_IDENTITY, HOME, "");
    ev.token = 1;
    ev.flags = EVENT_DURABLE;
    core_expect(c, &ev, "south refused 1: token=1 err=badreq\n");
    ev.key = (struct str){long_key, sizeof long_key};
    core_expect(c, &ev, "south refused 1: token=1 err=badreq\n");
    ev.key = STR("k");
    ev.to.local = STR("lamp"); // computed, and taken
    core_expect(c, &ev, "south refused 1: token=1 err=exists\n");
    ev.to.local = STR("#chan%irc.example");
    core_expect(c, &ev, "store identity #chan%irc.example@gw.example home:k\ngated 1\n");
    ev.adapter = 99;
    core_expect(c, &ev, "south refused 99: token=1 err=badreq\n");
}

static void test_scope_hides_from_others(void **state)
{
    struct core *c = *state;
    struct event ev = core_adapter(EV_IDENTITY, HOME, "alices-view");
    ev.to.local = STR("lamp");
    ev.user = core_jid(ALICE);
    core_all(c, &ev);
    struct jid alice = core_jid(ALICE "/x"), bob = core_jid("bob@example.org/x"), lamp = core_jid("lamp@gw.example");
    struct identity_view v;
    assert_int_equal(bridge_find(c->b, &alice, &lamp, &v), ERR_OK);
    assert_true(str_eq_c(v.key, "alices-view") && str_eq_c(v.scope, ALICE));
    assert_int_equal(bridge_find(c->b, &bob, &lamp, &v), ERR_OK);
    assert_true(str_eq_c(v.key, "lamp"));
    uint32_t at = 0;
    while (bridge_next(c->b, 1, &bob, &at, &v))
        assert_false(str_eq_c(v.key, "alices-view"));
}

static void test_quarantine_and_approval(void **state)
{
    struct core *c = *state;
    do_register(c);
    struct event ev = core_adapter(EV_IDENTITY, HOME, "new");
    ev.wish = STR("new");
    ev.flags = EVENT_QUARANTINE;
    core_expect(c, &ev, "store identity new@gw.example home:new quarantined\n");
    struct jid alice = core_jid(ALICE), admin = core_jid("admin@example.org"), jid = core_jid("new@gw.example");
    struct identity_view v;
    assert_int_equal(bridge_find(c->b, &alice, &jid, &v), ERR_NOTFOUND);
    assert_int_equal(bridge_find(c->b, &admin, &jid, &v), ERR_OK);
    assert_true(v.quarantined);
    struct bridge_stat s;
    bridge_stat(c->b, &s);
    assert_int_equal(s.quarantined, 1);
    struct event approve = core_adapter(EV_APPROVE, HOME, "new");
    core_expect(c, &approve,
                "store identity new@gw.example home:new\n"
                "store subscription alice@example.org new@gw.example state=4\n"
                "north subscribe new@gw.example -> alice@example.org\n");
    core_expect(c, &approve, "");
    core_expect(c, &ev, ""); // its adapter says so again: approved is approved
    assert_int_equal(bridge_find(c->b, &alice, &jid, &v), ERR_OK);
}

static void test_forget(void **state)
{
    struct core *c = *state;
    core_subscribe(c, ALICE, "lamp@gw.example");
    struct event ev = core_adapter(EV_FORGET, HOME, "lamp");
    ev.token = 2;
    ev.flags = EVENT_DURABLE;
    core_expect(c, &ev,
                "store -identity lamp@gw.example\n"
                "north unsubscribe lamp@gw.example -> alice@example.org\n"
                "north unsubscribed lamp@gw.example -> alice@example.org\n"
                "north unavailable lamp@gw.example/home -> alice@example.org\n"
                "store -subscription alice@example.org lamp@gw.example\n"
                "gated 2\n");
    core_expect(c, &ev, "south refused 1: token=2 err=notfound\n");
    struct event probe = core_user(EV_PROBE, ALICE "/x", "lamp@gw.example");
    core_expect(c, &probe, "north unsubscribed lamp@gw.example -> alice@example.org\n");
    core_identity(c, HOME, "lamp", IDENTITY_CONTACT);
    assert_string_equal(c->lines.p, "store identity lamp@gw.example home:lamp name=lamp\n");
}

static void test_forget_while_the_link_is_down_is_told_later(void **state)
{
    struct core *c = *state;
    core_subscribe(c, ALICE, "lamp@gw.example");
    core_link(c, 1, false);
    struct event ev = core_user(EV_FORGET, "", "lamp@gw.example");
    core_expect(c, &ev,
                "south forget 1:lamp\n"
                "store -identity lamp@gw.example\n");
    struct jid alice = core_jid(ALICE), lamp = core_jid("lamp@gw.example");
    struct identity_view v;
    assert_int_equal(bridge_find(c->b, &alice, &lamp, &v), ERR_NOTFOUND);
    struct event up = {.kind = EV_LINK_UP, .component = 1};
    const char *lines = core_all(c, &up);
    assert_int_equal(core_count(lines, "north unsubscribed lamp@gw.example"), 1);
    assert_int_equal(core_count(lines, "store -subscription"), 1);
}

static void test_what_an_operator_forgets_its_adapter_forgets(void **state)
{
    struct core *c = *state;
    struct event ev = core_user(EV_FORGET, "", "lamp@gw.example");
    core_expect(c, &ev,
                "south forget 1:lamp\n"
                "store -identity lamp@gw.example\n");
    core_expect(c, &ev, ""); // gone
    struct event self = core_user(EV_FORGET, "", "gw.example");
    core_expect(c, &self, "");
}

static void test_named_again_while_being_forgotten(void **state)
{
    struct core *c = *state;
    core_subscribe(c, ALICE, "lamp@gw.example");
    core_link(c, 1, false);
    struct event ev = core_adapter(EV_FORGET, HOME, "lamp");
    core_all(c, &ev);
    core_identity(c, HOME, "lamp", IDENTITY_CONTACT);
    assert_string_equal(c->lines.p, "store identity lamp@gw.example home:lamp name=lamp\n");
    struct event up = {.kind = EV_LINK_UP, .component = 1};
    const char *lines = core_all(c, &up);
    assert_int_equal(core_count(lines, "unsubscribed"), 0);
    assert_int_equal(core_count(lines, "lamp@gw.example/home -> alice@example.org"), 1);
}

static void test_withdraw(void **state)
{
    struct core *c = *state;
    core_subscribe(c, ALICE, "lamp@gw.example");
    struct event ev = core_user(EV_WITHDRAW, ALICE, "lamp@gw.example");
    core_expect(c, &ev,
                "north unsubscribe lamp@gw.example -> alice@example.org\n"
                "north unsubscribed lamp@gw.example -> alice@example.org\n"
                "north unavailable lamp@gw.example/home -> alice@example.org\n"
                "store -subscription alice@example.org lamp@gw.example\n");
    core_expect(c, &ev, "");
}

static void test_state_rows(void **state)
{
    struct core *c = *state;
    struct event ev = core_adapter(EV_STATE, HOME, "last");
    ev.blob = STR("42");
    ev.token = 8;
    ev.flags = EVENT_DURABLE;
    core_expect(c, &ev, "store state home:last text=42\ngated 8\n");
    ev.blob = STR_NONE;
    ev.token = 0;
    core_expect(c, &ev, "store -state home:last\n");
}

static void test_one_notice_an_outage(void **state)
{
    struct core *c = *state;
    struct event down = core_adapter(EV_LINK_DOWN, HOME, ""), up = core_adapter(EV_LINK_UP, HOME, "");
    down.err = ERR_REFUSED;
    core_expect(c, &up, "");
    core_expect(c, &down, "notice adapter home: its link is down: connection refused\n");
    down.body = STR("again");
    core_expect(c, &down, "");
    core_expect(c, &up, "notice adapter home: its link is up again\n");
    core_expect(c, &up, "");
    core_expect(c, &down, "notice adapter home: its link is down: again\n");
}

/* Rules, rows and questions */

static void test_grant_says_what_is_wrong(void **state)
{
    struct core *c = *state;
    struct event ev = {.kind = EV_GRANT, .rule = STR("allow sea to *")};
    assert_non_null(strstr(core_all(c, &ev), "notice a rule was not added: rule \"allow sea to *\": unknown right"));
    struct errmsg msg;
    assert_int_equal(bridge_check_rule(c->b, ev.rule, &msg), ERR_CONF);
    assert_int_equal(bridge_check_rule(c->b, STR("allow see to @family"), &msg), ERR_OK);
    size_t at = 0, n = 0;
    uint64_t number;
    struct str rule;
    while (bridge_next_rule(c->b, &at, &number, &rule))
        n++;
    assert_int_equal(n, 5);
}

static void test_restored_rules_keep_their_numbers(void **state)
{
    struct core *c = *state;
    struct row row = {.kind = ROW_ACCESS, .number = 41, .text = STR("allow see to carol@example.org on home")};
    assert_int_equal(bridge_restore(c->b, &row), ERR_OK);
    struct event ev = {.kind = EV_GRANT, .rule = STR("allow see to dave@example.org")};
    core_expect(c, &ev, "store access 42 text=allow see to dave@example.org\n");
    row = (struct row){.kind = ROW_ACCESS, .number = 50, .text = STR("deny see to @gone on home")};
    assert_int_equal(bridge_restore(c->b, &row), ERR_BADREQ);
    core_expect(c, &ev, "store access 51 text=allow see to dave@example.org\n"); // the row of 50 is still there
    row.number = 0;
    assert_int_equal(bridge_restore(c->b, &row), ERR_BADREQ);
}

static void test_restore(void **state)
{
    struct core *c = *state;
    struct row row = {.kind = ROW_IDENTITY,
                      .domain = STR("gw.example"),
                      .local = STR("old"),
                      .adapter = STR("retired"),
                      .key = STR("k"),
                      .name = STR("Old"),
                      .since = 77};
    assert_int_equal(bridge_restore(c->b, &row), ERR_OK);
    assert_int_equal(bridge_restore(c->b, &row), ERR_EXISTS);
    struct jid admin = core_jid("admin@example.org"), old = core_jid("old@gw.example");
    struct identity_view v;
    assert_int_equal(bridge_find(c->b, &admin, &old, &v), ERR_OK);
    assert_int_equal(v.since, 77);
    assert_int_equal(v.adapter, 0);
    assert_int_equal(v.show, SHOW_OFFLINE);
    static const struct row bad[] = {
        {.kind = ROW_IDENTITY, .local = {"x", 1}, .adapter = {"a", 1}, .key = {"k", 1}},
        {.kind = ROW_IDENTITY, .domain = {"gw.example", 10}, .adapter = {"a", 1}, .key = {"k", 1}},
        {.kind = ROW_IDENTITY, .domain = {"gw.example", 10}, .local = {"x", 1}, .key = {"k", 1}},
        {.kind = ROW_IDENTITY, .domain = {"gw.example", 10}, .local = {"x", 1}, .adapter = {"a", 1}},
        {.kind = ROW_SUBSCRIPTION, .domain = {"no.example", 10}, .local = {"nix", 3}, .user = {"a@b", 3}, .state = 1},
        {.kind = ROW_SUBSCRIPTION, .domain = {"gw.example", 10}, .local = {"lamp", 4}, .user = {"a@", 2}, .state = 1},
        {.kind = ROW_SUBSCRIPTION, .domain = {"gw.example", 10}, .local = {"lamp", 4}, .user = {"a@b", 3}},
        {.kind = ROW_REGISTRATION, .domain = {"no.example", 10}, .user = {"a@b", 3}},
        {.kind = ROW_REGISTRATION, .domain = {"gw.example", 10}},
        {.kind = ROW_STATE},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(bridge_restore(c->b, &bad[i]), ERR_BADREQ);
    const struct row orphan = {
        .kind = ROW_SUBSCRIPTION, .domain = STR("gw.example"), .local = STR("nix"), .user = STR("a@b"), .state = 1};
    assert_int_equal(bridge_restore(c->b, &orphan), ERR_NOTFOUND);
    struct row reg = {.kind = ROW_REGISTRATION, .domain = STR("gw.example"), .user = STR(ALICE)};
    assert_int_equal(bridge_restore(c->b, &reg), ERR_OK);
    assert_int_equal(bridge_restore(c->b, &reg), ERR_EXISTS);
    struct jid alice = core_jid(ALICE);
    assert_true(bridge_registered(c->b, 1, &alice));
    struct row sub = {
        .kind = ROW_SUBSCRIPTION, .domain = STR("gw.example"), .local = STR("lamp"), .user = STR(ALICE), .state = 1};
    assert_int_equal(bridge_restore(c->b, &sub), ERR_OK);
    assert_int_equal(bridge_restore(c->b, &sub), ERR_EXISTS);
    struct bridge_stat s;
    bridge_stat(c->b, &s);
    assert_int_equal(s.identities, 6);
    assert_int_equal(s.subscriptions, 1);
    assert_int_equal(s.registrations, 1);
}

static void test_walks_show_what_may_be_seen(void **state)
{
    struct core *c = *state;
    struct jid alice = core_jid(ALICE), stranger = core_jid("stranger@example.net");
    static const struct {
        uint16_t component;
        int who; // 0: alice, 1: a stranger, 2: who operates the machine
        unsigned count;
    } rows[] = {{0, 0, 4}, {1, 0, 3}, {2, 0, 1}, {0, 1, 0}, {0, 2, 5}, {1, 2, 4}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct jid *users[] = {&alice, &stranger, NULL};
        uint32_t at = 0;
        unsigned n = 0;
        struct identity_view v;
        while (bridge_next(c->b, rows[i].component, users[rows[i].who], &at, &v))
            n++;
        assert_int_equal(n, rows[i].count);
    }
    struct identity_view v;
    assert_int_equal(bridge_find_key(c->b, OTHER, STR("secret"), NULL, &v), ERR_OK);
    assert_int_equal(bridge_find_key(c->b, OTHER, STR("secret"), &alice, &v), ERR_OK);
    assert_int_equal(v.rights & RIGHT_SEE, 0);
    assert_int_equal(bridge_find_key(c->b, OTHER, STR("nix"), NULL, &v), ERR_NOTFOUND);
    struct jid domain = core_jid("gw.example");
    assert_int_equal(bridge_find(c->b, &alice, &domain, &v), ERR_NOTFOUND);
    assert_int_equal(bridge_rights(c->b, 1, &alice), RIGHT_SEE | RIGHT_REGISTER);
    assert_int_equal(bridge_rights(c->b, 1, &stranger), 0);
    assert_int_equal(bridge_rights(c->b, 9, &alice), 0);
}

// However many are forgotten while the link is down: one job, which tells all when it is up; what was named again
// stays.
static void test_forget_many_while_down(void **state)
{
    struct core *c = *state;
    enum { N = 5000 };
    char key[32], jid[64];
    for (unsigned i = 0; i < N; i++) {
        snprintf(key, sizeof key, "m%05u", i);
        core_identity(c, HOME, key, IDENTITY_CONTACT);
        snprintf(jid, sizeof jid, "%s@gw.example", key);
        core_subscribe(c, ALICE, jid);
    }
    core_link(c, 1, false);
    for (unsigned i = 0; i < N; i++) {
        snprintf(key, sizeof key, "m%05u", i);
        struct event ev = core_adapter(EV_FORGET, HOME, key);
        core_all(c, &ev);
    }
    unsigned waiting = 0;
    for (const struct list_node *n = c->b->jobs.bulk.next; n != &c->b->jobs.bulk; n = n->next)
        waiting++;
    assert_int_equal(waiting, 1);
    core_identity(c, HOME, "m00007", IDENTITY_CONTACT);
    core_link(c, 1, true);
    struct bridge_stat stat;
    bridge_stat(c->b, &stat);
    assert_int_equal(core_count(c->lines.p, "north unsubscribed m"), N - 1);
    assert_int_equal(stat.subscriptions, 1);
    assert_null(strstr(c->lines.p, "unsubscribed m00007@"));
}

static void test_bad_configurations(void **state)
{
    struct core *c = *state;
    struct bridge *b;
    struct errmsg msg;
    struct bridge_config cfg = core_config();
    cfg.component_count = 0;
    assert_int_equal(bridge_create(&cfg, &b, &msg), ERR_CONF);
    cfg = core_config();
    struct bridge_component twice[] = {cfg.components[0], cfg.components[0]};
    cfg.components = twice;
    assert_int_equal(bridge_create(&cfg, &b, &msg), ERR_CONF);
    cfg = core_config();
    struct bridge_adapter loose = {STR("loose"), 7, false};
    cfg.adapters = &loose;
    cfg.adapter_count = 1;
    assert_int_equal(bridge_create(&cfg, &b, &msg), ERR_CONF);
    cfg = core_config();
    struct str rule = STR("allow see to @strangers");
    cfg.rules = &rule;
    cfg.rule_count = 1;
    assert_int_equal(bridge_create(&cfg, &b, &msg), ERR_CONF);
    assert_non_null(strstr(msg.text, "@strangers"));
    assert_int_equal(bridge_reconfigure(c->b, &cfg, &msg), ERR_CONF);
    cfg = core_config();
    cfg.component_count = 1;
    cfg.adapter_count = 2;
    assert_int_equal(bridge_reconfigure(c->b, &cfg, &msg), ERR_CONF);
    struct jid alice = core_jid(ALICE), lamp = core_jid("lamp@gw.example"); // what was in force still is
    struct identity_view v;
    assert_int_equal(bridge_find(c->b, &alice, &lamp, &v), ERR_OK);
    bridge_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_register_offers_what_may_be_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(test_register_needs_the_right, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_refusal_is_remembered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_offer_only_what_may_be_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unregister_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_offers_are_capped_and_paced, setup, teardown),
        cmocka_unit_test_setup_teardown(test_new_contacts_are_offered_to_the_registered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mass_import_offers_all, setup, teardown),
        cmocka_unit_test_setup_teardown(test_name_changes_the_address_does_not, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_identities_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_scope_hides_from_others, setup, teardown),
        cmocka_unit_test_setup_teardown(test_quarantine_and_approval, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forget, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_an_operator_forgets_its_adapter_forgets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forget_while_the_link_is_down_is_told_later, setup, teardown),
        cmocka_unit_test_setup_teardown(test_named_again_while_being_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(test_withdraw, setup, teardown),
        cmocka_unit_test_setup_teardown(test_state_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_notice_an_outage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_grant_says_what_is_wrong, setup, teardown),
        cmocka_unit_test_setup_teardown(test_restored_rules_keep_their_numbers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_restore, setup, teardown),
        cmocka_unit_test_setup_teardown(test_walks_show_what_may_be_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forget_many_while_down, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_configurations, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
