/* Homie 4 and 5: devices as the convention has them, and as an enemy would. */
#include "convention_rig.h"
#include "traffic.h"

#include <jansson.h>

static const char open_config[] = "discovery: {homie: {enabled: true}, quarantine: false, status_interval: 1s}\n";

static int up(void **state)
{
    return rig_setup(state, open_config);
}

// What devices subscribe to when they are made is repeated to them.
static void join(struct rig *r, const char *file)
{
    traffic_replay(r, file, false);
    rig_pass(r, 1000);
    traffic_replay(r, file, false);
}

static int joined(void **state)
{
    (void)up(state);
    join(*state, "homie5");
    return 0;
}

/* Homie 5 */

static void five(void **state)
{
    struct description d;
    struct rig *r = *state;

    assert_true(rig_listens(r, "homie/5/+/$state"));
    assert_true(rig_listens(r, "homie/5/+/$description"));
    join(r, "homie5");
    assert_int_equal(rig_stat(r).devices, 3);
    assert_int_equal(rig_stat(r).refused_discoveries, 0);
    const struct event *ev = rig_last(r, EV_IDENTITY, "homie:lamp");
    assert_str(ev->name, "Desk lamp");
    assert_str(ev->wish, "desk-lamp");
    assert_int_equal(ev->flags, 0);
    assert_int_equal(mqtt_model_describe(r->m, STR("homie:lamp"), &d), ERR_OK);
    assert_str(d.model, "org.example.lamp");
    assert_true(rig_listens(r, "homie/5/lamp/light/brightness"));
    assert_true(rig_listens(r, "homie/5/lamp/light/brightness/$target"));
    assert_true(rig_listens(r, "homie/5/lamp/$alert/+"));
    assert_true(rig_listens(r, "homie/5/gateway/$state"));
    rig_pass(r, 2000);
    assert_presence(r, "homie:lamp", SHOW_ONLINE, "Power on, 40 %, Color rgb,255,120,0");
    assert_says(r, "homie:lamp", "get power", "power: on");
    assert_says(r, "homie:lamp", "get note", "note: \"\"");
    assert_says(r, "homie:valve", "get heating_window", "heating_window: closed");
    assert_says(r, "homie:valve", "get case_uptime", "case_uptime: PT12H5M46S");
}

// What belongs to a device is taken in any order, and once.
static void in_any_order(void **state)
{
    static const char *const files[] = {"homie5", "homie4"};

    (void)state;
    for (size_t i = 0; i < COUNT(files); i++) {
        struct rig r, back;
        rig_start(&r, open_config);
        rig_start(&back, open_config);
        traffic_replay(&r, files[i], false);
        traffic_replay(&back, files[i], true);
        rig_pass(&r, 10000);
        rig_pass(&back, 10000);
        // the broker repeats what devices have subscribed to meanwhile
        traffic_replay(&r, files[i], false);
        traffic_replay(&back, files[i], false);
        assert_int_equal(rig_stat(&r).devices, i ? 1 : 3);
        assert_int_equal(rig_stat(&back).devices, i ? 1 : 3);
        const char *key = i ? "homie:super-car" : "homie:valve";
        const struct event *one = rig_said(&r, key, "status"), *two = rig_said(&back, key, "status");
        ptrdiff_t end = str_find_str(one->body, STR("last heard"));
        assert_true(end > 0 && str_starts(two->body, str_sub(one->body, 0, (size_t)end)));
        rig_pass(&back, 10000);
        rig_clear(&back);
        traffic_replay(&back, files[i], true);
        rig_pass(&back, 10000);
        assert_int_equal(back.count, 0); // nothing of it was new
        rig_finish(&r);
        rig_finish(&back);
    }
}

static void five_commands(void **state)
{
    struct rig *r = *state;

    // confirmed by the property itself
    (void)rig_said(r, "homie:lamp", "off");
    assert_int_equal(r->publish_count, 1);
    assert_str(r->published[0].topic, "homie/5/lamp/light/power/set");
    assert_str(r->published[0].payload, "false");
    assert_false(r->published[0].retain);
    assert_int_equal(r->published[0].qos, 1);
    rig_hear(r, "homie/5/lamp/light/power", "false");
    assert_str(rig_last(r, EV_DELIVERED, "homie:lamp")->body, "power is off");
    // or by its target, long before
    (void)rig_said(r, "homie:lamp", "brightness 80");
    assert_str(r->published[0].payload, "80");
    rig_hear(r, "homie/5/lamp/light/brightness", "45");
    assert_null(rig_last(r, EV_DELIVERED, "homie:lamp"));
    rig_hear(r, "homie/5/lamp/light/brightness/$target", "80");
    assert_str(rig_last(r, EV_DELIVERED, "homie:lamp")->body, "brightness is going to 80 %");
    // or not at all
    (void)rig_said(r, "homie:lamp", "effect party time");
    assert_str(r->published[0].payload, "Party time");
    rig_pass(r, 6000);
    assert_str(rig_last(r, EV_FAILED, "homie:lamp")->body,
               "no confirmation from the device in 5 s; as far as is known effect is none");
}

