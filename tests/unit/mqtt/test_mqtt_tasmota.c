/* Tasmota's own discovery: what the firmware publishes when it starts, and what an enemy would. */
#include "convention_rig.h"

#include "adapters/mqtt/mqtt_tasmota.h"

#define MAC "A4CF12B0C3D7"
#define KEY "tasmota:" MAC
#define CONFIG "tasmota/discovery/" MAC "/config"
#define SENSORS "tasmota/discovery/" MAC "/sensors"

// As version 13 writes it, the lists shortened: the firmware fills them up with 0, -1 and null.
#define CONFIG_OF(dn, fn, ft, rl, more)                                                                                \
    "{\"ip\":\"192.168.1.40\",\"dn\":\"" dn "\",\"fn\":[" fn ",null,null],\"hn\":\"plug-0983\",\"mac\":\"" MAC "\","   \
    "\"md\":\"Gosund SP111\",\"ty\":0,\"if\":0,\"ofln\":\"Offline\",\"onln\":\"Online\","                              \
    "\"state\":[\"OFF\",\"ON\",\"TOGGLE\",\"HOLD\"],\"sw\":\"13.4.0\",\"t\":\"plug\",\"ft\":\"" ft "\","               \
    "\"tp\":[\"cmnd\",\"stat\",\"tele\"],\"rl\":[" rl ",0,0]," more "\"ver\":1}"
#define USUAL                                                                                                          \
    "\"swc\":[-1,-1],\"swn\":[null,null],\"btn\":[0,0],\"so\":{\"4\":0,\"11\":0,\"13\":0,\"17\":0,\"20\":0,\"30\":0,"  \
    "\"68\":0,\"73\":0,\"82\":0,\"114\":0,\"117\":0},\"lk\":0,\"lt_st\":0,\"bat\":0,\"dslp\":0,\"sho\":[],\"sht\":[],"
#define PLUG CONFIG_OF("Washer", "\"Washer\"", "%prefix%/%topic%/", "1", USUAL)
#define ENERGY                                                                                                         \
    "{\"sn\":{\"Time\":\"2026-11-21T10:00:00\",\"ENERGY\":{\"TotalStartTime\":\"2025-01-01T00:00:00\",\"Total\":12.3," \
    "\"Yesterday\":0.5,\"Today\":0.2,\"Power\":0,\"ApparentPower\":0,\"ReactivePower\":0,\"Factor\":0.0,"              \
    "\"Voltage\":0,\"Current\":0.0}},\"ver\":1}"

static const char open_config[] = "discovery: {quarantine: false, tasmota: {enabled: true}}\n";

static int up(void **state)
{
    return rig_setup(state, open_config);
}

static int with_plug(void **state)
{
    (void)up(state);
    rig_retained(*state, CONFIG, PLUG);
    return 0;
}

static void a_plug_lives_and_obeys(void **state)
{
    struct rig *r = *state;

    assert_true(rig_listens(r, "tasmota/discovery/+/config"));
    assert_true(rig_listens(r, "tasmota/discovery/+/sensors"));
    rig_retained(r, CONFIG, PLUG);
    rig_retained(r, SENSORS, ENERGY);
    assert_int_equal(rig_stat(r).devices, 1);
    assert_int_equal(rig_stat(r).refused_discoveries, 0);
    const struct event *ev = rig_last(r, EV_IDENTITY, KEY);
    assert_str(ev->name, "Washer");
    assert_str(ev->wish, "washer");
    rig_retained(r, "tele/plug/LWT", "Online");
    rig_hear(r, "tele/plug/STATE", "{\"Time\":\"2026-11-21T10:00:05\",\"POWER\":\"OFF\",\"Wifi\":{\"Signal\":-61}}");
    rig_hear(r, "tele/plug/SENSOR", "{\"Time\":\"2026-11-21T10:00:05\",\"ENERGY\":{\"Today\":0.21,\"Power\":4}}");
    rig_pass(r, 60000);
    assert_presence(r, KEY, SHOW_ONLINE, "switch off, 0.21 kWh, 4 W");
    rig_clear(r);
    assert_int_equal(rig_say(r, KEY, "on", 7), ERR_OK);
    const struct rig_publish *p = rig_published(r, "cmnd/plug/POWER1");
    assert_non_null(p);
    assert_str(p->payload, "ON");
    assert_false(p->retain);
    rig_hear(r, "stat/plug/RESULT", "{\"POWER\":\"ON\"}");
    assert_outcome(r, EV_DELIVERED, KEY, "switch is on");
    rig_hear(r, "tele/plug/LWT", "Offline");
    assert_non_null(rig_last(r, EV_UNAVAILABLE, KEY));
    assert_int_equal(rig_say(r, KEY, "off", 8), ERR_OK);
    assert_true(str_ends(rig_last(r, EV_FAILED, KEY)->body, STR("nothing was sent")));
    rig_retained(r, CONFIG, "");
    assert_non_null(rig_last(r, EV_FORGET, KEY));
    assert_int_equal(rig_stat(r).devices, 0);
    assert_false(rig_listens(r, "tele/plug/SENSOR"));
}

