/* What takes its time, in real time: what was read is long under way, and a twin that comes again and again. */
#include "link_rig.h"

#include <time.h>

enum { KEEPALIVE_S = 5, HOLD_MS = 12 * 1000 };

static struct rig rig;

static struct {
    int64_t until, heard, longest; // the longest silence of ours, as the broker knows it
    size_t logged;
} hold;

static int setup(void **state)
{
    rig_init(&rig);
    rig.cfg.keepalive_s = KEEPALIVE_S;
    rig.ack_at_once = false;
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    rig_finish(*state);
    return 0;
}

static bool got_pings(struct rig *r)
{
    return broker_count(&r->broker, BROKER_PINGREQ) >= r->expected;
}

static bool hold_over(struct rig *r)
{
    int64_t now = loop_now(r->loop);
    if (now - hold.heard > hold.longest)
        hold.longest = now - hold.heard;
    if (r->broker.logged > hold.logged)
        hold.heard = now;
    hold.logged = r->broker.logged;
    return now >= hold.until || r->downs > 0;
}

static void hold_for(struct rig *r, int64_t ms)
{
    hold.longest = 0;
    hold.logged = r->broker.logged;
    hold.heard = loop_now(r->loop);
    hold.until = hold.heard + ms;
    assert_true(rig_wait(r, hold_over, ms + 1000));
    assert_int_equal(r->downs, 0);
}

// The XMPP server takes nothing: neither the library nor the broker may lose patience.
static void outlives_the_keepalive(void **state)
{
    struct rig *r = *state;
    rig_up_now(r);
    publish_many(r, 0, 1);
    assert_true(AWAIT(r, got_messages, 1));
    hold_for(r, HOLD_MS);
    assert_in_range(hold.longest, 0, KEEPALIVE_S * 1000);
    assert_in_range(broker_count(&r->broker, BROKER_UNSUBSCRIBE), 3, 5); // at the first tick from 2.5 s to the next
    assert_int_equal(broker_count(&r->broker, BROKER_PINGREQ), 0);
    publish_many(r, 1, 1);
    assert_int_equal(r->messages, 1);
    mqtt_link_ack(r->link);
    assert_true(AWAIT(r, got_messages, 2));
    mqtt_link_ack(r->link);
    assert_true(AWAIT(r, got_pubacks, 1));
    assert_true(AWAIT(r, got_pings, 1)); // as ever
    assert_int_equal(r->broker.connections, 1);
}

// A ping was sent before the hold, and its answer lies behind what is held.
static void the_answer_to_a_ping_is_read_first(void **state)
{
    static const uint8_t pingresp[] = {0xd0, 0};
    struct rig *r = *state;
    r->broker.keep_pingresps = true;
    rig_up_now(r);
    assert_true(AWAIT(r, got_pings, 1));
    publish_many(r, 0, 1);
    assert_true(AWAIT(r, got_messages, 1));
    broker_raw(&r->broker, pingresp, sizeof pingresp);
    hold_for(r, KEEPALIVE_S * 1000 + 500);
    r->broker.keep_pingresps = false;
    mqtt_link_ack(r->link);
    const struct timespec tick = {.tv_sec = 1, .tv_nsec = 100 * 1000 * 1000};
    nanosleep(&tick, NULL); // lint: the loop stands still, so that the tick comes before the read
    assert_true(AWAIT(r, got_pings, 2));
    assert_int_equal(r->downs, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static bool is_up_again(struct rig *r)
{
    return r->ups >= r->expected;
}

static bool backs_off(struct rig *r)
{
    struct arena a;
    arena_init(&a, 512);
    bool does = str_find_str(mqtt_link_state(r->link, &a), STR("`client_id`")) >= 0;
    arena_finish(&a);
    return does;
}

// Two with one name throw each other out, and the broker may say no more than that it closes.
static void leaves_the_field_to_a_twin(void **state)
{
    struct rig *r = *state;
    rig_up_now(r);
    for (unsigned outs = 1; outs <= 5; outs++) {
        broker_drop(&r->broker);
        r->expected = outs + 1;
        if (outs < 5)
            assert_true(rig_wait(r, is_up_again, 10000));
    }
    assert_true(rig_wait(r, backs_off, 3000));
    assert_int_equal(r->ups, 5);
    rig_pause(r, 6000); // longer than it would else take to try again
    assert_int_equal(r->ups, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(outlives_the_keepalive),
        TEST(the_answer_to_a_ping_is_read_first),
        TEST(leaves_the_field_to_a_twin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
