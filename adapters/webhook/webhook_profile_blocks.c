/* Slack's Block Kit: what of it is to be read, in order; what can only be clicked is left out, but for links. */
#include "adapters/webhook/webhook_profile_private.h"

#include "text/markdown.h"
#include "text/slack_markup.h"

struct blocks {
    struct reading *r;
    struct say *s;
    struct webhook_post *post;
};

static struct str type_of(const json_t *value)
{
    const json_t *type = json_object_get(value, "type");
    return (struct str){json_string_value(type), json_string_length(type)};
}

// A text object, or a mere string.
static struct str text_object(struct arena *a, const json_t *text)
{
    struct slack_markup_options options = {.plain = !str_eq_c(type_of(text), "mrkdwn")};
    struct str source = json_is_string(text) ? say_at(a, text, "") : say_at(a, text, "text");
    return str_trim(slack_markup_styled(a, source, &options));
}

static void say_block_text(struct blocks *b, struct str text)
{
    if (str_empty(text))
        return;
    say_break(b->s);
    say_styled(b->s, text);
    say_raw(b->s, "\n");
}

/* Rich text */

static bool style(const json_t *element, const char *name)
{
    return json_is_true(json_object_get(json_object_get(element, "style"), name));
}

static void say_run(struct say *s, const json_t *element)
{
    struct str text = say_at(s->a, element, "text"), inner = str_trim(text);
    const char *mark = style(element, "bold")     ? "*"
                       : style(element, "italic") ? "_"
                       : style(element, "strike") ? "~"
                                                  : "";
    bool blank = str_empty(inner), lines = str_find(inner, '\n') >= 0;
    if (style(element, "code") && !blank && !lines) {
        say_code(s, inner);
    } else if (*mark == '\0' || blank || lines || str_find(inner, *mark) >= 0) {
        say_value(s, text);
    } else { // blanks stand outside of the marks
        say_styled(s, str_sub(text, 0, (size_t)(inner.p - text.p)));
        say_raw(s, mark);
        say_value(s, inner);
        say_raw(s, mark);
        say_styled(s, str_sub(text, (size_t)(inner.p - text.p) + inner.n, text.n));
    }
}

static void say_rich_link(struct say *s, const json_t *element)
{
    struct str url = say_at(s->a, element, "url"), text = say_at(s->a, element, "text");
    if (!str_empty(text) && !str_eq(text, url)) {
        say_value(s, text);
        say_link(s, url);
    } else
        say_value(s, url);
}

static void say_emoji(struct say *s, const json_t *element)
{
    struct str name = say_at(s->a, element, "name"), emoji = slack_markup_emoji(name);
    if (emoji.n > 0)
        say_styled(s, emoji);
    else
        say_value(s, arena_printf(s->a, ":" STR_FMT ":", STR_ARG(say_oneline(s->a, name, 60))));
}

static void say_reference(struct say *s, const json_t *element)
{
    static const char *const ids[] = {"user_id", "channel_id", "usergroup_id", "range", "team_id", NULL};
    say_raw(s, json_object_get(element, "channel_id") ? "#" : "@");
    say_line(s, say_any(s->a, element, ids), 60);
}

static void say_plain(struct say *s, const json_t *element)
{
    static const char *const texts[] = {"text", "fallback", "value", NULL};
    say_value(s, say_any(s->a, element, texts));
}

static const struct element {
    const char *type;
    void (*say)(struct say *s, const json_t *element);
} elements[] = {
    {"broadcast", say_reference}, {"channel", say_reference}, {"color", say_plain}, {"date", say_plain},
    {"emoji", say_emoji},         {"link", say_rich_link},    {"text", say_run},    {"user", say_reference},
    {"usergroup", say_reference},
};

static void say_section(struct say *s, const json_t *section)
{
    json_t *one;
    size_t i;
    json_array_foreach(json_object_get(section, "elements"), i, one)
    {
        const struct element *e =
            reading_find(elements, sizeof(elements) / sizeof(elements[0]), sizeof(elements[0]), type_of(one));
        if (e)
            e->say(s, one);
        else
            say_plain(s, one);
    }
}

static struct str section_text(struct arena *a, const json_t *section)
{
    struct say s;
    say_begin(&s, a);
    say_section(&s, section);
    return say_end(&s);
}

static void say_rich_list(struct blocks *b, const json_t *list)
{
    bool ordered = str_eq_c(say_at(b->r->a, list, "style"), "ordered");
    const json_t *indent = json_object_get(list, "indent");
    unsigned depth =
        json_integer_value(indent) > 0 && json_integer_value(indent) < 8 ? (unsigned)json_integer_value(indent) : 0;
    json_t *one;
    size_t i;
    json_array_foreach(json_object_get(list, "elements"), i, one)
    {
        say_break(b->s);
        for (unsigned n = 0; n < depth; n++)
            say_raw(b->s, "  ");
        say_styled(b->s, ordered ? arena_printf(b->r->a, "%zu. ", i + 1) : STR("- "));
        say_section(b->s, one);
        say_raw(b->s, "\n");
    }
}

