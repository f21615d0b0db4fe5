// Entering rooms elsewhere, staying, being thrown out and coming back: what each answer of a room leads to.
#include "lib/room_rig.h"

#include "core/venue.h"
#include "lib/check.h"

#define HOUR 3600000

static struct rig_room *room_of(void **state)
{
    return &((struct rig *)*state)->room[0];
}

static struct guest_view view(const struct rig *r, const char *local)
{
    struct guest_view v = {.state = "none"};
    (void)rig_guest(r, local, &v);
    return v;
}

static void expect_state(const struct rig *r, const char *local, const char *state)
{
    assert_string_equal(rig_state(r, local), state);
}

// The lamp's guest is in, and has said "first".
static struct rig *inside(void **state)
{
    struct rig *r = *state;
    rig_post(r, "lamp", "first");
    expect_state(r, "lamp", "in");
    return r;
}

/* Entering */

static void test_enters_and_says(void **state)
{
    struct rig *r = inside(state);
    struct guest_view v = view(r, "lamp");
    assert_int_equal(rig_said(room_of(state), "first"), 1);
    assert_int_equal(rig_settled(r, "first", ERR_OK), 1);
    assert_string_equal(r->settled[0].reply, "sid-0");
    assert_string_equal(r->settled[0].nick, "lamp");
    assert_true(v.in && v.listens && !v.queued && !v.err);
    assert_true(str_eq_c(v.nick, "lamp") && str_eq_c(v.adapter, "home") && str_eq_c(v.domain, "gw.example"));
    assert_int_equal(room_of(state)->enters, 1);
    assert_int_equal(journal_rows(&r->j, ROW_GUEST), 1);
    assert_int_equal(r->parked, 0);
}

static void test_nick_of_the_post(void **state)
{
    struct rig *r = *state;
    struct event ev = rig_post_event("lamp", r->room[0].jid, "a", "Backup");
    rig_do(r, &ev);
    assert_true(str_eq_c(view(r, "lamp").nick, "Backup"));
    ev = rig_post_event("lamp", r->room[0].jid, "b", "Other"); // who is in keeps his
    rig_do(r, &ev);
    assert_string_equal(room_of(state)->log[1].nick, "Backup");
}

// What a room answers to who asks to enter, what that leads to, and how often it is asked within a day.
static const struct refusal {
    enum err err;
    const char *state;
    enum err why;
    int64_t first; // ms after which it is asked again, at the earliest
    unsigned most; // within a day
} refusals[] = {
    {ERR_AUTH, "parked", ERR_AUTH, 1800000, 50},
    {ERR_REGISTRATION, "parked", ERR_REGISTRATION, 1800000, 50},
    {ERR_FORBIDDEN, "parked", ERR_FORBIDDEN, 86000000, 2},
    {ERR_NOTACCEPTABLE, "parked", ERR_NOTACCEPTABLE, 1800000, 50},
    {ERR_NOTALLOWED, "parked", ERR_NOTALLOWED, 1800000, 50},
    {ERR_GONE, "parked", ERR_GONE, 1800000, 50},
    {ERR_INTERNAL, "parked", ERR_INTERNAL, 1800000, 50},
    {ERR_EXISTS, "parked", ERR_EXISTS, 1800000, 500}, // ten nicks at once
    {ERR_UNAVAILABLE, "out", ERR_UNAVAILABLE, 500, 600},
    {ERR_NOTFOUND, "out", ERR_NOTFOUND, 500, 600},
    {ERR_RESOLVE, "out", ERR_RESOLVE, 500, 600},
    {ERR_TIMEOUT, "out", ERR_TIMEOUT, 500, 600},
    {ERR_CLOSED, "out", ERR_CLOSED, 500, 600},
    {ERR_AGAIN, "out", ERR_AGAIN, 500, 600},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refusals); i++) {
        const struct refusal *want = &refusals[i];
        struct rig *r = NULL;
        (void)rig_setup((void **)&r);
        struct rig_room *room = &r->room[0];
        room->refuse = want->err;
        rig_post(r, "lamp", "a");
        struct guest_view v = view(r, "lamp");
        assert_string_equal(v.state, want->state);
        assert_int_equal(v.err, want->why);
        assert_true(v.why.n > 10 && v.queued == 1 && !v.in);
        assert_int_equal(r->parked, 1);
        assert_int_equal(r->parked_err, want->why);
        unsigned asked = room->enters;
        rig_pass(r, want->first - 10);
        assert_int_equal(room->enters, asked);
        rig_pass(r, 23 * HOUR - want->first);
        assert_true(room->enters <= want->most);
        assert_true(room->enters > asked || want->err == ERR_FORBIDDEN);
        room->refuse = ERR_OK; // the next time it lets it in
        rig_pass(r, want->err == ERR_FORBIDDEN ? 50 * 60000 : 40 * 60000);
        if (want->err != ERR_FORBIDDEN) {
            expect_state(r, "lamp", "in");
            assert_int_equal(r->parked_err, ERR_OK);
            assert_int_equal(rig_settled(r, "a", ERR_OK), 1);
            assert_true(view(r, "lamp").why.n == 0);
        }
        (void)rig_teardown((void **)&r);
    }
}