static void five_formats(void **state)
{
    struct rig *r = *state;

    assert_refuses(r, "homie:lamp", "brightness 101", "brightness must be between 0 and 100");
    assert_refuses(r, "homie:lamp", "brightness 42", "brightness goes in steps of 5");
    assert_refuses(r, "homie:lamp", "effect sparkle", "effect can be none, fade, Party time");
    assert_refuses(r, "homie:valve", "heating_setpoint 4", "heating_setpoint must be between 5 and 30");
    assert_refuses(r, "homie:valve", "heating_window open", "heating_window can be read, but not set");
    // whole numbers, where no step is said
    assert_refuses(r, "homie:gateway", "channel 2.5", "channel goes in steps of 1");
    // the empty text is one byte, there and back
    (void)rig_said(r, "homie:lamp", "note \"\"");
    assert_int_equal(r->published[0].payload.n, 1);
    assert_int_equal(r->published[0].payload.p[0], 0);
    traffic_message(r, STR("homie/5/lamp/light/note"), (struct str){"", 1}, false);
    assert_str(rig_last(r, EV_DELIVERED, "homie:lamp")->body, "note is \"\"");
    // what is not retained is no state: it is pressed, once, at QoS 0
    (void)rig_said(r, "homie:gateway", "inclusion");
    assert_str(r->published[0].topic, "homie/5/gateway/radio/inclusion/set");
    assert_str(r->published[0].payload, "start");
    assert_int_equal(r->published[0].qos, 0);
}

static void forms_follow_formats(void **state)
{
    const struct command *v;
    struct rig *r = *state;

    size_t n = mqtt_model_commands(r->m, STR("homie:lamp"), &v), seen = 0;
    for (size_t i = 0; i < n; i++) {
        const struct field *f = v[i].fields;
        if (str_eq_c(v[i].node, "set_power"))
            seen += f->type == FIELD_BOOL && str_eq_c(f->value, "true");
        if (str_eq_c(v[i].node, "set_brightness"))
            seen += f->type == FIELD_NUMBER && f->min >= 0 && f->max <= 100 && str_eq_c(f->value, "40");
        if (str_eq_c(v[i].node, "set_effect"))
            seen += f->type == FIELD_CHOICE && f->choice_count == 3 && str_eq_c(f->choices[2], "Party time");
        if (str_eq_c(v[i].node, "set_note"))
            seen += f->type == FIELD_TEXT;
    }
    assert_int_equal(seen, 4);
}

static void states(void **state)
{
    static const struct {
        const char *said;
        enum show show;
        const char *text;
    } cases[] = {
        {"init", SHOW_XA, "starting: Power on, 40 %"},
        {"ready", SHOW_ONLINE, "Power on, 40 %"},
        {"sleeping", SHOW_XA, "sleeping, last data 21 Nov 09:"},
        {"alert", SHOW_DND, "alert: Power on, 40 %"},
        {"disconnected", SHOW_OFFLINE, "disconnected 21 Nov 09:"},
        {"ready", SHOW_ONLINE, "Power on, 40 %"},
        {"lost", SHOW_OFFLINE, "lost 21 Nov 09:"},
    };
    struct rig *r = *state;

    rig_pass(r, 5000);
    for (size_t i = 0; i < COUNT(cases); i++) {
        rig_clear(r);
        rig_hear(r, "homie/5/lamp/$state", cases[i].said);
        rig_pass(r, 11000); // the second loss is not told at once
        const struct event *ev = rig_last(r, cases[i].show == SHOW_OFFLINE ? EV_UNAVAILABLE : EV_AVAILABLE, NULL);
        assert_non_null(ev);
        assert_int_equal(ev->show, cases[i].show);
        if (!str_starts(ev->body, str_c(cases[i].text)))
            fail_msg("%s: " STR_FMT, cases[i].said, STR_ARG(ev->body));
    }
    // who is lost is sent nothing
    assert_null(rig_said(r, "homie:lamp", "off"));
    assert_true(str_starts(rig_last(r, EV_FAILED, "homie:lamp")->body, STR("Desk lamp is offline (lost 21 Nov 09:")));
    assert_int_equal(r->publish_count, 0);
    rig_hear(r, "homie/5/lamp/$state", "no such state");
    assert_int_equal(rig_stat(r).refused_discoveries, 1);
}

