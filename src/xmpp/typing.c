#include "xmpp/typing.h"

#include "xmpp/ns.h"

static const char *const names[] = {
    [TYPING_ACTIVE] = "active",     [TYPING_COMPOSING] = "composing", [TYPING_PAUSED] = "paused",
    [TYPING_INACTIVE] = "inactive", [TYPING_GONE] = "gone",
};

const char *typing_name(enum typing typing)
{
    return names[typing];
}

bool typing_read(const struct xml_node *message, enum typing *out)
{
    for (const struct xml_node *n = message->first; n; n = n->next) {
        if (!str_eq_c(n->ns, NS_CHATSTATES))
            continue;
        for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
            if (str_eq_c(n->name, names[i])) {
                *out = (enum typing)i;
                return true;
            }
        }
    }
    return false;
}
