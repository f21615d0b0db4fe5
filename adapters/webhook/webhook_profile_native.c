/* Our own JSON: strict, since who writes it wants to know what is wrong with it. A payload without any member of ours
 * is somebody else's, and said generically. */
#include "adapters/webhook/webhook_profile_private.h"

#include "base/utf8.h"
#include "text/markdown.h"
#include "text/slack_markup.h"

enum { TTL_MAX = 7 * 86400 }; // seconds

struct filling {
    struct reading *r;
    struct webhook_post *post;
    struct str path;   // of the object: "" or "/2"
    struct str format; // of the body
    struct str body;
    struct str key;
    bool mode_said;
};

static bool wrong(struct filling *f, const char *member, const char *what)
{
    struct str pointer = arena_printf(f->r->a, STR_FMT "/%s", STR_ARG(f->path), member);
    reading_fail(f->r, 422, NULL, pointer.p, "%s: %s", member, what);
    return false;
}

static struct str text_of(const json_t *v)
{
    return (struct str){json_string_value(v), json_string_length(v)};
}

// Strings: a member, what it is good for.
static bool take_string(struct filling *f, const char *name, const json_t *v)
{
    struct webhook_post *post = f->post;
    struct arena *a = f->r->a;
    struct str text = text_of(v);
    if (strcmp(name, "body") == 0)
        f->body = text;
    else if (strcmp(name, "format") == 0)
        f->format = text;
    else if (strcmp(name, "subject") == 0)
        post->subject = say_oneline(a, text, SAY_TITLE);
    else if (strcmp(name, "lang") == 0)
        post->lang = utf8_display(a, utf8_cut(text, 64), 35);
    else if (strcmp(name, "nick") == 0)
        reading_nick(f->r, post, text);
    else if (strcmp(name, "thread") == 0)
        post->thread = arena_dup(a, styling_clean(a, utf8_cut(text, 256)));
    else if (strcmp(name, "key") == 0)
        f->key = text;
    else if (strcmp(name, "reply_to") == 0)
        post->reply_to = arena_dup(a, styling_clean(a, utf8_cut(text, 256)));
    return true;
}

static bool string_member(struct filling *f, const char *name, const json_t *v)
{
    if (json_is_null(v))
        return true;
    return json_is_string(v) ? take_string(f, name, v) : wrong(f, name, "not a string");
}

static bool url_member(struct filling *f, const char *name, const json_t *v)
{
    if (json_is_null(v))
        return true;
    if (!json_is_string(v) || !say_url_good(text_of(v)))
        return wrong(f, name, "not an http or https URL");
    reading_avatar(f->r, f->post, text_of(v));
    return true;
}

static bool mode_member(struct filling *f, const char *name, const json_t *v)
{
    static const char *const names[] = {"post", "upsert", "reply", "thread"};
    struct str text = json_is_string(v) ? text_of(v) : STR_NONE;
    if (json_is_null(v))
        return true;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!str_eq_c(text, names[i]))
            continue;
        f->post->mode = (enum webhook_mode)i;
        f->mode_said = true;
        return true;
    }
    return wrong(f, name, "one of post, upsert, reply, thread");
}

static bool replace_member(struct filling *f, const char *name, const json_t *v)
{
    if (json_is_null(v))
        return true;
    if (!json_is_string(v) || json_string_length(v) == 0 || json_string_length(v) > 256)
        return wrong(f, name, "the id of a message, as an answer gave it");
    f->post->act = WEBHOOK_REPLACE;
    f->post->id = arena_dup(f->r->a, text_of(v));
    return true;
}

static bool ttl_member(struct filling *f, const char *name, const json_t *v)
{
    if (json_is_null(v))
        return true;
    if (!json_is_integer(v) || json_integer_value(v) < 1 || json_integer_value(v) > TTL_MAX)
        return wrong(f, name, "seconds, from 1 to 604800");
    f->post->ttl = (int64_t)json_integer_value(v) * 1000;
    return true;
}

