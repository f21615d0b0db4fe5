/* Zigbee2MQTT by its own messages: a network as it describes it, and lists as an enemy would write them. */
#include "convention_rig.h"
#include "traffic.h"

#include "adapters/mqtt/mqtt_topic.h"

#include "text/json.h"

static const char open_config[] = "discovery: {zigbee2mqtt: {enabled: true}, quarantine: false, status_interval: 1s}\n";

#define LAMP "z2m:0x000b57fffec6a5b2"
#define DOOR "z2m:0x00158d0001dc126a"
#define RADIATOR "z2m:0x2c1165fffeb1d8a4"
#define BLIND "z2m:0x680ae2fffe0b2a11"
#define GATE "z2m:0x000d6f0011001122"
#define RELAY "z2m:0xa4c1380000000001"
#define REMOTE "z2m:0x842e14fffe000002"
#define ATTIC "z2m:0x00158d0000000008"

static int up(void **state)
{
    return rig_setup(state, open_config);
}

// As a broker replays it, again for what devices subscribe to when they are made.
static int joined(void **state)
{
    (void)up(state);
    traffic_replay(*state, "zigbee2mqtt", false);
    rig_pass(*state, 1000);
    traffic_replay(*state, "zigbee2mqtt", false);
    rig_pass(*state, 5000);
    return 0;
}

static void assert_sends(struct rig *r, const char *key, const char *text, const char *topic, const char *payload)
{
    (void)rig_said(r, key, text);
    assert_int_equal(r->publish_count, 1);
    assert_str(r->published[0].topic, topic);
    assert_str(r->published[0].payload, payload);
    assert_false(r->published[0].retain);
}

/* The list, as it stands in the recorded traffic, changed and published again */

static json_t *list_of(void)
{
    size_t n;
    char *text = traffic_read("zigbee2mqtt", &n);
    struct str rest = {text, n}, line, topic, payload;
    json_t *list = NULL;

    while (rest.n && !list) {
        (void)str_cut(rest, '\n', &line, &rest);
        if (str_cut(line, '\t', &topic, &payload) && str_eq_c(topic, "zigbee2mqtt/bridge/devices"))
            list = json_loadb(payload.p, payload.n, 0, NULL);
    }
    free(text);
    assert_true(json_is_array(list));
    return list;
}

static size_t place_of(const json_t *list, const char *key)
{
    struct str address = str_c(key + strlen("z2m:"));

    for (size_t i = 0; i < json_array_size(list); i++)
        if (str_eq(json_member_str(json_array_get(list, i), "ieee_address"), address))
            return i;
    fail_msg("%s is not in the list", key);
    return 0;
}

static json_t *device_of(json_t *list, const char *key)
{
    return json_array_get(list, place_of(list, key));
}

static void publish(struct rig *r, json_t *list)
{
    char *text = json_dumps(list, JSON_COMPACT);

    rig_retained(r, "zigbee2mqtt/bridge/devices", text);
    free(text);
    json_decref(list);
}

/* As it should be */

static void network(void **state)
{
    struct description d;
    struct rig *r = *state;

    assert_true(rig_listens(r, "zigbee2mqtt/bridge/devices"));
    assert_int_equal(rig_stat(r).devices, 8); // neither the coordinator, nor what is unknown, nor what is new
    assert_int_equal(rig_stat(r).refused_discoveries, 0);
    const struct event *ev = rig_last(r, EV_IDENTITY, LAMP);
    assert_str(ev->name, "kitchen/lamp");
    assert_str(ev->cls, "light");
    assert_int_equal(mqtt_model_describe(r->m, STR(LAMP), &d), ERR_OK);
    assert_str(d.manufacturer, "IKEA");
    assert_str(d.version, "2.3.087");
    assert_str(d.serial, "0x000b57fffec6a5b2");
    assert_true(str_starts(d.model, STR("LED1624G9 (TRADFRI bulb E14/E26/E27")));
    assert_presence(r, LAMP, SHOW_ONLINE, "Light on, Brightness 120, 370 mired");
    assert_presence(r, DOOR, SHOW_ONLINE, "Contact open");
    assert_presence(r, RADIATOR, SHOW_ONLINE, "Mounted mode active on, 21 °C, 19.87 °C");
    assert_presence(r, GATE, SHOW_ONLINE, "Lock locked, Lock state locked");
    assert_presence(r, RELAY, SHOW_ONLINE, "Switch l1 on, Switch l2 off");
    assert_non_null(rig_last(r, EV_UNAVAILABLE, BLIND));
    assert_presence(r, ATTIC, SHOW_OFFLINE, "disabled");
    assert_says(r, DOOR, "get battery", "battery: 97 %");
    assert_says(r, RADIATOR, "get day", "day: mon"); // within a composite
}

