// The tables of rooms elsewhere, their guests, who is there, and what is on its way.
#include "core/venue.h"

#include "lib/check.h"

#include <stdio.h>

static struct jid room(const char *local, const char *domain)
{
    return (struct jid){.local = str_c(local), .domain = str_c(domain)};
}

static struct guest *add(struct venues *t, uint16_t component, const struct jid *jid, uint32_t identity)
{
    char name[32];
    (void)snprintf(name, sizeof name, "home %u %u", component, identity);
    return guest_add(t, venue_take(t, component, jid), identity, 1, str_c(name));
}

static int setup(void **state)
{
    struct venues *t = MEM_NEW(struct venues);
    venues_init(t);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    venues_finish(*state);
    mem_free(*state);
    return 0;
}

static void test_venues(void **state)
{
    struct venues *t = *state;
    struct jid a = room("a", "conf.example"), b = room("", "conf.example"), c = room("a@conf", "example");
    assert_null(venue_find(t, 1, &a));
    struct guest *g = add(t, 1, &a, 1), *h = add(t, 1, &b, 1);
    assert_ptr_equal(venue_find(t, 1, &a), g->venue);
    assert_ptr_equal(venue_take(t, 1, &a), g->venue);
    assert_ptr_equal(venue_find(t, 1, &b), h->venue);
    assert_null(venue_find(t, 2, &a)); // as another component sees it
    assert_null(venue_find(t, 1, &c));
    assert_string_equal(g->venue->room, "a@conf.example");
    struct jid back = venue_jid(g->venue);
    assert_true(jid_bare_eq(&back, &a));
    back = venue_jid(h->venue);
    assert_true(jid_bare_eq(&back, &b));
    guest_remove(t, h);
    assert_null(venue_find(t, 1, &b)); // the venue goes with the last
    assert_int_equal(t->guest_count, 1);
}

static void test_room_that_is_too_long(void **state)
{
    struct venues *t = *state;
    static char local[JID_PART_MAX + 2];
    memset(local, 'a', JID_PART_MAX + 1);
    struct jid jid = room(local, "conf.example"), a = room("a", "x");
    (void)add(t, 1, &a, 1);
    assert_null(venue_find(t, 1, &jid));
    jid.local.n = JID_PART_MAX;
    (void)add(t, 1, &jid, 2);
    assert_non_null(venue_find(t, 1, &jid));
}

static void test_guests(void **state)
{
    struct venues *t = *state;
    struct jid a = room("a", "conf.example");
    struct guest *g = add(t, 1, &a, 1), *h = add(t, 1, &a, 2);
    struct venue *v = g->venue;
    assert_ptr_equal(venue_guest(v, 2), h);
    assert_null(venue_guest(v, 3));
    assert_ptr_equal(guest_of_lane(t, STR("home 1 2")), h);
    assert_null(guest_of_lane(t, STR("home 1 3")));
    assert_int_equal(v->guest_count, 2);
    static const struct {
        enum guest_state state;
        bool in, counts, holds;
    } cases[] = {
        {GUEST_OUT, false, false, false},    {GUEST_ENTERING, false, true, true}, {GUEST_LEARNING, true, true, true},
        {GUEST_CHECKING, false, true, true}, {GUEST_ASKING, true, true, true},    {GUEST_IN, true, true, true},
        {GUEST_MUTED, true, true, true},     {GUEST_PARKED, false, false, false},
    };
    assert_int_equal(COUNT(cases), GUEST_STATES);
    g->nick = mem_dup("nick", 4);
    for (size_t i = 0; i < COUNT(cases); i++) {
        g->state = cases[i].state;
        assert_int_equal(guest_is_in(g), cases[i].in);
        assert_int_equal(venue_in(v), cases[i].counts);
        assert_ptr_equal(venue_guest_named(v, STR("nick")), cases[i].holds ? g : NULL);
        assert_true(strlen(guest_state_name(g->state)) > 1);
    }
    assert_null(venue_guest_named(v, STR("Nick")));
    v->listener = g;
    v->last.guest = g;
    venue_fly(v, g, 1, STR("id"), 0);
    guest_remove(t, g);
    assert_true(!v->listener && !v->last.guest && !v->flight_count);
}

