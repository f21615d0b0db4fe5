#include "adapters/mqtt/mqtt_conf.h"

#include "adapters/mqtt/mqtt_model.h"
#include "adapters/mqtt/mqtt_settings.h"
#include "adapters/mqtt/mqtt_spec.h"
#include "adapters/mqtt/mqtt_topic.h"

#include <mosquitto.h>

static const char *const protocols[] = {"auto", "5", "3.1.1", NULL}; // in the order of enum mqtt_protocol

static const struct conf_item tls_schema[] = {
    {.name = "enabled",
     .type = CONF_BOOL,
     .dflt = "false",
     .doc = "TLS to the broker, 1.2 or newer. Its port is mostly 8883: say so in `broker`."},
    {.name = "ca",
     .type = CONF_PATH,
     .doc = "PEM file of the authorities to trust. Default: the system's.",
     .example = "/etc/spandrel/ca.pem"},
    {.name = "cert",
     .type = CONF_PATH,
     .doc = "PEM file of the client certificate, for brokers that ask for one.",
     .example = "/etc/spandrel/mqtt.pem"},
    {.name = "key",
     .type = CONF_PATH,
     .doc = "PEM file of its private key. Default: the file of `cert`.",
     .example = "/etc/spandrel/mqtt.key"},
    {.name = "name",
     .type = CONF_STR,
     .doc = "Name the broker's certificate must have. Default: the host of `broker`.",
     .example = "broker.example.org"},
    {.name = "insecure", .type = CONF_BOOL, .dflt = "false", .doc = "Do not verify the certificate. Only for tests."},
    {.name = NULL},
};

static const struct conf_item birth_schema[] = {
    {.name = "topic",
     .type = CONF_STR,
     .flags = CONF_REQUIRED,
     .doc = "Topic that tells whether the bridge is there. Devices that watch it announce themselves again.",
     .example = "homeassistant/status"},
    {.name = "online", .type = CONF_STR, .dflt = "online", .doc = "Retained payload while the bridge is connected."},
    {.name = "offline", .type = CONF_STR, .dflt = "offline", .doc = "Retained payload afterwards; also its MQTT will."},
    {.name = NULL},
};

const struct conf_item mqtt_schema[] = {
    {.name = "broker",
     .type = CONF_ADDRESS,
     .dflt = "127.0.0.1:1883",
     .min = 1883,
     .doc = "The MQTT broker: host, or host:port."},
    {.name = "tls", .type = CONF_MAP, .sub = tls_schema, .doc = "TLS to the broker."},
    {.name = "username", .type = CONF_STR, .doc = "User name at the broker.", .example = "spandrel"},
    {.name = "password",
     .type = CONF_SECRET,
     .doc = "Password at the broker: `file:/path`, `env:NAME`, `credential:NAME`, or the password itself.",
     .example = "file:/etc/spandrel/mqtt-password"},
    {.name = "client_id",
     .type = CONF_STR,
     .doc = "Names the session at the broker, which keeps messages while the bridge is away; each bridge needs its "
            "own. Default: `spandrel-` and "
            "the adapter's name.",
     .example = "spandrel-home"},
    {.name = "keepalive",
     .type = CONF_SPAN,
     .dflt = "30s",
     .min = 5000,
     .max = 65535000,
     .doc = "A silent connection is tested this often; half again as long without a word and it is given up."},
    {.name = "session_expiry",
     .type = CONF_SPAN,
     .dflt = "7d",
     .min = 0,
     .max = 4294967294000,
     .doc = "How long the broker keeps messages for the bridge while it is away (MQTT 5; earlier versions: as the "
            "broker likes)."},
    {.name = "protocol",
     .type = CONF_ENUM,
     .dflt = "auto",
     .values = protocols,
     .doc = "Version of MQTT. `auto` tries 5, then 3.1.1 when the broker refuses it."},
    {.name = "receive_maximum",
     .type = CONF_INT,
     .dflt = "1000",
     .min = 1,
     .max = 65535,
     .doc = "How many messages the broker may send before the bridge has stored the first of them (MQTT 5)."},
    {.name = "packet_maximum",
     .type = CONF_SIZE,
     .min = 1000,
     .max = 268435455,
     .doc = "Largest message taken; the broker is told (MQTT 5), and what is larger all the same is dropped. Default: "
            "256kB, 4MB where Zigbee2MQTT describes all its devices in one, and what the `max_size` of a file needs.",
     .example = "1MB"},
    {.name = "birth", .type = CONF_MAP, .sub = birth_schema, .doc = "Lets others see whether the bridge is connected."},
    {.name = "devices",
     .type = CONF_NAMED,
     .sub = mqtt_model_device_schema,
     .doc = "Devices by the topics they use, as templates with a name of your choice. The name is permanent: devices "
            "are stored under it."},
    {.name = "discovery",
     .type = CONF_MAP,
     .sub = mqtt_model_discovery_schema,
     .doc =
         "Devices that announce themselves, in the way of Home Assistant or another. What is said here of limits and "
         "rights holds for all ways."},
    {.name = NULL},
};

