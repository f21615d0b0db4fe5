/* Configuration: YAML (libfyaml) read through a schema table, the one place where an option is declared. From the same
 * table come the parser, `spandrel check`, the example, the JSON Schema and docs/configuration.md.
 *
 * Errors name file, line and column, show the line with a caret, and suggest the nearest known word. All errors of a
 * file are reported, not the first only. */
#ifndef SPANDREL_CONF_CONF_H
#define SPANDREL_CONF_CONF_H

#include "base/err.h"
#include "base/log.h"
#include "base/strbuf.h"

enum conf_type {
    CONF_STR,  // text
    CONF_INT,  // min..max
    CONF_REAL, // min..max
    CONF_BOOL,
    CONF_SPAN,    // "10s", "5m": milliseconds, min..max
    CONF_SIZE,    // "64kB", "1MB" (1000), "64KiB" (1024): bytes, min..max
    CONF_ENUM,    // one of `values`
    CONF_SECRET,  // "file:/path", "env:NAME", "credential:NAME" (systemd) or the secret itself; loaded by conf_load,
                  // read by conf_str
    CONF_ADDRESS, // "host:port", "[v6]:port" or "host" with the default port in `min`
    CONF_PATH,    // made absolute, relative to the file it stands in
    CONF_LIST,    // of scalars of type `of`, or of maps by `sub` when `of` is CONF_MAP
    CONF_MAP,     // by `sub`
    CONF_NAMED,   // map from names ([a-z][a-z0-9-]{0,31}) to maps by `sub`, or by `pick`
    CONF_ANY      // any YAML, kept as it is: conf_each() and conf_str() walk it
};

enum conf_flag {
    CONF_REQUIRED = 1,
    CONF_RESTART = 2, // a change takes effect only at a restart; otherwise at reload
    CONF_HIDDEN = 4,  // for tests: not in the example, schema and docs
    CONF_OTHER = 8,   // excludes another option that the example shows: stays a comment there when its block is not
};

struct conf_value;
struct conf_report;

struct conf_item {
    const char *name; // NULL ends a table
    enum conf_type type;
    enum conf_type of;         // CONF_LIST
    unsigned flags;            // enum conf_flag
    const char *dflt;          // as it would be written; NULL: not set
    const char *doc;           // one or two sentences, for people
    double min, max;           // both 0: unbounded
    const char *const *values; // CONF_ENUM, NULL-terminated
    const struct conf_item *sub;
    // CONF_NAMED: the sub-table chosen by the member `pick_by` ("type"); unknown gives NULL. `sub` holds what all have
    // in common. When the item `pick_by` in `sub` has `values`, messages suggest from them, and the example, JSON
    // Schema and docs show the options of each.
    const struct conf_item *(*pick)(struct str value);
    const char *pick_by;
    // A further check of one value as it was given (of a list or map as a whole), which has passed the others; reports
    // with conf_fail().
    void (*check)(const struct conf_value *v, struct conf_report *r);
    const char *example; // for the example file, where the default does not show it
};

// Reads and checks a file. Returns an owned tree, or NULL when the report holds an error. Includes: none.
struct conf_value *conf_load(const char *path, const struct conf_item *schema, struct conf_report *r);
// The same from memory; `name` stands in messages.
struct conf_value *conf_parse(struct str text, const char *name, const struct conf_item *schema, struct conf_report *r);
void conf_destroy(struct conf_value *root);

// The member of a map, as given or by its default; never NULL for a name the schema has. Asking for a name it has not
// aborts.
const struct conf_value *conf_get(const struct conf_value *map, const char *name);
bool conf_is_set(const struct conf_value *v);      // given in the file, or has a default
struct str conf_str(const struct conf_value *v);   // STR, ENUM, SECRET, PATH; NUL-terminated; empty when not set
const char *conf_cstr(const struct conf_value *v); // the same; NULL when not set
int64_t conf_int(const struct conf_value *v);      // INT, SPAN (ms), SIZE (bytes)
double conf_real(const struct conf_value *v);
bool conf_bool(const struct conf_value *v);
unsigned conf_enum(const struct conf_value *v);   // offset in `values`
struct str conf_host(const struct conf_value *v); // ADDRESS
uint16_t conf_port(const struct conf_value *v);
// Walks a LIST, MAP, NAMED or ANY: start with *at = 0; NULL at the end. conf_name() is the key (or empty in a list).
const struct conf_value *conf_each(const struct conf_value *v, size_t *at);
struct str conf_name(const struct conf_value *v);
size_t conf_count(const struct conf_value *v);
// What a CONF_ANY is, as it stands in the file; none of them: it has no value.
bool conf_is_text(const struct conf_value *v);
bool conf_is_list(const struct conf_value *v);
bool conf_is_map(const struct conf_value *v);
// Same content, comments, places and written-out defaults aside: for reload.
bool conf_equal(const struct conf_value *a, const struct conf_value *b);
// The first value of `after` that is flagged CONF_RESTART and is not as it was; NULL when all changes can be made at a
// reload. What was added or taken away as a whole (an entry of a CONF_NAMED) counts only by the flag of the map it
// stood in.
const struct conf_value *conf_needs_restart(const struct conf_value *before, const struct conf_value *after);

// Collected messages.
struct conf_report *conf_report_create(void);
void conf_report_destroy(struct conf_report *r);
// An error (or a warning) at the place of a value.
void conf_fail(struct conf_report *r, const struct conf_value *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void conf_warn(struct conf_report *r, const struct conf_value *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
// An error when the file that a CONF_PATH names cannot be read.
void conf_check_file(const struct conf_value *path, struct conf_report *r);
// "did you mean 'x'?" for a later fail at the same place is the caller's: this finds the nearest of `words`
// (NULL-terminated), or NULL.
const char *conf_nearest(struct str word, const char *const *words);
size_t conf_errors(const struct conf_report *r);
size_t conf_warnings(const struct conf_report *r);
// All messages as text: `file:line:column: error: ...`, the line, a caret.
struct str conf_report_text(const struct conf_report *r);

// From the table alone.
void conf_write_example(const struct conf_item *schema, struct strbuf *out);
void conf_write_json_schema(const struct conf_item *schema, struct strbuf *out);
void conf_write_markdown(const struct conf_item *schema, struct strbuf *out);

#endif
