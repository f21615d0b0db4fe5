/* Home Assistant's discovery: messages as Zigbee2MQTT, ESPHome and Tasmota write them, and as an enemy would. */
#include "convention_rig.h"

#include "adapters/mqtt/mqtt_topic.h"

#include <time.h>

static const char open_config[] = "discovery: {enabled: true, allow: ['zigbee2mqtt/#', 'tele/#', 'stat/#', 'cmnd/#', "
                                  "'esp/#'], command_topics: ['zigbee2mqtt/+/set/#', 'zigbee2mqtt/+/set', 'cmnd/#', "
                                  "'esp/+/+/+/command'], quarantine: false}\n";

#define Z2M_DEVICE                                                                                                     \
    "\"availability\":[{\"topic\":\"zigbee2mqtt/bridge/state\",\"value_template\":\"{{ value_json.state }}\"},"        \
    "{\"topic\":\"zigbee2mqtt/Bulb/availability\",\"value_template\":\"{{ value_json.state }}\"}],"                    \
    "\"availability_mode\":\"all\",\"device\":{\"identifiers\":[\"zigbee2mqtt_0x00158d0001dc126a\"],"                  \
    "\"manufacturer\":\"IKEA\",\"model\":\"TRADFRI bulb E27\",\"name\":\"Bulb\",\"sw_version\":\"2.3.087\","           \
    "\"via_device\":\"zigbee2mqtt_bridge_0x00124b0022f2b0b0\",\"configuration_url\":\"http://z2m.local/#/device/1\"}," \
    "\"origin\":{\"name\":\"Zigbee2MQTT\",\"sw\":\"2.1.0\",\"url\":\"https://www.zigbee2mqtt.io\"}"

static const struct {
    const char *topic, *payload;
} z2m[] = {
    {"homeassistant/light/0x00158d0001dc126a/light/config",
     "{" Z2M_DEVICE ",\"brightness\":true,\"brightness_scale\":254,\"command_topic\":\"zigbee2mqtt/Bulb/set\","
     "\"name\":null,\"object_id\":\"bulb\",\"schema\":\"json\",\"state_topic\":\"zigbee2mqtt/Bulb\","
     "\"supported_color_modes\":[\"brightness\"],\"unique_id\":\"0x00158d0001dc126a_light_zigbee2mqtt\"}"},
    {"homeassistant/select/0x00158d0001dc126a/power_on_behavior/config",
     "{" Z2M_DEVICE ",\"command_topic\":\"zigbee2mqtt/Bulb/set/power_on_behavior\",\"entity_category\":\"config\","
     "\"name\":\"Power-on behavior\",\"options\":[\"off\",\"on\",\"previous\"],\"state_topic\":\"zigbee2mqtt/Bulb\","
     "\"value_template\":\"{{ value_json.power_on_behavior }}\"}"},
    {"homeassistant/sensor/0x00158d0001dc126a/linkquality/config",
     "{" Z2M_DEVICE ",\"enabled_by_default\":false,\"entity_category\":\"diagnostic\",\"name\":\"Linkquality\","
     "\"state_class\":\"measurement\",\"state_topic\":\"zigbee2mqtt/Bulb\",\"unit_of_measurement\":\"lqi\","
     "\"value_template\":\"{{ value_json.linkquality }}\"}"},
    {"homeassistant/update/0x00158d0001dc126a/update/config",
     "{" Z2M_DEVICE ",\"command_topic\":\"zigbee2mqtt/bridge/request/device/ota_update/update\"}"},
};

#define BULB "ha:zigbee2mqtt_0x00158d0001dc126a"

static void discover_bulb(struct rig *r)
{
    for (size_t i = 0; i < COUNT(z2m); i++)
        rig_retained(r, z2m[i].topic, z2m[i].payload);
}

static int up(void **state)
{
    return rig_setup(state, open_config);
}

// Several messages that make one device.
static int with_bulb(void **state)
{
    (void)up(state);
    discover_bulb(*state);
    return 0;
}

static void zigbee2mqtt(void **state)
{
    struct description d;
    struct rig *r = *state;

    assert_true(rig_listens(r, "homeassistant/+/+/config"));
    assert_true(rig_listens(r, "homeassistant/+/+/+/config"));
    discover_bulb(r);
    assert_int_equal(rig_stat(r).devices, 1);
    assert_int_equal(rig_stat(r).refused_discoveries, 0);
    assert_true(rig_listens(r, "zigbee2mqtt/Bulb"));
    assert_true(rig_listens(r, "zigbee2mqtt/Bulb/availability"));
    const struct event *ev = rig_last(r, EV_IDENTITY, BULB);
    assert_str(ev->name, "Bulb");
    assert_str(ev->wish, "bulb");
    assert_str(ev->cls, "light");
    assert_int_equal(ev->flags, 0);
    assert_presence(r, BULB, SHOW_XA, "no data yet");
    rig_hear(r, "zigbee2mqtt/Bulb",
             "{\"state\":\"ON\",\"brightness\":120,\"linkquality\":99,"
             "\"power_on_behavior\":\"on\"}");
    assert_presence(r, BULB, SHOW_ONLINE, "light on, light brightness 120");
    assert_int_equal(mqtt_model_describe(r->m, STR(BULB), &d), ERR_OK);
    assert_str(d.manufacturer, "IKEA");
    assert_str(d.model, "TRADFRI bulb E27");
    assert_str(d.version, "2.3.087");
    assert_str(d.url, "http://z2m.local/#/device/1");
    // both levels count
    rig_retained(r, "zigbee2mqtt/bridge/state", "{\"state\":\"online\"}");
    rig_retained(r, "zigbee2mqtt/Bulb/availability", "{\"state\":\"online\"}");
    assert_null(rig_last(r, EV_UNAVAILABLE, BULB));
    rig_hear(r, "zigbee2mqtt/bridge/state", "{\"state\":\"offline\"}");
    assert_non_null(rig_last(r, EV_UNAVAILABLE, BULB));
}

