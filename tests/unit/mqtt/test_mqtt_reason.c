#include "lib/check.h"

#include "adapters/mqtt/mqtt_reason.h"
#include "adapters/mqtt/mqtt_settings.h"

#include <errno.h>
#include <mosquitto.h>
#include <netdb.h>

static void codes_of_old_brokers(void **state)
{
    (void)state;
    static const int codes[][2] = {{0, 0},    {1, 0x84}, {2, 0x85}, {3, 0x88},   {4, 0x86},
                                   {5, 0x87}, {6, 6},    {-1, -1},  {0x80, 0x80}};
    for (size_t i = 0; i < COUNT(codes); i++)
        assert_int_equal(mqtt_reason_from_311(codes[i][0]), codes[i][1]);
}

static void every_code_has_an_error_and_a_text(void **state)
{
    (void)state;
    for (int code = 0; code < 256; code++) {
        assert_int_equal(mqtt_reason_err(code) == ERR_OK, code < 0x80);
        assert_int_equal(mqtt_reason_text(code)[0] == '\0', code < 0x80);
    }
    assert_int_equal(mqtt_reason_err(0x86), ERR_AUTH);
    assert_int_equal(mqtt_reason_err(0x8e), ERR_EXISTS);
    assert_int_equal(mqtt_reason_err(0xa2), ERR_UNSUPPORTED);
    assert_int_equal(mqtt_reason_err(0xa3), ERR_CLOSED); // unknown: as unspecified
}

static void what_the_broker_said(void **state)
{
    (void)state;
    struct mqtt_fault f;
    mqtt_fault_reason(&f, 0x9f, "slow down");
    assert_int_equal(f.retry, MQTT_RETRY_CONFIG);
    assert_non_null(strstr(f.text, "(reason code 0x9f: \"slow down\")"));
    mqtt_fault_reason(&f, MQTT_REASON_TAKEN, NULL);
    assert_int_equal(f.retry, MQTT_RETRY_TAKEN);
    char long_text[500];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    mqtt_fault_reason(&f, 0x87, long_text);
    assert_true(strlen(f.text) < sizeof f.text);
}

static void what_the_library_said(void **state)
{
    (void)state;
    static const struct {
        int rc, error;
        const char *note;
        enum err err;
        enum mqtt_retry retry;
        const char *words;
    } cases[] = {
        {MOSQ_ERR_ERRNO, ECONNREFUSED, "", ERR_REFUSED, MQTT_RETRY_NETWORK, "refused"},
        {MOSQ_ERR_ERRNO, ETIMEDOUT, "", ERR_TIMEOUT, MQTT_RETRY_NETWORK, "timed out"},
        {MOSQ_ERR_ERRNO, EHOSTUNREACH, "", ERR_IO, MQTT_RETRY_NETWORK, "host"},
        {MOSQ_ERR_ERRNO, 0, "", ERR_IO, MQTT_RETRY_NETWORK, "connection lost"},
        {MOSQ_ERR_EAI, EAI_NONAME, "", ERR_RESOLVE, MQTT_RETRY_NETWORK, "name not resolved"},
        {MOSQ_ERR_CONN_LOST, 0, "", ERR_CLOSED, MQTT_RETRY_NETWORK, "closed by the broker"},
        {MOSQ_ERR_TLS, 0, "certificate has expired", ERR_TLS, MQTT_RETRY_CONFIG, "TLS failed: certificate has expired"},
        {MOSQ_ERR_KEEPALIVE, 0, "", ERR_TIMEOUT, MQTT_RETRY_NETWORK, "ping"},
        {MOSQ_ERR_INVAL, 0, "", ERR_CONF, MQTT_RETRY_CONFIG, "settings"},
        {MOSQ_ERR_NOMEM, 0, "", ERR_INTERNAL, MQTT_RETRY_NETWORK, "memory"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct mqtt_fault f;
        mqtt_fault_library(&f, cases[i].rc, cases[i].error, cases[i].note);
        assert_int_equal(f.err, cases[i].err);
        assert_int_equal(f.retry, cases[i].retry);
        if (!strstr(f.text, cases[i].words))
            fail_msg("case %zu: %s", i, f.text);
    }
    assert_true(mqtt_fault_poisonous(MOSQ_ERR_MALFORMED_UTF8));
    assert_false(mqtt_fault_poisonous(MOSQ_ERR_CONN_LOST));
}

static void settings_are_values(void **state)
{
    (void)state;
    const struct mqtt_link_config base = {
        .host = "h", .port = 1, .client_id = "c", .password = "p", .keepalive_s = 30, .birth_topic = "b"};
    struct mqtt_link_config copy, other;
    mqtt_settings_copy(&copy, &base);
    assert_true(mqtt_settings_equal(&copy, &base));
    assert_ptr_not_equal(copy.host, base.host);
    const struct mqtt_link_config changes[] = {
        {.host = "i"},          {.port = 2},           {.client_id = "d"},     {.username = "u"},
        {.password = "q"},      {.protocol = MQTT_5},  {.keepalive_s = 31},    {.session_expiry_s = 1},
        {.receive_maximum = 1}, {.packet_maximum = 1}, {.connect_ms = 1},      {.tls = true},
        {.tls_insecure = true}, {.ca_file = "f"},      {.cert_file = "f"},     {.key_file = "f"},
        {.tls_name = "n"},      {.birth_topic = "t"},  {.birth_payload = "y"}, {.will_payload = "z"},
    };
#define TAKE(member)                                                                                                   \
    if (changes[i].member)                                                                                             \
    other.member = changes[i].member
    for (size_t i = 0; i < COUNT(changes); i++) {
        other = base;
        TAKE(host);
        TAKE(port);
        TAKE(client_id);
        TAKE(username);
        TAKE(password);
        TAKE(protocol);
        TAKE(keepalive_s);
        TAKE(session_expiry_s);
        TAKE(receive_maximum);
        TAKE(packet_maximum);
        TAKE(connect_ms);
        TAKE(tls);
        TAKE(tls_insecure);
        TAKE(ca_file);
        TAKE(cert_file);
        TAKE(key_file);
        TAKE(tls_name);
        TAKE(birth_topic);
        TAKE(birth_payload);
        TAKE(will_payload);
        if (mqtt_settings_equal(&copy, &other))
            fail_msg("change %zu is not seen", i);
    }
    mqtt_settings_finish(&copy);
    assert_null(copy.host);
    mqtt_settings_finish(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_of_old_brokers), cmocka_unit_test(every_code_has_an_error_and_a_text),
        cmocka_unit_test(what_the_broker_said), cmocka_unit_test(what_the_library_said),
        cmocka_unit_test(settings_are_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