static void check_text(const struct conf_value *v, struct conf_report *report)
{
    struct str s = conf_str(v);
    if (s.n > 0 && (s.n > UINT16_MAX || mosquitto_validate_utf8(s.p, (int)s.n)))
        conf_fail(report, v, "not a text that MQTT can carry: control characters, or longer than 65535 bytes");
}

static void check_files(const struct conf_value *tls, struct conf_report *report)
{
    static const char *const names[] = {"ca", "cert", "key"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct conf_value *file = conf_get(tls, names[i]);
        if (conf_bool(conf_get(tls, "enabled")) && conf_is_set(file))
            conf_check_file(file, report);
    }
}

// What is sent is found in any case.
static void check_choices(const struct conf_value *choices, struct conf_report *report)
{
    size_t at = 0;
    for (const struct conf_value *v; (v = conf_each(choices, &at));) {
        size_t before = 0;
        for (const struct conf_value *o; (o = conf_each(choices, &before)) && o != v;) {
            if (str_case_eq(conf_str(v), conf_str(o)))
                conf_fail(report, v, "the choice '" STR_FMT "' is there twice, in whatever case", STR_ARG(conf_str(v)));
        }
    }
}

static void check_controls(const struct conf_value *device, struct conf_report *report)
{
    const struct conf_value *controls = conf_get(device, "controls");
    size_t at = 0;
    for (const struct conf_value *c; (c = conf_each(controls, &at));) {
        const struct conf_value *topic = conf_get(c, "topic");
        check_choices(conf_get(c, "choices"), report);
        if (str_find(conf_str(topic), '+') >= 0)
            conf_fail(report, topic,
                      "'+' cannot stand in a topic that is written to: say which level by {1}, {2}, ...");
    }
}

// As mqtt_rule_text() fills them in; what it does not know stays as it is.
static void check_word(const struct conf_value *device, const struct conf_value *message, struct str word,
                       struct conf_report *report)
{
    enum { OWN = 4, WORDS = OWN + MQTT_SPEC_READINGS };
    const char *words[WORDS + 1] = {"value", "unit", "reading", "name"};
    const struct conf_value *readings = conf_get(device, "readings");
    size_t count = OWN, at = 0;
    for (const struct conf_value *r; count < WORDS && (r = conf_each(readings, &at));)
        words[count++] = conf_name(r).p;
    bool known = word.n == 1 && word.p[0] >= '1' && word.p[0] <= '9';
    for (size_t i = 0; i < count && !known; i++)
        known = i < OWN ? str_eq_c(word, words[i]) : str_case_eq(word, str_c(words[i]));
    const char *near = known ? NULL : conf_nearest(word, words);
    if (!known)
        conf_warn(report, message, "{" STR_FMT "} stands for nothing%s%s%s", STR_ARG(word),
                  near ? "; did you mean {" : "", near ? near : "", near ? "}?" : "");
}

static void check_alerts(const struct conf_value *device, struct conf_report *report)
{
    size_t at = 0;
    for (const struct conf_value *c; (c = conf_each(conf_get(device, "alerts"), &at));) {
        const struct conf_value *message = conf_get(c, "message");
        struct str head, rest = conf_str(message), word;
        while (str_cut(rest, '{', &head, &rest)) {
            if (!str_cut(rest, '}', &word, &rest)) {
                conf_warn(report, message, "a '{' without its '}'");
                break;
            }
            check_word(device, message, word, report);
        }
    }
}

enum { PACKET_HEAD = 1024 }; // of a packet with a file: its topic and properties

// What is larger never comes.
static void check_sizes(const struct conf_value *section, const struct conf_value *device, struct conf_report *report)
{
    const struct conf_value *packet = conf_get(section, "packet_maximum");
    size_t at = 0;
    for (const struct conf_value *f; (f = conf_each(conf_get(device, "files"), &at));) {
        const struct conf_value *max = conf_get(f, "max_size");
        if (conf_is_set(packet) && conf_is_set(max) && conf_int(max) + PACKET_HEAD > conf_int(packet))
            conf_fail(report, max, "`packet_maximum` of the adapter lets no such message through: raise it");
    }
}

static void check_devices(const struct conf_value *section, struct conf_report *report)
{
    const struct conf_value *devices = conf_get(section, "devices");
    size_t at = 0;
    for (const struct conf_value *d; (d = conf_each(devices, &at));) {
        check_controls(d, report);
        check_alerts(d, report);
        check_sizes(section, d, report);
    }
}