static void zigbee2mqtt_commands(void **state)
{
    struct rig *r = *state;

    rig_hear(r, "zigbee2mqtt/Bulb", "{\"state\":\"OFF\"}");
    (void)rig_say(r, BULB, "on", 1);
    assert_int_equal(r->publish_count, 1);
    assert_str(r->published[0].topic, "zigbee2mqtt/Bulb/set");
    assert_str(r->published[0].payload, "{\"state\":\"ON\"}");
    rig_hear(r, "zigbee2mqtt/Bulb", "{\"state\":\"ON\"}");
    assert_str(rig_last(r, EV_DELIVERED, BULB)->body, "light is on");
    (void)rig_say(r, BULB, "light_brightness 100", 2);
    assert_str(r->published[1].payload, "{\"brightness\":100}");
    (void)rig_say(r, BULB, "light_brightness 255", 3);
    assert_str(rig_last(r, EV_FAILED, BULB)->body, "light_brightness must be between 0 and 254");
    (void)rig_say(r, BULB, "power_on_behavior previous", 4);
    assert_str(r->published[2].topic, "zigbee2mqtt/Bulb/set/power_on_behavior");
    assert_str(r->published[2].payload, "previous");
}

// Two devices behind one bridge: what its shared topic said before the second came counts for it.
static void shared_availability(void **state)
{
    struct rig *r = *state;

    rig_retained(r, "zigbee2mqtt/bridge/state", "{\"state\":\"offline\"}");
    rig_retained(r, "homeassistant/sensor/two/t/config",
                 "{\"state_topic\":\"zigbee2mqtt/Two\",\"value_template\":\"{{ value_json.t }}\",\"name\":\"T\","
                 "\"availability\":[{\"topic\":\"zigbee2mqtt/bridge/state\",\"value_template\":"
                 "\"{{ value_json.state }}\"}],\"device\":{\"identifiers\":[\"two\"],\"name\":\"Two\"}}");
    assert_non_null(rig_last(r, EV_UNAVAILABLE, "ha:two"));
}

static void entity_after_the_state(void **state)
{
    struct rig *r = *state;

    rig_retained(r, z2m[0].topic, z2m[0].payload);
    rig_retained(r, "zigbee2mqtt/Bulb", "{\"state\":\"ON\",\"linkquality\":99}");
    rig_retained(r, z2m[2].topic, z2m[2].payload);
    (void)rig_say(r, BULB, "get linkquality", 1);
    assert_str(rig_last(r, EV_DELIVERED, BULB)->body, "linkquality: 99 lqi");
}

static void removal(void **state)
{
    struct rig *r = *state;

    for (size_t i = 0; i < 3; i++) {
        assert_null(rig_last(r, EV_FORGET, BULB));
        rig_retained(r, z2m[i].topic, "");
    }
    assert_non_null(rig_last(r, EV_FORGET, BULB));
    assert_int_equal(rig_stat(r).devices, 0);
    assert_int_equal(rig_stat(r).topics, 0);
    assert_false(rig_listens(r, "zigbee2mqtt/Bulb"));
    assert_false(rig_listens(r, "zigbee2mqtt/bridge/state"));
    assert_int_equal(rig_last(r, EV_STATE, "config:" BULB)->blob.n, 0);
    assert_int_equal(rig_last(r, EV_STATE, BULB)->blob.n, 0);
    rig_retained(r, z2m[0].topic, ""); // once more: of no effect
    discover_bulb(r);
    assert_int_equal(rig_stat(r).devices, 1);
}

static void repetition_changes_nothing(void **state)
{
    struct rig *r = *state;

    rig_pass(r, 10000);
    rig_clear(r);
    discover_bulb(r);
    rig_pass(r, 10000);
    assert_int_equal(r->count, 0);
}

static void rename_keeps_the_contact(void **state)
{
    struct rig *r = *state;

    rig_retained(r, "homeassistant/sensor/x/t/config",
                 "{\"state_topic\":\"zigbee2mqtt/Old\",\"name\":\"T\",\"device\":{\"ids\":\"x\",\"name\":\"Old\"}}");
    rig_hear(r, "zigbee2mqtt/Old", "5");
    rig_retained(r, "homeassistant/sensor/x/t/config",
                 "{\"state_topic\":\"zigbee2mqtt/New\",\"name\":\"T\",\"device\":{\"ids\":\"x\",\"name\":\"New\"}}");
    assert_str(rig_last(r, EV_IDENTITY, "ha:x")->name, "New");
    assert_null(rig_last(r, EV_FORGET, NULL));
    assert_true(rig_listens(r, "zigbee2mqtt/New"));
    assert_false(rig_listens(r, "zigbee2mqtt/Old"));
    (void)rig_say(r, "ha:x", "get t", 1);
    assert_str(rig_last(r, EV_DELIVERED, "ha:x")->body, "t: 5");
    // the same topic, now for another device: the entity moves
    rig_retained(r, "homeassistant/sensor/x/t/config",
                 "{\"state_topic\":\"zigbee2mqtt/New\",\"name\":\"T\",\"device\":{\"ids\":\"y\",\"name\":\"Y\"}}");
    assert_non_null(rig_last(r, EV_FORGET, "ha:x"));
    assert_non_null(rig_last(r, EV_IDENTITY, "ha:y"));
}

