/* The component's life: conversations of real servers at every split, every way a link ends, and its retry class. */
#include "component_fixture.h"

#define OUR_HEADER                                                                                                     \
    "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' "                                             \
    "xmlns:stream='http://etherx.jabber.org/streams' to='bridge.localhost'>"

/* Conversations. */

static const struct conversation {
    const char *server, *header, *digest, *rest, *events;
    enum component_state state;
} conversations[] = {
    {"Prosody", PROSODY_HEADER, PROSODY_DIGEST,
     "<handshake/><message to='lamp@bridge.localhost' from='alice@localhost/x' type='chat' id='m1' "
     "xml:lang='en'><body>hi &lt;3</body></message> "
     "<presence from='alice@localhost' to='lamp@bridge.localhost' type='subscribe'/></stream:stream>",
     "up\nmessage stanza\npresence stanza\ndown\n", COMPONENT_WAITING},
    {"ejabberd", EJABBERD_HEADER, EJABBERD_DIGEST,
     "<handshake/><iq to='bridge.localhost' from='localhost' type='get' id='q' xml:lang='en'><query "
     "xmlns='http://jabber.org/protocol/disco#info'/></iq>",
     "up\niq stanza\n", COMPONENT_UP},
    {"a privilege advertised", EJABBERD_HEADER, EJABBERD_DIGEST,
     "<handshake></handshake><message to='bridge.localhost' from='localhost'><privilege "
     "xmlns='urn:xmpp:privilege:1'><perm access='roster' type='both'/></privilege></message>",
     "up\nmessage stanza\n", COMPONENT_UP},
    {"a wrong secret on Prosody", PROSODY_HEADER, PROSODY_DIGEST,
     STREAM_ERROR("not-authorized", "Given token does not match calculated token"), "notice\n", COMPONENT_WAITING},
    {"another's conflict on Prosody", PROSODY_HEADER, PROSODY_DIGEST,
     STREAM_ERROR("conflict", "Component already connected"), "", COMPONENT_WAITING},
    {"a shutdown in mid-stream", PROSODY_HEADER, PROSODY_DIGEST, "<handshake/>" STREAM_ERROR("system-shutdown", ""),
     "up\ndown\n", COMPONENT_WAITING},
};

static void converse(const struct conversation *v, size_t split, size_t portion)
{
    struct peer p;
    struct strbuf bytes, sent;
    strbuf_init(&bytes, 4096);
    strbuf_init(&sent, 8192);
    strbuf_printf(&bytes, "%s%s", v->header, v->rest);
    peer_init(&p);
    component_start(p.c, p.now);
    peer_connect(&p);
    peer_expect_output(&p, OUR_HEADER);
    for (size_t at = 0; at < bytes.n;) {
        size_t to = split > at ? split : at + portion < bytes.n ? at + portion : bytes.n;
        component_feed(p.c, str_sub(strbuf_view(&bytes), at, to), p.now);
        strbuf_str(&sent, strbuf_view(component_output(p.c)));
        strbuf_clear(component_output(p.c));
        at = to;
    }
    assert_int_equal(component_state(p.c), v->state);
    peer_expect(&p, v->events);
    assert_true(str_starts(strbuf_view(&sent), STR("<handshake>")));
    assert_true(str_starts(str_sub(strbuf_view(&sent), 11, sent.n), str_c(v->digest)));
    assert_int_equal(peer_count(&sent, "</handshake>"), 1);
    peer_finish(&p);
    strbuf_finish(&bytes);
    strbuf_finish(&sent);
}

static void conversations_at_every_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof conversations / sizeof *conversations; i++) {
        const struct conversation *v = &conversations[i];
        size_t n = strlen(v->header) + strlen(v->rest);
        for (size_t split = 0; split <= n; split++)
            converse(v, split, split ? n : 1);
    }
}

/* Failures. */

enum phase { AT_HEADER, AT_HANDSHAKE, AT_UP, PHASES };

