#include "xmpp/stream_error.h"

#include "xmpp/ns.h"

#include <stdlib.h>

struct verdict {
    enum component_retry retry;
    enum err err;
    const char *advice;
};

static const char our_fault[] = "the server did not accept a stanza of ours: a fault of this program, please report it";
static const char wrong_port[] = "is this a port for components? Prosody: component_ports (5347); ejabberd: a listener "
                                 "with module ejabberd_service; "
                                 "Openfire: 5275";
static const char wrong_domain[] = "the server does not know this domain as a component. Prosody: add Component "
                                   "\"<domain>\" with component_secret and restart it; "
                                   "ejabberd: add it under hosts of the ejabberd_service listener; Openfire: allow it "
                                   "under External Components. Or is this "
                                   "not the component port?";
static const char wrong_secret[] = "the secret is wrong, or the domain. Prosody: component_secret of this Component; "
                                   "ejabberd says the same for both: check the "
                                   "domain under hosts of the ejabberd_service listener, and its password; Openfire: "
                                   "the secret under External Components";
static const char ghost[] =
    "another connection holds this domain, maybe an earlier one of ours that the server still believes in. Prosody: "
    "component_conflict_resolve = \"kick_old\" lets the new one in; Openfire: close the old session";
static const char replaced[] = "another instance has taken over this domain: two programs are configured for it, stop "
                               "one of them (Prosody prefers the newest "
                               "where component_conflict_resolve says so)";
static const char own_domain[] =
    "the server serves this domain itself: give the component a domain of its own, such as bridge.<domain>";

#define PASSING                                                                                                        \
    {                                                                                                                  \
        COMPONENT_RETRY_NET, ERR_CLOSED, ""                                                                            \
    }
#define FAULT                                                                                                          \
    {                                                                                                                  \
        COMPONENT_RETRY_NET, ERR_PROTO, our_fault                                                                      \
    }
#define PORT                                                                                                           \
    {                                                                                                                  \
        COMPONENT_RETRY_CONFIG, ERR_CONF, wrong_port                                                                   \
    }
#define DOMAIN                                                                                                         \
    {                                                                                                                  \
        COMPONENT_RETRY_CONFIG, ERR_CONF, wrong_domain                                                                 \
    }
#define SECRET                                                                                                         \
    {                                                                                                                  \
        COMPONENT_RETRY_CONFIG, ERR_AUTH, wrong_secret                                                                 \
    }

// Sorted by condition.
static const struct ending {
    const char *condition;
    struct verdict early, late; // before the handshake was done, and after
} endings[] = {
    {"bad-format", DOMAIN, FAULT},
    {"bad-namespace-prefix", PORT, FAULT},
    {"conflict", {COMPONENT_RETRY_GHOST, ERR_EXISTS, ghost}, {COMPONENT_RETRY_REPLACED, ERR_EXISTS, replaced}},
    {"connection-timeout", PASSING, PASSING},
    {"host-gone", DOMAIN, DOMAIN},
    {"host-unknown", DOMAIN, DOMAIN},
    {"improper-addressing", DOMAIN, FAULT},
    {"internal-server-error",
     {COMPONENT_RETRY_CONFIG, ERR_CONF, "see the server's log; Openfire: is a secret set under External Components?"},
     PASSING},
    {"invalid-from", DOMAIN, FAULT},
    {"invalid-namespace", PORT, FAULT},
    {"invalid-xml", PORT, FAULT},
    {"not-authorized", SECRET, SECRET},
    {"not-well-formed", PORT, FAULT},
    {"policy-violation",
     {COMPONENT_RETRY_CONFIG, ERR_FORBIDDEN, "the server's rules refuse this connection: see its log"},
     FAULT},
    {"remote-connection-failed", PASSING, PASSING},
    {"reset", PASSING, PASSING},
    {"resource-constraint", PASSING, PASSING},
    {"restricted-xml", PORT, FAULT},
    {"see-other-host",
     {COMPONENT_RETRY_CONFIG, ERR_CONF, "the server sends components elsewhere: change `server`"},
     PASSING},
    {"system-shutdown", PASSING, PASSING},
    {"undefined-condition", PASSING, PASSING},
    {"unsupported-encoding", PORT, FAULT},
    {"unsupported-stanza-type", PORT, FAULT},
    {"unsupported-version", PORT, FAULT},
};

static int compare(const void *key, const void *entry)
{
    return str_cmp(*(const struct str *)key, str_c(((const struct ending *)entry)->condition));
}

bool stream_error_is(const struct xml_node *n)
{
    return xml_is(n, NS_STREAM, "error");
}

static struct str condition_of(const struct xml_node *error)
{
    for (const struct xml_node *n = error->first; n; n = n->next) {
        if (str_eq_c(n->ns, NS_STREAM_ERRORS) && !str_eq_c(n->name, "text"))
            return n->name;
    }
    return STR("undefined-condition");
}

// ejabberd's words for a component that claims a domain which the server itself serves.
static bool claims_a_local_domain(const struct stream_ending *e)
{
    return str_eq_c(e->condition, "conflict") && str_find_str(e->text, STR("existing local domain")) >= 0;
}

struct stream_ending stream_error_read(const struct xml_node *error, bool up)
{
    static const struct verdict passing = PASSING, claimed = {COMPONENT_RETRY_CONFIG, ERR_CONF, own_domain};
    struct stream_ending e = {.condition = condition_of(error),
                              .text = xml_child_text(error, NS_STREAM_ERRORS, "text")};
    const struct ending *found =
        bsearch(&e.condition, endings, sizeof endings / sizeof *endings, sizeof *endings, compare);
    const struct verdict *v = found ? up ? &found->late : &found->early : &passing;
    if (!up && claims_a_local_domain(&e))
        v = &claimed;
    e.retry = v->retry;
    e.err = v->err;
    e.advice = v->advice;
    return e;
}
