/* Renders compiled Mustache templates. */
#include "base/utf8.h"
#include "text/mustache_private.h"

enum { BYTES_A_STEP = 8 };

// The values that names are looked up in, innermost first.
struct frame {
    json_t *value;
    const struct frame *parent;
};

// White space before each line of a partial, the outermost last.
struct indent {
    struct str text;
    const struct indent *parent;
};

struct render {
    const struct mustache_env *env;
    const struct mustache_limits *limits;
    struct strbuf *out;
    struct errmsg *msg;
    struct arena arena; // for one tag
    struct styling styling;
    size_t steps;    // that are left
    bool line_ended; // by a block or quotation: the line end of the template is the same
};

// Where a render is: the template, a frame of values and how deep in both.
struct place {
    const struct mustache *m;
    const struct frame *frame;
    const struct indent *indent;
    unsigned depth;
};

static enum err spend(struct render *r, size_t steps)
{
    if (steps > r->steps)
        return err_set(r->msg, ERR_LIMIT, "the template takes more than %zu steps", r->limits->steps);
    r->steps -= steps;
    return ERR_OK;
}

static enum err too_long(struct render *r)
{
    return err_set(r->msg, ERR_LIMIT, "the rendered text has more than %zu bytes", r->limits->output);
}

static enum err write_text(struct render *r, struct str text)
{
    return strbuf_str(r->out, text) ? ERR_OK : too_long(r);
}

static enum err write_indent(struct render *r, const struct indent *in)
{
    enum err e = ERR_OK;
    if (!in)
        return ERR_OK;
    if (in->parent)
        e = write_indent(r, in->parent);
    return e ? e : write_text(r, in->text);
}

static enum err render_text(struct render *r, const struct place *p, const struct node *n)
{
    struct str text = n->text;
    enum err e = n->line_start ? write_indent(r, p->indent) : ERR_OK;
    if (r->line_ended && str_starts(text, STR("\r\n")))
        text = str_sub(text, 2, text.n);
    else if (r->line_ended && str_starts(text, STR("\n")))
        text = str_sub(text, 1, text.n);
    r->line_ended = r->line_ended && n->text.n == 0;
    return e ? e : write_text(r, text);
}

static json_t *member(json_t *value, struct str name)
{
    uint64_t i;
    if (json_is_object(value))
        return json_object_getn(value, name.p, name.n);
    if (json_is_array(value) && str_to_u64(name, &i))
        return i < json_array_size(value) ? json_array_get(value, (size_t)i) : NULL;
    return NULL;
}

// The first part of a name is looked up in all frames, the others in what it gave.
static enum err look_up(struct render *r, const struct place *p, struct str name, json_t **out)
{
    struct str first, rest, part;
    const struct frame *f = p->frame;
    enum err e = spend(r, 1 + name.n / BYTES_A_STEP);
    *out = f->value;
    if (e || str_eq(name, STR(".")))
        return e;
    bool more = str_cut(name, '.', &first, &rest);
    *out = NULL;
    for (; f && !*out && !e; f = f->parent) {
        *out = member(f->value, first);
        e = spend(r, 1);
    }
    while (more && *out && !e) {
        more = str_cut(rest, '.', &part, &rest);
        *out = member(*out, part);
        e = spend(r, 1);
    }
    return e;
}

static enum err write_value(struct render *r, struct filter_value *v, bool raw)
{
    bool ok;
    struct str text = filter_text(&r->arena, v, r->limits->output + 1);
    enum err e = spend(r, 1 + v->work / BYTES_A_STEP);
    r->line_ended = false;
    if (e)
        return e;
    if (v->style == STYLE_CODE)
        ok = styling_code(&r->styling, r->out, text);
    else if (v->style == STYLE_QUOTE)
        ok = styling_quote(&r->styling, r->out, text);
    else if (raw)
        ok = strbuf_str(r->out, styling_clean(&r->arena, text));
    else if (r->env->escape)
        ok = r->env->escape(r->env->escape_ctx, r->out, text);
    else
        ok = styling_value(&r->styling, r->out, text);
    r->line_ended = v->style != STYLE_VALUE && str_ends(strbuf_view(r->out), STR("\n"));
    return ok ? ERR_OK : too_long(r);
}