static void lamp(void **state)
{
    struct rig *r = *state;

    assert_sends(r, LAMP, "off", "zigbee2mqtt/kitchen/lamp/set", "{\"state\":\"OFF\"}");
    rig_hear(r, "zigbee2mqtt/kitchen/lamp", "{\"state\":\"OFF\",\"brightness\":120}");
    assert_str(rig_last(r, EV_DELIVERED, LAMP)->body, "light is off");
    assert_sends(r, LAMP, "brightness 254", "zigbee2mqtt/kitchen/lamp/set", "{\"brightness\":254}");
    assert_sends(r, LAMP, "color #ff8000", "zigbee2mqtt/kitchen/lamp/set", "{\"color\":{\"hex\":\"#ff8000\"}}");
    assert_sends(r, LAMP, "color \"}", "zigbee2mqtt/kitchen/lamp/set", "{\"color\":{\"hex\":\"\\\"}\"}}");
    assert_sends(r, LAMP, "effect blink", "zigbee2mqtt/kitchen/lamp/set", "{\"effect\":\"blink\"}");
    assert_refuses(r, LAMP, "brightness 255", "brightness must be between 0 and 254");
    assert_refuses(r, LAMP, "get effect", "effect can be set, but not read");
}

static void others(void **state)
{
    struct rig *r = *state;

    assert_refuses(r, DOOR, "contact on", "contact can be read, but not set"); // access 1
    assert_sends(r, RADIATOR, "occupied_heating_setpoint 21.5", "zigbee2mqtt/Radiator/set",
                 "{\"occupied_heating_setpoint\":21.5}");
    assert_refuses(r, RADIATOR, "occupied_heating_setpoint 21.3", "occupied_heating_setpoint goes in steps of 0.5");
    assert_sends(r, RADIATOR, "window_open_external on", "zigbee2mqtt/Radiator/set",
                 "{\"window_open_external\":true}"); // no text
    assert_sends(r, GATE, "lock unlock", "zigbee2mqtt/Gate/set", "{\"state\":\"UNLOCK\"}");
    rig_hear(r, "zigbee2mqtt/Gate", "{\"state\":\"UNLOCK\",\"lock_state\":\"unlocked\"}");
    assert_str(rig_last(r, EV_DELIVERED, GATE)->body, "lock is unlocked");
    assert_sends(r, RELAY, "switch_l2 on", "zigbee2mqtt/Relay/set", "{\"state_l2\":\"ON\"}");
    assert_refuses(r, RELAY, "on", "I do not know 'on'; say 'help' for what I do"); // which?
    assert_refuses(r, ATTIC, "get temperature", "temperature has no value yet");
}

// It takes longer than anybody waits.
static void cover(void **state)
{
    struct rig *r = *state;

    rig_hear(r, "zigbee2mqtt/Blind/availability", "{\"state\":\"online\"}");
    assert_sends(r, BLIND, "cover open", "zigbee2mqtt/Blind/set", "{\"state\":\"OPEN\"}");
    mqtt_model_published(r->m, r->published[0].token, ERR_OK, NULL, r->now, r->wall);
    assert_str(rig_last(r, EV_DELIVERED, BLIND)->body, "cover: sent; this device does not confirm");
    rig_hear(r, "zigbee2mqtt/Blind", "{\"position\":30,\"state\":\"OPEN\"}");
    assert_says(r, BLIND, "get position", "position: 30 %");
    assert_sends(r, BLIND, "position 50", "zigbee2mqtt/Blind/set", "{\"position\":50}");
}

