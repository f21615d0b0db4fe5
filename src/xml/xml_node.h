/* The tree of one stanza, in an arena: read-only after the reader made it. */
#ifndef SPANDREL_XML_NODE_H
#define SPANDREL_XML_NODE_H

#include "base/arena.h"

struct xml_attr {
    struct str ns; // empty for an attribute without a prefix
    struct str name;
    struct str value;
    struct xml_attr *next;
};

struct xml_node {
    struct str ns, name;
    struct str text; // all character data that stands directly in it, joined
    struct xml_attr *attrs;
    struct xml_node *parent, *next;
    struct xml_node *first, *last; // children
};

bool xml_is(const struct xml_node *n, const char *ns, const char *name); // false for NULL
struct str xml_attr(const struct xml_node *n, const char *name); // without namespace; empty when absent (or n is NULL)
bool xml_has_attr(const struct xml_node *n, const char *name);
const struct xml_node *xml_child(const struct xml_node *n, const char *ns, const char *name); // first such; NULL
struct str xml_child_text(const struct xml_node *n, const char *ns, const char *name);        // "" when absent

#endif
