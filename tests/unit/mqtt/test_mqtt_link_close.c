/* How a link ends that its owner closes, and what it leaves with the broker. */
#include "link_rig.h"

#include <unistd.h>

static struct rig rig;

static int setup(void **state)
{
    rig_init(&rig);
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    rig_finish(*state);
    return 0;
}

static bool disconnected(struct rig *r)
{
    return r->link == NULL && broker_count(&r->broker, BROKER_DISCONNECT) == 1;
}

static bool hung_up_on(struct rig *r)
{
    return r->link == NULL && r->broker.client == NULL;
}

static void says_goodbye(void **state)
{
    struct rig *r = *state;
    r->cfg.birth_topic = "bridge/status";
    r->cfg.birth_payload = "online";
    r->cfg.will_payload = "offline";
    r->broker.keep_pubacks = true;
    rig_up_now(r);
    assert_int_equal(say(r, "d/set", 1, 5), ERR_OK);
    mqtt_link_close(r->link, rig_closed, r);
    assert_int_equal(say(r, "d/set", 1, 6), ERR_OFFLINE);
    assert_true(rig_wait(r, disconnected, 3000));
    assert_string_equal(broker_last(&r->broker, BROKER_PUBLISH)->payload, "offline");
    assert_true(broker_last(&r->broker, BROKER_PUBLISH)->retain);
    assert_int_equal(r->outcome_count, 1);
    assert_int_equal(r->outcomes[0].err, ERR_OFFLINE);
}

static void leaves_what_is_held_with_the_broker(void **state)
{
    struct rig *r = *state;
    r->ack_at_once = false;
    rig_up_now(r);
    publish_many(r, 1, 3);
    assert_true(AWAIT(r, got_messages, 1));
    rig_close(r);
    rig_pause(r, 50);
    assert_int_equal(broker_count(&r->broker, BROKER_PUBACK), 0);
    assert_int_equal(broker_count(&r->broker, BROKER_DISCONNECT), 0);
}

// Another handle of the loop, on which the link is closed: a control socket that asks for a reload.
struct elsewhere {
    struct rig *rig;
    struct loop_poll *poll;
    int fd[2];
};

static void close_from_elsewhere(void *ud, int events, int status)
{
    struct elsewhere *e = ud;
    (void)events;
    assert_int_equal(status, 0);
    loop_poll_set(e->poll, 0);
    mqtt_link_close(e->rig->link, rig_closed, e->rig);
}

// Closes the link in the turn in which it can read what is sent behind this, and before it does.
static void elsewhere_ready(struct elsewhere *e, struct rig *r)
{
    e->rig = r;
    assert_return_code(pipe(e->fd), 0);
    e->poll = loop_poll_create(r->loop, e->fd[0], close_from_elsewhere, e);
    loop_poll_set(e->poll, UV_READABLE);
    rig_pause(r, 20); // it is polled for
    assert_int_equal(write(e->fd[1], "x", 1), 1);
}

static void elsewhere_done(struct elsewhere *e)
{
    loop_poll_close(e->poll);
    close(e->fd[0]);
    close(e->fd[1]);
}

static void nothing_is_read_once_it_closes(void **state)
{
    struct rig *r = *state;
    struct elsewhere e;
    rig_up_now(r);
    elsewhere_ready(&e, r);
    publish_many(r, 1, 1);
    assert_true(rig_wait(r, disconnected, 3000)); // all that was written before is in
    assert_int_equal(r->messages, 0);
    assert_int_equal(broker_count(&r->broker, BROKER_PUBACK), 0);
    elsewhere_done(&e);
}

static void nobody_is_greeted_once_it_closes(void **state)
{
    static const uint8_t connack[] = {0x20, 3, 0, 0, 0};
    struct rig *r = *state;
    struct elsewhere e;
    r->broker.mute = true;
    rig_start(r);
    assert_true(AWAIT(r, got_connect, 1));
    elsewhere_ready(&e, r);
    broker_raw(&r->broker, connack, sizeof connack);
    assert_true(rig_wait(r, rig_is_closed, 3000));
    assert_int_equal(r->ups, 0);
    elsewhere_done(&e);
}

// Neither the message that led to it nor those behind it in the same read are acknowledged.
static void closed_by_a_message(void **state)
{
    struct rig *r = *state;
    r->close_at_once = true;
    rig_up_now(r);
    publish_many(r, 1, 3);
    assert_true(rig_wait(r, hung_up_on, 3000));
    assert_int_equal(r->messages, 1);
    assert_int_equal(broker_count(&r->broker, BROKER_PUBACK), 0);
    assert_int_equal(broker_count(&r->broker, BROKER_DISCONNECT), 0);
}

static void close_at_every_moment(void **state)
{
    struct rig *r = *state;
    for (int ms = 0; ms < 12; ms++) {
        rig_start(r);
        rig_pause(r, ms);
        rig_close(r);
    }
    r->broker.mute = true;
    rig_start(r);
    rig_pause(r, 50);
    assert_state_has(r, "greeting");
    rig_close(r);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(says_goodbye),
        TEST(leaves_what_is_held_with_the_broker),
        TEST(nothing_is_read_once_it_closes),
        TEST(nobody_is_greeted_once_it_closes),
        TEST(closed_by_a_message),
        TEST(close_at_every_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
