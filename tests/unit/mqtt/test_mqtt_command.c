/* What users say: words and forms, rights, confirmation, and how each command ends. */
#include "model_rig.h"

static const char lamp[] =
    "devices:\n"
    "  lamp:\n"
    "    topic: l/+/state\n"
    "    name: Lamp {1}\n"
    "    availability: [{topic: 'l/{1}/online'}]\n"
    "    readings:\n"
    "      power: {value: state, on: 'ON', off: 'OFF'}\n"
    "      brightness: {value: brightness, unit: '%'}\n"
    "      mode: {value: mode}\n"
    "    controls:\n"
    "      power: {topic: 'l/{1}/set', type: bool, payload: '{\"state\":\"{value}\"}', state: power}\n"
    "      brightness: {topic: 'l/{1}/bri', type: number, min: 0, max: 100, step: 5, state: brightness}\n"
    "      mode: {topic: 'l/{1}/mode', type: choice, choices: [Warm, Cold], state: mode}\n"
    "      label: {topic: 'l/{1}/label', type: text, payload: '{\"label\":\"{value}\"}'}\n"
    "      reboot: {topic: 'l/{1}/reboot', type: press, 'on': now, qos: 0}\n"
    "      query: {topic: 'l/{1}/query', type: text, response_topic: bridge/replies}\n";

#define KEY "lamp/a"

static void ready(struct rig *r)
{
    rig_init(r, lamp);
    rig_up(r);
    rig_hear(r, "l/a/state", "{\"state\":\"OFF\",\"brightness\":20,\"mode\":\"Warm\"}");
    rig_clear(r);
}

// The one outcome of a token.
static const struct event *outcome(const struct rig *r, uint64_t token)
{
    const struct event *found = NULL;

    for (size_t i = 0; i < r->count; i++)
        if ((r->events[i]->kind == EV_DELIVERED || r->events[i]->kind == EV_FAILED) && r->events[i]->token == token) {
            assert_null(found);
            found = r->events[i];
        }
    return found;
}

static void check_outcome(const struct rig *r, uint64_t token, enum err want, const char *text)
{
    const struct event *ev = outcome(r, token);

    assert_non_null(ev);
    assert_int_equal(ev->kind, want == ERR_OK ? EV_DELIVERED : EV_FAILED);
    assert_int_equal(ev->err, want);
    assert_str(ev->body, text);
}

static enum err submit(struct rig *r, const char *node, const char *value, unsigned rights, uint64_t token)
{
    const struct event_field field = {STR("value"), str_c(value)};
    struct event ev = {.kind = EV_COMMAND, .now = r->now, .wall = r->wall, .token = token};

    ev.key = STR(KEY);
    ev.rights = rights;
    ev.command = str_c(node);
    ev.fields = &field;
    ev.field_count = value ? 1 : 0;
    return mqtt_model_send(r->m, &ev);
}

static void answers(void **state)
{
    static const struct {
        const char *said;
        enum err err;
        const char *answer;
    } cases[] = {
        {"get power", ERR_OK, "power: off"},
        {"GET Brightness", ERR_OK, "brightness: 20 %"},
        {"brightness", ERR_OK, "brightness: 20 %"},
        {"get", ERR_OK, "Lamp a: online\npower: off\nbrightness: 20 %\nmode: Warm\nlast heard 0 s ago"},
        {"status", ERR_OK, "Lamp a: online\npower: off\nbrightness: 20 %\nmode: Warm\nlast heard 0 s ago"},
        {"help", ERR_OK,
         "Lamp a\nstatus: all that is known\nget NAME: one of power, brightness, mode\nset NAME VALUE, or only NAME "
         "VALUE:\n  power: on, off\n  brightness: 0 to 100\n  mode: Warm, Cold\n  label: a text\n  reboot: press\n  "
         "query: a text"},
        {"powr on", ERR_NOTFOUND, "I do not know 'powr'; did you mean 'power'?"},
        {"stauts", ERR_NOTFOUND, "I do not know 'stauts'; did you mean 'status'?"},
        {"get brigtness", ERR_NOTFOUND, "I do not know 'brigtness'; did you mean 'brightness'?"},
        {"set powre on", ERR_NOTFOUND, "I do not know 'powre'; did you mean 'power'?"},
        {"guten tag", ERR_NOTFOUND, "I do not know 'guten'; say 'help' for what I do"},
        {"set", ERR_NOTACCEPTABLE, "set what? Say 'help' for what can be set"},
        {"set power", ERR_NOTACCEPTABLE, "to what? For example: set power on"},
        {"set mode", ERR_NOTACCEPTABLE, "to what? For example: set mode Warm"},
        {"power maybe", ERR_NOTACCEPTABLE, "power can be on or off"},
        {"brightness 101", ERR_NOTACCEPTABLE, "brightness must be between 0 and 100"},
        {"brightness -1", ERR_NOTACCEPTABLE, "brightness must be between 0 and 100"},
        {"brightness nan", ERR_NOTACCEPTABLE, "brightness is a number, which 'nan' is not"},
        {"brightness 7", ERR_NOTACCEPTABLE, "brightness goes in steps of 5"},
        {"mode hot", ERR_NOTACCEPTABLE, "mode can be Warm, Cold"},
        {"reboot please", ERR_NOTACCEPTABLE, "reboot is a button: it takes no value"},
        {"label a\nb", ERR_NOTACCEPTABLE, "label is one line of text"},
    };
    struct rig r;

    (void)state;
    ready(&r);
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(rig_say(&r, KEY, cases[i].said, i + 1), ERR_OK);
        const struct event *ev = outcome(&r, i + 1);
        if (!ev || ev->err != cases[i].err || !str_eq_c(ev->body, cases[i].answer))
            fail_msg("%s: " STR_FMT, cases[i].said, STR_ARG(ev ? ev->body : STR("nothing")));
    }
    assert_int_equal(r.publish_count, 0);
    rig_finish(&r);
}

