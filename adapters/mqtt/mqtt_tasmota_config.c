/* What a Tasmota device says that it is. Every control is answered on stat/<topic>/RESULT (or, by SetOption4, on a
 * topic named after the command), and the same stands in tele/<topic>/STATE every few minutes. */
#include "adapters/mqtt/mqtt_tasmota.h"

#include "adapters/mqtt/mqtt_topic.h"

enum { PAYLOAD_MAX = 8 * 1024, DEPTH_MAX = 8 };

enum { RELAY_PLAIN = 1, RELAY_LIGHT = 2, RELAY_SHUTTER = 3 };

// Subtypes of a light, "lt_st".
enum { LIGHT_DIMMER = 1, LIGHT_COLDWARM = 2, LIGHT_RGB = 3, LIGHT_RGBW = 4, LIGHT_RGBCW = 5 };

struct tasmota {
    struct mqtt_describe *d;
    struct arena *a;
    const json_t *root;
    struct mqtt_tasmota_topics t;
    struct str on, off; // words of its states
    size_t relays;      // that are there
    bool own_topics;    // SetOption4: answers come on a topic named after the command
};

json_t *mqtt_tasmota_json(struct str payload, struct errmsg *msg)
{
    if (payload.n > PAYLOAD_MAX) {
        (void)err_set(msg, ERR_LIMIT, "%zu bytes, more than %d", payload.n, PAYLOAD_MAX);
        return NULL;
    }
    return mqtt_convention_object(payload, PAYLOAD_MAX, DEPTH_MAX, msg);
}

/* Topics */

static struct str replace(struct arena *a, struct str s, struct str what, struct str by)
{
    enum { ROUNDS = 8 };
    struct str done = STR_NONE;
    ptrdiff_t at;

    for (unsigned i = 0; i < ROUNDS && (at = str_find_str(s, what)) >= 0; i++) {
        done = arena_concat(a, (const struct str[]){done, str_sub(s, 0, (size_t)at), by}, 3);
        s = str_sub(s, (size_t)at + what.n, s.n);
    }
    return arena_concat(a, (const struct str[]){done, s}, 2);
}

struct str mqtt_tasmota_topic(struct arena *a, struct str fulltopic, struct str prefix, bool command, struct str topic,
                              struct str hostname, struct str mac)
{
    enum { TOPIC_MAX = 512 };
    struct str s = fulltopic;

    if (command && str_find_str(s, STR("%prefix%")) < 0) // so that a command is never an echo
        s = arena_printf(a, STR_FMT "/%%prefix%%", STR_ARG(s));
    s = replace(a, s, STR("%prefix%"), prefix);
    s = replace(a, s, STR("%topic%"), topic);
    s = replace(a, s, STR("%hostname%"), hostname);
    s = replace(a, s, STR("%id%"), mac);
    s = replace(a, replace(a, s, STR("#"), STR_NONE), STR("//"), STR("/"));
    if (!str_ends(s, STR("/")))
        s = arena_printf(a, STR_FMT "/", STR_ARG(s));
    return s.n <= TOPIC_MAX && mqtt_topic_publishable(s) ? s : STR_NONE;
}

static struct str element(const json_t *root, const char *member, size_t i)
{
    const json_t *v = json_array_get(json_object_get(root, member), i);

    return (struct str){json_string_value(v), json_string_length(v)};
}

static int number_at(const json_t *root, const char *member, size_t i, int otherwise)
{
    const json_t *v = json_array_get(json_object_get(root, member), i);

    return json_is_integer(v) && json_integer_value(v) >= -1 && json_integer_value(v) < 1000
               ? (int)json_integer_value(v)
               : otherwise;
}

static int number(const json_t *root, const char *member)
{
    const json_t *v = json_object_get(root, member);

    return json_is_integer(v) && json_integer_value(v) >= 0 && json_integer_value(v) < 1000 ? (int)json_integer_value(v)
                                                                                            : 0;
}

// "so": the options of the device that matter here, by their number.
static bool option(const json_t *root, const char *name)
{
    return number(json_object_get(root, "so"), name) == 1;
}

