#include "lib/check.h"
#include "lib/fake_broker.h"

#include "adapters/mqtt/mqtt.h"
#include "adapters/mqtt/mqtt_conf.h"
#include "adapters/mqtt/mqtt_settings.h"
#include "base/rng.h"
#include "net/loop.h"

#include <stdio.h>
#include <stdlib.h>

enum { KEEP = 512 };

struct post {
    enum event_kind kind;
    uint64_t token;
    unsigned flags;
    enum err err;
    char key[64], body[128], blob[64];
};

// The bridge, as far as an instance sees it.
struct bridge {
    struct adapter_env env;
    struct loop *loop;
    struct rng rng;
    struct timer poll, waker;
    struct broker broker;
    struct adapter *adapter; // NULL once closed
    struct post posts[KEEP];
    size_t posted;
    bool journal; // commits at once (but not from inside post); else what asks for durability is not answered
    bool stuck;   // takes nothing that is posted
    size_t answered;
    bool (*until)(struct bridge *b);
    size_t expected;
    int64_t deadline;
    bool came;
    char report[512];
};

static struct bridge bridge;

static void keep(char *to, size_t size, struct str s)
{
    snprintf(to, size, STR_FMT, STR_ARG(s));
}

static void env_post(struct adapter_env *env, const struct event *ev)
{
    struct bridge *b = CONTAINER_OF(env, struct bridge, env);
    assert_true(b->posted < KEEP);
    struct post *p = &b->posts[b->posted++];
    *p = (struct post){.kind = ev->kind, .token = ev->token, .flags = ev->flags, .err = ev->err};
    keep(p->key, sizeof p->key, ev->key);
    keep(p->body, sizeof p->body, ev->body);
    keep(p->blob, sizeof p->blob, ev->blob);
}

static int64_t env_now(struct adapter_env *env)
{
    return loop_now(env->loop);
}

static int64_t env_wall(struct adapter_env *env)
{
    return loop_wall(env->loop);
}

static void env_wake(struct adapter_env *env, int64_t at)
{
    struct bridge *b = CONTAINER_OF(env, struct bridge, env);
    timer_set(&b->waker, at);
}

static void on_waker(void *ud)
{
    struct bridge *b = ud;
    if (b->adapter)
        b->adapter->ops->wake(b->adapter);
}

static bool is_own(const struct post *p)
{
    return p->token && p->kind != EV_DELIVERED && p->kind != EV_FAILED;
}

static bool is_gated(const struct post *p)
{
    return is_own(p) && (p->flags & EVENT_DURABLE);
}

// In order; with nothing durable, up to the first that is to be.
static void answer(struct bridge *b, enum event_kind kind, bool durable)
{
    for (; b->answered < b->posted; b->answered++) {
        const struct post *p = &b->posts[b->answered];
        if (is_gated(p) && !durable)
            return;
        const struct event ev = {.kind = kind, .token = p->token, .err = kind == EV_REFUSED ? ERR_AGAIN : ERR_OK};
        if (is_own(p))
            assert_int_equal(b->adapter->ops->send(b->adapter, &ev), ERR_OK);
    }
}

static void on_poll(void *ud)
{
    struct bridge *b = ud;
    if (b->adapter && !b->stuck)
        answer(b, EV_JOURNALED, b->journal);
    b->came = b->until(b);
    if (b->came || loop_now(b->loop) > b->deadline)
        loop_stop(b->loop);
    else
        timer_set(&b->poll, loop_now(b->loop) + 2);
}

static bool wait_for(struct bridge *b, bool (*until)(struct bridge *b), size_t expected, int64_t ms)
{
    b->until = until;
    b->expected = expected;
    b->deadline = loop_now(b->loop) + ms;
    timer_set(&b->poll, loop_now(b->loop));
    loop_run(b->loop);
    return b->came;
}

#define AWAIT(b, condition, expected) assert_true(wait_for((b), (condition), (expected), 5000))

static bool never(struct bridge *b)
{
    (void)b;
    return false;
}

static void pause_for(struct bridge *b, int64_t ms)
{
    (void)wait_for(b, never, 0, ms);
}

static size_t count_posts(const struct bridge *b, enum event_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < b->posted; i++)
        count += b->posts[i].kind == kind;
    return count;
}

