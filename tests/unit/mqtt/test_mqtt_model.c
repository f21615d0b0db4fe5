/* Templates, availability, presence, alerts and state, in virtual time through the model's own face. */
#include "model_rig.h"

static const char thermo[] = "devices:\n"
                             "  thermo:\n"
                             "    topic: devices/+/status\n"
                             "    name: Sensor {1}\n"
                             "    area: House\n"
                             "    model: T{1}\n"
                             "    availability:\n"
                             "      - {topic: 'devices/{1}/online', online: '1', offline: '0'}\n"
                             "      - {topic: bridge/state}\n"
                             "    readings:\n"
                             "      temp: {value: temperature, unit: °C, class: temperature, deadband: 0.5}\n"
                             "      humidity: {value: humidity, unit: '%'}\n"
                             "      door: {value: contact, on: 'false', off: 'true', headline: false}\n"
                             "    alerts:\n"
                             "      - {reading: temp, above: 30, rearm: 28, message: '{name}: {temp}, {humidity}'}\n"
                             "      - {reading: door, change: true, every: 0s}\n";

#define STATUS "devices/a/status"
#define KEY "thermo/a"

/* A device of a template */

static void first_message_makes_device(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, thermo);
    rig_up(&r);
    assert_true(rig_listens(&r, "devices/+/status"));
    assert_true(rig_listens(&r, "devices/+/online"));
    assert_true(rig_listens(&r, "bridge/state"));
    rig_hear(&r, STATUS, "{\"temperature\":21.43,\"humidity\":48}");
    const struct event *ev = rig_last(&r, EV_IDENTITY, KEY);
    assert_non_null(ev);
    assert_str(ev->name, "Sensor a");
    assert_str(ev->wish, "a");
    assert_str(ev->cls, "temperature");
    assert_str(ev->group, "House");
    assert_int_equal(ev->flags, 0);
    assert_presence(&r, KEY, SHOW_ONLINE, "21.43 °C, 48 %");
    rig_hear(&r, STATUS, "{\"temperature\":21.43}");
    assert_int_equal(rig_count(&r, EV_IDENTITY), 1);
    assert_int_equal(rig_count(&r, EV_AVAILABLE), 1);
    rig_finish(&r);
}

static void empty_and_foreign_topics(void **state)
{
    struct mqtt_model_stat stat;
    struct rig r;

    (void)state;
    rig_init(&r, thermo);
    rig_up(&r);
    rig_retained(&r, STATUS, "");
    rig_hear(&r, "other/a/status", "1");
    rig_hear(&r, "devices/a/b/status", "1");
    mqtt_model_stat(r.m, &stat);
    assert_int_equal(stat.devices, 0);
    assert_int_equal(stat.unmatched, 3);
    rig_finish(&r);
}

static void describes(void **state)
{
    struct description d;
    struct candidate c;
    struct rig r;

    (void)state;
    rig_init(&r, thermo);
    rig_up(&r);
    rig_hear(&r, STATUS, "{\"temperature\":-0.001,\"humidity\":100}");
    assert_int_equal(mqtt_model_describe(r.m, STR(KEY), &d), ERR_OK);
    assert_str(d.model, "Ta");
    assert_str(d.area, "House");
    assert_str(d.readings, "-0.001 °C, 100 %");
    assert_int_equal(mqtt_model_describe(r.m, STR("thermo/b"), &d), ERR_NOTFOUND);
    assert_int_equal(mqtt_model_resolve(r.m, STR(" sensor A "), &c), ERR_OK);
    assert_str(c.key, KEY);
    assert_int_equal(mqtt_model_resolve(r.m, STR(KEY), &c), ERR_OK);
    assert_int_equal(mqtt_model_resolve(r.m, STR(""), &c), ERR_NOTFOUND);
    rig_finish(&r);
}

// What a shared topic said before the device was there counts for it.
static void shared_topic_comes_first(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, thermo);
    rig_up(&r);
    rig_retained(&r, "bridge/state", "offline");
    rig_retained(&r, "devices/a/online", "1");
    assert_non_null(rig_last(&r, EV_UNAVAILABLE, KEY));
    rig_message(&r, "bridge/state", "{\"state\":\"online\"}", 0, false);
    assert_presence(&r, KEY, SHOW_ONLINE, "");
    rig_finish(&r);
}

/* Availability: what each edge tells */

