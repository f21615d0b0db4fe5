// What identities say in rooms elsewhere: accepted, said, reflected, settled, or told why not.
#include "lib/room_rig.h"

#include "core/venue.h"
#include "lib/check.h"

#define HOUR 3600000

static struct rig_room *room_of(void **state)
{
    return &((struct rig *)*state)->room[0];
}

static struct rig *inside(void **state)
{
    struct rig *r = *state;
    rig_post(r, "lamp", "first");
    assert_string_equal(rig_state(r, "lamp"), "in");
    return r;
}

static size_t settled(const struct rig *r, const char *id)
{
    size_t n = 0;
    for (size_t i = 0; i < r->settled_count; i++)
        n += strcmp(r->settled[i].id, id) == 0;
    return n;
}

static size_t queued(const struct rig *r, const char *local)
{
    struct guest_view v = {.queued = SIZE_MAX};
    (void)rig_guest(r, local, &v);
    return v.queued;
}

static void post_many(struct rig *r, const char *key, const char *prefix, unsigned n)
{
    char id[16];
    for (unsigned i = 0; i < n; i++) {
        (void)snprintf(id, sizeof id, "%s%u", prefix, i);
        rig_post(r, key, id);
    }
}

// All were said, in order, once.
static void expect_said(const struct rig_room *room, const char *prefix, unsigned n)
{
    unsigned next = 0;
    for (size_t i = 0; i < room->said; i++) {
        if (strncmp(room->log[i].id, prefix, strlen(prefix)) == 0)
            assert_int_equal(strtoul(room->log[i].id + strlen(prefix), NULL, 10), next++);
    }
    assert_int_equal(next, n);
}

/* Accepting */

static void test_what_is_not_taken(void **state)
{
    static const char control[] = "a\x1f"
                                  "b";
    struct rig *r = *state;
    struct event good = rig_post_event("lamp", r->room[0].jid, "a", "nick"), ev = good;
    ev.id = STR_NONE;
    rig_do(r, &ev);
    ev = good;
    ev.body = STR_NONE;
    rig_do(r, &ev);
    struct str *const parts[] = {&ev.id, &ev.nick, &ev.replace, &ev.reply, &ev.url};
    for (size_t i = 0; i < COUNT(parts); i++) { // which would be read as something else later
        ev = good;
        *parts[i] = str_c(control);
        rig_do(r, &ev);
    }
    ev = good;
    ev.number = UINT64_MAX;
    rig_do(r, &ev);
    assert_int_equal(r->j.refused, 8);
    assert_int_equal(room_of(state)->enters, 0);
    rig_do(r, &good);
    rig_do(r, &good); // the same id
    assert_int_equal(r->j.refused, 9);
    good.key = STR("nobody");
    rig_do(r, &good);
    assert_int_equal(r->j.refused, 10);
}

static void test_bounds(void **state)
{
    struct bridge_adapter adapters[3];
    struct rig *r = *state;
    struct bridge_config cfg = r->j.cfg;
    struct errmsg msg;
    memcpy(adapters, cfg.adapters, sizeof adapters);
    adapters[0].max_records = 10;
    cfg.adapters = adapters;
    assert_int_equal(bridge_reconfigure(r->j.c.b, &cfg, &msg), ERR_OK);
    room_of(state)->refuse = ERR_AUTH;
    post_many(r, "lamp", "a", 12);
    assert_int_equal(r->j.refused, 2);
    assert_int_equal(queued(r, "lamp"), 10);
    rig_post(r, "door", "b"); // a lane of its own
    assert_int_equal(r->j.refused, 2);
    room_of(state)->refuse = ERR_OK;
    rig_pass(r, GUEST_PARK_MS + 1000);
    expect_said(room_of(state), "a", 10);
    rig_post(r, "lamp", "a11");
    assert_int_equal(rig_settled(r, "a11", ERR_OK), 1);
}

static void test_acknowledged_when_durable(void **state)
{
    struct rig *r = *state;
    r->j.hold = true;
    rig_post(r, "lamp", "a");
    assert_int_equal(rig_said(room_of(state), "a"), 1); // forwarding never waits
    assert_int_equal(r->j.gated, 1);
}

static void test_said_again_by_its_source(void **state)
{
    struct rig *r = inside(state);
    struct event ev = rig_post_event("lamp", r->room[0].jid, "first", "");
    ev.flags |= EVENT_AGAIN;
    rig_do(r, &ev);
    assert_int_equal(rig_said(room_of(state), "first"), 1);
    assert_int_equal(rig_settled(r, "first", ERR_OK), 2); // it is told once more
    r->by_hand = true;
    rig_post(r, "lamp", "b");
    ev.id = ev.body = STR("b");
    rig_do(r, &ev); // on its way
    rig_run(r);
    assert_int_equal(rig_said(room_of(state), "b"), 1);
    assert_int_equal(rig_settled(r, "b", ERR_OK), 1);
    assert_int_equal(r->j.refused, 0);
}

