/* Shelly devices: what both kinds of firmware publish, and what an enemy would. */
#include "convention_rig.h"

#include "adapters/mqtt/mqtt_shelly.h"

static const char open_config[] = "discovery: {quarantine: false, shelly: {enabled: true, prefixes: ['house/+/+']}}\n";

static int up(void **state)
{
    return rig_setup(state, open_config);
}

// The only device goes offline, and then for good.
static void assert_leaves(struct rig *r, const char *key, const char *online, const char *source)
{
    rig_hear(r, online, "false");
    assert_non_null(rig_last(r, EV_UNAVAILABLE, key));
    rig_retained(r, source, "");
    assert_non_null(rig_last(r, EV_FORGET, key));
    assert_int_equal(rig_stat(r).devices, 0);
}

/* Generation 1 */

#define OLD "shellies/shelly1pm-B929CC"
#define OLD_KEY "shelly:" OLD
#define ANNOUNCED                                                                                                      \
    "{\"id\":\"shelly1pm-B929CC\",\"model\":\"SHSW-PM\",\"mac\":\"84CCA8B929CC\",\"ip\":\"192.168.1.41\","             \
    "\"new_fw\":false,\"fw_ver\":\"20230913-112234/v1.14.0-gcb84623\"}"

static void announce_old(struct rig *r)
{
    rig_hear(r, "shellies/announce", ANNOUNCED);
    rig_hear(r, OLD "/online", "true");
    rig_hear(r, OLD "/relay/0", "off");
    rig_hear(r, OLD "/relay/0/power", "0.00");
    rig_hear(r, OLD "/relay/0/energy", "1204");
    rig_hear(r, OLD "/temperature", "44.16");
    rig_hear(r, OLD "/temperature_f", "111.49");
    rig_hear(r, OLD "/overtemperature", "0");
    rig_hear(r, OLD "/input/0", "0");
    rig_hear(r, OLD "/longpush/0", "0");
    rig_hear(r, OLD "/input_event/0", "{\"event\":\"\",\"event_cnt\":0}");
}

static int with_old(void **state)
{
    (void)up(state);
    announce_old(*state);
    return 0;
}

static void an_old_relay_lives_and_obeys(void **state)
{
    struct rig *r = *state;

    assert_true(rig_listens(r, "shellies/#"));
    assert_str(r->published[0].topic, "shellies/command");
    assert_str(r->published[0].payload, "announce");
    assert_false(r->published[0].retain);
    announce_old(r);
    assert_int_equal(rig_stat(r).devices, 1);
    assert_int_equal(rig_stat(r).refused_discoveries, 0);
    const struct event *ev = rig_last(r, EV_IDENTITY, OLD_KEY);
    assert_str(ev->name, "shelly1pm-B929CC");
    rig_pass(r, 60000);
    assert_presence(r, OLD_KEY, SHOW_ONLINE, "switch off, 0 W, input off");
    rig_clear(r);
    assert_int_equal(rig_say(r, OLD_KEY, "on", 1), ERR_OK);
    const struct rig_publish *p = rig_published(r, OLD "/relay/0/command");
    assert_str(p->payload, "on");
    assert_false(p->retain);
    rig_hear(r, OLD "/relay/0", "on");
    assert_outcome(r, EV_DELIVERED, OLD_KEY, "switch is on");
    assert_leaves(r, OLD_KEY, OLD "/online", OLD "/announce");
}

// A device repeats every half minute what was pressed last.
static void presses_are_told_once(void **state)
{
    struct rig *r = *state;

    rig_clear(r);
    rig_hear(r, OLD "/input_event/0", "{\"event\":\"S\",\"event_cnt\":1}");
    assert_str(rig_last(r, EV_MESSAGE, OLD_KEY)->body, "input event: S");
    rig_pass(r, 30000);
    rig_hear(r, OLD "/input_event/0", "{\"event\":\"S\",\"event_cnt\":1}");
    assert_int_equal(rig_count(r, EV_MESSAGE), 1);
    rig_hear(r, OLD "/input_event/0", "{\"event\":\"L\",\"event_cnt\":2}");
    assert_str(rig_last(r, EV_MESSAGE, OLD_KEY)->body, "input event: L");
}

// It comes back as what it was, not as what it happens to say first.
static void who_was_forgotten_is_asked_anew(void **state)
{
    struct rig *r = *state;

    mqtt_model_forget(r->m, STR(OLD_KEY), r->now, r->wall);
    assert_int_equal(rig_stat(r).devices, 0);
    rig_pass(r, 60000);
    rig_clear(r);
    rig_hear(r, OLD "/relay/0/power", "5.00");
    assert_null(rig_last(r, EV_IDENTITY, OLD_KEY));
    assert_str(rig_published(r, OLD "/command")->payload, "announce");
    rig_hear(r, "shellies/announce", ANNOUNCED);
    assert_str(rig_last(r, EV_IDENTITY, OLD_KEY)->name, "shelly1pm-B929CC");
    assert_str(rig_published(r, OLD "/command")->payload, "update");
}

