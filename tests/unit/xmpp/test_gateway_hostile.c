/* Whatever comes in: our own reader takes what goes out, every `from` is ours, no answer goes to an error or a result,
 * and a request is answered once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/gateway_harness.h"

enum { ROUNDS = 10000, MUTATIONS = 6, TEXT_MAX = 4096 };

static const char *const seeds[] = {
    "<iq type='get' id='q1' from='alice@example.org/p' to='bridge.example'><query "
    "xmlns='http://jabber.org/protocol/disco#info'/></iq>",
    "<iq type='get' id='q1' from='alice@example.org/p' to='bridge.example'><query "
    "xmlns='http://jabber.org/protocol/disco#items'><set xmlns='http://jabber.org/protocol/rsm'><max>1</max>"
    "<after>1</after></set></query></iq>",
    "<iq type='get' id='q1' from='alice@example.org/p' to='lamp@bridge.example'><vCard xmlns='vcard-temp'/></iq>",
    "<iq type='set' id='q1' from='alice@example.org/p' to='lamp@bridge.example/home'><command "
    "xmlns='http://jabber.org/protocol/commands' node='set' action='complete' sessionid='x-1'><x xmlns='jabber:x:data' "
    "type='submit'><field var='on'><value>1</value></field></x></command></iq>",
    "<iq type='set' id='q1' from='alice@example.org/p' to='bridge.example'><query xmlns='jabber:iq:register'><remove/>"
    "</query></iq>",
    "<iq type='set' id='q1' from='alice@example.org/p' to='bridge.example'><query xmlns='jabber:iq:gateway'><prompt>"
    "kitchen lamp</prompt></query></iq>",
    "<message type='chat' id='m1' from='alice@example.org/p' to='lamp@bridge.example'><body>on</body><request "
    "xmlns='urn:xmpp:receipts'/><delay xmlns='urn:xmpp:delay' stamp='2026-01-01T00:00:00Z'/></message>",
    "<message type='groupchat' from='alice@example.org/p' to='lounge@bridge.example'><subject>x</subject></message>",
    "<message type='error' id='m1' from='alice@example.org/p' to='lamp@bridge.example'><error type='cancel'><gone "
    "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>",
    "<presence from='alice@example.org/p' to='lounge@bridge.example/nick'><x xmlns='http://jabber.org/protocol/muc'/>"
    "<show>away</show><status>x</status></presence>",
    "<presence type='subscribe' from='alice@example.org' to='lamp@bridge.example'/>",
};

static const char *const words[] = {
    "'",
    "<",
    ">",
    "/",
    "&amp;",
    "&lt;",
    "&#39;",
    "&#x22;",
    "&#0;",
    "&#x10FFFF;",
    "&#xFFFE;",
    "\x01",
    "\xff",
    "\xc3\xa4",
    "@",
    "\xf0\x9f\x98\x80",
    " ",
    "\n",
    "error",
    "result",
    "get",
    "set",
    "iq",
    "presence",
    "from=''",
    "to='x'",
    "type='set'",
    "<x/>",
    "<!-- -->",
    "<?x?>",
    "</iq>",
    "<body>",
    "]]>",
    "<![CDATA[<]]>",
    "bridge.example",
    "BRIDGE.EXAMPLE",
    "secret",
    "xmlns='x'",
    "a:b='c'",
    "/home",
    "lounge",
    "\xe2\x80\xae",
};

#define COUNT(list) (sizeof list / sizeof *list)

// Puts `word` in the place of some bytes of the text.
static void splice(char *text, size_t at, size_t drop, const char *word)
{
    size_t n = strlen(text), w = strlen(word);
    if (n + w >= TEXT_MAX)
        return;
    if (drop > n - at)
        drop = n - at;
    memmove(text + at + w, text + at + drop, n - at - drop + 1);
    memcpy(text + at, word, w);
}

static void mutate(struct rng *rng, char *text)
{
    size_t n = strlen(text), at = rng_below(rng, n + 1);
    switch (rng_below(rng, 4)) {
    case 0:
        splice(text, at, 0, words[rng_below(rng, COUNT(words))]);
        break;
    case 1:
        splice(text, at, 1 + rng_below(rng, 8), words[rng_below(rng, COUNT(words))]);
        break;
    case 2:
        splice(text, at, 1 + rng_below(rng, 20), "");
        break;
    default:
        splice(text, at, 1, (const char[]){(char)(1 + rng_below(rng, 255)), '\0'});
    }
}

// What goes out, as far as these properties are about it.
struct outgoing {
    size_t count, errors;
};

static void check_outgoing(void *ud, const struct xml_node *n)
{
    struct outgoing *o = ud;
    struct arena a;
    struct jid from, to;
    arena_init(&a, 0);
    assert_true(str_eq_c(n->name, "iq") || str_eq_c(n->name, "message") || str_eq_c(n->name, "presence"));
    assert_int_equal(jid_parse(&a, xml_attr(n, "from"), &from), ERR_OK);
    assert_int_equal(jid_parse(&a, xml_attr(n, "to"), &to), ERR_OK);
    assert_true(str_eq(jid_format(&a, &from), xml_attr(n, "from"))); // prepared: servers compare bytes
    assert_true(str_eq_c(from.domain, "bridge.example"));
    assert_false(str_eq_c(to.domain, "bridge.example"));
    o->count++;
    o->errors += str_eq_c(xml_attr(n, "type"), "error");
    arena_finish(&a);
}

static struct outgoing check_output(struct harness *h)
{
    static const struct xml_reader_events events = {canon_ignore_node, check_outgoing, canon_ignore_node, canon_ignore};
    struct outgoing o = {0};
    struct xml_reader *r = xml_reader_create(&(struct xml_limits){0}, &events, &o);
    assert_int_equal(xml_reader_feed(r, STR(CANON_HEADER), NULL), ERR_OK);
    assert_int_equal(xml_reader_feed(r, strbuf_view(&h->out), NULL), ERR_OK);
    xml_reader_destroy(r);
    return o;
}

static void test_mutated(void **state)
{
    (void)state;
    struct harness h;
    struct rng rng;
    size_t taken = 0, answered = 0;
    harness_init(&h);
    h.answering = true;
    rng_init(&rng, 20261121);
    for (unsigned i = 0; i < ROUNDS; i++) {
        char text[TEXT_MAX];
        snprintf(text, sizeof text, "%s", seeds[rng_below(&rng, COUNT(seeds))]);
        for (uint64_t k = rng_below(&rng, MUTATIONS); k > 0; k--)
            mutate(&rng, text);
        bool whole = harness_feed(&h, str_c(text));
        taken += whole;
        answered += check_output(&h).count;
        if (whole) // what is left of a stanza would swallow the next
            harness_open_reader(&h);
    }
    assert_in_range(taken, ROUNDS / 10, ROUNDS); // the mutations are not so wild that nothing is tried
    assert_in_range(answered, ROUNDS / 50, ROUNDS);
    harness_finish(&h);
}

struct tally { // of requests and their answers
    struct harness *h;
    size_t stanzas;
};

// One answer to a request, of its own id; none to anything else that asks nothing.
static void check_one(void *ud, const struct xml_node *n)
{
    struct tally *t = ud;
    harness_clear(t->h);
    gateway_stanza(t->h->g, n, &t->h->arena, &t->h->out, 1, HARNESS_WALL);
    arena_reset(&t->h->arena);
    struct outgoing o = check_output(t->h);
    struct str type = xml_attr(n, "type");
    assert_true(o.count <= 1);
    if (str_eq_c(type, "error") || str_eq_c(type, "result"))
        assert_int_equal(o.count, 0);
    t->stanzas++;
}

static void test_one_answer(void **state)
{
    (void)state;
    static const char *const names[] = {"iq", "message", "presence"};
    static const char *const types[] = {"get",  "set",       "result",    "error", "",
                                        "chat", "groupchat", "subscribe", "probe", "x"};
    static const char *const addresses[] = {"bridge.example",
                                            "lamp@bridge.example",
                                            "secret@bridge.example",
                                            "lounge@bridge.example/nick",
                                            "LAMP@bridge.example",
                                            "@",
                                            "other.example",
                                            "",
                                            "lamp@bridge.example/home",
                                            "a\\20b@bridge.example"};
    static const char *const inner[] = {"",
                                        "<a/>",
                                        "<a/><b/>",
                                        "<body>x</body>",
                                        "<query xmlns='http://jabber.org/protocol/disco#info'/>",
                                        "<query xmlns='http://jabber.org/protocol/disco#items'/>",
                                        "<vCard xmlns='vcard-temp'/>",
                                        "<query xmlns='jabber:iq:register'/>",
                                        "<ping xmlns='urn:xmpp:ping'/>",
                                        "<command xmlns='http://jabber.org/protocol/commands' node='status'/>",
                                        "<pubsub xmlns='http://jabber.org/protocol/pubsub'/>",
                                        "<x xmlns='http://jabber.org/protocol/muc'/>"};
    static const char *const users[] = {"alice@example.org/p", "eve@evil.example/x", "evil.example",
                                        "lamp@bridge.example", ""};
    static const struct xml_reader_events events = {canon_ignore_node, check_one, canon_ignore_node, canon_ignore};
    struct harness h;
    harness_init(&h);
    h.answering = true;
    struct tally t = {.h = &h};
    struct xml_reader *r = xml_reader_create(&(struct xml_limits){0}, &events, &t);
    assert_int_equal(xml_reader_feed(r, STR(CANON_HEADER), NULL), ERR_OK);
    size_t all = COUNT(names) * COUNT(types) * COUNT(addresses) * COUNT(inner) * COUNT(users);
    for (size_t i = 0; i < all; i++) {
        char text[TEXT_MAX];
        size_t k = i;
        const char *name = names[k % COUNT(names)], *type = types[(k /= COUNT(names)) % COUNT(types)];
        const char *to = addresses[(k /= COUNT(types)) % COUNT(addresses)];
        const char *payload = inner[(k /= COUNT(addresses)) % COUNT(inner)], *from = users[k / COUNT(inner)];
        snprintf(text, sizeof text, "<%s type='%s' id='i%zu' from='%s' to='%s'>%s</%s>", name, type, i, from, to,
                 payload, name);
        assert_int_equal(xml_reader_feed(r, str_c(text), NULL), ERR_OK);
        bool asked = !strcmp(name, "iq") && (!strcmp(type, "get") || !strcmp(type, "set"));
        bool ours = strcmp(to, "other.example") && strcmp(from, "lamp@bridge.example") && *from;
        if (asked && ours) {
            char id[32];
            snprintf(id, sizeof id, "id='i%zu'", i);
            assert_non_null(h.out.p);
            assert_non_null(strstr(h.out.p, id));
        }
    }
    assert_int_equal(t.stanzas, all);
    xml_reader_destroy(r);
    harness_finish(&h);
}

// Strings that were seen to end streams, in every place that a user or an adapter can fill.
static void test_hostile_events(void **state)
{
    (void)state;
    static const char *const strings[] = {
        "\x01",  "\xff\xfe", "\xed\xa0\x80", "\xef\xbf\xbf", "\xc0\x80", "]]>",      "<!DOCTYPE x>",
        "&x;",   "'\"<>&",   "\r\n\t",       "</message>",   "<?xml?>",  "\x1b[31m", "\xf4\x90\x80\x80",
        "a\xcc", "\x7f",
    };
    static const enum event_kind kinds[] = {EV_MESSAGE,     EV_TYPING,    EV_RECEIPT,    EV_BOUNCE,      EV_AVAILABLE,
                                            EV_UNAVAILABLE, EV_SUBSCRIBE, EV_PROBE,      EV_JOIN,        EV_PART,
                                            EV_SUBJECT,     EV_RESULT,    EV_SUBSCRIBED, EV_UNSUBSCRIBED};
    struct harness h;
    harness_init(&h);
    log_set_level(LOG_ERROR);
    for (size_t i = 0; i < COUNT(strings) * COUNT(kinds) * 2; i++) {
        struct str bad = str_c(strings[i % COUNT(strings)]);
        harness_clear(&h);
        struct event ev = {.kind = kinds[i / 2 / COUNT(strings)],
                           .about = i % 2 ? EV_COMMAND : EV_MESSAGE,
                           .user = {STR("alice"), STR("example.org"), STR("p")},
                           .to = {STR("lounge"), STR("bridge.example"), STR("nick")},
                           .id = bad,
                           .body = bad,
                           .nick = bad,
                           .name = bad,
                           .cls = bad,
                           .command = bad,
                           .stamp = 1};
        assert_int_equal(gateway_send(h.g, &ev, &h.arena, &h.out), ERR_OK);
        assert_int_equal(check_output(&h).count, 1);
    }
    harness_finish(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mutated),
        cmocka_unit_test(test_one_answer),
        cmocka_unit_test(test_hostile_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