// Said, and the process ended before its row was on the disk: its source says it again.
static void test_said_again_after_a_kill(void **state)
{
    for (int archive = 0; archive < 2; archive++) {
        struct rig *r = inside(state);
        char id[8];
        (void)snprintf(id, sizeof id, "b%d", archive);
        r->room[0].archive = archive;
        r->j.hold = true;
        rig_post(r, "lamp", id);
        assert_int_equal(rig_said(&r->room[0], id), 1);
        rig_kill(r);
        r->j.hold = false;
        rig_pass(r, 60000);
        rig_link(r, true);
        struct event ev = rig_post_event("lamp", r->room[0].jid, id, "");
        ev.flags |= EVENT_AGAIN;
        rig_do(r, &ev);
        rig_pass(r, 1000);
        assert_int_equal(rig_said(&r->room[0], id), 1);
        assert_true(rig_settled(r, id, ERR_OK) >= 1);
        (void)rig_teardown(state);
        (void)rig_setup(state);
    }
}

static void test_outcome_of_what_failed_is_told_again(void **state)
{
    struct rig *r = inside(state);
    room_of(state)->refuse_said = ERR_LIMIT;
    rig_post(r, "lamp", "b");
    struct event ev = rig_post_event("lamp", r->room[0].jid, "b", "");
    ev.flags |= EVENT_AGAIN;
    rig_do(r, &ev);
    assert_int_equal(rig_settled(r, "b", ERR_OK), 0);
    assert_int_equal(settled(r, "b"), 2);
}

/* Order */

static void test_order_of_one(void **state)
{
    struct rig *r = *state;
    r->by_hand = true;
    post_many(r, "lamp", "a", 300);
    rig_run(r);
    expect_said(room_of(state), "a", 300);
    assert_int_equal(r->settled_count, 300);
    assert_int_equal(queued(r, "lamp"), 0);
}

static void test_order_of_all_in_one_room(void **state)
{
    struct rig *r = *state;
    r->by_hand = true;
    for (unsigned i = 0; i < 60; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "a%u", i);
        rig_post(r, i % 3 ? "lamp" : "door", id);
    }
    rig_run(r);
    expect_said(room_of(state), "a", 60);
}

// Also after a restart, of what was accepted within one millisecond.
static void test_order_after_a_restart(void **state)
{
    struct rig *r = *state;
    rig_link(r, false);
    for (unsigned i = 0; i < 40; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "a%u", i);
        rig_post(r, i % 2 ? "lamp" : "door", id);
    }
    rig_kill(r);
    rig_link(r, true);
    rig_pass(r, 100);
    expect_said(room_of(state), "a", 40);
}

static void test_parked_guest_blocks_nobody(void **state)
{
    struct rig *r = *state;
    room_of(state)->refuse = ERR_AUTH;
    rig_post(r, "lamp", "a");
    room_of(state)->refuse = ERR_OK;
    rig_post(r, "door", "b");
    assert_int_equal(rig_settled(r, "b", ERR_OK), 1);
    struct event ev = rig_post_event("lamp", r->room[1].jid, "c", ""); // nor itself elsewhere
    rig_do(r, &ev);
    assert_int_equal(rig_settled(r, "c", ERR_OK), 1);
}

static size_t on_the_way(const struct rig *r)
{
    size_t n = 0;
    for (struct list_node *it = r->up.next; it != &r->up; it = it->next)
        n += CONTAINER_OF(it, struct rig_item, node)->ev->kind == EV_SAY;
    return n;
}

static void test_window(void **state)
{
    struct rig *r = inside(state);
    r->by_hand = true;
    post_many(r, "lamp", "a", 200);
    assert_int_equal(on_the_way(r), VENUE_FLIGHTS);
    rig_go_up(r);
    rig_come_down(r);
    assert_int_equal(on_the_way(r), VENUE_FLIGHTS);
    rig_run(r);
    expect_said(room_of(state), "a", 200);
}

static void test_congestion(void **state)
{
    struct rig *r = inside(state);
    rig_do(r, &(struct event){.kind = EV_CONGESTED, .component = 1});
    post_many(r, "lamp", "a", 5);
    rig_post(r, "door", "b");
    assert_int_equal(room_of(state)->said, 1);
    rig_do(r, &(struct event){.kind = EV_DRAINED, .component = 1});
    expect_said(room_of(state), "a", 5);
    assert_int_equal(rig_said(room_of(state), "b"), 1);
}