static void who_was_not_announced_is_asked(void **state)
{
    struct rig *r = *state;

    rig_clear(r);
    rig_hear(r, OLD "/relay/0", "off");
    rig_hear(r, OLD "/relay/0/power", "0");
    assert_int_equal(rig_stat(r).devices, 0);
    assert_int_equal(r->publish_count, 1); // once a minute
    assert_str(rig_published(r, OLD "/command")->payload, "announce");
    rig_hear(r, OLD "/announce", ANNOUNCED);
    assert_int_equal(rig_stat(r).devices, 1);
    assert_str(rig_published(r, OLD "/command")->payload, "update");
    rig_hear(r, "shellies/other/of/no/use", "1");
    assert_null(rig_published(r, "shellies/other/command"));
}

static void rollers_and_lights_of_old(void **state)
{
    static const char key[] = "shelly:shellies/x-1";
    struct rig *r = *state;

    rig_hear(r, "shellies/announce", "{\"id\":\"x-1\",\"model\":\"SHSW-25\"}");
    rig_hear(r, "shellies/x-1/online", "true");
    rig_hear(r, "shellies/x-1/roller/0", "stop");
    rig_hear(r, "shellies/x-1/roller/0/pos", "100");
    assert_int_equal(rig_say(r, key, "roller close", 1), ERR_OK);
    assert_str(rig_published(r, "shellies/x-1/roller/0/command")->payload, "close");
    rig_hear(r, "shellies/x-1/roller/0", "close");
    assert_outcome(r, EV_DELIVERED, key, "roller is close");
    assert_int_equal(rig_say(r, key, "position 30", 2), ERR_OK);
    const struct rig_publish *p = rig_published(r, "shellies/x-1/roller/0/command/pos");
    assert_str(p->payload, "30");
    mqtt_model_published(r->m, p->token, ERR_OK, NULL, r->now, r->wall);
    assert_outcome(r, EV_DELIVERED, key, "position: sent; this device does not confirm");
    rig_hear(r, "shellies/x-1/color/0", "off");
    rig_hear(
        r, "shellies/x-1/color/0/status",
        "{\"ison\":false,\"mode\":\"color\",\"red\":255,\"green\":0,\"blue\":0,\"white\":0,\"gain\":50,\"effect\":0}");
    assert_int_equal(rig_say(r, key, "brightness 80", 3), ERR_OK);
    assert_str(rig_published(r, "shellies/x-1/color/0/set")->payload, "{\"gain\": 80}");
    rig_hear(r, "shellies/x-1/color/0/status", "{\"ison\":false,\"red\":255,\"gain\":80}");
    assert_outcome(r, EV_DELIVERED, key, "brightness is 80 %");
    assert_int_equal(rig_say(r, key, "light on", 4), ERR_OK);
    assert_str(rig_published(r, "shellies/x-1/color/0/command")->payload, "on");
}

static void a_sensor_sleeps_and_is_not_lost(void **state)
{
    static const char key[] = "shelly:shellies/shellyht-1";
    struct rig *r = *state;

    rig_hear(r, "shellies/announce", "{\"id\":\"shellyht-1\",\"model\":\"SHHT-1\"}");
    rig_hear(r, "shellies/shellyht-1/sensor/temperature", "21.50");
    rig_hear(r, "shellies/shellyht-1/sensor/humidity", "48.5");
    rig_hear(r, "shellies/shellyht-1/sensor/battery", "93");
    rig_hear(r, "shellies/shellyht-1/online", "false");
    rig_pass(r, 12 * 3600000);
    assert_presence(r, key, SHOW_ONLINE, "21.5 °C, 48.5 %");
    rig_pass(r, 13 * 3600000);
    assert_int_equal(rig_last(r, EV_AVAILABLE, key)->show, SHOW_AWAY);
}

static void topics_of_old(void **state)
{
    static const struct {
        const char *tail, *payload, *names; // NULL: of no use
    } rows[] = {
        {"relay/0", "on", "switch switch;"},
        {"relay/1", "overpower", "switch switch 1;"},
        {"relay/power", "12", "sensor power;"},
        {"relay/1/power", "12", "sensor power 1;"},
        {"relay/123", "on", NULL},
        {"relay/x", "on", NULL},
        {"relay/0/command", "on", NULL},
        {"emeter/2/total", "120.5", "sensor energy 2;"},
        {"ext_temperature/0", "20.3", "sensor temperature;"},
        {"ext_temperatures", "{}", NULL},
        {"sensor/flood", "false", "binary_sensor flood;"},
        {"sensor/state", "open", "binary_sensor contact;"},
        {"light/0/status", "{\"ison\":true,\"brightness\":50,\"temp\":3000}",
         "number brightness;number white temperature;"},
        {"light/0/status", "{\"ison\":true}", NULL},
        {"light/0/status", "[1", NULL},
        {"status", "{\"motion\":true,\"vibration\":false,\"lux\":{\"value\":7},\"bat\":{\"value\":80}}",
         "binary_sensor motion;binary_sensor vibration;sensor illuminance;sensor battery;"},
        {"info", "{}", NULL},
        {"", "", NULL},
    };
    struct draft *t = *state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        mqtt_describe_begin(&t->d, &t->a, &t->found, STR("k"), STR("s"));
        enum err e = mqtt_shelly_learn(STR("shellies/x/"), str_c(rows[i].tail), str_c(rows[i].payload), &t->d);
        if (e != (rows[i].names ? ERR_OK : ERR_UNSUPPORTED))
            fail_msg("%s: %s", rows[i].tail, err_name(e));
        assert_str(rig_entities(&t->a, &t->found), rows[i].names ? rows[i].names : "");
    }
}

