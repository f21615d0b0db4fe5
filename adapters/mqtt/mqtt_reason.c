#include "adapters/mqtt/mqtt_reason.h"

#include "base/str.h"

#include <errno.h>
#include <mosquitto.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reason {
    int code;
    enum err err;
    enum mqtt_retry retry;
    const char *text;
};

static const struct reason reasons[] = {
    // sorted by code
    {0x80, ERR_CLOSED, MQTT_RETRY_NETWORK, "the broker gave no reason"},
    {0x81, ERR_PROTO, MQTT_RETRY_CONFIG, "the broker found a malformed packet"},
    {0x82, ERR_PROTO, MQTT_RETRY_CONFIG, "the broker found a protocol error"},
    {0x83, ERR_CLOSED, MQTT_RETRY_CONFIG, "the broker refuses for a reason of its own; see its log"},
    {0x84, ERR_UNSUPPORTED, MQTT_RETRY_CONFIG, "the broker does not speak this MQTT version; set `protocol`"},
    {0x85, ERR_CONF, MQTT_RETRY_CONFIG, "the broker does not accept the client id; set another `client_id`"},
    {0x86, ERR_AUTH, MQTT_RETRY_CONFIG, "wrong user name or password; check `username` and `password`"},
    {0x87, ERR_FORBIDDEN, MQTT_RETRY_CONFIG,
     "not authorized: check `username`, `password` and the broker's access list for this user and client id"},
    {0x88, ERR_UNAVAILABLE, MQTT_RETRY_NETWORK, "the broker is not available"},
    {0x89, ERR_AGAIN, MQTT_RETRY_NETWORK, "the broker is busy"},
    {0x8a, ERR_FORBIDDEN, MQTT_RETRY_CONFIG, "the broker has banned this client; ask its operator"},
    {0x8b, ERR_CLOSED, MQTT_RETRY_NETWORK, "the broker is shutting down"},
    {0x8c, ERR_AUTH, MQTT_RETRY_CONFIG, "the broker wants another way to authenticate"},
    {0x8d, ERR_TIMEOUT, MQTT_RETRY_NETWORK, "the broker heard nothing of us for longer than `keepalive`"},
    {MQTT_REASON_TAKEN, ERR_EXISTS, MQTT_RETRY_TAKEN,
     "another client took over the session: give each bridge a `client_id` of its own"},
    {0x8f, ERR_BADREQ, MQTT_RETRY_CONFIG, "the broker does not accept this topic filter"},
    {0x90, ERR_BADREQ, MQTT_RETRY_CONFIG, "the broker does not accept this topic"},
    {0x91, ERR_PROTO, MQTT_RETRY_NETWORK, "packet identifier in use"},
    {0x92, ERR_PROTO, MQTT_RETRY_NETWORK, "packet identifier not found"},
    {0x93, ERR_PROTO, MQTT_RETRY_NETWORK, "more messages in flight than the broker takes"},
    {0x94, ERR_PROTO, MQTT_RETRY_CONFIG, "topic alias invalid"},
    {0x95, ERR_LIMIT, MQTT_RETRY_CONFIG, "a packet was larger than the broker takes"},
    {0x96, ERR_LIMIT, MQTT_RETRY_CONFIG, "too many messages in a short time for the broker"},
    {0x97, ERR_LIMIT, MQTT_RETRY_CONFIG, "a quota of the broker is used up; ask its operator"},
    {0x98, ERR_CLOSED, MQTT_RETRY_CONFIG, "ended by the broker's operator"},
    {0x99, ERR_BADREQ, MQTT_RETRY_CONFIG, "the payload is not of the format it claims"},
    {0x9a, ERR_UNSUPPORTED, MQTT_RETRY_CONFIG, "the broker keeps no retained messages; remove `birth`"},
    {0x9b, ERR_UNSUPPORTED, MQTT_RETRY_CONFIG, "the broker does not do this QoS"},
    {0x9c, ERR_CONF, MQTT_RETRY_CONFIG, "the broker says to use another server; change `broker`"},
    {0x9d, ERR_CONF, MQTT_RETRY_CONFIG, "the broker has moved; change `broker`"},
    {0x9e, ERR_UNSUPPORTED, MQTT_RETRY_CONFIG, "the broker does no shared subscriptions"},
    {0x9f, ERR_LIMIT, MQTT_RETRY_CONFIG, "too many connections in a short time for the broker"},
    {0xa0, ERR_CLOSED, MQTT_RETRY_NETWORK, "the broker's limit of time for a connection is over"},
    {0xa1, ERR_UNSUPPORTED, MQTT_RETRY_CONFIG, "the broker does no subscription identifiers"},
    {0xa2, ERR_UNSUPPORTED, MQTT_RETRY_CONFIG, "the broker does no wildcard subscriptions"},
};