static void test_silent_room(void **state)
{
    struct rig *r = *state;
    room_of(state)->deaf = true;
    rig_post(r, "lamp", "a");
    expect_state(r, "lamp", "entering");
    rig_pass(r, GUEST_ENTER_MS);
    expect_state(r, "lamp", "out");
    assert_int_equal(r->parked_err, ERR_TIMEOUT);
    rig_pass(r, 20 * HOUR);
    assert_true(room_of(state)->enters < 600);
    room_of(state)->deaf = false;
    rig_pass(r, 600000);
    assert_int_equal(rig_said(room_of(state), "a"), 1);
}

// Slower than a guest waits: it comes in all the same.
static void test_slow_room(void **state)
{
    struct rig *r = *state;
    r->by_hand = true;
    rig_post(r, "lamp", "a");
    rig_pass(r, GUEST_ENTER_MS + 100);
    expect_state(r, "lamp", "out");
    rig_run(r);
    expect_state(r, "lamp", "in");
    assert_int_equal(rig_said(room_of(state), "a"), 1);
    assert_int_equal(room_of(state)->leaves, 0);
}

// It has nothing to say any more when the room lets it in.
static void test_let_in_too_late(void **state)
{
    struct rig *r = *state;
    r->by_hand = true;
    rig_post(r, "lamp", "a");
    rig_pass(r, GUEST_ENTER_MS + 100);
    rig_do(r, &(struct event){.kind = EV_DISCARD,
                              .adapter = HOME,
                              .key = STR("lamp"),
                              .user = core_jid(r->room[0].jid),
                              .id = STR("a"),
                              .token = 9});
    rig_run(r);
    expect_state(r, "lamp", "out");
    assert_int_equal(room_of(state)->count, 0);
    assert_int_equal(room_of(state)->leaves, 1);
}

/* Nicks */

static void test_other_nick(void **state)
{
    struct rig *r = *state;
    rig_stranger(r, room_of(state), "lamp");
    rig_stranger(r, room_of(state), "lamp 2");
    rig_post(r, "lamp", "a");
    assert_true(str_eq_c(view(r, "lamp").nick, "lamp 3"));
    assert_int_equal(rig_settled(r, "a", ERR_OK), 1);
}

// Those that one of ours has seen there are not asked for.
static void test_nick_known_to_be_taken(void **state)
{
    struct rig *r = inside(state);
    rig_stranger(r, room_of(state), "Door");
    rig_stranger(r, room_of(state), "door 2");
    rig_run(r);
    unsigned asked = room_of(state)->enters;
    rig_post(r, "door", "a");
    assert_int_equal(room_of(state)->enters, asked + 1);
    assert_true(str_eq_c(view(r, "door").nick, "door 3"));
    // also after a look whether the other is still in
    rig_pass(r, GUEST_ROUTINE_MS + 1000);
    rig_throw_out(r, room_of(state), "door 3", MARK_ERROR, "", "");
    rig_run(r);
    asked = room_of(state)->enters;
    rig_post(r, "door", "b");
    rig_pass(r, 10000);
    assert_int_equal(room_of(state)->enters, asked + 1);
}

static void test_all_nicks_taken(void **state)
{
    struct rig *r = *state;
    char nick[16];
    rig_stranger(r, room_of(state), "lamp");
    for (unsigned i = 2; i <= 10; i++) {
        (void)snprintf(nick, sizeof nick, "lamp %u", i);
        rig_stranger(r, room_of(state), nick);
    }
    rig_post(r, "lamp", "a");
    expect_state(r, "lamp", "parked");
    assert_int_equal(view(r, "lamp").err, ERR_EXISTS);
    assert_int_equal(room_of(state)->enters, 10);
}

static void test_two_of_ours_with_one_name(void **state)
{
    struct rig *r = *state;
    struct event ev = rig_post_event("lamp", r->room[0].jid, "a", "Backup");
    rig_do(r, &ev);
    ev = rig_post_event("door", r->room[0].jid, "b", "Backup");
    rig_do(r, &ev);
    assert_true(str_eq_c(view(r, "door").nick, "Backup 2"));
    assert_int_equal(room_of(state)->enters, 2); // nobody has asked for what the other has
}