static void tasmota(void **state)
{
    struct rig *r = *state;

    rig_retained(r, "homeassistant/switch/35EBF6_RL_1/config",
                 "{\"name\":\"3DPrinter\",\"stat_t\":\"tele/plug/STATE\",\"avty_t\":\"tele/plug/LWT\","
                 "\"pl_avail\":\"Online\",\"pl_not_avail\":\"Offline\",\"cmd_t\":\"cmnd/plug/POWER1\","
                 "\"pl_off\":\"OFF\",\"pl_on\":\"ON\",\"val_tpl\":\"{{value_json.POWER1}}\","
                 "\"uniq_id\":\"35EBF6_RL_1\",\"dev\":{\"ids\":[\"35EBF6\"]}}");
    rig_retained(
        r, "homeassistant/sensor/35EBF6_P/config",
        "{\"name\":\"Power\",\"stat_t\":\"tele/plug/SENSOR\",\"avty_t\":\"tele/plug/LWT\","
        "\"pl_avail\":\"Online\",\"pl_not_avail\":\"Offline\",\"unit_of_meas\":\"W\",\"dev_cla\":\"power\","
        "\"val_tpl\":\"{{value_json['ENERGY'].Power}}\",\"uniq_id\":\"35EBF6_P\",\"dev\":{\"ids\":[\"35EBF6\"]}}");
    rig_retained(r, "tele/plug/LWT", "Online");
    rig_hear(r, "tele/plug/STATE", "{\"POWER1\":\"ON\",\"Wifi\":{\"RSSI\":70}}");
    rig_hear(r, "tele/plug/SENSOR", "{\"Time\":\"2026-11-21T09:20:00\",\"ENERGY\":{\"Power\":42.5}}");
    rig_pass(r, 60000);
    assert_presence(r, "ha:35EBF6", SHOW_ONLINE, "3DPrinter on, 42.5 W");
    rig_hear(r, "tele/plug/LWT", "Offline");
    assert_non_null(rig_last(r, EV_UNAVAILABLE, "ha:35EBF6"));
}

static void esphome(void **state)
{
    struct rig *r = *state;

    rig_retained(
        r, "homeassistant/cover/garage/door/config",
        "{\"~\":\"esp/garage/cover\",\"name\":\"Door\",\"stat_t\":\"~/door/state\",\"cmd_t\":\"~/door/command\","
        "\"avty_t\":\"esp/garage/status\",\"dev\":{\"ids\":\"4c11ae\",\"name\":\"garage\",\"mdl\":\"esp32\","
        "\"sw\":\"2026.1.0\",\"mf\":\"Espressif\",\"cns\":[[\"mac\",\"4c11ae0d83fc\"]]}}");
    rig_retained(
        r, "homeassistant/binary_sensor/garage/closed/config",
        "{\"name\":\"Closed\",\"dev_cla\":\"garage_door\",\"stat_t\":\"esp/garage/binary_sensor/closed/state\","
        "\"avty_t\":\"esp/garage/status\",\"dev\":{\"ids\":\"4c11ae\",\"name\":\"garage\"}}");
    rig_retained(r, "homeassistant/button/garage/restart/config",
                 "{\"name\":\"Restart\",\"cmd_t\":\"esp/garage/button/restart/command\",\"pl_prs\":\"GO\","
                 "\"avty_t\":\"esp/garage/status\",\"dev\":{\"ids\":\"4c11ae\",\"name\":\"garage\"}}");
    rig_retained(r, "esp/garage/status", "online");
    assert_presence(r, "ha:4c11ae", SHOW_ONLINE, "");
    rig_hear(r, "esp/garage/binary_sensor/closed/state", "ON");
    rig_hear(r, "esp/garage/cover/door/state", "open");
    rig_pass(r, 60000);
    assert_presence(r, "ha:4c11ae", SHOW_ONLINE, "Door open, Closed open");
    rig_clear(r);
    (void)rig_say(r, "ha:4c11ae", "door close", 1);
    assert_str(r->published[0].topic, "esp/garage/cover/door/command");
    assert_str(r->published[0].payload, "CLOSE");
    (void)rig_say(r, "ha:4c11ae", "restart", 2);
    assert_str(r->published[1].payload, "GO");
}

