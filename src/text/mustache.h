/* Mustache templates on JSON values: the mustache(5) specification 1.x without its optional modules (no lambdas, no
 * inheritance, no dynamic names), with filters.
 *
 *   {{name}}        the value, escaped     {{{name}}} {{&name}}   as it is
 *   {{#name}}..{{/name}}  for each element, or once when there is a value; {{^name}}..{{/name}} when there is none
 *   {{! comment }}  {{> partial}}  {{=<% %>=}}  {{.}}  {{a.b.c}}; a number picks an element: {{alerts.0.status}}
 *
 * No value: absent, null, false, "" and [] (the specification leaves "" open; senders have it for "none").
 * Filters follow a name, in order: {{name|trim|truncate:80|default:no name}}; an argument in double quotes may hold
 * "|". upper lower trim    of letters: ASCII               line        line ends and runs of white space as one space
 *   default:TEXT        when there is no value          truncate:N  at most N characters, the last one "…"
 *   date[:FORM]         RFC 3339 or Unix time as "2026-11-21 08:30 UTC"; FORM: iso, day, time
 *   json                compact JSON                    urlencode   RFC 3986, all but unreserved characters
 *   short[:N]           the first N characters (7)      count       of elements, members or characters
 *   pairs               an object as "a=1, b=2"         code quote  styled so (XEP-0393), not escaped any more
 *
 * A render reads nothing but its arguments, and ends: the work is counted. */
#ifndef SPANDREL_TEXT_MUSTACHE_H
#define SPANDREL_TEXT_MUSTACHE_H

#include "base/err.h"
#include "base/strbuf.h"

#include <jansson.h>

struct mustache;

// 0 stands for the default.
struct mustache_limits {
    size_t source;  // bytes of a template: 64 KiB
    size_t output;  // bytes added by one render: 64 KiB
    unsigned depth; // sections within sections, partials within partials: 64, which is also the most
    size_t steps;   // of one render: tags, look-ups and, 8 as one, bytes of values: 50,000, under 5 ms
};

// Adds the value to `out` so that it is no markup; false when it does not fit.
typedef bool mustache_escape_fn(void *ctx, struct strbuf *out, struct str value);
// The template of this name, borrowed for the render; NULL when there is none, which renders as nothing.
typedef const struct mustache *mustache_partial_fn(void *ctx, struct str name);

// What a render needs from outside; a NULL pointer or zeroes stand for the defaults.
struct mustache_env {
    mustache_escape_fn *escape; // NULL: styling_value(), message styling
    void *escape_ctx;
    mustache_partial_fn *partial; // NULL: there are none
    void *partial_ctx;
};

// Compiles; the source is copied. `limits` may be NULL. NULL with "line 3, column 7: ..." in *msg when the template is
// faulty: a tag or section that is not closed, an unknown filter, a bound.
struct mustache *mustache_compile(struct str source, const struct mustache_limits *limits, struct errmsg *msg);
void mustache_destroy(struct mustache *m);

// Adds the rendered text to `out`. ERR_LIMIT, with the bound that was met in *msg, when it was not rendered to its end:
// what was rendered until then is in `out`, ends at a character and may be used. `env` and `msg` may be NULL; `context`
// is only read.
enum err mustache_render(const struct mustache *m, json_t *context, const struct mustache_env *env, struct strbuf *out,
                         struct errmsg *msg) MUST_CHECK;

#endif
