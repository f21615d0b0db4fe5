/* Discovery: what is told of whom to whom, that it is true, and that its hash fits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/gateway_harness.h"
#include "text/hash.h"
#include "xmpp/disco.h"

#define ALICE "alice@example.org/phone"
#define INFO "<query xmlns='http://jabber.org/protocol/disco#info'"
#define ITEMS "<query xmlns='http://jabber.org/protocol/disco#items'"
#define NODE_COMMANDS " node='http://jabber.org/protocol/commands'"
#define NOTFOUND "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"

static const char *ask(struct harness *h, const char *type, const char *from, const char *to, const char *payload)
{
    static char text[4096];
    snprintf(text, sizeof text, "<iq type='%s' id='q1' from='%s' to='%s'>%s</iq>", type, from, to, payload);
    return harness_ask(h, text);
}

static void check(struct harness *h, const char *from, const char *to, const char *payload, const char *answer)
{
    char want[8192];
    const char *type = strncmp(answer, "<error", 6) ? "result" : "error";
    snprintf(want, sizeof want, "<iq type='%s' id='q1' from='%s' to='%s'>%s</iq>", type, to, from, answer);
    harness_assert_match(ask(h, "get", from, to, payload), want);
}

static void test_identities(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h);
#define IDENTITY(category, type, name) "<identity category='" category "' type='" type "' name='" name "'/>"
#define BRIDGE "The &lt;bridge>"
    check(&h, ALICE, "bridge.example", INFO "/>",
          INFO ">" IDENTITY("automation", "command-list", BRIDGE) IDENTITY("directory", "user", BRIDGE)
              IDENTITY("gateway", "irc", BRIDGE) IDENTITY("gateway", "mqtt", BRIDGE) "<feature var='*'/></query>");
    check(&h, ALICE, "lamp@bridge.example", INFO "/>",
          INFO ">" IDENTITY("client", "bot", "Kitchen &lt;lamp>") "<feature var='*'/></query>");
    check(&h, ALICE, "lounge@bridge.example", INFO "/>",
          INFO ">" IDENTITY("conference", "text", "Lounge") "<feature var='*'/></query>");
    h.gateway_types = 0;
    check(&h, ALICE, "bridge.example", INFO "/>",
          INFO ">" IDENTITY("automation", "command-list", BRIDGE)
              IDENTITY("directory", "user", BRIDGE) "<feature var='*'/></query>");
    harness_finish(&h);
}

static void test_nodes(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h);
    check(&h, ALICE, "lamp@bridge.example", INFO NODE_COMMANDS "/>",
          INFO NODE_COMMANDS
          "><identity category='automation' type='command-list' name='Commands'/><feature var='*'/></query>");
    check(&h, ALICE, "lamp@bridge.example", INFO " node='set'/>",
          INFO
          " node='set'><identity category='automation' type='command-node' name='Set'/><feature var='*'/></query>");
    check(&h, ALICE, "lamp@bridge.example", INFO " node='odd'/>", NOTFOUND);
    check(&h, ALICE, "lamp@bridge.example", INFO " node='urn:x-spandrel:caps#'/>", NOTFOUND);
    check(&h, ALICE, "lamp@bridge.example", INFO " node='urn:x-spandrel:caps#old='/>", NOTFOUND);
    check(&h, "bob@example.org/x", "lamp@bridge.example", INFO " node='set'/>", NOTFOUND);
    check(&h, ALICE, "lamp@bridge.example", ITEMS "/>", ITEMS "/>");
    check(&h, ALICE, "lounge@bridge.example", ITEMS "/>", ITEMS "/>");
    check(&h, ALICE, "lamp@bridge.example", ITEMS " node='set'/>", ITEMS " node='set'/>");
    check(&h, ALICE, "lamp@bridge.example", ITEMS " node='odd'/>", NOTFOUND);
    check(&h, "bob@example.org/x", "lamp@bridge.example", ITEMS " node='set'/>", NOTFOUND);
    harness_finish(&h);
}

static void test_command_lists(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h);
#define ITEM(jid, node, name) "<item jid='" jid "' node='" node "' name='" name "'/>"
    check(&h, ALICE, "lamp@bridge.example", ITEMS NODE_COMMANDS "/>",
          ITEMS NODE_COMMANDS ">" ITEM("lamp@bridge.example", "set", "Set")
              ITEM("lamp@bridge.example", "status", "Status") "</query>");
    check(&h, "bob@example.org/x", "lamp@bridge.example", ITEMS NODE_COMMANDS "/>",
          ITEMS NODE_COMMANDS ">" ITEM("lamp@bridge.example", "status", "Status") "</query>");
    check(&h, ALICE, "bridge.example", ITEMS NODE_COMMANDS "/>",
          ITEMS NODE_COMMANDS ">" ITEM("bridge.example", "list", "List") "</query>");
    check(&h, "root@example.org/x", "bridge.example", ITEMS NODE_COMMANDS "/>",
          ITEMS NODE_COMMANDS ">" ITEM("bridge.example", "list", "List")
              ITEM("bridge.example", "grant", "Grant") "</query>");
    check(&h, ALICE, "lounge@bridge.example", ITEMS NODE_COMMANDS "/>", ITEMS NODE_COMMANDS "/>");
    harness_finish(&h);
}

struct info {           // what a disco#info answer, or a presence, says
    struct strbuf text; // of section 5.1 of XEP-0115, in the order given
    char features[64][64];
    size_t count;
    char ver[64];
};

static void read_child(struct info *info, const struct xml_node *n)
{
    if (str_eq_c(n->name, "identity"))
        strbuf_printf(&info->text, STR_FMT "/" STR_FMT "//" STR_FMT "<", STR_ARG(xml_attr(n, "category")),
                      STR_ARG(xml_attr(n, "type")), STR_ARG(xml_attr(n, "name")));
    if (!str_eq_c(n->name, "feature"))
        return;
    assert_true(info->count < 64);
    snprintf(info->features[info->count++], 64, STR_FMT, STR_ARG(xml_attr(n, "var")));
    strbuf_printf(&info->text, STR_FMT "<", STR_ARG(xml_attr(n, "var")));
}

static void read_stanza(void *ud, const struct xml_node *stanza)
{
    struct info *info = ud;
    const struct xml_node *c = xml_child(stanza, "http://jabber.org/protocol/caps", "c");
    snprintf(info->ver, sizeof info->ver, STR_FMT, STR_ARG(xml_attr(c, "ver")));
    const struct xml_node *query = xml_child(stanza, "http://jabber.org/protocol/disco#info", "query");
    for (const struct xml_node *n = query ? query->first : NULL; n; n = n->next)
        read_child(info, n);
}

static void read_output(struct harness *h, struct info *info)
{
    static const struct xml_reader_events events = {canon_ignore_node, read_stanza, canon_ignore_node, canon_ignore};
    *info = (struct info){0};
    strbuf_init(&info->text, 65536);
    struct xml_reader *r = xml_reader_create(&(struct xml_limits){0}, &events, info);
    assert_int_equal(xml_reader_feed(r, STR(CANON_HEADER), NULL), ERR_OK);
    assert_int_equal(xml_reader_feed(r, strbuf_view(&h->out), NULL), ERR_OK);
    xml_reader_destroy(r);
}

static const struct {
    const char *user, *to;
    enum identity_kind kind;
} targets[] = {
    {ALICE, "bridge.example", IDENTITY_CONTACT},
    {"bob@example.org/x", "bridge.example", IDENTITY_CONTACT},
    {"eve@evil.example/x", "bridge.example", IDENTITY_CONTACT},
    {ALICE, "lamp@bridge.example", IDENTITY_CONTACT},
    {"bob@example.org/x", "lamp@bridge.example", IDENTITY_CONTACT},
    {ALICE, "lounge@bridge.example", IDENTITY_ROOM},
};

enum { TARGETS = sizeof targets / sizeof *targets };

// What presence says is what is told under the node it names, and hashed as XEP-0115 says.
static void test_caps_fit(void **state)
{
    (void)state;
    struct harness h;
    struct info presence, answer;
    harness_init(&h);
    for (size_t i = 0; i < TARGETS; i++) {
        struct event ev = {.kind = EV_AVAILABLE, .show = SHOW_ONLINE, .identity = targets[i].kind};
        struct arena a;
        arena_init(&a, 0);
        assert_int_equal(jid_parse(&a, str_c(targets[i].user), &ev.user), ERR_OK);
        assert_int_equal(jid_parse(&a, str_c(targets[i].to), &ev.to), ERR_OK);
        assert_non_null(harness_send(&h, &ev));
        read_output(&h, &presence);
        assert_int_equal(strlen(presence.ver), 28);
        char payload[256];
        snprintf(payload, sizeof payload, INFO " node='urn:x-spandrel:caps#%s'/>", presence.ver);
        ask(&h, "get", targets[i].user, targets[i].to, payload);
        read_output(&h, &answer);
        assert_true(answer.count > 0);
        uint8_t digest[20];
        hash_sha1(strbuf_view(&answer.text), digest);
        assert_string_equal(arena_cstr(&a, hash_base64(&a, digest, 20)), presence.ver);
        for (size_t k = 1; k < answer.count; k++)
            assert_true(strcmp(answer.features[k - 1], answer.features[k]) < 0);
        strbuf_finish(&presence.text);
        strbuf_finish(&answer.text);
        arena_finish(&a);
    }
    harness_finish(&h);
}

// One hash serves all contacts; that of the component follows its adapters, and who asks.
static void test_caps_are_shared(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h);
    struct arena a;
    arena_init(&a, 0);
    struct str contact = disco_ver(h.g, DISCO_CONTACT, &a), gateway = disco_ver(h.g, DISCO_GATEWAY, &a);
    assert_true(str_eq(contact, disco_ver(h.g, DISCO_CONTACT, &a)));
    assert_false(str_eq(contact, disco_ver(h.g, DISCO_ROOM, &a)));
    assert_false(str_eq(gateway, disco_ver(h.g, DISCO_GATEWAY_REGISTER, &a)));
    h.gateway_types = 4;
    assert_false(str_eq(gateway, disco_ver(h.g, DISCO_GATEWAY, &a)));
    h.gateway_types = 1000; // bounded
    assert_int_equal(disco_ver(h.g, DISCO_GATEWAY, &a).n, 28);
    arena_finish(&a);
    harness_finish(&h);
}

static const struct {                     // how to see that a feature is there
    const char *feature, *type, *payload; // payload NULL: it is about messages or presence
} probes[] = {
    {"http://jabber.org/protocol/caps", NULL, NULL},
    {"http://jabber.org/protocol/chatstates", NULL, NULL},
    {"http://jabber.org/protocol/commands", "get", ITEMS NODE_COMMANDS "/>"},
    {"http://jabber.org/protocol/disco#info", "get", INFO "/>"},
    {"http://jabber.org/protocol/disco#items", "get", ITEMS "/>"},
    {"http://jabber.org/protocol/muc", NULL, NULL},
    {"http://jabber.org/protocol/rsm", "get",
     ITEMS "><set xmlns='http://jabber.org/protocol/rsm'><max>1</max></set></query>"},
    {"http://jabber.org/protocol/xdata-validate", NULL, NULL},
    {"jabber:iq:gateway", "get", "<query xmlns='jabber:iq:gateway'/>"},
    {"jabber:iq:last", "get", "<query xmlns='jabber:iq:last'/>"},
    {"jabber:iq:register", "get", "<query xmlns='jabber:iq:register'/>"},
    {"jabber:iq:version", "get", "<query xmlns='jabber:iq:version'/>"},
    {"jabber:x:data", NULL, NULL},
    {"muc_open", NULL, NULL},
    {"muc_persistent", NULL, NULL},
    {"muc_semianonymous", NULL, NULL},
    {"muc_unmoderated", NULL, NULL},
    {"muc_unsecured", NULL, NULL},
    {"urn:xmpp:ping", "get", "<ping xmlns='urn:xmpp:ping'/>"},
    {"urn:xmpp:receipts", NULL, NULL},
    {"urn:xmpp:sid:0", NULL, NULL},
    {"urn:xmpp:time", "get", "<time xmlns='urn:xmpp:time'/>"},
    {"vcard-temp", "get", "<vCard xmlns='vcard-temp'/>"},
};

static bool has_feature(const struct info *info, const char *feature)
{
    for (size_t i = 0; i < info->count; i++) {
        if (!strcmp(info->features[i], feature))
            return true;
    }
    return false;
}

// What is advertised is answered, and what is answered is advertised.
static void test_features_are_true(void **state)
{
    (void)state;
    struct harness h;
    struct info info;
    harness_init(&h);
    for (size_t i = 0; i < TARGETS; i++) {
        ask(&h, "get", targets[i].user, targets[i].to, INFO "/>");
        read_output(&h, &info);
        size_t known = 0;
        for (size_t k = 0; k < sizeof probes / sizeof *probes; k++) {
            bool there = has_feature(&info, probes[k].feature);
            known += there;
            if (!probes[k].payload || !strcmp(probes[k].feature, "http://jabber.org/protocol/rsm"))
                continue;
            const char *answer = ask(&h, probes[k].type, targets[i].user, targets[i].to, probes[k].payload);
            print_message("%s asks %s: %s\n", targets[i].user, targets[i].to, probes[k].payload);
            assert_non_null(strstr(answer, there ? "type='result'" : "type='error'"));
        }
        assert_int_equal(known, info.count); // none without a probe
        strbuf_finish(&info.text);
    }
    harness_finish(&h);
}

static void test_items(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h);
#define LAMP "<item jid='lamp@bridge.example' name='Kitchen &lt;lamp>'/>"
#define LOUNGE "<item jid='lounge@bridge.example' name='Lounge'/>"
    check(&h, ALICE, "bridge.example", ITEMS "/>", ITEMS ">" LAMP LOUNGE "</query>");
    check(&h, "root@example.org/x", "bridge.example", ITEMS "/>",
          ITEMS ">" LAMP LOUNGE "<item jid='secret@bridge.example' name='Secret'/></query>");
    check(&h, "eve@evil.example/x", "bridge.example", ITEMS "/>", ITEMS "/>");
    harness_finish(&h);
}

#define SET(inner) ITEMS "><set xmlns='http://jabber.org/protocol/rsm'>" inner "</set></query>"

// The text of the first <last/> in what was answered.
static bool last_position(const char *answer, char *out, size_t size)
{
    const char *from = strstr(answer, "<last>"), *to = strstr(answer, "</last>");
    if (!from || !to)
        return false;
    snprintf(out, size, "%.*s", (int)(to - from - 6), from + 6);
    return true;
}

static size_t count_items(const char *answer)
{
    size_t n = 0;
    while ((answer = strstr(answer, "<item "))) {
        n++;
        answer++;
    }
    return n;
}

static size_t walk_pages(struct harness *h, unsigned max)
{
    char after[64] = "", payload[512];
    size_t seen = 0, pages = 0;
    for (bool more = true; more; pages++) {
        snprintf(payload, sizeof payload, SET("<max>%u</max>%s%s%s"), max, *after ? "<after>" : "", after,
                 *after ? "</after>" : "");
        const char *answer = ask(h, "get", ALICE, "bridge.example", payload);
        assert_non_null(strstr(answer, "type='result'"));
        size_t n = count_items(answer);
        assert_true(n <= max);
        seen += n;
        more = last_position(answer, after, sizeof after) && n == max;
        assert_true(pages < 10000);
    }
    return seen;
}

static void test_pages(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h);
    h.many = 300; // of which 200 are seen, with lamp and lounge
    assert_int_equal(walk_pages(&h, 1), 202);
    assert_int_equal(walk_pages(&h, 7), 202);
    assert_int_equal(walk_pages(&h, 202), 202);
    assert_int_equal(walk_pages(&h, 1000), 202);
    harness_finish(&h);
}

// Follows the pages that come without having been asked for.
static size_t walk_all(struct harness *h, size_t *pages)
{
    char after[64], payload[256] = ITEMS "/>";
    size_t seen = 0;
    bool more = true;
    for (*pages = 0; more; (*pages)++) {
        const char *answer = ask(h, "get", ALICE, "bridge.example", payload);
        assert_non_null(strstr(answer, "type='result'"));
        size_t n = count_items(answer);
        assert_in_range(n, 0, 1000);
        seen += n;
        more = last_position(answer, after, sizeof after) && n > 0;
        snprintf(payload, sizeof payload, SET("<after>%s</after>"), after);
    }
    return seen;
}

static void test_many_items_are_cut(void **state)
{
    (void)state;
    static char name[400];
    struct harness h;
    size_t pages;
    harness_init(&h);
    h.many = 6000;
    assert_int_equal(walk_all(&h, &pages), 4002);
    assert_in_range(pages, 5, 8);
    memset(name, '<', sizeof name); // the bound on bytes comes before that on entries
    h.name = (struct str){name, sizeof name};
    h.many = 600;
    assert_int_equal(walk_all(&h, &pages), 402);
    assert_in_range(pages, 6, 9);
    harness_finish(&h);
}

static void test_who_sees_nothing_costs_nothing(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h);
    h.many = 100;
    check(&h, "eve@evil.example/x", "bridge.example", ITEMS "/>", ITEMS "/>");
    assert_int_equal(h.nexts, 0);
    ask(&h, "get", ALICE, "bridge.example", ITEMS "/>");
    assert_true(h.nexts > 0);
    harness_finish(&h);
}

static void test_page_errors(void **state)
{
    (void)state;
    static const struct {
        const char *payload, *condition;
    } list[] = {
        {SET("<before/>"), "feature-not-implemented"},
        {SET("<index>3</index>"), "feature-not-implemented"},
        {SET("<max>-1</max>"), "bad-request"},
        {SET("<max>many</max>"), "bad-request"},
        {SET("<after>3</after>"), "item-not-found"},
        {SET("<after>lamp@bridge.example</after>"), "item-not-found"},
        {SET("<after>18446744073709551615</after>"), "item-not-found"},
    };
    struct harness h;
    harness_init(&h);
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        char want[256];
        snprintf(want, sizeof want, "<error type='*'><%s xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>",
                 list[i].condition);
        check(&h, ALICE, "bridge.example", list[i].payload, want);
    }
    check(&h, ALICE, "bridge.example", SET("<max>0</max>"),
          ITEMS "><set xmlns='http://jabber.org/protocol/rsm'/></query>");
    check(&h, ALICE, "bridge.example", SET("<max> 1 </max>"),
          ITEMS ">" LAMP "<set xmlns='http://jabber.org/protocol/rsm'><first>*</first><last>*</last></set></query>");
    harness_finish(&h);
}

// A page position tells nothing of how many entries were passed over, and holds for one run.
static void test_positions_are_opaque(void **state)
{
    (void)state;
    struct harness h;
    char first[64], second[64], payload[256];
    harness_init(&h);
    assert_true(last_position(ask(&h, "get", ALICE, "bridge.example", SET("<max>1</max>")), first, sizeof first));
    assert_true(last_position(ask(&h, "get", ALICE, "bridge.example", SET("<max>2</max>")), second, sizeof second));
    assert_true(strlen(first) > 10 && strlen(second) > 10);
    harness_create_gateway(&h, HARNESS_STARTED, 2);
    snprintf(payload, sizeof payload, SET("<after>%s</after>"), first);
    check(&h, ALICE, "bridge.example", payload, NOTFOUND);
    harness_finish(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identities),
        cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_command_lists),
        cmocka_unit_test(test_caps_fit),
        cmocka_unit_test(test_caps_are_shared),
        cmocka_unit_test(test_features_are_true),
        cmocka_unit_test(test_items),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_many_items_are_cut),
        cmocka_unit_test(test_who_sees_nothing_costs_nothing),
        cmocka_unit_test(test_page_errors),
        cmocka_unit_test(test_positions_are_opaque),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