static void say_rich_text(struct blocks *b, const json_t *block)
{
    struct arena *a = b->r->a;
    json_t *one;
    size_t i;
    json_array_foreach(json_object_get(block, "elements"), i, one)
    {
        struct str type = type_of(one);
        if (str_eq_c(type, "rich_text_list")) {
            say_rich_list(b, one);
        } else if (str_eq_c(type, "rich_text_quote")) {
            say_quote_styled(b->s, section_text(a, one));
        } else if (str_eq_c(type, "rich_text_preformatted")) {
            say_break(b->s);
            (void)styling_block(&b->s->styling, &b->s->out, STR_NONE, section_text(a, one));
        } else
            say_block_text(b, section_text(a, one));
    }
}

/* Blocks */

static void say_header(struct blocks *b, const json_t *block)
{
    struct str text = text_object(b->r->a, json_object_get(block, "text"));
    if (str_empty(text))
        return;
    say_break(b->s);
    say_bold(b->s, text);
    say_raw(b->s, "\n");
}

static void say_button(struct blocks *b, const json_t *button)
{
    struct str url = say_at(b->r->a, button, "url");
    if (!say_url_good(url))
        return;
    say_break(b->s);
    say_line(b->s, text_object(b->r->a, json_object_get(button, "text")), 80);
    say_link(b->s, url);
    say_raw(b->s, "\n");
}

static void take_image(struct blocks *b, const json_t *image)
{
    struct arena *a = b->r->a;
    struct str alt = say_at(a, image, "alt_text"), url = say_at(a, image, "image_url");
    if (!say_url_good(url))
        url = say_at(a, image, "slack_file.url");
    reading_file_url(b->r, b->post, url, alt, STR_NONE);
}

static void say_accessory(struct blocks *b, const json_t *accessory)
{
    if (json_object_get(accessory, "image_url"))
        take_image(b, accessory);
    else
        say_button(b, accessory);
}

static void say_section_block(struct blocks *b, const json_t *block)
{
    json_t *field;
    size_t i;
    say_block_text(b, text_object(b->r->a, json_object_get(block, "text")));
    json_array_foreach(json_object_get(block, "fields"), i, field)
    {
        if (i >= SAY_ITEMS)
            break;
        say_block_text(b, text_object(b->r->a, field));
    }
    say_accessory(b, json_object_get(block, "accessory"));
}

static void say_divider(struct blocks *b, const json_t *block)
{
    (void)block;
    if (b->s->out.n == 0) // it would divide nothing
        return;
    say_break(b->s);
    say_raw(b->s, "———\n");
}

static void say_context(struct blocks *b, const json_t *block)
{
    json_t *one;
    size_t i, n = 0;
    say_break(b->s);
    json_array_foreach(json_object_get(block, "elements"), i, one)
    {
        struct str text = json_object_get(one, "image_url") ? STR_NONE : text_object(b->r->a, one);
        if (str_empty(text))
            continue;
        say_raw(b->s, n++ > 0 ? " | " : "");
        say_styled(b->s, text);
    }
    say_break(b->s);
}

static void say_image(struct blocks *b, const json_t *block)
{
    struct str title = text_object(b->r->a, json_object_get(block, "title"));
    say_block_text(b, str_empty(title) ? styling_escape(b->r->a, say_at(b->r->a, block, "alt_text")) : title);
    take_image(b, block);
}

static void say_actions(struct blocks *b, const json_t *block)
{
    json_t *one;
    size_t i;
    json_array_foreach(json_object_get(block, "elements"), i, one) say_button(b, one);
}

static void say_markdown(struct blocks *b, const json_t *block)
{
    say_block_text(b, markdown_styled(b->r->a, say_at(b->r->a, block, "text"), NULL, NULL));
}

static void say_video(struct blocks *b, const json_t *block)
{
    struct arena *a = b->r->a;
    say_break(b->s);
    say_bold(b->s, text_object(a, json_object_get(block, "title")));
    say_link(b->s, say_at(a, block, "title_url"));
    say_break(b->s);
    say_block_text(b, text_object(a, json_object_get(block, "description")));
}

static const struct block {
    const char *type;
    void (*say)(struct blocks *b, const json_t *block);
} kinds[] = {
    {"actions", say_actions},     {"context", say_context},       {"divider", say_divider},
    {"header", say_header},       {"image", say_image},           {"markdown", say_markdown},
    {"rich_text", say_rich_text}, {"section", say_section_block}, {"video", say_video},
};

void webhook_slack_blocks(struct reading *r, struct say *s, struct webhook_post *post, const json_t *blocks)
{
    struct blocks b = {r, s, post};
    json_t *one;
    size_t i;
    json_array_foreach(blocks, i, one)
    {
        const struct block *kind =
            reading_find(kinds, sizeof(kinds) / sizeof(kinds[0]), sizeof(kinds[0]), type_of(one));
        if (kind)
            kind->say(&b, one);
        else
            say_section_block(&b, one); // a kind that is new may have a text
    }
}