static int reason_cmp(const void *key, const void *entry)
{
    int code = *(const int *)key;
    return code - ((const struct reason *)entry)->code;
}

static const struct reason *reason_find(int code)
{
    const struct reason *r = bsearch(&code, reasons, sizeof reasons / sizeof *reasons, sizeof *reasons, reason_cmp);
    return r ? r : &reasons[0];
}

int mqtt_reason_from_311(int code)
{
    static const int codes[] = {0, 0x84, 0x85, 0x88, 0x86, 0x87};
    return code > 0 && code < (int)(sizeof codes / sizeof *codes) ? codes[code] : code;
}

enum err mqtt_reason_err(int code)
{
    return code < 0x80 ? ERR_OK : reason_find(code)->err;
}

const char *mqtt_reason_text(int code)
{
    return code < 0x80 ? "" : reason_find(code)->text;
}

void mqtt_fault_set(struct mqtt_fault *f, enum err e, enum mqtt_retry retry, const char *text)
{
    f->err = e;
    f->retry = retry;
    snprintf(f->text, sizeof f->text, "%s", text);
}

void mqtt_fault_reason(struct mqtt_fault *f, int code, const char *said)
{
    const struct reason *r = reason_find(code);
    f->err = r->err;
    f->retry = r->retry;
    snprintf(f->text, sizeof f->text, "%s (reason code 0x%02x%s%.60s%s)", r->text, (unsigned)code & 0xff,
             said ? ": \"" : "", said ? said : "", said ? "\"" : "");
}

static void fault_errno(struct mqtt_fault *f, int error)
{
    static const struct {
        int error;
        enum err err;
    } known[] = {{ECONNREFUSED, ERR_REFUSED}, {ETIMEDOUT, ERR_TIMEOUT}, {ECONNRESET, ERR_CLOSED}, {EPROTO, ERR_TLS}};
    char text[128];
    if (error == 0 || strerror_r(error, text, sizeof text))
        snprintf(text, sizeof text, "connection lost");
    mqtt_fault_set(f, ERR_IO, MQTT_RETRY_NETWORK, text);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i].error == error)
            f->err = known[i].err;
    }
}

static void fault_resolve(struct mqtt_fault *f, int error)
{
    f->err = ERR_RESOLVE;
    f->retry = MQTT_RETRY_NETWORK;
    snprintf(f->text, sizeof f->text, "name not resolved: %s", gai_strerror(error));
}

void mqtt_fault_library(struct mqtt_fault *f, int rc, int error, const char *note)
{
    static const struct {
        int rc;
        enum err err;
        enum mqtt_retry retry;
        const char *text;
    } known[] = {
        {MOSQ_ERR_PROTOCOL, ERR_PROTO, MQTT_RETRY_NETWORK, "the broker sent something that is not MQTT"},
        {MOSQ_ERR_CONN_LOST, ERR_CLOSED, MQTT_RETRY_NETWORK, "connection closed by the broker"},
        {MOSQ_ERR_NO_CONN, ERR_CLOSED, MQTT_RETRY_NETWORK, "connection closed"},
        {MOSQ_ERR_TLS, ERR_TLS, MQTT_RETRY_CONFIG, "TLS failed"},
        {MOSQ_ERR_MALFORMED_UTF8, ERR_PROTO, MQTT_RETRY_NETWORK, "the broker sent a topic with forbidden characters"},
        {MOSQ_ERR_MALFORMED_PACKET, ERR_PROTO, MQTT_RETRY_NETWORK, "the broker sent a malformed packet"},
        {MOSQ_ERR_KEEPALIVE, ERR_TIMEOUT, MQTT_RETRY_NETWORK, "the broker did not answer a ping"},
        {MOSQ_ERR_INVAL, ERR_CONF, MQTT_RETRY_CONFIG, "the settings of the connection are not valid"},
    };
    if (rc == MOSQ_ERR_EAI) {
        fault_resolve(f, error);
    } else if (rc == MOSQ_ERR_ERRNO) {
        fault_errno(f, error);
    } else {
        mqtt_fault_set(f, ERR_INTERNAL, MQTT_RETRY_NETWORK, mosquitto_strerror(rc));
        for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
            if (known[i].rc == rc)
                mqtt_fault_set(f, known[i].err, known[i].retry, known[i].text);
        }
    }
    size_t n = strlen(f->text);
    if (note[0] && n < sizeof f->text)
        snprintf(f->text + n, sizeof f->text - n, ": %s", note);
}

bool mqtt_fault_poisonous(int rc)
{
    return rc == MOSQ_ERR_PROTOCOL || rc == MOSQ_ERR_MALFORMED_UTF8 || rc == MOSQ_ERR_MALFORMED_PACKET;
}
