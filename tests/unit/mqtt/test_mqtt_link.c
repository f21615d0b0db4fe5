#include "link_rig.h"

#include <dlfcn.h>
#include <netdb.h>
#include <sys/socket.h>
#include <time.h>

/* Instead of the C library's, also for libmosquitto: a name server that hangs. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res)
{
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (node && strcmp(node, "hang.test") == 0) {
        nanosleep(&(struct timespec){.tv_nsec = 400 * 1000 * 1000}, NULL); // lint: it hangs, which is what is tested
        return EAI_AGAIN;
    }
    if (!real)
        *(void **)&real = dlsym(dlopen("libc.so.6", RTLD_LAZY), "getaddrinfo");
    return real(node, service, hints, res);
}

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

/* Conditions. */

static bool got_publishes(struct rig *r)
{
    return broker_count(&r->broker, BROKER_PUBLISH) >= r->expected;
}

static bool got_outcomes(struct rig *r)
{
    return r->outcome_count >= r->expected;
}

static bool got_subscribed(struct rig *r)
{
    return r->subscribed >= r->expected;
}

static bool got_subscribes(struct rig *r)
{
    return broker_count(&r->broker, BROKER_SUBSCRIBE) >= r->expected;
}

static bool got_connections(struct rig *r)
{
    return (size_t)r->broker.connections >= r->expected;
}

static bool got_ups(struct rig *r)
{
    return r->ups >= r->expected;
}

static bool got_poison(struct rig *r)
{
    return r->poisons >= r->expected && mqtt_link_is_up(r->link);
}

/* Connecting. */

static void connects_as_configured(void **state)
{
    struct rig *r = *state;
    r->cfg.birth_topic = "bridge/status";
    r->cfg.birth_payload = "online";
    r->cfg.will_payload = "offline";
    rig_up_now(r);
    const struct broker_packet *c = broker_last(&r->broker, BROKER_CONNECT);
    assert_string_equal(c->text, "rig");
    assert_int_equal(c->level, 5);
    assert_int_equal(c->flags, 0x04 | 0x08 | 0x20); // will, at QoS 1, retained; no clean start
    assert_int_equal(c->keepalive, 30);
    assert_int_equal(c->session_expiry, 3600);
    assert_int_equal(c->receive_maximum, 1000);
    assert_int_equal(c->packet_maximum, 65536);
    assert_int_equal(c->alias_maximum, -1);
    assert_true(AWAIT(r, got_publishes, 1));
    const struct broker_packet *birth = broker_last(&r->broker, BROKER_PUBLISH);
    assert_string_equal(birth->text, "bridge/status");
    assert_string_equal(birth->payload, "online");
    assert_true(birth->retain);
    assert_int_equal(r->ups, 1);
    assert_int_equal(r->protocol, MQTT_5);
    assert_false(r->session);
    assert_state_has(r, "up: 127.0.0.1:");
}

static void tells_a_resumed_session(void **state)
{
    struct rig *r = *state;
    r->broker.session_present = true;
    rig_up_now(r);
    assert_true(r->session);
}

static void a_second_greeting_changes_nothing(void **state)
{
    static const uint8_t connack[] = {0x20, 3, 0, 0, 0};
    struct rig *r = *state;
    rig_up_now(r);
    broker_raw(&r->broker, connack, sizeof connack);
    broker_publish(&r->broker, STR("d/1"), STR("x"), 1, false, 1);
    assert_true(AWAIT(r, got_pubacks, 1)); // and so both were read
    assert_int_equal(r->ups, 1);
    assert_int_equal(r->downs, 0);
    assert_true(rig_is_up(r));
}

static void falls_back_on_reason_84(void **state)
{
    struct rig *r = *state;
    r->broker.connack = 0x84;
    r->broker.connack_once = true;
    rig_start(r);
    assert_true(rig_wait(r, rig_is_up, 3000));
    assert_int_equal(broker_last(&r->broker, BROKER_CONNECT)->level, 4);
    assert_int_equal(r->protocol, MQTT_311);
    assert_int_equal(r->downs, 0);
}

static void falls_back_on_the_code_of_an_old_broker(void **state)
{
    struct rig *r = *state;
    r->broker.connack = 1;
    r->broker.connack_v3 = true;
    r->broker.connack_once = true;
    rig_start(r);
    assert_true(rig_wait(r, rig_is_up, 3000));
    assert_int_equal(broker_last(&r->broker, BROKER_CONNECT)->level, 4);
    assert_int_equal(r->downs, 0);
}