static enum err read_topics(struct tasmota *t, struct str mac, struct errmsg *msg)
{
    struct str full = json_member_str(t->root, "ft"), topic = json_member_str(t->root, "t");
    struct str host = json_member_str(t->root, "hn"), made[3];

    if (full.n == 0 || topic.n == 0)
        return err_set(msg, ERR_BADREQ, "%s is missing", full.n ? "t (topic)" : "ft (FullTopic)");
    for (size_t i = 0; i < 3; i++) {
        struct str prefix = element(t->root, "tp", i);
        made[i] = prefix.n ? mqtt_tasmota_topic(t->a, full, prefix, i == 0, topic, host, mac) : STR_NONE;
        if (made[i].n == 0)
            return err_set(msg, ERR_BADREQ, "no topic can be made of ft (FullTopic), tp (prefixes) and t (topic)");
    }
    t->t = (struct mqtt_tasmota_topics){made[0], made[1], made[2]};
    return ERR_OK;
}

static struct str join(struct tasmota *t, struct str base, const char *last)
{
    return arena_printf(t->a, STR_FMT "%s", STR_ARG(base), last);
}

/* Controls */

// The topic of an answer or report that is named so.
static struct str result_of(struct tasmota *t, struct str name)
{
    if (!t->own_topics)
        return join(t, t->t.stat, "RESULT");
    char *upper = arena_cstr(t->a, name);
    for (size_t i = 0; i < name.n; i++)
        if (upper[i] >= 'a' && upper[i] <= 'z')
            upper[i] = (char)(upper[i] - 'a' + 'A');
    return join(t, t->t.stat, upper);
}

// Where the answer to a command says what is so now, and where that stands else.
static void add_states(struct tasmota *t, json_t *entity, struct str key)
{
    mqtt_describe_state(entity, result_of(t, key), key);
    mqtt_describe_state(entity, join(t, t->t.tele, "STATE"), key);
    if (t->own_topics) // asked for, all of it is the answer to STATE
        mqtt_describe_state(entity, join(t, t->t.stat, "STATE"), key);
}

static json_t *control(struct tasmota *t, const char *platform, struct str name, struct str command)
{
    json_t *entity = mqtt_describe_entity(platform, name);

    mqtt_describe_str(entity, "command_topic", arena_concat(t->a, (const struct str[]){t->t.cmnd, command}, 2));
    return entity;
}

static struct str numbered(struct tasmota *t, const char *word, size_t i)
{
    return arena_printf(t->a, "%s%zu", word, i + 1);
}

// "Tasmota", "Tasmota2": the name that nobody has given.
static bool is_default(struct str name)
{
    struct str rest = str_sub(name, strlen("Tasmota"), name.n);
    uint64_t n;

    return str_starts(name, STR("Tasmota")) && (rest.n == 0 || str_to_u64(rest, &n));
}

// "Heater", or "switch", "switch 2" where it has no name of its own.
static struct str relay_name(struct tasmota *t, size_t i, const char *word)
{
    struct str name = element(t->root, "fn", i);

    if (name.n && !str_eq(name, json_member_str(t->root, "dn")) && !is_default(name))
        return name;
    return t->relays == 1 ? str_c(word) : arena_printf(t->a, "%s %zu", word, i + 1);
}

static void add_power(struct tasmota *t, size_t i, const char *word)
{
    struct str key = numbered(t, "POWER", i);
    json_t *entity = control(t, "switch", relay_name(t, i, word), key);

    mqtt_describe_str(entity, "payload_on", t->on);
    mqtt_describe_str(entity, "payload_off", t->off);
    if (t->relays == 1) // the only one has no number, unless SetOption26 says so
        add_states(t, entity, STR("POWER"));
    add_states(t, entity, key);
    if (!t->own_topics) // the same in one word, which may be retained
        mqtt_describe_state(entity,
                            arena_concat(t->a, (const struct str[]){t->t.stat, t->relays == 1 ? STR("POWER") : key}, 2),
                            STR_NONE);
    mqtt_describe_add(t->d, entity);
}

static void add_number(struct tasmota *t, struct str name, struct str command, struct str key, double min, double max,
                       const char *unit)
{
    json_t *entity = control(t, "number", name, command);

    mqtt_describe_number(entity, "min", min);
    mqtt_describe_number(entity, "max", max);
    mqtt_describe_c(entity, "unit_of_measurement", unit);
    add_states(t, entity, key);
    mqtt_describe_add(t->d, entity);
}