static size_t count_tokens(const struct bridge *b)
{
    size_t count = 0;
    for (size_t i = 0; i < b->posted; i++)
        count += is_gated(&b->posts[i]);
    return count;
}

static bool link_ups(struct bridge *b)
{
    return count_posts(b, EV_LINK_UP) >= b->expected;
}

static bool subscribes(struct bridge *b)
{
    return broker_count(&b->broker, BROKER_SUBSCRIBE) >= b->expected;
}

static bool pubacks(struct bridge *b)
{
    return broker_count(&b->broker, BROKER_PUBACK) >= b->expected;
}

static bool tokens(struct bridge *b)
{
    return count_tokens(b) >= b->expected;
}

static bool identities(struct bridge *b)
{
    return count_posts(b, EV_IDENTITY) >= b->expected;
}

static bool barriers(struct bridge *b)
{
    return count_posts(b, EV_BARRIER) >= b->expected;
}

static bool messages(struct bridge *b)
{
    return count_posts(b, EV_MESSAGE) >= b->expected;
}

static bool published(struct bridge *b)
{
    return broker_count(&b->broker, BROKER_PUBLISH) >= b->expected;
}

static bool outcomes(struct bridge *b)
{
    return count_posts(b, EV_DELIVERED) + count_posts(b, EV_FAILED) >= b->expected;
}

static bool downs(struct bridge *b)
{
    return count_posts(b, EV_LINK_DOWN) >= b->expected;
}

static bool is_closed(struct bridge *b)
{
    return b->adapter == NULL;
}

static void on_closed(void *ud)
{
    struct bridge *b = ud;
    b->adapter = NULL;
}

/* Sections. */

static const char plain[] = "broker: 127.0.0.1:%d\n"
                            "%s\n"
                            "devices:\n"
                            "  sensors:\n"
                            "    topic: devices/+/state\n"
                            "    availability: [{topic: 'devices/{1}/status'}]\n"
                            "    readings:\n"
                            "      temperature: {value: temperature, unit: °C}\n"
                            "    controls:\n"
                            "      power: {topic: 'devices/{1}/set', type: bool}\n"
                            "    alerts:\n"
                            "      - {reading: temperature, above: 30, message: 'hot: {temperature}', every: 0s}\n"
                            "    files:\n"
                            "      picture: {topic: 'devices/{1}/jpeg', every: 1s}\n";

static struct conf_value *section(struct bridge *b, const char *more, struct conf_report *report)
{
    char text[2048];
    snprintf(text, sizeof text, plain, b->broker.port, more);
    struct conf_value *v = conf_parse(str_c(text), "test.yaml", mqtt_schema, report);
    if (!v)
        fail_msg(STR_FMT, STR_ARG(conf_report_text(report)));
    return v;
}

static enum err create(struct bridge *b, const char *more)
{
    struct conf_report *report = conf_report_create();
    struct conf_value *v = section(b, more, report);
    enum err e = mqtt_adapter_ops.create(&b->env, v, report, &b->adapter);
    keep(b->report, sizeof b->report, conf_report_text(report));
    assert_int_equal(e != ERR_OK, conf_errors(report) > 0);
    conf_destroy(v);
    conf_report_destroy(report);
    return e;
}

static enum err reload(struct bridge *b, const char *more)
{
    struct conf_report *report = conf_report_create();
    struct conf_value *v = section(b, more, report);
    enum err e = mqtt_adapter_ops.reload(b->adapter, v, report);
    keep(b->report, sizeof b->report, conf_report_text(report));
    conf_destroy(v);
    conf_report_destroy(report);
    return e;
}

static void no_log(void *ud, struct str line)
{
    (void)ud;
    if (getenv("RIG_LOG"))
        print_message(STR_FMT "\n", STR_ARG(line));
}

