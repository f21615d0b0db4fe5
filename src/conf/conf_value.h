/* What the files of this layer share: the source text, values in the making, and how they report. Not for others. */
#ifndef SPANDREL_CONF_VALUE_H
#define SPANDREL_CONF_VALUE_H

#include "base/arena.h"
#include "base/mem.h"
#include "conf/conf.h"

enum {
    CONF_FILE_MAX = 1 << 20,
    CONF_SECRET_MAX = 1 << 16,
    CONF_DEPTH_MAX = 16,
    CONF_VALUES_MAX = 100000,
    CONF_NAME_MAX = 32, // of a key of CONF_NAMED
};

// A span of the source text, in bytes.
struct conf_place {
    uint32_t at;
    uint32_t n;
};

#define CONF_NOWHERE ((struct conf_place){UINT32_MAX, 0})

// The text of a file, kept as long as a value or a message speaks of it.
struct conf_source {
    unsigned refs;
    bool exposed; // all users of the machine may read the file
    char *name;   // as it stands in messages
    char *dir;    // absolute: what relative paths begin at
    char *text;
    size_t n;
};

enum conf_node { CONF_NODE_NULL, CONF_NODE_SCALAR, CONF_NODE_LIST, CONF_NODE_MAP };

struct conf_value {
    const struct conf_item *item; // NULL inside of CONF_ANY
    enum conf_type type;
    enum conf_node node;
    bool given; // stands in the file
    bool set;   // given, or by default
    struct conf_tree *tree;
    const struct conf_value *parent;
    struct conf_place place;
    struct conf_place key; // CONF_NOWHERE outside of a map
    struct str name;
    struct str text; // of a scalar, NUL-terminated
    struct conf_value **members;
    size_t count, room;
    union {
        int64_t i;
        double d;
        bool b;
        unsigned e;
        struct {
            struct str host;
            uint16_t port;
        };
    };
};

struct conf_tree {
    struct arena arena;
    struct conf_source *source;
    struct str *secrets; // owned, as are their bytes; wiped at the end
    size_t secret_count;
    struct conf_value *root;
};

// conf_source.c
// Reads a file of at most `max` bytes. With `regular`, anything but a regular file is refused. *exposed: others may
// read it. ERR_LIMIT when it is larger.
enum err conf_source_slurp(const char *path, size_t max, bool regular, struct strbuf *out, bool *exposed,
                           struct errmsg *msg) MUST_CHECK;
// Copies the text, without a byte order mark; `name` also tells the directory.
struct conf_source *conf_source_create(const char *name, struct str text);
struct conf_source *conf_source_ref(struct conf_source *s);
void conf_source_unref(struct conf_source *s); // NULL is fine
// The directory a path in the file is relative to, with it: absolute, in the arena.
struct str conf_source_path(const struct conf_source *s, struct arena *a, struct str path);
// Hides a span from every message to come: a secret, or what may be one.
void conf_source_mask(struct conf_source *s, struct conf_place place);
// Line and column (characters, both from 1) of an offset.
void conf_source_locate(const struct conf_source *s, size_t at, size_t *line, size_t *column);
// The offset of a line and column, at most the length of the text.
size_t conf_source_offset(const struct conf_source *s, size_t line, size_t column);
// Writes the line that holds the place, and a line with a caret under it.
void conf_source_show(const struct conf_source *s, struct conf_place place, struct strbuf *out);

// conf_report.c
void conf_report_add(struct conf_report *r, bool error, struct conf_source *s, struct conf_place place, const char *fmt,
                     ...) __attribute__((format(printf, 5, 6)));
// At the key of a value rather than at itself.
struct conf_place conf_report_key(const struct conf_value *v);

// conf_yaml.c
// Reads the one document of `s` into the tree's arena. NULL when the report got an error. An empty document gives a
// null node.
struct conf_value *conf_yaml_read(struct conf_tree *tree, struct conf_source *s, struct conf_report *r);

// conf_bind.c
// Gives every value its type by the schema; errors go to the report.
void conf_bind(struct conf_tree *tree, const struct conf_item *schema, struct conf_report *r);
// For a file that could not be read as YAML: hides what follows the name of a secret in its line.
void conf_bind_hide_names(struct conf_source *s, const struct conf_item *schema);

// conf_scalar.c
// Reads v->text as v->type; false when it is no such thing. A secret is only taken as it stands.
bool conf_scalar_parse(struct conf_value *v, const struct conf_item *item);
// What an item wants, for people: "a number from 1 to 65535".
void conf_scalar_expect(enum conf_type type, const struct conf_item *item, struct strbuf *out);
void conf_scalar_range(enum conf_type type, const struct conf_item *item,
                       struct strbuf *out); // ", from 1s to 5m" or nothing
// "a, b or c"
void conf_scalar_words(const char *const *words, struct strbuf *out);
bool conf_scalar_is_name(struct str s); // of CONF_NAMED

// conf_secret.c
// Loads what a CONF_SECRET points to; reports and returns false when that fails.
bool conf_secret_load(struct conf_value *v, struct conf_report *r);
// Whether the text only says where the secret is.
bool conf_secret_is_reference(struct str text);

// conf_value.c
// "main.port", "topics[1]": where a value is; `last` parts at most, 0 for all.
void conf_value_path(const struct conf_value *v, unsigned last, struct strbuf *out);
// The member of that name, or NULL.
struct conf_value *conf_value_member(const struct conf_value *v, const char *name);
void conf_value_add(struct arena *a, struct conf_value *to, struct conf_value *member);

// The schema of one map: its own table, and the one that a member picked; either may be NULL.
struct conf_tables {
    const struct conf_item *own, *picked;
};

// The items of both tables, one after the other: start with *at = 0; NULL at the end.
const struct conf_item *conf_tables_next(const struct conf_tables *t, size_t *at);
const struct conf_item *conf_tables_find(const struct conf_tables *t, struct str name);
// The words that `pick_by` may be, ended by NULL; NULL when the table does not tell.
const char *const *conf_tables_types(const struct conf_item *named);

#endif