static void lost_with_the_root(void **state)
{
    struct rig *r = *state;

    rig_pass(r, 5000);
    rig_clear(r);
    rig_hear(r, "homie/5/gateway/$state", "lost");
    assert_non_null(rig_last(r, EV_UNAVAILABLE, "homie:gateway"));
    assert_non_null(rig_last(r, EV_UNAVAILABLE, "homie:lamp"));
    assert_non_null(rig_last(r, EV_UNAVAILABLE, "homie:valve"));
    rig_clear(r);
    rig_hear(r, "homie/5/gateway/$state", "ready"); // each is as it says itself
    assert_int_equal(rig_last(r, EV_AVAILABLE, "homie:lamp")->show, SHOW_ONLINE);
    assert_int_equal(rig_last(r, EV_AVAILABLE, "homie:valve")->show, SHOW_XA);
    rig_clear(r);
    rig_hear(r, "homie/5/gateway/$state", "disconnected"); // in good order: no word on the others
    assert_non_null(rig_last(r, EV_UNAVAILABLE, "homie:gateway"));
    assert_null(rig_last(r, EV_UNAVAILABLE, "homie:lamp"));
}

static void alerts(void **state)
{
    struct rig *r = *state;

    rig_hear(r, "homie/5/valve/$state", "ready");
    rig_pass(r, 5000);
    assert_int_equal(rig_count(r, EV_MESSAGE), 0); // it was raised before we came
    assert_presence(r, "homie:valve", SHOW_DND, "Battery is low, at 8%: 20.5 °C, 21 °C, Heating Window closed");
    rig_clear(r);
    rig_hear(r, "homie/5/valve/$alert/stuck", "The valve is stuck");
    assert_int_equal(rig_count(r, EV_MESSAGE), 1);
    assert_str(rig_last(r, EV_MESSAGE, "homie:valve")->body, "The valve is stuck");
    assert_true(rig_last(r, EV_MESSAGE, "homie:valve")->id.n > 8);
    assert_presence(r, "homie:valve", SHOW_DND, "The valve is stuck: 20.5 °C, 21 °C, Heating Window closed");
    rig_hear(r, "homie/5/valve/$alert/stuck", "The valve is stuck"); // is no news
    assert_int_equal(rig_count(r, EV_MESSAGE), 1);
    rig_hear(r, "homie/5/valve/$alert/stuck", "");
    assert_str(rig_last(r, EV_MESSAGE, "homie:valve")->body, "over: The valve is stuck");
    rig_hear(r, "homie/5/valve/$alert/battery", "");
    rig_pass(r, 2000);
    assert_presence(r, "homie:valve", SHOW_ONLINE, "20.5 °C, 21 °C, Heating Window closed");
    // not more than it can have
    for (int i = 0; i < 100; i++) {
        char topic[64];
        (void)snprintf(topic, sizeof(topic), "homie/5/valve/$alert/a%d", i);
        rig_hear(r, topic, "x");
    }
    rig_pass(r, 10000);
    assert_true(rig_last(r, EV_STATE, "homie:valve")->blob.n < 1024);
}

static void alert_over_a_restart(void **state)
{
    struct rig *r = *state;
    struct rig again;

    rig_hear(r, "homie/5/valve/$state", "ready");
    rig_pass(r, 10000);
    rig_restore(&again, r, open_config);
    mqtt_model_start(again.m, again.now, again.wall);
    rig_pass(&again, 0);
    assert_int_equal(rig_stat(&again).devices, 3);
    assert_presence(&again, "homie:valve", SHOW_DND, "Battery is low, at 8%: 20.5 °C, 21 °C, Heating Window closed");
    assert_true(rig_listens(&again, "homie/5/valve/$alert/+"));
    rig_clear(&again);
    mqtt_model_link(again.m, true, again.now, again.wall);
    rig_pass(&again, 10000); // the broker has none of it any more
    assert_presence(&again, "homie:valve", SHOW_ONLINE, "20.5 °C, 21 °C, Heating Window closed");
    assert_int_equal(rig_count(&again, EV_MESSAGE), 0);
    rig_finish(&again);
}

static void words_and_events(void **state)
{
    struct rig *r = *state;

    rig_pass(r, 5000);
    rig_clear(r);
    rig_hear(r, "homie/5/lamp/$log/debug", "tick");
    rig_hear(r, "homie/5/lamp/$log/info", "tick");
    rig_retained(r, "homie/5/lamp/$log/error", "long ago");
    assert_int_equal(rig_count(r, EV_MESSAGE), 0);
    rig_hear(r, "homie/5/lamp/$log/error", "sensor\nvalue is out of range");
    assert_str(rig_last(r, EV_MESSAGE, "homie:lamp")->body, "error: sensor value is out of range");
    for (int i = 0; i < 50; i++)
        rig_hear(r, "homie/5/lamp/$log/error", "again");
    assert_int_equal(rig_count(r, EV_MESSAGE), 1); // a storm is none of theirs
    rig_hear(r, "homie/5/valve/case/button", "short");
    assert_str(rig_last(r, EV_MESSAGE, "homie:valve")->body, "case_button: short");
    rig_pass(r, 15000);
    rig_hear(r, "homie/5/valve/case/button", "short");
    assert_int_equal(rig_count(r, EV_MESSAGE), 3);
}