static void loss_is_told_at_once_then_damped(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, thermo);
    rig_up(&r);
    rig_hear(&r, STATUS, "{\"temperature\":20}");
    rig_hear(&r, "devices/a/online", "1");
    rig_clear(&r);
    rig_hear(&r, "devices/a/online", "0");
    assert_presence(&r, KEY, SHOW_OFFLINE, "lost 21 Nov 09:20 UTC: 20 °C");
    rig_hear(&r, "devices/a/online", "1");
    assert_presence(&r, KEY, SHOW_ONLINE, "20 °C");
    // the second one within five minutes is held back
    rig_clear(&r);
    rig_hear(&r, "devices/a/online", "0");
    rig_pass(&r, 9999);
    assert_int_equal(rig_count(&r, EV_UNAVAILABLE), 0);
    rig_pass(&r, 1);
    assert_int_equal(rig_count(&r, EV_UNAVAILABLE), 1);
    // a flap shorter than the delay is not told at all
    rig_hear(&r, "devices/a/online", "1");
    rig_clear(&r);
    rig_hear(&r, "devices/a/online", "0");
    rig_pass(&r, 5000);
    rig_hear(&r, "devices/a/online", "1");
    rig_pass(&r, 60000);
    assert_int_equal(rig_count(&r, EV_UNAVAILABLE) + rig_count(&r, EV_AVAILABLE), 0);
    // long after, the first loss is told at once again
    rig_pass(&r, 300000);
    rig_hear(&r, "devices/a/online", "0");
    assert_int_equal(rig_count(&r, EV_UNAVAILABLE), 1);
    rig_finish(&r);
}

static void data_does_not_outweigh_offline(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, thermo);
    rig_up(&r);
    rig_hear(&r, "devices/a/online", "0");
    rig_clear(&r);
    rig_hear(&r, STATUS, "{\"temperature\":20}");
    assert_int_equal(rig_count(&r, EV_AVAILABLE), 0);
    rig_finish(&r);
}

static void modes(void **state)
{
    static const struct {
        const char *mode, *one, *two; // what each topic says, in this order
        bool online;
    } cases[] = {
        {"all", "online", "online", true},      {"all", "online", "offline", false},
        {"all", "offline", "online", false},    {"any", "online", "offline", true},
        {"any", "offline", "online", true},     {"any", "offline", "offline", false},
        {"latest", "online", "offline", false}, {"latest", "offline", "online", true},
        {"latest", "online", "online", true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig r;
        char yaml[512];
        (void)snprintf(
            yaml, sizeof(yaml),
            "devices:\n  d:\n    topic: d/+/s\n    availability_mode: %s\n    availability: [{topic: 'd/+/a'}, "
            "{topic: 'd/+/b'}]\n",
            cases[i].mode);
        rig_init(&r, yaml);
        rig_up(&r);
        rig_hear(&r, "d/x/s", "1");
        rig_hear(&r, "d/x/a", cases[i].one);
        rig_hear(&r, "d/x/b", cases[i].two);
        rig_pass(&r, 20000);
        const struct event *last = NULL;
        for (size_t k = 0; k < r.count; k++)
            if (r.events[k]->kind == EV_AVAILABLE || r.events[k]->kind == EV_UNAVAILABLE)
                last = r.events[k];
        assert_non_null(last);
        if ((last->kind == EV_AVAILABLE) != cases[i].online)
            fail_msg("%s: %s, %s", cases[i].mode, cases[i].one, cases[i].two);
        rig_finish(&r);
    }
}

static const char expiring[] = "devices: {d: {topic: d/+, expire_after: 10m, readings: {v: {}}}}";

static void silence_makes_stale_then_offline(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, expiring);
    rig_up(&r);
    rig_hear(&r, "d/x", "1");
    assert_presence(&r, "d/x", SHOW_ONLINE, "v 1");
    rig_clear(&r);
    rig_pass(&r, 10 * 60000 - 1);
    assert_int_equal(rig_count(&r, EV_AVAILABLE), 0);
    rig_pass(&r, 1);
    assert_presence(&r, "d/x", SHOW_AWAY, "stale since 21 Nov 09:20 UTC: v 1");
    rig_pass(&r, 10 * 60000);
    assert_presence(&r, "d/x", SHOW_OFFLINE, "silent since 21 Nov 09:20 UTC: v 1");
    rig_hear(&r, "d/x", "2");
    assert_presence(&r, "d/x", SHOW_ONLINE, "v 2");
    rig_finish(&r);
}

static void data_puts_off_expiry(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, expiring);
    rig_up(&r);
    for (int i = 0; i < 50; i++) {
        rig_hear(&r, "d/x", "1");
        rig_pass(&r, 9 * 60000);
    }
    assert_int_equal(r.counts[EV_AVAILABLE], 1);
    assert_int_equal(r.counts[EV_UNAVAILABLE], 0);
    rig_finish(&r);
}

static void own_outage_is_not_the_devices(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, expiring);
    rig_up(&r);
    rig_hear(&r, "d/x", "1");
    rig_clear(&r);
    mqtt_model_link(r.m, false, r.now, r.wall);
    rig_pass(&r, 29999);
    assert_int_equal(rig_count(&r, EV_AVAILABLE), 0);
    rig_pass(&r, 1);
    assert_presence(&r, "d/x", SHOW_XA, "MQTT link down: v 1");
    // hours of it make nobody stale
    rig_pass(&r, 6 * 3600000);
    assert_int_equal(rig_count(&r, EV_UNAVAILABLE), 0);
    assert_int_equal(rig_count(&r, EV_AVAILABLE), 1);
    mqtt_model_link(r.m, true, r.now, r.wall);
    rig_pass(&r, 1000);
    assert_presence(&r, "d/x", SHOW_ONLINE, "v 1");
    rig_pass(&r, 10 * 60000);
    assert_presence(&r, "d/x", SHOW_AWAY, "stale since 21 Nov 09:20 UTC: v 1");
    rig_finish(&r);
}

