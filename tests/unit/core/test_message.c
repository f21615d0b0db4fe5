#include "lib/core_fixture.h"

#include "base/mem.h"
#include "core/pending.h"
#include "core/user.h"

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

static struct event chat(const char *user, const char *to, const char *id, const char *body)
{
    struct event ev = core_user(EV_MESSAGE, user, to);
    ev.id = str_c(id);
    ev.body = str_c(body);
    return ev;
}

static struct event outcome(enum event_kind kind, uint64_t token, enum err err, const char *body)
{
    struct event ev = core_adapter(kind, HOME, "");
    ev.token = token;
    ev.err = err;
    ev.body = str_c(body);
    return ev;
}

static void test_message_and_answer(void **state)
{
    struct core *c = *state;
    struct event ev = chat(ALICE "/x", LAMP, "m1", "on");
    ev.flags = EVENT_RECEIPT_WANTED;
    core_expect(c, &ev,
                "south message 1:lamp alice@example.org/x token=1 id=m1 body=on\n"
                "store ask alice@example.org/x  1 text=the bridge was restarted; it is not known whether this was "
                "done\n");
    const unsigned all = RIGHT_SEE | RIGHT_READ | RIGHT_SEND | RIGHT_COMMAND;
    assert_int_equal(c->out.v[0].ev->rights & (all | RIGHT_ADMIN), all);
    struct event done = outcome(EV_DELIVERED, 1, ERR_OK, "it is on");
    const char *lines = core_all(c, &done);
    assert_non_null(strstr(lines, "store -ask alice@example.org/x  1\n"));
    assert_non_null(strstr(lines, "north receipt lamp@gw.example -> alice@example.org/x id=m1\n"));
    assert_non_null(strstr(lines, "north message lamp@gw.example/home -> alice@example.org/x id="));
    assert_non_null(strstr(lines, " body=it is on\n"));
    core_expect(c, &done, ""); // an outcome comes once
}

static void test_no_receipt_unasked_and_no_empty_answer(void **state)
{
    struct core *c = *state;
    struct event ev = chat(ALICE "/x", LAMP, "m1", "on");
    core_all(c, &ev);
    struct event done = outcome(EV_DELIVERED, 1, ERR_OK, "");
    core_expect(c, &done, "");
}

static void test_failure_is_told_once(void **state)
{
    struct core *c = *state;
    struct event ev = chat(ALICE "/x", LAMP, "m1", "on");
    core_all(c, &ev);
    struct event failed = outcome(EV_FAILED, 1, ERR_OFFLINE, "the lamp is off the net");
    core_expect(c, &failed,
                "north bounce lamp@gw.example -> alice@example.org/x about=message err=offline id=m1 "
                "body=the lamp is off the net\n");
    core_expect(c, &failed, "");
}

static void test_only_the_asked_adapter_tells(void **state)
{
    struct core *c = *state;
    struct event ev = chat(ALICE "/x", LAMP, "m1", "on");
    core_all(c, &ev);
    struct event forged = outcome(EV_DELIVERED, 1, ERR_OK, "");
    forged.adapter = OTHER;
    core_expect(c, &forged, "");
    struct bridge_stat s;
    bridge_stat(c->b, &s);
    assert_int_equal(s.pending, 1);
}

static void test_silence_is_a_timeout(void **state)
{
    struct core *c = *state;
    struct event ev = chat(ALICE "/x", LAMP, "m1", "on");
    core_all(c, &ev);
    assert_int_equal(bridge_deadline(c->b), c->now + PENDING_MS);
    c->now += PENDING_MS - 1;
    struct event tick = {.kind = EV_TICK};
    core_expect(c, &tick, "");
    c->now++;
    core_expect(c, &tick,
                "north bounce lamp@gw.example -> alice@example.org/x about=message err=timeout id=m1 "
                "body=no answer came in time\n");
    assert_int_equal(bridge_deadline(c->b), INT64_MAX);
    struct event late = outcome(EV_DELIVERED, 1, ERR_OK, "late");
    core_expect(c, &late, "");
}