static void go_to(struct peer *p, enum phase phase)
{
    component_start(p->c, p->now);
    peer_connect(p);
    if (phase >= AT_HANDSHAKE)
        peer_feed(p, PROSODY_HEADER);
    if (phase == AT_UP)
        peer_feed(p, HANDSHAKE_OK);
    strbuf_clear(&p->seen);
    strbuf_clear(&p->logged);
    strbuf_clear(component_output(p->c));
    p->now += 1000; // not yet a stable link
}

static const struct {
    int64_t floor, cap;
} delays[] = {
    [COMPONENT_RETRY_NET] = {1000, 5000},     [COMPONENT_RETRY_CONFIG] = {30000, 60000},
    [COMPONENT_RETRY_GHOST] = {5000, 60000},  [COMPONENT_RETRY_REPLACED] = {300000, 600000},
    [COMPONENT_RETRY_PROTO] = {10000, 60000},
};

// Checks that the link failed with this class, that it was told once, and that the next try comes when it should.
static void expect_retry(struct peer *p, enum component_retry class, bool was_up, bool notice, const char *why)
{
    assert_int_equal(component_state(p->c), COMPONENT_WAITING);
    struct strbuf expected;
    strbuf_init(&expected, 100);
    strbuf_printf(&expected, "%s%s", notice ? "notice\n" : "", was_up ? "down\n" : "");
    peer_expect(p, peer_text(&expected));
    strbuf_finish(&expected);
    assert_int_equal(peer_count(&p->logged, "component link is down"), 1);
    struct arena a;
    arena_init(&a, 0);
    if (component_wants_close(p->c)) {
        assert_int_equal(component_deadline(p->c), INT64_MAX);
        component_closed(p->c, ERR_OK, "", p->now);
        assert_false(component_wants_close(p->c));
    }
    struct str status = component_status(p->c, &a, p->now);
    if (str_find_str(status, str_c(why)) < 0)
        fail_msg("'%s' is not in '" STR_FMT "'", why, STR_ARG(status));
    assert_true(str_starts(status, STR("waiting ")));
    int64_t delay = component_deadline(p->c) - p->now;
    bool at_once = was_up && class == COMPONENT_RETRY_NET;
    assert_in_range(delay, at_once ? 0 : delays[class].floor, at_once ? 999 : delays[class].cap);
    assert_false(component_wants_connect(p->c));
    peer_wait(p);
    assert_true(component_wants_connect(p->c));
    assert_int_equal(component_state(p->c), COMPONENT_CONNECTING);
    arena_finish(&a);
}

#define ERR(condition, text)                                                                                           \
    "<stream:error><" condition " xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>" text "</stream:error></"              \
    "stream:stream>"
#define TEXT(text) "<text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>" text "</text>"