static void other_components(void **state)
{
    static const struct {
        const char *component, *config, *heard, *status, *said, *topic, *payload;
    } cases[] = {
        {"number", "\"stat_t\":\"esp/s\",\"cmd_t\":\"cmnd/n\",\"min\":0,\"max\":10,\"step\":0.5,\"unit_of_meas\":\"V\"",
         "3.5", "3.5 V", "it 4.5", "cmnd/n", "4.5"},
        {"number", "\"cmd_t\":\"cmnd/n\",\"cmd_tpl\":\"{\\\"v\\\": {{ value }} }\"", NULL, NULL, "it 7", "cmnd/n",
         "{\"v\": 7 }"},
        {"text", "\"stat_t\":\"esp/s\",\"cmd_t\":\"cmnd/n\",\"max\":5", "abc", "It abc", "it hallo", "cmnd/n", "hallo"},
        {"lock", "\"stat_t\":\"esp/s\",\"cmd_t\":\"cmnd/n\"", "LOCKED", "It locked", "it unlock", "cmnd/n", "UNLOCK"},
        {"lock", "\"stat_t\":\"esp/s\",\"cmd_t\":\"cmnd/n\"", "UNLOCKED", "It unlocked", "it on", "cmnd/n", "LOCK"},
        {"fan", "\"stat_t\":\"esp/s\",\"cmd_t\":\"cmnd/n\"", "OFF", "It off", "on", "cmnd/n", "ON"},
        {"light", "\"stat_t\":\"esp/s\",\"cmd_t\":\"cmnd/n\",\"bri_cmd_t\":\"cmnd/b\",\"bri_scl\":100", "ON", "It on",
         "it_brightness 40", "cmnd/b", "40"},
        {"climate",
         "\"curr_temp_t\":\"esp/s\",\"temp_cmd_t\":\"cmnd/n\",\"mode_cmd_t\":\"cmnd/m\",\"modes\":[\"heat\",\"off\"]",
         "19.5", "19.5 °C", "it_mode heat", "cmnd/m", "heat"},
        {"climate", "\"temp_stat_t\":\"esp/s\",\"temp_cmd_t\":\"cmnd/n\",\"max_temp\":30", "20", "20 °C",
         "it_target 21.5", "cmnd/n", "21.5"},
        {"cover", "\"pos_t\":\"esp/s\",\"set_pos_t\":\"cmnd/p\",\"cmd_t\":\"cmnd/n\"", "30", "It position 30",
         "it_position 50", "cmnd/p", "50"},
        {"switch", "\"cmd_t\":\"cmnd/n\",\"pl_on\":1,\"pl_off\":0", NULL, NULL, "off", "cmnd/n", "0"},
        {"binary_sensor", "\"stat_t\":\"esp/s\",\"pl_on\":true,\"pl_off\":false,\"dev_cla\":\"motion\"", "true",
         "It detected", NULL, NULL, NULL},
        {"sensor", "\"stat_t\":\"esp/s\",\"sug_dsp_prc\":1,\"unit_of_meas\":\"°C\"", "20.46", "20.5 °C", NULL, NULL,
         NULL},
        {"sensor", "\"stat_t\":\"esp/s\",\"val_tpl\":\"{% if value %}x{% endif %}\"", "raw", "It raw", NULL, NULL,
         NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char topic[128], payload[1024];
        struct rig r;
        rig_start(&r, open_config);
        (void)snprintf(topic, sizeof(topic), "homeassistant/%s/n/it/config", cases[i].component);
        (void)snprintf(payload, sizeof(payload), "{\"name\":\"It\",%s,\"dev\":{\"ids\":\"d\"}}", cases[i].config);
        rig_retained(&r, topic, payload);
        assert_int_equal(rig_stat(&r).refused_discoveries, 0);
        if (cases[i].heard) {
            rig_hear(&r, "esp/s", cases[i].heard);
            const struct event *ev = rig_last(&r, EV_AVAILABLE, "ha:d");
            if (!ev || !str_eq_c(ev->body, cases[i].status))
                fail_msg("case %zu: " STR_FMT, i, STR_ARG(ev ? ev->body : STR("nothing")));
        }
        if (cases[i].said) {
            (void)rig_say(&r, "ha:d", cases[i].said, 1);
            if (r.publish_count != 1 || !str_eq_c(r.published[0].payload, cases[i].payload))
                fail_msg("case %zu: " STR_FMT, i,
                         STR_ARG(rig_last(&r, EV_FAILED, NULL) ? rig_last(&r, EV_FAILED, NULL)->body : STR("nothing")));
            assert_str(r.published[0].topic, cases[i].topic);
        }
        rig_finish(&r);
    }
}

static void device_message(void **state)
{
    static const char full[] =
        "{\"dev\":{\"ids\":\"ea334450945afc\",\"name\":\"Kitchen\",\"sa\":\"Home\",\"sn\":\"12\"},\"o\":{\"name\":"
        "\"b\"},"
        "\"cmps\":{\"t\":{\"p\":\"sensor\",\"dev_cla\":\"temperature\",\"unit_of_meas\":\"°C\","
        "\"val_tpl\":\"{{ value_json.t }}\",\"uniq_id\":\"t1\",\"name\":\"Kitchen temperature\"},"
        "\"h\":{\"p\":\"sensor\",\"unit_of_meas\":\"%\",\"val_tpl\":\"{{ value_json.h }}\",\"name\":\"Humidity\"},"
        "\"x\":{\"p\":\"event\",\"event_types\":[\"a\"]},\"gone\":{\"p\":\"sensor\"}},"
        "\"state_topic\":\"esp/kitchen\",\"qos\":2}";
    static const char less[] =
        "{\"dev\":{\"ids\":\"ea334450945afc\",\"name\":\"Kitchen\"},\"cmps\":{\"t\":{\"p\":\"sensor\"},"
        "\"h\":{\"p\":\"sensor\",\"val_tpl\":\"{{ value_json.h }}\",\"name\":\"Humidity\"}},"
        "\"state_topic\":\"esp/kitchen\"}";
    struct rig *r = *state;

    rig_retained(r, "homeassistant/device/kitchen/config", full);
    rig_hear(r, "esp/kitchen", "{\"t\":20,\"h\":50}");
    assert_presence(r, "ha:ea334450945afc", SHOW_ONLINE, "20 °C, 50 %");
    assert_str(rig_last(r, EV_IDENTITY, NULL)->group, "Home");
    (void)rig_say(r, "ha:ea334450945afc", "temperature", 1); // without the device's name
    assert_str(rig_last(r, EV_DELIVERED, NULL)->body, "temperature: 20 °C");
    rig_retained(r, "homeassistant/device/kitchen/config", less);
    (void)rig_say(r, "ha:ea334450945afc", "get", 2);
    assert_true(str_find_str(rig_last(r, EV_DELIVERED, NULL)->body, STR("temperature")) < 0);
    rig_retained(r, "homeassistant/device/kitchen/config", "");
    assert_non_null(rig_last(r, EV_FORGET, "ha:ea334450945afc"));
}

static void quarantine(void **state)
{
    struct rig r;

    (void)state;
    rig_start(&r, "discovery: {enabled: true, allow: ['zigbee2mqtt/#']}");
    discover_bulb(&r);
    assert_int_equal(rig_last(&r, EV_IDENTITY, BULB)->flags, EVENT_QUARANTINE);
    rig_finish(&r);
}

// Somebody has approved it as it was: who makes more of it is told of.
static void what_was_approved_grows_in_sight(void **state)
{
    static const char front[] = "{\"state_topic\":\"zigbee2mqtt/F\",\"name\":\"T\",\"device\":{\"ids\":\"f\",\"name\":"
                                "\"Front\"}}";
    static const char more[] = "{\"command_topic\":\"cmnd/lock\",\"name\":\"Lock\",\"device\":{\"ids\":\"f\",\"name\":"
                               "\"Garage\"}}";
    struct rig *r = *state;

    rig_retained(r, "homeassistant/sensor/f/t/config", front);
    rig_pass(r, 10000);
    rig_retained(r, "homeassistant/sensor/f/t/config", front);
    assert_int_equal(rig_count(r, EV_NOTICE), 0);
    rig_retained(r, "homeassistant/switch/f/l/config", more);
    assert_int_equal(rig_count(r, EV_NOTICE), 2);
    assert_str(rig_last(r, EV_NOTICE, NULL)->body,
               "discovery: Front has a new control, lock, which writes to cmnd/lock, "
               "by homeassistant/switch/f/l/config");
    rig_pass(r, 10000);
    rig_retained(r, "homeassistant/switch/f/l/config", more);
    assert_int_equal(rig_count(r, EV_NOTICE), 2);
}

static void disabled(void **state)
{
    struct rig r;

    (void)state;
    rig_start(&r, "devices: {}");
    discover_bulb(&r);
    assert_int_equal(rig_stat(&r).devices, 0);
    assert_int_equal(r.filter_count, 0);
    rig_finish(&r);
}

/* Over a restart */

static void survives_without_broker(void **state)
{
    struct rig *r = *state;
    struct rig again;

    rig_hear(r, "zigbee2mqtt/Bulb", "{\"state\":\"ON\",\"brightness\":7}");
    rig_pass(r, 10000);
    rig_init(&again, open_config);
    const struct event *config = rig_last(r, EV_STATE, "config:" BULB), *values = rig_last(r, EV_STATE, BULB);
    assert_true(config->blob.n <= 32 * 1024);
    mqtt_model_restore(again.m, values->key, values->blob);
    mqtt_model_restore(again.m, config->key, config->blob);
    mqtt_model_start(again.m, again.now, again.wall);
    rig_pass(&again, 0);
    assert_presence(&again, BULB, SHOW_ONLINE, "light on, light brightness 7");
    assert_true(rig_listens(&again, "zigbee2mqtt/Bulb"));
    mqtt_model_link(again.m, true, again.now, again.wall);
    rig_clear(&again);
    discover_bulb(&again);
    rig_pass(&again, 10000);
    assert_int_equal(again.count, 0); // all of it was known
    // what the configuration does not allow any more is gone
    struct rig strict;
    rig_init(&strict, "discovery: {enabled: true, allow: ['other/#']}");
    mqtt_model_restore(strict.m, config->key, config->blob);
    mqtt_model_restore(strict.m, values->key, values->blob);
    rig_up(&strict);
    assert_int_equal(rig_stat(&strict).devices, 0);
    assert_non_null(rig_last(&strict, EV_FORGET, BULB));
    rig_finish(&strict);
    rig_finish(&again);
}

/* The enemy */

static void refused(void **state)
{
    static const char *const payloads[] = {
        "[]",
        "not json",
        "{}",
        "{\"state_topic\":\"secret/x\"}",                                          // not allowed
        "{\"state_topic\":\"$SYS/x\"}",                                            // the broker's
        "{\"state_topic\":\"zigbee2mqtt/#\"}",                                     // a wildcard
        "{\"state_topic\":\"zigbee2mqtt/+/x\"}",                                   //
        "{\"state_topic\":\"zigbee2mqtt/\\u0001\"}",                               //
        "{\"state_topic\":\"zigbee2mqtt/{1}\"}",                                   // a capture
        "{\"state_topic\":{}}",                                                    //
        "{\"state_topic\":\"zigbee2mqtt/x\",\"availability_topic\":\"secret/x\"}", //
        "{\"state_topic\":\"zigbee2mqtt/x\",\"a\":[[[[[[[[[[1]]]]]]]]]]}",         // too deep
        "{\"state_topic\":\"zigbee2mqtt/x\",\"state_topic\":\"zigbee2mqtt/y\"}",   // twice
        "{\"state_topic\":\"mine/a/status\"}",                                     // a template's
    };
    struct rig r;

    (void)state;
    rig_start(&r, "devices: {t: {topic: mine/+/status, controls: {c: {topic: 'mine/{1}/set'}}}}\n"
                  "discovery: {enabled: true, allow: ['zigbee2mqtt/#', 'mine/#']}\n");
    for (size_t i = 0; i < COUNT(payloads); i++) {
        rig_retained(&r, "homeassistant/sensor/x/config", payloads[i]);
        if (rig_stat(&r).refused_discoveries != i + 1)
            fail_msg("taken: %s", payloads[i]);
    }
    rig_retained(&r, "homeassistant/switch/x/config", "{\"command_topic\":\"mine/a/set\"}");
    rig_retained(&r, "homeassistant/switch/x/config", "{\"command_topic\":\"homeassistant/switch/y/config\"}");
    rig_retained(&r, "homeassistant/number/x/config", "{\"command_topic\":\"zigbee2mqtt/x\",\"min\":5,\"max\":1}");
    rig_retained(&r, "homeassistant/select/x/config", "{\"command_topic\":\"zigbee2mqtt/x\",\"options\":[]}");
    assert_int_equal(rig_stat(&r).refused_discoveries, COUNT(payloads) + 4);
    assert_int_equal(rig_stat(&r).devices, 0);
    rig_finish(&r);
}

static void no_take_over(void **state)
{
    struct rig r;

    (void)state;
    rig_start(&r, "discovery: {enabled: true, allow: ['zigbee2mqtt/#'], quarantine: false}");
    discover_bulb(&r);
    rig_retained(&r, "homeassistant/switch/evil/config",
                 "{\"command_topic\":\"zigbee2mqtt/Bulb/set\",\"name\":\"Nice\",\"device\":{\"ids\":\"evil\"}}");
    assert_int_equal(rig_stat(&r).refused_discoveries, 1);
    assert_int_equal(rig_stat(&r).devices, 1);
    rig_finish(&r);
}

static bool offer_switch(struct rig *r, const char *device, const char *command)
{
    uint64_t refused = rig_stat(r).refused_discoveries;
    char config[128], payload[256];

    (void)snprintf(config, sizeof(config), "homeassistant/switch/%s/config", device);
    (void)snprintf(payload, sizeof(payload),
                   "{\"command_topic\":\"%s\",\"state_topic\":\"esp/%s\",\"device\":{\"ids\":\"%s\"}}", command, device,
                   device);
    rig_retained(r, config, payload);
    return rig_stat(r).refused_discoveries == refused;
}

// A command topic is its device's from the message that says so to the one that says otherwise, restarts included.
static void command_topics_come_and_go(void **state)
{
    struct rig *r = *state;
    struct rig again;

    assert_true(offer_switch(r, "a", "cmnd/1"));
    assert_true(offer_switch(r, "a", "cmnd/1"));
    assert_false(offer_switch(r, "b", "cmnd/1"));
    assert_true(offer_switch(r, "a", "cmnd/2")); // given up
    assert_true(offer_switch(r, "b", "cmnd/1"));
    assert_false(offer_switch(r, "a", "cmnd/1"));
    assert_false(offer_switch(r, "c", "cmnd/2"));
    rig_retained(r, "homeassistant/switch/b/config", "");
    assert_true(offer_switch(r, "c", "cmnd/1"));
    rig_pass(r, 10000);
    rig_init(&again, open_config);
    for (size_t i = 0; i < r->count; i++)
        if (r->events[i]->kind == EV_STATE && r->events[i]->blob.n && str_starts(r->events[i]->key, STR("config:ha:c")))
            mqtt_model_restore(again.m, r->events[i]->key, r->events[i]->blob);
    rig_up(&again);
    assert_false(offer_switch(&again, "d", "cmnd/1"));
    assert_true(offer_switch(&again, "d", "cmnd/2"));
    rig_finish(&again);
}

static void names_are_cleaned(void **state)
{
    struct rig *r = *state;

    rig_retained(r, "homeassistant/sensor/x/config",
                 "{\"state_topic\":\"esp/x\",\"name\":\"a\\u202eb\\nc\",\"unit_of_measurement\":\"\\u200b%\","
                 "\"device\":{\"ids\":\"x\",\"name\":\"  ev\\u202eil \\u0007 name\",\"cu\":\"javascript:x\"}}");
    const struct event *ev = rig_last(r, EV_IDENTITY, "ha:x");
    struct description d;
    assert_str(ev->name, "evil name");
    assert_int_equal(mqtt_model_describe(r->m, STR("ha:x"), &d), ERR_OK);
    assert_int_equal(d.url.n, 0);
}

static void strange_identifiers(void **state)
{
    static const char *const ids[] = {
        "\"\\u202e\"", "\"a\\nb\"", "\" x\"", "12345", "[\"first\",\"second\"]", "[]", "\"\"", "{\"a\":1}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(ids); i++) {
        char payload[256];
        struct rig r;
        rig_start(&r, open_config);
        (void)snprintf(payload, sizeof(payload), "{\"state_topic\":\"esp/x\",\"device\":{\"identifiers\":%s}}", ids[i]);
        rig_retained(&r, "homeassistant/sensor/obj/config", payload);
        const struct event *ev = rig_last(&r, EV_IDENTITY, NULL);
        assert_non_null(ev);
        assert_true(str_starts(ev->key, STR("ha:")) && ev->key.n > 3 && ev->key.n < 160);
        for (size_t k = 0; k < ev->key.n; k++)
            assert_true((unsigned char)ev->key.p[k] >= 0x20);
        rig_finish(&r);
    }
}

static void limits(void **state)
{
    struct rig r;
    char topic[128], payload[20000];

    (void)state;
    rig_start(&r, "discovery: {enabled: true, allow: ['#'], max_devices: 20, max_rate: 1, quarantine: false}");
    for (int i = 0; i < 100; i++) {
        (void)snprintf(topic, sizeof(topic), "homeassistant/sensor/d%d/config", i);
        (void)snprintf(payload, sizeof(payload), "{\"state_topic\":\"s/%d\",\"device\":{\"ids\":\"d%d\"}}", i, i);
        rig_retained(&r, topic, payload);
    }
    assert_int_equal(rig_stat(&r).devices, 20);
    assert_int_equal(rig_stat(&r).refused_discoveries, 80);
    // made and taken away in turn: the rate bounds it
    for (int i = 0; i < 20; i++) {
        (void)snprintf(topic, sizeof(topic), "homeassistant/sensor/d%d/config", i);
        rig_retained(&r, topic, "");
    }
    rig_retained(&r, "homeassistant/sensor/again/config", "{\"state_topic\":\"s/1\"}");
    assert_int_equal(rig_stat(&r).devices, 0);
    rig_pass(&r, 61000);
    rig_retained(&r, "homeassistant/sensor/again/config", "{\"state_topic\":\"s/1\"}");
    assert_int_equal(rig_stat(&r).devices, 1);
    // a payload too large
    (void)snprintf(payload, sizeof(payload), "{\"state_topic\":\"s/2\",\"name\":\"%017000d\"}", 1);
    rig_retained(&r, "homeassistant/sensor/again/config", payload);
    assert_int_equal(rig_stat(&r).refused_discoveries, 82);
    rig_finish(&r);
}

static void entity_bounds(void **state)
{
    struct rig *r = *state;
    char topic[128], payload[8192];

    for (int i = 0; i < 164; i++) {
        (void)snprintf(topic, sizeof(topic), "homeassistant/sensor/d/e%d/config", i);
        (void)snprintf(payload, sizeof(payload),
                       "{\"state_topic\":\"esp/%d\",\"name\":\"E\",\"device\":{\"ids\":\"d\"}}", i);
        rig_retained(r, topic, payload);
    }
    assert_int_equal(rig_stat(r).refused_discoveries, 36);
    assert_int_equal(rig_stat(r).topics, 128);
    assert_true(rig_last(r, EV_STATE, "config:ha:d")->blob.n <= 32 * 1024);
    // and by size
    for (int i = 0; i < 20; i++) {
        (void)snprintf(topic, sizeof(topic), "homeassistant/sensor/f/e%d/config", i);
        (void)snprintf(payload, sizeof(payload),
                       "{\"state_topic\":\"esp/%d\",\"name\":\"%04000d\",\"device\":{\"ids\":\"f\"}}", i, i);
        rig_retained(r, topic, payload);
    }
    assert_true(rig_last(r, EV_STATE, "config:ha:f")->blob.n <= 32 * 1024);
    assert_true(rig_stat(r).refused_discoveries > 40);
}

/* An update that is too much leaves all as it was, and is refused once */

static void sensor(struct rig *r, const char *device, const char *object, const char *topic, int padding)
{
    char config[128], payload[8192];

    (void)snprintf(config, sizeof(config), "homeassistant/sensor/%s/config", object);
    (void)snprintf(payload, sizeof(payload),
                   "{\"state_topic\":\"%s\",\"name\":\"T\",\"options\":[\"%0*d\"],\"payload_on\":\"%0*d\","
                   "\"device\":{\"ids\":\"%s\",\"name\":\"Dev\"}}",
                   topic, padding, 0, padding, 0, device);
    rig_retained(r, config, payload);
}

// Nothing has come of the last message but that it was refused.
static void check_untouched(struct rig *r, uint64_t refused_before)
{
    assert_int_equal(rig_stat(r).refused_discoveries, refused_before + 1);
    rig_pass(r, 10000);
    assert_int_equal(r->count, 0);
}

static void update_that_is_too_large(void **state)
{
    char object[16], topic[32];
    struct rig *r = *state;

    sensor(r, "d", "first", "esp/first", 1);
    rig_hear(r, "esp/first", "5");
    for (int i = 0; rig_stat(r).refused_discoveries == 0; i++) { // until it is full
        (void)snprintf(object, sizeof(object), "e%d", i);
        (void)snprintf(topic, sizeof(topic), "esp/%d", i);
        sensor(r, "d", object, topic, 1000);
    }
    rig_pass(r, 10000);
    uint64_t refused = rig_stat(r).refused_discoveries;
    size_t topics = rig_stat(r).topics;
    rig_clear(r);
    sensor(r, "d", "first", "esp/other", 3000);
    check_untouched(r, refused);
    assert_true(rig_listens(r, "esp/first"));
    assert_false(rig_listens(r, "esp/other"));
    assert_int_equal(rig_stat(r).topics, topics);
    (void)rig_say(r, "ha:d", "get t", 1);
    assert_str(rig_last(r, EV_DELIVERED, "ha:d")->body, "t: 5");
    sensor(r, "d", "first", "esp/first", 1); // the same as before: it is known still
    assert_int_equal(rig_stat(r).refused_discoveries, refused + 1);
}

static void update_with_too_many_entities(void **state)
{
    static const char device[] = "homeassistant/device/all/config";
    static const char one[] = "{\"dev\":{\"ids\":\"d\"},\"cmps\":{\"a\":{\"p\":\"sensor\",\"stat_t\":\"esp/a\"}}}";
    static const char two[] = "{\"dev\":{\"ids\":\"d\"},\"cmps\":{\"a\":{\"p\":\"sensor\",\"stat_t\":\"esp/a\"},"
                              "\"b\":{\"p\":\"sensor\",\"stat_t\":\"esp/b\"}}}";
    char object[16], topic[32];
    struct rig *r = *state;

    rig_retained(r, device, one);
    for (int i = 0; i < 127; i++) {
        (void)snprintf(object, sizeof(object), "e%d", i);
        (void)snprintf(topic, sizeof(topic), "esp/%d", i);
        sensor(r, "d", object, topic, 1);
    }
    assert_int_equal(rig_stat(r).refused_discoveries, 0);
    rig_pass(r, 10000);
    rig_clear(r);
    rig_retained(r, device, two);
    check_untouched(r, 0);
    assert_true(rig_listens(r, "esp/a"));
    assert_false(rig_listens(r, "esp/b"));
    rig_retained(r, "homeassistant/sensor/e7/config", ""); // there is room now
    rig_retained(r, device, two);
    assert_int_equal(rig_stat(r).refused_discoveries, 1);
    assert_true(rig_listens(r, "esp/b"));
}

// Each is good alone, but together they would be more than a device can have.
static void update_beyond_what_a_device_can_have(void **state)
{
    enum { CLIMATES = 42 }; // of three readings each, of 128
    static const char entity[] = "{\"curr_temp_t\":\"esp/c\",\"temp_stat_t\":\"esp/t\",\"mode_stat_t\":\"esp/"
                                 "m\",\"mode_cmd_t\":\"cmnd/m\",\"modes\":[\"off\"],"
                                 "\"dev\":{\"ids\":\"d\"}%s}";
    char topic[64], payload[512];
    struct rig *r = *state;

    for (int i = 0; i <= CLIMATES; i++) {
        if (i == CLIMATES) {
            rig_pass(r, 10000);
            rig_clear(r);
        }
        (void)snprintf(topic, sizeof(topic), "homeassistant/climate/%d/config", i);
        (void)snprintf(payload, sizeof(payload), entity, "");
        assert_int_equal(rig_stat(r).refused_discoveries, 0);
        rig_retained(r, topic, payload);
    }
    check_untouched(r, 0);
    // what was refused is not kept in secret: nothing of it comes back with another change
    (void)snprintf(payload, sizeof(payload), entity, ",\"name\":\"Other\"");
    rig_retained(r, "homeassistant/climate/0/config", payload);
    assert_int_equal(rig_stat(r).refused_discoveries, 1);
    assert_true(str_find_str(rig_last(r, EV_STATE, "config:ha:d")->blob, str_c(topic)) < 0);
}

// What moves to another device, and may not, stays where it is.
static void move_that_is_refused(void **state)
{
    struct rig r;

    (void)state;
    rig_start(&r, "discovery: {enabled: true, allow: ['#'], max_devices: 2, quarantine: false}");
    sensor(&r, "one", "a", "esp/a", 1);
    sensor(&r, "one", "b", "esp/b", 1);
    sensor(&r, "two", "c", "esp/c", 1);
    rig_pass(&r, 10000);
    rig_clear(&r);
    sensor(&r, "three", "a", "esp/a", 1);
    assert_non_null(rig_last(&r, EV_NOTICE, NULL)); // max_devices
    rig_clear(&r);
    sensor(&r, "three", "a", "esp/a", 1);
    check_untouched(&r, 1);
    assert_true(rig_listens(&r, "esp/a"));
    // the last of a device makes room for another
    sensor(&r, "three", "c", "esp/c", 1);
    assert_non_null(rig_last(&r, EV_FORGET, "ha:two"));
    assert_non_null(rig_last(&r, EV_IDENTITY, "ha:three"));
    assert_int_equal(rig_stat(&r).devices, 2);
    assert_int_equal(rig_stat(&r).refused_discoveries, 2);
    rig_finish(&r);
}

/* Cost */

static struct rig *with_switches(int devices)
{
    static const char yaml[] = "discovery: {enabled: true, allow: ['esp/#'], command_topics: ['cmnd/#'], max_devices: "
                               "20000, max_rate: 100000}";
    struct rig *r = MEM_NEW(struct rig);
    char id[16], command[32];

    rig_init(r, yaml);
    r->lazy = true;
    rig_up(r);
    for (int i = 0; i < devices; i++) {
        (void)snprintf(id, sizeof(id), "d%d", i);
        (void)snprintf(command, sizeof(command), "cmnd/%d", i);
        (void)offer_switch(r, id, command);
    }
    assert_int_equal(rig_stat(r).devices, devices);
    return r;
}

// Processor time of a message, the least of some tries.
static clock_t cost(struct rig *r)
{
    enum { TRIES = 7, MESSAGES = 400 };
    clock_t least = 0;

    for (int k = 0; k < TRIES; k++) {
        clock_t begin = clock();
        for (int i = 0; i < MESSAGES; i++)
            (void)offer_switch(r, "again", "cmnd/again");
        clock_t took = clock() - begin;
        least = k == 0 || took < least ? took : least;
    }
    return least;
}

// A message costs the same, however many devices there are.
static void cost_is_of_the_message(void **state)
{
    struct rig *few = with_switches(100), *many = with_switches(10000);
    clock_t small = cost(few), large = cost(many);

    (void)state;
    print_message("%ld us, %ld us\n", (long)small, (long)large);
    assert_true(large <= 4 * small);
    rig_finish(few);
    rig_finish(many);
    mem_free(few);
    mem_free(many);
}

static uint32_t next(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

// Flips, cuts, doubles: a little, so that most of it is still read.
static size_t mutate(char *text, size_t n, size_t cap, uint32_t *seed)
{
    static const char pieces[] = "{}[]\",:~\\+#$/\x01\x7f\xff 0-";

    for (uint32_t k = next(seed) % 4; k > 0 && n > 2; k--) {
        size_t at = next(seed) % n;
        switch (next(seed) % 4) {
        case 0:
            text[at] = pieces[next(seed) % (sizeof(pieces) - 1)];
            break;
        case 1:
            memmove(text + at, text + at + 1, n - at - 1);
            n--;
            break;
        case 2:
            if (n < cap) {
                memmove(text + at + 1, text + at, n - at);
                n++;
            }
            break;
        default:
            text[at] = (char)next(seed);
        }
    }
    return n;
}

// What an enemy publishes ends in nothing but refusals or harmless devices: no topic beyond the allowed, all within
// bounds.
static void hostile_discovery(void **state)
{
    enum { ROUNDS = 10000 };
    char payload[4096], topic[256];
    uint32_t seed = 4711;
    struct rig r;

    (void)state;
    log_set_level(LOG_ERROR);
    rig_start(&r, open_config);
    for (int i = 0; i < ROUNDS; i++) {
        const char *from = z2m[next(&seed) % COUNT(z2m)].payload;
        size_t n = strlen(from), t = strlen(z2m[i % 4].topic);
        memcpy(payload, from, n);
        memcpy(topic, z2m[i % 4].topic, t);
        n = mutate(payload, n, sizeof(payload), &seed);
        if (i % 3 == 0)
            t = mutate(topic, t, sizeof(topic), &seed);
        struct mqtt_message msg = {.topic = {topic, t}, .payload = {payload, n}, .qos = 1, .retain = i % 2};
        if (!mqtt_topic_valid(msg.topic))
            continue;
        mqtt_model_message(r.m, &msg, r.now, r.wall);
        rig_pass(&r, 100);
        rig_clear(&r);
    }
    for (size_t i = 0; i < r.filter_count; i++)
        if (r.filter_refs[i] > 0 && !str_starts(r.filters[i], STR("homeassistant/")))
            assert_true(str_starts(r.filters[i], STR("zigbee2mqtt/")) || str_starts(r.filters[i], STR("tele/")) ||
                        str_starts(r.filters[i], STR("stat/")) || str_starts(r.filters[i], STR("cmnd/")) ||
                        str_starts(r.filters[i], STR("esp/")));
    assert_true(rig_stat(&r).devices <= 1000);
    assert_true(rig_stat(&r).refused_discoveries > 0);
    log_set_level(LOG_INFO);
    rig_finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        rig_test(zigbee2mqtt, up),
        rig_test(zigbee2mqtt_commands, with_bulb),
        rig_test(shared_availability, with_bulb),
        rig_test(entity_after_the_state, up),
        rig_test(removal, with_bulb),
        rig_test(repetition_changes_nothing, with_bulb),
        rig_test(rename_keeps_the_contact, up),
        rig_test(tasmota, up),
        rig_test(esphome, up),
        cmocka_unit_test(other_components),
        rig_test(device_message, up),
        cmocka_unit_test(quarantine),
        rig_test(what_was_approved_grows_in_sight, with_bulb),
        cmocka_unit_test(disabled),
        rig_test(survives_without_broker, with_bulb),
        cmocka_unit_test(refused),
        cmocka_unit_test(no_take_over),
        rig_test(command_topics_come_and_go, up),
        rig_test(names_are_cleaned, up),
        cmocka_unit_test(strange_identifiers),
        cmocka_unit_test(limits),
        rig_test(entity_bounds, up),
        rig_test(update_that_is_too_large, up),
        rig_test(update_with_too_many_entities, up),
        rig_test(update_beyond_what_a_device_can_have, up),
        cmocka_unit_test(move_that_is_refused),
        cmocka_unit_test(cost_is_of_the_message),
        cmocka_unit_test(hostile_discovery),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