// Who has asked is told, once, that no outcome will come; also with more questions than one step can answer.
static void test_stopping_ends_what_is_asked(void **state)
{
    enum { ASKED = 150, USERS = 3 };
    static const char *const users[USERS] = {ALICE "/x", ALICE "/y", ALICE "/z"};
    struct core *c = *state;
    for (int i = 0; i < ASKED; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "m%d", i);
        c->now += 1000; // within the rate
        struct event ev = chat(users[i % USERS], LAMP, id, "on");
        core_all(c, &ev);
    }
    struct event stop = {.kind = EV_SHUTDOWN};
    const char *lines = core_all(c, &stop);
    struct bridge_stat s;
    bridge_stat(c->b, &s);
    assert_int_equal(s.pending, 0);
    assert_true(core_count(lines, "err=unavailable") > 0);
    assert_int_equal(core_count(lines, "it is not known whether this was done"), core_count(lines, "north bounce"));
    struct event late = core_adapter(EV_DELIVERED, HOME, "");
    late.token = 1;
    core_expect(c, &late, "");
}

static void test_rights(void **state)
{
    struct core *c = *state;
    struct event grant = {.kind = EV_GRANT, .rule = STR("allow see to carol@example.org on home")};
    core_all(c, &grant);
    struct event ev = chat("carol@example.org/x", LAMP, "m1", "on");
    core_expect(c, &ev,
                "north bounce lamp@gw.example -> carol@example.org/x about=message err=forbidden id=m1 "
                "body=you may not write to this contact\n");
    ev = chat("stranger@example.net/x", LAMP, "m1", "on");
    core_expect(c, &ev, "north bounce lamp@gw.example -> stranger@example.net/x about=message err=notfound id=m1\n");
}

static void test_encrypted_goes_nowhere(void **state)
{
    struct core *c = *state;
    struct event ev = chat(ALICE "/x", LAMP, "m1", "I sent you an encrypted message");
    ev.flags = EVENT_ENCRYPTED | EVENT_RECEIPT_WANTED;
    const char *lines = core_all(c, &ev);
    assert_non_null(strstr(lines, "about=message err=notacceptable id=m1 body=This contact is a bridge"));
    assert_int_equal(core_count(lines, "\n"), 1);
    ev.to = core_jid("gw.example");
    lines = core_all(c, &ev);
    assert_non_null(strstr(lines, "north bounce gw.example -> alice@example.org/x about=message err=notacceptable"));
    assert_int_equal(core_count(lines, "\n"), 1);
}

static void test_component_takes_operations(void **state)
{
    struct core *c = *state;
    struct event ev = chat("stranger@example.net/x", "gw.example", "m1", "help");
    core_expect(c, &ev, "operate help\n");
    ev.body = STR_NONE;
    core_expect(c, &ev, "");
    ev = core_user(EV_COMMAND, ALICE "/x", "gw.example");
    ev.command = STR("list");
    core_expect(c, &ev, "operate \n");
}

static void test_groupchat_needs_a_room(void **state)
{
    struct core *c = *state;
    struct event ev = chat(ALICE "/x", LAMP, "m1", "hi all");
    ev.type = MESSAGE_GROUPCHAT;
    assert_non_null(strstr(core_all(c, &ev), "err=notacceptable"));
}