static void short_outage_is_not_told(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, expiring);
    rig_up(&r);
    rig_hear(&r, "d/x", "1");
    rig_clear(&r);
    for (int i = 0; i < 5; i++) {
        mqtt_model_link(r.m, false, r.now, r.wall);
        rig_pass(&r, 20000);
        mqtt_model_link(r.m, true, r.now, r.wall);
        rig_pass(&r, 2000);
    }
    assert_int_equal(rig_count(&r, EV_AVAILABLE) + rig_count(&r, EV_UNAVAILABLE), 0);
    rig_finish(&r);
}

static void offline_device_stays_so_in_outage(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, thermo);
    rig_up(&r);
    rig_hear(&r, "devices/a/online", "0");
    rig_clear(&r);
    mqtt_model_link(r.m, false, r.now, r.wall);
    rig_pass(&r, 60000);
    assert_int_equal(rig_count(&r, EV_AVAILABLE), 0);
    rig_finish(&r);
}

/* Retained, settle */

static void settle_gives_one_presence(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, thermo);
    mqtt_model_start(r.m, r.now, r.wall);
    mqtt_model_link(r.m, true, r.now, r.wall);
    rig_retained(&r, STATUS, "{\"temperature\":20}");
    rig_pass(&r, 300);
    rig_retained(&r, "devices/a/online", "1");
    rig_pass(&r, 300);
    rig_retained(&r, "bridge/state", "online");
    rig_pass(&r, 499);
    assert_int_equal(rig_count(&r, EV_AVAILABLE), 0);
    rig_pass(&r, 1);
    assert_int_equal(rig_count(&r, EV_IDENTITY), 1);
    assert_int_equal(rig_count(&r, EV_AVAILABLE), 1);
    assert_presence(&r, KEY, SHOW_ONLINE, "20 °C");
    rig_finish(&r);
}

static void settle_ends_in_an_endless_replay(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, thermo);
    mqtt_model_start(r.m, r.now, r.wall);
    mqtt_model_link(r.m, true, r.now, r.wall);
    for (int i = 0; i < 49; i++) {
        rig_retained(&r, STATUS, "{\"temperature\":20}");
        rig_pass(&r, 100);
    }
    assert_int_equal(rig_count(&r, EV_AVAILABLE), 0);
    rig_pass(&r, 100);
    assert_int_equal(rig_count(&r, EV_AVAILABLE), 1);
    rig_finish(&r);
}

static void retained_never_chats(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, thermo);
    rig_up(&r);
    rig_retained(&r, STATUS, "{\"temperature\":35,\"contact\":true}");
    rig_retained(&r, STATUS, "{\"temperature\":36,\"contact\":false}");
    assert_int_equal(rig_count(&r, EV_MESSAGE), 0);
    rig_hear(&r, STATUS, "{\"temperature\":36}"); // known to be so: no news
    assert_int_equal(rig_count(&r, EV_MESSAGE), 0);
    rig_finish(&r);
}

/* Alerts */

static void alert_once_until_rearmed(void **state)
{
    static const struct {
        int wait; // s before
        const char *temp;
        size_t messages; // so far
    } steps[] = {
        {0, "29", 0},  {10, "30", 0}, {10, "30.5", 1}, {10, "31", 1}, {10, "29", 1},
        {10, "31", 1}, {10, "28", 1}, {100, "31", 2},  {1, "27", 2},  {1, "33", 2}, // too soon
        {70, "33", 3}, {10, "34", 3},
    };
    struct rig r;

    (void)state;
    rig_init(&r, thermo);
    rig_up(&r);
    for (size_t i = 0; i < COUNT(steps); i++) {
        char payload[64];
        rig_pass(&r, steps[i].wait * 1000);
        (void)snprintf(payload, sizeof(payload), "{\"temperature\":%s,\"humidity\":40}", steps[i].temp);
        rig_hear(&r, STATUS, payload);
        if (rig_count(&r, EV_MESSAGE) != steps[i].messages)
            fail_msg("step %zu: %zu messages", i, rig_count(&r, EV_MESSAGE));
    }
    const struct event *ev = rig_last(&r, EV_MESSAGE, KEY);
    assert_str(ev->body, "Sensor a: 33 °C, 40 %");
    assert_int_equal(ev->type, MESSAGE_CHAT);
    rig_finish(&r);
}

static void change_alert_and_ids(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, thermo);
    rig_up(&r);
    rig_hear(&r, STATUS, "{\"contact\":true}"); // the first value is no change
    assert_int_equal(rig_count(&r, EV_MESSAGE), 0);
    rig_hear(&r, STATUS, "{\"contact\":false}");
    const struct event *first = rig_last(&r, EV_MESSAGE, KEY);
    assert_str(first->body, "door is now on");
    rig_hear(&r, STATUS, "{\"contact\":false}");
    assert_int_equal(rig_count(&r, EV_MESSAGE), 1);
    rig_hear(&r, STATUS, "{\"contact\":true}");
    const struct event *second = rig_last(&r, EV_MESSAGE, KEY);
    assert_str(second->body, "door is now off");
    assert_true(first->id.n > 8);
    assert_false(str_eq(first->id, second->id));
    rig_finish(&r);
}