static void button(void **state)
{
    struct rig *r = *state;

    rig_clear(r);
    rig_hear(r, "zigbee2mqtt/Remote", "{\"action\":\"on\",\"battery\":74}");
    assert_str(rig_last(r, EV_MESSAGE, REMOTE)->body, "action: on");
    rig_pass(r, 15000);
    rig_hear(r, "zigbee2mqtt/Remote", "{\"action\":\"\",\"battery\":74}"); // older versions say so when it is over
    rig_hear(r, "zigbee2mqtt/Remote", "{\"battery\":73}");
    rig_retained(r, "zigbee2mqtt/Remote", "{\"action\":\"off\",\"battery\":74}");
    assert_int_equal(rig_count(r, EV_MESSAGE), 1);
    rig_hear(r, "zigbee2mqtt/Remote", "{\"action\":\"on\",\"battery\":74}"); // once more is another time
    assert_int_equal(rig_count(r, EV_MESSAGE), 2);
}

// Its own and the bridge's, in both forms.
static void availability(void **state)
{
    struct rig *r = *state;

    rig_clear(r);
    rig_hear(r, "zigbee2mqtt/kitchen/lamp/availability", "offline");
    assert_non_null(rig_last(r, EV_UNAVAILABLE, LAMP));
    rig_hear(r, "zigbee2mqtt/kitchen/lamp/availability", "{\"state\":\"online\"}");
    assert_non_null(rig_last(r, EV_AVAILABLE, LAMP));
    rig_pass(r, 10 * 60 * 1000);
    rig_clear(r);
    rig_hear(r, "zigbee2mqtt/bridge/state", "offline");
    assert_non_null(rig_last(r, EV_UNAVAILABLE, LAMP));
    assert_non_null(rig_last(r, EV_UNAVAILABLE, DOOR));
    assert_null(rig_last(r, EV_UNAVAILABLE, BLIND)); // was so before
    rig_clear(r);
    rig_hear(r, "zigbee2mqtt/bridge/state", "{\"state\":\"online\"}");
    assert_non_null(rig_last(r, EV_AVAILABLE, LAMP));
    assert_null(rig_last(r, EV_AVAILABLE, BLIND));
    assert_null(rig_last(r, EV_AVAILABLE, ATTIC)); // who is disabled stays so
}

static void renaming(void **state)
{
    struct rig *r = *state;

    json_t *list = list_of();
    (void)json_object_set_new(device_of(list, LAMP), "friendly_name", json_string("hall/lamp"));
    rig_clear(r);
    publish(r, list);
    assert_null(rig_last(r, EV_FORGET, NULL));
    assert_str(rig_last(r, EV_IDENTITY, LAMP)->name, "hall/lamp");
    assert_int_equal(rig_count(r, EV_NOTICE), 1); // the name; its controls are what they were
    assert_true(rig_listens(r, "zigbee2mqtt/hall/lamp"));
    assert_false(rig_listens(r, "zigbee2mqtt/kitchen/lamp"));
    rig_hear(r, "zigbee2mqtt/kitchen/lamp/availability", ""); // cleared, as of a device that is no more
    assert_says(r, LAMP, "get brightness", "brightness: 120");
    rig_hear(r, "zigbee2mqtt/hall/lamp/availability", "{\"state\":\"online\"}");
    assert_sends(r, LAMP, "off", "zigbee2mqtt/hall/lamp/set", "{\"state\":\"OFF\"}");
}

// Both at once: neither has to be first.
static void exchange_of_names(void **state)
{
    struct rig *r = *state;

    json_t *list = list_of();
    (void)json_object_set_new(device_of(list, LAMP), "friendly_name", json_string("Relay"));
    (void)json_object_set_new(device_of(list, RELAY), "friendly_name", json_string("kitchen/lamp"));
    publish(r, list);
    assert_int_equal(rig_stat(r).refused_discoveries, 0);
    rig_hear(r, "zigbee2mqtt/Relay/availability", "{\"state\":\"online\"}");
    assert_sends(r, LAMP, "brightness 5", "zigbee2mqtt/Relay/set", "{\"brightness\":5}");
}