static void test_many_of_ours_with_one_name(void **state)
{
    struct rig *r = *state;
    struct event ev = rig_post_event("lamp", r->room[0].jid, "a", "Backup");
    rig_do(r, &ev);
    char nick[16];
    for (unsigned i = 2; i <= 10; i++) {
        (void)snprintf(nick, sizeof nick, "Backup %u", i);
        rig_stranger(r, room_of(state), nick);
    }
    rig_run(r);
    ev = rig_post_event("door", r->room[0].jid, "b", "Backup");
    rig_do(r, &ev);
    assert_true(str_eq_c(view(r, "door").nick, "Backup 11"));
    assert_int_equal(rig_settled(r, "b", ERR_OK), 1);
}

static void test_nick_that_is_anothers_once_prepared(void **state)
{
    struct rig *r = inside(state);
    rig_stranger(r, room_of(state), "alice");
    rig_run(r);
    struct event ev = rig_post_event("door", r->room[0].jid, "b", "\xef\xbc\xa1lice "); // a full-width A
    rig_do(r, &ev);
    assert_true(str_eq_c(view(r, "door").nick, "Alice 2"));
    assert_int_equal(rig_settled(r, "b", ERR_OK), 1);
}

static void test_nick_the_server_cannot_take(void **state)
{
    struct rig *r = *state;
    room_of(state)->plain_nicks = true;
    struct event ev = rig_post_event("lamp", r->room[0].jid, "a",
                                     "Ba\xf0\x9f\x94\xa5"
                                     "ckup\xf0\x9f\x94\xa5");
    rig_do(r, &ev);
    assert_true(str_eq_c(view(r, "lamp").nick, "Backup"));
    assert_int_equal(room_of(state)->enters, 2);
    ev = rig_post_event("door", r->room[0].jid, "b", "\xf0\x9f\x94\xa5");
    rig_do(r, &ev);
    assert_true(str_eq_c(view(r, "door").nick, "guest"));
    assert_int_equal(rig_settled(r, "b", ERR_OK), 1);
}

static void test_room_gives_another_nick(void **state)
{
    struct rig *r = *state;
    (void)snprintf(room_of(state)->prefix, sizeof room_of(state)->prefix, "x-");
    rig_post(r, "lamp", "a");
    assert_true(str_eq_c(view(r, "lamp").nick, "x-lamp"));
    assert_int_equal(rig_settled(r, "a", ERR_OK), 1);
}

static void test_nick_is_changed(void **state)
{
    struct rig *r = inside(state);
    struct rig_room *room = room_of(state);
    struct rig_occupant *o = rig_named(room, "lamp");
    rig_tell(r, room, EV_LEFT, o, MARK_NICK, "torch", "");
    (void)snprintf(o->nick, sizeof o->nick, "torch");
    rig_tell(r, room, EV_ENTERED, o, 0, "", "");
    rig_run(r);
    assert_true(str_eq_c(view(r, "lamp").nick, "torch"));
    rig_post(r, "lamp", "b");
    assert_int_equal(rig_settled(r, "b", ERR_OK), 1);
    assert_int_equal(room->enters, 1);
}

/* Rooms that are not there; passwords */

static struct rig *configured(void **state, const struct bridge_venue *venues, size_t count)
{
    struct rig *r = *state;
    struct bridge_config cfg = r->j.cfg;
    struct errmsg msg;
    cfg.venues = venues;
    cfg.venue_count = count;
    assert_int_equal(bridge_reconfigure(r->j.c.b, &cfg, &msg), ERR_OK);
    rig_do(r, &(struct event){.kind = EV_TICK});
    return r;
}

static void test_room_is_not_made(void **state)
{
    struct rig *r = *state;
    room_of(state)->there = false;
    rig_post(r, "lamp", "a");
    expect_state(r, "lamp", "parked");
    assert_int_equal(view(r, "lamp").err, ERR_NOTFOUND);
    assert_int_equal(room_of(state)->leaves, 1);
    assert_int_equal(room_of(state)->opens, 0);
    assert_int_equal(rig_said(room_of(state), "a"), 0);
    assert_int_equal(journal_rows(&r->j, ROW_GUEST), 0);
}

static void test_room_is_made(void **state)
{
    struct bridge_venue venues[] = {{.room = STR("r1@conf.example")}, {.create = true}};
    struct rig *r = configured(state, venues, 2);
    room_of(state)->there = false;
    rig_post(r, "lamp", "a");
    assert_int_equal(room_of(state)->opens, 1);
    assert_int_equal(rig_settled(r, "a", ERR_OK), 1);
    r->room[1].there = false; // which has settings of its own
    struct event ev = rig_post_event("lamp", r->room[1].jid, "b", "");
    rig_do(r, &ev);
    assert_int_equal(r->room[1].opens, 0);
    assert_int_equal(rig_said(&r->room[1], "b"), 0);
}

static void test_password(void **state)
{
    struct bridge_venue venues[] = {{.room = STR("r0@conf.example"), .password = STR("secret")}};
    (void)snprintf(room_of(state)->password, sizeof room_of(state)->password, "secret");
    struct rig *r = configured(state, venues, 1);
    rig_post(r, "lamp", "a");
    assert_int_equal(rig_settled(r, "a", ERR_OK), 1);
}