static bool hints_member(struct filling *f, const char *name, const json_t *v)
{
    const json_t *store = json_object_get(v, "store");
    if (json_is_null(v))
        return true;
    if (!json_is_object(v) || (store && !json_is_boolean(store)))
        return wrong(f, name, "an object: {\"store\": true or false}");
    f->post->transient = json_is_false(store);
    return true;
}

static bool to_member(struct filling *f, const char *name, const json_t *v)
{
    json_t *one;
    size_t i;
    if (json_is_string(v))
        reading_to(f->r, f->post, text_of(v));
    else if (!json_is_array(v) && !json_is_null(v))
        return wrong(f, name, "a JID, or an array of them");
    if (json_array_size(v) > WEBHOOK_TO_MAX)
        return wrong(f, name, "more than 16 addressees");
    json_array_foreach(v, i, one)
    {
        if (!json_is_string(one))
            return wrong(f, name, "a JID, or an array of them");
        reading_to(f->r, f->post, text_of(one));
    }
    return true;
}

static bool mentions_member(struct filling *f, const char *name, const json_t *v)
{
    struct str *list = arena_zalloc(f->r->a, WEBHOOK_TO_MAX, sizeof(*list));
    json_t *one;
    size_t i;
    if (json_is_null(v))
        return true;
    if (!json_is_array(v) || json_array_size(v) > WEBHOOK_TO_MAX)
        return wrong(f, name, "an array of at most 16 nicks");
    json_array_foreach(v, i, one)
    {
        if (!json_is_string(one))
            return wrong(f, name, "an array of at most 16 nicks");
        list[i] = utf8_display(f->r->a, utf8_cut(text_of(one), 512), WEBHOOK_NICK_MAX);
    }
    f->post->mentions = list;
    f->post->mention_count = json_array_size(v);
    return true;
}

static bool attachments_member(struct filling *f, const char *name, const json_t *v)
{
    struct arena *a = f->r->a;
    json_t *one;
    size_t i;
    if (json_is_null(v))
        return true;
    if (!json_is_array(v) || json_array_size(v) > WEBHOOK_FILES_MAX)
        return wrong(f, name, "an array of at most 16 objects");
    json_array_foreach(v, i, one)
    {
        struct str url = say_at(a, one, "url");
        if (!say_url_good(url))
            return wrong(f, arena_printf(a, "attachments/%zu/url", i).p, "not an http or https URL");
        reading_file_url(f->r, f->post, url, say_at(a, one, "name"), say_at(a, one, "type"));
    }
    return true;
}

static const struct member {
    const char *name;
    bool (*take)(struct filling *f, const char *name, const json_t *v);
} members[] = {
    {"attachments", attachments_member},
    {"avatar", url_member},
    {"body", string_member},
    {"format", string_member},
    {"hints", hints_member},
    {"key", string_member},
    {"lang", string_member},
    {"mentions", mentions_member},
    {"mode", mode_member},
    {"nick", string_member},
    {"replace", replace_member},
    {"reply_to", string_member},
    {"subject", string_member},
    {"thread", string_member},
    {"to", to_member},
    {"ttl", ttl_member},
};

static const struct member *member_find(const char *name)
{
    return reading_find(members, sizeof(members) / sizeof(members[0]), sizeof(members[0]), str_c(name));
}

static bool styled(struct filling *f, struct str *out)
{
    struct arena *a = f->r->a;
    if (str_eq_c(f->format, "markdown"))
        *out = markdown_styled(a, f->body, NULL, NULL);
    else if (str_eq_c(f->format, "slack"))
        *out = slack_markup_styled(a, f->body, NULL);
    else if (str_eq_c(f->format, "plain") || (str_empty(f->format) && f->r->settings->plain))
        *out = styling_escape(a, styling_clean(a, f->body));
    else if (str_eq_c(f->format, "styling") || str_empty(f->format))
        *out = styling_clean(a, f->body);
    else
        return wrong(f, "format", "one of styling, markdown, slack, plain");
    *out = styling_cut(a, arena_dup(a, *out), WEBHOOK_TEXT_MAX);
    return true;
}