static int setup(void **state)
{
    struct bridge *b = &bridge;
    memset(b, 0, sizeof *b);
    log_to_sink(no_log, NULL);
    b->loop = loop_create();
    rng_init(&b->rng, 1);
    timer_init(&b->poll, b->loop, on_poll, b);
    timer_init(&b->waker, b->loop, on_waker, b);
    broker_start(&b->broker, loop_uv(b->loop), 0);
    b->env = (struct adapter_env){.name = "home",
                                  .number = 1,
                                  .loop = b->loop,
                                  .log = {NULL, LOG_SUB_mqtt, "adapter", "home"},
                                  .rng = &b->rng,
                                  .post = env_post,
                                  .now = env_now,
                                  .wall = env_wall,
                                  .wake = env_wake};
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bridge *b = *state;
    if (b->adapter) {
        mqtt_adapter_ops.close(b->adapter, on_closed, b);
        AWAIT(b, is_closed, 0);
    }
    broker_stop(&b->broker);
    pause_for(b, 10);
    timer_finish(&b->poll);
    timer_finish(&b->waker);
    loop_run(b->loop);
    loop_destroy(b->loop);
    return 0;
}

// Up, subscribed, with one device that is online.
static void start(struct bridge *b)
{
    assert_int_equal(create(b, ""), ERR_OK);
    mqtt_adapter_ops.start(b->adapter);
    AWAIT(b, link_ups, 1);
    AWAIT(b, subscribes, 1);
}

static void one_device(struct bridge *b)
{
    start(b);
    broker_publish(&b->broker, STR("devices/lamp/status"), STR("online"), 0, false, 0);
    broker_publish(&b->broker, STR("devices/lamp/state"), STR("{\"temperature\": 20}"), 0, false, 0);
    AWAIT(b, identities, 1);
    pause_for(b, 50);
}

static void command(struct bridge *b, uint64_t token)
{
    struct event ev = {.kind = EV_MESSAGE,
                       .token = token,
                       .body = STR("set power on"),
                       .rights = RIGHT_SEE | RIGHT_SEND | RIGHT_COMMAND,
                       .now = loop_now(b->loop),
                       .wall = loop_wall(b->loop)};
    for (size_t i = 0; i < b->posted; i++) {
        if (b->posts[i].kind == EV_IDENTITY)
            ev.key = str_c(b->posts[i].key);
    }
    assert_int_equal(b->adapter->ops->send(b->adapter, &ev), ERR_OK);
}

/* Tests. */

static void acknowledges_when_it_is_durable(void **state)
{
    struct bridge *b = *state;
    one_device(b);
    broker_publish(&b->broker, STR("devices/lamp/state"), STR("{\"temperature\": 35}"), 1, false, 1);
    broker_publish(&b->broker, STR("devices/fan/state"), STR("{\"temperature\": 10}"), 1, false, 2);
    AWAIT(b, tokens, 1);
    pause_for(b, 200);
    assert_int_equal(broker_count(&b->broker, BROKER_PUBACK), 0);
    assert_int_equal(count_posts(b, EV_MESSAGE), 1);
    for (size_t i = 0; i < b->posted; i++) {
        if (b->posts[i].kind == EV_MESSAGE)
            assert_int_equal(b->posts[i].flags & EVENT_DURABLE, EVENT_DURABLE);
    }
    assert_true(b->posts[b->posted - 1].token != 0); // nothing of the batch stands behind the last token
    b->journal = true;
    AWAIT(b, pubacks, 2);
}

// It is acknowledged once it has been taken: what becomes of it is promised to nobody.
static void a_file_is_not_awaited(void **state)
{
    struct bridge *b = *state;
    one_device(b);
    b->journal = true;
    broker_publish(&b->broker, STR("devices/lamp/jpeg"), STR("\xff\xd8\xff picture"), 1, false, 1);
    AWAIT(b, pubacks, 1);
    assert_int_equal(count_posts(b, EV_MESSAGE), 1);
    for (size_t i = 0; i < b->posted; i++) {
        if (b->posts[i].kind != EV_MESSAGE)
            continue;
        assert_int_equal(b->posts[i].token, 0);
        assert_int_equal(b->posts[i].flags & EVENT_DURABLE, 0);
        assert_string_equal(b->posts[i].blob, "\xff\xd8\xff picture");
    }
}