static void test_password_that_becomes_right(void **state)
{
    struct bridge_venue venues[] = {{.room = STR("r0@conf.example"), .password = STR("wrong")}};
    (void)snprintf(room_of(state)->password, sizeof room_of(state)->password, "secret");
    struct rig *r = configured(state, venues, 1);
    rig_post(r, "lamp", "a");
    expect_state(r, "lamp", "parked");
    venues[0].password = STR("secret");
    r = configured(state, venues, 1);
    rig_pass(r, 100);
    assert_int_equal(rig_settled(r, "a", ERR_OK), 1);
}

/* Thrown out */

static const struct exit_case {
    unsigned marks;
    const char *state;
    enum err err;
    int64_t least, most; // ms until it is back, where it has something to say
} exit_cases[] = {
    {MARK_KICKED, "parked", ERR_NOTALLOWED, GUEST_COOL_MS, GUEST_COOL_MS + 1000},
    {MARK_BANNED, "parked", ERR_FORBIDDEN, 86400000 - 1000, 86400000},
    {MARK_AFFILIATION, "parked", ERR_REGISTRATION, GUEST_PARK_MS, GUEST_PARK_MS + 1000},
    {MARK_MEMBERS, "parked", ERR_REGISTRATION, GUEST_PARK_MS, GUEST_PARK_MS + 1000},
    {MARK_DESTROYED, "parked", ERR_NOTFOUND, GUEST_PARK_MS, GUEST_PARK_MS + 1000},
    {MARK_SHUTDOWN, "out", ERR_CLOSED, 500, 5000},
    {MARK_ERROR, "out", ERR_CLOSED, 500, 5000},
    {0, "out", ERR_CLOSED, 500, 5000},
};

static void test_exits(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(exit_cases); i++) {
        const struct exit_case *want = &exit_cases[i];
        struct rig *r = NULL;
        (void)rig_setup((void **)&r);
        struct rig_room *room = &r->room[0];
        rig_post(r, "lamp", "first");
        rig_throw_out(r, room, "lamp", want->marks, "", "enough");
        rig_run(r);
        struct guest_view v = view(r, "lamp");
        assert_string_equal(v.state, want->state);
        assert_int_equal(v.err, want->err);
        assert_true(str_find(v.why, 'e') >= 0 && r->parked_err == want->err);
        assert_non_null(strstr(r->parked_why, ": enough"));
        assert_int_equal(journal_rows(&r->j, ROW_GUEST), 0);
        struct event ev = rig_post_event("lamp", room->jid, "b", "");
        rig_do(r, &ev);
        rig_pass(r, want->least - 100);
        assert_int_equal(rig_said(room, "b"), 0);
        rig_pass(r, want->most - want->least + 200);
        if (want->marks == MARK_BANNED) // it was too old by then
            assert_int_equal(rig_letters(r, "b", LETTER_EXPIRED), 1);
        else
            assert_int_equal(rig_said(room, "b"), 1);
        (void)rig_teardown((void **)&r);
    }
}

static void invite(struct rig *r, struct rig_room *room)
{
    struct event ev = rig_event(EV_INVITED, room, "", "lamp@gw.example/home");
    rig_do(r, &ev);
}

static void test_follows_an_invitation(void **state)
{
    struct rig *r = *state;
    struct rig_room *room = room_of(state);
    room->refuse = ERR_REGISTRATION;
    rig_post(r, "lamp", "a");
    expect_state(r, "lamp", "parked");
    assert_int_equal(room->enters, 1);
    invite(r, room); // and still it may not
    assert_int_equal(room->enters, 2);
    room->refuse = ERR_OK;
    invite(r, room); // too soon
    assert_int_equal(room->enters, 2);
    rig_pass(r, GUEST_INVITED_MS);
    invite(r, room);
    expect_state(r, "lamp", "in");
    assert_int_equal(rig_settled(r, "a", ERR_OK), 1);
    invite(r, room); // it is in already
    assert_int_equal(room->enters, 3);
}

static void test_an_invitation_does_not_make_it_enter_for_nothing(void **state)
{
    struct rig *r = inside(state);
    struct rig_room *room = room_of(state);
    rig_throw_out(r, room, "lamp", MARK_KICKED, "", "");
    rig_run(r);
    invite(r, room);
    assert_int_equal(room->enters, 1);
    rig_post(r, "lamp", "b"); // but it need not wait any more
    assert_int_equal(rig_said(room, "b"), 1);
}