static void test_commands(void **state)
{
    struct core *c = *state;
    struct event ev = core_user(EV_COMMAND, ALICE "/x", LAMP);
    struct event_field fields[] = {{STR("power"), STR("on")}};
    ev.command = STR("set");
    ev.id = STR("c1");
    ev.fields = fields;
    ev.field_count = 1;
    core_expect(c, &ev, "south command 1:lamp alice@example.org/x token=1 command=set id=c1\n");
    assert_int_equal(c->out.v[0].ev->field_count, 1);
    assert_true(str_eq_c(c->out.v[0].ev->fields[0].value, "on"));
    struct event done = outcome(EV_DELIVERED, 1, ERR_OK, "is on");
    core_expect(c, &done,
                "north result lamp@gw.example -> alice@example.org/x about=command command=set id=c1 body=is on\n");
    core_all(c, &ev);
    struct event failed = outcome(EV_FAILED, 2, ERR_TIMEOUT, "");
    core_expect(c, &failed,
                "north bounce lamp@gw.example -> alice@example.org/x about=command err=timeout command=set id=c1\n");
    ev.to.local = STR("nobody");
    assert_non_null(strstr(core_all(c, &ev), "about=command err=notfound"));
}

static void test_typing(void **state)
{
    struct core *c = *state;
    struct event ev = core_user(EV_TYPING, ALICE "/x", LAMP);
    ev.typing = TYPING_COMPOSING;
    core_expect(c, &ev, "south typing 1:lamp alice@example.org/x\n");
    ev.to.local = STR("secret");
    core_expect(c, &ev, "");
    ev.to.local = STR("hall");
    core_expect(c, &ev, "");
    struct event back = core_adapter(EV_TYPING, HOME, "lamp");
    back.user = core_jid(ALICE "/x");
    core_expect(c, &back, "north typing lamp@gw.example/home -> alice@example.org/x\n");
}

static void test_rate_limit(void **state)
{
    struct core *c = *state;
    struct event ev = chat(ALICE "/x", LAMP, "m", "on");
    size_t taken = 0;
    for (unsigned i = 0; i < USER_BURST + 10; i++)
        taken += core_count(core_all(c, &ev), "south message");
    assert_int_equal(taken, USER_BURST);
    assert_non_null(strstr(core_all(c, &ev), "err=again"));
    struct event other = chat("bob@example.org/x", LAMP, "m", "on"); // another user is not held up
    assert_non_null(strstr(core_all(c, &other), "south message"));
    c->now += 1000;
    assert_non_null(strstr(core_all(c, &ev), "south message"));
}

static void test_pending_is_bounded_per_user(void **state)
{
    struct core *c = *state;
    struct event ev = chat(ALICE "/x", LAMP, "m", "on");
    size_t taken = 0;
    for (unsigned i = 0; i < PENDING_USER_MAX + 5; i++) {
        c->now += 100;
        taken += core_count(core_all(c, &ev), "south message");
    }
    assert_int_equal(taken, PENDING_USER_MAX);
    assert_non_null(strstr(core_all(c, &ev), "err=again id=m body=too many requests"));
    struct event done = outcome(EV_DELIVERED, 1, ERR_OK, "");
    core_all(c, &done);
    c->now += 100;
    assert_non_null(strstr(core_all(c, &ev), "south message"));
}

/* From adapters */

static struct event report(const char *id, const char *body)
{
    struct event ev = core_adapter(EV_MESSAGE, HOME, "lamp");
    ev.id = str_c(id);
    ev.body = str_c(body);
    return ev;
}

static void test_adapter_message_to_subscribers(void **state)
{
    struct core *c = *state;
    core_subscribe(c, ALICE, LAMP);
    core_subscribe(c, "bob@example.org", LAMP);
    core_subscribe(c, "admin@example.org", LAMP);
    struct event grant = {.kind = EV_GRANT, .rule = STR("allow see to carol@example.org on home")};
    core_all(c, &grant);
    core_subscribe(c, "carol@example.org", LAMP); // may see, not read
    struct event ev = report("e1", "door open");
    ev.token = 3;
    ev.flags = EVENT_DURABLE;
    core_expect(c, &ev,
                "store record home 1 text=door open\n"
                "gated 3\n"
                "north message lamp@gw.example/home -> admin@example.org id=e1 body=door open\n"
                "north message lamp@gw.example/home -> alice@example.org id=e1 body=door open\n"
                "north message lamp@gw.example/home -> bob@example.org id=e1 body=door open\n"
                "north fence  -> \n");
    ev.flags = EVENT_DURABLE | EVENT_SNAPSHOT;
    core_expect(c, &ev, "gated 3\n");
}