static void check_link(const struct conf_value *section, struct conf_report *report)
{
    const struct conf_value *tls = conf_get(section, "tls"), *birth = conf_get(section, "birth");
    check_text(conf_get(section, "client_id"), report);
    check_text(conf_get(section, "username"), report);
    if (conf_is_set(conf_get(section, "password")) && !conf_is_set(conf_get(section, "username")))
        conf_fail(report, conf_get(section, "password"), "a password without 'username'");
    if (conf_is_set(conf_get(tls, "key")) && !conf_is_set(conf_get(tls, "cert")))
        conf_fail(report, conf_get(tls, "key"), "a key without 'cert'");
    check_files(tls, report);
    if (conf_bool(conf_get(tls, "enabled")) && conf_port(conf_get(section, "broker")) == 1883)
        conf_warn(report, conf_get(section, "broker"), "port 1883 is mostly without TLS: is it 8883?");
    const struct conf_value *topic = conf_get(birth, "topic");
    if (conf_is_set(topic) && !mqtt_topic_publishable(conf_str(topic)))
        conf_fail(report, topic, "'" STR_FMT "' is not a topic that can be published to", STR_ARG(conf_str(topic)));
}

static void take_tls(const struct conf_value *tls, struct mqtt_link_config *cfg)
{
    cfg->tls = conf_bool(conf_get(tls, "enabled"));
    cfg->tls_insecure = conf_bool(conf_get(tls, "insecure"));
    cfg->ca_file = conf_cstr(conf_get(tls, "ca"));
    cfg->cert_file = conf_cstr(conf_get(tls, "cert"));
    cfg->key_file = conf_cstr(conf_get(tls, "key"));
    cfg->tls_name = conf_cstr(conf_get(tls, "name"));
}

static void take_birth(const struct conf_value *birth, struct mqtt_link_config *cfg)
{
    cfg->birth_topic = conf_cstr(conf_get(birth, "topic"));
    if (!cfg->birth_topic)
        return;
    cfg->birth_payload = conf_cstr(conf_get(birth, "online"));
    cfg->will_payload = conf_cstr(conf_get(birth, "offline"));
}

// The packet of the largest file that a template takes.
static size_t largest_file(const struct conf_value *section)
{
    int64_t largest = 0;
    size_t at = 0;
    for (const struct conf_value *d; (d = conf_each(conf_get(section, "devices"), &at));) {
        size_t of = 0;
        for (const struct conf_value *f; (f = conf_each(conf_get(d, "files"), &of));) {
            int64_t max = conf_int(conf_get(f, "max_size"));
            largest = max > largest ? max : largest;
        }
    }
    return largest ? (size_t)largest + PACKET_HEAD : 0;
}

static size_t packet_maximum(const struct conf_value *section)
{
    enum { USUAL = 256 * 1000, OF_LISTS = 4 * 1000 * 1000 };
    const struct conf_value *given = conf_get(section, "packet_maximum");
    const struct conf_value *z2m = conf_get(conf_get(section, "discovery"), "zigbee2mqtt");

    if (conf_is_set(given))
        return (size_t)conf_int(given);
    size_t usual = conf_bool(conf_get(z2m, "enabled")) ? OF_LISTS : USUAL, file = largest_file(section);
    return file > usual ? file : usual;
}

enum err mqtt_conf_read(const struct conf_value *section, const char *instance, struct conf_report *report,
                        struct mqtt_link_config *out)
{
    size_t errors = conf_errors(report);
    check_link(section, report);
    check_devices(section, report);
    if (conf_errors(report) > errors)
        return ERR_CONF;
    struct arena scratch;
    arena_init(&scratch, 0);
    const struct conf_value *id = conf_get(section, "client_id");
    struct mqtt_link_config cfg = {
        .host = arena_cstr(&scratch, conf_host(conf_get(section, "broker"))),
        .port = conf_port(conf_get(section, "broker")),
        .client_id = conf_str(id).n ? conf_cstr(id) : arena_printf(&scratch, "spandrel-%s", instance).p,
        .username = conf_cstr(conf_get(section, "username")),
        .password = conf_cstr(conf_get(section, "password")),
        .protocol = (enum mqtt_protocol)conf_enum(conf_get(section, "protocol")),
        .keepalive_s = (unsigned)(conf_int(conf_get(section, "keepalive")) / 1000),
        .session_expiry_s = (unsigned)(conf_int(conf_get(section, "session_expiry")) / 1000),
        .receive_maximum = (unsigned)conf_int(conf_get(section, "receive_maximum")),
        .packet_maximum = packet_maximum(section),
    };
    take_tls(conf_get(section, "tls"), &cfg);
    take_birth(conf_get(section, "birth"), &cfg);
    mqtt_settings_copy(out, &cfg);
    arena_finish(&scratch);
    return ERR_OK;
}