/* Generations 2 to 4 */

#define NEW "shellyplus1pm-a8032ab12345"
#define NEW_KEY "shelly:" NEW
#define INFO                                                                                                           \
    "{\"name\":null,\"id\":\"" NEW "\",\"mac\":\"A8032AB12345\",\"model\":\"SNSW-001P16EU\",\"gen\":2,"                \
    "\"fw_id\":\"20240819-074343/1.4.2-gc2639da\",\"ver\":\"1.4.2\",\"app\":\"Plus1PM\",\"auth_en\":false}"
#define CONFIG                                                                                                         \
    "{\"input:0\":{\"id\":0,\"name\":null,\"type\":\"button\"},\"switch:0\":{\"id\":0,\"name\":\"Boiler\"},"           \
    "\"sys\":{\"device\":{\"name\":\"Cellar\",\"mac\":\"A8032AB12345\"}}}"
#define STATUS                                                                                                         \
    "{\"ble\":{},\"cloud\":{\"connected\":false},\"input:0\":{\"id\":0,\"state\":null},\"mqtt\":{\"connected\":true}," \
    "\"script:1\":{\"id\":1,\"running\":true},\"blob:0\":{\"id\":0},"                                                  \
    "\"switch:0\":{\"id\":0,\"source\":\"init\",\"output\":false,\"apower\":0.0,\"voltage\":231.5,\"current\":0.0,"    \
    "\"aenergy\":{\"total\":11.7,\"by_minute\":[0,0,0],\"minute_ts\":1700000000},"                                     \
    "\"temperature\":{\"tC\":46.3,\"tF\":115.4}},\"sys\":{\"mac\":\"A8032AB12345\",\"uptime\":100},"                   \
    "\"wifi\":{\"sta_ip\":\"192.168.1.42\",\"status\":\"got ip\",\"ssid\":\"x\",\"rssi\":-60}}"

static struct str id_of(struct rig *r, const struct rig_publish *p)
{
    json_t *root = json_read(p->payload, 4096, NULL);
    struct str id = arena_dup(&r->arena, json_member_str(root, "id"));

    json_decref(root);
    return id;
}

// Answers all requests on the topic that have come since rig_clear().
static void answer(struct rig *r, const char *topic, const char *info, const char *config, const char *status)
{
    for (size_t i = 0; i < r->publish_count; i++) {
        const struct rig_publish *p = &r->published[i];
        const char *result = str_find_str(p->payload, STR("GetDeviceInfo")) >= 0 ? info
                             : str_find_str(p->payload, STR("GetConfig")) >= 0   ? config
                             : str_find_str(p->payload, STR("GetStatus")) >= 0   ? status
                                                                                 : NULL;
        if (!str_eq_c(p->topic, topic) || !result)
            continue;
        struct str text =
            arena_printf(&r->arena, "{\"id\":\"" STR_FMT "\",\"src\":\"" NEW "\",\"dst\":\"spandrel\",%s}",
                         STR_ARG(id_of(r, p)), result);
        rig_hear(r, "spandrel/rpc", text.p);
    }
}

static void answer_well(struct rig *r, const char *topic)
{
    answer(r, topic, "\"result\":" INFO, "\"result\":" CONFIG, "\"result\":" STATUS);
}

static void a_new_relay_lives_and_obeys(void **state)
{
    struct rig *r = *state;

    assert_true(rig_listens(r, "+/online"));
    assert_true(rig_listens(r, "spandrel/rpc"));
    rig_clear(r);
    rig_retained(r, NEW "/online", "true");
    assert_int_equal(r->publish_count, 3);
    assert_true(str_find_str(r->published[2].payload, STR(",\"src\":\"spandrel\",\"method\":\"Shelly.GetStatus\"}")) >
                0);
    assert_false(r->published[0].retain);
    answer_well(r, NEW "/rpc");
    assert_int_equal(rig_stat(r).devices, 1);
    assert_int_equal(rig_stat(r).refused_discoveries, 0);
    const struct event *ev = rig_last(r, EV_IDENTITY, NEW_KEY);
    assert_str(ev->name, "Cellar");
    rig_pass(r, 60000);
    assert_presence(r, NEW_KEY, SHOW_ONLINE, "Boiler off, 0 W"); // as it was answered
    assert_true(rig_listens(r, NEW "/status/switch:0"));
    assert_true(rig_listens(r, NEW "/events/rpc"));
    rig_hear(r, NEW "/events/rpc",
             "{\"src\":\"" NEW "\",\"dst\":\"" NEW "/events\",\"method\":\"NotifyStatus\","
             "\"params\":{\"ts\":1700000000.1,\"switch:0\":{\"id\":0,\"apower\":812.4}}}");
    rig_pass(r, 60000);
    assert_presence(r, NEW_KEY, SHOW_ONLINE, "Boiler off, 812.4 W");
    assert_leaves(r, NEW_KEY, NEW "/online", NEW "/online");
}