/* Ages */

static void test_lifetime(void **state)
{
    struct rig *r = *state;
    room_of(state)->refuse = ERR_REGISTRATION;
    struct event ev = rig_post_event("lamp", r->room[0].jid, "a", "");
    ev.number = 600000;
    rig_do(r, &ev);
    rig_pass(r, 599000);
    assert_int_equal(settled(r, "a"), 0);
    rig_pass(r, 2000);
    assert_int_equal(rig_settled(r, "a", ERR_REGISTRATION), 1);
    assert_int_equal(rig_letters(r, "a", LETTER_EXPIRED), 1);
    assert_int_equal(queued(r, "lamp"), 0);
    assert_non_null(strstr(r->j.notice, "could not be delivered"));
    ev.id = ev.body = STR("b"); // also across a kill
    rig_do(r, &ev);
    rig_kill(r);
    room_of(state)->refuse = ERR_OK;
    rig_pass(r, 601000);
    rig_link(r, true);
    rig_pass(r, 1000);
    assert_int_equal(rig_letters(r, "b", LETTER_EXPIRED), 1);
    assert_int_equal(rig_said(room_of(state), "b"), 0);
}

static void test_age(void **state)
{
    struct rig *r = *state;
    room_of(state)->refuse = ERR_AUTH;
    rig_post(r, "lamp", "a");
    rig_pass(r, 12 * HOUR);
    rig_post(r, "lamp", "b");
    rig_pass(r, 12 * HOUR + 1000);
    assert_int_equal(rig_letters(r, "a", LETTER_EXPIRED), 1);
    assert_int_equal(rig_letters(r, "b", LETTER_EXPIRED), 0);
    room_of(state)->refuse = ERR_OK;
    rig_pass(r, HOUR);
    assert_int_equal(rig_said(room_of(state), "b"), 1);
    assert_int_equal(rig_said(room_of(state), "a"), 0);
}

// What was on its way when the guest was thrown out becomes too old, too.
static void test_age_of_what_was_on_its_way(void **state)
{
    struct rig *r = inside(state);
    r->by_hand = true;
    rig_throw_out(r, room_of(state), "lamp", MARK_BANNED, "", "");
    rig_post(r, "lamp", "b");
    rig_run(r);
    r->by_hand = false;
    rig_pass(r, 25 * HOUR);
    assert_int_equal(settled(r, "b"), 1);
    assert_int_equal(rig_letters(r, "b", LETTER_EXPIRED), 1);
}

static int64_t stamp_of_the_next(struct rig *r)
{
    struct list_node *it = r->up.next;
    while (it != &r->up && CONTAINER_OF(it, struct rig_item, node)->ev->kind != EV_SAY)
        it = it->next;
    assert_true(it != &r->up);
    return CONTAINER_OF(it, struct rig_item, node)->ev->stamp;
}

static void test_delay(void **state)
{
    struct rig *r = inside(state);
    r->by_hand = true;
    rig_post(r, "lamp", "b");
    assert_int_equal(stamp_of_the_next(r), 0);
    rig_run(r);
    rig_link(r, false);
    rig_post(r, "lamp", "c");
    int64_t accepted = rig_wall(r);
    rig_pass(r, 60000);
    r->by_hand = false;
    rig_link(r, true);
    r->by_hand = true;
    assert_int_equal(rig_said(room_of(state), "c"), 1);
    assert_true(strstr(r->j.c.lines.p, "id=c") != NULL);
    struct event ev = rig_post_event("lamp", r->room[0].jid, "d", "");
    ev.stamp = accepted; // which its source says
    rig_do(r, &ev);
    assert_int_equal(stamp_of_the_next(r), accepted);
}

/* Refused, and what people decide */

static void test_refused_for_good(void **state)
{
    struct rig *r = inside(state);
    room_of(state)->refuse_said = ERR_LIMIT;
    rig_post(r, "lamp", "b");
    room_of(state)->refuse_said = ERR_OK;
    rig_post(r, "lamp", "c");
    assert_int_equal(rig_settled(r, "b", ERR_LIMIT), 1);
    assert_int_equal(rig_letters(r, "b", LETTER_DEAD), 1);
    assert_int_equal(rig_settled(r, "c", ERR_OK), 1);
    struct letter_view v;
    uint64_t at = 0;
    assert_true(bridge_next_letter(r->j.c.b, &at, &v));
    assert_true(str_eq_c(v.user, "r0@conf.example/lamp") && str_eq_c(v.lane, "home r0@conf.example lamp"));
    rig_pass(r, 3 * HOUR); // its text stays
    rig_do(r, &(struct event){.kind = EV_REPLAY, .number = v.number});
    rig_pass(r, 1000);
    assert_int_equal(rig_said(room_of(state), "b"), 1);
    assert_int_equal(rig_settled(r, "b", ERR_OK), 1);
    assert_int_equal(rig_letters(r, "b", LETTER_DEAD), 0);
}

