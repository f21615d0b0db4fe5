#include "adapters/mqtt/mqtt_convention.h"

#include "base/utf8.h"
#include "text/hash.h"

const struct mqtt_convention *const mqtt_conventions[MQTT_CONVENTIONS] = {
    &mqtt_hass, &mqtt_homie, &mqtt_z2m, &mqtt_shelly, &mqtt_tasmota,
};

size_t mqtt_convention_of(struct str key)
{
    struct str name, id;
    size_t i = 0;

    if (!str_cut(key, ':', &name, &id))
        return MQTT_CONVENTIONS;
    while (i < MQTT_CONVENTIONS && !str_eq_c(name, mqtt_conventions[i]->name))
        i++;
    return i;
}

struct str mqtt_convention_key(const char *name, struct str id, struct arena *a)
{
    enum { ID_MAX = 128, HASH_BYTES = 20 };
    uint8_t digest[32];

    if (id.n <= ID_MAX && str_eq(utf8_display(a, id, ID_MAX), id))
        return arena_printf(a, "%s:" STR_FMT, name, STR_ARG(id));
    hash_sha256(id, digest);
    return arena_printf(a, "%s:#" STR_FMT, name, STR_ARG(hash_base32(a, digest, HASH_BYTES)));
}

struct str mqtt_convention_dump(const json_t *v, struct arena *a)
{
    size_t n = json_dumpb(v, NULL, 0, JSON_COMPACT);

    if (n == 0 || n > MQTT_DISCOVERY_PAYLOAD)
        return STR_NONE;
    char *text = arena_alloc(a, n + 1);
    (void)json_dumpb(v, text, n, JSON_COMPACT);
    text[n] = '\0';
    return (struct str){text, n};
}

size_t mqtt_convention_depth(struct str text)
{
    size_t depth = 0, most = 0;
    bool quoted = false;

    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '{' || c == '['))
            most = ++depth > most ? depth : most;
        else if (!quoted && (c == '}' || c == ']') && depth)
            depth--;
    }
    return most;
}

json_t *mqtt_convention_object(struct str payload, size_t max, size_t depth, struct errmsg *msg)
{
    if (mqtt_convention_depth(str_sub(payload, 0, max)) > depth) {
        (void)err_set(msg, ERR_LIMIT, "nested deeper than %zu", depth);
        return NULL;
    }
    json_t *root = json_read(payload, max, msg);
    if (json_is_object(root))
        return root;
    if (root)
        (void)err_set(msg, ERR_BADREQ, "not a JSON object");
    json_decref(root);
    return NULL;
}
