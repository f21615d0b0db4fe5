/* A value's description and a payload, one a line: whatever both are, the result is text that may be shown. */
#include "fuzz.h"

#include "adapters/mqtt/mqtt_value.h"

#include "base/utf8.h"

static void check_result(const struct mqtt_result *r)
{
    if (r->type == MQTT_ABSENT)
        return;
    FUZZ_CHECK(utf8_xml_valid(r->text));
    FUZZ_CHECK(r->text.n <= MQTT_TEXT_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str value, payload;
    struct mqtt_payload p;
    struct mqtt_value v;
    struct arena a;

    (void)str_cut(fuzz_str(data, size), '\n', &value, &payload);
    arena_init(&a, 0);
    mqtt_value_compile(&a, value, &v);
    FUZZ_CHECK(v.filter_count <= MQTT_FILTERS);
    mqtt_payload_init(&p, payload, &a);
    struct mqtt_result r = mqtt_value_get(&v, &p);
    check_result(&r);
    mqtt_payload_finish(&p);
    arena_finish(&a);
    return 0;
}