static void test_kicked_twice(void **state)
{
    struct rig *r = inside(state);
    struct rig_room *room = room_of(state);
    rig_throw_out(r, room, "lamp", MARK_KICKED, "", "");
    rig_run(r);
    rig_post(r, "lamp", "b");
    rig_pass(r, GUEST_COOL_MS + 100);
    assert_int_equal(rig_said(room, "b"), 1);
    rig_throw_out(r, room, "lamp", MARK_KICKED, "", "");
    rig_run(r);
    rig_post(r, "lamp", "c");
    rig_pass(r, GUEST_PARK_MS - 1000);
    assert_int_equal(rig_said(room, "c"), 0);
    rig_pass(r, 2000);
    assert_int_equal(rig_said(room, "c"), 1);
}

static void test_destroyed_and_moved(void **state)
{
    struct rig *r = inside(state);
    rig_throw_out(r, room_of(state), "lamp", MARK_DESTROYED, "new@conf.example", "we move");
    rig_run(r);
    assert_string_equal(r->parked_why, "the room was destroyed: we move; it has moved to new@conf.example");
}

// What was on its way when it was thrown out is looked for, and said again when nobody has heard it.
static void test_thrown_out_with_messages_on_their_way(void **state)
{
    struct rig *r = inside(state);
    struct rig_room *room = room_of(state);
    r->by_hand = true;
    rig_throw_out(r, room, "lamp", MARK_KICKED, "", "");
    rig_post(r, "lamp", "b");
    rig_run(r);
    assert_int_equal(rig_said(room, "b"), 0);
    r->by_hand = false;
    rig_pass(r, GUEST_COOL_MS + 1000);
    assert_int_equal(rig_said(room, "b"), 1);
    assert_int_equal(rig_settled(r, "b", ERR_OK), 1);
}

/* Voice */

static void test_voice_is_taken_and_given(void **state)
{
    struct rig *r = inside(state);
    struct rig_room *room = room_of(state);
    rig_role(r, room, "lamp", ROLE_VISITOR);
    rig_run(r);
    expect_state(r, "lamp", "muted");
    assert_int_equal(r->parked_err, ERR_FORBIDDEN);
    rig_post(r, "lamp", "b");
    assert_int_equal(room->bounces, 0); // it does not even try
    rig_role(r, room, "lamp", ROLE_PARTICIPANT);
    rig_run(r);
    expect_state(r, "lamp", "in");
    assert_int_equal(r->parked_err, ERR_OK);
    assert_int_equal(rig_settled(r, "b", ERR_OK), 1);
}

static void test_enters_without_voice(void **state)
{
    struct rig *r = *state;
    room_of(state)->role = ROLE_VISITOR;
    rig_post(r, "lamp", "a");
    expect_state(r, "lamp", "muted");
    assert_int_equal(room_of(state)->bounces, 0);
    rig_pass(r, 4 * HOUR); // once in a while it is tried whether that is still so
    assert_true(room_of(state)->bounces > 4 && room_of(state)->bounces < 12);
    rig_named(room_of(state), "lamp")->role = ROLE_PARTICIPANT; // and nobody tells
    rig_pass(r, GUEST_PARK_MS + 1000);
    assert_int_equal(rig_settled(r, "a", ERR_OK), 1);
}

static void test_voice_given_while_the_link_was_down(void **state)
{
    struct rig *r = *state;
    room_of(state)->role = ROLE_VISITOR;
    rig_post(r, "lamp", "a");
    rig_link(r, false);
    rig_named(room_of(state), "lamp")->role = ROLE_PARTICIPANT;
    rig_link(r, true);
    assert_int_equal(rig_settled(r, "a", ERR_OK), 1);
}

static void test_found_without_voice_when_it_speaks(void **state)
{
    struct rig *r = inside(state);
    rig_named(room_of(state), "lamp")->role = ROLE_VISITOR;
    rig_post(r, "lamp", "b");
    expect_state(r, "lamp", "muted");
    assert_int_equal(view(r, "lamp").queued, 1);
    rig_role(r, room_of(state), "lamp", ROLE_PARTICIPANT);
    rig_run(r);
    assert_int_equal(rig_settled(r, "b", ERR_OK), 1);
    assert_int_equal(room_of(state)->enters, 1);
}

/* Staying */

static void test_looks_whether_it_is_in(void **state)
{
    struct rig *r = inside(state);
    rig_pass(r, 2 * HOUR);
    assert_true(room_of(state)->checks >= 11 && room_of(state)->checks <= 13);
    unsigned checks = room_of(state)->checks;
    rig_pass(r, GUEST_QUIET_MS + 1000);
    rig_post(r, "lamp", "b"); // before it speaks after a while of silence
    assert_int_equal(room_of(state)->checks, checks + 1);
    assert_int_equal(rig_said(room_of(state), "b"), 1);
}