static void a_fixed_version_does_not_fall_back(void **state)
{
    struct rig *r = *state;
    r->cfg.protocol = MQTT_5;
    r->broker.connack = 0x84;
    rig_start(r);
    assert_true(rig_wait(r, rig_is_down, 3000));
    assert_int_equal(r->down_err, ERR_UNSUPPORTED);
    assert_non_null(strstr(r->down_why, "protocol"));
}

static void refusals_name_cause_and_remedy(void **state)
{
    static const struct {
        enum mqtt_protocol protocol;
        int code;
        enum err err;
        const char *words;
        bool slow;
    } cases[] = {
        {MQTT_5, 0x86, ERR_AUTH, "`username` and `password`", true},
        {MQTT_5, 0x87, ERR_FORBIDDEN, "access list", true},
        {MQTT_5, 0x85, ERR_CONF, "`client_id`", true},
        {MQTT_5, 0x88, ERR_UNAVAILABLE, "not available", false},
        {MQTT_5, 0x97, ERR_LIMIT, "quota", true},
        {MQTT_5, 0x9a, ERR_UNSUPPORTED, "remove `birth`", true},
        {MQTT_5, 0xfe, ERR_CLOSED, "no reason", false},
        {MQTT_311, 2, ERR_CONF, "`client_id`", true},
        {MQTT_311, 3, ERR_UNAVAILABLE, "not available", false},
        {MQTT_311, 4, ERR_AUTH, "`username` and `password`", true},
        {MQTT_311, 5, ERR_FORBIDDEN, "access list", true},
    };
    struct rig *r = *state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        r->cfg.protocol = cases[i].protocol;
        r->broker.connack = cases[i].code;
        r->downs = 0;
        rig_start(r);
        assert_true(rig_wait(r, rig_is_down, 3000));
        assert_int_equal(r->down_err, cases[i].err);
        if (!strstr(r->down_why, cases[i].words))
            fail_msg("0x%x: \"%s\" is not in \"%s\"", (unsigned)cases[i].code, cases[i].words, r->down_why);
        assert_state_has(r, cases[i].words);
        rig_pause(r, 20);
        assert_int_equal(r->downs, 1);
        assert_state_has(r, cases[i].slow ? "next try in" : "next try in 1 s");
        rig_close(r);
    }
}

static void a_refused_connection_is_told_once(void **state)
{
    struct rig *r = *state;
    broker_stop(&r->broker);
    rig_pause(r, 20);
    rig_start(r);
    assert_true(rig_wait(r, rig_is_down, 3000));
    assert_int_equal(r->down_err, ERR_REFUSED);
    rig_pause(r, 2500); // a second try
    assert_int_equal(r->downs, 1);
    broker_start(&r->broker, loop_uv(r->loop), r->cfg.port);
    assert_true(rig_wait(r, rig_is_up, 9000));
}

static void no_tls_there(void **state)
{
    struct rig *r = *state;
    r->cfg.tls = true;
    r->cfg.tls_insecure = true;
    rig_start(r);
    assert_true(AWAIT(r, got_connections, 1));
    broker_raw(&r->broker, "HTTP/1.0 400 no\r\n\r\n", 19);
    assert_true(rig_wait(r, rig_is_down, 3000));
    assert_int_equal(r->down_err, ERR_TLS);
    assert_non_null(strstr(r->down_why, "TLS failed: "));
}

static bool hung_up(struct rig *r)
{
    if (r->broker.client) {
        uv_tcp_close_reset(r->broker.client, broker_closed);
        r->broker.client = NULL;
    }
    return r->downs > 0;
}

static void a_reset_in_the_tls_handshake_is_seen(void **state)
{
    struct rig *r = *state;
    r->cfg.tls = true;
    r->cfg.tls_insecure = true;
    rig_start(r);
    assert_true(rig_wait(r, hung_up, 3000));
    assert_int_equal(r->downs, 1);
}

static void a_bad_ca_file_is_named(void **state)
{
    struct rig *r = *state;
    r->cfg.tls = true;
    r->cfg.ca_file = "/nonexistent/ca.pem";
    rig_start(r);
    assert_true(rig_wait(r, rig_is_down, 3000));
    assert_int_equal(r->down_err, ERR_TLS);
    assert_non_null(strstr(r->down_why, "tls.ca /nonexistent/ca.pem: No such file"));
    assert_int_equal(r->broker.connections, 0);
}