static int with_new(void **state)
{
    (void)up(state);
    rig_clear(*state);
    rig_retained(*state, NEW "/online", "true");
    answer_well(*state, NEW "/rpc");
    rig_clear(*state);
    return 0;
}

static void rpc_answer(struct rig *r, const char *rest)
{
    const struct rig_publish *p = rig_published(r, NEW "/rpc");
    struct str text = arena_printf(&r->arena, "{\"id\":\"" STR_FMT "\",%s}", STR_ARG(id_of(r, p)), rest);

    rig_hear(r, "spandrel/rpc", text.p);
}

static void commands_are_confirmed_by_their_answers(void **state)
{
    struct rig *r = *state;

    assert_int_equal(rig_say(r, NEW_KEY, "on", 1), ERR_OK);
    const struct rig_publish *p = rig_published(r, NEW "/rpc");
    struct str want = arena_printf(&r->arena,
                                   "{\"id\":\"" STR_FMT "\",\"src\":\"spandrel\",\"method\":\"Switch.Set\",\"params\":"
                                   "{\"id\":0,\"on\":true}}",
                                   STR_ARG(id_of(r, p)));
    assert_str(p->payload, want.p);
    assert_int_equal(id_of(r, p).n, 16);
    assert_str(p->response, ""); // the device speaks MQTT 3.1.1
    rpc_answer(r, "\"result\":{\"was_on\":false}");
    assert_int_equal(rig_count(r, EV_DELIVERED), 0); // it will; now the state is awaited
    rig_hear(r, NEW "/events/rpc",
             "{\"method\":\"NotifyStatus\",\"params\":{\"ts\":1.1,\"switch:0\":{\"id\":0,\"output\":true}}}");
    assert_outcome(r, EV_DELIVERED, NEW_KEY, "boiler is on");
    rig_clear(r);
    assert_int_equal(rig_say(r, NEW_KEY, "off", 2), ERR_OK);
    rpc_answer(r, "\"result\":{\"was_on\":true}");
    rig_pass(r, 5000); // notifications are off
    assert_outcome(r, EV_DELIVERED, NEW_KEY, "boiler: the device has taken it");
    rig_clear(r);
    assert_int_equal(rig_say(r, NEW_KEY, "off", 3), ERR_OK);
    rig_hear(r, "spandrel/rpc", "{\"id\":\"0123456789abcdef\",\"result\":{}}"); // to somebody else
    rig_hear(r, "spandrel/rpc", "{\"id\":3,\"result\":{}}");
    rig_hear(r, "spandrel/rpc", "{");
    assert_int_equal(rig_count(r, EV_DELIVERED), 0);
    rpc_answer(r, "\"error\":{\"code\":-105,\"message\":\"Argument 'id', value 0 not found!\"}");
    assert_outcome(r, EV_FAILED, NEW_KEY, "boiler: the device refuses: Argument 'id', value 0 not found!");
    rig_clear(r);
    assert_int_equal(rig_say(r, NEW_KEY, "off", 4), ERR_OK);
    rpc_answer(r, "\"error\":{\"code\":401}");
    assert_outcome(r, EV_FAILED, NEW_KEY, "boiler: the device refuses (error 401)");
    rig_clear(r);
    assert_int_equal(rig_say(r, NEW_KEY, "off", 5), ERR_OK);
    rig_pass(r, 6000);
    assert_true(str_starts(rig_last(r, EV_FAILED, NEW_KEY)->body, STR("no confirmation from the device in 5 s")));
}

static void buttons_alert(void **state)
{
    struct rig *r = *state;

    rig_hear(r, NEW "/events/rpc",
             "{\"method\":\"NotifyEvent\",\"params\":{\"ts\":1.1,\"events\":["
             "{\"component\":\"input:0\",\"id\":0,\"event\":\"btn_down\",\"ts\":1.1}]}}");
    assert_int_equal(rig_count(r, EV_MESSAGE), 0);
    rig_hear(r, NEW "/events/rpc",
             "{\"method\":\"NotifyEvent\",\"params\":{\"ts\":1.2,\"events\":["
             "{\"component\":\"sys\",\"event\":\"config_changed\"},"
             "{\"component\":\"input:0\",\"id\":0,\"event\":\"single_push\",\"ts\":1.2}]}}");
    assert_str(rig_last(r, EV_MESSAGE, NEW_KEY)->body, "input: single_push");
    rig_pass(r, 1000);
    rig_clear(r);
    rig_hear(
        r, NEW "/events/rpc",
        "{\"method\":\"NotifyEvent\",\"params\":{\"events\":[{\"component\":\"input:1\",\"event\":\"long_push\"}]}}");
    assert_int_equal(rig_count(r, EV_MESSAGE), 0);
}

