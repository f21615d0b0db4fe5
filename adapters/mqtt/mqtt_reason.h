/* What went wrong between us and a broker, in words that name the remedy, and how soon it is worth trying again. */
#ifndef SPANDREL_MQTT_REASON_H
#define SPANDREL_MQTT_REASON_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

// How to try again after a failure.
enum mqtt_retry {
    MQTT_RETRY_NETWORK, // it will pass by itself: from 1 s, at most 30 s
    MQTT_RETRY_CONFIG,  // somebody must change something: 30 to 60 s
    MQTT_RETRY_TAKEN,   // another client uses our client id: minutes, for two would throw each other out for ever
    MQTT_RETRY_POISON,  // a message that cannot be read: quickly, the others wait behind it
    MQTT_RETRIES
};

struct mqtt_fault {
    enum err err;
    enum mqtt_retry retry;
    char text[224];
};

enum { MQTT_REASON_VERSION = 0x84, MQTT_REASON_TAKEN = 0x8e };

// The MQTT 5 reason code (section 2.4) that a CONNACK return code of MQTT 3.1.1 (section 3.2.2.3) stands for; others as
// they are.
int mqtt_reason_from_311(int code);
// The error and the text of a reason code of CONNACK, DISCONNECT, PUBACK or SUBACK; below 0x80 all are ERR_OK.
enum err mqtt_reason_err(int code);
const char *mqtt_reason_text(int code);

// The broker refused the connection, or ended it, with this MQTT 5 reason code. `said`: its reason string, or NULL.
void mqtt_fault_reason(struct mqtt_fault *f, int code, const char *said);
// The library failed with `rc` (enum mosq_err_t) and `error` (errno, or a getaddrinfo() code); `note`: what it or TLS
// said, or "".
void mqtt_fault_library(struct mqtt_fault *f, int rc, int error, const char *note);
void mqtt_fault_set(struct mqtt_fault *f, enum err e, enum mqtt_retry retry, const char *text);
// The message itself could not be read: the same will happen when the broker sends it again.
bool mqtt_fault_poisonous(int rc);

#endif
