/* Secrets: from a file, the environment, a systemd credential, or as they stand. They are never part of a message, nor
 * of a line that one shows. */
#include "conf/conf_value.h"

#include <stdlib.h>

struct loader {
    struct conf_value *value;
    struct conf_report *report;
};

static bool fail(const struct loader *l, const char *why)
{
    struct strbuf path;
    strbuf_init(&path, 4096);
    conf_value_path(l->value, 1, &path);
    conf_fail(l->report, l->value, "'" STR_FMT "': %s", STR_ARG(strbuf_view(&path)), why);
    strbuf_finish(&path);
    return false;
}

// Takes a copy that is wiped with the tree; what stood in its place before is wiped now.
static void keep(struct conf_value *v, struct str secret)
{
    struct conf_tree *tree = v->tree;
    tree->secrets = mem_realloc(tree->secrets, tree->secret_count + 1, sizeof *tree->secrets);
    struct str copy = {mem_dup(secret.n ? secret.p : "", secret.n), secret.n};
    tree->secrets[tree->secret_count++] = copy;
    v->text = copy;
}

static struct str without_newline(struct str s)
{
    if (s.n && s.p[s.n - 1] == '\n')
        s.n--;
    if (s.n && s.p[s.n - 1] == '\r')
        s.n--;
    return s;
}

static bool take(const struct loader *l, struct str secret, const char *from)
{
    struct errmsg why;
    secret = without_newline(secret);
    if (!secret.n || str_find(secret, '\0') >= 0) {
        (void)err_set(&why, ERR_CONF, "%s %s", from, secret.n ? "holds a NUL byte" : "is empty");
        return fail(l, why.text);
    }
    keep(l->value, secret);
    return true;
}

static bool load_file(const struct loader *l, struct str path)
{
    if (!path.n)
        return fail(l, "'file:' needs a path behind it");
    struct conf_tree *tree = l->value->tree;
    struct str full = conf_source_path(tree->source, &tree->arena, path);
    struct strbuf text;
    struct errmsg msg;
    bool exposed = false;
    strbuf_init(&text, CONF_SECRET_MAX + 8192);
    bool ok = !conf_source_slurp(full.p, CONF_SECRET_MAX, true, &text, &exposed, &msg) || fail(l, msg.text);
    if (ok && exposed)
        conf_warn(l->report, l->value, "all users of this machine can read " STR_FMT ": chmod o-r it", STR_ARG(full));
    ok = ok && take(l, strbuf_view(&text), full.p);
    if (text.p)
        mem_wipe(text.p, text.cap);
    strbuf_finish(&text);
    return ok;
}

static bool load_env(const struct loader *l, struct str name)
{
    struct errmsg why;
    struct str copy = arena_dup(&l->value->tree->arena, name);
    const char *value = name.n ? getenv(copy.p) : NULL;
    if (value)
        return take(l, str_c(value), "the variable");
    (void)err_set(&why, ERR_CONF, "the environment has no variable '" STR_FMT "'", STR_ARG(copy));
    return fail(l, why.text);
}

static bool load_credential(const struct loader *l, struct str name)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    if (!dir || !*dir)
        return fail(l, "CREDENTIALS_DIRECTORY is not set: see LoadCredential= in systemd.exec(5)");
    if (!name.n || str_find(name, '/') >= 0)
        return fail(l, "'credential:' needs a name without '/' behind it");
    const struct str parts[] = {str_c(dir), STR("/"), name};
    return load_file(l, arena_concat(&l->value->tree->arena, parts, 3));
}

static const struct {
    struct str prefix;
    bool (*load)(const struct loader *l, struct str rest);
} origins[] = {
    {{"credential:", 11}, load_credential},
    {{"env:", 4}, load_env},
    {{"file:", 5}, load_file},
};

bool conf_secret_is_reference(struct str text)
{
    for (size_t i = 0; i < sizeof origins / sizeof *origins; i++) {
        if (str_starts(text, origins[i].prefix))
            return true;
    }
    return false;
}

static bool load_literal(const struct loader *l)
{
    struct conf_value *v = l->value;
    struct conf_tree *tree = v->tree;
    if (!v->text.n)
        return fail(l, "the secret is empty");
    if (v->given && tree->source->exposed) {
        tree->source->exposed = false; // once is enough
        conf_warn(l->report, v,
                  "a secret in a file that all users of this machine can read: chmod o-r it, or use file:");
    }
    struct str literal = v->text;
    keep(v, literal);
    mem_wipe((void *)(uintptr_t)literal.p, literal.n);
    return true;
}

bool conf_secret_load(struct conf_value *v, struct conf_report *r)
{
    const struct loader l = {v, r};
    for (size_t i = 0; i < sizeof origins / sizeof *origins; i++) {
        if (str_starts(v->text, origins[i].prefix))
            return origins[i].load(&l, str_sub(v->text, origins[i].prefix.n, v->text.n));
    }
    return load_literal(&l);
}
