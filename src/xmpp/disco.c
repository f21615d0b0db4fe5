#include "xmpp/disco.h"

#include "base/utf8.h"
#include "xmpp/commands.h"
#include "xmpp/iq_handlers.h"
#include "xmpp/ns.h"
#include "xmpp/rsm.h"

enum {
    ITEMS_MAX = 1000,    // entries in one answer
    ITEMS_BYTES = 65536, // no further entry is begun behind this
    TYPES_MAX = 16,      // adapters' gateway types
    IDENTITIES_MAX = TYPES_MAX + 2,
};

#define G (1u << DISCO_GATEWAY | 1u << DISCO_GATEWAY_REGISTER)
#define R (1u << DISCO_GATEWAY_REGISTER)
#define C (1u << DISCO_CONTACT)
#define M (1u << DISCO_ROOM)

static const struct {
    const char *ns;
    unsigned kinds;
} features[] = {
    // sorted, as XEP-0115 hashes them
    {NS_CAPS, G | C | M},
    {NS_CHATSTATES, C},
    {NS_COMMANDS, G | C | M},
    {NS_DISCO_INFO, G | C | M},
    {NS_DISCO_ITEMS, G | C | M},
    {NS_MUC, M},
    {NS_RSM, G},
    {NS_VALIDATE, G | C | M},
    {NS_GATEWAY, G},
    {NS_LAST, G | C},
    {NS_REGISTER, R},
    {NS_VERSION, G | C},
    {NS_DATA, G | C | M},
    {"muc_open", M},
    {"muc_persistent", M},
    {"muc_semianonymous", M},
    {"muc_unmoderated", M},
    {"muc_unsecured", M},
    {NS_PING, G | C | M},
    {NS_RECEIPTS, C},
    {NS_SID, M},
    {NS_TIME, G},
    {NS_VCARD, G | C | M},
};

#undef G
#undef R
#undef C
#undef M

const char *const *disco_features(enum disco_kind kind, struct arena *a, size_t *count)
{
    size_t all = sizeof features / sizeof *features;
    const char **list = arena_alloc(a, all * sizeof *list);
    *count = 0;
    for (size_t i = 0; i < all; i++) {
        if (features[i].kinds & 1u << kind)
            list[(*count)++] = features[i].ns;
    }
    return list;
}

// Adds a gateway type in its place; two adapters of one type make one identity.
static void add_type(struct disco_identity *list, size_t *count, struct str type)
{
    size_t at = *count;
    while (at > 0 && str_cmp(list[at - 1].type, type) > 0)
        at--;
    if (at > 0 && str_eq(list[at - 1].type, type))
        return;
    memmove(list + at + 1, list + at, (*count - at) * sizeof *list);
    list[at] = (struct disco_identity){.category = STR("gateway"), .type = type};
    (*count)++;
}

static size_t gateway_identities(const struct gateway *g, struct disco_identity list[IDENTITIES_MAX])
{
    list[0] = (struct disco_identity){.category = STR("automation"), .type = STR("command-list")};
    list[1] = (struct disco_identity){.category = STR("directory"), .type = STR("user")};
    size_t types = 0;
    struct str type;
    for (size_t at = 0; at < TYPES_MAX && g->host->gateway_type(g->ud, g->component, at, &type); at++)
        add_type(list + 2, &types, type);
    return 2 + types;
}

static size_t identities(const struct gateway *g, enum disco_kind kind, struct disco_identity list[IDENTITIES_MAX])
{
    if (kind == DISCO_CONTACT)
        list[0] = (struct disco_identity){.category = STR("client"), .type = STR("bot")};
    else if (kind == DISCO_ROOM)
        list[0] = (struct disco_identity){.category = STR("conference"), .type = STR("text")};
    else
        return gateway_identities(g, list);
    return 1;
}

enum disco_kind disco_gateway_kind(const struct gateway *g, const struct jid *user)
{
    bool may = g->host->rights(g->ud, g->component, user) & RIGHT_REGISTER;
    return may || g->host->registered(g->ud, g->component, user) ? DISCO_GATEWAY_REGISTER : DISCO_GATEWAY;
}

struct str disco_compute_ver(const struct gateway *g, enum disco_kind kind, struct arena *a)
{
    struct disco_identity list[IDENTITIES_MAX];
    struct disco_profile p = {.identities = list, .identity_count = identities(g, kind, list)};
    p.features = disco_features(kind, a, &p.feature_count);
    return caps_ver(a, &p);
}

struct str disco_ver(const struct gateway *g, enum disco_kind kind, struct arena *a)
{
    if (kind == DISCO_CONTACT)
        return str_c(g->contact_ver);
    if (kind == DISCO_ROOM)
        return str_c(g->room_ver);
    return disco_compute_ver(g, kind, a); // its types may change with a reload
}

static enum disco_kind kind_of(const struct iq *iq)
{
    if (iq->target == IQ_CONTACT)
        return DISCO_CONTACT;
    return iq->target == IQ_ROOM ? DISCO_ROOM : disco_gateway_kind(iq->s->g, &iq->s->from);
}

static void open_query(const struct iq *iq, struct xml_writer *w, const char *ns)
{
    struct str node = xml_attr(iq->query, "node");
    iq_open(iq, w);
    xml_open_ns(w, "query", ns);
    if (node.n)
        xml_put_attr(w, "node", node);
}

static void close_query(const struct iq *iq, struct xml_writer *w)
{
    xml_shut(w);
    iq_close(iq, w);
}