// What is suggested would do.
static void suggestions(void **state)
{
    static const char yaml[] = "devices:\n  lamp:\n    topic: l/+/state\n"
                               "    readings: {power: {}, brightness: {}, color-temperature: {}}\n"
                               "    controls:\n"
                               "      switch: {topic: 'l/{1}/set', type: bool, state: power}\n"
                               "      label: {topic: 'l/{1}/label', type: text}\n"
                               "      reboot: {topic: 'l/{1}/reboot', type: press}\n";
    static const struct {
        const char *said;
        enum err err;
        const char *answer;
    } cases[] = {
        {"get bri", ERR_NOTFOUND, "I do not know 'bri'; did you mean 'brightness'?"},
        {"Bright", ERR_NOTFOUND, "I do not know 'Bright'; did you mean 'brightness'?"},
        {"get po", ERR_NOTFOUND, "I do not know 'po'; did you mean 'power'?"},
        {"get b", ERR_NOTFOUND, "I do not know 'b'; say 'help' for what I do"},
        {"get brightnesses", ERR_NOTFOUND, "I do not know 'brightnesses'; did you mean 'brightness'?"},
        {"get status", ERR_NOTFOUND, "I do not know 'status'; say 'help' for what I do"},
        {"get labe", ERR_NOTFOUND, "I do not know 'labe'; say 'help' for what I do"}, // which cannot be read
        {"get label", ERR_NOTACCEPTABLE, "label can be set, but not read"},
        {"set lab x", ERR_NOTFOUND, "I do not know 'lab'; did you mean 'label'?"},
        {"set temp 5", ERR_NOTFOUND, "I do not know 'temp'; say 'help' for what I do"}, // which cannot be set
        {"set color-temperature 5", ERR_NOTACCEPTABLE, "color-temperature can be read, but not set"},
        {"get temp", ERR_NOTFOUND, "I do not know 'temp'; did you mean 'color-temperature'?"},
        {"reb", ERR_NOTFOUND, "I do not know 'reb'; did you mean 'reboot'?"},
        {"get temperature", ERR_NOTFOUND, "I do not know 'temperature'; did you mean 'color-temperature'?"},
        {"get swi", ERR_NOTFOUND, "I do not know 'swi'; did you mean 'switch'?"}, // by its reading
        {"sta", ERR_NOTFOUND, "I do not know 'sta'; did you mean 'status'?"},
    };
    struct rig r;

    (void)state;
    rig_init(&r, yaml);
    rig_up(&r);
    rig_hear(&r, "l/a/state", "1");
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(rig_say(&r, KEY, cases[i].said, i + 1), ERR_OK);
        const struct event *ev = outcome(&r, i + 1);
        if (!ev || ev->err != cases[i].err || !str_eq_c(ev->body, cases[i].answer))
            fail_msg("%s: " STR_FMT, cases[i].said, STR_ARG(ev ? ev->body : STR("nothing")));
    }
    rig_finish(&r);
}

