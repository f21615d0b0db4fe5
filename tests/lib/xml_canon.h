/* Stanzas in one form, so that two texts can be compared: attributes sorted, namespaces where they change, and in what
 * is expected a '*' for any text. */
#ifndef SPANDREL_TESTS_XML_CANON_H
#define SPANDREL_TESTS_XML_CANON_H

#include "base/strbuf.h"
#include "xml/xml_reader.h"

#define CANON_HEADER                                                                                                   \
    "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' id='1'>"

#define CANON_UNUSED __attribute__((unused))

static void canon_escape(struct strbuf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '&' || s.p[i] == '<' || s.p[i] == '\'')
            strbuf_printf(b, "&#%d;", s.p[i]);
        else
            strbuf_char(b, s.p[i]);
    }
}

static const struct xml_attr *canon_next_attr(const struct xml_node *n, const struct xml_attr *before)
{
    const struct xml_attr *best = NULL;
    for (const struct xml_attr *a = n->attrs; a; a = a->next) {
        bool later = !before || str_cmp(a->name, before->name) > 0;
        if (later && (!best || str_cmp(a->name, best->name) < 0))
            best = a;
    }
    return best;
}

static void canon_open(struct strbuf *b, const struct xml_node *n, struct str ns)
{
    strbuf_printf(b, "<" STR_FMT, STR_ARG(n->name));
    if (!str_eq(n->ns, ns))
        strbuf_printf(b, " xmlns='" STR_FMT "'", STR_ARG(n->ns));
    for (const struct xml_attr *a = canon_next_attr(n, NULL); a; a = canon_next_attr(n, a)) {
        strbuf_printf(b, " " STR_FMT "='", STR_ARG(a->name));
        canon_escape(b, a->value);
        strbuf_char(b, '\'');
    }
    strbuf_char(b, '>');
}

static void canon_node(struct strbuf *b, const struct xml_node *n, struct str ns)
{
    canon_open(b, n, ns);
    canon_escape(b, n->text);
    for (const struct xml_node *child = n->first; child; child = child->next)
        canon_node(b, child, n->ns);
    strbuf_printf(b, "</" STR_FMT ">", STR_ARG(n->name));
}

static void canon_ignore_node(void *ud, const struct xml_node *n)
{
    (void)ud;
    (void)n;
}

static void canon_ignore(void *ud)
{
    (void)ud;
}

static void canon_stanza(void *ud, const struct xml_node *stanza)
{
    canon_node(ud, stanza, STR("jabber:component:accept"));
}

// Appends the stanzas in `text` to `out`; false when our own reader does not take them.
static CANON_UNUSED bool canon_text(struct str text, struct strbuf *out)
{
    static const struct xml_reader_events events = {canon_ignore_node, canon_stanza, canon_ignore_node, canon_ignore};
    struct xml_reader *r = xml_reader_create(&(struct xml_limits){0}, &events, out);
    bool ok = !xml_reader_feed(r, STR(CANON_HEADER), NULL) && !xml_reader_feed(r, text, NULL);
    xml_reader_destroy(r);
    return ok;
}

// A '*' in the pattern stands for any text.
static CANON_UNUSED bool canon_match(const char *pattern, const char *text)
{
    const char *star = NULL, *from = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            from = text;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

#endif