/* The hold. */

static void nothing_is_acknowledged_before_it_is_durable(void **state)
{
    struct rig *r = *state;
    r->ack_at_once = false;
    rig_up_now(r);
    publish_many(r, 1, 5);
    assert_true(AWAIT(r, got_messages, 1));
    rig_pause(r, 1300); // longer than a tick
    assert_int_equal(broker_count(&r->broker, BROKER_PUBACK), 0);
    assert_int_equal(r->batches, 1);
    assert_int_equal(say(r, "d/set", 1, 7), ERR_OK); // waits for the same gate
    rig_pause(r, 50);
    assert_int_equal(broker_count(&r->broker, BROKER_PUBLISH), 0);
    r->ack_at_once = true;
    mqtt_link_ack(r->link);
    assert_true(AWAIT(r, got_pubacks, 5));
    assert_true(AWAIT(r, got_outcomes, 1));
    int next = 1;
    for (size_t i = 0; i < r->broker.logged; i++) {
        if (r->broker.log[i].type == BROKER_PUBACK)
            assert_int_equal(r->broker.log[i].mid, next++);
    }
}

static bool told_of_the_commit(struct rig *r)
{
    return strstr(r->line, "what was read is long under way") != NULL;
}

static void a_long_commit_is_told_once(void **state)
{
    struct rig *r = *state;
    r->ack_at_once = false;
    r->cfg.keepalive_s = 5;
    rig_up_now(r);
    publish_many(r, 1, 1);
    assert_true(AWAIT(r, got_messages, 1));
    assert_true(rig_wait(r, told_of_the_commit, 5000));
    r->line[0] = '\0';
    rig_pause(r, 1500);
    assert_string_equal(r->line, "");
    assert_int_equal(broker_count(&r->broker, BROKER_PINGREQ), 0);
    mqtt_link_ack(r->link);
    assert_true(AWAIT(r, got_pubacks, 1));
}

static void batches_are_bounded(void **state)
{
    struct rig *r = *state;
    rig_up_now(r);
    publish_many(r, 0, 1000);
    assert_true(AWAIT(r, got_messages, 1000));
    assert_in_range(r->largest, 1, MQTT_LINK_BATCH);
    assert_in_range(r->batches, 4, 1000);
    assert_string_equal(r->topics[0], "d/1");
    assert_string_equal(r->topics[999], "d/1000");
}

static void a_second_ack_changes_nothing(void **state)
{
    struct rig *r = *state;
    rig_up_now(r);
    publish_many(r, 1, 3);
    assert_true(AWAIT(r, got_pubacks, 3));
    mqtt_link_ack(r->link);
    rig_pause(r, 30);
    assert_int_equal(broker_count(&r->broker, BROKER_PUBACK), 3);
}

static void what_was_held_when_it_broke_is_not_acknowledged(void **state)
{
    struct rig *r = *state;
    r->ack_at_once = false;
    rig_up_now(r);
    publish_many(r, 1, 4);
    assert_true(AWAIT(r, got_messages, 1));
    broker_drop(&r->broker);
    rig_pause(r, 50);
    mqtt_link_ack(r->link); // too late: the broker will send them again
    r->broker.session_present = true;
    assert_true(AWAIT(r, got_ups, 2));
    rig_pause(r, 50);
    assert_int_equal(broker_count(&r->broker, BROKER_PUBACK), 0);
    assert_true(r->session);
    size_t before = r->messages;
    publish_many(r, 1, 4);
    assert_true(AWAIT(r, got_messages, before + 1));
    mqtt_link_ack(r->link);
    assert_true(AWAIT(r, got_pubacks, 1));
}

static void messages_come_as_they_are(void **state)
{
    struct rig *r = *state;
    rig_up_now(r);
    broker_publish(&r->broker, STR("a/b"), STR("21.5"), 0, true, 0);
    assert_true(AWAIT(r, got_messages, 1));
    assert_string_equal(r->topics[0], "a/b");
    assert_string_equal(r->payload, "21.5");
    assert_true(r->retain);
    broker_publish(&r->broker, STR("a/b"), STR(""), 1, false, 9);
    assert_true(AWAIT(r, got_pubacks, 1));
    assert_int_equal(r->messages, 2);
    assert_string_equal(r->payload, "");
}

