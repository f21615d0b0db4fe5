/* Recorded traffic: one message a line, topic and payload with a tab between, all retained; "\0" is a byte 0x00. Lines
 * with '#' in front are remarks. */
#ifndef SPANDREL_TEST_TRAFFIC_H
#define SPANDREL_TEST_TRAFFIC_H

#include "model_rig.h"

#include <stdlib.h>

static inline void traffic_message(struct rig *r, struct str topic, struct str payload, bool retain)
{
    struct mqtt_message msg = {.topic = topic, .payload = payload, .qos = 1, .retain = retain};

    mqtt_model_message(r->m, &msg, r->now, r->wall);
    rig_pass(r, 0);
}

// A line as it stands in the file.
static inline void traffic_line(struct rig *r, struct str line)
{
    struct str topic, payload;

    if (line.n == 0 || *line.p == '#')
        return;
    assert_true(str_cut(line, '\t', &topic, &payload));
    traffic_message(r, topic, str_eq_c(payload, "\\0") ? (struct str){"", 1} : payload, true);
}

static inline char *traffic_read(const char *name, size_t *n)
{
    enum { TRAFFIC_MAX = 1 << 20 };
    char path[512], *text = malloc(TRAFFIC_MAX);

    (void)snprintf(path, sizeof(path), TESTS_DIR "/unit/mqtt/traffic/%s.txt", name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    *n = fread(text, 1, TRAFFIC_MAX, f);
    assert_int_equal(fclose(f), 0);
    return text;
}

// Hears the file, from its first line on, or backwards: the broker keeps no order among what it has retained.
static inline void traffic_replay(struct rig *r, const char *name, bool backwards)
{
    size_t n;
    char *text = traffic_read(name, &n);
    struct str rest = {text, n}, line;

    while (rest.n) {
        if (!backwards)
            (void)str_cut(rest, '\n', &line, &rest);
        else if (!str_rcut(rest, '\n', &rest, &line))
            rest.n = 0;
        traffic_line(r, line);
    }
    free(text);
}

#endif