static const struct {
    enum phase phase;
    const char *bytes;
    enum component_retry class;
    bool notice;
    const char *why;
} failures[] = {
    // What Prosody says.
    {AT_HEADER,
     PROSODY_NO_ID ERR("host-unknown", TEXT("other.example does not match any configured external components")),
     COMPONENT_RETRY_CONFIG, true,
     "host-unknown (other.example does not match any configured external components) [the server does not know this "
     "domain as a component. Prosody: add"},
    {AT_HEADER, PROSODY_NO_ID ERR("improper-addressing", ""), COMPONENT_RETRY_CONFIG, true,
     "improper-addressing [the server does not know"},
    {AT_HANDSHAKE, ERR("not-authorized", TEXT("Given token does not match calculated token")), COMPONENT_RETRY_CONFIG,
     true,
     "Given token does not match calculated token) [the secret is wrong, or the domain. Prosody: component_secret"},
    {AT_HANDSHAKE, ERR("conflict", TEXT("Component already connected")), COMPONENT_RETRY_GHOST, false,
     "component_conflict_resolve = \"kick_old\""},
    {AT_UP, ERR("conflict", TEXT("Replaced by a new connection")), COMPONENT_RETRY_REPLACED, true,
     "another instance has taken over"},
    {AT_UP, ERR("invalid-from", TEXT("Component tried to send from address")), COMPONENT_RETRY_NET, false,
     "a fault of this program"},
    {AT_UP, ERR("not-well-formed", ""), COMPONENT_RETRY_NET, false, "not-well-formed [the server did not accept"},
    {AT_UP, ERR("unsupported-stanza-type", ""), COMPONENT_RETRY_NET, false, "a fault of this program"},
    {AT_HEADER,
     "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='1'>" ERR("host-unknown",
                                                                                                        ""),
     COMPONENT_RETRY_CONFIG, true, "Or is this not the component port?"},
    // What ejabberd says.
    {AT_HANDSHAKE, ERR("not-authorized", ""), COMPONENT_RETRY_CONFIG, true,
     "ejabberd says the same for both: check the domain under hosts"},
    {AT_HEADER, EJABBERD_HEADER ERR("conflict", TEXT("Unable to register route on existing local domain")),
     COMPONENT_RETRY_CONFIG, true, "the server serves this domain itself"},
    {AT_HEADER, EJABBERD_HEADER ERR("invalid-namespace", ""), COMPONENT_RETRY_CONFIG, true,
     "is this a port for components?"},
    {AT_HEADER, EJABBERD_HEADER ERR("improper-addressing", TEXT("Missing &apos;to&apos; attribute")),
     COMPONENT_RETRY_CONFIG, true, "Missing 'to'"},
    {AT_UP, ERR("policy-violation", TEXT("XML stanza is too big")), COMPONENT_RETRY_NET, false,
     "XML stanza is too big"},
    {AT_UP, ERR("improper-addressing", ""), COMPONENT_RETRY_NET, false, "a fault of this program"},
    // Openfire.
    {AT_HEADER, PROSODY_NO_ID ERR("internal-server-error", ""), COMPONENT_RETRY_CONFIG, true,
     "is a secret set under External Components?"},
    {AT_HEADER, PROSODY_NO_ID ERR("bad-format", ""), COMPONENT_RETRY_CONFIG, true,
     "Openfire: allow it under External Components"},
    {AT_UP, ERR("connection-timeout", ""), COMPONENT_RETRY_NET, false, "connection-timeout"},
    // Anybody.
    {AT_UP, ERR("system-shutdown", ""), COMPONENT_RETRY_NET, false, "system-shutdown"},
    {AT_UP, ERR("not-authorized", ""), COMPONENT_RETRY_CONFIG, true, "not-authorized"},
    {AT_UP, ERR("host-gone", ""), COMPONENT_RETRY_CONFIG, true, "host-gone"},
    {AT_UP, ERR("internal-server-error", ""), COMPONENT_RETRY_NET, false, "internal-server-error"},
    {AT_HANDSHAKE, ERR("policy-violation", ""), COMPONENT_RETRY_CONFIG, true, "see its log"},
    {AT_HANDSHAKE, ERR("see-other-host", ""), COMPONENT_RETRY_CONFIG, true, "change `server`"},
    {AT_UP, ERR("never-heard-of", TEXT("who knows")), COMPONENT_RETRY_NET, false, "never-heard-of (who knows)"},
    {AT_UP, "<stream:error/>", COMPONENT_RETRY_NET, false, "undefined-condition"},
    {AT_UP, "</stream:stream>", COMPONENT_RETRY_NET, false, "has closed the stream"},
    {AT_HANDSHAKE, "</stream:stream>", COMPONENT_RETRY_NET, false, "has closed the stream"},
    // What is no XMPP.
    {AT_HEADER, "HTTP/1.1 400 Bad Request\r\n", COMPONENT_RETRY_PROTO, true, "sent what is no XMPP"},
    {AT_HEADER, "SSH-2.0-OpenSSH_9.2\r\n", COMPONENT_RETRY_PROTO, true, "sent what is no XMPP"},
    {AT_HEADER, "<html>", COMPONENT_RETRY_PROTO, true, "does not speak XMPP"},
    {AT_HANDSHAKE, "<a></b>", COMPONENT_RETRY_PROTO, true, "mismatched tag"},
    {AT_UP, "<!DOCTYPE x>", COMPONENT_RETRY_PROTO, true, "not allowed in XMPP"},
    {AT_UP, "stray", COMPONENT_RETRY_PROTO, true, "not allowed in XMPP"},
};

