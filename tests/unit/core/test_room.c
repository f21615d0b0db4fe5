#include "lib/core_fixture.h"

#include "core/room.h"

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

#define ALICE "alice@example.org/phone"
#define BOB "bob@example.org/desk"
#define HALL "hall@gw.example"

static const char *enter(struct core *c, const char *user, const char *nick)
{
    struct event ev = core_user(EV_AVAILABLE, user, HALL);
    ev.flags = EVENT_JOIN;
    ev.to.resource = str_c(nick);
    return core_all(c, &ev);
}

static struct event say(const char *user, const char *id, const char *body)
{
    struct event ev = core_user(EV_MESSAGE, user, HALL);
    ev.type = MESSAGE_GROUPCHAT;
    ev.id = str_c(id);
    ev.body = str_c(body);
    return ev;
}

static struct event foreign(enum event_kind kind, const char *nick, const char *body)
{
    struct event ev = core_adapter(kind, HOME, "hall");
    ev.type = MESSAGE_GROUPCHAT;
    ev.nick = str_c(nick);
    ev.body = str_c(body);
    return ev;
}

static struct event delivered(uint64_t token)
{
    struct event ev = core_adapter(EV_DELIVERED, HOME, "hall");
    ev.token = token;
    return ev;
}

static void test_join_order(void **state)
{
    struct core *c = *state;
    assert_string_equal(enter(c, ALICE, "al"), "south join 1:hall alice@example.org/phone nick=al\n"
                                               "north join hall@gw.example/al -> alice@example.org/phone nick=al self\n"
                                               "north subject hall@gw.example -> alice@example.org/phone\n");
    struct event irc = foreign(EV_JOIN, "ircer", "");
    core_expect(c, &irc, "north join hall@gw.example/ircer -> alice@example.org/phone nick=ircer\n");
    struct event subject = foreign(EV_SUBJECT, "ircer", "tea");
    core_expect(c, &subject, "north subject hall@gw.example/ircer -> alice@example.org/phone nick=ircer body=tea\n");
    assert_string_equal(enter(c, BOB, "bo"), "south join 1:hall bob@example.org/desk nick=bo\n"
                                             "north join hall@gw.example/al -> bob@example.org/desk nick=al\n"
                                             "north join hall@gw.example/ircer -> bob@example.org/desk nick=ircer\n"
                                             "north join hall@gw.example/bo -> alice@example.org/phone nick=bo\n"
                                             "north join hall@gw.example/bo -> bob@example.org/desk nick=bo self\n"
                                             "north subject hall@gw.example -> bob@example.org/desk body=tea\n");
}