static void test_people(void **state)
{
    struct venues *t = *state;
    struct jid a = room("a", "conf.example");
    struct venue *v = add(t, 1, &a, 1)->venue;
    venue_meet(v, STR("ann"), AFFILIATION_OWNER);
    venue_meet(v, STR("bob"), AFFILIATION_NONE);
    venue_meet(v, STR("ann"), AFFILIATION_MEMBER);
    assert_int_equal(v->people.count, 2);
    assert_int_equal(venue_person(v, STR("ann"))->affiliation, AFFILIATION_MEMBER);
    venue_part(v, STR("ann"));
    venue_part(v, STR("nobody"));
    assert_null(venue_person(v, STR("ann")));
    char nick[16];
    for (unsigned i = 0; i < VENUE_PEOPLE_MAX + 10; i++) { // the others are not known
        (void)snprintf(nick, sizeof nick, "n%u", i);
        venue_meet(v, str_c(nick), AFFILIATION_NONE);
    }
    assert_int_equal(v->people.count, VENUE_PEOPLE_MAX);
    venue_forget_people(v);
    assert_int_equal(v->people.count, 0);
    assert_null(venue_person(v, STR("bob")));
}

static void test_flights(void **state)
{
    struct venues *t = *state;
    struct jid a = room("a", "conf.example");
    struct guest *g = add(t, 1, &a, 1), *h = add(t, 1, &a, 2);
    struct venue *v = g->venue;
    assert_null(venue_first(v, g));
    for (uint64_t n = 1; n <= VENUE_FLIGHTS; n++)
        venue_fly(v, n % 2 ? g : h, n, STR("id"), (int64_t)n);
    assert_int_equal(v->flight_count, VENUE_FLIGHTS);
    assert_int_equal(venue_first(v, h)->number, 2);
    assert_false(venue_land(v, g, 2)); // another's
    assert_true(venue_land(v, h, 2));
    assert_false(venue_land(v, h, 2));
    assert_int_equal(venue_first(v, h)->number, 4);
    assert_string_equal(venue_first(v, h)->id, "id");
    venue_ground(v, g);
    assert_int_equal(v->flight_count, VENUE_FLIGHTS / 2 - 1);
    assert_null(venue_first(v, g));
    for (size_t i = 1; i < v->flight_count; i++)
        assert_true(v->flights[i - 1].at < v->flights[i].at);
}

static void test_settings(void **state)
{
    struct venues *t = *state;
    struct jid a = room("a", "conf.example"), b = room("b", "conf.example");
    struct venue *v = add(t, 1, &a, 1)->venue, *w = add(t, 1, &b, 1)->venue;
    const struct venue_settings *s = venue_settings(t, v);
    assert_true(!s->password && !s->create && s->cap == GUEST_CAP && s->idle == GUEST_IDLE_MS);
    const struct bridge_venue venues[] = {
        {.room = STR("a@conf.example"), .password = STR("secret"), .cap = 2},
        {.create = true, .idle = 7},
    };
    venues_configure(t, venues, 2);
    s = venue_settings(t, v);
    assert_string_equal(s->password, "secret");
    assert_true(!s->create && s->cap == 2 && s->idle == GUEST_IDLE_MS);
    s = venue_settings(t, w);
    assert_true(!s->password && s->create && s->cap == GUEST_CAP && s->idle == 7);
    venues_configure(t, NULL, 0);
    assert_false(venue_settings(t, w)->create);
}

static void test_work(void **state)
{
    struct venues *t = *state;
    struct jid a = room("a", "conf.example");
    struct guest *g = add(t, 1, &a, 1);
    venue_busy(t, g->venue);
    venue_busy(t, g->venue); // once is enough
    assert_ptr_equal(t->work.next, t->work.prev);
    guest_remove(t, g);
    assert_true(list_empty(&t->work));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_venues),  TEST(test_room_that_is_too_long),
        TEST(test_guests),  TEST(test_people),
        TEST(test_flights), TEST(test_settings),
        TEST(test_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