static void its_state_is_asked_for(void **state)
{
    struct rig *r = *state;

    assert_int_equal(r->publish_count, 0); // before the broker has taken the subscriptions, answers would be lost
    rig_pass(r, 1000);
    assert_str(rig_published(r, "cmnd/plug/STATE")->payload, "");
    assert_str(rig_published(r, "cmnd/plug/STATUS")->payload, "10");
    assert_false(rig_published(r, "cmnd/plug/STATUS")->retain);
    rig_retained(r, SENSORS, ENERGY);
    rig_hear(r, "stat/plug/RESULT", "{\"POWER\":\"ON\",\"Wifi\":{\"Signal\":-50}}");
    rig_hear(r, "stat/plug/STATUS10", "{\"StatusSNS\":{\"ENERGY\":{\"Power\":17.5,\"Today\":1}}}");
    rig_pass(r, 60000);
    assert_presence(r, KEY, SHOW_ONLINE, "switch on, 1 kWh, 17.5 W");
}

static void a_full_link_is_waited_for(void **state)
{
    struct rig *r = *state;

    r->publish_result = ERR_AGAIN;
    rig_retained(r, CONFIG, PLUG);
    rig_pass(r, 2500);
    r->publish_result = ERR_OK;
    assert_null(rig_published(r, "cmnd/plug/STATE"));
    rig_pass(r, 1000);
    assert_non_null(rig_published(r, "cmnd/plug/STATE"));
    assert_int_equal(r->publish_count, 2);
    rig_pass(r, 10000);
    assert_int_equal(r->publish_count, 2); // once
}

static void sensors_may_come_first(void **state)
{
    struct rig *r = *state;

    rig_retained(r, SENSORS, ENERGY);
    assert_int_equal(rig_stat(r).devices, 0);
    assert_int_equal(rig_stat(r).refused_discoveries, 0);
    rig_retained(r, CONFIG, PLUG);
    assert_int_equal(rig_stat(r).devices, 1);
    assert_true(rig_listens(r, "tele/plug/SENSOR"));
    rig_retained(r, SENSORS, "");
    assert_int_equal(rig_stat(r).devices, 1);
    assert_false(rig_listens(r, "stat/plug/STATUS10"));
}

// Topics as the firmware makes them.
static void full_topics(void **state)
{
    static const struct {
        const char *ft, *prefix, *topic;
        bool command;
    } rows[] = {
        {"%prefix%/%topic%/", "cmnd", "cmnd/plug/", true},
        {"%topic%/%prefix%/", "cmnd", "plug/cmnd/", true},
        {"house/%topic%/%prefix%", "tele", "house/plug/tele/", false},
        {"%topic%", "cmnd", "plug/cmnd/", true}, // without a prefix a command would be its own echo
        {"%topic%/", "tele", "plug/", false},
        {"%hostname%/%prefix%/%id%/", "stat", "plug-0983/stat/" MAC "/", false},
        {"%prefix%//%topic%//", "stat", "stat/plug/", false},
        {"%prefix%/%topic%/#", "stat", "stat/plug/", false},
        {"%prefix%/+/", "stat", "", false},
        {"$SYS/%prefix%/", "stat", "", false},
        {"%prefix%/\x01/", "stat", "", false},
    };
    struct arena a;

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_str(mqtt_tasmota_topic(&a, str_c(rows[i].ft), str_c(rows[i].prefix), rows[i].command, STR("plug"),
                                      STR("plug-0983"), STR(MAC)),
                   rows[i].topic);
    arena_finish(&a);
}

