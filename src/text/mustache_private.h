/* A compiled template, for the files of Mustache alone. */
#ifndef SPANDREL_TEXT_MUSTACHE_PRIVATE_H
#define SPANDREL_TEXT_MUSTACHE_PRIVATE_H

#include "base/arena.h"
#include "text/mustache.h"
#include "text/styling.h"

enum { MUSTACHE_DEPTH = 64 };

// What an argument of a filter is.
enum filter_argument {
    ARGUMENT_NONE,
    ARGUMENT_TEXT,
    ARGUMENT_NUMBER,     // needed
    ARGUMENT_NUMBER_MAY, // may be left out
    ARGUMENT_FORM,       // one of the names of dates
};

// A value on its way through the filters.
struct filter_value {
    json_t *json;    // borrowed; NULL: absent, or `text` holds it
    struct str text; // what a filter gave
    bool is_text;
    size_t work; // bytes that were read, since it was last counted
    enum filter_style {
        STYLE_VALUE, // to be escaped
        STYLE_CODE,
        STYLE_QUOTE,
    } style;
};

struct filter_use;

struct filter {
    const char *name;
    enum filter_argument argument;
    uint64_t number; // for one that is left out
    void (*apply)(struct arena *a, const struct filter_use *use, size_t max, struct filter_value *v);
};

struct filter_use {
    const struct filter *filter;
    struct str text; // the argument
    uint64_t number;
};

// NULL when there is none of this name.
const struct filter *filter_find(struct str name);
// Reads the argument into *use, whose filter is set; what is wrong with it, or NULL.
const char *filter_argument_read(struct filter_use *use, bool given, struct str text);
// "upper, lower, ..." for messages.
struct str filter_names(struct arena *a);
// The value as text of at most `max` bytes, cut at a character; counted as work.
struct str filter_text(struct arena *a, struct filter_value *v, size_t max);
// True for a value that sections render.
bool filter_is_value(const json_t *json);

enum node_kind {
    NODE_TEXT,
    NODE_VALUE,
    NODE_RAW,
    NODE_SECTION,
    NODE_INVERTED,
    NODE_PARTIAL,
};

struct node {
    enum node_kind kind;
    bool line_start;   // text: begins a line of the template
    struct str text;   // the text, the name, or the partial's name
    struct str indent; // partial: alone on its line, behind this
    size_t end;        // section: the node behind its last
    size_t filters;    // value: the first in the template's list
    size_t filter_count;
};

struct mustache {
    struct str source; // owned; nodes hold slices of it
    struct mustache_limits limits;
    struct node *nodes; // owned
    size_t node_count, node_cap;
    struct filter_use *filters; // owned
    size_t filter_count, filter_cap;
};

#endif
