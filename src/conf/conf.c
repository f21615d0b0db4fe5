/* From a file to a tree: read, parse, bind; all or nothing. */
#include "conf/conf_value.h"

static struct conf_tree *tree_create(struct conf_source *takes)
{
    struct conf_tree *tree = MEM_NEW(struct conf_tree);
    arena_init(&tree->arena, 0);
    tree->source = takes;
    return tree;
}

static void tree_destroy(struct conf_tree *tree)
{
    for (size_t i = 0; i < tree->secret_count; i++) {
        char *bytes = (char *)(uintptr_t)tree->secrets[i].p;
        mem_wipe(bytes, tree->secrets[i].n);
        mem_free(bytes);
    }
    mem_free(tree->secrets);
    conf_source_unref(tree->source);
    arena_finish(&tree->arena);
    mem_free(tree);
}

static struct conf_value *load(struct conf_source *takes, const struct conf_item *schema, struct conf_report *r)
{
    struct conf_tree *tree = tree_create(takes);
    size_t before = conf_errors(r);
    tree->root = conf_yaml_read(tree, tree->source, r);
    if (tree->root)
        conf_bind(tree, schema, r);
    else
        conf_bind_hide_names(tree->source, schema);
    if (conf_errors(r) == before)
        return tree->root;
    tree_destroy(tree);
    return NULL;
}

struct conf_value *conf_parse(struct str text, const char *name, const struct conf_item *schema, struct conf_report *r)
{
    return load(conf_source_create(name, text), schema, r);
}

struct conf_value *conf_load(const char *path, const struct conf_item *schema, struct conf_report *r)
{
    struct strbuf text;
    struct errmsg msg;
    bool exposed = false;
    struct conf_value *root = NULL;
    strbuf_init(&text, CONF_FILE_MAX + 8192);
    if (conf_source_slurp(path, CONF_FILE_MAX, false, &text, &exposed, &msg)) {
        struct conf_source *s = conf_source_create(path, STR_NONE);
        conf_report_add(r, true, s, CONF_NOWHERE, "%s", msg.text);
        conf_source_unref(s);
    } else {
        struct conf_source *s = conf_source_create(path, strbuf_view(&text));
        s->exposed = exposed;
        root = load(s, schema, r);
        mem_wipe(text.p, text.n);
    }
    strbuf_finish(&text);
    return root;
}

void conf_destroy(struct conf_value *root)
{
    if (root)
        tree_destroy(root->tree);
}