static void another_full_topic_must_be_allowed(void **state)
{
    static const char config[] = CONFIG_OF("Washer", "\"Washer\"", "%topic%/%prefix%/", "1", USUAL);
    struct rig r;

    (void)state;
    rig_start(&r, open_config);
    rig_retained(&r, CONFIG, config);
    assert_int_equal(rig_stat(&r).devices, 0);
    assert_int_equal(rig_stat(&r).refused_discoveries, 1);
    rig_finish(&r);
    rig_start(&r, "discovery: {quarantine: false, allow: ['plug/#'], command_topics: ['+/cmnd/+'], "
                  "tasmota: {enabled: true}}\n");
    rig_retained(&r, CONFIG, config);
    assert_int_equal(rig_stat(&r).devices, 1);
    rig_pass(&r, 1000);
    assert_non_null(rig_published(&r, "plug/cmnd/STATE"));
    assert_int_equal(rig_say(&r, KEY, "on", 1), ERR_OK);
    assert_non_null(rig_published(&r, "plug/cmnd/POWER1"));
    rig_hear(&r, "plug/stat/RESULT", "{\"POWER\":\"ON\"}");
    assert_outcome(&r, EV_DELIVERED, KEY, "switch is on");
    rig_finish(&r);
}

// StateText of its own; and the answer in one word, which PowerRetain has kept.
static void words_of_its_own(void **state)
{
    static const char config[] =
        "{\"dn\":\"Herd\",\"mac\":\"" MAC
        "\",\"t\":\"plug\",\"ft\":\"%prefix%/%topic%/\",\"state\":[\"AUS\",\"AN\",\"UM\",\"H\"],"
        "\"tp\":[\"cmnd\",\"stat\",\"tele\"],\"rl\":[1],\"onln\":\"Da\",\"ofln\":\"Weg\",\"ver\":1}";
    struct rig *r = *state;

    rig_retained(r, CONFIG, config);
    rig_retained(r, "tele/plug/LWT", "Da");
    rig_retained(r, "stat/plug/POWER", "AUS");
    assert_presence(r, KEY, SHOW_ONLINE, "switch off");
    assert_int_equal(rig_say(r, KEY, "toggle", 1), ERR_OK);
    assert_str(rig_published(r, "cmnd/plug/POWER1")->payload, "AN");
    rig_hear(r, "stat/plug/POWER", "AN");
    assert_outcome(r, EV_DELIVERED, KEY, "switch is on");
    rig_hear(r, "tele/plug/LWT", "Weg");
    assert_non_null(rig_last(r, EV_UNAVAILABLE, KEY));
}

// SetOption4: each answer on a topic of its own name.
static void answers_on_own_topics(void **state)
{
    static const char config[] =
        CONFIG_OF("Lamp", "\"Lamp\"", "%prefix%/%topic%/", "2", "\"so\":{\"4\":1},\"lk\":1,\"lt_st\":2,");
    struct rig *r = *state;

    rig_retained(r, CONFIG, config);
    assert_true(rig_listens(r, "stat/plug/POWER"));
    assert_true(rig_listens(r, "stat/plug/DIMMER"));
    rig_retained(r, "tele/plug/LWT", "Online");
    assert_int_equal(rig_say(r, KEY, "brightness 40", 1), ERR_OK);
    assert_str(rig_published(r, "cmnd/plug/Dimmer")->payload, "40");
    rig_hear(r, "stat/plug/DIMMER", "{\"POWER\":\"ON\",\"Dimmer\":40}");
    assert_outcome(r, EV_DELIVERED, KEY, "brightness is 40 %");
}