static void what_may_not_be_is_dropped_and_acknowledged(void **state)
{
    struct rig *r = *state;
    char *large = mem_zalloc(70000, 1);
    rig_up_now(r);
    broker_publish(&r->broker, STR("a/#"), STR("x"), 1, false, 1);
    broker_publish(&r->broker, STR("a/+/b"), STR("x"), 1, false, 2);
    broker_publish(&r->broker, STR("a"), (struct str){large, 70000}, 1, false, 3);
    assert_true(AWAIT(r, got_pubacks, 3));
    assert_int_equal(r->messages, 0);
    assert_int_equal(r->downs, 0);
    mem_free(large);
}

/* Subscriptions. */

static void subscriptions_are_sent_again(void **state)
{
    struct rig *r = *state;
    rig_start(r);
    assert_int_equal(mqtt_link_subscribe(r->link, STR("a/+"), 1), ERR_OK);
    assert_int_equal(mqtt_link_subscribe(r->link, STR("b/#"), 2), ERR_OK);
    assert_int_equal(mqtt_link_subscribe(r->link, STR("c/#/d"), 1), ERR_BADREQ);
    assert_true(AWAIT(r, got_subscribed, 2));
    const struct broker_packet *s = broker_last(&r->broker, BROKER_SUBSCRIBE);
    assert_int_equal(s->filters, 2);
    assert_string_equal(s->text, "a/+");
    assert_int_equal(s->options & 3, 1);
    assert_int_equal(s->options & 0x30, 0); // retained messages are wanted again: they tell what was missed
    r->broker.session_present = true;
    broker_drop(&r->broker);
    assert_true(AWAIT(r, got_subscribed, 4));
    assert_int_equal(broker_last(&r->broker, BROKER_SUBSCRIBE)->connection, 2);
    assert_int_equal(r->refused, 0);
}

static void many_go_in_packets_of_eight(void **state)
{
    struct rig *r = *state;
    char filter[32];
    rig_start(r);
    for (int i = 0; i < 100; i++) {
        snprintf(filter, sizeof filter, "d/%d/+", i);
        assert_int_equal(mqtt_link_subscribe(r->link, str_c(filter), 1), ERR_OK);
    }
    assert_true(AWAIT(r, got_subscribed, 100));
    assert_int_equal(broker_count(&r->broker, BROKER_SUBSCRIBE), 13);
}

static void a_refused_subscription_is_told(void **state)
{
    struct rig *r = *state;
    r->broker.suback = 0x87;
    rig_up_now(r);
    assert_int_equal(mqtt_link_subscribe(r->link, STR("secret/#"), 1), ERR_OK);
    assert_true(AWAIT(r, got_subscribed, 1));
    assert_int_equal(r->refused, 1);
    assert_string_equal(r->refused_filter, "secret/#");
}

static bool got_unsubscribe(struct rig *r)
{
    return broker_count(&r->broker, BROKER_UNSUBSCRIBE) >= r->expected;
}

static void unsubscribing_while_down_is_made_up_for(void **state)
{
    struct rig *r = *state;
    rig_up_now(r);
    assert_int_equal(mqtt_link_subscribe(r->link, STR("a"), 1), ERR_OK);
    assert_int_equal(mqtt_link_subscribe(r->link, STR("b"), 1), ERR_OK);
    assert_true(AWAIT(r, got_subscribed, 2));
    mqtt_link_unsubscribe(r->link, STR("a"));
    assert_true(AWAIT(r, got_unsubscribe, 1));
    r->broker.session_present = true;
    broker_drop(&r->broker);
    r->downs = 0;
    assert_true(rig_wait(r, rig_is_down, 2000));
    mqtt_link_unsubscribe(r->link, STR("b"));
    mqtt_link_unsubscribe(r->link, STR("never"));
    assert_true(AWAIT(r, got_unsubscribe, 2));
    assert_string_equal(broker_last(&r->broker, BROKER_UNSUBSCRIBE)->text, "b");
    assert_int_equal(broker_count(&r->broker, BROKER_SUBSCRIBE), 1);
}

