#include "xml/xml_node.h"

bool xml_is(const struct xml_node *n, const char *ns, const char *name)
{
    return n && str_eq_c(n->name, name) && str_eq_c(n->ns, ns);
}

static const struct xml_attr *find_attr(const struct xml_node *n, const char *name)
{
    const struct xml_attr *a = n ? n->attrs : NULL;
    while (a && !(a->ns.n == 0 && str_eq_c(a->name, name)))
        a = a->next;
    return a;
}

struct str xml_attr(const struct xml_node *n, const char *name)
{
    const struct xml_attr *a = find_attr(n, name);
    return a ? a->value : STR("");
}

bool xml_has_attr(const struct xml_node *n, const char *name)
{
    return find_attr(n, name);
}

const struct xml_node *xml_child(const struct xml_node *n, const char *ns, const char *name)
{
    const struct xml_node *child = n ? n->first : NULL;
    while (child && !xml_is(child, ns, name))
        child = child->next;
    return child;
}

struct str xml_child_text(const struct xml_node *n, const char *ns, const char *name)
{
    const struct xml_node *child = xml_child(n, ns, name);
    return child && child->text.n ? child->text : STR("");
}
