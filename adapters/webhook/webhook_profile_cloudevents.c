/* CloudEvents 1.0 over HTTP: binary (ce-* headers), structured and batched mode, and the handshake of its webhooks. */
#include "adapters/webhook/webhook_profile_private.h"

#include "base/utf8.h"

// "*com.example.order.created* order/17 (https://shop.example)", then the data.
static void say_event(struct say *s, const json_t *event, const json_t *data, struct str text)
{
    struct str subject = say_at(s->a, event, "subject"), source = say_at(s->a, event, "source");
    say_bold(s, say_at(s->a, event, "type"));
    if (!str_empty(subject)) {
        say_raw(s, " ");
        say_line(s, subject, 120);
    }
    if (!str_empty(source)) {
        say_raw(s, " (");
        say_line(s, source, 200);
        say_raw(s, ")");
    }
    say_break(s);
    if (data && !json_is_null(data))
        say_json(s, data);
    else if (!str_empty(str_trim(text)))
        say_value(s, str_trim(text));
}

static struct str delivery_of(struct arena *a, const json_t *event)
{
    struct str id = say_at(a, event, "id");
    if (str_empty(id))
        return id;
    return arena_printf(a, STR_FMT "#" STR_FMT, STR_ARG(say_at(a, event, "source")), STR_ARG(id));
}

static void read_event(struct reading *r, json_t *event, struct str text)
{
    struct webhook_post *post = reading_post(r);
    json_t *whole = r->json;
    struct say s;
    if (!post)
        return;
    say_begin(&s, r->a);
    if (say_at(r->a, event, "type").n > 0)
        say_event(&s, event, json_object_get(event, "data"), text);
    r->out->event = say_oneline(r->a, say_at(r->a, event, "type"), 200);
    reading_body(r, post, event, say_end(&s));
    r->json = event; // a key's path is looked for in the event
    reading_key(r, post, STR_NONE, false);
    r->json = whole;
}

static void read_batch(struct reading *r)
{
    json_t *one;
    size_t i;
    json_array_foreach(r->json, i, one)
    {
        if (i >= WEBHOOK_POSTS_MAX) {
            reading_fail(r, 413, NULL, "", "more than %d events in a batch", WEBHOOK_POSTS_MAX);
            return;
        }
        read_event(r, one, STR_NONE);
    }
    if (r->out->count == 0)
        r->out->handshake = true; // an empty batch is a good one
}

/* Binary mode: the members of the event are headers, the body is its data */

static void set(struct reading *r, json_t *event, struct str name, struct str value)
{
    struct str text;
    char lower[32];
    if (name.n >= sizeof(lower))
        return;
    for (size_t i = 0; i < name.n; i++)
        lower[i] = (char)(name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] | 0x20 : name.p[i]);
    if (!http_percent_decode(r->a, value, false, &text))
        text = value;
    text = utf8_repair(r->a, text);
    (void)json_object_setn_new(event, lower, name.n, json_stringn(text.n ? text.p : "", text.n));
}

static void read_binary(struct reading *r)
{
    json_t *event = json_object();
    struct str text = r->json ? STR_NONE : utf8_cut(r->body, WEBHOOK_TEXT_MAX);
    for (size_t i = 0; i < r->in->header_count; i++) {
        const struct http_header *h = &r->in->headers[i];
        if (h->name.n > 3 && str_case_eq(str_sub(h->name, 0, 3), STR("ce-")))
            set(r, event, utf8_repair(r->a, str_sub(h->name, 3, h->name.n)), h->value);
    }
    if (r->json)
        (void)json_object_set(event, "data", r->json);
    reading_delivery(r, delivery_of(r->a, event));
    json_decref(r->context);
    r->context = event;
    read_event(r, event, utf8_valid(text) ? text : STR_NONE);
}

static void read_structured(struct reading *r)
{
    if (json_object_get(r->json, "specversion")) {
        reading_delivery(r, delivery_of(r->a, r->json));
        read_event(r, r->json, STR_NONE);
    } else
        reading_generic(r);
}

void webhook_read_cloudevents(struct reading *r)
{
    bool binary = reading_header(r->in, "ce-specversion").p;
    if (str_eq_c(r->in->method, "OPTIONS")) {
        r->out->handshake = reading_header(r->in, "WebHook-Request-Origin").p;
        if (!r->out->handshake)
            reading_fail(r, 400, NULL, "", "OPTIONS without WebHook-Request-Origin");
        return;
    }
    if (r->segment_count > 0) {
        reading_fail(r, 404, NULL, "", "no such path behind the hook's");
        return;
    }
    // The data of a binary event may be of any type.
    bool json = str_eq_c(r->type.type, "application/json") || str_ends(r->type.type, STR("+json"));
    if (!r->json && ((!binary && !reading_json(r, r->body)) || (binary && json && !reading_json(r, r->body))))
        return;
    if (binary)
        read_binary(r);
    else if (json_is_array(r->json))
        read_batch(r);
    else
        read_structured(r);
}