static enum err render_value(struct render *r, const struct place *p, const struct node *n)
{
    struct filter_value v = {0};
    enum err e = look_up(r, p, n->text, &v.json);
    for (size_t i = 0; i < n->filter_count && !e; i++) {
        const struct filter_use *use = &p->m->filters[n->filters + i];
        use->filter->apply(&r->arena, use, r->limits->output + 1, &v);
        e = spend(r, 1 + v.work / BYTES_A_STEP);
        v.work = 0;
    }
    if (!e)
        e = write_value(r, &v, n->kind == NODE_RAW);
    arena_reset(&r->arena);
    return e;
}

static enum err render_nodes(struct render *r, const struct place *p, size_t from, size_t end);

static enum err render_section(struct render *r, const struct place *p, size_t at)
{
    const struct node *n = &p->m->nodes[at];
    struct frame frame = {NULL, p->frame};
    struct place in = {p->m, &frame, p->indent, p->depth + 1};
    enum err e = look_up(r, p, n->text, &frame.value);
    bool is = filter_is_value(frame.value);
    if (e || is != (n->kind == NODE_SECTION))
        return e;
    if (in.depth > r->limits->depth)
        return err_set(r->msg, ERR_LIMIT, "the template goes deeper than %u", r->limits->depth);
    if (n->kind == NODE_INVERTED) {
        in.frame = p->frame;
        return render_nodes(r, &in, at + 1, n->end);
    }
    json_t *list = frame.value;
    if (!json_is_array(list))
        return render_nodes(r, &in, at + 1, n->end);
    for (size_t i = 0; i < json_array_size(list) && !e; i++) {
        frame.value = json_array_get(list, i);
        e = spend(r, 1);
        e = e ? e : render_nodes(r, &in, at + 1, n->end);
    }
    return e;
}

static enum err render_partial(struct render *r, const struct place *p, const struct node *n)
{
    const struct mustache *m = r->env->partial ? r->env->partial(r->env->partial_ctx, n->text) : NULL;
    struct indent indent = {n->indent, p->indent};
    struct place in = {m, p->frame, str_empty(n->indent) ? p->indent : &indent, p->depth + 1};
    if (!m)
        return ERR_OK;
    if (in.depth > r->limits->depth)
        return err_set(r->msg, ERR_LIMIT, "the template goes deeper than %u", r->limits->depth);
    return render_nodes(r, &in, 0, m->node_count);
}

static enum err render_nodes(struct render *r, const struct place *p, size_t from, size_t end)
{
    enum err e = ERR_OK;
    for (size_t i = from; i < end && !e; i++) {
        const struct node *n = &p->m->nodes[i];
        e = spend(r, 1);
        if (e)
            return e;
        if (n->kind == NODE_TEXT)
            e = render_text(r, p, n);
        else if (n->kind == NODE_PARTIAL)
            e = render_partial(r, p, n);
        else if (n->kind == NODE_VALUE || n->kind == NODE_RAW)
            e = render_value(r, p, n);
        else {
            e = render_section(r, p, i);
            i = n->end - 1;
        }
    }
    return e;
}

enum err mustache_render(const struct mustache *m, json_t *context, const struct mustache_env *env, struct strbuf *out,
                         struct errmsg *msg)
{
    static const struct mustache_env nothing = {0};
    struct render r = {.env = env ? env : &nothing, .limits = &m->limits, .out = out, .msg = msg};
    struct frame root = {context, NULL};
    struct place p = {m, &root, NULL, 0};
    size_t max = out->max;
    if (max - out->n > m->limits.output)
        out->max = out->n + m->limits.output;
    r.steps = m->limits.steps;
    arena_init(&r.arena, 0);
    enum err e = render_nodes(&r, &p, 0, m->node_count);
    arena_finish(&r.arena);
    out->max = max;
    return e;
}