static void removed_before_the_answer(void **state)
{
    struct rig *r = *state;
    rig_up_now(r);
    assert_int_equal(mqtt_link_subscribe(r->link, STR("a"), 1), ERR_OK);
    assert_int_equal(mqtt_link_subscribe(r->link, STR("b"), 1), ERR_OK);
    assert_true(AWAIT(r, got_subscribes, 1));
    mqtt_link_unsubscribe(r->link, STR("a"));
    r->broker.suback = 0;
    assert_true(AWAIT(r, got_unsubscribe, 1));
    assert_true(AWAIT(r, got_subscribed, 1));
    rig_pause(r, 20);
    assert_int_equal(r->refused, 0);
}

/* Publishing. */

static void outcomes_of_publishes(void **state)
{
    struct rig *r = *state;
    rig_start(r);
    assert_int_equal(say(r, "x", 1, 1), ERR_OFFLINE);
    assert_true(rig_wait(r, rig_is_up, 3000));
    assert_int_equal(say(r, "d/set", 0, 10), ERR_OK);
    assert_int_equal(say(r, "d/set", 1, 11), ERR_OK);
    assert_int_equal(say(r, "d/set", 1, 0), ERR_OK);
    assert_true(AWAIT(r, got_outcomes, 2));
    assert_int_equal(r->outcomes[0].token, 10);
    assert_int_equal(r->outcomes[0].err, ERR_OK);
    assert_int_equal(r->outcomes[1].token, 11);
    assert_int_equal(r->outcomes[1].err, ERR_OK);
    r->broker.puback = 0x87;
    assert_int_equal(say(r, "d/set", 1, 12), ERR_OK);
    assert_true(AWAIT(r, got_outcomes, 3));
    assert_int_equal(r->outcomes[2].err, ERR_FORBIDDEN);
    assert_non_null(strstr(r->outcomes[2].why, "not authorized"));
}

static void bad_topics_are_not_published(void **state)
{
    static const char *const topics[] = {"", "a/+", "a/#", "$SYS/x", "a\001b", "a\xff", "a\x7f"};
    struct rig *r = *state;
    rig_up_now(r);
    for (size_t i = 0; i < COUNT(topics); i++)
        assert_int_equal(say(r, topics[i], 1, 1), ERR_BADREQ);
    assert_int_equal(say(r, "a", 2, 1), ERR_BADREQ);
    const struct mqtt_publish wild = {.topic = STR("a"), .response_topic = STR("b/#")};
    assert_int_equal(mqtt_link_publish(r->link, &wild), ERR_BADREQ);
    rig_pause(r, 30);
    assert_int_equal(broker_count(&r->broker, BROKER_PUBLISH), 0);
}

static void an_expiry_is_told_to_the_broker(void **state)
{
    struct rig *r = *state;
    rig_up_now(r);
    const struct mqtt_publish p = {.topic = STR("d/set"),
                                   .payload = STR("1"),
                                   .qos = 1,
                                   .expiry_s = 30,
                                   .response_topic = STR("re/1"),
                                   .correlation = STR("c1")};
    assert_int_equal(mqtt_link_publish(r->link, &p), ERR_OK);
    assert_true(AWAIT(r, got_publishes, 1));
    assert_int_equal(broker_last(&r->broker, BROKER_PUBLISH)->expiry, 30);
    assert_string_equal(broker_last(&r->broker, BROKER_PUBLISH)->payload, "1");
}

static void the_window_is_the_brokers(void **state)
{
    struct rig *r = *state;
    r->broker.receive_maximum = 2;
    r->broker.keep_pubacks = true;
    rig_up_now(r);
    assert_int_equal(say(r, "d", 1, 1), ERR_OK);
    assert_int_equal(say(r, "d", 1, 2), ERR_OK);
    assert_int_equal(say(r, "d", 1, 3), ERR_AGAIN);
    assert_true(AWAIT(r, got_publishes, 2));
    broker_answer_publish(&r->broker, broker_last(&r->broker, BROKER_PUBLISH)->mid); // out of order
    assert_true(AWAIT(r, got_outcomes, 1));
    assert_int_equal(r->outcomes[0].token, 2);
    assert_int_equal(say(r, "d", 1, 3), ERR_OK);
}