static void removal(void **state)
{
    struct rig *r = *state;

    rig_hear(r, "homie/5/lamp/$state", "");
    assert_non_null(rig_last(r, EV_FORGET, "homie:lamp"));
    assert_int_equal(rig_stat(r).devices, 2);
    assert_false(rig_listens(r, "homie/5/lamp/light/power"));
    assert_false(rig_listens(r, "homie/5/lamp/$alert/+"));
    // what is left of it at the broker brings it back as little as a state without a description
    rig_retained(
        r, "homie/5/left/$description",
        "{\"homie\":\"5.0\",\"version\":1,\"nodes\":{\"n\":{\"properties\":{\"p\":{\"datatype\":\"float\"}}}}}");
    rig_retained(r, "homie/5/right/$state", "ready");
    assert_int_equal(rig_stat(r).devices, 2);
    rig_retained(r, "homie/5/left/$state", "init");
    assert_int_equal(rig_stat(r).devices, 3);
    assert_presence(r, "homie:left", SHOW_XA, "starting");
}

static void described_anew(void **state)
{
    struct rig *r = *state;

    rig_pass(r, 10000);
    rig_clear(r);
    rig_retained(r, "homie/5/lamp/$description",
                 "{\"homie\":\"5.0\",\"version\":1700000001,\"name\":\"Reading lamp\",\"root\":\"gateway\",\"nodes\":"
                 "{\"light\":{\"properties\":{\"power\":{\"name\":\"Power\",\"datatype\":\"boolean\",\"settable\":true,"
                 "\"format\":\"off,on\"},\"fan\":{\"datatype\":\"boolean\",\"settable\":true}}}}}");
    assert_null(rig_last(r, EV_FORGET, NULL));
    assert_str(rig_last(r, EV_IDENTITY, "homie:lamp")->name, "Reading lamp");
    assert_int_equal(rig_count(r, EV_NOTICE), 2); // the name, and a control more
    assert_says(r, "homie:lamp", "get power", "power: on");
    assert_refuses(r, "homie:lamp", "brightness 5", "I do not know 'brightness'; say 'help' for what I do");
}

// What people type is made of the id, where nothing can be made of the name.
static void names_of_other_scripts(void **state)
{
    struct rig *r = *state;

    rig_retained(r, "homie/5/k/$state", "ready");
    rig_retained(
        r, "homie/5/k/$description",
        "{\"homie\":\"5.0\",\"version\":1,\"name\":\"Кухня\",\"nodes\":{\"air\":{\"name\":\"Воздух\",\"properties\":{"
        "\"temperature\":{\"name\":\"Температура\",\"datatype\":\"float\",\"unit\":\"°C\"},\"humidity\":{\"name\":"
        "\"Влажность\",\"datatype\":\"float\"}}}}}");
    rig_hear(r, "homie/5/k/air/temperature", "20");
    rig_hear(r, "homie/5/k/air/humidity", "50");
    rig_pass(r, 2000);
    assert_presence(r, "homie:k", SHOW_ONLINE, "20 °C, Влажность 50");
    assert_says(r, "homie:k", "get humidity", "humidity: 50");
}

/* Homie 4 */

