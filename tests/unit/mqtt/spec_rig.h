/* A template read from YAML, and devices of it, without a model around them. */
#ifndef SPANDREL_TEST_SPEC_RIG_H
#define SPANDREL_TEST_SPEC_RIG_H

#include "adapters/mqtt/mqtt_device.h"
#include "adapters/mqtt/mqtt_model.h"
#include "adapters/mqtt/mqtt_profile.h"
#include "lib/check.h"

#include <stdio.h>

static const struct conf_item spec_rig_schema[] = {
    {.name = "devices", .type = CONF_NAMED, .sub = mqtt_model_device_schema},
    {.name = NULL},
};

// The only template in the text, owned by the caller.
static inline struct mqtt_spec *spec_rig(const char *yaml)
{
    struct conf_report *report = conf_report_create();
    struct conf_value *section = conf_parse(str_c(yaml), "test.yaml", spec_rig_schema, report);
    struct mqtt_spec *s = NULL;
    size_t at = 0;

    if (section)
        s = mqtt_profile_compile(conf_each(conf_get(section, "devices"), &at), report);
    if (!s)
        (void)fprintf(stderr, STR_FMT "\n", STR_ARG(conf_report_text(report)));
    conf_destroy(section);
    conf_report_destroy(report);
    assert_non_null(s);
    return s;
}

// The device that has captured this level.
static inline struct mqtt_device *spec_rig_device(struct mqtt_spec *s, const char *level)
{
    const struct mqtt_captures c = {.count = 1, .level = {str_c(level)}};
    struct arena scratch;

    arena_init(&scratch, 0);
    struct mqtt_device *d = mqtt_device_create(s, mqtt_profile_key(s, &c, &scratch), &c);
    arena_finish(&scratch);
    return d;
}

static inline void spec_rig_set_number(struct mqtt_device *d, uint16_t reading, double number)
{
    const struct mqtt_result r = {.type = MQTT_NUMBER, .number = number};

    mqtt_cell_set(&mqtt_device_cells(d)[reading], &r);
}

static inline void spec_rig_set_text(struct mqtt_device *d, uint16_t reading, const char *text)
{
    const struct mqtt_result r = {.type = MQTT_TEXT, .text = str_c(text)};

    mqtt_cell_set(&mqtt_device_cells(d)[reading], &r);
}

#endif
