/* Discord's webhooks: content and embeds, files beside them, and messages that are changed or taken back later. */
#include "adapters/webhook/webhook_profile_private.h"

#include "text/markdown.h"

enum { EMBEDS = 10, FIELDS = 25 }; // as Discord has it

static struct str markdown(struct arena *a, struct str text)
{
    struct markdown_options options = {.discord = true};
    return str_trim(markdown_styled(a, text, &options, NULL));
}

static void say_text(struct say *s, struct str text)
{
    text = markdown(s->a, text);
    if (str_empty(text))
        return;
    say_break(s);
    say_styled(s, text);
    say_raw(s, "\n");
}

static void say_titled(struct say *s, struct str title, struct str url, bool bold)
{
    if (str_empty(str_trim(title)))
        return;
    say_break(s);
    if (bold)
        say_bold(s, title);
    else
        say_line(s, title, SAY_TITLE);
    say_link(s, url);
    say_raw(s, "\n");
}

static void say_fields(struct say *s, const json_t *fields)
{
    json_t *one;
    size_t i;
    json_array_foreach(fields, i, one)
    {
        struct str name = say_oneline(s->a, say_at(s->a, one, "name"), SAY_TITLE);
        struct str value = markdown(s->a, say_at(s->a, one, "value"));
        if (i >= FIELDS) {
            say_more(s, json_array_size(fields) - i);
            return;
        }
        say_break(s);
        if (!str_empty(name) && !str_eq_c(name, "\xe2\x80\x8b")) { // Discord needs a name: U+200B stands for none
            say_bold(s, arena_printf(s->a, STR_FMT ":", STR_ARG(name)));
            say_raw(s, str_find(value, '\n') >= 0 ? "\n" : " ");
        }
        say_styled(s, value);
        say_raw(s, "\n");
    }
}

static void say_embed(struct reading *r, struct say *s, struct webhook_post *post, const json_t *embed)
{
    struct arena *a = r->a;
    say_titled(s, say_at(a, embed, "author.name"), say_at(a, embed, "author.url"), false);
    say_titled(s, say_at(a, embed, "title"), say_at(a, embed, "url"), true);
    say_text(s, say_at(a, embed, "description"));
    say_fields(s, json_object_get(embed, "fields"));
    struct str footer = say_oneline(a, say_at(a, embed, "footer.text"), 120);
    if (!str_empty(footer)) {
        say_break(s);
        say_raw(s, "_");
        say_value(s, footer);
        say_raw(s, str_find(footer, '_') >= 0 ? "\n" : "_\n");
    }
    reading_file_url(r, post, say_at(a, embed, "image.url"), STR_NONE, STR_NONE);
    reading_file_url(r, post, say_at(a, embed, "thumbnail.url"), STR_NONE, STR_NONE);
}

static void say_message(struct reading *r, struct say *s, struct webhook_post *post)
{
    const json_t *embeds = json_object_get(r->json, "embeds");
    json_t *one;
    size_t i;
    say_text(s, say_at(r->a, r->json, "content"));
    json_array_foreach(embeds, i, one)
    {
        if (i >= EMBEDS) {
            say_more(s, json_array_size(embeds) - i);
            return;
        }
        say_embed(r, s, post, one);
    }
    const json_t *components = json_object_get(r->json, "components");
    json_array_foreach(components, i, one)
    {
        struct str text = say_at(r->a, one, "content"); // a text display
        say_text(s, text);
    }
}

static void wishes(struct reading *r, struct webhook_post *post)
{
    static const char *const threads[] = {"thread_id", "thread_name", NULL};
    struct str thread = http_form_get(r->query, r->query_count, "thread_id");
    struct str wait = http_form_get(r->query, r->query_count, "wait");
    reading_nick(r, post, say_at(r->a, r->json, "username"));
    reading_avatar(r, post, say_at(r->a, r->json, "avatar_url"));
    post->thread = say_oneline(r->a, str_empty(thread) ? say_any(r->a, r->json, threads) : thread, 128);
    r->out->wait = str_eq_c(wait, "true") || str_eq_c(wait, "1");
}

void webhook_read_discord(struct reading *r)
{
    struct webhook_post *post;
    struct say s;
    if (!reading_earlier(r))
        return;
    if (!r->json && r->field_count > 0)
        r->json = json_incref(reading_context(r));
    if (!json_is_object(r->json) && r->part_count == 0) {
        reading_fail(r, 400, "invalid_payload", "", "The request body contains invalid JSON.");
        return;
    }
    post = reading_post(r);
    say_begin(&s, r->a);
    say_message(r, &s, post);
    struct str text = say_end(&s);
    wishes(r, post);
    reading_files(r, post);
    bool known = !r->json || json_object_size(r->json) == 0 || json_object_get(r->json, "content") ||
                 json_object_get(r->json, "embeds");
    if (str_empty(text) && post->file_count == 0 && known) {
        reading_fail(r, 400, "no_text", "/content", "Cannot send an empty message");
        return;
    }
    reading_body(r, post, r->json, text);
    reading_key(r, post, STR_NONE, false);
    reading_corrected(r);
}