// It was put out, and not told so.
static void test_notices_that_it_is_out(void **state)
{
    struct rig *r = inside(state);
    rig_restart(room_of(state));
    rig_post(r, "lamp", "b");
    assert_int_equal(rig_settled(r, "b", ERR_OK), 1);
    assert_int_equal(rig_said(room_of(state), "b"), 1);
    assert_true(str_eq_c(view(r, "lamp").nick, "lamp")); // not shy of its own shadow
    rig_restart(room_of(state));
    rig_pass(r, GUEST_ROUTINE_MS * 2);
    expect_state(r, "lamp", "out"); // it has nothing to say there
    assert_int_equal(journal_rows(&r->j, ROW_GUEST), 0);
}

static void test_room_that_does_not_answer(void **state)
{
    struct rig *r = inside(state);
    room_of(state)->deaf = true;
    rig_pass(r, 24 * HOUR);
    assert_true(room_of(state)->checks < 20);
    assert_int_equal(room_of(state)->enters, 1);
    rig_post(r, "lamp", "b");
    rig_pass(r, 24 * HOUR - 60000);
    assert_true(room_of(state)->enters < 600);
    room_of(state)->deaf = false;
    rig_pass(r, 2 * HOUR);
    assert_int_equal(rig_settled(r, "b", ERR_OK) + rig_letters(r, "b", LETTER_EXPIRED), 1);
}

static void test_answers_of_others_do_not_count(void **state)
{
    struct rig *r = inside(state);
    r->by_hand = true;
    rig_pass(r, GUEST_ROUTINE_MS + 1000);
    expect_state(r, "lamp", "checking");
    struct event ev = rig_event(EV_CHECKED, room_of(state), "lamp", "lamp@gw.example/home");
    ev.number = 77;
    ev.err = ERR_NOTACCEPTABLE;
    rig_do(r, &ev);
    expect_state(r, "lamp", "checking");
    ev.kind = EV_CAUGHT_UP;
    rig_do(r, &ev);
    ev = core_user(EV_ENTERED, "r0@conf.example/x", "nobody@gw.example/home");
    rig_do(r, &ev);
    ev = core_user(EV_HEARD, "elsewhere@conf.example/x", "lamp@gw.example/home");
    rig_do(r, &ev);
    rig_run(r);
    expect_state(r, "lamp", "in");
}

/* Who listens; who leaves */

static enum guest_ear ear(const struct rig *r, const char *local)
{
    char to[64];
    (void)snprintf(to, sizeof to, "%s@gw.example/home", local);
    struct jid jid = core_jid(to), from = core_jid("r0@conf.example/somebody");
    return bridge_guest(r->j.c.b, &jid, &from);
}

static void test_one_listens_for_all(void **state)
{
    struct rig *r = inside(state);
    rig_post(r, "door", "b");
    assert_int_equal(ear(r, "lamp"), GUEST_LISTENS);
    assert_int_equal(ear(r, "door"), GUEST_SILENT);
    assert_int_equal(ear(r, "mill"), GUEST_NONE);
    assert_int_equal(ear(r, "nobody"), GUEST_NONE);
    rig_throw_out(r, room_of(state), "lamp", MARK_KICKED, "", "");
    rig_run(r);
    assert_int_equal(ear(r, "door"), GUEST_LISTENS);
    assert_int_equal(ear(r, "lamp"), GUEST_SILENT);
    rig_post(r, "door", "c");
    assert_int_equal(rig_settled(r, "c", ERR_OK), 1);
    rig_pass(r, GUEST_COOL_MS);
    rig_post(r, "lamp", "d"); // comes back, and the other goes on to listen
    assert_int_equal(rig_settled(r, "d", ERR_OK), 1);
    assert_int_equal(ear(r, "door"), GUEST_LISTENS);
    assert_int_equal(ear(r, "lamp"), GUEST_SILENT);
}

// The one who listens is out without knowing: the others find out.
static void test_listener_is_deaf(void **state)
{
    struct rig *r = inside(state);
    rig_post(r, "door", "b");
    rig_take_out(room_of(state), rig_named(room_of(state), "lamp"));
    rig_post(r, "door", "c");
    assert_int_equal(rig_settled(r, "c", ERR_OK), 0);
    rig_pass(r, GUEST_REFLECT_MS + 1000);
    assert_int_equal(rig_settled(r, "c", ERR_OK), 1);
    assert_int_equal(rig_said(room_of(state), "c"), 1); // the room's history told
    assert_int_equal(ear(r, "door"), GUEST_LISTENS);
}

static void test_idle_guest_leaves(void **state)
{
    struct rig *r = inside(state);
    rig_post(r, "door", "b");
    rig_pass(r, GUEST_IDLE_MS + GUEST_ROUTINE_MS);
    expect_state(r, "lamp", "in"); // it listens
    assert_null(rig_named(room_of(state), "door"));
    assert_true(strcmp(rig_state(r, "door"), "in") != 0);
    rig_post(r, "door", "c");
    assert_int_equal(rig_settled(r, "c", ERR_OK), 1);
}