static void replaced(void **state)
{
    struct rig *r = *state;

    json_t *list = list_of();
    (void)json_object_set_new(device_of(list, LAMP), "ieee_address", json_string("0x01"));
    publish(r, list);
    assert_non_null(rig_last(r, EV_FORGET, LAMP));
    assert_int_equal(rig_stat(r).refused_discoveries, 0);
    assert_str(rig_last(r, EV_IDENTITY, "z2m:0x01")->name, "kitchen/lamp");
}

static void removal(void **state)
{
    struct rig *r = *state;

    json_t *list = list_of();
    (void)json_array_remove(list, place_of(list, LAMP));
    publish(r, list);
    assert_non_null(rig_last(r, EV_FORGET, LAMP));
    assert_int_equal(rig_count(r, EV_FORGET), 1);
    assert_int_equal(rig_stat(r).devices, 7);
    assert_false(rig_listens(r, "zigbee2mqtt/kitchen/lamp"));
    // a second time
    list = list_of();
    (void)json_array_remove(list, place_of(list, LAMP));
    (void)json_array_remove(list, place_of(list, DOOR));
    publish(r, list);
    assert_int_equal(rig_stat(r).devices, 6);
    // what is no whole list takes nobody away
    publish(r, json_array());
    rig_retained(r, "zigbee2mqtt/bridge/devices", "");
    list = json_array();
    (void)json_array_append_new(list, json_object());
    publish(r, list);
    assert_int_equal(rig_stat(r).devices, 6);
    publish(r, list_of());
    assert_int_equal(rig_stat(r).devices, 8);
}

static void removed_while_away(void **state)
{
    struct rig *r = *state;
    struct rig again;

    rig_pass(r, 10000);
    rig_restore(&again, r, open_config);
    rig_up(&again);
    assert_int_equal(rig_stat(&again).devices, 8);
    assert_presence(&again, LAMP, SHOW_ONLINE, "Light on, Brightness 120, 370 mired");
    json_t *list = list_of();
    (void)json_array_remove(list, place_of(list, DOOR));
    publish(&again, list);
    assert_non_null(rig_last(&again, EV_FORGET, DOOR));
    assert_int_equal(rig_stat(&again).devices, 7);
    rig_finish(&again);
}

static void set_member(json_t *list, const char *key, const char *name, json_t *value)
{
    (void)json_object_set_new(device_of(list, key), name, value);
}

// What happens to a device that is known already does not end its contact.
static void changes(void **state)
{
    struct rig *r = *state;

    json_t *list = list_of();
    set_member(list, LAMP, "interview_completed", json_false());
    set_member(list, LAMP, "interview_state", json_string("IN_PROGRESS"));
    set_member(list, DOOR, "definition", json_null());
    set_member(list, DOOR, "supported", json_false());
    set_member(list, RADIATOR, "disabled", json_true());
    set_member(list, ATTIC, "disabled", json_false());
    rig_clear(r);
    publish(r, list);
    assert_int_equal(rig_stat(r).devices, 8);
    assert_null(rig_last(r, EV_FORGET, NULL));
    assert_non_null(rig_last(r, EV_UNAVAILABLE, RADIATOR));
    rig_retained(r, "zigbee2mqtt/Attic/availability", "{\"state\":\"online\"}");
    assert_int_equal(rig_last(r, EV_AVAILABLE, ATTIC)->show, SHOW_ONLINE);
    // before its version 2.1 there is no interview_state; a definition that was made up is one
    list = list_of();
    json_t *new = json_deep_copy(device_of(list, RELAY));
    (void)json_object_set_new(new, "ieee_address", json_string("0x02"));
    (void)json_object_set_new(new, "friendly_name", json_string("0x02"));
    (void)json_object_set_new(new, "supported", json_false());
    (void)json_object_del(new, "interview_state");
    (void)json_array_append_new(list, new);
    publish(r, list);
    assert_non_null(rig_last(r, EV_IDENTITY, "z2m:0x02"));
}