static void add_color(struct tasmota *t)
{
    json_t *entity = control(t, "text", STR("color"), STR("HSBColor"));

    mqtt_describe_number(entity, "max", 11); // "360,100,100"
    add_states(t, entity, STR("HSBColor"));
    mqtt_describe_add(t->d, entity);
}

// One light, which may be split in two: its colors, and its white.
static void add_light(struct tasmota *t, size_t i, size_t nth)
{
    int type = number(t->root, "lt_st");
    bool channels = option(t->root, "68"), split = !channels && !number(t->root, "lk") && type >= LIGHT_RGBW;
    struct str suffix = nth ? arena_printf(t->a, " %zu", nth + 1) : STR_NONE;
    struct str name = arena_concat(t->a, (const struct str[]){STR("brightness"), suffix}, 2);
    bool tuya = number(t->root, "ty") == 1;

    add_power(t, i, "light");
    if (type < LIGHT_DIMMER || (nth > 1 && !channels))
        return;
    if (channels)
        add_number(t, name, numbered(t, "Channel", i), numbered(t, "Channel", i), 0, 100, "%");
    else if (split)
        add_number(t, name, numbered(t, "Dimmer", nth), numbered(t, "Dimmer", nth), 0, 100, "%");
    else
        add_number(t, name, tuya ? STR("Dimmer3") : STR("Dimmer"), STR("Dimmer"), 0, 100, "%");
    if (channels)
        return;
    bool white = split ? nth == 1 && type == LIGHT_RGBCW : type == LIGHT_COLDWARM || type == LIGHT_RGBCW;
    if (white)
        add_number(t, STR("white temperature"), STR("CT"), STR("CT"), option(t->root, "82") ? 200 : 153,
                   option(t->root, "82") ? 380 : 500, "mired");
    if (type >= LIGHT_RGB && nth == 0)
        add_color(t);
}

static void add_shutter(struct tasmota *t, size_t nth)
{
    struct str key = numbered(t, "Shutter", nth),
               name = nth ? arena_printf(t->a, "shutter %zu", nth + 1) : STR("shutter");
    struct str command = numbered(t, "ShutterPosition", nth), result = result_of(t, STR("Shutter"));
    struct str position = arena_printf(t->a, STR_FMT ".Position", STR_ARG(key));
    json_t *entity = control(t, "number", arena_printf(t->a, STR_FMT " position", STR_ARG(name)), command);

    mqtt_describe_number(entity, "min", 0);
    mqtt_describe_number(entity, "max", 100);
    mqtt_describe_c(entity, "unit_of_measurement", "%");
    mqtt_describe_state(entity, result, position);
    mqtt_describe_state(entity, join(t, t->t.tele, "SENSOR"), position);
    mqtt_describe_state(entity, join(t, t->t.stat, "STATUS10"),
                        arena_printf(t->a, "StatusSNS." STR_FMT, STR_ARG(position)));
    mqtt_describe_str(entity, "target_topic", result); // where it is going to, said at once
    mqtt_describe_str(entity, "target_template", arena_printf(t->a, STR_FMT ".Target", STR_ARG(key)));
    (void)json_object_set_new(entity, "confirm", json_false());
    mqtt_describe_add(t->d, entity);
    entity = control(t, "select", name, command);
    (void)json_object_set_new(entity, "options", json_pack("[s,s,s]", "OPEN", "CLOSE", "STOP"));
    mqtt_describe_str(entity, "answer_topic", result_of(t, command));
    mqtt_describe_add(t->d, entity);
    const json_t *tilt = json_array_get(json_object_get(t->root, "sht"), nth);
    if (json_integer_value(json_array_get(tilt, 2)) != 0) // how long it takes
        mqtt_describe_note(t->d, STR("the tilt of a shutter"));
}

static void add_fan(struct tasmota *t)
{
    json_t *entity = control(t, "number", STR("fan speed"), STR("FanSpeed"));

    mqtt_describe_number(entity, "min", 0);
    mqtt_describe_number(entity, "max", 3);
    add_states(t, entity, STR("FanSpeed"));
    mqtt_describe_add(t->d, entity);
}