struct entity_row {
    const char *config;
    const char *names; // of the entities, "platform name;..."
};

static void kinds_of_devices(void **state)
{
    static const struct entity_row rows[] = {
        {PLUG, "switch switch;sensor signal;"},
        {CONFIG_OF("Strip", "\"Strip\",\"Lamp\"", "%prefix%/%topic%/", "1,1", USUAL),
         "switch switch 1;switch Lamp;sensor signal;"},
        {CONFIG_OF("Strip", "\"Tasmota\",\"Tasmota2\",\"Tasmotada\"", "%prefix%/%topic%/", "1,1,1", USUAL),
         "switch switch 1;switch switch 2;switch Tasmotada;sensor signal;"},
        {CONFIG_OF("Lamp", "\"Lamp\"", "%prefix%/%topic%/", "2", "\"so\":{\"82\":1},\"lk\":1,\"lt_st\":5,"),
         "switch light;number brightness;number white temperature;text color;sensor signal;"},
        {CONFIG_OF("Lamp", "\"Lamp\"", "%prefix%/%topic%/", "2,2", "\"so\":{},\"lk\":0,\"lt_st\":4,"),
         "switch light 1;number brightness;text color;switch light 2;number brightness 2;sensor signal;"},
        {CONFIG_OF("Dimmers", "\"One\",\"Two\"", "%prefix%/%topic%/", "2,2", "\"so\":{\"68\":1},\"lt_st\":2,"),
         "switch One;number brightness;switch Two;number brightness 2;sensor signal;"},
        {CONFIG_OF("Blind", "\"Blind\"", "%prefix%/%topic%/", "3,3", USUAL),
         "number shutter position;select shutter;sensor signal;"},
        {CONFIG_OF("Blind", "\"Blind\"", "%prefix%/%topic%/", "3,1", USUAL), "switch switch 2;sensor signal;"},
        {CONFIG_OF("Door", "\"Door\"", "%prefix%/%topic%/", "0",
                   "\"swc\":[1,0],\"swn\":[\"Reed.A\",null],\"btn\":[1,0],\"so\":{\"73\":1},\"bat\":1,"),
         "binary_sensor Reed.A;occurrence Switch2;occurrence button 1;sensor signal;sensor battery;"},
        {"{\"dn\":\"Fan\",\"mac\":\"" MAC "\",\"t\":\"plug\",\"ft\":\"%prefix%/%topic%/\",\"if\":1,"
         "\"tp\":[\"cmnd\",\"stat\",\"tele\"],\"rl\":[2],\"ver\":1}",
         "switch light;number fan speed;sensor signal;"},
    };
    const struct mqtt_tasmota_conf conf = {STR(MAC), 900000};
    struct mqtt_tasmota_topics topics;
    struct draft *t = *state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        mqtt_describe_begin(&t->d, &t->a, &t->found, STR(KEY), STR(CONFIG));
        enum err e = mqtt_tasmota_config(&conf, str_c(rows[i].config), &t->d, &topics, &t->msg);
        if (e != ERR_OK)
            fail_msg("row %zu: %s", i, t->msg.text);
        assert_str(rig_entities(&t->a, &t->found), rows[i].names);
    }
}

static void what_cannot_be_expressed_is_noted(void **state)
{
    const struct mqtt_tasmota_conf conf = {STR(MAC), 900000};
    struct mqtt_tasmota_topics topics = {STR("c/"), STR("s/"), STR("t/")};
    struct draft *t = *state;

    mqtt_describe_begin(&t->d, &t->a, &t->found, STR(KEY), STR(CONFIG));
    assert_int_equal(mqtt_tasmota_config(&conf,
                                         STR(CONFIG_OF("Cam", "\"Cam\"", "%prefix%/%topic%/", "3,1,3,3",
                                                       "\"cam\":1,\"sht\":[[-90,90,1500]],")),
                                         &t->d, &topics, NULL),
                     ERR_OK);
    assert_str(t->found.note, "a shutter with one relay, the tilt of a shutter, the camera");
    mqtt_describe_begin(&t->d, &t->a, &t->found, STR(KEY), STR(SENSORS));
    assert_int_equal(
        mqtt_tasmota_sensors(&topics, STR("{\"sn\":{\"PN532\":{\"UID\":\"1\"},\"X\":{\"{{a\":1}}}"), &t->d, NULL),
        ERR_OK);
    assert_int_equal(t->found.count, 0);
    assert_str(t->found.note, "PN532, {{a");
}

