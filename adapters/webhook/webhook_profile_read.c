/* What all profiles do with what they have read: posts, bodies by template, keys, wishes. */
#include "adapters/webhook/webhook_profile_private.h"

#include "base/utf8.h"
#include "text/hash.h"

#include <stdarg.h>

void reading_fail(struct reading *r, int status, const char *code, const char *pointer, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct str detail = arena_vprintf(r->a, fmt, ap);
    va_end(ap);
    r->out->problem = (struct webhook_problem){.status = status,
                                               .code = code,
                                               .detail = styling_clean(r->a, detail),
                                               .pointer = arena_dup(r->a, str_c(pointer))};
}

void reading_warn(struct reading *r, const char *fmt, ...)
{
    va_list ap;
    if (!str_empty(r->out->warning)) // the first one tells most
        return;
    va_start(ap, fmt);
    r->out->warning = arena_vprintf(r->a, fmt, ap);
    va_end(ap);
}

struct webhook_post *reading_post(struct reading *r)
{
    if (r->out->count >= WEBHOOK_POSTS_MAX) {
        reading_warn(r, "more than %d posts in one request", WEBHOOK_POSTS_MAX);
        return NULL;
    }
    struct webhook_post *post = &r->out->posts[r->out->count++];
    *post = (struct webhook_post){0};
    return post;
}

/* Bodies */

static const struct mustache *template_for(const struct webhook_settings *s, struct str event)
{
    for (size_t i = 0; i < s->template_count; i++)
        if (str_empty(s->templates[i].event) || str_eq(s->templates[i].event, event))
            return s->templates[i].text;
    return NULL;
}

static json_t *json_of(struct reading *r, struct str text)
{
    struct str clean = utf8_repair(r->a, text);
    return json_stringn(clean.n ? clean.p : "", clean.n);
}

// What we know of the payload: "_" beside its members.
static json_t *ours_of(struct reading *r, const json_t *payload, struct str fallback)
{
    json_t *ours = json_object();
    (void)json_object_set_new(ours, "event", json_of(r, r->out->event));
    (void)json_object_set_new(ours, "profile", json_string(r->p->name));
    (void)json_object_set_new(ours, "text", json_of(r, fallback));
    if (payload && !json_is_object(payload))
        (void)json_object_set(ours, "payload", (json_t *)(uintptr_t)payload);
    return ours;
}

static struct str render_in(struct reading *r, const struct mustache *m, json_t *context)
{
    struct errmsg msg = {""};
    struct strbuf out;
    strbuf_init(&out, WEBHOOK_TEXT_MAX);
    enum err e = mustache_render(m, context, NULL, &out, &msg);
    struct str text = e == ERR_OK ? styling_clean(r->a, arena_dup(r->a, str_trim(strbuf_view(&out)))) : STR_NONE;
    if (e != ERR_OK) {
        r->template_failed = true;
        reading_warn(r, "the template failed: %s", msg.text);
    } else if (str_empty(text))
        reading_warn(r, "the template rendered nothing");
    strbuf_finish(&out);
    return text;
}

// Empty when there is no template, or it fails or has nothing to say. One that failed is not tried again for the other
// posts of the request: it would take its whole time for each.
static struct str render(struct reading *r, const json_t *payload, struct str fallback)
{
    const struct mustache *m = template_for(r->settings, r->out->event);
    if (!m || r->template_failed)
        return STR_NONE;
    // The payload is ours: "_" is put into it for this time, which takes no copy of a large one.
    json_t *context = json_is_object(payload) ? json_incref((json_t *)(uintptr_t)payload) : json_object();
    json_t *kept = json_incref(json_object_get(context, "_"));
    (void)json_object_set_new(context, "_", ours_of(r, payload, fallback));
    struct str text = render_in(r, m, context);
    if (kept)
        (void)json_object_set_new(context, "_", kept);
    else
        (void)json_object_del(context, "_");
    json_decref(context);
    return text;
}

void reading_body(struct reading *r, struct webhook_post *post, const json_t *context, struct str fallback)
{
    if (str_empty(fallback) && post->file_count == 0 && context) {
        struct say s;
        say_begin(&s, r->a);
        say_json(&s, context);
        fallback = say_end(&s);
        r->out->generic = true;
    }
    struct str text = render(r, context, fallback);
    post->body = str_empty(text) ? fallback : text;
    if (str_empty(str_trim(post->body)) && post->file_count == 0)
        reading_fail(r, 422, "no_text", "", "nothing in it can be said");
}

struct webhook_post *reading_say(struct reading *r, struct say *s)
{
    struct webhook_post *post = reading_post(r);
    struct str text = say_end(s);
    if (post)
        reading_body(r, post, r->json, text);
    return post;
}