static void add_relays(struct tasmota *t)
{
    size_t lights = 0, shutters = 0;

    for (size_t i = 0; i < MQTT_TASMOTA_RELAYS; i++)
        t->relays += number_at(t->root, "rl", i, 0) > 0;
    for (size_t i = 0; i < MQTT_TASMOTA_RELAYS; i++) {
        int kind = number_at(t->root, "rl", i, 0);
        if (kind == RELAY_PLAIN)
            add_power(t, i, option(t->root, "30") ? "light" : "switch");
        else if (kind == RELAY_LIGHT)
            add_light(t, i, lights++);
        else if (kind == RELAY_SHUTTER && number_at(t->root, "rl", i + 1, 0) != RELAY_SHUTTER)
            mqtt_describe_note(t->d, STR("a shutter with one relay"));
        else if (kind == RELAY_SHUTTER && shutters < MQTT_TASMOTA_SHUTTERS) {
            add_shutter(t, shutters++);
            i++; // the relay for the other direction
        }
    }
    if (number(t->root, "if") == 1)
        add_fan(t);
}

/* Switches and buttons: they report what is done to them, as {"Switch1": {"Action": "ON"}}. */

// Modes in which a switch has a state; in the others it only toggles something (see Buttons-and-Switches).
static bool has_state(int mode)
{
    static const unsigned with = 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 9 | 1u << 10 |
                                 1u << 13 | 1u << 14 | 1u << 15 | 1u << 16;

    return mode >= 0 && mode <= 16 && with >> mode & 1;
}

static void add_event(struct tasmota *t, struct str name, struct str of, struct str path)
{
    json_t *entity = mqtt_describe_entity("occurrence", name);

    mqtt_describe_state(entity, result_of(t, of), arena_printf(t->a, STR_FMT ".Action", STR_ARG(path)));
    mqtt_describe_add(t->d, entity);
}

static void add_switch(struct tasmota *t, size_t i, int mode)
{
    struct str name = element(t->root, "swn", i), path;

    if (name.n == 0)
        name = numbered(t, "Switch", i);
    path = mqtt_describe_path(t->a, STR_NONE, name);
    if (path.n == 0) {
        mqtt_describe_note(t->d, name);
    } else if (!has_state(mode)) {
        add_event(t, name, numbered(t, "Switch", i), path);
    } else {
        json_t *entity = mqtt_describe_entity("binary_sensor", name);
        mqtt_describe_str(entity, "payload_on", t->on);
        mqtt_describe_str(entity, "payload_off", t->off);
        mqtt_describe_state(entity, result_of(t, numbered(t, "Switch", i)),
                            arena_printf(t->a, STR_FMT ".Action", STR_ARG(path)));
        mqtt_describe_state(entity, join(t, t->t.tele, "SENSOR"), path);
        mqtt_describe_state(entity, join(t, t->t.stat, "STATUS10"), mqtt_describe_path(t->a, STR("StatusSNS"), name));
        mqtt_describe_add(t->d, entity);
    }
}

static void add_inputs(struct tasmota *t)
{
    for (size_t i = 0; i < MQTT_TASMOTA_SWITCHES; i++) {
        int mode = number_at(t->root, "swc", i, -1);
        if (mode >= 0)
            add_switch(t, i, mode);
    }
    for (size_t i = 0; i < MQTT_TASMOTA_SWITCHES && option(t->root, "73"); i++)
        if (number_at(t->root, "btn", i, 0) == 1)
            add_event(t, arena_printf(t->a, "button %zu", i + 1), numbered(t, "Button", i), numbered(t, "Button", i));
}

static void add_health(struct tasmota *t)
{
    json_t *entity = mqtt_describe_entity("sensor", STR("signal"));

    mqtt_describe_c(entity, "unit_of_measurement", "dBm");
    mqtt_describe_c(entity, "entity_category", "diagnostic");
    mqtt_describe_state(entity, join(t, t->t.tele, "STATE"), STR("Wifi.Signal"));
    mqtt_describe_add(t->d, entity);
    if (number(t->root, "bat") != 1)
        return;
    entity = mqtt_describe_entity("sensor", STR("battery"));
    mqtt_describe_c(entity, "unit_of_measurement", "%");
    mqtt_describe_c(entity, "device_class", "battery");
    mqtt_describe_c(entity, "entity_category", "diagnostic");
    mqtt_describe_state(entity, join(t, t->t.tele, "STATE"), STR("BatteryPercentage"));
    mqtt_describe_add(t->d, entity);
}