static void every_token_is_awaited(void **state)
{
    struct bridge *b = *state;
    one_device(b);
    broker_publish(&b->broker, STR("devices/lamp/state"), STR("{\"temperature\": 35}"), 1, false, 1);
    broker_publish(&b->broker, STR("devices/fan/state"), STR("{\"temperature\": 10}"), 1, false, 2);
    AWAIT(b, tokens, 2);
    uint64_t first = 0;
    for (size_t i = 0; i < b->posted && !first; i++)
        first = is_gated(&b->posts[i]) ? b->posts[i].token : 0;
    const struct event ev = {.kind = EV_JOURNALED, .token = first};
    assert_int_equal(b->adapter->ops->send(b->adapter, &ev), ERR_OK);
    pause_for(b, 100);
    assert_int_equal(broker_count(&b->broker, BROKER_PUBACK), 0);
}

static void a_refusal_is_an_end_too(void **state)
{
    struct bridge *b = *state;
    one_device(b);
    broker_publish(&b->broker, STR("devices/lamp/state"), STR("{\"temperature\": 35}"), 1, false, 1);
    AWAIT(b, tokens, 1);
    pause_for(b, 20);
    struct adapter_stat before, after;
    b->adapter->ops->stat(b->adapter, &before);
    assert_true(before.queued > 0);
    answer(b, EV_REFUSED, true);
    AWAIT(b, pubacks, 1);
    b->adapter->ops->stat(b->adapter, &after);
    assert_true(after.dropped > before.dropped);
    assert_int_equal(after.queued, 0);
}

static void what_owes_nothing_is_acknowledged_at_once(void **state)
{
    struct bridge *b = *state;
    one_device(b);
    broker_publish(&b->broker, STR("elsewhere"), STR("x"), 1, false, 1);
    AWAIT(b, pubacks, 1);
    assert_int_equal(count_tokens(b), 0);
    broker_publish(&b->broker, STR("devices/lamp/state"), STR("{\"temperature\": 35}"), 0, false, 0);
    pause_for(b, 50);
    assert_int_equal(count_posts(b, EV_MESSAGE), 1);
    assert_int_equal(count_tokens(b), 0); // QoS 0: nobody waits for the disk
    broker_publish(&b->broker, STR("elsewhere"), STR("x"), 1, false, 2);
    AWAIT(b, pubacks, 2);
}

// A flood at QoS 0 waits at the broker, not here; commands still go out.
static void no_more_is_read_than_is_taken(void **state)
{
    struct bridge *b = *state;
    one_device(b);
    b->stuck = true;
    broker_publish(&b->broker, STR("devices/lamp/state"), STR("{\"temperature\": 35}"), 0, false, 0);
    AWAIT(b, barriers, count_posts(b, EV_BARRIER) + 1);
    size_t posted = b->posted;
    for (unsigned i = 0; i < 50; i++)
        broker_publish(&b->broker, STR("devices/lamp/state"), STR("{\"temperature\": 20}"), 0, false, 0);
    for (unsigned i = 0; i < 50; i++)
        broker_publish(&b->broker, STR("devices/lamp/state"), STR("{\"temperature\": 36}"), 0, false, 0);
    command(b, 79);
    AWAIT(b, published, 1);
    pause_for(b, 100);
    assert_int_equal(b->posted, posted);
    b->stuck = false;
    AWAIT(b, messages, 2);
}

static void answers_for_a_lost_link_release_nothing(void **state)
{
    struct bridge *b = *state;
    one_device(b);
    broker_publish(&b->broker, STR("devices/lamp/state"), STR("{\"temperature\": 35}"), 1, false, 1);
    broker_drop(&b->broker); // the message and the end are read together
    AWAIT(b, link_ups, 2);
    assert_true(count_tokens(b) > 0);
    size_t before = count_tokens(b);
    broker_publish(&b->broker, STR("devices/fan/state"), STR("{\"temperature\": 36}"), 1, false, 2);
    AWAIT(b, tokens, before + 1);
    const struct event ev = {.kind = EV_JOURNALED, .token = 1};
    assert_int_equal(b->adapter->ops->send(b->adapter, &ev), ERR_OK);
    pause_for(b, 50);
    assert_int_equal(broker_count(&b->broker, BROKER_PUBACK), 0);
}