static void test_letters_outlive_the_process(void **state)
{
    struct rig *r = inside(state);
    room_of(state)->refuse_said = ERR_LIMIT;
    rig_post(r, "lamp", "b");
    rig_kill(r);
    room_of(state)->refuse_said = ERR_OK;
    rig_link(r, true);
    rig_pass(r, 4 * HOUR);
    assert_int_equal(rig_said(room_of(state), "b"), 0); // nobody says it but by a replay
    assert_int_equal(rig_letters(r, "b", LETTER_DEAD), 1);
    rig_do(r, &(struct event){.kind = EV_REPLAY});
    rig_kill(r); // also in the midst of that
    rig_link(r, true);
    rig_pass(r, 60000);
    assert_int_equal(rig_said(room_of(state), "b"), 1);
    assert_int_equal(journal_rows(&r->j, ROW_LETTER), 0);
}

static void test_letter_is_discarded(void **state)
{
    struct rig *r = inside(state);
    room_of(state)->refuse_said = ERR_LIMIT;
    rig_post(r, "lamp", "b");
    rig_do(r, &(struct event){.kind = EV_DISCARD, .name = STR("home")});
    assert_int_equal(rig_letters(r, "b", LETTER_DEAD), 0);
    assert_int_equal(journal_rows(&r->j, ROW_LETTER), 0);
    rig_pass(r, 4 * HOUR); // and its guest can be forgotten
    assert_int_equal(room_of(state)->count, 1);
}

// A letter of a guest that left long ago.
static void test_letter_outlives_the_stay(void **state)
{
    struct rig *r = inside(state);
    rig_post(r, "door", "a");
    room_of(state)->refuse_said = ERR_LIMIT;
    rig_post(r, "door", "b");
    room_of(state)->refuse_said = ERR_OK;
    rig_pass(r, 6 * HOUR);
    assert_null(rig_named(room_of(state), "door"));
    rig_do(r, &(struct event){.kind = EV_REPLAY});
    rig_pass(r, 1000);
    assert_int_equal(rig_said(room_of(state), "b"), 1);
}

// A room that says "you are not in" of what it does not like: the guest does not run in and out for ever.
static void test_refused_as_if_it_were_out(void **state)
{
    struct rig *r = inside(state);
    room_of(state)->refuse_said = ERR_NOTACCEPTABLE;
    rig_post(r, "lamp", "b");
    rig_pass(r, 60000);
    assert_int_equal(rig_letters(r, "b", LETTER_DEAD), 1);
    assert_true(room_of(state)->enters <= 1 + GUEST_MISSES);
}

static void test_too_much_at_once(void **state)
{
    struct rig *r = inside(state);
    room_of(state)->refuse_said = ERR_AGAIN;
    rig_post(r, "lamp", "b");
    assert_int_equal(r->parked_err, ERR_AGAIN);
    rig_pass(r, 10 * HOUR);
    assert_true(room_of(state)->bounces > 10 && room_of(state)->bounces < 200);
    room_of(state)->refuse_said = ERR_OK;
    rig_pass(r, 600000);
    assert_int_equal(rig_settled(r, "b", ERR_OK), 1);
    assert_int_equal(room_of(state)->enters + room_of(state)->leaves, 1); // it stays in all that while
}

static void test_bounces_of_nothing(void **state)
{
    struct rig *r = inside(state);
    struct event ev = core_user(EV_BOUNCE, r->room[0].jid, "lamp@gw.example/home");
    ev.about = EV_SAY;
    ev.id = STR("first"); // which it has reflected
    ev.err = ERR_LIMIT;
    rig_do(r, &ev);
    ev.id = STR("unknown");
    rig_do(r, &ev);
    ev.about = EV_ENTER;
    rig_do(r, &ev);
    assert_string_equal(rig_state(r, "lamp"), "in");
    assert_int_equal(r->settled_count, 1);
}

/* Taken back */

static struct event discard(const struct rig *r, const char *id)
{
    struct event ev = core_adapter(EV_DISCARD, HOME, "lamp");
    ev.user = core_jid(r->room[0].jid);
    ev.id = str_c(id);
    ev.token = 7;
    return ev;
}