static void each_failure_has_its_class(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        struct peer p;
        peer_init(&p);
        go_to(&p, failures[i].phase);
        peer_feed(&p, failures[i].bytes);
        assert_true(component_wants_close(p.c));
        peer_feed(&p, "what comes behind it <is/> ignored");
        expect_retry(&p, failures[i].class, failures[i].phase == AT_UP, failures[i].notice, failures[i].why);
        peer_finish(&p);
    }
}

static const struct {
    enum phase phase;
    enum err err;
    const char *why;
    enum component_retry class;
    bool notice;
    const char *status;
} endings[] = {
    {AT_HEADER, ERR_OK, NULL, COMPONENT_RETRY_NET, false, "before it said anything (does that port want TLS?"},
    {AT_HEADER, ERR_CLOSED, "connection reset", COMPONENT_RETRY_NET, false, "connection reset before it said anything"},
    {AT_HANDSHAKE, ERR_OK, NULL, COMPONENT_RETRY_NET, false, "the server has closed the connection"},
    {AT_UP, ERR_OK, "", COMPONENT_RETRY_NET, false, "the server has closed the connection"},
    {AT_UP, ERR_CLOSED, "reset by peer", COMPONENT_RETRY_NET, false, "reset by peer"},
    {AT_UP, ERR_TIMEOUT, NULL, COMPONENT_RETRY_NET, false, "timed out"},
};

static void each_end_of_the_transport_has_its_class(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        struct peer p;
        peer_init(&p);
        go_to(&p, endings[i].phase);
        component_closed(p.c, endings[i].err, endings[i].why, p.now);
        assert_false(component_wants_close(p.c));
        expect_retry(&p, endings[i].class, endings[i].phase == AT_UP, endings[i].notice, endings[i].status);
        peer_finish(&p);
    }
}

static const struct {
    enum err err;
    const char *why;
    enum component_retry class;
    bool notice;
    const char *status;
} dials[] = {
    {ERR_REFUSED, NULL, COMPONENT_RETRY_NET, false, "connection refused (does the server listen for components there?"},
    {ERR_TIMEOUT, "no answer in 10 s", COMPONENT_RETRY_NET, false, "no answer in 10 s"},
    {ERR_RESOLVE, "no such host", COMPONENT_RETRY_NET, false, "no such host (is the name in `server` right?)"},
    {ERR_TLS, "certificate expired", COMPONENT_RETRY_CONFIG, true, "certificate expired (is this a TLS port"},
    {ERR_CONF, "no CA file", COMPONENT_RETRY_CONFIG, true, "no CA file"},
    {ERR_FORBIDDEN, "address not allowed", COMPONENT_RETRY_CONFIG, true, "address not allowed"},
};

static void each_failed_dial_has_its_class(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof dials / sizeof *dials; i++) {
        for (int dialled = 0; dialled < 2; dialled++) {
            struct peer p;
            peer_init(&p);
            component_start(p.c, p.now);
            if (dialled)
                component_dialled(p.c, p.now);
            component_closed(p.c, dials[i].err, dials[i].why, p.now);
            expect_retry(&p, dials[i].class, false, dials[i].notice, dials[i].status);
            peer_finish(&p);
        }
    }
}

static void silence_before_the_handshake_is_bounded(void **state)
{
    (void)state;
    for (enum phase phase = AT_HEADER; phase <= AT_HANDSHAKE; phase++) {
        struct peer p;
        peer_init(&p);
        go_to(&p, phase);
        assert_int_equal(component_deadline(p.c), p.now + 14000);
        peer_wait(&p);
        assert_true(component_wants_reset(p.c));
        expect_retry(&p, COMPONENT_RETRY_NET, false, false, "did not answer within 15 s");
        peer_finish(&p);
    }
}

/* Retries. */