static void test_adapter_message_to_one(void **state)
{
    struct core *c = *state;
    struct event ev = report("e1", "psst");
    ev.user = core_jid(ALICE);
    core_expect(c, &ev, "north message lamp@gw.example/home -> alice@example.org id=e1 body=psst\n");
    ev.user = core_jid("stranger@example.net");
    ev.token = 4;
    core_expect(c, &ev, "south refused 1: token=4 err=forbidden\n");
}

// What a file has become: a place where it is to be had.
static void test_a_file_goes_as_its_url(void **state)
{
    struct core *c = *state;
    core_subscribe(c, ALICE, LAMP);
    struct event ev = report("e1", "picture");
    ev.url = STR("https://up.example/1");
    core_expect(c, &ev,
                "north message lamp@gw.example/home -> alice@example.org id=e1 body=picture "
                "url=https://up.example/1\n");
    struct event ask = chat(ALICE "/x", LAMP, "m1", "get picture");
    core_all(c, &ask);
    struct event done = outcome(EV_DELIVERED, 1, ERR_OK, "");
    done.url = STR("https://up.example/2");
    const char *lines = core_all(c, &done);
    assert_non_null(strstr(lines, "-> alice@example.org/x id="));
    assert_non_null(strstr(lines, " url=https://up.example/2\n"));
    struct event form = core_user(EV_COMMAND, ALICE "/x", LAMP);
    form.id = STR("c1");
    form.command = STR("picture");
    core_all(c, &form);
    done.token = 2;
    done.body = STR("picture");
    assert_non_null(strstr(core_all(c, &done), " body=https://up.example/2\n")); // all that a result can say
}

static void test_whether_anybody_hears(void **state)
{
    struct core *c = *state;
    assert_false(bridge_heard(c->b, HOME, STR("lamp")));
    assert_false(bridge_heard(c->b, HOME, STR("none")));
    struct event grant = {.kind = EV_GRANT, .rule = STR("allow see to carol@example.org on home")};
    core_all(c, &grant);
    core_subscribe(c, "carol@example.org", LAMP); // may see, not read
    assert_false(bridge_heard(c->b, HOME, STR("lamp")));
    core_subscribe(c, ALICE, LAMP);
    assert_true(bridge_heard(c->b, HOME, STR("lamp")));
    assert_false(bridge_heard(c->b, HOME, STR("door")));
    assert_false(bridge_heard(c->b, OTHER, STR("lamp")));
    core_link(c, 1, false);
    assert_false(bridge_heard(c->b, HOME, STR("lamp")));
    core_link(c, 1, true);
    assert_false(bridge_heard(c->b, HOME, STR("hall"))); // a room with nobody in it
    struct event join = core_user(EV_JOIN, ALICE "/x", "hall@gw.example");
    join.nick = STR("al");
    core_all(c, &join);
    assert_true(bridge_heard(c->b, HOME, STR("hall")));
}

static void test_one_id_for_all_when_there_is_none(void **state)
{
    struct core *c = *state;
    core_subscribe(c, ALICE, LAMP);
    core_subscribe(c, "bob@example.org", LAMP);
    struct event ev = report("", "hi");
    core_step(c, &ev);
    assert_int_equal(c->out.count, 2);
    assert_int_equal(c->out.v[0].ev->id.n, 16);
    assert_true(str_eq(c->out.v[0].ev->id, c->out.v[1].ev->id));
}

static void test_adapter_message_while_the_link_is_down(void **state)
{
    struct core *c = *state;
    core_subscribe(c, ALICE, LAMP);
    core_link(c, 1, false);
    struct event ev = report("e1", "hi");
    core_expect(c, &ev, "");
    ev = report("e2", "there");
    ev.token = 6;
    core_expect(c, &ev, "south journaled 1: token=6\n");
    core_link(c, 1, true);
    const char *first = strstr(c->lines.p, " id=e1 "), *second = strstr(c->lines.p, " id=e2 ");
    assert_true(first && second && first < second);
}