static void prefixes_of_more_levels(void **state)
{
    struct rig *r = *state;

    assert_true(rig_listens(r, "house/+/+/online"));
    rig_clear(r);
    rig_retained(r, "house/cellar/boiler/online", "true");
    answer_well(r, "house/cellar/boiler/rpc");
    assert_int_equal(rig_stat(r).devices, 1);
    assert_int_equal(rig_say(r, "shelly:house/cellar/boiler", "on", 1), ERR_OK);
    assert_non_null(rig_published(r, "house/cellar/boiler/rpc"));
    rig_clear(r);
    rig_retained(r, "other/cellar/boiler/online", "true"); // nobody has said that it is one
    rig_retained(r, "lamp/online", "true");
    rig_retained(r, "house/online", "true");
    assert_int_equal(r->publish_count, 0);
}

static void silence_is_borne(void **state)
{
    struct rig *r = *state;

    rig_clear(r);
    rig_retained(r, NEW "/online", "true");
    rig_pass(r, 6000);
    assert_int_equal(rig_stat(r).devices, 0);
    assert_int_equal(rig_stat(r).refused_discoveries, 1);
    rig_clear(r);
    rig_hear(r, NEW "/online", "true"); // again: it is asked again
    assert_int_equal(r->publish_count, 3);
    answer(r, NEW "/rpc", "\"error\":{\"code\":404}", NULL, "\"result\":" STATUS);
    assert_int_equal(rig_stat(r).devices, 0);
    rig_pass(r, 6000); // without a configuration it is named after its components
    assert_int_equal(rig_stat(r).devices, 1);
    assert_str(rig_last(r, EV_IDENTITY, NEW_KEY)->name, NEW);
    assert_int_equal(rig_say(r, NEW_KEY, "get switch", 1), ERR_OK);
    assert_outcome(r, EV_DELIVERED, NEW_KEY, "switch: off");
}

static void many_are_asked_one_after_the_other(void **state)
{
    struct rig *r = *state;
    char topic[64];

    rig_clear(r);
    for (unsigned i = 0; i < 40; i++) {
        (void)snprintf(topic, sizeof(topic), "shelly-%u/online", i);
        rig_retained(r, topic, "true");
    }
    assert_int_equal(r->publish_count, 5 * 3);
    answer_well(r, "shelly-0/rpc");
    assert_int_equal(r->publish_count, 6 * 3);
    assert_int_equal(rig_stat(r).devices, 1);
    rig_pass(r, 5000);
    assert_int_equal(r->publish_count, 11 * 3);
}

// Those who are asked are taken away before they have answered: the others need not wait for anything.
static void who_goes_makes_room(void **state)
{
    struct rig *r = *state;
    char topic[64];

    rig_clear(r);
    for (unsigned i = 0; i < 6; i++) {
        (void)snprintf(topic, sizeof(topic), "shelly-%u/online", i);
        rig_retained(r, topic, "true");
    }
    assert_null(rig_published(r, "shelly-5/rpc"));
    rig_retained(r, "shelly-1/online", "");
    assert_non_null(rig_published(r, "shelly-5/rpc"));
}

// The broker does not say again that they are online.
static void who_is_asked_is_asked_on_after_a_reload(void **state)
{
    struct rig *r = *state;

    rig_retained(r, NEW "/online", "true");
    rig_retained(r, "house/cellar/boiler/online", "true");
    rig_clear(r);
    rig_reload(r, "discovery: {quarantine: false, status_interval: 7s, shelly: {enabled: true}}\n");
    rig_pass(r, 0);
    assert_non_null(rig_published(r, NEW "/rpc"));
    assert_null(rig_published(r, "house/cellar/boiler/rpc")); // which nobody calls one any more
    answer_well(r, NEW "/rpc");
    assert_int_equal(rig_stat(r).devices, 1);
}

// The link has no room for more: it is tried again.
static void a_full_link_is_waited_for(void **state)
{
    struct rig *r = *state;

    rig_clear(r);
    r->publish_result = ERR_AGAIN;
    rig_retained(r, NEW "/online", "true");
    rig_pass(r, 3000);
    assert_int_equal(r->publish_count, 0);
    r->publish_result = ERR_OK;
    rig_pass(r, 1000);
    assert_int_equal(r->publish_count, 3);
    answer_well(r, NEW "/rpc");
    assert_int_equal(rig_stat(r).devices, 1);
}