static void in_flight_when_it_broke_fails_once(void **state)
{
    struct rig *r = *state;
    r->broker.keep_pubacks = true;
    rig_up_now(r);
    for (uint64_t token = 1; token <= 5; token++)
        assert_int_equal(say(r, "d/set", 1, token), ERR_OK);
    assert_true(AWAIT(r, got_publishes, 5));
    r->broker.session_present = true;
    broker_drop(&r->broker);
    assert_true(AWAIT(r, got_outcomes, 5));
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(r->outcomes[i].token, i + 1);
        assert_int_equal(r->outcomes[i].err, ERR_OFFLINE);
    }
    assert_true(AWAIT(r, got_ups, 2));
    rig_pause(r, 100);
    assert_int_equal(broker_count(&r->broker, BROKER_PUBLISH), 5); // nothing is sent again behind our back
    assert_int_equal(r->outcome_count, 5);
    r->broker.keep_pubacks = false;
    assert_int_equal(say(r, "d/set", 1, 6), ERR_OK);
    assert_true(AWAIT(r, got_outcomes, 6));
    assert_int_equal(r->outcomes[5].err, ERR_OK);
}

static void a_thousand_publishes(void **state)
{
    struct rig *r = *state;
    rig_up_now(r);
    for (uint64_t token = 1; token <= 1000; token++)
        assert_int_equal(say(r, "d/set", token & 1, token), ERR_OK);
    assert_int_equal(say(r, "d/set", 0, 1001), ERR_AGAIN);
    assert_true(AWAIT(r, got_outcomes, 1000));
    uint64_t sum = 0;
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(r->outcomes[i].err, ERR_OK);
        sum += r->outcomes[i].token;
    }
    assert_int_equal(sum, 500500);
}

/* Going down. */

static void poison_sender(struct broker *b, void *ud)
{
    bool *clean_helps = ud;
    bool clean = broker_last(b, BROKER_CONNECT)->flags & 2;
    if (clean && *clean_helps)
        return;
    size_t acked = broker_count(b, BROKER_PUBACK);
    if (acked < 1)
        broker_publish(b, STR("good/1"), STR("x"), 1, false, 1);
    if (acked < 2)
        broker_publish(b, STR("good/2"), STR("x"), 1, false, 2);
    broker_publish(b, STR("bad\001topic"), STR("x"), 1, false, 3);
}

static void poison_costs_the_session_once(void **state)
{
    struct rig *r = *state;
    bool clean_helps = true;
    r->broker.accepted = poison_sender;
    r->broker.ud = &clean_helps;
    r->broker.session_present = true;
    rig_start(r);
    assert_true(AWAIT(r, got_poison, 1));
    assert_int_equal(r->poisons, 1);
    assert_int_equal(broker_last(&r->broker, BROKER_CONNECT)->flags & 2, 2);
    assert_int_equal(broker_count(&r->broker, BROKER_PUBACK), 2); // what stood before it was taken, and acknowledged
    assert_in_range(r->broker.connections, 4, 7);
    broker_publish(&r->broker, STR("good/3"), STR("x"), 1, false, 4);
    assert_true(AWAIT(r, got_pubacks, 3));
    broker_drop(&r->broker); // the next one resumes
    clean_helps = true;
    r->broker.accepted = NULL;
    size_t ups = r->ups;
    assert_true(AWAIT(r, got_ups, ups + 1));
    assert_int_equal(broker_last(&r->broker, BROKER_CONNECT)->flags & 2, 0);
}

static void retained_poison(struct broker *b, void *ud)
{
    (void)ud;
    broker_publish(b, STR("bad\001topic"), STR("x"), 1, true, 3);
}

enum { BACKLOG = 100 };

static void poison_behind_a_backlog(struct broker *b, void *ud)
{
    (void)ud;
    if (broker_last(b, BROKER_CONNECT)->flags & 2)
        return;
    for (int i = (int)broker_count(b, BROKER_PUBACK) + 1; i <= BACKLOG; i++)
        broker_publish(b, STR("good"), STR("x"), 1, false, i);
    broker_publish(b, STR("bad\001topic"), STR("x"), 1, false, BACKLOG + 1);
}

static void a_backlog_before_poison_is_taken_at_once(void **state)
{
    struct rig *r = *state;
    r->broker.accepted = poison_behind_a_backlog;
    r->broker.session_present = true;
    rig_start(r);
    assert_true(AWAIT(r, got_poison, 1));
    assert_int_equal(broker_count(&r->broker, BROKER_PUBACK), BACKLOG);
    assert_int_equal(r->broker.connections, 5); // all, one by one, twice nothing, clean
}

static bool reads_in_batches(struct rig *r)
{
    if (rig_is_up(r) && r->messages >= r->expected) {
        publish_many(r, 0, 4);
        r->expected = r->messages + 4;
    }
    return r->largest > 1;
}

