/* Bodies: JSON, forms and multipart, by Content-Type, or by what they look like where it is missing or wrong. */
#include "adapters/webhook/webhook_profile_private.h"

#include "base/utf8.h"

struct str reading_header(const struct webhook_input *in, const char *name)
{
    struct str wanted = str_c(name);
    for (size_t i = 0; i < in->header_count; i++)
        if (in->headers[i].name.n == wanted.n && str_case_eq(in->headers[i].name, wanted)) // many are looked for
            return in->headers[i].value;
    return STR_NONE;
}

static bool shallow(const json_t *value, unsigned depth)
{
    const char *name;
    json_t *member;
    size_t i;
    if (!json_is_object(value) && !json_is_array(value))
        return true;
    if (depth == 0)
        return false;
    json_object_foreach((json_t *)(uintptr_t)value, name, member) if (!shallow(member, depth - 1)) return false;
    json_array_foreach(value, i, member) if (!shallow(member, depth - 1)) return false;
    return true;
}

bool reading_json(struct reading *r, struct str text)
{
    struct errmsg msg;
    json_t *value = json_read(text, WEBHOOK_PAYLOAD_MAX, &msg);
    if (!value) {
        if (text.n > WEBHOOK_PAYLOAD_MAX)
            reading_fail(r, 413, NULL, "", "%s", msg.text);
        else
            reading_fail(r, 400, "invalid_payload", "", "malformed JSON: %s", msg.text);
        return false;
    }
    json_decref(r->json);
    r->json = value;
    if (!shallow(value, WEBHOOK_DEPTH_MAX)) {
        reading_fail(r, 413, "invalid_payload", "", "arrays and objects more than %d deep", WEBHOOK_DEPTH_MAX);
        return false;
    }
    return true;
}

static bool looks_json(struct str body)
{
    struct str text = str_trim(body);
    return text.n > 0 && (*text.p == '{' || *text.p == '[');
}

// The same without a problem where it is none.
static bool maybe_json(struct reading *r)
{
    if (!looks_json(r->body))
        return false;
    if (reading_json(r, r->body))
        return true;
    r->out->problem = (struct webhook_problem){0};
    json_decref(r->json);
    r->json = NULL;
    return false;
}

static bool decode_form(struct reading *r)
{
    if (maybe_json(r)) // `curl -d '{...}'` says that this is a form
        return true;
    if (http_form_parse(r->a, r->body, WEBHOOK_FIELDS_MAX, &r->fields, &r->field_count))
        return true;
    reading_fail(r, 400, "invalid_payload", "", "a malformed form, or one of more than %d fields", WEBHOOK_FIELDS_MAX);
    return false;
}

static bool decode_multipart(struct reading *r)
{
    struct errmsg msg;
    struct str boundary = http_media_param(&r->type, "boundary");
    enum err e = http_multipart_parse(r->a, boundary, r->body, &r->parts, &r->part_count, &msg);
    if (e != ERR_OK) {
        reading_fail(r, 400, "invalid_payload", "", "malformed multipart body: %s", msg.text);
        return false;
    }
    struct http_pair *fields = arena_zalloc(r->a, r->part_count + 1, sizeof(*fields));
    for (size_t i = 0; i < r->part_count; i++)
        if (!r->parts[i].filename.p)
            fields[r->field_count++] = (struct http_pair){r->parts[i].name, utf8_repair(r->a, r->parts[i].data)};
    r->fields = fields;
    return true;
}

// A field that is itself the payload: Slack's, Discord's.
static bool decode_payload(struct reading *r)
{
    struct str payload = http_form_get(r->fields, r->field_count, "payload_json");
    if (!payload.p)
        payload = http_form_get(r->fields, r->field_count, "payload");
    return !payload.p || !looks_json(payload) || reading_json(r, payload);
}

static bool is_json_type(struct str type)
{
    return str_eq_c(type, "application/json") || str_eq_c(type, "text/json") || str_ends(type, STR("+json"));
}

static bool is_text_type(struct str type)
{
    return str_empty(type) || str_starts(type, STR("text/")) || str_eq_c(type, "application/octet-stream") ||
           str_eq_c(type, "*/*");
}

// A text that `curl -d` says is a form: one has fields with values.
static bool is_mere_text(const struct reading *r)
{
    return str_find(r->body, '=') < 0;
}

bool reading_decode(struct reading *r)
{
    struct str type = r->type.type;
    bool form = str_eq_c(type, "application/x-www-form-urlencoded");
    if (str_eq_c(type, "multipart/form-data"))
        return decode_multipart(r) && decode_payload(r);
    if ((form && !is_mere_text(r)) || (is_text_type(type) && str_starts(r->body, STR("payload=%7B"))))
        return decode_form(r) && (r->json || decode_payload(r));
    if (is_json_type(type))
        return reading_json(r, r->body);
    if (form || is_text_type(type)) {
        (void)maybe_json(r);
        return true;
    }
    reading_fail(r, 415, NULL, "", STR_FMT " is not read here: JSON, a form, multipart/form-data or text",
                 STR_ARG(say_oneline(r->a, type, 100)));
    return false;
}

struct str reading_filename(struct arena *a, struct str name)
{
    struct str head, tail;
    name = utf8_cut(name, 1024);
    if (str_rcut(name, '/', &head, &tail))
        name = tail;
    if (str_rcut(name, '\\', &head, &tail))
        name = tail;
    return utf8_display(a, name, 120);
}

static struct str media_type(struct arena *a, struct str type)
{
    struct http_media media;
    return http_media_parse(a, type, &media) ? media.type : STR_NONE;
}

void reading_files(struct reading *r, struct webhook_post *post)
{
    struct webhook_file *files = arena_zalloc(r->a, WEBHOOK_FILES_MAX, sizeof(*files));
    size_t n = 0;
    for (size_t i = 0; i < r->part_count; i++) {
        const struct http_part *part = &r->parts[i];
        if (!part->filename.p)
            continue;
        if (n == WEBHOOK_FILES_MAX) {
            reading_warn(r, "more than %d files", WEBHOOK_FILES_MAX);
            break;
        }
        files[n++] = (struct webhook_file){.name = reading_filename(r->a, part->filename),
                                           .type = media_type(r->a, part->type),
                                           .data = {part->data.n ? part->data.p : "", part->data.n}};
    }
    for (size_t i = 0; i < post->file_count && n < WEBHOOK_FILES_MAX; i++)
        files[n++] = post->files[i];
    post->files = files;
    post->file_count = n;
}

json_t *reading_context(struct reading *r)
{
    if (r->context)
        return r->context;
    r->context = json_object();
    for (size_t i = 0; i < r->field_count; i++) {
        struct str name = utf8_repair(r->a, r->fields[i].name), value = utf8_repair(r->a, r->fields[i].value);
        (void)json_object_setn_new(r->context, name.n ? name.p : "", name.n,
                                   json_stringn(value.n ? value.p : "", value.n));
    }
    if (r->field_count == 0) {
        struct str text = utf8_repair(r->a, r->body);
        (void)json_object_set_new(r->context, "text", json_stringn(text.n ? text.p : "", text.n));
    }
    return r->context;
}