static void key_of(struct filling *f, const json_t *payload)
{
    struct webhook_post *post = f->post;
    enum webhook_mode mode = post->mode;
    if (!str_empty(f->key)) {
        // A key that the sender gives counts whatever the hook says of keys.
        struct webhook_settings own = {.update = WEBHOOK_UPDATE_GROUP};
        const struct webhook_settings *kept = f->r->settings;
        f->r->settings = &own;
        reading_key(f->r, post, f->key, false);
        f->r->settings = kept;
    } else if (f->r->settings->update == WEBHOOK_UPDATE_PATH && payload == f->r->json) {
        reading_key(f->r, post, STR_NONE, false);
    }
    if (f->mode_said)
        post->mode = mode;
    else if (!str_empty(post->reply_to) && str_empty(post->key))
        post->mode = WEBHOOK_REPLY;
}

// Whether it has a member of ours that says something; others' payloads may have an empty list (Apprise).
static bool is_ours(const json_t *payload)
{
    const json_t *attachments = json_object_get(payload, "attachments");
    bool empty = json_is_array(attachments) && json_array_size(attachments) == 0 && json_object_size(payload) > 1;
    return json_object_get(payload, "body") || (attachments && !empty) || json_object_get(payload, "replace");
}

static void read_one(struct reading *r, const json_t *payload, struct str path)
{
    struct filling f = {.r = r, .post = reading_post(r), .path = path};
    const char *name;
    json_t *v;
    struct str body;
    if (!f.post)
        return;
    json_object_foreach((json_t *)(uintptr_t)payload, name, v)
    {
        const struct member *m = member_find(name);
        if (!m)
            reading_warn(r, "no member \"%s\"", say_oneline(r->a, str_c(name), 60).p);
        else if (!m->take(&f, name, v))
            return;
    }
    if (!styled(&f, &body))
        return;
    reading_files(r, f.post);
    key_of(&f, payload);
    if (str_empty(str_trim(body)) && f.post->file_count == 0)
        (void)wrong(&f, "body", "nothing to say: neither body nor attachments");
    else
        reading_body(r, f.post, payload, str_empty(str_trim(body)) ? STR_NONE : body);
}

static void read_list(struct reading *r)
{
    json_t *one;
    size_t i;
    json_array_foreach(r->json, i, one)
    {
        if (r->out->problem.status != 0 || i >= WEBHOOK_POSTS_MAX)
            break;
        read_one(r, one, arena_printf(r->a, "/%zu", i));
    }
    if (json_array_size(r->json) > WEBHOOK_POSTS_MAX && r->out->problem.status == 0)
        reading_fail(r, 422, NULL, "", "more than %d messages", WEBHOOK_POSTS_MAX);
}

static bool all_ours(const json_t *list)
{
    json_t *one;
    size_t i;
    json_array_foreach(list, i, one) if (!is_ours(one)) return false;
    return json_array_size(list) > 0;
}

void webhook_read_native(struct reading *r)
{
    if (!reading_earlier(r))
        return;
    if (!r->json && r->field_count + r->part_count > 0)
        webhook_read_form(r);
    else if (!r->json)
        webhook_read_text(r);
    else if (all_ours(r->json))
        read_list(r);
    else if (is_ours(r->json))
        read_one(r, r->json, STR_NONE);
    else if ((json_is_object(r->json) && json_object_size(r->json) == 0) || json_is_null(r->json))
        reading_fail(r, 422, NULL, "/body", "nothing to say: neither body nor attachments");
    else
        reading_generic(r);
    reading_corrected(r);
}