static void sensors_with_units(void **state)
{
    static const char sensors[] =
        "{\"sn\":{\"Time\":\"2026-11-21T10:00:00\",\"Switch1\":\"ON\",\"ANALOG\":{\"A0\":512},"
        "\"DS18B20-1\":{\"Id\":\"0000087F\",\"Temperature\":20.1},\"BME280\":{\"Temperature\":21.3,\"Humidity\":44,"
        "\"DewPoint\":8.6,\"Pressure\":1001.2},\"SDS0X1\":{\"PM2.5\":2.4,\"PM10\":3},\"TX23\":{\"Speed\":{\"Act\":14.8,"
        "\"Avg\":8.5}},\"ENERGY\":{\"Voltage\":[231,230,229],\"Power\":[1,2,3]},\"Shutter1\":{\"Position\":0},"
        "\"PressureUnit\":\"hPa\",\"SpeedUnit\":\"km/h\",\"TempUnit\":\"F\"},\"ver\":1}";
    static const struct {
        const char *name, *path, *unit;
    } rows[] = {
        {"ANALOG A0", "ANALOG.A0", NULL},
        {"DS18B20-1 Temperature", "DS18B20-1.Temperature", "°F"},
        {"BME280 Temperature", "BME280.Temperature", "°F"},
        {"BME280 Humidity", "BME280.Humidity", "%"},
        {"BME280 Dew point", "BME280.DewPoint", "°F"},
        {"BME280 Pressure", "BME280.Pressure", "hPa"},
        {"SDS0X1 PM2.5", "SDS0X1['PM2.5']", "µg/m³"},
        {"SDS0X1 PM10", "SDS0X1.PM10", "µg/m³"},
        {"TX23 Speed Act", "TX23.Speed.Act", "km/h"},
        {"TX23 Speed Avg", "TX23.Speed.Avg", "km/h"},
        {"Voltage 1", "ENERGY.Voltage[0]", "V"},
        {"Voltage 2", "ENERGY.Voltage[1]", "V"},
        {"Voltage 3", "ENERGY.Voltage[2]", "V"},
        {"Power 1", "ENERGY.Power[0]", "W"},
        {"Power 2", "ENERGY.Power[1]", "W"},
        {"Power 3", "ENERGY.Power[2]", "W"},
    };
    struct mqtt_tasmota_topics topics = {STR("c/"), STR("s/"), STR("t/")};
    struct draft *t = *state;

    mqtt_describe_begin(&t->d, &t->a, &t->found, STR(KEY), STR(SENSORS));
    assert_int_equal(mqtt_tasmota_sensors(&topics, STR(sensors), &t->d, &t->msg), ERR_OK);
    assert_int_equal(t->found.count, COUNT(rows));
    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *e = json_read(t->found.entities[i], MQTT_DISCOVERY_PAYLOAD, NULL);
        assert_str(json_member_str(e, "name"), rows[i].name);
        assert_str(json_member_str(e, "value_template"), rows[i].path);
        assert_str(json_member_str(e, "unit_of_measurement"), rows[i].unit ? rows[i].unit : "");
        assert_str(json_member_str(e, "state_topic"), "t/SENSOR");
        json_decref(e);
    }
    assert_str(t->found.note, "");
}