static void test_taken_back(void **state)
{
    struct rig *r = *state;
    room_of(state)->refuse = ERR_AUTH;
    post_many(r, "lamp", "a", 3);
    struct event ev = discard(r, "a1");
    rig_do(r, &ev);
    assert_int_equal(r->j.refused, 0);
    rig_do(r, &ev);
    assert_int_equal(r->j.refused, 1); // it is not here any more
    room_of(state)->refuse = ERR_OK;
    rig_pass(r, GUEST_PARK_MS + 1000);
    assert_int_equal(rig_said(room_of(state), "a1"), 0);
    assert_int_equal(rig_said(room_of(state), "a0") + rig_said(room_of(state), "a2"), 2);
    assert_int_equal(settled(r, "a1"), 0);
    ev = discard(r, "a0");
    rig_do(r, &ev);
    assert_int_equal(r->j.refused, 2); // it has been said
    ev = discard(r, "never");
    rig_do(r, &ev);
    assert_int_equal(r->j.refused, 3);
}

static void test_taken_back_and_killed(void **state)
{
    struct rig *r = *state;
    room_of(state)->refuse = ERR_AUTH;
    post_many(r, "lamp", "a", 3);
    struct event ev = discard(r, "a0");
    rig_do(r, &ev);
    ev = discard(r, "a2");
    rig_do(r, &ev);
    rig_kill(r);
    room_of(state)->refuse = ERR_OK;
    rig_link(r, true);
    rig_pass(r, 1000);
    assert_int_equal(room_of(state)->said, 1);
    assert_int_equal(rig_settled(r, "a1", ERR_OK), 1);
    assert_int_equal(queued(r, "lamp"), 0);
}

static void test_on_its_way_is_not_taken_back(void **state)
{
    struct rig *r = inside(state);
    r->by_hand = true;
    rig_post(r, "lamp", "b");
    struct event ev = discard(r, "b");
    rig_do(r, &ev);
    rig_link(r, false); // nobody knows
    rig_do(r, &ev);
    assert_int_equal(r->j.refused, 2);
}

// Without a token it is not taken for what people say about letters.
static void test_taking_back_drops_no_letters(void **state)
{
    struct rig *r = inside(state);
    room_of(state)->refuse_said = ERR_LIMIT;
    rig_post(r, "lamp", "b");
    struct event ev = discard(r, "x");
    ev.token = 0;
    rig_do(r, &ev);
    assert_int_equal(rig_letters(r, "b", LETTER_DEAD), 1);
}

/* Corrections */

static const struct rig_said *correct(struct rig *r, const char *id, const char *first)
{
    struct event ev = rig_post_event("lamp", r->room[0].jid, id, "");
    ev.replace = str_c(first);
    ev.reply = STR("sid-0");
    rig_do(r, &ev);
    return &r->room[0].log[r->room[0].said - 1];
}

static void test_correction_of_the_last(void **state)
{
    struct rig *r = inside(state);
    const struct rig_said *s = correct(r, "b", "first");
    assert_string_equal(s->replace, "first");
    assert_string_equal(s->reply, "");
    s = correct(r, "c", "first"); // once more: still the first id (XEP-0308)
    assert_string_equal(s->replace, "first");
    rig_post(r, "lamp", "d");
    s = correct(r, "e", "first"); // it is not the last any more
    assert_string_equal(s->replace, "");
    assert_string_equal(s->reply, "sid-0");
}

static void test_correction_after_others_spoke(void **state)
{
    struct rig *r = inside(state);
    rig_talk(r, room_of(state), "ann", "t1");
    rig_run(r);
    assert_string_equal(correct(r, "b", "first")->reply, "sid-0");
    assert_string_equal(correct(r, "c", "b")->replace, "b");
    rig_post(r, "door", "d"); // one of ours
    assert_string_equal(correct(r, "e", "b")->reply, "sid-0");
}

static void test_correction_after_an_absence(void **state)
{
    struct rig *r = inside(state);
    rig_throw_out(r, room_of(state), "lamp", MARK_ERROR, "", "");
    rig_run(r);
    rig_pass(r, 10000);
    (void)correct(r, "b", "first");
    rig_pass(r, 1000);
    assert_string_equal(room_of(state)->log[1].reply, "sid-0");
    rig_link(r, false);
    rig_link(r, true);
    assert_string_equal(correct(r, "c", "b")->reply, "sid-0"); // who knows who spoke meanwhile
    rig_kill(r);
    rig_link(r, true);
    assert_string_equal(correct(r, "d", "c")->reply, "sid-0");
}