static void configured(void **state)
{
    struct rig r;

    (void)state;
    rig_start(&r, "discovery: {zigbee2mqtt: {enabled: true, base: home/zigbee}}\n");
    traffic_replay(&r, "zigbee2mqtt", false);
    assert_int_equal(rig_stat(&r).devices, 0);
    json_t *list = list_of();
    char *text = json_dumps(list, JSON_COMPACT);
    rig_retained(&r, "home/zigbee/bridge/devices", text);
    free(text);
    json_decref(list);
    assert_int_equal(rig_stat(&r).devices, 8);
    assert_int_equal(rig_last(&r, EV_IDENTITY, LAMP)->flags, EVENT_QUARANTINE);
    assert_true(rig_listens(&r, "home/zigbee/kitchen/lamp/availability"));
    rig_finish(&r);
    rig_start(&r, "discovery: {zigbee2mqtt: {enabled: true}, allow: ['zigbee2mqtt/bridge/state', 'zigbee2mqtt/+', "
                  "'zigbee2mqtt/+/availability'], command_topics: ['zigbee2mqtt/Gate/set']}\n");
    publish(&r, list_of());
    assert_int_equal(rig_stat(&r).devices, 4); // without controls; and the gate
    assert_true(rig_stat(&r).refused_discoveries > 0);
    rig_finish(&r);
    rig_start(&r, "discovery: {zigbee2mqtt: {enabled: true}, max_devices: 3}\n");
    publish(&r, list_of());
    assert_int_equal(rig_stat(&r).devices, 3);
    assert_int_equal(rig_count(&r, EV_NOTICE), 1);
    rig_finish(&r);
}

static json_t *long_list(unsigned devices)
{
    json_t *list = list_of(), *one = json_deep_copy(device_of(list, RELAY));

    for (unsigned i = 0; i < devices; i++) {
        char name[16];
        json_t *copy = json_deep_copy(one);
        (void)snprintf(name, sizeof(name), "0x%x", 0x1000 + i);
        (void)json_object_set_new(copy, "ieee_address", json_string(name));
        (void)json_object_set_new(copy, "friendly_name", json_string(name));
        (void)json_array_append_new(list, copy);
    }
    json_decref(one);
    return list;
}

// A long list is worked off bit by bit, whatever comes between; what comes later counts.
static void slices(void **state)
{
    enum { DEVICES = 300 };
    json_t *list = long_list(DEVICES);
    char *text = json_dumps(list, JSON_COMPACT);
    const struct mqtt_message msg = {.topic = STR("zigbee2mqtt/bridge/devices"), .payload = str_c(text), .qos = 1};
    struct rig *r = *state;

    mqtt_model_message(r->m, &msg, r->now, r->wall);
    size_t first = rig_stat(r).devices;
    assert_true(first > 0 && first < DEVICES);
    assert_true(mqtt_model_deadline(r->m) <= r->now);
    mqtt_model_tick(r->m, r->now, r->wall);
    assert_true(rig_stat(r).devices > first && rig_stat(r).devices < DEVICES);
    rig_reload(r, "discovery: {zigbee2mqtt: {enabled: true}, quarantine: false, status_interval: 2s}\n");
    rig_pass(r, 0);
    assert_int_equal(rig_stat(r).devices, DEVICES + 8);
    // what is left of a list is of no interest when there is another
    mqtt_model_message(r->m, &msg, r->now, r->wall);
    free(text);
    (void)json_array_remove(list, json_array_size(list) - 1);
    text = json_dumps(list, JSON_COMPACT);
    const struct mqtt_message next = {.topic = msg.topic, .payload = str_c(text), .qos = 1};
    mqtt_model_message(r->m, &next, r->now, r->wall);
    rig_pass(r, 0);
    assert_int_equal(rig_stat(r).devices, DEVICES + 7);
    // and of none at another base
    mqtt_model_message(r->m, &next, r->now, r->wall);
    rig_reload(r, "discovery: {zigbee2mqtt: {enabled: true, base: other}}\n");
    rig_pass(r, 0);
    assert_int_equal(rig_stat(r).devices, 0);
    free(text);
    json_decref(list);
}

/* The enemy */

