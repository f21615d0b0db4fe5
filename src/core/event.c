#include "core/event.h"

#include <assert.h>

static const char *const event_names[] = {
#define EVENT_NAME(name, text) text,
    EVENT_LIST(EVENT_NAME)
#undef EVENT_NAME
};

static const char *const show_names[] = {"offline", "xa", "away", "online", "chat", "dnd"};

static const struct {
    enum right right;
    const char *name;
} rights[] = {
    {RIGHT_SEE, "see"},         {RIGHT_READ, "read"},         {RIGHT_SEND, "send"},
    {RIGHT_COMMAND, "command"}, {RIGHT_REGISTER, "register"}, {RIGHT_ADMIN, "admin"},
};

enum { RIGHT_COUNT = sizeof rights / sizeof *rights };

const char *event_name(enum event_kind kind)
{
    assert((unsigned)kind < EV_COUNT);
    return event_names[kind];
}

const char *show_name(enum show show)
{
    assert((unsigned)show < sizeof show_names / sizeof *show_names);
    return show_names[show];
}

const char *right_name(enum right right)
{
    for (size_t i = 0; i < RIGHT_COUNT; i++) {
        if (rights[i].right == right)
            return rights[i].name;
    }
    return "none";
}

static unsigned right_of(struct str word)
{
    for (size_t i = 0; i < RIGHT_COUNT; i++) {
        if (str_eq_c(word, rights[i].name))
            return rights[i].right;
    }
    return 0;
}

bool right_parse(struct str text, unsigned *out, struct str *bad)
{
    unsigned all = 0;
    struct str word;
    while (str_word(&text, &word)) {
        struct str part;
        for (bool more = true; more;) {
            more = str_cut(word, ',', &part, &word);
            unsigned right = right_of(part);
            if (!right && !str_empty(part)) {
                *bad = part;
                return false;
            }
            all |= right;
        }
    }
    *out = all;
    return true;
}

static void copy_str(struct arena *a, struct str *s)
{
    if (!str_empty(*s))
        *s = arena_dup(a, *s);
}

static void copy_jid(struct arena *a, struct jid *j)
{
    copy_str(a, &j->local);
    copy_str(a, &j->domain);
    copy_str(a, &j->resource);
}

static const struct event_field *copy_fields(struct arena *a, const struct event_field *fields, size_t count)
{
    if (!count)
        return NULL;
    struct event_field *copy = arena_zalloc(a, count, sizeof *copy);
    for (size_t i = 0; i < count; i++) {
        copy[i] = fields[i];
        copy_str(a, &copy[i].name);
        copy_str(a, &copy[i].value);
    }
    return copy;
}

struct event *event_copy(struct arena *a, const struct event *ev)
{
    struct event *copy = ARENA_NEW(a, struct event);
    *copy = *ev;
    copy_jid(a, &copy->user);
    copy_jid(a, &copy->to);
    struct str *const strings[] = {&copy->key,  &copy->id,      &copy->body,  &copy->nick,    &copy->name,
                                   &copy->wish, &copy->cls,     &copy->group, &copy->command, &copy->media,
                                   &copy->url,  &copy->replace, &copy->reply, &copy->blob,    &copy->rule};
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
        copy_str(a, strings[i]);
    copy->fields = copy_fields(a, ev->fields, ev->field_count);
    return copy;
}