static void test_retraction(void **state)
{
    struct rig *r = inside(state);
    rig_talk(r, room_of(state), "ann", "t1");
    rig_run(r);
    struct event ev = rig_post_event("lamp", r->room[0].jid, "b", "");
    ev.flags |= EVENT_RETRACT;
    ev.body = STR_NONE;
    ev.replace = STR("first");
    rig_do(r, &ev);
    const struct rig_said *s = &room_of(state)->log[2];
    assert_true(s->retract);
    assert_string_equal(s->replace, "first");
    assert_int_equal(rig_settled(r, "b", ERR_OK), 1);
    rig_link(r, false); // it is the same after a restart
    ev.id = STR("c");
    rig_do(r, &ev);
    rig_kill(r);
    rig_link(r, true);
    assert_true(room_of(state)->log[3].retract);
}

/* Without a reflection */

static void lose_reflections(struct rig *r)
{
    struct list_node *it, *safe;
    while (!list_empty(&r->up))
        rig_go_up(r);
    LIST_EACH (it, safe, &r->down) {
        if (CONTAINER_OF(it, struct rig_item, node)->reflects)
            rig_drop(CONTAINER_OF(it, struct rig_item, node));
    }
}

static void test_archive_tells(void **state)
{
    struct rig *r = inside(state);
    room_of(state)->archive = true;
    r->by_hand = true;
    post_many(r, "lamp", "a", 3);
    lose_reflections(r);
    r->by_hand = false;
    rig_pass(r, GUEST_REFLECT_MS + 1000);
    expect_said(room_of(state), "a", 3);
    assert_int_equal(r->settled_count, 4);
    assert_int_equal(room_of(state)->catchups, 1);
    assert_int_equal(room_of(state)->enters, 1);
}

static void test_archive_with_much_to_tell(void **state)
{
    struct rig *r = inside(state);
    room_of(state)->archive = true;
    r->by_hand = true;
    for (unsigned i = 0; i < 900; i++) {
        r->j.c.now += 5;
        rig_talk(r, room_of(state), "ann", "t");
    }
    post_many(r, "lamp", "a", 3);
    lose_reflections(r);
    r->by_hand = false;
    rig_pass(r, GUEST_REFLECT_MS + 1000);
    expect_said(room_of(state), "a", 3);
    assert_int_equal(rig_settled(r, "a2", ERR_OK), 1);
}

static void test_history_tells(void **state)
{
    struct rig *r = inside(state);
    r->by_hand = true;
    post_many(r, "lamp", "a", 3);
    lose_reflections(r);
    r->by_hand = false;
    rig_pass(r, GUEST_REFLECT_MS + 1000);
    expect_said(room_of(state), "a", 3);
    assert_int_equal(r->settled_count, 4);
    assert_int_equal(room_of(state)->leaves, 1); // and came again, to be told
    assert_true(room_of(state)->since > 0);
    r->by_hand = true;
    rig_post(r, "lamp", "b");
    lose_reflections(r);
    r->by_hand = false;
    rig_pass(r, GUEST_REFLECT_MS + 1000);
    assert_int_equal(rig_said(room_of(state), "b"), 1);
    assert_int_equal(room_of(state)->catchups, 1); // it has said that there is none
}

static void test_archive_that_does_not_answer(void **state)
{
    struct rig *r = inside(state);
    room_of(state)->archive = true;
    room_of(state)->archive_err = ERR_TIMEOUT;
    room_of(state)->history = 0;
    r->by_hand = true;
    rig_post(r, "lamp", "b");
    lose_reflections(r);
    r->by_hand = false;
    rig_pass(r, GUEST_REFLECT_MS + 3000);
    assert_int_equal(rig_said(room_of(state), "b"), 1); // not yet again
    room_of(state)->archive_err = ERR_OK;
    rig_pass(r, 60000);
    assert_int_equal(rig_said(room_of(state), "b"), 1);
    assert_int_equal(rig_settled(r, "b", ERR_OK), 1);
    room_of(state)->archive_err = ERR_TIMEOUT; // for ever: then rather twice than never
    r->by_hand = true;
    rig_post(r, "lamp", "c");
    lose_reflections(r);
    r->by_hand = false;
    rig_pass(r, 600000);
    assert_int_equal(rig_said(room_of(state), "c"), 2);
    assert_int_equal(rig_settled(r, "c", ERR_OK), 1);
}

// A link that goes before the messages arrive, and one that goes before they come back.
static void test_link_goes_with_messages_on_their_way(void **state)
{
    struct rig *r = inside(state);
    for (int arrives = 0; arrives < 2; arrives++) {
        r->by_hand = true;
        post_many(r, "lamp", arrives ? "a" : "b", 5);
        for (unsigned i = 0; arrives && i < 3; i++)
            rig_go_up(r);
        rig_link(r, false);
        r->by_hand = false;
        rig_link(r, true);
        rig_pass(r, 1000);
        expect_said(room_of(state), arrives ? "a" : "b", 5);
    }
    assert_int_equal(r->settled_count, 11);
}

