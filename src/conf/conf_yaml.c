/* YAML to a tree of untyped values, from the events of libfyaml: no document of the library is built, so its anchors,
 * aliases, merges and tags never act. They are refused, as is what could be had at a small price in the file and a
 * large one in memory. */
#include "conf/conf_value.h"

#include "base/map.h"
#include "base/utf8.h"

#include <libfyaml.h>

struct reader {
    struct conf_tree *tree;
    struct conf_source *source;
    struct conf_report *report;
    struct conf_value *root;
    struct conf_value *stack[CONF_DEPTH_MAX]; // the open lists and maps
    unsigned depth;
    struct str key; // of the value to come, in a map
    struct conf_place key_place;
    bool have_key;
    size_t values;
    size_t documents;
};

__attribute__((format(printf, 3, 4))) static bool fail(struct reader *r, struct conf_place place, const char *fmt, ...)
{
    struct errmsg msg;
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(msg.text, sizeof msg.text, fmt, ap);
    va_end(ap);
    conf_report_add(r->report, true, r->source, place, "%s", msg.text);
    return false;
}

static struct conf_place span(const struct fy_mark *from, const struct fy_mark *to)
{
    if (!from || from->line < 0)
        return CONF_NOWHERE;
    size_t n = to && to->input_pos > from->input_pos ? to->input_pos - from->input_pos : 1;
    return (struct conf_place){(uint32_t)from->input_pos, (uint32_t)n};
}

static struct conf_place event_place(struct fy_event *e)
{
    return span(fy_event_start_mark(e), fy_event_end_mark(e));
}

static struct conf_place token_place(struct fy_token *t)
{
    return span(fy_token_start_mark(t), fy_token_end_mark(t));
}

// With the '&' or '*', which the library's mark leaves out.
static struct conf_place with_sigil(struct conf_place place)
{
    return place.at && place.at != UINT32_MAX ? (struct conf_place){place.at - 1, place.n + 1} : place;
}

static struct conf_value *top(const struct reader *r)
{
    return r->depth ? r->stack[r->depth - 1] : NULL;
}

static bool wants_key(const struct reader *r)
{
    return r->depth && top(r)->node == CONF_NODE_MAP && !r->have_key;
}

// A new value at its place in the tree.
static struct conf_value *value_add(struct reader *r, enum conf_node node, struct conf_place place)
{
    struct conf_value *v = ARENA_NEW(&r->tree->arena, struct conf_value);
    *v = (struct conf_value){.type = CONF_ANY, .node = node, .given = true, .set = true, .tree = r->tree};
    v->key = r->have_key ? r->key_place : CONF_NOWHERE;
    v->name = r->have_key ? r->key : STR_NONE;
    const struct conf_place fallback = r->have_key ? r->key_place : (struct conf_place){0, 1};
    v->place = place.at == UINT32_MAX ? fallback : place;
    r->have_key = false;
    if (top(r))
        conf_value_add(&r->tree->arena, top(r), v);
    else
        r->root = v;
    return v;
}

static bool open_container(struct reader *r, struct fy_event *e, enum conf_node node)
{
    if (wants_key(r))
        return fail(r, event_place(e), "a name is expected here, not a %s", node == CONF_NODE_MAP ? "map" : "list");
    if (r->depth == CONF_DEPTH_MAX)
        return fail(r, event_place(e), "nested more than %d deep", CONF_DEPTH_MAX);
    r->stack[r->depth] = value_add(r, node, event_place(e));
    r->depth++;
    return true;
}

static bool on_sequence(struct reader *r, struct fy_event *e)
{
    return open_container(r, e, CONF_NODE_LIST);
}

static bool on_mapping(struct reader *r, struct fy_event *e)
{
    return open_container(r, e, CONF_NODE_MAP);
}