/* Status */

static void status_is_limited(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, thermo);
    rig_up(&r);
    rig_hear(&r, STATUS, "{\"temperature\":20}");
    rig_clear(&r);
    rig_hear(&r, STATUS, "{\"temperature\":20.4}"); // within the deadband
    rig_pass(&r, 120000);
    assert_int_equal(rig_count(&r, EV_AVAILABLE), 0);
    rig_hear(&r, STATUS, "{\"temperature\":20.5}");
    assert_presence(&r, KEY, SHOW_ONLINE, "20.5 °C");
    rig_clear(&r);
    for (int i = 0; i < 59; i++) {
        char payload[64];
        (void)snprintf(payload, sizeof(payload), "{\"temperature\":%d}", 21 + i % 5);
        rig_hear(&r, STATUS, payload);
        rig_pass(&r, 1000);
    }
    assert_int_equal(rig_count(&r, EV_AVAILABLE), 0);
    rig_pass(&r, 1000);
    assert_int_equal(rig_count(&r, EV_AVAILABLE), 1);
    assert_presence(&r, KEY, SHOW_ONLINE, "24 °C");
    rig_finish(&r);
}

// What is seen for the first time, or was asked for, does not wait for the interval.
static void first_values_and_what_was_set_are_told_at_once(void **state)
{
    static const char lamp[] = "devices:\n  lamp:\n    topic: lamp/+/state\n"
                               "    availability: [{topic: 'lamp/{1}/status'}]\n"
                               "    readings: {power: {value: p}, level: {value: l}}\n"
                               "    controls: {power: {topic: 'lamp/{1}/set', type: bool, state: power}}\n";
    struct rig r;

    (void)state;
    rig_init(&r, lamp);
    rig_up(&r);
    rig_retained(&r, "lamp/a/status", "online");
    assert_presence(&r, "lamp/a", SHOW_ONLINE, "");
    rig_hear(&r, "lamp/a/state", "{\"p\":\"OFF\"}");
    assert_presence(&r, "lamp/a", SHOW_ONLINE, "power off");
    rig_hear(&r, "lamp/a/state", "{\"l\":7}");
    assert_presence(&r, "lamp/a", SHOW_ONLINE, "power off, level 7");
    rig_hear(&r, "lamp/a/state", "{\"l\":8}");
    assert_presence(&r, "lamp/a", SHOW_ONLINE, "power off, level 7");
    assert_int_equal(rig_say(&r, "lamp/a", "set power on", 5), ERR_OK);
    assert_int_equal(r.publish_count, 1);
    rig_hear(&r, "lamp/a/state", "{\"p\":\"ON\"}");
    assert_non_null(rig_last(&r, EV_DELIVERED, "lamp/a"));
    assert_presence(&r, "lamp/a", SHOW_ONLINE, "power on, level 8");
    rig_finish(&r);
}