static void four(void **state)
{
    struct rig *r = *state;

    assert_true(rig_listens(r, "homie/+/$homie"));
    assert_true(rig_listens(r, "homie/+/+/+/$datatype"));
    traffic_replay(r, "homie4", false);
    assert_int_equal(rig_stat(r).devices, 0); // there may be more
    rig_pass(r, 600);
    assert_int_equal(rig_stat(r).devices, 1);
    assert_int_equal(rig_stat(r).refused_discoveries, 0);
    assert_str(rig_last(r, EV_IDENTITY, "homie:super-car")->name, "Super car");
    assert_false(rig_listens(r, "homie/super-car/$alert/+")); // there is no such thing
    traffic_replay(r, "homie4", false);
    rig_pass(r, 2000);
    assert_presence(r, "homie:super-car", SHOW_ONLINE, "0 °, 30 km/h, Car engine Direction forward");
    assert_says(r, "homie:super-car", "get car_engine_temperature", "car_engine_temperature: 21.5 °C");
    (void)rig_said(r, "homie:super-car", "on");
    assert_str(r->published[0].topic, "homie/super-car/lights/power/set");
    assert_str(r->published[0].payload, "true");
    rig_hear(r, "homie/super-car/lights/power", "true");
    assert_str(rig_last(r, EV_DELIVERED, "homie:super-car")->body, "lights_power is on");
    assert_refuses(r, "homie:super-car", "wheels_angle 50", "wheels_angle must be between -45 and 45");
    (void)rig_said(r, "homie:super-car", "lights_horn");
    assert_str(r->published[0].payload, "honk");
    rig_hear(r, "homie/super-car/$state", "alert");
    assert_str(rig_last(r, EV_MESSAGE, "homie:super-car")->body, "something is wrong");
    rig_pass(r, 2000);
    const struct event *presence = rig_last(r, EV_AVAILABLE, "homie:super-car");
    assert_int_equal(presence->show, SHOW_DND);
    assert_true(str_starts(presence->body, STR("something is wrong: 0 °, 30 km/h")));
    rig_hear(r, "homie/super-car/$state", "ready");
    assert_str(rig_last(r, EV_MESSAGE, "homie:super-car")->body, "over: something is wrong");
    assert_int_equal(rig_last(r, EV_AVAILABLE, "homie:super-car")->show, SHOW_ONLINE);
}

static void four_changes(void **state)
{
    struct rig *r = *state;

    traffic_replay(r, "homie4", false);
    rig_pass(r, 1000);
    rig_hear(r, "homie/super-car/$state", "init"); // it changes what it is
    rig_hear(r, "homie/super-car/$nodes", "engine");
    rig_hear(r, "homie/super-car/engine/$properties", "speed,gear");
    rig_pass(r, 10000);
    assert_true(rig_listens(r, "homie/super-car/wheels/angle"));
    rig_hear(r, "homie/super-car/engine/gear/$datatype", "integer");
    rig_hear(r, "homie/super-car/$state", "ready");
    rig_pass(r, 1000);
    assert_false(rig_listens(r, "homie/super-car/wheels/angle"));
    assert_true(rig_listens(r, "homie/super-car/engine/gear"));
    rig_hear(r, "homie/super-car/$state", "");
    assert_non_null(rig_last(r, EV_FORGET, "homie:super-car"));
    assert_int_equal(rig_stat(r).devices, 0);
}

// What is stored can be read again.
static void four_without_a_text(void **state)
{
    struct rig *r = *state;

    traffic_replay(r, "homie4", false);
    traffic_message(r, STR("homie/super-car/$name"), (struct str){"", 1}, true); // the empty text
    traffic_message(r, STR("homie/super-car/lights/$name"), STR("a\0b"), true);
    traffic_message(r, STR("homie/super-car/wheels/$name"), STR("\xff\xfe"), true);
    assert_int_equal(rig_stat(r).refused_discoveries, 2);
    rig_pass(r, 1000);
    const struct event *ev = rig_last(r, EV_STATE, "config:homie:super-car");
    json_t *stored = json_loadb(ev->blob.p, ev->blob.n, 0, NULL);
    assert_non_null(stored);
    json_decref(stored);
    assert_str(rig_last(r, EV_IDENTITY, "homie:super-car")->name, "super-car");
}

// Who has learnt 5 and speaks 4 beside it, or did, stays the same contact.
static void four_becomes_five(void **state)
{
    struct rig *r = *state;

    traffic_replay(r, "homie4", false);
    rig_pass(r, 1000);
    rig_retained(r, "homie/5/super-car/$description",
                 "{\"homie\":\"5.0\",\"version\":1,\"name\":\"Super car 5\",\"nodes\":{\"engine\":{\"properties\":"
                 "{\"speed\":{\"name\":\"Speed\",\"datatype\":\"integer\"}}}}}");
    rig_retained(r, "homie/5/super-car/$state", "ready");
    assert_null(rig_last(r, EV_FORGET, NULL));
    assert_str(rig_last(r, EV_IDENTITY, "homie:super-car")->name, "Super car 5");
    rig_hear(r, "homie/super-car/$name", "Old car");
    rig_pass(r, 1000);
    assert_str(rig_last(r, EV_IDENTITY, "homie:super-car")->name, "Super car 5");
    rig_hear(r, "homie/super-car/$homie", ""); // the old is cleaned away
    rig_hear(r, "homie/super-car/$state", "");
    assert_int_equal(rig_stat(r).devices, 1);
    assert_false(rig_listens(r, "homie/super-car/engine/speed"));
    assert_true(rig_listens(r, "homie/5/super-car/engine/speed"));
}

/* Configuration */

static void reload(struct rig *r, const char *yaml)
{
    rig_reload(r, yaml);
    rig_pass(r, 10000);
}