// As large as they are sold: four measured outputs, four inputs, names of 64 characters.
static void a_large_one_fits(void **state)
{
    static const char output[] =
        "{\"output\":false,\"apower\":0.0,\"voltage\":231.5,\"current\":0.0,\"pf\":1.0,\"freq\":50.0,"
        "\"aenergy\":{\"total\":1.0},\"temperature\":{\"tC\":40.0}}";
    static const char name[] = "A name of sixty-four characters, which is as many as may be in it";
    struct strbuf status, config;
    struct rig r;

    (void)state;
    strbuf_init(&status, 16384);
    strbuf_init(&config, 16384);
    (void)strbuf_c(&status, "\"result\":{\"wifi\":{\"rssi\":-60}");
    (void)strbuf_c(&config, "\"result\":{\"sys\":{}");
    for (unsigned i = 0; i < 4; i++) {
        (void)strbuf_printf(&status, ",\"switch:%u\":%s,\"input:%u\":{\"state\":null}", i, output, i);
        (void)strbuf_printf(&config, ",\"switch:%u\":{\"name\":\"%u %s\"},\"input:%u\":{\"name\":\"%u %s\"}", i, i,
                            name, i, i, name);
    }
    (void)strbuf_c(&status, "}");
    (void)strbuf_c(&config, "}");
    rig_start(&r, open_config);
    rig_clear(&r);
    rig_retained(&r, "house/a-level-of-forty-characters-in-a-topic/pro4pm/online", "true");
    answer(&r, "house/a-level-of-forty-characters-in-a-topic/pro4pm/rpc", "\"result\":" INFO, config.p, status.p);
    assert_int_equal(rig_stat(&r).refused_discoveries, 0);
    assert_int_equal(rig_stat(&r).devices, 1);
    strbuf_finish(&status);
    strbuf_finish(&config);
    rig_finish(&r);
}

struct component_row {
    const char *config, *status;
    const char *names;
};

static void components(void **state)
{
    static const struct component_row rows[] = {
        {"{}", "{\"switch:0\":{\"output\":true},\"switch:1\":{\"output\":true}}", "switch switch 0;switch switch 1;"},
        {"{\"cover:0\":{\"name\":\"Blind\"}}",
         "{\"cover:0\":{\"state\":\"stopped\",\"apower\":0,\"pos_control\":true,\"current_pos\":70}}",
         "sensor Blind state;select Blind;number Blind go to;sensor Blind power;sensor Blind position;"},
        {"{}", "{\"cover:0\":{\"state\":\"open\",\"pos_control\":false,\"current_pos\":null}}",
         "sensor cover state;select cover;"},
        {"{}", "{\"light:0\":{\"output\":false,\"brightness\":50}}", "switch light;number light brightness;"},
        {"{}", "{\"rgbw:0\":{\"output\":false,\"brightness\":50,\"rgb\":[1,2,3],\"white\":0}}",
         "switch rgbw;number rgbw brightness;number rgbw white;"},
        {"{}", "{\"cct:0\":{\"output\":false,\"brightness\":50,\"ct\":3000}}",
         "switch cct;number cct brightness;number cct white temperature;"},
        {"{\"input:0\":{\"type\":\"switch\"},\"input:1\":{\"type\":\"analog\"}}",
         "{\"input:0\":{\"state\":false},\"input:1\":{\"percent\":12}}", "binary_sensor input 0;sensor input 1;"},
        {"{}", "{\"input:0\":{\"state\":true}}", "binary_sensor input;"},
        {"{}", "{\"em:0\":{\"total_act_power\":400,\"a_act_power\":1},\"emdata:0\":{\"total_act\":12.5}}",
         "sensor em power;sensor em power A;sensor emdata energy;"},
        {"{}",
         "{\"temperature:0\":{\"tC\":21,\"tF\":70},\"humidity:0\":{\"rh\":40},\"devicepower:0\":{\"battery\":{\"V\":5."
         "9,"
         "\"percent\":93}}}",
         "sensor temperature;sensor humidity;sensor devicepower battery;"},
        {"{}", "{\"smoke:0\":{\"alarm\":false,\"mute\":false},\"flood:0\":{\"alarm\":false}}",
         "binary_sensor smoke;binary_sensor flood;"},
        {"{\"boolean:200\":{\"name\":\"Away\"},\"number:200\":{\"name\":\"Goal\",\"min\":1,\"max\":9},"
         "\"enum:200\":{\"name\":\"Mode\",\"options\":[\"a\",\"b\"]},\"text:200\":{\"name\":\"Note\"}}",
         "{\"boolean:200\":{\"value\":false},\"number:200\":{\"value\":2},\"enum:200\":{\"value\":\"a\"},"
         "\"text:200\":{\"value\":\"\"},\"button:200\":{}}",
         "switch Away;number Goal;select Mode;text Note;button button;"},
        {"{}", "{\"wifi\":{\"rssi\":-50}}", "sensor signal;"},
    };
    const struct mqtt_shelly_conf conf = {STR("house/x"), STR("spandrel")};
    struct draft *t = *state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct mqtt_shelly_answers answers = {NULL, json_read(str_c(rows[i].config), 4096, NULL),
                                              json_read(str_c(rows[i].status), 4096, NULL)};
        mqtt_describe_begin(&t->d, &t->a, &t->found, STR("k"), STR("s"));
        if (mqtt_shelly_describe(&conf, &answers, &t->d, &t->msg) != ERR_OK)
            fail_msg("row %zu: %s", i, t->msg.text);
        assert_str(rig_entities(&t->a, &t->found), rows[i].names);
        json_decref(answers.config);
        json_decref(answers.status);
    }
}