static void status_shows_numbers_as_people_do(void **state)
{
    static const struct {
        const char *payload, *shown;
    } cases[] = {
        {"21.456789", "21.46"}, {"21.50", "21.5"}, {"0", "0"},   {"-0.0", "0"}, {"1013", "1013"},  {"0.12345", "0.123"},
        {"0.00012", "0.00012"}, {"1e20", "1e+20"}, {"on", "on"}, {"-5", "-5"},  {"99.999", "100"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig r;
        char want[64];
        rig_init(&r, expiring);
        rig_up(&r);
        rig_hear(&r, "d/x", cases[i].payload);
        (void)snprintf(want, sizeof(want), "v %s", cases[i].shown);
        assert_presence(&r, "d/x", SHOW_ONLINE, want);
        rig_finish(&r);
    }
}

/* State over a restart */

static void restart(struct rig *r, struct rig *again, const char *yaml, const char *key)
{
    rig_pass(r, 10000);
    const struct event *row = rig_last(r, EV_STATE, key);
    assert_non_null(row);
    rig_init(again, yaml);
    again->now = 5000; // another boot
    again->wall = r->wall + 3600000;
    mqtt_model_restore(again->m, row->key, row->blob);
    mqtt_model_start(again->m, again->now, again->wall);
    rig_pass(again, 0);
}

static void state_survives(void **state)
{
    struct rig r, again;

    (void)state;
    rig_init(&r, thermo);
    rig_up(&r);
    rig_hear(&r, STATUS, "{\"temperature\":35,\"contact\":false}");
    rig_hear(&r, "devices/a/online", "1");
    assert_int_equal(rig_count(&r, EV_MESSAGE), 1);
    restart(&r, &again, thermo, KEY);
    assert_non_null(rig_last(&again, EV_IDENTITY, KEY));
    assert_presence(&again, KEY, SHOW_ONLINE, "35 °C");
    mqtt_model_link(again.m, true, again.now, again.wall);
    rig_pass(&again, 1000);
    rig_hear(&again, STATUS, "{\"temperature\":36,\"contact\":false}");
    assert_int_equal(rig_count(&again, EV_MESSAGE), 0); // neither is news
    rig_hear(&again, STATUS, "{\"temperature\":20}");
    rig_hear(&again, STATUS, "{\"temperature\":36}");
    const struct event *ev = rig_last(&again, EV_MESSAGE, KEY);
    assert_non_null(ev);
    assert_false(str_eq(ev->id, rig_last(&r, EV_MESSAGE, KEY)->id));
    rig_finish(&r);
    rig_finish(&again);
}

static void loss_survives(void **state)
{
    struct rig r, again;

    (void)state;
    rig_init(&r, thermo);
    rig_up(&r);
    rig_hear(&r, "devices/a/online", "0");
    restart(&r, &again, thermo, KEY);
    assert_presence(&again, KEY, SHOW_OFFLINE, "lost 21 Nov 09:20 UTC");
    rig_finish(&r);
    rig_finish(&again);
}

// An alert that was said before a crash, whose row was not written, is said again under the same id.
static void redelivery_has_the_same_id(void **state)
{
    struct rig one, two;

    (void)state;
    rig_init(&one, thermo);
    rig_up(&one);
    rig_message(&one, STATUS, "{\"temperature\":35}", 1, false);
    rig_init(&two, thermo);
    rig_up(&two);
    rig_message(&two, STATUS, "{\"temperature\":35}", 1, false);
    assert_true(str_eq(rig_last(&one, EV_MESSAGE, KEY)->id, rig_last(&two, EV_MESSAGE, KEY)->id));
    rig_finish(&one);
    rig_finish(&two);
}

// What was not acknowledged comes again after more has come: what is said of it has the id that it had, and says so.
static void redelivery_behind_others_has_the_same_id(void **state)
{
    static const char *const payloads[] = {"{\"contact\":true}", "{\"contact\":false}", "{\"contact\":true}"};
    struct str ids[2][3] = {{{0}}};
    struct rig r;

    (void)state;
    rig_init(&r, thermo);
    rig_up(&r);
    for (size_t round = 0; round < 2; round++) {
        for (uint16_t i = 0; i < 3; i++) {
            struct mqtt_message msg = {.topic = STR(STATUS), .payload = str_c(payloads[i]), .qos = 1};
            msg.packet = (uint16_t)(i + 7);
            msg.again = round == 1;
            rig_clear(&r);
            mqtt_model_message(r.m, &msg, ++r.now, ++r.wall);
            const struct event *said = rig_last(&r, EV_MESSAGE, KEY);
            if (!said)
                continue;
            assert_int_equal(said->flags & EVENT_AGAIN, round ? EVENT_AGAIN : 0);
            ids[round][i].p = mem_dup(said->id.p, said->id.n);
            ids[round][i].n = said->id.n;
        }
    }
    assert_int_equal(ids[0][0].n, 0); // the first value is no change
    for (size_t i = 1; i < 3; i++)
        assert_true(ids[0][i].n && str_eq(ids[0][i], ids[1][i]));
    assert_false(str_eq(ids[0][1], ids[0][2]));
    for (size_t i = 0; i < 6; i++)
        mem_free((void *)(uintptr_t)ids[i / 3][i % 3].p);
    rig_finish(&r);
}

// What may have been lost is told again, what was told is not, and nothing has the id of another: whatever was under
// way when the process was killed.
static void killed_after_an_alert(void **state)
{
    static const struct {
        unsigned qos;
        bool stored; // its row was
    } cases[] = {{0, true}, {0, false}, {1, true}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig r, again;
        rig_init(&r, thermo);
        rig_up(&r);
        rig_message(&r, STATUS, "{\"temperature\":35}", cases[i].qos, false);
        rig_pass(&r, cases[i].qos ? 0 : 250);
        const struct event *said = rig_last(&r, EV_MESSAGE, KEY), *row = rig_last(&r, EV_STATE, KEY);
        assert_non_null(said);
        assert_non_null(row); // not seconds later
        rig_init(&again, thermo);
        again.wall = r.wall + 1000;
        if (cases[i].stored)
            mqtt_model_restore(again.m, row->key, row->blob);
        rig_up(&again);
        rig_message(&again, STATUS, "{\"temperature\":36}", cases[i].qos, false);
        assert_int_equal(rig_count(&again, EV_MESSAGE), cases[i].stored ? 0 : 1);
        rig_pass(&again, 61000);
        rig_message(&again, STATUS, "{\"temperature\":20}", cases[i].qos, false);
        rig_message(&again, STATUS, "{\"temperature\":36}", cases[i].qos, false);
        for (size_t k = 0; k < again.count; k++)
            if (again.events[k]->kind == EV_MESSAGE)
                assert_false(str_eq(again.events[k]->id, said->id));
        assert_non_null(rig_last(&again, EV_MESSAGE, KEY));
        rig_finish(&again);
        rig_finish(&r);
    }
}

// Two alerts of one message: one row, behind both, with all that the message said.
static void row_stands_behind_its_alerts(void **state)
{
    size_t alerts = 0, rows = 0;
    struct rig r;

    (void)state;
    rig_init(&r, thermo);
    rig_up(&r);
    rig_hear(&r, STATUS, "{\"temperature\":20,\"contact\":true}");
    rig_pass(&r, 10000);
    rig_clear(&r);
    rig_hear(&r, STATUS, "{\"temperature\":35,\"contact\":false}");
    assert_int_equal(rig_count(&r, EV_STATE), 0); // many alerts, one row
    rig_pass(&r, 250);
    for (size_t i = 0; i < r.count; i++) {
        alerts += r.events[i]->kind == EV_MESSAGE;
        if (r.events[i]->kind == EV_STATE) {
            rows++;
            assert_int_equal(alerts, 2);
            assert_true(str_find_str(r.events[i]->blob, STR("\"temp\":35,")) >= 0);
            assert_true(str_find_str(r.events[i]->blob, STR("\"door\":\"on\"")) >= 0);
        }
    }
    assert_int_equal(rows, 1);
    rig_pass(&r, 60000);
    assert_int_equal(rig_count(&r, EV_STATE), 1);
    rig_finish(&r);
}

// Before it is closed: what waits to be stored is, once.
static void flush_stores_what_waits(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, thermo);
    rig_up(&r);
    rig_hear(&r, STATUS, "{\"temperature\":20}");
    rig_pass(&r, 10000);
    rig_clear(&r);
    rig_hear(&r, STATUS, "{\"temperature\":21}");
    assert_int_equal(rig_count(&r, EV_STATE), 0);
    mqtt_model_flush(r.m, r.now, r.wall);
    assert_int_equal(rig_count(&r, EV_STATE), 1);
    assert_true(str_find_str(rig_last(&r, EV_STATE, KEY)->blob, STR("\"temp\":21")) >= 0);
    mqtt_model_flush(r.m, r.now, r.wall);
    rig_pass(&r, 10000);
    assert_int_equal(rig_count(&r, EV_STATE), 1);
    rig_finish(&r);
}

