#include "app/record_form.h"

#include "text/hash.h"
#include "text/json.h"

#include <inttypes.h>

enum member_type { MEMBER_STR, MEMBER_BYTES, MEMBER_U16, MEMBER_U32, MEMBER_I64, MEMBER_BOOL, MEMBER_FIELDS };

struct record_member {
    const char *name;
    enum member_type type;
    size_t offset;
};

struct record_form {
    const struct record_member *members; // ended by one without a name
};

#define EVENT(member, kind)                                                                                            \
    {                                                                                                                  \
#member, MEMBER_##kind, offsetof(struct event, member)                                                         \
    }
#define ROW(member, kind)                                                                                              \
    {                                                                                                                  \
#member, MEMBER_##kind, offsetof(struct row, member)                                                           \
    }

static const struct record_member event_members[] = {
    EVENT(kind, U32),
    EVENT(about, U32),
    EVENT(flags, U32),
    EVENT(now, I64),
    EVENT(wall, I64),
    EVENT(token, I64),
    EVENT(number, I64),
    EVENT(adapter, U16),
    EVENT(component, U16),
    EVENT(rights, U32),
    EVENT(user.local, STR),
    EVENT(user.domain, STR),
    EVENT(user.resource, STR),
    EVENT(to.local, STR),
    EVENT(to.domain, STR),
    EVENT(to.resource, STR),
    EVENT(key, STR),
    EVENT(id, STR),
    EVENT(body, STR),
    EVENT(nick, STR),
    EVENT(stamp, I64),
    EVENT(accepted, I64),
    EVENT(err, U32),
    EVENT(show, U32),
    EVENT(typing, U32),
    EVENT(type, U32),
    EVENT(identity, U32),
    EVENT(name, STR),
    EVENT(wish, STR),
    EVENT(cls, STR),
    EVENT(group, STR),
    EVENT(command, STR),
    EVENT(fields, FIELDS),
    EVENT(media, STR),
    EVENT(url, STR),
    EVENT(replace, STR),
    EVENT(reply, STR),
    EVENT(marks, U32),
    EVENT(affiliation, U32),
    EVENT(role, U32),
    EVENT(blob, BYTES),
    EVENT(rule, STR),
    {NULL},
};

static const struct record_member row_members[] = {
    ROW(kind, U32),         ROW(gone, BOOL),  ROW(domain, STR),
    ROW(local, STR),        ROW(scope, STR),  ROW(user, STR),
    ROW(adapter, STR),      ROW(key, STR),    ROW(identity, U32),
    ROW(quarantined, BOOL), ROW(name, STR),   ROW(cls, STR),
    ROW(group, STR),        ROW(since, I64),  ROW(state, U32),
    ROW(number, I64),       ROW(text, BYTES), ROW(settled, I64),
    ROW(trimmed, I64),      ROW(dead, I64),   ROW(expired, I64),
    ROW(record, I64),       ROW(stamp, I64),  ROW(next, I64),
    ROW(attempts, U32),     ROW(id, STR),     {NULL},
};

const struct record_form record_event_form = {event_members}, record_row_form = {row_members};

static int64_t number_at(const void *object, const struct record_member *m)
{
    const char *at = (const char *)object + m->offset;
    uint16_t u16;
    uint32_t u32;
    int64_t i64;
    bool flag;
    switch (m->type) {
    case MEMBER_U16:
        memcpy(&u16, at, sizeof u16);
        return u16;
    case MEMBER_U32:
        memcpy(&u32, at, sizeof u32);
        return u32;
    case MEMBER_BOOL:
        memcpy(&flag, at, sizeof flag);
        return flag;
    case MEMBER_I64:
    case MEMBER_STR:
    case MEMBER_BYTES:
    case MEMBER_FIELDS:
        break;
    }
    memcpy(&i64, at, sizeof i64);
    return i64;
}