static void delays_grow_to_the_cap(void **state)
{
    (void)state;
    int64_t longest = 0;
    struct peer p;
    peer_init(&p);
    component_start(p.c, p.now);
    for (int i = 0; i < 200; i++) {
        component_dialled(p.c, p.now);
        component_closed(p.c, ERR_REFUSED, NULL, p.now);
        int64_t delay = component_deadline(p.c) - p.now;
        assert_in_range(delay, 1000, 5000);
        longest = delay > longest ? delay : longest;
        peer_wait(&p);
    }
    assert_in_range(longest, 4000, 5000);
    assert_int_equal(peer_count(&p.logged, "component link is down"), 1); // one outage, one line
    peer_expect(&p, "");
    peer_go_up(&p);
    assert_int_equal(peer_count(&p.logged, "component link is up"), 1);
    assert_int_equal(peer_count(&p.logged, "tries=201"), 1);
    peer_finish(&p);
}

static int64_t up_then_down(struct peer *p, int64_t up_for)
{
    peer_go_up(p);
    p->now += up_for;
    component_closed(p->c, ERR_OK, NULL, p->now);
    int64_t delay = component_deadline(p->c) - p->now;
    peer_wait(p);
    return delay;
}

static void a_link_that_was_up_is_tried_again_at_once(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 50; seed++) {
        struct peer p;
        peer_init_for(&p, "bridge.localhost", seed);
        assert_in_range(up_then_down(&p, 1000), 0, 999);
        assert_in_range(up_then_down(&p, 9999), 1000, 5000); // it falls again and again
        assert_in_range(up_then_down(&p, 5), 1000, 5000);
        assert_in_range(up_then_down(&p, 10000), 0, 999);
        peer_finish(&p);
    }
}

static void an_outage_is_told_once_for_each_class(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p);
    peer_go_up(&p);
    peer_expect(&p, "up\n");
    component_closed(p.c, ERR_OK, NULL, p.now);
    peer_expect(&p, "down\n");
    for (int i = 0; i < 3; i++) {
        peer_wait(&p);
        component_dialled(p.c, p.now);
        component_closed(p.c, ERR_REFUSED, NULL, p.now);
    }
    peer_expect(&p, "");
    for (int i = 0; i < 3; i++) {
        peer_wait(&p);
        peer_connect(&p);
        peer_feed(&p, PROSODY_HEADER ERR("not-authorized", ""));
        component_closed(p.c, ERR_OK, NULL, p.now);
    }
    peer_expect(&p, "notice\n");
    assert_int_equal(peer_count(&p.logged, "component link is down"), 2);
    peer_wait(&p);
    peer_go_up(&p); // the next outage is a new one
    component_closed(p.c, ERR_OK, NULL, p.now);
    peer_expect(&p, "up\ndown\n");
    assert_int_equal(peer_count(&p.logged, "component link is down"), 3);
    peer_finish(&p);
}

/* Shutdown. */

static void shutdown_reads_to_the_end(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p);
    go_to(&p, AT_UP);
    component_shutdown(p.c, p.now);
    assert_int_equal(component_state(p.c), COMPONENT_CLOSING);
    assert_int_equal(component_deadline(p.c), p.now + 5000);
    peer_expect_output(&p, "</stream:stream>");
    p.say_on = "stanza"; // an answer would come behind the end of the stream
    peer_feed(&p, "<message from='a' to='b'/><iq type='get' from='bridge.localhost' to='bridge.localhost' "
                  "id='spandrel-live-abcdefghij-1-0'/>");
    peer_expect(&p, "message stanza\n");
    peer_expect_output(&p, "");
    peer_feed(&p, "<presence/></stream:stream>");
    peer_expect(&p, "presence stanza\n");
    assert_true(component_wants_close(p.c));
    assert_false(component_wants_reset(p.c));
    component_closed(p.c, ERR_OK, NULL, p.now);
    peer_expect(&p, "down\n");
    assert_string_equal(p.last_down.p, "ok shut down");
    assert_int_equal(component_state(p.c), COMPONENT_IDLE);
    assert_int_equal(component_deadline(p.c), INT64_MAX);
    assert_int_equal(peer_count(&p.logged, "component link is down"), 0);
    peer_finish(&p);
}