static void qos1_is_stored_at_once(void **state)
{
    struct mqtt_message msg = {.topic = STR(STATUS), .payload = STR("{\"temperature\":20}"), .qos = 1};
    struct rig r;

    (void)state;
    rig_init(&r, thermo);
    rig_up(&r);
    mqtt_model_message(r.m, &msg, r.now, r.wall);
    assert_int_equal(rig_count(&r, EV_STATE), 1);
    msg.qos = 0;
    msg.payload = STR("{\"temperature\":21}");
    for (int i = 0; i < 100; i++)
        mqtt_model_message(r.m, &msg, r.now, r.wall);
    assert_int_equal(rig_count(&r, EV_STATE), 1);
    rig_pass(&r, 5000);
    assert_int_equal(rig_count(&r, EV_STATE), 2);
    rig_pass(&r, 60000);
    assert_int_equal(rig_count(&r, EV_STATE), 2); // nothing changed
    rig_finish(&r);
}

// What is stored at once does not wait to be stored: however many messages there are, nothing is left of them.
static void nothing_is_stored_twice(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, "devices: {d: {topic: d/+, readings: {v: {headline: false}}}}");
    rig_up(&r);
    for (int i = 0; i < 1000; i++)
        rig_message(&r, "d/a", i % 2 ? "1" : "2", 1, false);
    assert_int_equal(rig_count(&r, EV_STATE), 1000);
    assert_true(mqtt_model_deadline(r.m) == INT64_MAX); // not even a look in 5 s
    rig_finish(&r);
}

// Those that wait are each stored once, in whatever order they come, are stored at once, or go.
static void each_waits_once(void **state)
{
    static const struct {
        const char *key;
        size_t rows;
    } want[] = {{"d/a", 1}, {"d/b", 2}, {"d/c", 1}, {"d/d", 1}, {"d/e", 1}};
    struct rig r;

    (void)state;
    rig_init(&r, "devices: {d: {topic: d/+, readings: {v: {}}}}");
    rig_up(&r);
    rig_hear(&r, "d/a", "1");
    rig_hear(&r, "d/b", "1");
    rig_hear(&r, "d/c", "1");
    rig_hear(&r, "d/d", "1");
    rig_hear(&r, "d/a", "2");
    rig_message(&r, "d/b", "2", 1, false); // at once, and again
    rig_hear(&r, "d/b", "3");
    mqtt_model_forget(r.m, STR("d/d"), r.now, r.wall);
    rig_hear(&r, "d/e", "1"); // in its place
    rig_hear(&r, "d/c", "2");
    rig_pass(&r, 60000);
    for (size_t i = 0; i < COUNT(want); i++) {
        size_t rows = 0;
        for (size_t k = 0; k < r.count; k++)
            rows += r.events[k]->kind == EV_STATE && str_eq_c(r.events[k]->key, want[i].key);
        if (rows != want[i].rows)
            fail_msg("%s: %zu", want[i].key, rows);
    }
    assert_true(str_find_str(rig_last(&r, EV_STATE, "d/b")->blob, STR("\"v\":3")) >= 0);
    assert_int_equal(rig_last(&r, EV_STATE, "d/d")->blob.n, 0);
    rig_finish(&r);
}