static void set_number(void *object, const struct record_member *m, int64_t value)
{
    char *at = (char *)object + m->offset;
    uint16_t u16 = (uint16_t)value;
    uint32_t u32 = (uint32_t)value;
    bool flag = value != 0;
    if (m->type == MEMBER_U16)
        memcpy(at, &u16, sizeof u16);
    else if (m->type == MEMBER_U32)
        memcpy(at, &u32, sizeof u32);
    else if (m->type == MEMBER_BOOL)
        memcpy(at, &flag, sizeof flag);
    else
        memcpy(at, &value, sizeof value);
}

static void name_member(struct strbuf *out, const char *name)
{
    if (out->p[out->n - 1] != '{')
        strbuf_char(out, ',');
    json_write_str(out, str_c(name));
    strbuf_char(out, ':');
}

static void write_bytes(struct strbuf *out, struct str bytes)
{
    struct arena a;
    arena_init(&a, 0);
    json_write_str(out, hash_base64(&a, (const uint8_t *)bytes.p, bytes.n));
    arena_finish(&a);
}

static void write_fields(struct strbuf *out, const struct event *ev)
{
    strbuf_char(out, '[');
    for (size_t i = 0; i < ev->field_count; i++) {
        strbuf_c(out, i ? ",[" : "[");
        json_write_str(out, ev->fields[i].name);
        strbuf_char(out, ',');
        json_write_str(out, ev->fields[i].value);
        strbuf_char(out, ']');
    }
    strbuf_char(out, ']');
}

static void write_text(struct strbuf *out, const struct record_member *m, struct str s)
{
    if (!s.n)
        return;
    name_member(out, m->name);
    if (m->type == MEMBER_BYTES)
        write_bytes(out, s);
    else
        json_write_str(out, s);
}

static void write_member(struct strbuf *out, const void *object, const struct record_member *m)
{
    struct str s;
    if (m->type == MEMBER_STR || m->type == MEMBER_BYTES) {
        memcpy(&s, (const char *)object + m->offset, sizeof s);
        write_text(out, m, s);
    } else if (m->type == MEMBER_FIELDS) {
        const struct event *ev = object;
        if (ev->field_count) {
            name_member(out, m->name);
            write_fields(out, ev);
        }
    } else if (number_at(object, m)) {
        name_member(out, m->name);
        strbuf_i64(out, number_at(object, m));
    }
}

void record_write(const struct record_form *form, const void *object, struct strbuf *out)
{
    strbuf_char(out, '{');
    for (const struct record_member *m = form->members; m->name; m++)
        write_member(out, object, m);
    strbuf_char(out, '}');
}

static struct str text_of(json_t *json, struct arena *a)
{
    return json_is_string(json) ? arena_dup(a, (struct str){json_string_value(json), json_string_length(json)})
                                : STR_NONE;
}

static struct str bytes_of(json_t *json, struct arena *a)
{
    struct str bytes = STR_NONE;
    (void)hash_base64_decode(a, text_of(json, a), &bytes);
    return bytes;
}

static void read_fields(json_t *json, struct arena *a, struct event *ev)
{
    size_t n = json_array_size(json);
    struct event_field *fields = arena_zalloc(a, n + 1, sizeof *fields);
    for (size_t i = 0; i < n; i++) {
        json_t *pair = json_array_get(json, i);
        fields[i] = (struct event_field){text_of(json_array_get(pair, 0), a), text_of(json_array_get(pair, 1), a)};
    }
    ev->fields = fields;
    ev->field_count = n;
}

void record_read(const struct record_form *form, json_t *json, struct arena *a, void *object)
{
    for (const struct record_member *m = form->members; m->name; m++) {
        json_t *value = json_object_get(json, m->name);
        if (!value)
            continue;
        if (m->type == MEMBER_FIELDS) {
            read_fields(value, a, object);
        } else if (m->type == MEMBER_STR || m->type == MEMBER_BYTES) {
            struct str s = m->type == MEMBER_STR ? text_of(value, a) : bytes_of(value, a);
            memcpy((char *)object + m->offset, &s, sizeof s);
        } else {
            set_number(object, m, json_integer_value(value));
        }
    }
}

/* The core's configuration */