static void configured(void **state)
{
    struct rig r;

    (void)state;
    rig_start(&r, "discovery: {homie: {enabled: true, prefix: iot}}\n");
    assert_true(rig_listens(&r, "iot/5/+/$state"));
    join(&r, "homie5"); // of others
    assert_int_equal(rig_stat(&r).devices, 0);
    rig_finish(&r);
    rig_start(&r, "discovery: {homie: {enabled: true}}\n");
    join(&r, "homie5");
    assert_int_equal(rig_last(&r, EV_IDENTITY, "homie:lamp")->flags, EVENT_QUARANTINE);
    // what was heard of attributes is not asked for again
    traffic_replay(&r, "homie4", false);
    reload(&r, "discovery: {homie: {enabled: true}, status_interval: 2s}\n");
    rig_hear(&r, "homie/super-car/$name", "Hyper car");
    rig_pass(&r, 1000);
    assert_str(rig_last(&r, EV_IDENTITY, "homie:super-car")->name, "Hyper car");
    // `allow`, where it is given, holds here too
    reload(&r, "discovery: {homie: {enabled: true}, allow: ['homie/5/#'], command_topics: "
               "['homie/5/lamp/light/power/set']}\n");
    assert_non_null(rig_last(&r, EV_FORGET, "homie:super-car"));
    assert_true(rig_listens(&r, "homie/5/lamp/light/power")); // the power is all that is left
    assert_refuses(&r, "homie:lamp", "brightness 5", "I do not know 'brightness'; say 'help' for what I do");
    (void)rig_said(&r, "homie:lamp", "off");
    assert_int_equal(r.publish_count, 1);
    reload(&r, "discovery: {homie: {enabled: false}}\n");
    assert_int_equal(rig_stat(&r).devices, 0);
    assert_false(rig_listens(&r, "homie/5/+/$state"));
    rig_finish(&r);
}

static void wrong_configuration(void **state)
{
    static const char *const wrong[] = {
        "discovery: {homie: {enabled: true, prefix: 'a/b'}}\n",
        "discovery: {homie: {enabled: true, prefix: '+'}}\n",
        "discovery: {homie: {enabled: true, prefix: ''}}\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct conf_report *report = conf_report_create();
        struct conf_value *section = rig_section(wrong[i], report);
        assert_null(section ? mqtt_model_create(section, report, &rig_host, NULL, NULL) : NULL);
        conf_destroy(section);
        conf_report_destroy(report);
    }
}

/* The enemy */

static void describe(struct rig *r, const char *id, const char *description)
{
    char topic[128];

    (void)snprintf(topic, sizeof(topic), "homie/5/%s/$state", id);
    rig_retained(r, topic, "ready");
    (void)snprintf(topic, sizeof(topic), "homie/5/%s/$description", id);
    rig_retained(r, topic, description);
}

#define NODES(property) "{\"homie\":\"5.0\",\"version\":1,\"nodes\":{\"n\":{\"properties\":{" property "}}}}"

static void refused(void **state)
{
    static const char *const descriptions[] = {
        "[]",
        "null",
        "not json",
        "{\"homie\":\"6.0\",\"nodes\":{\"n\":{\"properties\":{\"p\":{\"datatype\":\"float\"}}}}}",
        "{\"homie\":5.0,\"nodes\":{\"n\":{\"properties\":{\"p\":{\"datatype\":\"float\"}}}}}",
        "{\"homie\":\"5.0\",\"homie\":\"5.0\"}",                                            // twice
        "{\"homie\":\"5.0\",\"nodes\":{\"a/b\":{\"properties\":{\"p\":{}}}}}",              // another level
        "{\"homie\":\"5.0\",\"nodes\":{\"+\":{\"properties\":{\"p\":{}}}}}",                // a wildcard
        "{\"homie\":\"5.0\",\"nodes\":{\"$state\":{\"properties\":{\"p\":{}}}}}",           //
        "{\"homie\":\"5.0\",\"nodes\":{\"\":{\"properties\":{\"p\":{}}}}}",                 //
        "{\"homie\":\"5.0\",\"nodes\":{\"n\":[]}}",                                         //
        "{\"homie\":\"5.0\",\"root\":\"#\",\"nodes\":{\"n\":{\"properties\":{\"p\":{}}}}}", //
        "{\"homie\":\"5.0\",\"root\":\"a/b\",\"nodes\":{\"n\":{\"properties\":{\"p\":{}}}}}",
        NODES("\"..\\/x\":{\"datatype\":\"float\"}"),
        NODES("\"#\":{\"datatype\":\"float\"}"),
        NODES("\"a\\u0001\":{\"datatype\":\"float\"}"),
        NODES("\"p\":[]"),
        NODES("\"p\":{\"datatype\":\"float\",\"settable\":true,\"format\":\"9:1\"}"),
        "[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]",
    };
    struct rig *r = *state;

    for (size_t i = 0; i < COUNT(descriptions); i++) {
        describe(r, "evil", descriptions[i]);
        if (rig_stat(r).refused_discoveries != i + 1 || rig_stat(r).devices)
            fail_msg("taken: %s", descriptions[i]);
        rig_retained(r, "homie/5/evil/$state", "");
    }
}