static void shutters_go(void **state)
{
    struct rig *r = *state;

    rig_retained(r, CONFIG, CONFIG_OF("Blind", "\"Blind\"", "%prefix%/%topic%/", "3,3", USUAL));
    rig_retained(r, "tele/plug/LWT", "Online");
    assert_int_equal(rig_say(r, KEY, "shutter_position 30", 1), ERR_OK);
    assert_str(rig_published(r, "cmnd/plug/ShutterPosition1")->payload, "30");
    rig_hear(r, "stat/plug/RESULT", "{\"Shutter1\":{\"Position\":100,\"Direction\":-1,\"Target\":30,\"Tilt\":0}}");
    assert_outcome(r, EV_DELIVERED, KEY, "shutter_position is going to 30 %");
    rig_clear(r);
    assert_int_equal(rig_say(r, KEY, "shutter stop", 2), ERR_OK);
    assert_str(rig_published(r, "cmnd/plug/ShutterPosition1")->payload, "STOP");
    rig_hear(r, "stat/plug/RESULT", "{\"ShutterPosition1\":64}");
    assert_outcome(r, EV_DELIVERED, KEY, "shutter: the device has taken it");
}

static void buttons_and_switches_alert(void **state)
{
    static const char config[] =
        CONFIG_OF("Door", "\"Door\"", "%prefix%/%topic%/", "0",
                  "\"swc\":[1,0],\"swn\":[\"Reed.A\",null],\"btn\":[1,0],\"so\":{\"73\":1,\"114\":1},");
    struct rig *r = *state;

    rig_retained(r, CONFIG, config);
    rig_retained(r, "tele/plug/LWT", "Online");
    rig_clear(r);
    rig_hear(r, "stat/plug/RESULT", "{\"Button1\":{\"Action\":\"SINGLE\"}}");
    assert_str(rig_last(r, EV_MESSAGE, KEY)->body, "button 1: SINGLE");
    rig_pass(r, 2000);
    rig_clear(r);
    rig_hear(r, "stat/plug/RESULT", "{\"Button1\":{\"Action\":\"SINGLE\"}}"); // again, and news again
    assert_int_equal(rig_count(r, EV_MESSAGE), 1);
    rig_hear(r, "stat/plug/RESULT", "{\"Button1\":{\"Action\":\"DOUBLE\"}}"); // a flood is cut
    assert_int_equal(rig_count(r, EV_MESSAGE), 1);
    rig_pass(r, 2000);
    rig_clear(r);
    rig_message(r, "stat/plug/RESULT", "{\"Button1\":{\"Action\":\"HOLD\"}}", 1, true); // what was
    assert_int_equal(rig_count(r, EV_MESSAGE), 0);
    rig_hear(r, "stat/plug/RESULT", "{\"Switch2\":{\"Action\":\"TOGGLE\"}}");
    assert_str(rig_last(r, EV_MESSAGE, KEY)->body, "Switch2: TOGGLE");
    rig_hear(r, "stat/plug/RESULT", "{\"Reed.A\":{\"Action\":\"ON\"}}");
    rig_pass(r, 60000);
    assert_presence(r, KEY, SHOW_ONLINE, "Reed.A on");
    rig_hear(r, "tele/plug/SENSOR", "{\"Time\":\"2026-11-21T10:00:05\",\"Reed.A\":\"OFF\"}");
    rig_pass(r, 60000);
    assert_presence(r, KEY, SHOW_ONLINE, "Reed.A off");
    assert_int_equal(rig_count(r, EV_MESSAGE), 1);
}

// A node of a mesh never says that it is there; silence tells. With a last will, silence means nothing.
static void nodes_without_a_last_will(void **state)
{
    static const char power[] = "{\"POWER\":\"OFF\"}";
    struct rig *r = *state;

    rig_hear(r, "tele/plug/STATE", power);
    rig_pass(r, 60000);
    assert_presence(r, KEY, SHOW_ONLINE, "switch off");
    rig_pass(r, 15 * 60000);
    assert_int_equal(rig_last(r, EV_AVAILABLE, KEY)->show, SHOW_AWAY);
    rig_pass(r, 15 * 60000);
    assert_non_null(rig_last(r, EV_UNAVAILABLE, KEY));
    rig_hear(r, "tele/plug/STATE", power);
    rig_hear(r, "tele/plug/LWT", "Online");
    rig_clear(r);
    rig_pass(r, 120 * 60000);
    assert_int_equal(rig_count(r, EV_UNAVAILABLE), 0);
}