static void outages_are_told(void **state)
{
    struct bridge *b = *state;
    start(b);
    struct adapter_stat stat;
    b->adapter->ops->stat(b->adapter, &stat);
    assert_true(stat.up);
    assert_true(str_starts(stat.state, STR("up: 127.0.0.1:")));
    broker_drop(&b->broker);
    AWAIT(b, downs, 1);
    b->adapter->ops->stat(b->adapter, &stat);
    assert_false(stat.up);
    assert_true(str_starts(stat.state, STR("down: 127.0.0.1:")));
    assert_true(str_find_str(stat.state, STR("closed by the broker")) > 0);
    AWAIT(b, link_ups, 2);
    AWAIT(b, subscribes, 2);
    assert_int_equal(count_posts(b, EV_LINK_DOWN), 1);
}

static void commands_have_one_outcome(void **state)
{
    struct bridge *b = *state;
    one_device(b);
    command(b, 77);
    AWAIT(b, outcomes, 1);
    const struct broker_packet *set = broker_last(&b->broker, BROKER_PUBLISH);
    assert_non_null(set);
    assert_string_equal(set->text, "devices/lamp/set");
    assert_string_equal(set->payload, "ON");
    assert_false(set->retain);
    pause_for(b, 50);
    assert_int_equal(count_posts(b, EV_DELIVERED), 1);
    assert_int_equal(count_posts(b, EV_FAILED), 0);
}

static void a_command_in_flight_fails_with_the_link(void **state)
{
    struct bridge *b = *state;
    one_device(b);
    b->broker.keep_pubacks = true;
    command(b, 78);
    pause_for(b, 50);
    broker_drop(&b->broker);
    AWAIT(b, outcomes, 1);
    assert_int_equal(count_posts(b, EV_FAILED), 1);
    AWAIT(b, link_ups, 2);
    pause_for(b, 100);
    assert_int_equal(count_posts(b, EV_FAILED), 1);
    assert_int_equal(broker_count(&b->broker, BROKER_PUBLISH), 1);
}

static void reload_keeps_a_link_that_did_not_change(void **state)
{
    struct bridge *b = *state;
    start(b);
    assert_int_equal(reload(b, ""), ERR_OK);
    pause_for(b, 200);
    assert_int_equal(b->broker.connections, 1);
    assert_int_equal(count_posts(b, EV_LINK_DOWN), 0);
}

static void reload_replaces_a_link_that_did(void **state)
{
    struct bridge *b = *state;
    start(b);
    assert_int_equal(reload(b, "keepalive: 60s"), ERR_OK);
    assert_int_equal(reload(b, "keepalive: 70s"), ERR_OK); // while the first still leaves
    AWAIT(b, link_ups, 2);
    AWAIT(b, subscribes, 2);
    assert_int_equal(b->broker.connections, 2);
    assert_int_equal(broker_last(&b->broker, BROKER_CONNECT)->keepalive, 70);
    assert_int_equal(count_posts(b, EV_LINK_DOWN), 1);
    assert_int_equal(broker_count(&b->broker, BROKER_DISCONNECT), 1);
}

static void a_bad_reload_changes_nothing(void **state)
{
    struct bridge *b = *state;
    start(b);
    assert_int_equal(reload(b, "birth: {topic: 'a/#'}\nkeepalive: 60s"), ERR_CONF);
    assert_non_null(strstr(b->report, "'a/#' is not a topic"));
    pause_for(b, 100);
    assert_int_equal(b->broker.connections, 1);
}

static void sections_are_checked(void **state)
{
    static const struct {
        const char *more, *words;
    } cases[] = {
        {"birth: {topic: '$SYS/x'}", "is not a topic that can be published to"},
        {"password: x", "without 'username'"},
        {"tls: {key: /tmp/k}", "a key without 'cert'"},
        {"client_id: \"a\\x01\"", "not a text that MQTT can carry"},
    };
    struct bridge *b = *state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(create(b, cases[i].more), ERR_CONF);
        if (!strstr(b->report, cases[i].words))
            fail_msg("case %zu: %s", i, b->report);
    }
    b->adapter = NULL;
}