static void publishes(void **state)
{
    static const struct {
        const char *said, *topic, *payload;
    } cases[] = {
        {"set power on", "l/a/set", "{\"state\":\"ON\"}"},
        {"power off", "l/a/set", "{\"state\":\"OFF\"}"},
        {"Power = ON", "l/a/set", "{\"state\":\"ON\"}"},
        {"power: on", "l/a/set", "{\"state\":\"ON\"}"},
        {"on", "l/a/set", "{\"state\":\"ON\"}"},
        {"toggle", "l/a/set", "{\"state\":\"ON\"}"},
        {"brightness 55", "l/a/bri", "55"},
        {"brightness 55 %", "l/a/bri", "55"},
        {"brightness 55%", "l/a/bri", "55"},
        {"mode cold", "l/a/mode", "Cold"},
        {"label say \"hi\" \\ {value}", "l/a/label", "{\"label\":\"say \\\"hi\\\" \\\\ {value}\"}"},
        {"reboot", "l/a/reboot", "now"},
        {"set reboot", "l/a/reboot", "now"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig r;
        ready(&r);
        assert_int_equal(rig_say(&r, KEY, cases[i].said, 7), ERR_OK);
        if (r.publish_count != 1)
            fail_msg("%s: %zu published", cases[i].said, r.publish_count);
        assert_str(r.published[0].topic, cases[i].topic);
        assert_str(r.published[0].payload, cases[i].payload);
        assert_false(r.published[0].retain);
        assert_int_equal(r.published[0].expiry, 30);
        assert_null(outcome(&r, 7));
        rig_finish(&r);
    }
}

static void state_confirms(void **state)
{
    struct rig r;

    (void)state;
    ready(&r);
    (void)rig_say(&r, KEY, "power on", 1);
    rig_hear(&r, "l/a/state", "{\"state\":\"OFF\"}");    // not yet
    rig_retained(&r, "l/a/state", "{\"state\":\"ON\"}"); // no answer to us
    assert_null(outcome(&r, 1));
    mqtt_model_published(r.m, r.published[0].token, ERR_OK, NULL, r.now, r.wall);
    assert_null(outcome(&r, 1));
    rig_hear(&r, "l/a/state", "{\"state\":\"ON\"}");
    check_outcome(&r, 1, ERR_OK, "power is on");
    rig_pass(&r, 60000);
    (void)outcome(&r, 1); // one only
    rig_finish(&r);
}

static void echo_overtakes_puback(void **state)
{
    struct rig r;

    (void)state;
    ready(&r);
    (void)rig_say(&r, KEY, "brightness 50", 1);
    rig_hear(&r, "l/a/state", "{\"brightness\":52}"); // within half a step
    check_outcome(&r, 1, ERR_OK, "brightness is 52 %");
    mqtt_model_published(r.m, r.published[0].token, ERR_OK, NULL, r.now, r.wall);
    (void)outcome(&r, 1); // one only
    rig_finish(&r);
}

static void silence_fails(void **state)
{
    struct rig r;

    (void)state;
    ready(&r);
    (void)rig_say(&r, KEY, "power on", 1);
    mqtt_model_published(r.m, r.published[0].token, ERR_OK, NULL, r.now, r.wall);
    rig_pass(&r, 4999);
    assert_null(outcome(&r, 1));
    rig_pass(&r, 1);
    check_outcome(&r, 1, ERR_TIMEOUT, "no confirmation from the device in 5 s; as far as is known power is off");
    rig_hear(&r, "l/a/state", "{\"state\":\"ON\"}");
    (void)outcome(&r, 1);
    rig_finish(&r);
}

static void without_state_the_puback_counts(void **state)
{
    struct rig r;

    (void)state;
    ready(&r);
    (void)rig_say(&r, KEY, "label x", 1);
    rig_pass(&r, 20000);
    assert_null(outcome(&r, 1));
    mqtt_model_published(r.m, r.published[0].token, ERR_OK, NULL, r.now, r.wall);
    check_outcome(&r, 1, ERR_OK, "label: sent; this device does not confirm");
    (void)rig_say(&r, KEY, "label y", 2);
    rig_pass(&r, 30000);
    check_outcome(&r, 2, ERR_TIMEOUT, "the broker has not taken it within 30 s");
    (void)rig_say(&r, KEY, "label z", 3);
    mqtt_model_published(r.m, r.published[2].token, ERR_FORBIDDEN, "not authorized", r.now, r.wall);
    check_outcome(&r, 3, ERR_FORBIDDEN, "the broker did not take it: not authorized");
    (void)rig_say(&r, KEY, "label z", 4); // it may have got through before the link was lost
    mqtt_model_published(r.m, r.published[3].token, ERR_OFFLINE, "connection closed", r.now, r.wall);
    check_outcome(&r, 4, ERR_OFFLINE,
                  "the MQTT link was lost (connection closed); it is not known whether this was done");
    rig_finish(&r);
}

static void answer_by_response_topic(void **state)
{
    struct mqtt_message msg = {.topic = STR("bridge/replies"), .payload = STR("42 apples"), .qos = 1};
    struct rig r;

    (void)state;
    ready(&r);
    assert_true(rig_listens(&r, "bridge/replies"));
    (void)rig_say(&r, KEY, "query how many", 1);
    (void)rig_say(&r, KEY, "query how much", 2);
    assert_str(r.published[1].response, "bridge/replies");
    assert_int_equal(r.published[1].correlation.n, 16);
    assert_false(str_eq(r.published[0].correlation, r.published[1].correlation));
    msg.correlation = STR("0000000000000000");
    mqtt_model_message(r.m, &msg, r.now, r.wall);
    assert_null(outcome(&r, 1));
    msg.correlation = r.published[1].correlation;
    mqtt_model_message(r.m, &msg, r.now, r.wall);
    check_outcome(&r, 2, ERR_OK, "query: 42 apples");
    assert_null(outcome(&r, 1));
    msg.correlation = STR_NONE; // left out: it may be to anything
    mqtt_model_message(r.m, &msg, r.now, r.wall);
    assert_null(outcome(&r, 1));
    msg.correlation = r.published[0].correlation;
    msg.payload = STR("\xff\x00\x01");
    mqtt_model_message(r.m, &msg, r.now, r.wall);
    check_outcome(&r, 1, ERR_OK, "query: [3 bytes binary]");
    rig_finish(&r);
}

/* MQTT 3.1.1: answers that bring no correlation, to devices that are told no response topic */

#define OLD(more)                                                                                                      \
    "devices:\n  p:\n    topic: p/+/s\n    readings: {v: {value: v}}\n    controls:\n"                                 \
    "      ask: {topic: 'p/{1}/ask', response_topic: '" more "'}\n"                                                    \
    "      level: {topic: 'p/{1}/set', response_topic: '" more "', state: v}\n"

#define SENT "ask: sent; over MQTT 3.1.1 its answer cannot be told from others"

static void ready_old(struct rig *r, const char *yaml)
{
    rig_init(r, yaml);
    mqtt_model_protocol(r->m, MQTT_311);
    rig_up(r);
    rig_hear(r, "p/a/s", "{\"v\":1}");
    rig_hear(r, "p/b/s", "{\"v\":1}");
    rig_clear(r);
}

static void taken(struct rig *r, size_t nth)
{
    mqtt_model_published(r->m, r->published[nth].token, ERR_OK, NULL, r->now, r->wall);
}

static void old_answers_on_the_devices_own_topic(void **state)
{
    struct rig r;

    (void)state;
    ready_old(&r, OLD("p/{1}/re"));
    (void)rig_say(&r, "p/a", "ask x", 1);
    (void)rig_say(&r, "p/b", "ask x", 2); // another device, another topic
    taken(&r, 0);
    taken(&r, 1);
    assert_null(outcome(&r, 1));
    rig_hear(&r, "p/b/re", "hello");
    check_outcome(&r, 2, ERR_OK, "ask: hello");
    assert_null(outcome(&r, 1));
    rig_pass(&r, 5000);
    check_outcome(&r, 1, ERR_TIMEOUT, "no confirmation from the device in 5 s");
    rig_finish(&r);
}

// The first is awaited, the second is not, but neither is its answer taken for that of a third.
static void old_answers_one_at_a_time(void **state)
{
    struct rig r;

    (void)state;
    ready_old(&r, OLD("p/{1}/re"));
    (void)rig_say(&r, "p/a", "ask x", 1);
    (void)rig_say(&r, "p/a", "ask y", 2);
    taken(&r, 0);
    assert_null(outcome(&r, 2));
    taken(&r, 1);
    check_outcome(&r, 2, ERR_OK, SENT); // at once
    assert_null(outcome(&r, 1));
    rig_hear(&r, "p/a/re", "of x");
    check_outcome(&r, 1, ERR_OK, "ask: of x");
    (void)rig_say(&r, "p/a", "ask z", 3);
    rig_hear(&r, "p/a/re", "of y");
    assert_null(outcome(&r, 3));
    taken(&r, 2);
    check_outcome(&r, 3, ERR_OK, SENT);
    rig_hear(&r, "p/a/re", "of z");
    (void)rig_say(&r, "p/a", "ask again", 4); // nothing is awaited any more
    taken(&r, 3);
    assert_null(outcome(&r, 4));
    rig_hear(&r, "p/a/re", "again");
    check_outcome(&r, 4, ERR_OK, "ask: again");
    rig_pass(&r, 60000);
    for (uint64_t i = 1; i <= 4; i++)
        (void)outcome(&r, i); // one each
    rig_finish(&r);
}

// An answer that never comes is waited for as long as any.
static void old_answer_that_is_not_sent(void **state)
{
    struct rig r;

    (void)state;
    ready_old(&r, OLD("p/{1}/re"));
    (void)rig_say(&r, "p/a", "ask x", 1);
    (void)rig_say(&r, "p/a", "ask y", 2);
    taken(&r, 0);
    taken(&r, 1);
    rig_hear(&r, "p/a/re", "of x");
    rig_pass(&r, 5000);
    (void)rig_say(&r, "p/a", "ask z", 3);
    taken(&r, 2);
    rig_hear(&r, "p/a/re", "of z");
    check_outcome(&r, 3, ERR_OK, "ask: of z");
    rig_finish(&r);
}

static void old_answers_on_a_shared_topic(void **state)
{
    struct rig r;

    (void)state;
    ready_old(&r, OLD("bridge/replies"));
    (void)rig_say(&r, "p/a", "ask x", 1);
    taken(&r, 0);
    check_outcome(&r, 1, ERR_OK, SENT);
    (void)rig_say(&r, "p/b", "ask y", 2);
    rig_hear(&r, "bridge/replies", "whose?"); // before the PUBACK
    assert_null(outcome(&r, 2));
    rig_hear(&r, "bridge/replies", "whose?");
    assert_null(outcome(&r, 2));
    taken(&r, 1);
    check_outcome(&r, 2, ERR_OK, SENT);
    (void)rig_say(&r, "p/a", "level 5", 3); // a state that shows it counts as ever
    taken(&r, 2);
    rig_hear(&r, "bridge/replies", "whose?");
    assert_null(outcome(&r, 3));
    rig_hear(&r, "p/a/s", "{\"v\":5}");
    check_outcome(&r, 3, ERR_OK, "level is 5");
    (void)rig_say(&r, "p/a", "ask z", 4);
    rig_pass(&r, 30000);
    check_outcome(&r, 4, ERR_TIMEOUT, "the broker has not taken it within 30 s");
    rig_finish(&r);
}

/* MQTT 5, and devices behind the broker that do not speak it */

static void answer(struct rig *r, const char *topic, const char *payload, struct str correlation)
{
    struct mqtt_message msg = {.topic = str_c(topic), .payload = str_c(payload), .correlation = correlation};

    mqtt_model_message(r->m, &msg, r->now, r->wall);
    rig_pass(r, 0);
}

static void ready_new(struct rig *r, const char *yaml)
{
    ready_old(r, yaml);
    mqtt_model_protocol(r->m, MQTT_5);
}

#define SENT_5 "ask: sent; its answer cannot be told from others"

// What a device answers without saying to what does not end the command of another.
static void uncorrelated_on_a_shared_topic(void **state)
{
    struct rig r;

    (void)state;
    ready_new(&r, OLD("bridge/replies"));
    (void)rig_say(&r, "p/a", "ask x", 1);
    (void)rig_say(&r, "p/b", "ask y", 2);
    (void)rig_say(&r, "p/a", "level 5", 3);
    for (size_t i = 0; i < 3; i++)
        taken(&r, i);
    rig_hear(&r, "bridge/replies", "b did y");
    assert_null(outcome(&r, 1));
    assert_null(outcome(&r, 2));
    answer(&r, "bridge/replies", "a did x", r.published[0].correlation);
    check_outcome(&r, 1, ERR_OK, "ask: a did x");
    rig_pass(&r, 4999);
    assert_null(outcome(&r, 2));
    rig_pass(&r, 1);
    check_outcome(&r, 2, ERR_OK, SENT_5);
    check_outcome(&r, 3, ERR_TIMEOUT,
                  "no confirmation from the device in 5 s; as far as is known level is 1"); // its state would tell
    (void)rig_say(&r, "p/a", "ask z", 4);
    taken(&r, 3);
    (void)rig_say(&r, "p/a", "ask z", 5);
    rig_pass(&r, 5000);
    check_outcome(&r, 4, ERR_TIMEOUT, "no confirmation from the device in 5 s"); // nobody said anything
    rig_finish(&r);
}

// What the broker has not taken was not answered, whatever came.
static void uncorrelated_before_the_puback(void **state)
{
    struct rig r;

    (void)state;
    ready_new(&r, OLD("bridge/replies"));
    (void)rig_say(&r, "p/a", "ask x", 1);
    rig_hear(&r, "bridge/replies", "whose?");
    rig_pass(&r, 5000);
    check_outcome(&r, 1, ERR_TIMEOUT, "no confirmation from the device in 5 s");
    rig_finish(&r);
}

static void uncorrelated_on_the_devices_own_topic(void **state)
{
    struct rig r;

    (void)state;
    ready_new(&r, OLD("p/{1}/re"));
    (void)rig_say(&r, "p/a", "ask x", 1);
    (void)rig_say(&r, "p/a", "ask y", 2);
    (void)rig_say(&r, "p/a", "ask z", 3);
    for (size_t i = 0; i < 3; i++)
        taken(&r, i);
    rig_hear(&r, "p/a/re", "of x");
    check_outcome(&r, 1, ERR_OK, "ask: of x"); // it was the only one when it was sent
    rig_hear(&r, "p/a/re", "of y, or late");
    assert_null(outcome(&r, 2));
    answer(&r, "p/a/re", "of z", r.published[2].correlation);
    check_outcome(&r, 3, ERR_OK, "ask: of z");
    rig_pass(&r, 5000);
    check_outcome(&r, 2, ERR_OK, SENT_5);
    (void)rig_say(&r, "p/a", "ask again", 4);
    rig_hear(&r, "p/a/re", "again");
    check_outcome(&r, 4, ERR_OK, "ask: again");
    rig_finish(&r);
}

// Which version it is may change with each connection.
static void protocol_of_the_connection(void **state)
{
    struct rig r;

    (void)state;
    ready_old(&r, OLD("bridge/replies"));
    mqtt_model_link(r.m, false, r.now, r.wall);
    mqtt_model_protocol(r.m, MQTT_5);
    mqtt_model_link(r.m, true, r.now, r.wall);
    (void)rig_say(&r, "p/a", "ask x", 1);
    taken(&r, 0);
    assert_null(outcome(&r, 1));
    answer(&r, "bridge/replies", "well", r.published[0].correlation);
    check_outcome(&r, 1, ERR_OK, "ask: well");
    rig_finish(&r);
}

// An answer may tell of a reading too, as Tasmota's RESULT does.
static void answer_is_heard_as_well(void **state)
{
    static const char yaml[] = "devices:\n  p:\n    topic: stat/+/RESULT\n    readings: {power: {value: POWER}}\n"
                               "    controls: {ask: {topic: 'cmnd/{1}/ask', response_topic: 'stat/{1}/RESULT'}}\n";
    struct rig r;

    (void)state;
    rig_init(&r, yaml);
    rig_up(&r);
    rig_hear(&r, "stat/a/RESULT", "{\"POWER\":\"OFF\"}");
    (void)rig_say(&r, "p/a", "ask it", 1);
    rig_message(&r, "stat/a/RESULT", "{\"POWER\":\"ON\"}", 1, false);
    check_outcome(&r, 1, ERR_OK, "ask: {\"POWER\":\"ON\"}");
    (void)rig_say(&r, "p/a", "get power", 2);
    check_outcome(&r, 2, ERR_OK, "power: ON");
    assert_non_null(rig_last(&r, EV_STATE, "p/a")); // and its acknowledgement waits for that
    rig_finish(&r);
}

static void offline_is_refused(void **state)
{
    struct rig r;

    (void)state;
    ready(&r);
    rig_hear(&r, "l/a/online", "offline");
    (void)rig_say(&r, KEY, "power on", 1);
    check_outcome(&r, 1, ERR_OFFLINE, "Lamp a is offline (lost 21 Nov 09:20 UTC); nothing was sent");
    assert_int_equal(r.publish_count, 0);
    (void)rig_say(&r, KEY, "get power", 2);
    check_outcome(&r, 2, ERR_OK, "power: off");
    rig_hear(&r, "l/a/online", "online");
    r.publish_result = ERR_OFFLINE;
    (void)rig_say(&r, KEY, "power on", 3);
    check_outcome(&r, 3, ERR_OFFLINE, "the MQTT link is down; nothing was sent");
    rig_finish(&r);
}

static void rights(void **state)
{
    struct rig r;

    (void)state;
    ready(&r);
    (void)rig_say_as(&r, KEY, "power on", RIGHT_SEE | RIGHT_READ | RIGHT_SEND, 1);
    check_outcome(&r, 1, ERR_FORBIDDEN, "you may not set anything here");
    (void)rig_say_as(&r, KEY, "get power", RIGHT_SEE | RIGHT_READ, 2);
    check_outcome(&r, 2, ERR_OK, "power: off");
    (void)rig_say_as(&r, KEY, "status", RIGHT_SEE, 3);
    check_outcome(&r, 3, ERR_FORBIDDEN, "you may not ask anything here");
    (void)rig_say_as(&r, KEY, "help", RIGHT_SEE | RIGHT_SEND, 4);
    assert_true(str_find_str(outcome(&r, 4)->body, STR("set NAME")) < 0);
    assert_int_equal(rig_say(&r, "lamp/b", "status", 5), ERR_NOTFOUND);
    assert_int_equal(r.publish_count, 0);
    rig_finish(&r);
}

// By chat as by form: who may write to it, and even set it, is told no value.
static void reading_is_a_right(void **state)
{
    static const char *const asks[] = {"status", "get", "get power", "power", "brightness"};
    const unsigned rights = RIGHT_SEE | RIGHT_SEND | RIGHT_COMMAND;
    struct rig r;

    (void)state;
    ready(&r);
    for (uint64_t i = 0; i < COUNT(asks); i++) {
        (void)rig_say_as(&r, KEY, asks[i], rights, i + 1);
        check_outcome(&r, i + 1, ERR_FORBIDDEN, "you may not read anything here");
        (void)rig_say_as(&r, KEY, asks[i], RIGHT_SEE | RIGHT_READ, i + 101);
        assert_int_equal(outcome(&r, i + 101)->kind, EV_DELIVERED);
    }
    assert_int_equal(submit(&r, "status", NULL, rights, 50), ERR_OK);
    check_outcome(&r, 50, ERR_FORBIDDEN, "you may not read anything here");
    (void)rig_say_as(&r, KEY, "label hello", rights, 51); // which needs none of it
    assert_int_equal(r.publish_count, 1);
    rig_finish(&r);
}

static void too_many_are_refused(void **state)
{
    struct rig r;

    (void)state;
    ready(&r);
    for (uint64_t i = 1; i <= 256; i++)
        assert_int_equal(rig_say(&r, KEY, "power on", i), ERR_OK);
    assert_int_equal(rig_say(&r, KEY, "power on", 257), ERR_AGAIN);
    assert_int_equal(rig_say(&r, KEY, "status", 258), ERR_OK);
    r.publish_result = ERR_AGAIN;
    rig_clear(&r);
    rig_hear(&r, "l/a/state", "{\"state\":\"ON\"}");
    assert_int_equal(rig_count(&r, EV_DELIVERED), 256);
    assert_int_equal(rig_say(&r, KEY, "power off", 300), ERR_AGAIN);
    assert_null(outcome(&r, 300));
    rig_finish(&r);
}

static void no_token_no_outcome(void **state)
{
    struct rig r;

    (void)state;
    ready(&r);
    assert_int_equal(rig_say(&r, KEY, "status", 0), ERR_OK);
    assert_int_equal(rig_say(&r, KEY, "power on", 0), ERR_OK);
    rig_pass(&r, 10000);
    assert_int_equal(rig_count(&r, EV_DELIVERED) + rig_count(&r, EV_FAILED), 0);
    rig_finish(&r);
}

/* Forms */

static void forms_are_typed(void **state)
{
    const struct command *v;
    struct rig r;

    (void)state;
    ready(&r);
    assert_int_equal(mqtt_model_commands(r.m, STR(KEY), &v), 7);
    assert_str(v[0].node, "status");
    assert_int_equal(v[0].field_count, 0);
    assert_str(v[1].node, "set_power");
    assert_int_equal(v[1].right, RIGHT_COMMAND);
    assert_int_equal(v[1].fields[0].type, FIELD_BOOL);
    assert_str(v[1].fields[0].value, "false");
    assert_int_equal(v[2].fields[0].type, FIELD_NUMBER);
    assert_str(v[2].fields[0].value, "20");
    assert_true(v[2].fields[0].min >= 0 && v[2].fields[0].max <= 100 && v[2].fields[0].step > 4);
    assert_int_equal(v[3].fields[0].type, FIELD_CHOICE);
    assert_int_equal(v[3].fields[0].choice_count, 2);
    assert_str(v[3].fields[0].value, "Warm");
    assert_int_equal(v[4].fields[0].type, FIELD_TEXT);
    assert_str(v[5].title, "Press reboot");
    assert_int_equal(v[5].field_count, 0);
    assert_int_equal(mqtt_model_commands(r.m, STR("lamp/b"), &v), 0);
    rig_finish(&r);
}

static void forms_are_sent(void **state)
{
    struct rig r;

    (void)state;
    ready(&r);
    assert_int_equal(submit(&r, "set_power", "1", RIGHT_COMMAND, 1), ERR_OK);
    assert_int_equal(submit(&r, "set_brightness", "30", RIGHT_COMMAND, 2), ERR_OK);
    assert_int_equal(submit(&r, "set_reboot", NULL, RIGHT_COMMAND, 3), ERR_OK);
    assert_int_equal(r.publish_count, 3);
    assert_str(r.published[0].payload, "{\"state\":\"ON\"}");
    assert_int_equal(r.published[2].qos, 0);
    assert_int_equal(submit(&r, "set_brightness", "1000", RIGHT_COMMAND, 4), ERR_OK);
    check_outcome(&r, 4, ERR_NOTACCEPTABLE, "brightness must be between 0 and 100");
    assert_int_equal(submit(&r, "set_nothing", "1", RIGHT_COMMAND, 5), ERR_OK);
    check_outcome(&r, 5, ERR_NOTFOUND, "no such command");
    assert_int_equal(submit(&r, "status", NULL, RIGHT_READ, 6), ERR_OK);
    assert_int_equal(outcome(&r, 6)->kind, EV_DELIVERED);
    rig_finish(&r);
}

// Any words whatever end in one outcome, and no topic but the device's own is written to.
static void hostile_words(void **state)
{
    static const char *const pieces[] = {"set",  "get", "power", " ", "on",         "\n",    "\xff", "{value}",
                                         "{1}",  "+",   "#",     "/", "brightness", "1e999", "-",    "label",
                                         "\x01", "\"",  "=",     "💡", "$SYS",       "reboot"};
    uint32_t seed = 12345;
    struct rig r;

    (void)state;
    ready(&r);
    r.lazy = false;
    for (uint64_t i = 1; i <= 10000; i++) {
        char text[256] = "";
        size_t n = 0;
        for (int k = 0; k < 6; k++) {
            seed = seed * 1664525 + 1013904223;
            const char *piece = pieces[(seed >> 16) % COUNT(pieces)];
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", piece, seed & 1 ? " " : "");
        }
        rig_clear(&r);
        assert_int_equal(rig_say(&r, KEY, text, i), ERR_OK);
        for (size_t k = 0; k < r.publish_count; k++)
            assert_true(str_starts(r.published[k].topic, STR("l/a/")));
        rig_pass(&r, 31000);
        assert_non_null(outcome(&r, i));
        arena_reset(&r.arena);
        r.filter_count = 0;
    }
    rig_finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(suggestions),
        cmocka_unit_test(publishes),
        cmocka_unit_test(state_confirms),
        cmocka_unit_test(echo_overtakes_puback),
        cmocka_unit_test(silence_fails),
        cmocka_unit_test(without_state_the_puback_counts),
        cmocka_unit_test(answer_by_response_topic),
        cmocka_unit_test(old_answers_on_the_devices_own_topic),
        cmocka_unit_test(old_answers_one_at_a_time),
        cmocka_unit_test(old_answer_that_is_not_sent),
        cmocka_unit_test(old_answers_on_a_shared_topic),
        cmocka_unit_test(uncorrelated_on_a_shared_topic),
        cmocka_unit_test(uncorrelated_before_the_puback),
        cmocka_unit_test(uncorrelated_on_the_devices_own_topic),
        cmocka_unit_test(protocol_of_the_connection),
        cmocka_unit_test(answer_is_heard_as_well),
        cmocka_unit_test(offline_is_refused),
        cmocka_unit_test(rights),
        cmocka_unit_test(reading_is_a_right),
        cmocka_unit_test(too_many_are_refused),
        cmocka_unit_test(no_token_no_outcome),
        cmocka_unit_test(forms_are_typed),
        cmocka_unit_test(forms_are_sent),
        cmocka_unit_test(hostile_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