// Both stay in the tree, so that what is wrong in either is told as well.
static void check_twins(struct reader *r, const struct conf_value *v)
{
    struct map seen;
    map_init(&seen);
    for (size_t i = 0; i < v->count; i++) {
        struct conf_value *member = v->members[i];
        if (map_put(&seen, member->name, member))
            fail(r, member->key, "'" STR_FMT "' is given twice", STR_ARG(utf8_cut(member->name, 64)));
    }
    map_finish(&seen);
}

static bool is_flow(const struct reader *r, const struct conf_value *v)
{
    char c = v && v->place.at < r->source->n ? r->source->text[v->place.at] : 0;
    return c == '[' || c == '{';
}

static bool on_end(struct reader *r, struct fy_event *e)
{
    struct conf_value *v = r->stack[--r->depth];
    struct conf_place end = event_place(e);
    if (is_flow(r, v) && end.at != UINT32_MAX && end.at > v->place.at)
        v->place.n = end.at + 1 - v->place.at;
    if (v->node == CONF_NODE_MAP)
        check_twins(r, v);
    return true;
}

static bool is_null(struct fy_token *t, struct str text)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    if (t && fy_token_scalar_style(t) != FYSS_PLAIN)
        return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (str_eq_c(text, words[i]))
            return true;
    }
    return false;
}

static bool take_key(struct reader *r, struct str text, struct conf_place place)
{
    if (place.at == UINT32_MAX || !text.n)
        return fail(r, place.at == UINT32_MAX ? top(r)->place : place, "a name is missing before the ':'");
    if (str_eq_c(text, "<<"))
        return fail(r, place, "merging with '<<' is not supported: write the options out");
    r->key = arena_dup(&r->tree->arena, text);
    r->key_place = place;
    r->have_key = true;
    return true;
}

// The library's mark leaves out the quotes, and takes in the indentation of a block scalar.
static struct conf_place scalar_place(const struct reader *r, struct fy_event *e)
{
    struct conf_place place = event_place(e);
    enum fy_scalar_style style = fy_token_scalar_style(e->scalar.value);
    if ((style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED) && place.at > 0 && place.at < r->source->n)
        return (struct conf_place){place.at - 1, (uint32_t)fy_event_end_mark(e)->input_pos - place.at + 2};
    while (place.at < r->source->n && place.n > 1 && r->source->text[place.at] == ' ') {
        place.at++;
        place.n--;
    }
    return place;
}

static bool on_scalar(struct reader *r, struct fy_event *e)
{
    size_t n = 0;
    const char *p = fy_token_get_text(e->scalar.value, &n);
    struct str text = {p ? p : "", p ? n : 0};
    struct conf_place place = scalar_place(r, e);
    if (str_find(text, '\0') >= 0 || !utf8_valid(text))
        return fail(r, place, "the text holds a character that is not allowed");
    if (wants_key(r))
        return take_key(r, text, place);
    bool null = is_null(e->scalar.value, text);
    struct conf_value *v = value_add(r, null ? CONF_NODE_NULL : CONF_NODE_SCALAR, place);
    v->text = arena_dup(&r->tree->arena, text);
    return true;
}

static bool on_alias(struct reader *r, struct fy_event *e)
{
    return fail(r, with_sigil(event_place(e)), "aliases are not supported: write the value out");
}

static bool on_document(struct reader *r, struct fy_event *e)
{
    (void)e;
    r->documents++;
    return true;
}

static bool (*const handlers[])(struct reader *r, struct fy_event *e) = {
    [FYET_DOCUMENT_START] = on_document,
    [FYET_MAPPING_START] = on_mapping,
    [FYET_MAPPING_END] = on_end,
    [FYET_SEQUENCE_START] = on_sequence,
    [FYET_SEQUENCE_END] = on_end,
    [FYET_SCALAR] = on_scalar,
    [FYET_ALIAS] = on_alias,
};