static void sections_become_settings(void **state)
{
    struct bridge *b = *state;
    struct conf_report *report = conf_report_create();
    struct mqtt_link_config cfg;
    struct conf_value *v = section(b, "", report);
    assert_int_equal(mqtt_conf_read(v, "home", report, &cfg), ERR_OK);
    assert_string_equal(cfg.host, "127.0.0.1");
    assert_string_equal(cfg.client_id, "spandrel-home");
    assert_int_equal(cfg.keepalive_s, 30);
    assert_int_equal(cfg.session_expiry_s, 7 * 86400);
    assert_int_equal(cfg.receive_maximum, 1000);
    assert_int_equal(cfg.packet_maximum, 256000);
    assert_int_equal(cfg.protocol, MQTT_AUTO);
    assert_false(cfg.tls);
    assert_null(cfg.birth_topic);
    mqtt_settings_finish(&cfg);
    conf_destroy(v);
    v = section(b,
                "client_id: me\nusername: u\npassword: p\nprotocol: 3.1.1\nkeepalive: 1m\npacket_maximum: 1MB\n"
                "birth: {topic: b/s, online: 'yes'}\ntls: {enabled: true, name: n}",
                report);
    assert_int_equal(mqtt_conf_read(v, "home", report, &cfg), ERR_OK);
    assert_string_equal(cfg.client_id, "me");
    assert_string_equal(cfg.username, "u");
    assert_string_equal(cfg.password, "p");
    assert_int_equal(cfg.protocol, MQTT_311);
    assert_int_equal(cfg.keepalive_s, 60);
    assert_int_equal(cfg.packet_maximum, 1000000);
    assert_string_equal(cfg.birth_payload, "yes");
    assert_string_equal(cfg.will_payload, "offline");
    assert_true(cfg.tls);
    assert_string_equal(cfg.tls_name, "n");
    mqtt_settings_finish(&cfg);
    conf_destroy(v);
    v = section(b, "discovery: {zigbee2mqtt: {enabled: true}}", report); // all its devices are one message
    assert_int_equal(mqtt_conf_read(v, "home", report, &cfg), ERR_OK);
    assert_int_equal(cfg.packet_maximum, 4000000);
    mqtt_settings_finish(&cfg);
    conf_destroy(v);
    conf_report_destroy(report);
}

static void close_at_every_stage(void **state)
{
    struct bridge *b = *state;
    assert_int_equal(create(b, ""), ERR_OK);
    mqtt_adapter_ops.close(b->adapter, on_closed, b); // never started
    assert_null(b->adapter);
    for (int ms = 0; ms < 10; ms += 3) {
        assert_int_equal(create(b, ""), ERR_OK);
        mqtt_adapter_ops.start(b->adapter);
        pause_for(b, ms);
        mqtt_adapter_ops.close(b->adapter, on_closed, b);
        if (b->adapter)
            mqtt_adapter_ops.close(b->adapter, on_closed, b); // once more changes nothing
        AWAIT(b, is_closed, 0);
    }
}

static void close_with_a_batch_held(void **state)
{
    struct bridge *b = *state;
    one_device(b);
    broker_publish(&b->broker, STR("devices/lamp/state"), STR("{\"temperature\": 35}"), 1, false, 1);
    AWAIT(b, tokens, 1);
    mqtt_adapter_ops.close(b->adapter, on_closed, b);
    AWAIT(b, is_closed, 0);
    pause_for(b, 50);
    assert_int_equal(broker_count(&b->broker, BROKER_PUBACK), 0);
}

static void close_while_it_is_replaced(void **state)
{
    struct bridge *b = *state;
    start(b);
    assert_int_equal(reload(b, "keepalive: 60s"), ERR_OK);
    mqtt_adapter_ops.close(b->adapter, on_closed, b);
    AWAIT(b, is_closed, 0);
    assert_int_equal(b->broker.connections, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(acknowledges_when_it_is_durable),
        TEST(a_file_is_not_awaited),
        TEST(every_token_is_awaited),
        TEST(a_refusal_is_an_end_too),
        TEST(what_owes_nothing_is_acknowledged_at_once),
        TEST(no_more_is_read_than_is_taken),
        TEST(answers_for_a_lost_link_release_nothing),
        TEST(outages_are_told),
        TEST(commands_have_one_outcome),
        TEST(a_command_in_flight_fails_with_the_link),
        TEST(reload_keeps_a_link_that_did_not_change),
        TEST(reload_replaces_a_link_that_did),
        TEST(a_bad_reload_changes_nothing),
        TEST(sections_are_checked),
        TEST(sections_become_settings),
        TEST(close_at_every_stage),
        TEST(close_with_a_batch_held),
        TEST(close_while_it_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