static void one_failure_is_forgiven(void **state)
{
    struct rig *r = *state;
    r->broker.accepted = retained_poison;
    rig_start(r);
    assert_true(rig_wait(r, rig_is_down, 3000));
    r->broker.accepted = NULL;
    assert_true(AWAIT(r, got_ups, 2));
    int64_t since = loop_now(r->loop);
    r->expected = r->messages;
    assert_true(rig_wait(r, reads_in_batches, 15000));
    assert_in_range(loop_now(r->loop) - since, 9000, 15000); // until then one at a time
    assert_int_equal(r->poisons, 0);
    assert_true(rig_is_up(r));
}

static bool retained_off(struct rig *r)
{
    const struct broker_packet *s = broker_last(&r->broker, BROKER_SUBSCRIBE);
    if (r->poisons >= 2)
        r->broker.accepted = NULL; // such a broker sends it only to who asks for retained messages
    return s && (s->options & 0x30) == 0x20;
}

static void retained_poison_is_not_asked_for(void **state)
{
    struct rig *r = *state;
    r->broker.accepted = retained_poison;
    rig_start(r);
    assert_int_equal(mqtt_link_subscribe(r->link, STR("#"), 1), ERR_OK);
    assert_true(rig_wait(r, retained_off, 20000));
    assert_int_equal(r->poisons, 2);
}

static void an_old_session_is_renewed_after_poison(void **state)
{
    struct rig *r = *state;
    bool clean_helps = true;
    r->cfg.protocol = MQTT_311;
    r->broker.accepted = poison_sender;
    r->broker.ud = &clean_helps;
    rig_start(r);
    r->expected = 1;
    while (r->poisons == 0)
        rig_pause(r, 10);
    r->broker.accepted = NULL;
    assert_true(rig_wait(r, rig_is_up, 5000));
    // Clean Session 1 would keep nothing over the next outage: another connection follows at once.
    assert_int_equal(broker_last(&r->broker, BROKER_CONNECT)->flags & 2, 0);
}

static void taken_over_is_no_reason_to_fight(void **state)
{
    struct rig *r = *state;
    rig_up_now(r);
    broker_disconnect(&r->broker, 0x8e);
    assert_true(rig_wait(r, rig_is_down, 3000));
    assert_int_equal(r->down_err, ERR_EXISTS);
    assert_non_null(strstr(r->down_why, "`client_id`"));
    rig_pause(r, 2500);
    assert_int_equal(r->broker.connections, 1);
    assert_state_has(r, " min");
}

static void a_broker_that_shuts_down_comes_back(void **state)
{
    struct rig *r = *state;
    rig_up_now(r);
    broker_disconnect(&r->broker, 0x8b);
    assert_true(rig_wait(r, rig_is_down, 3000));
    assert_int_equal(r->down_err, ERR_CLOSED);
    assert_true(AWAIT(r, got_ups, 2));
    assert_int_equal(r->downs, 1);
}

/* Hanging. */

// A listener whose queue is full: the kernel lets a connect wait for minutes.
struct blackhole {
    int listener, fillers[8];
    uint16_t port;
};

static void blackhole_open(struct blackhole *h)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    h->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_return_code(bind(h->listener, (struct sockaddr *)&at, n), 0);
    assert_return_code(listen(h->listener, 0), 0);
    assert_return_code(getsockname(h->listener, (struct sockaddr *)&at, &n), 0);
    h->port = ntohs(at.sin_port);
    for (size_t i = 0; i < COUNT(h->fillers); i++) {
        h->fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(h->fillers[i], (struct sockaddr *)&at, sizeof at);
    }
}

static void blackhole_close(struct blackhole *h)
{
    for (size_t i = 0; i < COUNT(h->fillers); i++)
        close(h->fillers[i]);
    close(h->listener);
}

static void close_while_a_connect_hangs(void **state)
{
    struct rig *r = *state;
    struct blackhole hole;
    blackhole_open(&hole);
    r->cfg.port = hole.port;
    rig_start(r);
    timer_set(&r->probe, loop_now(r->loop));
    rig_pause(r, 500);
    assert_state_has(r, "connecting");
    int64_t before = loop_now(r->loop);
    rig_close(r);
    assert_in_range(loop_now(r->loop) - before, 0, 100);
    rig_pause(r, 100);
    assert_in_range(r->slowest, 0, 200); // of a hang of 400 and more: the machine may be busy
    blackhole_close(&hole);              // the thread comes back with a refusal, and frees what is left
    timer_set(&r->probe, INT64_MAX);
    rig_pause(r, 200);
}