static bool handle(struct reader *r, struct fy_event *e)
{
    if ((size_t)e->type >= sizeof handlers / sizeof *handlers || !handlers[e->type])
        return true;
    if (r->documents > 1 && e->type != FYET_DOCUMENT_START)
        return fail(r, event_place(e), "there may be only one document in the file");
    struct fy_token *anchor = fy_event_get_anchor_token(e);
    if (anchor && e->type != FYET_ALIAS)
        return fail(r, with_sigil(token_place(anchor)), "anchors are not supported");
    struct fy_token *tag = fy_event_get_tag_token(e);
    if (tag)
        return fail(r, token_place(tag), "tags are not supported");
    if (++r->values > CONF_VALUES_MAX)
        return fail(r, event_place(e), "more than %d values", CONF_VALUES_MAX);
    return handlers[e->type](r, e);
}

// Where the library saw the error; an open bracket is pointed at rather than the end of the file.
static struct conf_place error_place(const struct reader *r, const struct fy_diag_error *error)
{
    size_t line = error->line > 0 ? (size_t)error->line : 1;
    size_t column = error->column > 0 ? (size_t)error->column : 1;
    size_t at = conf_source_offset(r->source, line, column);
    bool at_end = str_empty(str_trim((struct str){r->source->text + at, r->source->n - at}));
    if (at_end && is_flow(r, top(r)))
        return top(r)->place;
    return (struct conf_place){(uint32_t)at, 1};
}

// Always false.
static bool report_syntax(struct reader *r, struct fy_diag *diag)
{
    void *at = NULL;
    bool told = false;
    for (struct fy_diag_error *error; (error = fy_diag_errors_iterate(diag, &at));) {
        if (error->type != FYET_ERROR)
            continue;
        struct conf_place place = error_place(r, error);
        conf_report_add(r->report, true, r->source, place, "%s", error->msg);
        told = true;
    }
    return told ? false : fail(r, CONF_NOWHERE, "this is not YAML 1.2");
}

static struct fy_diag *diag_create(void)
{
    struct fy_diag_cfg cfg;
    fy_diag_cfg_default(&cfg);
    cfg.fp = NULL;
    cfg.colorize = false;
    struct fy_diag *diag = fy_diag_create(&cfg);
    if (!diag)
        err_fatal("libfyaml: out of memory");
    fy_diag_set_collect_errors(diag, true);
    return diag;
}

static bool run(struct reader *r, struct fy_parser *parser)
{
    bool ok = true;
    for (struct fy_event *e; ok && (e = fy_parser_parse(parser));) {
        ok = handle(r, e);
        fy_parser_event_free(parser, e);
    }
    return ok;
}

static bool parse(struct reader *r)
{
    struct fy_diag *diag = diag_create();
    const struct fy_parse_cfg cfg = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG, .diag = diag};
    struct fy_parser *parser = fy_parser_create(&cfg);
    if (!parser || fy_parser_set_string(parser, r->source->text, r->source->n))
        err_fatal("libfyaml: out of memory");
    bool ok = run(r, parser);
    if (ok && fy_parser_get_stream_error(parser))
        ok = report_syntax(r, diag);
    fy_parser_destroy(parser);
    fy_diag_destroy(diag);
    return ok;
}

// Bytes that the library would pass over or end at.
static bool check_bytes(struct reader *r)
{
    struct str text = {r->source->text, r->source->n};
    for (size_t at = 0; at < text.n;) {
        struct conf_place place = {(uint32_t)at, 1};
        uint32_t c = utf8_next(text, &at);
        if (c == UINT32_MAX)
            return fail(r, place, "not UTF-8");
        if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || (c >= 0x7f && c < 0xa0))
            return fail(r, place, "control character U+%04X", (unsigned)c);
    }
    return true;
}

struct conf_value *conf_yaml_read(struct conf_tree *tree, struct conf_source *s, struct conf_report *report)
{
    struct reader r = {.tree = tree, .source = s, .report = report};
    if (s->n > CONF_FILE_MAX && !fail(&r, CONF_NOWHERE, "larger than %d bytes", CONF_FILE_MAX))
        return NULL;
    if (!check_bytes(&r) || !parse(&r))
        return NULL;
    return r.root ? r.root : value_add(&r, CONF_NODE_NULL, CONF_NOWHERE);
}