void reading_generic(struct reading *r)
{
    struct say s;
    r->out->generic = true;
    say_begin(&s, r->a);
    if (r->json)
        say_json(&s, r->json);
    struct webhook_post *post = reading_say(r, &s);
    if (post)
        reading_key(r, post, STR_NONE, false);
}

/* Keys */

static struct str key_cut(struct arena *a, struct str key)
{
    uint8_t digest[32];
    key = styling_clean(a, key);
    if (key.n <= WEBHOOK_KEY_MAX)
        return arena_dup(a, key);
    hash_sha256(key, digest);
    return hash_hex(a, digest, sizeof(digest));
}

void reading_key(struct reading *r, struct webhook_post *post, struct str key, bool final)
{
    if (r->settings->update == WEBHOOK_UPDATE_OFF)
        return;
    if (r->settings->update == WEBHOOK_UPDATE_PATH) {
        json_t *v = json_at(r->json, r->settings->key_path);
        key = json_is_string(v) || json_is_number(v) ? json_text(r->a, v) : STR_NONE;
    }
    if (str_empty(key))
        return;
    post->key = key_cut(r->a, key);
    post->mode = WEBHOOK_UPSERT;
    post->final = final;
}

/* Wishes */

void reading_nick(struct reading *r, struct webhook_post *post, struct str nick)
{
    post->nick = utf8_display(r->a, utf8_cut(nick, 8 * (size_t)WEBHOOK_NICK_MAX), WEBHOOK_NICK_MAX);
}

void reading_avatar(struct reading *r, struct webhook_post *post, struct str url)
{
    if (say_url_good(url))
        post->avatar = arena_dup(r->a, url);
}

void reading_to(struct reading *r, struct webhook_post *post, struct str to)
{
    struct str *list;
    to = str_trim(to);
    if (str_empty(to) || to.n > 1024 || post->to_count >= WEBHOOK_TO_MAX)
        return;
    if (post->to_count == 0)
        post->to = arena_zalloc(r->a, WEBHOOK_TO_MAX, sizeof(*post->to));
    list = (struct str *)(uintptr_t)post->to;
    list[post->to_count++] = arena_dup(r->a, styling_clean(r->a, to));
}

void reading_file_url(struct reading *r, struct webhook_post *post, struct str url, struct str name, struct str type)
{
    struct webhook_file *list;
    if (!say_url_good(url) || post->file_count >= WEBHOOK_FILES_MAX)
        return;
    if (post->file_count == 0)
        post->files = arena_zalloc(r->a, WEBHOOK_FILES_MAX, sizeof(*post->files));
    list = (struct webhook_file *)(uintptr_t)post->files;
    list[post->file_count++] = (struct webhook_file){.url = arena_dup(r->a, url),
                                                     .name = reading_filename(r->a, name),
                                                     .type = arena_dup(r->a, utf8_cut(type, 128))};
}

void reading_delivery(struct reading *r, struct str id)
{
    if (str_empty(r->out->delivery) && id.n > 0)
        r->out->delivery = key_cut(r->a, id);
}

/* Earlier messages */

bool reading_earlier(struct reading *r)
{
    bool patch = str_eq_c(r->in->method, "PATCH"), delete = str_eq_c(r->in->method, "DELETE");
    bool named = r->segment_count == 2 && str_eq_c(r->segments[0], "messages") && r->segments[1].n <= 256;
    if (!patch && !delete &&r->segment_count == 0)
        return true;
    if (!patch && !delete)
        reading_fail(r, named ? 405 : 404, NULL, "", "no such path behind the hook's");
    else if (!named)
        reading_fail(r, 404, NULL, "", "%s goes to messages/{id} behind the hook's path", patch ? "PATCH" : "DELETE");
    else if (patch)
        return true;
    else {
        struct webhook_post *post = reading_post(r);
        post->act = WEBHOOK_RETRACT;
        post->id = arena_dup(r->a, r->segments[1]);
    }
    return false;
}

void reading_corrected(struct reading *r)
{
    if (!str_eq_c(r->in->method, "PATCH") || r->out->count == 0 || r->out->problem.status != 0)
        return;
    r->out->count = 1;
    r->out->posts[0].act = WEBHOOK_REPLACE;
    r->out->posts[0].id = arena_dup(r->a, r->segments[1]);
}

bool reading_ready(struct reading *r)
{
    if (r->segment_count > 0)
        reading_fail(r, 404, NULL, "", "no such path behind the hook's");
    else if (!r->json && str_empty(str_trim(r->body)))
        reading_fail(r, 400, NULL, "", "the body is empty: JSON is expected");
    else if (!r->json)
        webhook_read_form(r);
    else
        return true;
    return false;
}