static void a_sleeper_is_not_lost_when_it_sleeps(void **state)
{
    struct rig *r = *state;

    rig_retained(r, CONFIG, CONFIG_OF("Meter", "\"Meter\"", "%prefix%/%topic%/", "0", "\"dslp\":1,\"bat\":1,"));
    assert_false(rig_listens(r, "tele/plug/LWT"));
    rig_hear(r, "tele/plug/STATE", "{\"BatteryPercentage\":80}");
    rig_pass(r, 12 * 3600000);
    assert_int_equal(rig_last(r, EV_AVAILABLE, KEY)->show, SHOW_ONLINE);
    rig_pass(r, 13 * 3600000);
    assert_int_equal(rig_last(r, EV_AVAILABLE, KEY)->show, SHOW_AWAY);
}

static void quarantine_and_limits_hold(void **state)
{
    struct rig r;

    (void)state;
    rig_start(&r, "discovery: {max_devices: 1, tasmota: {enabled: true}}\n");
    rig_retained(&r, CONFIG, PLUG);
    assert_true(rig_last(&r, EV_IDENTITY, KEY)->flags & EVENT_QUARANTINE);
    rig_retained(&r, "tasmota/discovery/112233445566/config",
                 "{\"dn\":\"B\",\"mac\":\"112233445566\",\"t\":\"b\",\"ft\":\"%prefix%/%topic%/\","
                 "\"tp\":[\"cmnd\",\"stat\",\"tele\"],\"rl\":[1],\"ver\":1}");
    assert_int_equal(rig_stat(&r).devices, 1);
    assert_int_equal(rig_stat(&r).refused_discoveries, 1);
    rig_finish(&r);
}

static void an_enemy_gets_nothing(void **state)
{
    static const struct {
        const char *topic, *payload;
    } rows[] = {
        {CONFIG, "{"},
        {CONFIG, "[]"},
        {CONFIG, "{}"},
        {CONFIG, "{\"mac\":\"" MAC "\"}"},
        {CONFIG, "{\"mac\":\"112233445566\",\"t\":\"a\",\"ft\":\"%prefix%/%topic%/\",\"tp\":[\"a\",\"b\",\"c\"]}"},
        {CONFIG, "{\"mac\":\"" MAC "\",\"t\":\"a\",\"ft\":\"%prefix%/%topic%/\",\"tp\":[\"a\",\"b\"]}"},
        {CONFIG, "{\"mac\":\"" MAC "\",\"t\":\"a/#\",\"ft\":\"+\",\"tp\":[\"cmnd\",\"stat\",\"tele\"],\"rl\":[1]}"},
        {CONFIG, "{\"mac\":\"" MAC "\",\"t\":\"x/y\",\"ft\":\"%prefix%/%topic%/\",\"tp\":[\"cmnd\",\"stat\",\"tele\"],"
                 "\"rl\":[1]}"}, // topics of more levels than Tasmota's
        {CONFIG, "{\"mac\":\"" MAC "\",\"t\":\"discovery\",\"ft\":\"tasmota/%topic%/" MAC "/\","
                 "\"tp\":[\"a\",\"b\",\"c\"],\"rl\":[1]}"}, // commands that would be announcements
        {CONFIG, "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":1}}}}}}}}}"},
        {"tasmota/discovery/a b/config", PLUG},
        {"tasmota/discovery/0123456789012345678901234567890123/config", PLUG},
    };
    struct rig *r = *state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        rig_retained(r, rows[i].topic, rows[i].payload);
        if (rig_stat(r).refused_discoveries != i + 1 || rig_stat(r).devices)
            fail_msg("row %zu was not refused", i);
    }
    rig_retained(r, CONFIG, PLUG);
    assert_int_equal(rig_stat(r).devices, 1);
}