static void shutdown_is_bounded(void **state)
{
    (void)state;
    static const char *const last[] = {"", "<a></b>", ERR("conflict", "")};
    for (size_t i = 0; i < sizeof last / sizeof *last; i++) {
        struct peer p;
        peer_init(&p);
        go_to(&p, AT_UP);
        component_shutdown(p.c, p.now);
        peer_feed(&p, last[i]);
        if (!*last[i]) {
            peer_wait(&p);
            assert_true(component_wants_reset(p.c));
        }
        assert_true(component_wants_close(p.c));
        assert_int_equal(component_deadline(p.c), INT64_MAX);
        component_closed(p.c, ERR_CLOSED, "reset", p.now);
        assert_int_equal(component_state(p.c), COMPONENT_IDLE);
        peer_expect(&p, "down\n");
        peer_finish(&p);
    }
}

static void shutdown_from_every_state(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p);
    component_shutdown(p.c, p.now); // IDLE
    assert_int_equal(component_state(p.c), COMPONENT_IDLE);

    component_start(p.c, p.now); // CONNECTING, not dialled
    component_shutdown(p.c, p.now);
    assert_int_equal(component_state(p.c), COMPONENT_IDLE);
    assert_false(component_wants_connect(p.c));
    assert_int_equal(component_deadline(p.c), INT64_MAX);

    component_start(p.c, p.now); // CONNECTING, dialled; the dial succeeds all the same
    component_dialled(p.c, p.now);
    component_shutdown(p.c, p.now);
    assert_true(component_wants_close(p.c));
    component_opened(p.c, p.now);
    peer_expect_output(&p, "");
    component_closed(p.c, ERR_OK, NULL, p.now);
    assert_int_equal(component_state(p.c), COMPONENT_IDLE);

    component_start(p.c, p.now); // WAITING without a transport
    component_dialled(p.c, p.now);
    component_closed(p.c, ERR_REFUSED, NULL, p.now);
    component_shutdown(p.c, p.now);
    assert_int_equal(component_state(p.c), COMPONENT_IDLE);
    peer_finish(&p);

    for (enum phase phase = AT_HEADER; phase < PHASES; phase++) {
        peer_init(&p);
        go_to(&p, phase);
        component_shutdown(p.c, p.now);
        component_shutdown(p.c, p.now);
        peer_expect_output(&p, "</stream:stream>");
        peer_feed(&p, phase == AT_HEADER ? PROSODY_HEADER HANDSHAKE_OK : HANDSHAKE_OK);
        assert_int_equal(component_state(p.c), COMPONENT_CLOSING);
        peer_expect_output(&p, "");
        component_closed(p.c, ERR_OK, NULL, p.now);
        assert_int_equal(component_state(p.c), COMPONENT_IDLE);
        peer_finish(&p);
    }

    peer_init(&p); // WAITING while the transport is ending
    go_to(&p, AT_UP);
    peer_feed(&p, ERR("reset", ""));
    component_shutdown(p.c, p.now);
    assert_int_equal(component_state(p.c), COMPONENT_CLOSING);
    component_closed(p.c, ERR_OK, NULL, p.now);
    assert_int_equal(component_state(p.c), COMPONENT_IDLE);
    peer_expect(&p, "down\n");
    peer_finish(&p);
}

static const struct {
    const char *event;
    enum phase phase;
    const char *bytes, *events;
    bool open; // the stream is ended in order
} reentries[] = {
    {"up", AT_HANDSHAKE, "<handshake/><message/>", "up\nmessage stanza\n", true},
    {"stanza", AT_UP, "<message/><iq/>", "message stanza\niq stanza\n", true},
    {"down", AT_UP, ERR("conflict", ""), "notice\ndown\n", false},
    {"notice", AT_UP, ERR("conflict", ""), "notice\ndown\n", false},
    {"notice", AT_HANDSHAKE, ERR("not-authorized", ""), "notice\n", false},
};