static void test_idle_guest_whom_nobody_speaks_for_leaves_though_it_listens(void **state)
{
    struct rig *r = inside(state);
    struct event ev = core_adapter(EV_UNAVAILABLE, HOME, "lamp");
    rig_do(r, &ev);
    rig_pass(r, GUEST_IDLE_MS / 2);
    expect_state(r, "lamp", "in");
    rig_pass(r, GUEST_IDLE_MS);
    assert_int_equal(room_of(state)->count, 0);
    rig_post(r, "lamp", "b"); // what it is to say, it says
    assert_int_equal(rig_settled(r, "b", ERR_OK), 1);
}

// Who left long ago, and has nothing to say, is forgotten, with its rows.
static void test_guest_is_forgotten(void **state)
{
    struct rig *r = inside(state);
    rig_post(r, "door", "b");
    rig_pass(r, 4 * HOUR);
    expect_state(r, "door", "none");
    assert_null(journal_row(&r->j, ROW_LANE, "home r0@conf.example door", 0));
    assert_int_equal(journal_rows(&r->j, ROW_RECORD), 0);
    rig_post(r, "door", "c"); // and comes anew
    assert_int_equal(rig_settled(r, "c", ERR_OK), 1);
}

static void test_cap(void **state)
{
    struct bridge_venue venues[] = {{.cap = 2}};
    struct rig *r = configured(state, venues, 1);
    journal_identity(&r->j, HOME, "plug");
    rig_post(r, "lamp", "a");
    rig_pass(r, 5000);
    rig_post(r, "door", "b");
    rig_pass(r, 500);
    rig_post(r, "plug", "c"); // the lamp was silent for longest
    assert_int_equal(rig_settled(r, "c", ERR_OK), 1);
    assert_null(rig_named(room_of(state), "lamp"));
    assert_int_equal(room_of(state)->count, 2);
    rig_post(r, "lamp", "d"); // nobody was silent for long enough: it waits
    assert_int_equal(rig_settled(r, "d", ERR_OK), 0);
    rig_pass(r, 3000);
    assert_int_equal(rig_settled(r, "d", ERR_OK), 1);
    assert_int_equal(room_of(state)->count, 2);
}

/* Links, stops, kills */

static void test_link_goes_and_comes(void **state)
{
    struct rig *r = inside(state);
    rig_link(r, false);
    expect_state(r, "lamp", "checking");
    assert_true(bridge_deadline(r->j.c.b) > r->j.c.now);
    rig_pass(r, HOUR);
    rig_link(r, true);
    expect_state(r, "lamp", "in");
    assert_int_equal(room_of(state)->enters, 1);
    rig_link(r, false);
    rig_restart(room_of(state));
    rig_post(r, "lamp", "b");
    rig_link(r, true);
    assert_int_equal(room_of(state)->enters, 2);
    assert_int_equal(rig_settled(r, "b", ERR_OK), 1);
}

static void test_killed(void **state)
{
    struct rig *r = inside(state);
    rig_post(r, "door", "b");
    rig_kill(r);
    expect_state(r, "lamp", "checking");
    rig_restart(room_of(state)); // one is out, one in
    struct rig_occupant *o = &room_of(state)->who[room_of(state)->count++];
    *o = (struct rig_occupant){.nick = "lamp", .full = "lamp@gw.example/home", .role = ROLE_PARTICIPANT};
    rig_link(r, true);
    expect_state(r, "lamp", "in");
    expect_state(r, "door", "out"); // and has nothing to say
    assert_int_equal(room_of(state)->enters, 2);
    assert_int_equal(room_of(state)->checks, 2);
    assert_int_equal(journal_rows(&r->j, ROW_GUEST), 1);
    rig_post(r, "lamp", "c");
    rig_post(r, "door", "d");
    assert_int_equal(rig_settled(r, "c", ERR_OK) + rig_settled(r, "d", ERR_OK), 2);
}

static void test_stops(void **state)
{
    struct rig *r = inside(state);
    rig_post(r, "door", "b");
    rig_do(r, &(struct event){.kind = EV_SHUTDOWN});
    assert_true(bridge_stopped(r->j.c.b, 1));
    assert_int_equal(room_of(state)->leaves, 2);
    assert_int_equal(room_of(state)->count, 0);
    assert_int_equal(journal_rows(&r->j, ROW_GUEST), 0);
    struct event ev = rig_post_event("lamp", r->room[0].jid, "c", ""); // taken, for the next start
    rig_do(r, &ev);
    assert_int_equal(room_of(state)->enters, 2);
    rig_kill(r);
    rig_link(r, true);
    assert_int_equal(rig_settled(r, "c", ERR_OK), 1);
}