// Of the wrong type, but of no harm: what is not understood is as if it were not there.
static void odd(void **state)
{
    static const char *const properties[] = {
        "\"p\":{}",
        "\"p\":{\"datatype\":7,\"format\":{},\"unit\":[],\"name\":null}",
        "\"p\":{\"datatype\":\"enum\",\"settable\":true}",
        "\"p\":{\"datatype\":\"enum\",\"settable\":true,\"format\":\",,\"}",
        "\"p\":{\"datatype\":\"boolean\",\"settable\":true,\"format\":\"a,b,c\"}",
        "\"p\":{\"datatype\":\"float\",\"settable\":true,\"format\":\"x:y:z\"}",
        "\"p\":{\"datatype\":\"float\",\"settable\":true,\"format\":\":::::\"}",
        "\"p\":{\"datatype\":\"integer\",\"settable\":\"yes\",\"format\":\"1:5:0\"}",
        "\"p\":{\"datatype\":\"nonsense\",\"settable\":true,\"name\":\"a\\u202eb\\u0007\"}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(properties); i++) {
        char description[512];
        struct rig r;
        rig_start(&r, open_config);
        (void)snprintf(description, sizeof(description), NODES("%s"), properties[i]);
        describe(&r, "odd", description);
        if (rig_stat(&r).devices != 1)
            fail_msg("not taken: %s", properties[i]);
        rig_hear(&r, "homie/5/odd/n/p", "7");
        const struct event *ev = rig_said(&r, "homie:odd", "status");
        assert_true(str_find_str(ev->body, STR("7")) > 0);
        rig_finish(&r);
    }
}

// A loose contact: what is so is shown, and not told each time.
static void alerts_that_flap(void **state)
{
    struct rig *r = *state;

    rig_clear(r);
    for (unsigned i = 0; i < 100; i++) {
        rig_hear(r, "homie/5/lamp/$alert/x", "too hot");
        rig_hear(r, "homie/5/lamp/$alert/x", "");
    }
    assert_int_equal(rig_count(r, EV_MESSAGE), 20);
    rig_hear(r, "homie/5/lamp/$alert/x", "too hot");
    rig_pass(r, 2000);
    assert_int_equal(rig_last(r, EV_AVAILABLE, "homie:lamp")->show, SHOW_DND);
    rig_pass(r, 10000);
    rig_hear(r, "homie/5/lamp/$alert/x", "");
    assert_int_equal(rig_count(r, EV_MESSAGE), 21);
}

static void forgotten_until_it_is_heard(void **state)
{
    struct rig *r = *state;

    mqtt_model_forget(r->m, STR("homie:lamp"), r->now, r->wall);
    assert_int_equal(rig_stat(r).devices, 2);
    rig_clear(r);
    rig_hear(r, "homie/5/lamp/$state", "ready");
    assert_int_equal(rig_stat(r).devices, 3);
    assert_str(rig_last(r, EV_IDENTITY, "homie:lamp")->name, "Desk lamp");
}

// Many at once, as after a start, are put together bit by bit, whatever comes between.
static void slices(void **state)
{
    enum { DEVICES = 300 };
    static const char *const attributes[][2] = {
        {"$homie", "4.0.0"}, {"$nodes", "n"}, {"n/$properties", "p"}, {"$state", "ready"}};
    static const struct mqtt_message later = {.topic = {"homie/later/$homie", 18}, .payload = {"4.0.0", 5}};
    char topic[64];
    struct rig *r = *state;

    for (unsigned i = 0; i < DEVICES; i++)
        for (size_t k = 0; k < COUNT(attributes); k++) {
            (void)snprintf(topic, sizeof(topic), "homie/d%u/%s", i, attributes[k][0]);
            rig_retained(r, topic, attributes[k][1]);
        }
    r->now += 500;
    mqtt_model_tick(r->m, r->now, r->wall);
    size_t first = rig_stat(r).devices;
    assert_true(first > 0 && first < DEVICES);
    mqtt_model_message(r->m, &later, r->now, r->wall);
    assert_true(mqtt_model_deadline(r->m) <= r->now);
    rig_pass(r, 0);
    assert_int_equal(rig_stat(r).devices, DEVICES);
}