static void every_event_may_shut_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof reentries / sizeof *reentries; i++) {
        struct peer p;
        peer_init(&p);
        go_to(&p, reentries[i].phase);
        p.shutdown_on = reentries[i].event;
        p.say_on = reentries[i].event; // behind the end of the stream: dropped
        peer_feed(&p, reentries[i].bytes);
        assert_int_equal(component_state(p.c), COMPONENT_CLOSING);
        peer_expect(&p, reentries[i].events);
        assert_int_equal(peer_count(component_output(p.c), "</stream:stream>"), reentries[i].open ? 1 : 0);
        assert_int_equal(peer_count(component_output(p.c), "<message/>"), 0);
        component_closed(p.c, ERR_OK, NULL, p.now);
        assert_int_equal(component_state(p.c), COMPONENT_IDLE);
        peer_finish(&p);
    }
}

/* The rest. */

static void an_oversize_stanza_does_not_end_the_link(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p);
    go_to(&p, AT_UP);
    peer_feed(&p, "<message from='a@b' to='c'><body>");
    for (int i = 0; i < 300; i++) {
        char kilobyte[1025];
        memset(kilobyte, 'x', 1024);
        kilobyte[1024] = '\0';
        peer_feed(&p, kilobyte);
    }
    peer_feed(&p, "</body></message><iq/>");
    peer_expect(&p, "message oversize\niq stanza\n");
    assert_int_equal(component_state(p.c), COMPONENT_UP);
    peer_finish(&p);
}

static void the_domain_is_escaped(void **state)
{
    (void)state;
    struct peer p;
    peer_init_for(&p, "a'b<c", 1);
    component_start(p.c, p.now);
    peer_connect(&p);
    assert_non_null(strstr(component_output(p.c)->p, " to='a&apos;b&lt;c'>"));
    peer_finish(&p);
}

static void output_is_bounded(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p);
    go_to(&p, AT_UP);
    unsigned written = 0;
    enum err e = ERR_OK;
    while (!e && written < 100000) {
        struct xml_writer w;
        xml_begin(&w, component_output(p.c));
        xml_open(&w, "message");
        xml_put_attr_c(
            &w, "id",
            "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789");
        xml_shut(&w);
        e = xml_end(&w);
        written++;
    }
    assert_int_equal(e, ERR_LIMIT);
    assert_in_range(component_output(p.c)->n, (8 << 20) - 200, 8 << 20);
    peer_wait(&p); // a full output is no reason to fail
    assert_int_equal(component_state(p.c), COMPONENT_UP);
    peer_finish(&p);
}

static void statuses(void **state)
{
    (void)state;
    struct peer p;
    struct arena a;
    peer_init(&p);
    arena_init(&a, 0);
    assert_string_equal(component_status(p.c, &a, p.now).p, "not connected");
    component_start(p.c, p.now);
    assert_string_equal(component_status(p.c, &a, p.now).p, "connecting to 127.0.0.1:5347");
    component_dialled(p.c, p.now);
    component_opened(p.c, p.now);
    assert_string_equal(component_status(p.c, &a, p.now).p, "connected to 127.0.0.1:5347, waiting for its answer");
    peer_feed(&p, PROSODY_HEADER HANDSHAKE_OK);
    assert_string_equal(component_status(p.c, &a, p.now + 12 * 60000).p, "up for 12 min");
    peer_feed(&p, "</stream:stream>");
    assert_string_equal(component_status(p.c, &a, p.now).p,
                        "closing the connection: 127.0.0.1:5347 has closed the stream");
    component_closed(p.c, ERR_OK, NULL, p.now);
    peer_wait(&p);
    assert_string_equal(component_status(p.c, &a, p.now).p,
                        "connecting to 127.0.0.1:5347; before: 127.0.0.1:5347 has closed the stream");
    component_dialled(p.c, p.now);
    component_shutdown(p.c, p.now);
    assert_string_equal(component_status(p.c, &a, p.now).p, "closing");
    arena_finish(&a);
    peer_finish(&p);
}

static void no_secret_is_logged(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p);
    log_set_level(LOG_TRACE);
    peer_go_up(&p);
    peer_feed(&p, ERR("conflict", ""));
    component_shutdown(p.c, p.now);
    assert_true(p.logged.n > 100);
    assert_int_equal(peer_count(&p.logged, "bridge-secret"), 0);
    assert_int_equal(peer_count(&p.logged, PROSODY_DIGEST), 0);
    peer_finish(&p);
}