static void test_forgotten(void **state)
{
    struct rig *r = inside(state);
    room_of(state)->refuse_said = ERR_LIMIT;
    rig_post(r, "lamp", "b");
    assert_int_equal(rig_letters(r, "b", LETTER_DEAD), 1);
    struct event ev = core_adapter(EV_FORGET, HOME, "lamp");
    rig_do(r, &ev);
    expect_state(r, "lamp", "none");
    assert_int_equal(room_of(state)->count, 0);
    assert_int_equal(rig_letters(r, "b", LETTER_DEAD), 0);
    assert_int_equal(journal_rows(&r->j, ROW_GUEST), 0);
    assert_int_equal(journal_rows(&r->j, ROW_LETTER), 0);
    assert_int_equal(journal_rows(&r->j, ROW_RECORD), 0);
    assert_null(journal_row(&r->j, ROW_LANE, "home r0@conf.example lamp", 0));
}

static void test_absurd_rows(void **state)
{
    struct rig *r = *state;
    struct row row = {.kind = ROW_GUEST,
                      .domain = STR("gw.example"),
                      .local = STR("lamp"),
                      .user = STR("r0@conf.example"),
                      .name = STR("lamp")};
    rig_kill(r);
    struct row bad = row;
    bad.local = STR("nobody");
    assert_int_equal(bridge_restore(r->j.c.b, &bad), ERR_NOTFOUND);
    bad = row;
    bad.user = STR("@");
    assert_int_not_equal(bridge_restore(r->j.c.b, &bad), ERR_OK);
    bad = row;
    bad.name = STR_NONE;
    assert_int_equal(bridge_restore(r->j.c.b, &bad), ERR_BADREQ);
    bad = row;
    bad.local = STR_NONE; // the gateway itself
    assert_int_not_equal(bridge_restore(r->j.c.b, &bad), ERR_OK);
    assert_int_equal(bridge_restore(r->j.c.b, &row), ERR_OK);
    rig_link(r, true);
    expect_state(r, "lamp", "out");
}

// As many as there may be enter by and by.
static void test_many_enter(void **state)
{
    struct rig *r = *state;
    char key[16];
    for (unsigned i = 0; i < 28; i++) {
        (void)snprintf(key, sizeof key, "bot%u", i);
        journal_identity(&r->j, HOME, key);
    }
    r->by_hand = true;
    for (unsigned i = 0; i < 28; i++) {
        (void)snprintf(key, sizeof key, "bot%u", i);
        rig_post(r, key, key);
    }
    unsigned entering = 0;
    struct guest_view v;
    for (size_t at = 0; bridge_next_guest(r->j.c.b, &at, &v);)
        entering += strcmp(v.state, "entering") == 0;
    assert_int_equal(entering, 20);
    r->by_hand = false;
    rig_run(r);
    rig_pass(r, 200);
    assert_int_equal(room_of(state)->said, 28);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_enters_and_says),
        TEST(test_nick_of_the_post),
        cmocka_unit_test(test_refusals),
        TEST(test_silent_room),
        TEST(test_slow_room),
        TEST(test_let_in_too_late),
        TEST(test_other_nick),
        TEST(test_nick_known_to_be_taken),
        TEST(test_all_nicks_taken),
        TEST(test_two_of_ours_with_one_name),
        TEST(test_many_of_ours_with_one_name),
        TEST(test_nick_that_is_anothers_once_prepared),
        TEST(test_nick_the_server_cannot_take),
        TEST(test_room_gives_another_nick),
        TEST(test_nick_is_changed),
        TEST(test_room_is_not_made),
        TEST(test_room_is_made),
        TEST(test_password),
        cmocka_unit_test(test_exits),
        TEST(test_follows_an_invitation),
        TEST(test_an_invitation_does_not_make_it_enter_for_nothing),
        TEST(test_password_that_becomes_right),
        TEST(test_kicked_twice),
        TEST(test_destroyed_and_moved),
        TEST(test_thrown_out_with_messages_on_their_way),
        TEST(test_voice_is_taken_and_given),
        TEST(test_enters_without_voice),
        TEST(test_voice_given_while_the_link_was_down),
        TEST(test_found_without_voice_when_it_speaks),
        TEST(test_looks_whether_it_is_in),
        TEST(test_notices_that_it_is_out),
        TEST(test_room_that_does_not_answer),
        TEST(test_answers_of_others_do_not_count),
        TEST(test_one_listens_for_all),
        TEST(test_listener_is_deaf),
        TEST(test_idle_guest_leaves),
        TEST(test_idle_guest_whom_nobody_speaks_for_leaves_though_it_listens),
        TEST(test_guest_is_forgotten),
        TEST(test_cap),
        TEST(test_link_goes_and_comes),
        TEST(test_killed),
        TEST(test_stops),
        TEST(test_forgotten),
        TEST(test_absurd_rows),
        TEST(test_many_enter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