static void put_identity(struct xml_writer *w, const struct disco_identity *id)
{
    xml_open(w, "identity");
    xml_put_attr(w, "category", id->category);
    xml_put_attr(w, "type", id->type);
    if (id->name.n)
        xml_put_attr(w, "name", id->name);
    xml_shut(w);
}

static void put_feature(struct xml_writer *w, const char *ns)
{
    xml_open(w, "feature");
    xml_put_attr_c(w, "var", ns);
    xml_shut(w);
}

// With its name where it is asked for itself, without where its capabilities are: those are common to all contacts, and
// hashed once.
static void info_self(const struct iq *iq, enum disco_kind kind, bool named)
{
    struct xml_writer w;
    struct disco_identity list[IDENTITIES_MAX];
    size_t n = identities(iq->s->g, kind, list);
    open_query(iq, &w, NS_DISCO_INFO);
    for (size_t i = 0; i < n; i++) {
        if (named)
            list[i].name = iq_name(iq);
        put_identity(&w, &list[i]);
    }
    for (size_t i = 0; i < sizeof features / sizeof *features; i++) {
        if (features[i].kinds & 1u << kind)
            put_feature(&w, features[i].ns);
    }
    close_query(iq, &w);
}

static void info_command(const struct iq *iq, const char *type, struct str name)
{
    struct xml_writer w;
    open_query(iq, &w, NS_DISCO_INFO);
    put_identity(&w, &(struct disco_identity){.category = STR("automation"), .type = str_c(type), .name = name});
    put_feature(&w, NS_COMMANDS);
    put_feature(&w, NS_DISCO_INFO);
    put_feature(&w, NS_DISCO_ITEMS);
    put_feature(&w, NS_DATA);
    close_query(iq, &w);
}

void disco_info(const struct iq *iq)
{
    struct str node = xml_attr(iq->query, "node");
    if (str_eq_c(node, NS_COMMANDS)) {
        info_command(iq, "command-list", STR("Commands"));
        return;
    }
    const struct command *c = node.n ? commands_find(iq, node) : NULL;
    if (c) {
        info_command(iq, "command-node", c->title);
        return;
    }
    enum disco_kind kind = kind_of(iq);
    if (!node.n || caps_is_node(node, disco_ver(iq->s->g, kind, iq->s->arena)))
        info_self(iq, kind, !node.n);
    else
        iq_refuse(iq, ERR_NOTFOUND);
}

static void put_item(struct xml_writer *w, struct str jid, struct str node, struct str name)
{
    xml_open(w, "item");
    xml_put_attr(w, "jid", jid);
    if (node.n)
        xml_put_attr(w, "node", node);
    if (name.n)
        xml_put_attr(w, "name", name);
    xml_shut(w);
}

static void items_commands(const struct iq *iq)
{
    struct xml_writer w;
    struct str self = iq_address(iq);
    const struct command *list;
    size_t n = commands_list(iq, &list);
    open_query(iq, &w, NS_DISCO_ITEMS);
    for (size_t i = 0; i < n; i++) {
        if (commands_may(iq, &list[i]))
            put_item(&w, self, list[i].node, list[i].title);
    }
    close_query(iq, &w);
}

static void put_view(struct xml_writer *w, struct arena *a, const struct identity_view *view)
{
    struct jid jid = {.local = view->local, .domain = view->domain};
    put_item(w, jid_format(a, &jid), STR_NONE, utf8_cut(view->name, GATEWAY_NAME_MAX));
}

// Who can see nothing walks over nothing.
static bool may_see(const struct stanza *s)
{
    return s->g->host->rights(s->g->ud, s->g->component, &s->from) & (RIGHT_SEE | RIGHT_ADMIN);
}

// The identities that the asker may see, a page at a time; when not all fit, where to go on is said even to who did not
// ask for pages.
static void put_views(const struct iq *iq, const struct rsm *page, struct xml_writer *w)
{
    const struct stanza *s = iq->s;
    uint32_t at = page->after, first = 0, last = 0;
    size_t n = 0;
    bool more = may_see(s);
    struct identity_view view;
    while (more && n < page->max && w->out->n - w->start < ITEMS_BYTES) {
        more = s->g->host->next(s->g->ud, s->g->component, &s->from, &at, &view);
        if (!more)
            break;
        put_view(w, s->arena, &view);
        last = at;
        if (!n++)
            first = at;
    }
    if (more || xml_child(iq->query, NS_RSM, "set"))
        rsm_put(w, s->g->key, first, last);
}

static void items_views(const struct iq *iq)
{
    struct rsm page;
    enum err e = rsm_read(iq->query, iq->s->g->key, ITEMS_MAX, &page);
    if (e) {
        iq_refuse(iq, e);
        return;
    }
    struct xml_writer w;
    open_query(iq, &w, NS_DISCO_ITEMS);
    put_views(iq, &page, &w);
    close_query(iq, &w);
}

static void items_none(const struct iq *iq)
{
    struct xml_writer w;
    open_query(iq, &w, NS_DISCO_ITEMS);
    close_query(iq, &w);
}

void disco_items(const struct iq *iq)
{
    struct str node = xml_attr(iq->query, "node");
    if (str_eq_c(node, NS_COMMANDS))
        items_commands(iq);
    else if (node.n && !commands_find(iq, node))
        iq_refuse(iq, ERR_NOTFOUND);
    else if (node.n || iq->target != IQ_COMPONENT)
        items_none(iq);
    else
        items_views(iq);
}