// Also in Home Assistant's way, with the same topic for commands: who comes first has it.
static void announced_in_two_ways(void **state)
{
    static const char hass[] =
        "{\"name\":\"Washer\",\"cmd_t\":\"cmnd/plug/POWER1\",\"stat_t\":\"tele/plug/STATE\",\"dev\":{\"ids\":[\"A\"]}}";
    struct rig r;

    (void)state;
    rig_start(&r, "discovery: {enabled: true, allow: ['stat/#', 'tele/#', 'cmnd/#'], quarantine: false, "
                  "tasmota: {enabled: true}}\n");
    rig_retained(&r, CONFIG, PLUG);
    rig_retained(&r, "homeassistant/switch/A/config", hass);
    assert_int_equal(rig_stat(&r).devices, 1);
    assert_int_equal(rig_stat(&r).refused_discoveries, 1);
    rig_retained(&r, CONFIG, "");
    rig_retained(&r, "homeassistant/switch/A/config", hass);
    assert_int_equal(rig_stat(&r).devices, 1);
    rig_retained(&r, CONFIG, PLUG);
    assert_int_equal(rig_stat(&r).refused_discoveries, 2);
    assert_non_null(rig_last(&r, EV_IDENTITY, "ha:A"));
    rig_finish(&r);
}

static void a_flood_of_sensors_waits_within_bounds(void **state)
{
    struct rig *r = *state;
    char topic[64];

    for (unsigned i = 0; i < 300; i++) {
        (void)snprintf(topic, sizeof(topic), "tasmota/discovery/%012X/sensors", i);
        rig_retained(r, topic, ENERGY);
    }
    assert_int_equal(rig_stat(r).devices, 0);
    assert_int_equal(rig_stat(r).refused_discoveries, 300 - 256);
}

// Over a restart without a broker, and in another configuration.
static void it_is_kept(void **state)
{
    struct rig *r = *state;
    struct rig again;

    rig_retained(r, SENSORS, ENERGY);
    rig_hear(r, "tele/plug/LWT", "Online");
    rig_hear(r, "tele/plug/SENSOR", "{\"ENERGY\":{\"Power\":4}}");
    rig_pass(r, 10000);
    rig_init(&again, open_config);
    mqtt_model_restore(again.m, STR("config:" KEY), rig_last(r, EV_STATE, "config:" KEY)->blob);
    mqtt_model_restore(again.m, STR(KEY), rig_last(r, EV_STATE, KEY)->blob);
    mqtt_model_start(again.m, again.now, again.wall);
    assert_int_equal(rig_stat(&again).devices, 1);
    assert_true(rig_listens(&again, "tele/plug/SENSOR"));
    assert_int_equal(rig_say(&again, KEY, "get power", 1), ERR_OK);
    assert_outcome(&again, EV_DELIVERED, KEY, "power: 4 W");
    rig_finish(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        rig_test(a_plug_lives_and_obeys, up),
        rig_test(its_state_is_asked_for, with_plug),
        rig_test(a_full_link_is_waited_for, up),
        rig_test(sensors_may_come_first, up),
        cmocka_unit_test(full_topics),
        cmocka_unit_test(another_full_topic_must_be_allowed),
        rig_test(words_of_its_own, up),
        rig_test(answers_on_own_topics, up),
        draft_test(kinds_of_devices),
        draft_test(what_cannot_be_expressed_is_noted),
        draft_test(sensors_with_units),
        rig_test(shutters_go, up),
        rig_test(buttons_and_switches_alert, up),
        rig_test(nodes_without_a_last_will, with_plug),
        rig_test(a_sleeper_is_not_lost_when_it_sleeps, up),
        cmocka_unit_test(quarantine_and_limits_hold),
        rig_test(an_enemy_gets_nothing, up),
        cmocka_unit_test(announced_in_two_ways),
        rig_test(a_flood_of_sensors_waits_within_bounds, up),
        rig_test(it_is_kept, with_plug),
    };
    return cmocka_run_group_tests_name("tasmota", tests, NULL, NULL);
}