// A damaged row, or one of a newer version: what users have subscribed to stays.
static void unreadable_rows_end_nothing(void **state)
{
    static const struct {
        const char *key, *blob;
    } rows[] = {
        {"thermo/c", "{\"v\":2}"},
        {"thermo/d", "rubbish"},
        {"thermo/e", ""},
        {"config:ha:x", "{\"v\":2}"},
        {"ha:x", "{\"v\":1,\"profile\":\"discovery\",\"captures\":[]}"},
    };
    struct rig r;

    (void)state;
    rig_init(&r, "devices: {thermo: {topic: 'devices/+/status', readings: {v: {}}}}\n"
                 "discovery: {enabled: true, allow: ['x/#']}");
    for (size_t i = 0; i < COUNT(rows); i++)
        mqtt_model_restore(r.m, str_c(rows[i].key), str_c(rows[i].blob));
    rig_up(&r);
    assert_int_equal(rig_count(&r, EV_FORGET), 0);
    assert_int_equal(rig_count(&r, EV_STATE), 0);
    rig_message(&r, "devices/d/status", "20", 1, false); // it is heard: what could not be read is written anew
    assert_non_null(rig_last(&r, EV_STATE, "thermo/d"));
    rig_finish(&r);
}

static void foreign_rows_are_dropped(void **state)
{
    static const struct {
        const char *key, *blob;
    } rows[] = {
        {"gone/a", "{\"v\":1,\"profile\":\"gone\",\"captures\":[\"a\"]}"},
        {"thermo/b", "{\"v\":1,\"profile\":\"thermo\",\"captures\":[\"a\"]}"}, // not its key
        {"thermo/a", "{\"v\":1,\"profile\":\"thermo\",\"captures\":[]}"},
        {"thermo/+", "{\"v\":1,\"profile\":\"thermo\",\"captures\":[\"+\"]}"},
        {"ha:y", "{\"v\":1,\"profile\":\"discovery\",\"captures\":[]}"},
    };
    struct mqtt_model_stat stat;
    struct rig r;

    (void)state;
    rig_init(&r, thermo);
    for (size_t i = 0; i < COUNT(rows); i++)
        mqtt_model_restore(r.m, str_c(rows[i].key), str_c(rows[i].blob));
    rig_up(&r);
    mqtt_model_stat(r.m, &stat);
    assert_int_equal(stat.devices, 0);
    assert_int_equal(rig_count(&r, EV_FORGET), COUNT(rows));
    for (size_t i = 0; i < r.count; i++)
        assert_int_equal(r.events[i]->blob.n, 0);
    rig_finish(&r);
}

/* Reload */

static void reload(struct rig *r, const char *yaml, enum err want)
{
    struct conf_report *report = conf_report_create();
    struct conf_value *section = rig_section(yaml, report);

    if (!section)
        (void)fprintf(stderr, STR_FMT "\n", STR_ARG(conf_report_text(report)));
    assert_non_null(section);
    assert_int_equal(mqtt_model_reload(r->m, section, report, r->now, r->wall), want);
    conf_destroy(section);
    conf_report_destroy(report);
    rig_pass(r, 0);
}

static void reload_keeps_and_forgets(void **state)
{
    static const char both[] = "devices:\n"
                               "  a: {topic: a/+, readings: {v: {}}}\n"
                               "  b: {topic: b/+, readings: {v: {}}}\n";
    static const char less[] = "devices:\n"
                               "  a: {topic: a/+, readings: {v: {unit: W}, w: {topic: 'aw/+'}}}\n";
    static const char wrong[] = "devices: {a: {topic: 'a/#'}}";
    struct mqtt_model_stat stat;
    struct rig r;

    (void)state;
    rig_init(&r, both);
    rig_up(&r);
    rig_hear(&r, "a/1", "5");
    rig_hear(&r, "b/1", "6");
    rig_clear(&r);
    reload(&r, both, ERR_OK);
    assert_int_equal(r.count, 0);
    reload(&r, wrong, ERR_CONF);
    assert_int_equal(r.count, 0);
    reload(&r, less, ERR_OK);
    assert_non_null(rig_last(&r, EV_FORGET, "b/1"));
    assert_null(rig_last(&r, EV_FORGET, "a/1"));
    assert_true(rig_listens(&r, "a/+") && rig_listens(&r, "aw/+"));
    assert_false(rig_listens(&r, "b/+"));
    rig_pass(&r, 60000);
    assert_presence(&r, "a/1", SHOW_ONLINE, "5 W");
    rig_hear(&r, "b/1", "7");
    mqtt_model_stat(r.m, &stat);
    assert_int_equal(stat.devices, 1);
    assert_int_equal(stat.unmatched, 1);
    rig_finish(&r);
}

/* Bounds and cost */

static void device_bound(void **state)
{
    struct mqtt_model_stat stat;
    struct rig r;

    (void)state;
    rig_init(&r, "devices: {d: {topic: d/+, max_devices: 10}}");
    rig_up(&r);
    for (int i = 0; i < 100; i++) {
        char topic[32];
        (void)snprintf(topic, sizeof(topic), "d/%d", i);
        rig_hear(&r, topic, "1");
    }
    mqtt_model_stat(r.m, &stat);
    assert_int_equal(stat.devices, 10);
    assert_int_equal(stat.invalid, 90);
    rig_finish(&r);
}