static void covers_and_virtual_components_obey(void **state)
{
    struct rig *r = *state;

    rig_clear(r);
    rig_retained(r, NEW "/online", "true");
    answer(r, NEW "/rpc", "\"result\":" INFO, "\"result\":{\"enum:200\":{\"name\":\"Mode\",\"options\":[\"a\",\"b\"]}}",
           "\"result\":{\"cover:0\":{\"state\":\"stopped\",\"pos_control\":true,\"current_pos\":70},"
           "\"enum:200\":{\"value\":\"a\"},\"text:200\":{\"value\":\"\"}}");
    rig_clear(r);
    assert_int_equal(rig_say(r, NEW_KEY, "cover open", 1), ERR_OK);
    assert_true(str_find_str(rig_published(r, NEW "/rpc")->payload,
                             STR("\"method\":\"Cover.Open\",\"params\":{\"id\":0}}")) > 0);
    rpc_answer(r, "\"result\":null");
    assert_outcome(r, EV_DELIVERED, NEW_KEY, "cover: the device has taken it");
    assert_int_equal(rig_say(r, NEW_KEY, "cover_go_to 40", 2), ERR_OK);
    assert_true(str_ends(rig_published(r, NEW "/rpc")->payload,
                         STR("\"method\":\"Cover.GoToPosition\",\"params\":{\"id\":0,\"pos\":40}}")));
    assert_int_equal(rig_say(r, NEW_KEY, "mode b", 3), ERR_OK);
    assert_true(str_ends(rig_published(r, NEW "/rpc")->payload, STR("\"params\":{\"id\":200,\"value\":\"b\"}}")));
    assert_int_equal(rig_say(r, NEW_KEY, "text {id}\" , \"x\":1", 4), ERR_OK);
    assert_true(str_ends(rig_published(r, NEW "/rpc")->payload,
                         STR("\"params\":{\"id\":200,\"value\":\"{id}\\\" , \\\"x\\\":1\"}}")));
}

static void a_sleeper_keeps_its_period(void **state)
{
    struct rig *r = *state;

    rig_clear(r);
    rig_hear(r, NEW "/online", "true");
    answer(r, NEW "/rpc", "\"result\":" INFO, "\"result\":{}",
           "\"result\":{\"temperature:0\":{\"tC\":21},\"sys\":{\"wakeup_period\":7200}}");
    rig_hear(r, NEW "/online", "false");
    rig_pass(r, 5 * 3600000);
    assert_presence(r, NEW_KEY, SHOW_ONLINE, "21 °C");
    rig_pass(r, 2 * 3600000);
    assert_int_equal(rig_last(r, EV_AVAILABLE, NEW_KEY)->show, SHOW_AWAY);
}

/* Both */

static void a_reload_asks_too(void **state)
{
    struct rig r;

    (void)state;
    rig_start(&r, "discovery: {quarantine: false}\n");
    assert_int_equal(r.publish_count, 0);
    rig_reload(&r, open_config);
    r.publish_result = ERR_AGAIN;
    rig_pass(&r, 1500);
    r.publish_result = ERR_OK;
    assert_int_equal(r.publish_count, 0);
    rig_pass(&r, 1000);
    assert_str(rig_published(&r, "shellies/command")->payload, "update");
    assert_true(rig_listens(&r, "shellies/#"));
    announce_old(&r);
    rig_reload(&r, "discovery: {quarantine: false, shelly: {enabled: true}}\n");
    assert_int_equal(rig_stat(&r).devices, 1);
    rig_hear(&r, OLD "/voltage", "230"); // who was announced still is
    assert_true(rig_listens(&r, OLD "/voltage"));
    rig_reload(&r, "discovery: {quarantine: false}\n");
    assert_int_equal(rig_stat(&r).devices, 0);
    assert_false(rig_listens(&r, "shellies/#"));
    rig_finish(&r);
}

static void settings_are_checked(void **state)
{
    static const char *const wrong[] = {
        "discovery: {shelly: {enabled: true, source: 'a b'}}\n",
        "discovery: {shelly: {enabled: true, source: 'a/'}}\n",
        "discovery: {shelly: {enabled: true, source: '$a'}}\n",
        "discovery: {shelly: {enabled: true, source: 'a\"b'}}\n",
        "discovery: {shelly: {enabled: true, prefixes: ['a/#']}}\n",
        "discovery: {shelly: {enabled: true, prefixes: ['a+']}}\n",
        "discovery: {shelly: {enabled: true, prefixes: ['$SYS/+']}}\n",
        "discovery: {shelly: {enabled: true, prefixes: ['a/']}}\n",
        "discovery: {tasmota: {enabled: true, prefix: 'a/+'}}\n",
        "discovery: {tasmota: {enabled: true, prefix: 'a/'}}\n",
        "discovery: {tasmota: {enabled: true, expire_after: 1s}}\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct conf_report *report = conf_report_create();
        struct conf_value *section = rig_section(wrong[i], report);
        struct mqtt_model *m = section ? mqtt_model_create(section, report, &rig_host, NULL, NULL) : NULL;
        if (m || conf_errors(report) != 1)
            fail_msg("%s", wrong[i]);
        conf_destroy(section);
        conf_report_destroy(report);
    }
}