static void write_list(struct strbuf *out, const char *name, const struct str *v, size_t n)
{
    name_member(out, name);
    strbuf_char(out, '[');
    for (size_t i = 0; i < n; i++) {
        strbuf_c(out, i ? "," : "");
        json_write_str(out, v[i]);
    }
    strbuf_char(out, ']');
}

void record_write_config(const struct bridge_config *cfg, struct strbuf *out)
{
    strbuf_char(out, '{');
    name_member(out, "seed");
    strbuf_i64(out, (int64_t)cfg->seed);
    name_member(out, "now");
    strbuf_i64(out, cfg->now);
    name_member(out, "wall");
    strbuf_i64(out, cfg->wall);
    name_member(out, "boot");
    json_write_str(out, cfg->boot);
    write_list(out, "rules", cfg->rules, cfg->rule_count);
    write_list(out, "groups", cfg->groups, cfg->group_count);
    name_member(out, "components");
    strbuf_char(out, '[');
    for (size_t i = 0; i < cfg->component_count; i++) {
        strbuf_c(out, i ? ",[" : "[");
        json_write_str(out, cfg->components[i].domain);
        strbuf_char(out, ',');
        json_write_str(out, cfg->components[i].name);
        strbuf_char(out, ']');
    }
    strbuf_char(out, ']');
    name_member(out, "adapters");
    strbuf_char(out, '[');
    for (size_t i = 0; i < cfg->adapter_count; i++) {
        strbuf_c(out, i ? ",[" : "[");
        json_write_str(out, cfg->adapters[i].name);
        const struct bridge_adapter *ad = &cfg->adapters[i];
        strbuf_printf(out, ",%u,%s,%zu,%zu,%" PRId64 "]", ad->component, ad->offer ? "true" : "false", ad->max_records,
                      ad->max_bytes, ad->max_age);
    }
    strbuf_c(out, "]}");
}

static const struct str *read_list(json_t *json, struct arena *a, size_t *n)
{
    *n = json_array_size(json);
    struct str *v = arena_zalloc(a, *n + 1, sizeof *v);
    for (size_t i = 0; i < *n; i++)
        v[i] = text_of(json_array_get(json, i), a);
    return v;
}

static void read_components(json_t *json, struct arena *a, struct bridge_config *out)
{
    out->component_count = json_array_size(json);
    struct bridge_component *v = arena_zalloc(a, out->component_count + 1, sizeof *v);
    for (size_t i = 0; i < out->component_count; i++) {
        json_t *c = json_array_get(json, i);
        v[i] = (struct bridge_component){text_of(json_array_get(c, 0), a), text_of(json_array_get(c, 1), a)};
    }
    out->components = v;
}

static void read_adapters(json_t *json, struct arena *a, struct bridge_config *out)
{
    out->adapter_count = json_array_size(json);
    struct bridge_adapter *v = arena_zalloc(a, out->adapter_count + 1, sizeof *v);
    for (size_t i = 0; i < out->adapter_count; i++) {
        json_t *ad = json_array_get(json, i);
        v[i] = (struct bridge_adapter){text_of(json_array_get(ad, 0), a),
                                       (uint16_t)json_integer_value(json_array_get(ad, 1)),
                                       json_is_true(json_array_get(ad, 2)),
                                       (size_t)json_integer_value(json_array_get(ad, 3)),
                                       (size_t)json_integer_value(json_array_get(ad, 4)),
                                       json_integer_value(json_array_get(ad, 5))};
    }
    out->adapters = v;
}

void record_read_config(json_t *json, struct arena *a, struct bridge_config *out)
{
    *out = (struct bridge_config){.seed = (uint64_t)json_integer_value(json_object_get(json, "seed")),
                                  .now = json_integer_value(json_object_get(json, "now")),
                                  .wall = json_integer_value(json_object_get(json, "wall")),
                                  .boot = text_of(json_object_get(json, "boot"), a)};
    out->rules = read_list(json_object_get(json, "rules"), a, &out->rule_count);
    out->groups = read_list(json_object_get(json, "groups"), a, &out->group_count);
    read_components(json_object_get(json, "components"), a, out);
    read_adapters(json_object_get(json, "adapters"), a, out);
}