/* Any sequence of calls: no forbidden edge (that would abort), up and down in turn, and a shutdown that ends. */

static void any_call(struct peer *p, struct rng *rng)
{
    static const char *const bytes[] = {
        PROSODY_HEADER,     EJABBERD_HEADER,     PROSODY_NO_ID,           HANDSHAKE_OK, "<message/>", " ", "<a></b>",
        "</stream:stream>", ERR("conflict", ""), ERR("host-unknown", ""), "<mess"};
    static const enum err errs[] = {ERR_OK, ERR_REFUSED, ERR_TLS, ERR_TIMEOUT};
    static const char *const events[] = {NULL, NULL, NULL, NULL, "up", "down", "notice", "stanza"};
    p->shutdown_on = events[rng_below(rng, 8)];
    switch (rng_below(rng, 10)) {
    case 0:
        component_start(p->c, p->now);
        break;
    case 1:
        component_dialled(p->c, p->now);
        break;
    case 2:
        component_opened(p->c, p->now);
        break;
    case 3:
        component_closed(p->c, errs[rng_below(rng, 4)], NULL, p->now);
        break;
    case 4:
        p->now += (int64_t)rng_below(rng, 30000);
        component_tick(p->c, p->now);
        break;
    case 5:
        if (rng_below(rng, 10) == 0)
            component_shutdown(p->c, p->now);
        break;
    case 6:
        strbuf_clear(component_output(p->c));
        break;
    default:
        peer_feed(p, bytes[rng_below(rng, sizeof bytes / sizeof *bytes)]);
        break;
    }
}

static void any_sequence_of_calls_is_safe(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct rng rng;
        struct peer p;
        peer_init_for(&p, "bridge.localhost", seed);
        log_set_level(LOG_ERROR);
        rng_init(&rng, seed);
        for (int i = 0; i < 400; i++) {
            any_call(&p, &rng);
            unsigned ups = peer_count(&p.seen, "up\n"), downs = peer_count(&p.seen, "down\n");
            assert_true(ups == downs || ups == downs + 1);
            assert_false(component_wants_connect(p.c) && component_wants_close(p.c));
            assert_true(component_state(p.c) != COMPONENT_UP || ups == downs + 1);
        }
        component_shutdown(p.c, p.now);
        p.now += 5000;
        component_tick(p.c, p.now);
        assert_true(component_state(p.c) == COMPONENT_IDLE || component_wants_close(p.c));
        component_closed(p.c, ERR_OK, NULL, p.now);
        assert_int_equal(component_state(p.c), COMPONENT_IDLE);
        assert_int_equal(peer_count(&p.seen, "up\n"), peer_count(&p.seen, "down\n"));
        peer_finish(&p);
    }
}

static void destroy_takes_null(void **state)
{
    (void)state;
    component_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conversations_at_every_split),
        cmocka_unit_test(each_failure_has_its_class),
        cmocka_unit_test(each_end_of_the_transport_has_its_class),
        cmocka_unit_test(each_failed_dial_has_its_class),
        cmocka_unit_test(silence_before_the_handshake_is_bounded),
        cmocka_unit_test(delays_grow_to_the_cap),
        cmocka_unit_test(a_link_that_was_up_is_tried_again_at_once),
        cmocka_unit_test(an_outage_is_told_once_for_each_class),
        cmocka_unit_test(shutdown_reads_to_the_end),
        cmocka_unit_test(shutdown_is_bounded),
        cmocka_unit_test(shutdown_from_every_state),
        cmocka_unit_test(every_event_may_shut_down),
        cmocka_unit_test(an_oversize_stanza_does_not_end_the_link),
        cmocka_unit_test(the_domain_is_escaped),
        cmocka_unit_test(output_is_bounded),
        cmocka_unit_test(statuses),
        cmocka_unit_test(no_secret_is_logged),
        cmocka_unit_test(any_sequence_of_calls_is_safe),
        cmocka_unit_test(destroy_takes_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