static void test_join_refused(void **state)
{
    struct core *c = *state;
    enter(c, ALICE, "al");
    struct event irc = foreign(EV_JOIN, "ircer", "");
    core_all(c, &irc);
    struct event grant = {.kind = EV_GRANT, .rule = STR("allow see read to carol@example.org on home")};
    core_all(c, &grant);
    static const struct {
        const char *user, *nick, *err;
    } rows[] = {
        {BOB, "al", "err=exists"},
        {BOB, "ircer", "err=exists"},
        {BOB, "", "err=badjid"},
        {"carol@example.org/x", "ca", "err=forbidden"},
        {"stranger@example.net/x", "st", "err=notfound"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *lines = enter(c, rows[i].user, rows[i].nick);
        if (!strstr(lines, "about=join") || !strstr(lines, rows[i].err) || core_count(lines, "\n") != 1)
            fail_msg("row %zu: %s", i, lines);
    }
    struct event lamp = core_user(EV_JOIN, ALICE, "lamp@gw.example/al");
    assert_non_null(strstr(core_all(c, &lamp), "about=join err=notallowed"));
}

static void test_two_clients_of_one_user(void **state)
{
    struct core *c = *state;
    enter(c, ALICE, "al");
    enter(c, BOB, "bo");
    assert_string_equal(enter(c, "alice@example.org/desk", "al"),
                        "north join hall@gw.example/bo -> alice@example.org/desk nick=bo\n"
                        "north join hall@gw.example/al -> alice@example.org/desk nick=al self\n"
                        "north subject hall@gw.example -> alice@example.org/desk\n");
    struct event part = core_user(EV_UNAVAILABLE, ALICE, HALL "/al");
    core_expect(c, &part, "north part hall@gw.example/al -> alice@example.org/phone nick=al self\n");
    part.user = core_jid("alice@example.org/desk");
    part.body = STR("bye");
    core_expect(c, &part,
                "north part hall@gw.example/al -> alice@example.org/desk nick=al body=bye self\n"
                "south part 1:hall alice@example.org/desk nick=al body=bye\n"
                "north part hall@gw.example/al -> bob@example.org/desk nick=al body=bye\n");
    core_expect(c, &part, "");
}

static void test_entering_again_is_answered_again(void **state)
{
    struct core *c = *state;
    enter(c, ALICE, "al");
    enter(c, BOB, "bo");
    assert_string_equal(enter(c, ALICE, "al"), "north join hall@gw.example/bo -> alice@example.org/phone nick=bo\n"
                                               "north join hall@gw.example/al -> alice@example.org/phone nick=al self\n"
                                               "north subject hall@gw.example -> alice@example.org/phone\n");
}

static void test_talk_is_heard_once_delivered(void **state)
{
    struct core *c = *state;
    enter(c, ALICE, "al");
    enter(c, BOB, "bo");
    struct event ev = say(ALICE, "m1", "hello");
    core_expect(c, &ev, "south message 1:hall alice@example.org/phone token=1 nick=al id=m1 body=hello\n");
    struct event done = delivered(1);
    core_expect(c, &done,
                "north message hall@gw.example/al -> alice@example.org/phone nick=al id=m1 body=hello self\n"
                "north message hall@gw.example/al -> bob@example.org/desk nick=al id=m1 body=hello\n");
    core_all(c, &ev);
    struct event failed = delivered(2);
    failed.kind = EV_FAILED;
    failed.err = ERR_FORBIDDEN;
    failed.body = STR("you are muted");
    core_expect(c, &failed,
                "north bounce hall@gw.example -> alice@example.org/phone about=message err=forbidden nick=al id=m1 "
                "body=you are muted\n");
}

static void test_outsiders_may_not_talk(void **state)
{
    struct core *c = *state;
    struct event ev = say(ALICE, "m1", "hello");
    core_expect(c, &ev,
                "north bounce hall@gw.example -> alice@example.org/phone about=message err=notacceptable id=m1 "
                "body=you are not in this room\n");
    ev.user = core_jid("stranger@example.net/x");
    assert_non_null(strstr(core_all(c, &ev), "err=notfound"));
}

static void test_foreign_talk(void **state)
{
    struct core *c = *state;
    struct event grant = {.kind = EV_GRANT, .rule = STR("allow see send to carol@example.org on home")};
    core_all(c, &grant);
    enter(c, ALICE, "al");
    enter(c, "carol@example.org/x", "ca"); // may not read
    struct event ev = foreign(EV_MESSAGE, "ircer", "hi");
    ev.id = STR("f1");
    ev.token = 3;
    ev.flags = EVENT_DURABLE;
    core_expect(c, &ev,
                "north message hall@gw.example/ircer -> alice@example.org/phone nick=ircer id=f1 body=hi\ngated 3\n");
    ev.user = core_jid("alice@example.org");
    core_expect(c, &ev,
                "north message hall@gw.example/ircer -> alice@example.org/phone nick=ircer id=f1 body=hi\ngated 3\n");
    ev.user = core_jid("bob@example.org");
    core_expect(c, &ev, "south refused 1: token=3 err=notfound\n");
    core_link(c, 1, false);
    ev.user = (struct jid){.resource = STR_NONE};
    core_expect(c, &ev, "south refused 1: token=3 err=offline\n");
}

static void test_foreign_people_come_and_go(void **state)
{
    struct core *c = *state;
    enter(c, ALICE, "al");
    struct event ev = foreign(EV_JOIN, "ircer", "");
    ev.token = 1;
    core_expect(c, &ev,
                "north join hall@gw.example/ircer -> alice@example.org/phone nick=ircer\nsouth journaled 1: token=1\n");
    core_expect(c, &ev, "south journaled 1: token=1\n");
    ev.nick = STR("al");
    core_expect(c, &ev, "south refused 1: token=1 err=exists\n");
    ev.nick = STR("bad\x01nick");
    core_expect(c, &ev, "south refused 1: token=1 err=badreq\n");
    struct event nick = foreign(EV_PART, "ircer", "");
    nick.name = STR("ircer_");
    core_expect(c, &nick,
                "north part hall@gw.example/ircer -> alice@example.org/phone nick=ircer name=ircer_\n"
                "north join hall@gw.example/ircer_ -> alice@example.org/phone nick=ircer_\n");
    struct event part = foreign(EV_PART, "ircer_", "netsplit");
    core_expect(c, &part, "north part hall@gw.example/ircer_ -> alice@example.org/phone nick=ircer_ body=netsplit\n");
    part.token = 2;
    core_expect(c, &part, "south refused 1: token=2 err=notfound\n");
    part.nick = STR("al"); // a user is not the adapter's to part
    core_expect(c, &part, "south refused 1: token=2 err=notfound\n");
}

// Nicks of the far side are folded as addresses are, wherever they come: who joins under one form is the one who speaks
// under it.
static void test_foreign_nicks_are_prepared(void **state)
{
    struct core *c = *state;
    enter(c, ALICE, "al");
    struct event join = foreign(EV_JOIN, "caf\x65\xcc\x81", ""); // e and a combining accent
    core_expect(c, &join, "north join hall@gw.example/caf\xc3\xa9 -> alice@example.org/phone nick=caf\xc3\xa9\n");
    struct event ev = foreign(EV_MESSAGE, "caf\x65\xcc\x81", "hi");
    ev.id = STR("f1");
    core_expect(
        c, &ev,
        "north message hall@gw.example/caf\xc3\xa9 -> alice@example.org/phone nick=caf\xc3\xa9 id=f1 body=hi\n");
    ev.nick = STR("bad\x01nick");
    core_expect(c, &ev, "north message hall@gw.example -> alice@example.org/phone id=f1 body=hi\n");
    struct event part = foreign(EV_PART, "caf\x65\xcc\x81", "");
    core_expect(c, &part, "north part hall@gw.example/caf\xc3\xa9 -> alice@example.org/phone nick=caf\xc3\xa9\n");
}

static void test_nick_change(void **state)
{
    struct core *c = *state;
    enter(c, ALICE, "al");
    enter(c, BOB, "bo");
    struct event ev = core_user(EV_AVAILABLE, ALICE, HALL "/ally");
    core_expect(c, &ev,
                "south part 1:hall alice@example.org/phone nick=al name=ally\n"
                "north part hall@gw.example/al -> alice@example.org/phone nick=al name=ally self\n"
                "north part hall@gw.example/al -> bob@example.org/desk nick=al name=ally\n"
                "north join hall@gw.example/ally -> alice@example.org/phone nick=ally self\n"
                "north join hall@gw.example/ally -> bob@example.org/desk nick=ally\n");
    core_expect(c, &ev, ""); // only a status
    ev.to.resource = STR("bo");
    assert_non_null(strstr(core_all(c, &ev), "about=join err=exists"));
    struct jid user = core_jid(ALICE), here = core_jid(HALL "/ally"), there = core_jid(HALL "/al");
    assert_true(bridge_is_occupant(c->b, &user, &here));
    assert_false(bridge_is_occupant(c->b, &user, &there));
    user = core_jid(BOB);
    assert_false(bridge_is_occupant(c->b, &user, &here));
}

static void test_private_messages(void **state)
{
    struct core *c = *state;
    enter(c, ALICE, "al");
    enter(c, BOB, "bo");
    enter(c, "bob@example.org/phone", "bo");
    struct event irc = foreign(EV_JOIN, "ircer", "");
    core_all(c, &irc);
    struct event ev = core_user(EV_MESSAGE, ALICE, HALL "/bo");
    ev.id = STR("p1");
    ev.body = STR("psst");
    core_expect(c, &ev,
                "north message hall@gw.example/al -> bob@example.org/desk nick=al id=p1 body=psst\n"
                "north message hall@gw.example/al -> bob@example.org/phone nick=al id=p1 body=psst\n");
    ev.to.resource = STR("ircer");
    core_expect(c, &ev, "south message 1:hall alice@example.org/phone token=1 nick=al id=p1 body=psst\n");
    assert_true(str_eq_c(c->out.v[0].ev->to.resource, "ircer"));
    struct event done = delivered(1);
    core_expect(c, &done, ""); // reflected to nobody
    ev.to.resource = STR("nobody");
    assert_non_null(strstr(core_all(c, &ev), "err=notfound"));
}

static void test_subject_by_a_user(void **state)
{
    struct core *c = *state;
    enter(c, ALICE, "al");
    struct event ev = core_user(EV_SUBJECT, ALICE, HALL);
    ev.body = STR("tea");
    ev.id = STR("s1");
    core_expect(c, &ev, "south subject 1:hall alice@example.org/phone token=1 nick=al id=s1 body=tea\n");
    assert_null(strstr(enter(c, BOB, "bo"), "body=tea"));
    struct event done = delivered(1);
    assert_int_equal(core_count(core_all(c, &done), "north subject hall@gw.example/al"), 2);
    assert_non_null(strstr(enter(c, BOB, "bo"), "north subject hall@gw.example -> bob@example.org/desk body=tea"));
    struct event lamp = core_user(EV_SUBJECT, ALICE, "lamp@gw.example");
    assert_non_null(strstr(core_all(c, &lamp), "about=subject err=notfound"));
}

static void test_encrypted_is_dropped_with_one_notice(void **state)
{
    struct core *c = *state;
    enter(c, ALICE, "al");
    enter(c, BOB, "bo");
    struct event ev = say(ALICE, "m1", "fallback");
    ev.flags = EVENT_ENCRYPTED;
    const char *lines = core_all(c, &ev);
    assert_non_null(strstr(lines, "north message hall@gw.example -> alice@example.org/phone id="));
    assert_int_equal(core_count(lines, "\n"), 1);
    assert_null(strstr(lines, "fallback"));
    core_expect(c, &ev, "");
    ev.user = core_jid(BOB);
    assert_int_equal(core_count(core_all(c, &ev), "-> bob@example.org/desk"), 1);
}

static void test_a_gone_client_is_found_out(void **state)
{
    struct core *c = *state;
    enter(c, ALICE, "al");
    enter(c, BOB, "bo");
    struct event ev = core_user(EV_BOUNCE, BOB, HALL "/al");
    ev.about = EV_MESSAGE;
    ev.err = ERR_AGAIN; // it may come back
    core_expect(c, &ev, "");
    ev.err = ERR_OFFLINE;
    const char *lines = core_all(c, &ev);
    assert_int_equal(core_count(lines, "north part hall@gw.example/bo -> alice@example.org/phone"), 1);
    assert_int_equal(core_count(lines, "south part 1:hall"), 1);
    struct jid user = core_jid(BOB), room = core_jid(HALL "/bo");
    assert_false(bridge_is_occupant(c->b, &user, &room));
}

static void test_revoked_is_put_out(void **state)
{
    struct core *c = *state;
    struct event grant = {.kind = EV_GRANT, .rule = STR("allow see read send to carol@example.org on home")};
    core_all(c, &grant);
    enter(c, ALICE, "al");
    enter(c, "carol@example.org/x", "ca");
    struct event revoke = {.kind = EV_REVOKE, .number = 1};
    core_expect(c, &revoke,
                "store -access 1\n"
                "north part hall@gw.example/ca -> carol@example.org/x nick=ca body=you may no longer be here self\n"
                "south part 1:hall carol@example.org/x nick=ca body=you may no longer be here\n"
                "north part hall@gw.example/ca -> alice@example.org/phone nick=ca body=you may no longer be here\n");
}

static void test_room_ends(void **state)
{
    struct core *c = *state;
    enter(c, ALICE, "al");
    struct event irc = foreign(EV_JOIN, "ircer", "");
    core_all(c, &irc);
    struct event ev = core_adapter(EV_FORGET, HOME, "hall");
    core_expect(c, &ev,
                "store -identity hall@gw.example\n"
                "north part hall@gw.example/al -> alice@example.org/phone nick=al body=the room is gone self\n");
    struct bridge_stat s;
    bridge_stat(c->b, &s);
    assert_int_equal(s.rooms, 0);
}

static void test_shutdown_empties_rooms(void **state)
{
    struct core *c = *state;
    enter(c, ALICE, "al");
    enter(c, BOB, "bo");
    struct event ev = {.kind = EV_SHUTDOWN};
    core_expect(c, &ev,
                "north part hall@gw.example/al -> alice@example.org/phone nick=al body=the gateway is stopping self\n"
                "north part hall@gw.example/bo -> bob@example.org/desk nick=bo body=the gateway is stopping self\n");
}

// A room too large for one step: the joiner hears of everybody before himself, and news waits behind.
static void test_large_room(void **state)
{
    struct core *c = *state;
    enum { N = 700 };
    char nick[16];
    for (unsigned i = 0; i < N; i++) {
        snprintf(nick, sizeof nick, "f%05u", i);
        struct event ev = foreign(EV_JOIN, nick, "");
        core_all(c, &ev);
    }
    struct event join = core_user(EV_JOIN, ALICE, HALL "/al");
    core_do(c, &join);
    assert_true(c->out.more);
    struct event leave = foreign(EV_PART, "f00255", ""), last = foreign(EV_PART, "f00699", "");
    core_step(c, &leave);
    core_append(c);
    core_step(c, &last);
    core_append(c);
    core_drain(c);
    const char *self = strstr(c->lines.p, "nick=al self"), *part = strstr(c->lines.p, "north part");
    assert_true(self && part && self < part);
    assert_null(strstr(self + 1, "north join"));
    assert_int_equal(core_count(c->lines.p, "north part"), 2);
    assert_in_range(core_count(c->lines.p, "north join"), N - 2 + 1, N - 1 + 1);
}

static void test_leaving_in_the_middle_of_a_welcome(void **state)
{
    struct core *c = *state;
    char nick[16];
    for (unsigned i = 0; i < 400; i++) {
        snprintf(nick, sizeof nick, "f%05u", i);
        struct event ev = foreign(EV_JOIN, nick, "");
        core_all(c, &ev);
    }
    enter(c, BOB, "bo");
    struct event join = core_user(EV_JOIN, ALICE, HALL "/al");
    core_do(c, &join);
    assert_true(c->out.more);
    struct event part = core_user(EV_PART, ALICE, HALL "/al");
    core_all(c, &part);
    assert_int_equal(core_count(c->lines.p, "nick=f"), 0);
    assert_false(c->out.more);
    struct event forget = core_adapter(EV_FORGET, HOME, "hall");
    enter(c, ALICE, "al"); // and the room itself
    core_do(c, &join);
    core_step(c, &forget);
    core_drain(c);
    struct bridge_stat s;
    bridge_stat(c->b, &s);
    assert_int_equal(s.rooms, 0);
}

static void test_bounds(void **state)
{
    struct core *c = *state;
    char jid[64];
    size_t entered = 0;
    for (unsigned i = 0; i < ROOM_OCCUPANT_CLIENTS_MAX + 3; i++) {
        snprintf(jid, sizeof jid, "alice@example.org/r%u", i);
        entered += core_count(enter(c, jid, "al"), " self\n");
    }
    assert_int_equal(entered, ROOM_OCCUPANT_CLIENTS_MAX);
    assert_non_null(strstr(c->lines.p, "about=join err=unavailable"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_join_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_join_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_clients_of_one_user, setup, teardown),
        cmocka_unit_test_setup_teardown(test_entering_again_is_answered_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_talk_is_heard_once_delivered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_outsiders_may_not_talk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_foreign_talk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_foreign_people_come_and_go, setup, teardown),
        cmocka_unit_test_setup_teardown(test_foreign_nicks_are_prepared, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nick_change, setup, teardown),
        cmocka_unit_test_setup_teardown(test_private_messages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_subject_by_a_user, setup, teardown),
        cmocka_unit_test_setup_teardown(test_encrypted_is_dropped_with_one_notice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_gone_client_is_found_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_revoked_is_put_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_room_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shutdown_empties_rooms, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large_room, setup, teardown),
        cmocka_unit_test_setup_teardown(test_leaving_in_the_middle_of_a_welcome, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