static void a_host_that_does_not_answer_is_given_up(void **state)
{
    struct rig *r = *state;
    struct blackhole hole;
    blackhole_open(&hole);
    r->cfg.port = hole.port;
    r->cfg.connect_ms = 200;
    rig_start(r);
    assert_true(rig_wait(r, rig_is_down, 3000));
    assert_int_equal(r->down_err, ERR_TIMEOUT);
    assert_state_has(r, "the host does not answer");
    blackhole_close(&hole); // now the thread that was given up reports: nobody listens
    rig_pause(r, 200);
    assert_int_equal(r->downs, 1);
    assert_int_equal(r->ups, 0);
}

static void a_broker_that_does_not_answer_is_given_up(void **state)
{
    struct rig *r = *state;
    r->broker.mute = true;
    r->cfg.connect_ms = 200;
    rig_start(r);
    assert_true(rig_wait(r, rig_is_down, 3000));
    assert_int_equal(r->down_err, ERR_TIMEOUT);
    assert_state_has(r, "CONNECT is not answered");
    r->broker.mute = false;
    assert_true(rig_wait(r, rig_is_up, 5000));
}

static void a_hanging_name_server_blocks_nobody(void **state)
{
    struct rig *r = *state;
    r->cfg.host = "hang.test";
    rig_start(r);
    timer_set(&r->probe, loop_now(r->loop));
    assert_true(rig_wait(r, rig_is_down, 3000));
    assert_int_equal(r->down_err, ERR_RESOLVE);
    assert_in_range(r->slowest, 0, 200); // of a hang of 400 and more: the machine may be busy
    rig_close(r);
    r->slowest = 0;
    for (int i = 0; i < 5; i++) { // and is left behind
        rig_start(r);
        rig_pause(r, 20);
        rig_close(r);
    }
    assert_in_range(r->slowest, 0, 200); // of a hang of 400 and more: the machine may be busy
    timer_set(&r->probe, INT64_MAX);
    rig_pause(r, 600);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(connects_as_configured),
        TEST(tells_a_resumed_session),
        TEST(a_second_greeting_changes_nothing),
        TEST(falls_back_on_reason_84),
        TEST(falls_back_on_the_code_of_an_old_broker),
        TEST(a_fixed_version_does_not_fall_back),
        TEST(refusals_name_cause_and_remedy),
        TEST(a_refused_connection_is_told_once),
        TEST(no_tls_there),
        TEST(a_reset_in_the_tls_handshake_is_seen),
        TEST(a_bad_ca_file_is_named),
        TEST(nothing_is_acknowledged_before_it_is_durable),
        TEST(a_long_commit_is_told_once),
        TEST(batches_are_bounded),
        TEST(a_second_ack_changes_nothing),
        TEST(what_was_held_when_it_broke_is_not_acknowledged),
        TEST(messages_come_as_they_are),
        TEST(what_may_not_be_is_dropped_and_acknowledged),
        TEST(subscriptions_are_sent_again),
        TEST(many_go_in_packets_of_eight),
        TEST(a_refused_subscription_is_told),
        TEST(unsubscribing_while_down_is_made_up_for),
        TEST(removed_before_the_answer),
        TEST(outcomes_of_publishes),
        TEST(bad_topics_are_not_published),
        TEST(an_expiry_is_told_to_the_broker),
        TEST(the_window_is_the_brokers),
        TEST(in_flight_when_it_broke_fails_once),
        TEST(a_thousand_publishes),
        TEST(poison_costs_the_session_once),
        TEST(a_backlog_before_poison_is_taken_at_once),
        TEST(one_failure_is_forgiven),
        TEST(retained_poison_is_not_asked_for),
        TEST(an_old_session_is_renewed_after_poison),
        TEST(taken_over_is_no_reason_to_fight),
        TEST(a_broker_that_shuts_down_comes_back),
        TEST(close_while_a_connect_hangs),
        TEST(a_host_that_does_not_answer_is_given_up),
        TEST(a_broker_that_does_not_answer_is_given_up),
        TEST(a_hanging_name_server_blocks_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
