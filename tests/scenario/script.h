/* Scenario scripts, line by line: what happens, and what is to be seen.
 *
 *   config                    YAML up to a line `end`; it comes first
 *   xmpp> XML                 a server sends a stanza
 *   xmpp< PATTERN             a stanza that was seen; a * stands for any text
 *   mqtt> TOPIC PAYLOAD       a device publishes; `retain` or `qos1` may stand before the topic
 *   mqtt< PATTERN             a publish that was seen: "topic payload qos1 30s retained" (QoS, expiry)
 *   answer PAYLOAD            the device answers that publish, to its response topic
 *   nothing                   no further stanza, and no further publish, was seen
 *   ignore                    drops what was seen
 *   xmpp up|down|cut [DOMAIN] the link of a component, or all
 *   mqtt up|down|mute|confirm the broker; whether it answers publishes
 *   commits hold|go           the store
 *   held N                    N messages of QoS 1 are not acknowledged
 *   time 10s                  passes
 *   ctl WORDS = PATTERN       an operation of the control socket, and its answer
 *   reload [refused PATTERN]  YAML up to a line `end`; what is said about it
 *   restart                   killed, and started again on what was durable
 *   shutdown                  SIGTERM; the bridge must end in good order
 *   roster USER CONTACT SHOW  what a client shows
 *   roster none USER CONTACT  it never heard of it
 *   repeat N LINE             the line N times, with 1, 2, ... for {n}
 *
 * {session} stands for the session of the command that was seen last.
 * Stanzas are compared in canonical form: attributes by name, xmlns first, no white space, no empty tags. */
#ifndef SPANDREL_TESTS_SCRIPT_H
#define SPANDREL_TESTS_SCRIPT_H

#include "scenario/faults.h"

struct script {
    const char *path;
    struct str text;
    struct record *record;     // or NULL
    const struct fault *fault; // that strikes, or NULL
    unsigned at;               // the step it strikes at
};

struct outcome {
    bool good;          // what was seen is what was expected (without a fault), and all had their answers
    unsigned steps;     // at which a fault may strike
    bool struck;        // the fault has
    bool ended, untold; // the bridge was shut down; and it could tell nobody
};

// Runs the script in a world of its own. What the clients show at its end goes to `shown`.
struct outcome script_run(const struct script *s, struct strbuf *shown);

#endif
