/* Reading the tree: what the program asks of its configuration. */
#include "conf/conf_value.h"

struct conf_value *conf_value_member(const struct conf_value *v, const char *name)
{
    for (size_t i = 0; i < v->count; i++) {
        if (str_eq_c(v->members[i]->name, name))
            return v->members[i];
    }
    return NULL;
}

void conf_value_add(struct arena *a, struct conf_value *to, struct conf_value *member)
{
    if (to->count == to->room) {
        size_t room = to->room ? 2 * to->room : 4;
        struct conf_value **members = arena_zalloc(a, room, sizeof(struct conf_value *));
        if (to->count)
            memcpy(members, to->members, to->count * sizeof(struct conf_value *));
        to->members = members;
        to->room = room;
    }
    member->parent = to;
    to->members[to->count++] = member;
}

static size_t offset_in(const struct conf_value *list, const struct conf_value *v)
{
    size_t i = 0;
    while (i < list->count && list->members[i] != v)
        i++;
    return i;
}

void conf_value_path(const struct conf_value *v, unsigned last, struct strbuf *out)
{
    if (!v->parent)
        return;
    bool in_list = v->parent->node == CONF_NODE_LIST;
    if (in_list || last != 1)
        conf_value_path(v->parent, last && !in_list ? last - 1 : last, out);
    if (in_list) {
        strbuf_printf(out, "[%zu]", offset_in(v->parent, v));
        return;
    }
    if (out->n)
        strbuf_char(out, '.');
    strbuf_str(out, v->name);
}

const struct conf_item *conf_tables_next(const struct conf_tables *t, size_t *at)
{
    size_t own = 0;
    while (t->own && t->own[own].name)
        own++;
    size_t i = (*at)++;
    if (i < own)
        return &t->own[i];
    const struct conf_item *item = t->picked ? &t->picked[i - own] : NULL;
    return item && item->name ? item : NULL;
}

const struct conf_item *conf_tables_find(const struct conf_tables *t, struct str name)
{
    size_t at = 0;
    for (const struct conf_item *item; (item = conf_tables_next(t, &at));) {
        if (str_eq_c(name, item->name))
            return item;
    }
    return NULL;
}

const char *const *conf_tables_types(const struct conf_item *named)
{
    const struct conf_tables t = {named->sub, NULL};
    const struct conf_item *by = named->pick ? conf_tables_find(&t, str_c(named->pick_by)) : NULL;
    return by ? by->values : NULL;
}

const struct conf_value *conf_get(const struct conf_value *map, const char *name)
{
    const struct conf_value *v = conf_value_member(map, name);
    if (!v)
        err_fatal("conf: no schema has the option '%s' here", name);
    return v;
}

bool conf_is_set(const struct conf_value *v)
{
    return v->set;
}

struct str conf_str(const struct conf_value *v)
{
    return v->set && v->text.p ? v->text : STR("");
}

const char *conf_cstr(const struct conf_value *v)
{
    return v->set && v->text.p ? v->text.p : NULL;
}

int64_t conf_int(const struct conf_value *v)
{
    bool whole = v->type == CONF_INT || v->type == CONF_SPAN || v->type == CONF_SIZE;
    return v->set && whole ? v->i : 0;
}

double conf_real(const struct conf_value *v)
{
    return v->set && v->type == CONF_REAL ? v->d : (double)conf_int(v);
}

bool conf_bool(const struct conf_value *v)
{
    return v->set && v->type == CONF_BOOL && v->b;
}

unsigned conf_enum(const struct conf_value *v)
{
    return v->set && v->type == CONF_ENUM ? v->e : 0;
}

struct str conf_host(const struct conf_value *v)
{
    return v->set && v->type == CONF_ADDRESS ? v->host : STR("");
}

uint16_t conf_port(const struct conf_value *v)
{
    return v->set && v->type == CONF_ADDRESS ? v->port : 0;
}

const struct conf_value *conf_each(const struct conf_value *v, size_t *at)
{
    return *at < v->count ? v->members[(*at)++] : NULL;
}

struct str conf_name(const struct conf_value *v)
{
    return v->name;
}

size_t conf_count(const struct conf_value *v)
{
    return v->count;
}

bool conf_is_text(const struct conf_value *v)
{
    return v->node == CONF_NODE_SCALAR;
}

bool conf_is_list(const struct conf_value *v)
{
    return v->node == CONF_NODE_LIST;
}

bool conf_is_map(const struct conf_value *v)
{
    return v->node == CONF_NODE_MAP;
}

// The member of b that stands for a's i-th: at the same offset in a list, of the same name in a map.
static const struct conf_value *counterpart(const struct conf_value *a, size_t i, const struct conf_value *b)
{
    struct str name = a->members[i]->name;
    if (i < b->count && (a->node == CONF_NODE_LIST || str_eq(b->members[i]->name, name)))
        return b->members[i];
    return a->node == CONF_NODE_LIST ? NULL : conf_value_member(b, name.p);
}

static bool scalar_equal(const struct conf_value *a, const struct conf_value *b)
{
    switch (a->type) {
    case CONF_INT:
    case CONF_SPAN:
    case CONF_SIZE:
        return a->i == b->i;
    case CONF_REAL:
        return !(a->d < b->d || a->d > b->d);
    case CONF_BOOL:
        return a->b == b->b;
    case CONF_ADDRESS:
        return a->port == b->port && str_eq(a->host, b->host);
    default:
        return str_eq(a->text, b->text);
    }
}

static bool leaf_equal(const struct conf_value *a, const struct conf_value *b)
{
    bool container = a->type == CONF_LIST || a->type == CONF_MAP || a->type == CONF_NAMED;
    if (container)
        return true; // given empty or not given
    return a->set == b->set && a->node == b->node && (!a->set || scalar_equal(a, b));
}

bool conf_equal(const struct conf_value *a, const struct conf_value *b)
{
    if (a->type != b->type || a->count != b->count)
        return false;
    if (a->count == 0)
        return leaf_equal(a, b);
    if (a->type == CONF_ANY && a->node != b->node)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct conf_value *other = counterpart(a, i, b);
        if (!other || !conf_equal(a->members[i], other))
            return false;
    }
    return true;
}

const struct conf_value *conf_needs_restart(const struct conf_value *before, const struct conf_value *after)
{
    const struct conf_value *found = NULL;
    if (after->item && (after->item->flags & CONF_RESTART))
        return conf_equal(before, after) ? NULL : after;
    if (after->type != CONF_MAP && after->type != CONF_NAMED)
        return NULL;
    for (size_t i = 0; i < after->count && !found; i++) {
        const struct conf_value *old = counterpart(after, i, before);
        found = old ? conf_needs_restart(old, after->members[i]) : NULL;
    }
    return found;
}