/* The device */

// A device that sleeps goes offline each time, which says nothing. A node of a mesh has no last will: it lives while it
// is heard.
static void add_presence(struct tasmota *t, json_t *device, int64_t expire_after)
{
    enum { SLEEPER = 24 * 3600 };
    struct str online = json_member_str(t->root, "onln"), offline = json_member_str(t->root, "ofln");

    if (number(t->root, "dslp") == 1) {
        mqtt_describe_number(device, "expire_after", SLEEPER);
        return;
    }
    json_t *topic = json_object(), *list = json_array();
    mqtt_describe_str(topic, "topic", join(t, t->t.tele, "LWT"));
    mqtt_describe_str(topic, "payload_available", online.n ? online : STR("Online"));
    mqtt_describe_str(topic, "payload_not_available", offline.n ? offline : STR("Offline"));
    (void)json_array_append_new(list, topic);
    (void)json_object_set_new(device, "availability", list);
    mqtt_describe_number(device, "expire_after_unless_said", (double)expire_after / 1000);
}

static enum err describe_device(struct tasmota *t, int64_t expire_after, struct errmsg *msg)
{
    struct str name = json_member_str(t->root, "dn"), ip = json_member_str(t->root, "ip");
    json_t *device = json_object();

    mqtt_describe_str(device, "name", name.n ? name : json_member_str(t->root, "t"));
    mqtt_describe_str(device, "model", json_member_str(t->root, "md"));
    mqtt_describe_c(device, "manufacturer", "Tasmota");
    mqtt_describe_str(device, "sw_version", json_member_str(t->root, "sw"));
    if (ip.n && ip.n < 64)
        mqtt_describe_str(device, "configuration_url", arena_printf(t->a, "http://" STR_FMT "/", STR_ARG(ip)));
    if (number(t->root, "lt_st") >= LIGHT_DIMMER)
        mqtt_describe_c(device, "class", "light");
    add_presence(t, device, expire_after);
    return mqtt_describe_device(t->d, device, msg);
}

static void read_words(struct tasmota *t)
{
    t->off = element(t->root, "state", 0);
    t->on = element(t->root, "state", 1);
    if (t->on.n == 0 || t->off.n == 0 || str_eq(t->on, t->off)) {
        t->off = STR("OFF");
        t->on = STR("ON");
    }
}

static enum err describe(struct tasmota *t, const struct mqtt_tasmota_conf *conf, struct errmsg *msg)
{
    struct str mac = json_member_str(t->root, "mac");

    if (!str_case_eq(mac, conf->mac))
        return err_set(msg, ERR_BADREQ, "its mac is another than that of the topic");
    enum err e = read_topics(t, conf->mac, msg);
    if (e == ERR_OK)
        e = describe_device(t, conf->expire_after, msg);
    if (e != ERR_OK)
        return e;
    read_words(t);
    t->own_topics = option(t->root, "4");
    add_relays(t);
    add_inputs(t);
    add_health(t);
    if (json_is_true(json_object_get(t->root, "cam")) || number(t->root, "cam") == 1)
        mqtt_describe_note(t->d, STR("the camera"));
    return ERR_OK;
}

enum err mqtt_tasmota_config(const struct mqtt_tasmota_conf *conf, struct str payload, struct mqtt_describe *d,
                             struct mqtt_tasmota_topics *topics, struct errmsg *msg)
{
    json_t *root = mqtt_tasmota_json(payload, msg);
    struct tasmota t = {.d = d, .a = d->a, .root = root};

    if (!root)
        return payload.n > PAYLOAD_MAX ? ERR_LIMIT : ERR_BADREQ;
    enum err e = describe(&t, conf, msg);
    *topics = t.t;
    json_decref(root);
    return e;
}