static void test_killed_with_messages_on_their_way(void **state)
{
    struct rig *r = inside(state);
    r->by_hand = true;
    post_many(r, "lamp", "a", 5);
    for (unsigned i = 0; i < 3; i++)
        rig_go_up(r);
    rig_kill(r);
    r->by_hand = false;
    rig_link(r, true);
    rig_pass(r, 1000);
    expect_said(room_of(state), "a", 5);
    assert_int_equal(r->settled_count, 6);
}

// Thrown out with messages on their way that were heard, and back under another nick.
static void test_nick_of_another_stay(void **state)
{
    struct rig *r = inside(state);
    r->by_hand = true;
    post_many(r, "lamp", "a", 3);
    lose_reflections(r);
    rig_throw_out(r, room_of(state), "lamp", MARK_ERROR, "", "");
    rig_run(r);
    rig_stranger(r, room_of(state), "lamp");
    r->by_hand = false;
    rig_pass(r, 10000);
    assert_string_equal(rig_state(r, "lamp"), "in");
    expect_said(room_of(state), "a", 3);
    assert_int_equal(r->settled_count, 4);
}

static void test_room_that_gives_other_ids(void **state)
{
    struct rig *r = *state;
    room_of(state)->renames_ids = true;
    rig_post(r, "lamp", "a");
    post_many(r, "lamp", "b", 3);
    expect_said(room_of(state), "b", 3);
    assert_int_equal(rig_settled(r, "a", ERR_OK) + rig_settled(r, "b0", ERR_OK) + rig_settled(r, "b2", ERR_OK), 3);
    assert_int_equal(r->settled_count, 4);
}

static void test_room_that_reflects_nothing(void **state)
{
    struct rig *r = *state;
    room_of(state)->no_reflection = true;
    room_of(state)->history = 0;
    rig_post(r, "lamp", "a");
    rig_pass(r, 300000);
    assert_string_equal(rig_state(r, "lamp"), "parked");
    assert_int_equal(r->parked_err, ERR_TIMEOUT);
    assert_true(rig_said(room_of(state), "a") <= GUEST_MISSES);
}

// What an occupant says under our id, or as if it had been said before, settles nothing.
static void test_forged_reflections(void **state)
{
    struct rig *r = inside(state);
    r->by_hand = true;
    rig_post(r, "lamp", "b");
    struct event ev = rig_event(EV_HEARD, room_of(state), "mallory", "lamp@gw.example/home");
    ev.id = STR("b");
    ev.body = STR("forged");
    rig_do(r, &ev);
    ev.flags = EVENT_SNAPSHOT;
    rig_do(r, &ev);
    ev.flags = EVENT_SUBJECT;
    rig_do(r, &ev);
    assert_int_equal(settled(r, "b"), 0);
    rig_run(r);
    assert_int_equal(rig_settled(r, "b", ERR_OK), 1);
}

// Some time is between two messages, and the room is slow: nothing is said twice.
static void test_slow_reflection_and_a_look(void **state)
{
    struct rig *r = inside(state);
    rig_pass(r, GUEST_QUIET_MS - 1000);
    r->by_hand = true;
    rig_post(r, "lamp", "b");
    rig_pass(r, 2000);
    rig_post(r, "lamp", "c"); // it looks first: the last sign is old
    rig_run(r);
    assert_int_equal(rig_said(room_of(state), "b"), 1);
    assert_int_equal(rig_said(room_of(state), "c"), 1);
}

/* The journal */

static void test_bodies_from_the_journal(void **state)
{
    struct rig *r = *state;
    rig_link(r, false);
    post_many(r, "lamp", "a", 700); // more than is kept in memory
    r->j.slow = true;
    rig_link(r, true);
    assert_true(room_of(state)->said <= LANE_MEMORY);
    r->j.slow = false;
    rig_run(r);
    expect_said(room_of(state), "a", 700);
}

static void test_journal_that_cannot_be_read(void **state)
{
    struct rig *r = *state;
    room_of(state)->refuse = ERR_AUTH;
    rig_post(r, "lamp", "a");
    rig_kill(r);
    room_of(state)->refuse = ERR_OK;
    r->j.slow = true;
    rig_link(r, true);
    rig_pass(r, 1000);
    struct event end = {.kind = EV_LOADED, .name = STR("home r0@conf.example lamp")};
    assert_true(r->j.load_first < r->j.load_count);
    r->j.load_first = r->j.load_count = 0;
    rig_do(r, &end); // incomplete
    assert_int_equal(rig_said(room_of(state), "a"), 0);
    r->j.slow = false;
    rig_pass(r, 2000);
    assert_int_equal(rig_said(room_of(state), "a"), 1);
}