static void huge(void **state)
{
    enum { PROPERTIES = 10000, SIZE = 1 << 20 };
    char *text = malloc(SIZE);
    struct rig *r = *state;

    for (unsigned many = 129; many <= PROPERTIES; many = many == 129 ? 900 : PROPERTIES + (many == PROPERTIES)) {
        size_t n = (size_t)snprintf(text, SIZE, "{\"homie\":\"5.0\",\"version\":1,\"nodes\":{\"n\":{\"properties\":{");
        for (unsigned i = 0; i < many; i++)
            n += (size_t)snprintf(text + n, SIZE - n, "%s\"p%u\":{\"datatype\":\"float\"}", i ? "," : "", i);
        (void)snprintf(text + n, SIZE - n, "}}}}");
        uint64_t before = rig_stat(r).refused_discoveries;
        describe(r, "huge", text);
        assert_true(rig_stat(r).refused_discoveries > before);
        assert_int_equal(rig_stat(r).devices, 0);
    }
    // by attributes: 4 has no end of them
    rig_hear(r, "homie/long/$homie", "4.0.0");
    rig_hear(r, "homie/long/$state", "ready");
    for (unsigned i = 0; i < PROPERTIES; i++) {
        char topic[128];
        (void)snprintf(topic, sizeof(topic), "homie/long/n%u/$properties", i);
        rig_hear(r, topic, "a,b,c,d,e,f,g,h");
    }
    for (size_t n = 0; n < 1000; n++)
        text[n] = n % 2 ? ',' : 'n';
    text[1000] = '\0';
    rig_hear(r, "homie/long/$nodes", text);
    rig_pass(r, 10000);
    assert_int_equal(rig_stat(r).devices, 0);
    free(text);
}

// No more devices than may be, and no more is remembered of those that are none yet.
static void flood(void **state)
{
    enum { DEVICES = 20000 };
    struct rig r;

    (void)state;
    rig_start(&r, "discovery: {homie: {enabled: true}, max_devices: 20, max_rate: 1}\n");
    r.lazy = true;
    for (unsigned i = 0; i < DEVICES; i++) {
        char id[32], topic[64];
        (void)snprintf(id, sizeof(id), "d%u", i);
        if (i % 2) {
            describe(&r, id, NODES("\"p\":{\"datatype\":\"float\"}"));
        } else {
            (void)snprintf(topic, sizeof(topic), "homie/%s/$name", id);
            rig_hear(&r, topic, "x");
        }
    }
    assert_int_equal(rig_stat(&r).devices, 20);
    assert_true(rig_stat(&r).refused_discoveries > DEVICES / 2 - 30);
    rig_finish(&r);
}

// Another convention is enabled too: its devices cannot be given topics of this one's attributes.
static void reserved(void **state)
{
    struct rig r;

    (void)state;
    rig_start(&r, "discovery: {enabled: true, allow: ['#'], homie: {enabled: true}, quarantine: false}\n");
    rig_retained(&r, "homeassistant/switch/x/config",
                 "{\"command_topic\":\"homie/5/lamp/$state\",\"device\":{\"ids\":\"x\"}}");
    assert_int_equal(rig_stat(&r).refused_discoveries, 1);
    rig_retained(&r, "homeassistant/switch/x/config",
                 "{\"command_topic\":\"homie/5/lamp/light/power/set\",\"device\":{\"ids\":\"x\"}}");
    assert_int_equal(rig_stat(&r).devices, 1);
    join(&r, "homie5"); // the lamp's topic is another's now
    assert_true(rig_stat(&r).refused_discoveries > 1);
    assert_int_equal(rig_stat(&r).devices, 3); // and the lamp is none
    rig_finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        rig_test(five, up),
        cmocka_unit_test(in_any_order),
        rig_test(five_commands, joined),
        rig_test(five_formats, joined),
        rig_test(forms_follow_formats, joined),
        rig_test(states, joined),
        rig_test(lost_with_the_root, joined),
        rig_test(alerts, joined),
        rig_test(alert_over_a_restart, joined),
        rig_test(words_and_events, joined),
        rig_test(removal, joined),
        rig_test(described_anew, joined),
        rig_test(names_of_other_scripts, up),
        rig_test(four, up),
        rig_test(four_changes, up),
        rig_test(four_without_a_text, up),
        rig_test(four_becomes_five, up),
        cmocka_unit_test(configured),
        cmocka_unit_test(wrong_configuration),
        rig_test(refused, up),
        cmocka_unit_test(odd),
        rig_test(alerts_that_flap, joined),
        rig_test(forgotten_until_it_is_heard, joined),
        rig_test(slices, up),
        rig_test(huge, up),
        cmocka_unit_test(flood),
        cmocka_unit_test(reserved),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