static void refused(void **state)
{
    static const char *const lists[] = {
        "{}",
        "null",
        "not json",
        "\"x\"",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
        "[1]",
        "[[]]",
        "[{\"ieee_address\":7}]",
        "[{\"ieee_address\":\"\"}]",
        "[{\"ieee_address\":\"0x00000000000000000000000000000000000000000\"}]",
        "[{\"ieee_address\":\"0x1\",\"interview_completed\":true}]",
        "[{\"ieee_address\":\"0x1\",\"ieee_address\":\"0x2\"}]",
    };
    struct rig *r = *state;

    for (size_t i = 0; i < COUNT(lists); i++) {
        rig_retained(r, "zigbee2mqtt/bridge/devices", lists[i]);
        if (rig_stat(r).refused_discoveries != i + 1 || rig_stat(r).devices)
            fail_msg("taken: %s", lists[i]);
    }
}

static void hostile_names(void **state)
{
    static const char *const names[] = {
        "+",
        "#",
        "a/+/b",
        "a/#",
        ("a\x01"
         "b"),
        "bridge",
        "bridge/request/permit_join",
        "$SYS/x",
    };
    struct rig *r = *state;

    for (size_t i = 0; i < COUNT(names); i++) {
        uint64_t before = rig_stat(r).refused_discoveries;
        json_t *list = list_of();
        set_member(list, LAMP, "friendly_name", json_string(names[i]));
        publish(r, list);
        bool good = str_eq_c(str_c(names[i]), "$SYS/x"); // below the base it is no topic of the broker's
        if ((rig_stat(r).refused_discoveries == before) != good)
            fail_msg("%s", names[i]);
        assert_int_equal(rig_stat(r).devices, 8);
        (void)rig_said(r, LAMP, "color x");
        for (size_t k = 0; k < r->publish_count; k++)
            assert_false(mqtt_topic_under(STR("zigbee2mqtt/bridge"), r->published[k].topic));
        publish(r, list_of());
    }
}

// A device of which one expose is this.
static void expose(struct rig *r, const char *json)
{
    static const char begin[] = "[{\"type\":\"Coordinator\",\"ieee_address\":\"0x0\"},{\"ieee_address\":\"0x1\","
                                "\"friendly_name\":\"x\",\"interview_completed\":true,\"definition\":{\"exposes\":[";
    size_t size = sizeof(begin) + strlen(json) + 128;
    char *text = malloc(size);

    (void)snprintf(text, size, "%s%s,{\"type\":\"numeric\",\"property\":\"last\",\"access\":1}]}}]", begin, json);
    rig_retained(r, "zigbee2mqtt/bridge/devices", text);
    free(text);
}

// A composite is no color because of its name; its parts can be seen.
static void composites(void **state)
{
    struct rig *r = *state;

    expose(r,
           "{\"type\":\"light\",\"features\":[{\"type\":\"composite\",\"name\":\"color_options\",\"property\":"
           "\"color_options\",\"access\":7,\"features\":[{\"type\":\"binary\",\"name\":\"execute_if_off\",\"property\":"
           "\"execute_if_off\",\"access\":7,\"value_on\":true,\"value_off\":false}]}]}");
    rig_hear(r, "zigbee2mqtt/x", "{\"color_options\":{\"execute_if_off\":true}}");
    assert_says(r, "z2m:0x1", "get execute_if_off", "execute_if_off: on");
    assert_refuses(r, "z2m:0x1", "execute_if_off off", "execute_if_off can be read, but not set");
    assert_null(rig_said(r, "z2m:0x1", "color_options #ffffff"));
    assert_int_equal(r->publish_count, 0);
}