static void test_record_is_missing(void **state)
{
    struct rig *r = *state;
    rig_link(r, false);
    post_many(r, "lamp", "a", 3);
    journal_lose(&r->j, "home r0@conf.example lamp", 2);
    rig_kill(r);
    rig_link(r, true);
    rig_pass(r, 1000);
    assert_int_equal(room_of(state)->said, 2);
    assert_int_equal(queued(r, "lamp"), 0);
}

static void test_absurd_rows(void **state)
{
    struct rig *r = *state;
    struct row lane = {.kind = ROW_LANE, .adapter = STR("home r0@conf.example lamp"), .trimmed = 3, .settled = 5};
    struct row record = {.kind = ROW_RECORD,
                         .adapter = lane.adapter,
                         .number = 6,
                         .key = STR("lamp"),
                         .user = STR("r0@conf.example"),
                         .id = STR("a"),
                         .text = STR("text"),
                         .name = STR("nick\x1f\x1f\x1f\x1f-5\x1f"
                                     "7\x1fx")};
    rig_kill(r);
    struct row bad = lane;
    bad.trimmed = 6;
    assert_int_equal(bridge_restore(r->j.c.b, &bad), ERR_BADREQ);
    bad = lane;
    bad.settled = UINT64_MAX;
    assert_int_equal(bridge_restore(r->j.c.b, &bad), ERR_BADREQ);
    static const char *const nobody[] = {"home r0@conf.example gone", "none r0@conf.example lamp", "home @ lamp",
                                         "home "};
    for (size_t i = 0; i < COUNT(nobody); i++) {
        bad = lane;
        bad.adapter = str_c(nobody[i]);
        assert_int_equal(bridge_restore(r->j.c.b, &bad), ERR_NOTFOUND);
        bad = record;
        bad.adapter = str_c(nobody[i]);
        assert_int_equal(bridge_restore(r->j.c.b, &bad), ERR_NOTFOUND);
    }
    assert_int_equal(bridge_restore(r->j.c.b, &lane), ERR_OK);
    bad = record;
    bad.id = STR_NONE;
    assert_int_equal(bridge_restore(r->j.c.b, &bad), ERR_BADREQ);
    bad = record;
    bad.number = UINT64_MAX;
    assert_int_equal(bridge_restore(r->j.c.b, &bad), ERR_BADREQ);
    assert_int_equal(bridge_restore(r->j.c.b, &record), ERR_OK);
    assert_int_equal(bridge_restore(r->j.c.b, &record), ERR_BADREQ); // twice
    struct guest_view v;
    assert_true(rig_guest(r, "lamp", &v));
    assert_int_equal(v.queued, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_not_taken),
        TEST(test_bounds),
        TEST(test_acknowledged_when_durable),
        TEST(test_said_again_by_its_source),
        TEST(test_said_again_after_a_kill),
        TEST(test_outcome_of_what_failed_is_told_again),
        TEST(test_order_of_one),
        TEST(test_order_of_all_in_one_room),
        TEST(test_order_after_a_restart),
        TEST(test_parked_guest_blocks_nobody),
        TEST(test_window),
        TEST(test_congestion),
        TEST(test_lifetime),
        TEST(test_age),
        TEST(test_age_of_what_was_on_its_way),
        TEST(test_delay),
        TEST(test_refused_for_good),
        TEST(test_letters_outlive_the_process),
        TEST(test_letter_is_discarded),
        TEST(test_letter_outlives_the_stay),
        TEST(test_refused_as_if_it_were_out),
        TEST(test_too_much_at_once),
        TEST(test_bounces_of_nothing),
        TEST(test_taken_back),
        TEST(test_taken_back_and_killed),
        TEST(test_on_its_way_is_not_taken_back),
        TEST(test_taking_back_drops_no_letters),
        TEST(test_correction_of_the_last),
        TEST(test_correction_after_others_spoke),
        TEST(test_correction_after_an_absence),
        TEST(test_retraction),
        TEST(test_archive_tells),
        TEST(test_archive_with_much_to_tell),
        TEST(test_history_tells),
        TEST(test_archive_that_does_not_answer),
        TEST(test_link_goes_with_messages_on_their_way),
        TEST(test_killed_with_messages_on_their_way),
        TEST(test_nick_of_another_stay),
        TEST(test_room_that_gives_other_ids),
        TEST(test_room_that_reflects_nothing),
        TEST(test_forged_reflections),
        TEST(test_slow_reflection_and_a_look),
        TEST(test_bodies_from_the_journal),
        TEST(test_journal_that_cannot_be_read),
        TEST(test_record_is_missing),
        TEST(test_absurd_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