static void hear_many(struct rig *r, int devices, int rounds)
{
    for (int k = 0; k < rounds; k++)
        for (int i = 0; i < devices; i++) {
            char topic[64], payload[16];
            struct mqtt_message msg = {.topic = {topic, 0}, .payload = {payload, 0}};
            msg.topic.n = (size_t)snprintf(topic, sizeof(topic), "plant/%d/status", i);
            msg.payload.n = (size_t)snprintf(payload, sizeof(payload), "%d.5", k);
            mqtt_model_message(r->m, &msg, r->now, r->wall);
        }
}

// 100,000 devices in 250 bytes each, all of them told once, and one shared topic takes them all offline.
static void many_devices(void **state)
{
    enum { DEVICES = 100000, BYTES = 250 };
    struct mqtt_model_stat stat;
    struct rig r;

    (void)state;
    rig_init(&r, "devices: {d: {topic: plant/+/status, readings: {v: {}}, availability: [{topic: plant/state}]}}");
    r.lazy = true;
    rig_up(&r);
    hear_many(&r, DEVICES, 2);
    rig_pass(&r, 10000);
    mqtt_model_stat(r.m, &stat);
    assert_int_equal(stat.devices, DEVICES);
    assert_int_equal(r.counts[EV_IDENTITY], DEVICES);
    assert_int_equal(r.counts[EV_AVAILABLE], DEVICES);
    print_message("%zu bytes a device\n", stat.bytes / DEVICES);
    assert_true(stat.bytes <= (size_t)DEVICES * BYTES);
    rig_hear(&r, "plant/state", "offline");
    assert_int_equal(r.counts[EV_UNAVAILABLE], DEVICES);
    rig_finish(&r);
}

static void huge_values_are_bounded(void **state)
{
    enum { MANY = 100 };
    char *payload = mem_zalloc(4096, 1), yaml[8192];
    size_t n;
    struct rig r;

    (void)state;
    n = (size_t)snprintf(yaml, sizeof(yaml), "devices:\n  d:\n    topic: d/+\n    readings:\n");
    for (int i = 0; i < MANY; i++)
        n += (size_t)snprintf(yaml + n, sizeof(yaml) - n, "      r%d: {}\n", i);
    rig_init(&r, yaml);
    rig_up(&r);
    memset(payload, '"', 4095);
    rig_message(&r, "d/x", payload, 1, false);
    const struct event *row = rig_last(&r, EV_STATE, "d/x");
    assert_true(row->blob.n <= 16 * 1024);
    assert_true(rig_last(&r, EV_AVAILABLE, "d/x")->body.n <= 200);
    // and what was written can be read
    struct rig again;
    rig_init(&again, yaml);
    mqtt_model_restore(again.m, row->key, row->blob);
    rig_up(&again);
    assert_non_null(rig_last(&again, EV_AVAILABLE, "d/x"));
    mem_free(payload);
    rig_finish(&again);
    rig_finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_message_makes_device),
        cmocka_unit_test(empty_and_foreign_topics),
        cmocka_unit_test(describes),
        cmocka_unit_test(shared_topic_comes_first),
        cmocka_unit_test(loss_is_told_at_once_then_damped),
        cmocka_unit_test(data_does_not_outweigh_offline),
        cmocka_unit_test(modes),
        cmocka_unit_test(silence_makes_stale_then_offline),
        cmocka_unit_test(data_puts_off_expiry),
        cmocka_unit_test(own_outage_is_not_the_devices),
        cmocka_unit_test(short_outage_is_not_told),
        cmocka_unit_test(offline_device_stays_so_in_outage),
        cmocka_unit_test(settle_gives_one_presence),
        cmocka_unit_test(settle_ends_in_an_endless_replay),
        cmocka_unit_test(retained_never_chats),
        cmocka_unit_test(alert_once_until_rearmed),
        cmocka_unit_test(change_alert_and_ids),
        cmocka_unit_test(status_is_limited),
        cmocka_unit_test(first_values_and_what_was_set_are_told_at_once),
        cmocka_unit_test(status_shows_numbers_as_people_do),
        cmocka_unit_test(state_survives),
        cmocka_unit_test(loss_survives),
        cmocka_unit_test(redelivery_has_the_same_id),
        cmocka_unit_test(redelivery_behind_others_has_the_same_id),
        cmocka_unit_test(killed_after_an_alert),
        cmocka_unit_test(row_stands_behind_its_alerts),
        cmocka_unit_test(flush_stores_what_waits),
        cmocka_unit_test(qos1_is_stored_at_once),
        cmocka_unit_test(nothing_is_stored_twice),
        cmocka_unit_test(each_waits_once),
        cmocka_unit_test(unreadable_rows_end_nothing),
        cmocka_unit_test(foreign_rows_are_dropped),
        cmocka_unit_test(reload_keeps_and_forgets),
        cmocka_unit_test(device_bound),
        cmocka_unit_test(many_devices),
        cmocka_unit_test(huge_values_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