// Not understood, or only in part: the rest of the device is there.
static void odd(void **state)
{
    static const char *const exposes[] = {
        "1",
        "[]",
        "{}",
        "{\"type\":\"list\",\"property\":\"x\",\"access\":7}",
        "{\"type\":\"hologram\",\"property\":\"x\",\"access\":7}",
        "{\"type\":\"light\",\"features\":7}",
        "{\"type\":\"light\",\"features\":[7,{\"type\":\"light\",\"features\":[]}]}",
        "{\"type\":\"numeric\",\"access\":7}",
        "{\"type\":\"numeric\",\"property\":\"a.b[0]\",\"access\":7}",
        "{\"type\":\"numeric\",\"property\":\"{{ value_json }}\",\"access\":7}",
        "{\"type\":\"numeric\",\"property\":\"\\\"},{\\\"\",\"access\":7}",
        "{\"type\":\"numeric\",\"property\":\"x\",\"access\":\"7\"}",
        "{\"type\":\"numeric\",\"property\":\"x\",\"access\":7,\"value_min\":9,\"value_max\":1}",
        "{\"type\":\"numeric\",\"property\":\"x\",\"access\":7,\"value_step\":-1,\"unit\":[]}",
        "{\"type\":\"numeric\",\"property\":\"x\",\"access\":0}",
        "{\"type\":\"enum\",\"property\":\"x\",\"access\":7}",
        "{\"type\":\"enum\",\"property\":\"x\",\"access\":7,\"values\":[1,{},null]}",
        "{\"type\":\"binary\",\"property\":\"x\",\"access\":7}",
        "{\"type\":\"binary\",\"property\":\"x\",\"access\":7,\"value_on\":{},\"value_off\":[]}",
        "{\"type\":\"composite\",\"property\":\"x\",\"access\":7}",
        "{\"type\":\"composite\",\"property\":\"x\",\"features\":[{\"type\":\"composite\",\"property\":\"y\","
        "\"features\":"
        "[{\"type\":\"composite\",\"property\":\"z\",\"features\":[]}]}]}",
        "{\"type\":\"composite\",\"name\":\"color_xy\",\"property\":\"\\\"\",\"access\":7}",
    };
    struct rig *r = *state;

    for (size_t i = 0; i < COUNT(exposes); i++) {
        expose(r, exposes[i]);
        if (rig_stat(r).devices != 1 || rig_stat(r).refused_discoveries)
            fail_msg("not taken: %s", exposes[i]);
        rig_hear(r, "zigbee2mqtt/x", "{\"last\":7,\"x\":1}");
        assert_says(r, "z2m:0x1", "get last", "last: 7");
    }
}

static void huge(void **state)
{
    enum { FEATURES = 10000, SIZE = 6 << 20 };
    char *text = malloc(SIZE);
    struct rig *r = *state;
    size_t n = 0;

    for (unsigned i = 0; i < FEATURES; i++)
        n += (size_t)snprintf(text + n, SIZE - n, "%s{\"type\":\"numeric\",\"property\":\"p%u\",\"access\":7}",
                              i ? "," : "", i);
    expose(r, text);
    assert_int_equal(rig_stat(r).devices, 0);
    assert_int_equal(rig_stat(r).refused_discoveries, 1);
    // very many devices: no more than may be
    n = (size_t)snprintf(text, SIZE, "[");
    for (unsigned i = 0; i < FEATURES; i++)
        n += (size_t)snprintf(text + n, SIZE - n,
                              "%s{\"ieee_address\":\"0x%u\",\"friendly_name\":\"d%u\",\"interview_completed\":true,"
                              "\"definition\":{\"exposes\":[{\"type\":\"numeric\",\"property\":\"p\"}]}}",
                              i ? "," : "", i, i);
    (void)snprintf(text + n, SIZE - n, "]");
    rig_retained(r, "zigbee2mqtt/bridge/devices", text);
    assert_int_equal(rig_stat(r).devices, 1000);
    assert_int_equal(rig_stat(r).refused_discoveries, 1 + FEATURES - 1000);
    // more than is read at all
    memset(text, ' ', 5 << 20);
    text[0] = '[';
    text[5 << 20] = ']';
    text[(5 << 20) + 1] = '\0';
    rig_retained(r, "zigbee2mqtt/bridge/devices", text);
    assert_int_equal(rig_stat(r).refused_discoveries, 2 + FEATURES - 1000);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        rig_test(network, joined),
        rig_test(lamp, joined),
        rig_test(others, joined),
        rig_test(cover, joined),
        rig_test(button, joined),
        rig_test(availability, joined),
        rig_test(renaming, joined),
        rig_test(exchange_of_names, joined),
        rig_test(replaced, joined),
        rig_test(removal, joined),
        rig_test(removed_while_away, joined),
        rig_test(changes, joined),
        cmocka_unit_test(configured),
        rig_test(slices, up),
        rig_test(refused, up),
        rig_test(hostile_names, joined),
        rig_test(odd, up),
        rig_test(composites, up),
        rig_test(huge, up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