static void what_is_allowed_is_obeyed(void **state)
{
    struct rig r;

    (void)state;
    rig_start(&r,
              "discovery: {quarantine: false, allow: ['shellies/#'], command_topics: ['shellies/+/relay/+/command'], "
              "shelly: {enabled: true}}\n");
    assert_int_equal(r.publish_count, 0); // shellies/command is not one of these
    rig_retained(&r, NEW "/online", "true");
    assert_int_equal(r.publish_count, 0);
    assert_int_equal(rig_stat(&r).refused_discoveries, 1);
    rig_hear(&r, "shellies/announce", ANNOUNCED);
    rig_hear(&r, OLD "/online", "true");
    rig_hear(&r, OLD "/relay/0", "off");
    rig_hear(&r, OLD "/light/0", "off");
    assert_int_equal(rig_stat(&r).devices, 1);
    assert_int_equal(rig_stat(&r).refused_discoveries, 2); // the light's command
    for (unsigned i = 0; i < 20; i++) {
        rig_pass(&r, 120000);
        rig_hear(&r, OLD "/light/0", "off");
    }
    assert_int_equal(rig_stat(&r).refused_discoveries, 2); // told once an hour
    assert_int_equal(rig_say(&r, OLD_KEY, "on", 1), ERR_OK);
    assert_non_null(rig_published(&r, OLD "/relay/0/command"));
    rig_finish(&r);
}

static void an_enemy_gets_nothing(void **state)
{
    static const struct {
        const char *topic, *payload;
        bool counted;
    } rows[] = {
        {"shellies/announce", "{", true},
        {"shellies/announce", "{}", true},
        {"shellies/announce", "{\"id\":\"a/b\"}", true},
        {"shellies/announce", "{\"id\":\"+\"}", true},
        {"shellies/announce", "{\"id\":\"$SYS\"}", true},
        {"shellies/a/announce", "[]", true},
        {"shellies/announce", "{\"id\":\"x\",\"gen\":2}", false},
        {"shellies//relay/0", "on", true},
        {"spandrel/rpc", "{", true},
        {"spandrel/rpc", "{\"id\":\"00000000000000000\",\"result\":{}}", false},
        {"spandrel/rpc", "{\"id\":\"00000000000000009\",\"result\":{}}", false},
        {"shellyx/online", "TRUE", false},
    };
    struct rig *r = *state;
    size_t counted = 0;

    for (size_t i = 0; i < COUNT(rows); i++) {
        rig_hear(r, rows[i].topic, rows[i].payload);
        counted += rows[i].counted;
        if (rig_stat(r).refused_discoveries != counted || rig_stat(r).devices)
            fail_msg("row %zu: %llu refused", i, (unsigned long long)rig_stat(r).refused_discoveries);
    }
}

// Who answers for a device must have been asked.
static void answers_cannot_be_guessed(void **state)
{
    struct rig *r = *state;
    char text[512];

    rig_clear(r);
    rig_retained(r, NEW "/online", "true");
    for (unsigned i = 0; i < 3; i++) {
        (void)snprintf(text, sizeof(text), "{\"id\":\"%016x%u\",\"result\":{\"switch:0\":{\"output\":true}}}", 1u, i);
        rig_hear(r, "spandrel/rpc", text);
    }
    rig_pass(r, 6000);
    assert_int_equal(rig_stat(r).devices, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        rig_test(an_old_relay_lives_and_obeys, up),
        rig_test(presses_are_told_once, with_old),
        rig_test(who_was_forgotten_is_asked_anew, with_old),
        rig_test(who_was_not_announced_is_asked, up),
        rig_test(rollers_and_lights_of_old, up),
        rig_test(a_sensor_sleeps_and_is_not_lost, up),
        draft_test(topics_of_old),
        rig_test(a_new_relay_lives_and_obeys, up),
        rig_test(commands_are_confirmed_by_their_answers, with_new),
        rig_test(buttons_alert, with_new),
        rig_test(prefixes_of_more_levels, up),
        rig_test(silence_is_borne, up),
        rig_test(many_are_asked_one_after_the_other, up),
        rig_test(who_goes_makes_room, up),
        rig_test(who_is_asked_is_asked_on_after_a_reload, up),
        rig_test(a_full_link_is_waited_for, up),
        cmocka_unit_test(a_large_one_fits),
        draft_test(components),
        rig_test(covers_and_virtual_components_obey, up),
        rig_test(a_sleeper_keeps_its_period, up),
        cmocka_unit_test(a_reload_asks_too),
        cmocka_unit_test(settings_are_checked),
        cmocka_unit_test(what_is_allowed_is_obeyed),
        rig_test(an_enemy_gets_nothing, up),
        rig_test(answers_cannot_be_guessed, up),
    };
    return cmocka_run_group_tests_name("shelly", tests, NULL, NULL);
}