static void test_large_audience_hears_in_order(void **state)
{
    (void)state;
    struct bridge_config cfg = core_config();
    static const struct str rules[] = {{"allow see read send to *", 24}};
    cfg.rules = rules;
    cfg.rule_count = 1;
    struct core c;
    core_init_with(&c, &cfg);
    core_link(&c, 1, true);
    core_identity(&c, HOME, "lamp", IDENTITY_CONTACT);
    enum { N = 600 };
    char jid[64];
    for (unsigned i = 0; i < N; i++) {
        snprintf(jid, sizeof jid, "u%u@example.org", i);
        core_subscribe(&c, jid, LAMP);
    }
    struct event one = report("1", "first"), two = report("2", "second");
    core_do(&c, &one);
    assert_true(c.out.more);
    core_step(&c, &two);
    assert_int_equal(c.out.count, 0); // behind the first
    core_append(&c);
    struct event leave = core_user(EV_UNSUBSCRIBE, "u343@example.org", LAMP); // whom the first has come to
    core_step(&c, &leave);
    core_append(&c);
    core_drain(&c);
    const char *last_first = strstr(c.lines.p, "u0@example.org id=1");
    const char *first_second = strstr(c.lines.p, "id=2");
    assert_true(last_first && first_second && last_first < first_second);
    assert_in_range(core_count(c.lines.p, "id=1 "), N - 1, N);
    assert_int_equal(core_count(c.lines.p, "id=2 "), N - 1);
    core_finish(&c);
}

static void test_bounces_are_not_answered(void **state)
{
    struct core *c = *state;
    core_subscribe(c, ALICE, LAMP);
    for (int e = ERR_OK + 1; e < ERR_COUNT; e++) {
        struct event ev = core_user(EV_BOUNCE, ALICE "/x", LAMP);
        ev.about = EV_MESSAGE;
        ev.err = (enum err)e;
        core_expect(c, &ev, "");
    }
    core_show(c, HOME, "lamp", SHOW_AWAY, "");
    assert_int_equal(core_count(c->lines.p, "show=away"), 1); // still subscribed
}

static void test_same_events_same_effects(void **state)
{
    (void)state;
    char *first = NULL;
    for (int round = 0; round < 2; round++) {
        struct core c;
        core_init(&c);
        core_subscribe(&c, ALICE, LAMP);
        struct event ev = report("", "hi");
        const char *lines = core_all(&c, &ev);
        if (!first)
            first = mem_dup(lines, strlen(lines));
        else
            assert_string_equal(lines, first);
        core_finish(&c);
    }
    mem_free(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_message_and_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_receipt_unasked_and_no_empty_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failure_is_told_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_only_the_asked_adapter_tells, setup, teardown),
        cmocka_unit_test_setup_teardown(test_silence_is_a_timeout, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stopping_ends_what_is_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rights, setup, teardown),
        cmocka_unit_test_setup_teardown(test_encrypted_goes_nowhere, setup, teardown),
        cmocka_unit_test_setup_teardown(test_component_takes_operations, setup, teardown),
        cmocka_unit_test_setup_teardown(test_groupchat_needs_a_room, setup, teardown),
        cmocka_unit_test_setup_teardown(test_commands, setup, teardown),
        cmocka_unit_test_setup_teardown(test_typing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rate_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pending_is_bounded_per_user, setup, teardown),
        cmocka_unit_test_setup_teardown(test_adapter_message_to_subscribers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_adapter_message_to_one, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_file_goes_as_its_url, setup, teardown),
        cmocka_unit_test_setup_teardown(test_whether_anybody_hears, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_id_for_all_when_there_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_adapter_message_while_the_link_is_down, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large_audience_hears_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bounces_are_not_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_same_events_same_effects, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
