/* A component and a pretended server under virtual time: what events say is written down, what the component sends is
 * taken. */
#ifndef COMPONENT_FIXTURE_H
#define COMPONENT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "xml/xml_writer.h"
#include "xmpp/component.h"

#define PROSODY_ID "a5b06ac1-d458-4eb5-9e2e-50e8ecff2809"
#define PROSODY_DIGEST                                                                                                 \
    "a65c62b6fc87e201227ebdfb630e99c73d45b839" // SHA-1 of the id and "bridge-secret", as sha1sum(1) has it
#define EJABBERD_ID "12252641732941331849"
#define EJABBERD_DIGEST "b5f54835e1fe0ac3410c6b3a8a8f390dc59b3c9f"

// As the servers wrote them (Prosody 0.12.3, ejabberd 23.01).
#define PROSODY_HEADER                                                                                                 \
    "<?xml version='1.0'?><stream:stream from='bridge.localhost' xml:lang='en' "                                       \
    "xmlns:stream='http://etherx.jabber.org/streams' id='" PROSODY_ID "' xmlns='jabber:component:accept'>"
#define PROSODY_NO_ID                                                                                                  \
    "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' "                                             \
    "xmlns:stream='http://etherx.jabber.org/streams' id='' version='1.0'>"
#define EJABBERD_HEADER                                                                                                \
    "<?xml version='1.0'?><stream:stream id='" EJABBERD_ID                                                             \
    "' xml:lang='en' xmlns:stream='http://etherx.jabber.org/streams' from='bridge.localhost' "                         \
    "xmlns='jabber:component:accept'>"
#define HANDSHAKE_OK "<handshake/>"
#define STREAM_ERROR(condition, text)                                                                                  \
    "<stream:error><" condition                                                                                        \
    " xmlns='urn:ietf:params:xml:ns:xmpp-streams'/><text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>" text            \
    "</text></stream:error></stream:stream>"

struct peer {
    struct component *c;
    int64_t now;
    struct strbuf seen;        // one line an event
    struct strbuf last_notice; // and why the last link was lost
    struct strbuf last_down;
    struct strbuf logged;    // lines of the log
    const char *shutdown_on; // the event that calls component_shutdown()
    const char *say_on;      // the event that writes a stanza
};

// Each peer speaks from a context of its own, since the log holds back what one context repeats.
static inline const struct log_ctx *peer_log(void)
{
    static struct log_ctx contexts[16384];
    static size_t used;
    struct log_ctx *log = &contexts[used++ % 16384];
    log->sub = LOG_SUB_xmpp;
    return log;
}

static void peer_happened(struct peer *p, const char *event)
{
    strbuf_c(&p->seen, event);
    strbuf_char(&p->seen, '\n');
    if (p->shutdown_on && strcmp(p->shutdown_on, event) == 0)
        component_shutdown(p->c, p->now);
    if (p->say_on && strcmp(p->say_on, event) == 0)
        strbuf_c(component_output(p->c), "<message/>");
}

static void peer_up(void *ud)
{
    peer_happened(ud, "up");
}

static void peer_down(void *ud, enum err e, struct str why)
{
    struct peer *p = ud;
    strbuf_clear(&p->last_down);
    strbuf_printf(&p->last_down, "%s " STR_FMT, err_name(e), STR_ARG(why));
    peer_happened(ud, "down");
}

static void peer_stanza(void *ud, const struct xml_node *n)
{
    struct peer *p = ud;
    strbuf_printf(&p->seen, STR_FMT " ", STR_ARG(n->name));
    peer_happened(ud, "stanza");
}

static void peer_oversize(void *ud, const struct xml_node *n)
{
    struct peer *p = ud;
    strbuf_printf(&p->seen, STR_FMT " ", STR_ARG(n->name));
    peer_happened(ud, "oversize");
}

static void peer_notice(void *ud, struct str text)
{
    struct peer *p = ud;
    strbuf_clear(&p->last_notice);
    strbuf_str(&p->last_notice, text);
    peer_happened(ud, "notice");
}

static void peer_logged(void *ud, struct str line)
{
    struct peer *p = ud;
    strbuf_str(&p->logged, line);
}

static const struct component_events peer_events = {peer_up, peer_down, peer_stanza, peer_oversize, peer_notice};

static void peer_init_for(struct peer *p, const char *domain, uint64_t seed)
{
    struct component_config cfg = {
        .domain = str_c(domain), .secret = STR("bridge-secret"), .server = STR("127.0.0.1:5347"), .seed = seed};
    *p = (struct peer){.now = 1000000};
    strbuf_init(&p->seen, 1 << 20);
    strbuf_init(&p->last_notice, 4096);
    strbuf_init(&p->last_down, 4096);
    strbuf_init(&p->logged, 1 << 20);
    strbuf_c(&p->seen, "");
    log_set_level(LOG_INFO);
    log_to_sink(peer_logged, p);
    p->c = component_create(&cfg, &peer_events, p, peer_log());
}

static inline void peer_init(struct peer *p)
{
    peer_init_for(p, "bridge.localhost", 7);
}

static void peer_finish(struct peer *p)
{
    component_destroy(p->c);
    log_to_fd(2);
    strbuf_finish(&p->seen);
    strbuf_finish(&p->last_notice);
    strbuf_finish(&p->last_down);
    strbuf_finish(&p->logged);
}

static inline void peer_feed(struct peer *p, const char *bytes)
{
    component_feed(p->c, str_c(bytes), p->now);
}

static inline const char *peer_text(const struct strbuf *b)
{
    return b->p ? b->p : "";
}

static inline void peer_expect(struct peer *p, const char *events)
{
    assert_string_equal(peer_text(&p->seen), events);
    strbuf_clear(&p->seen);
}

static inline void peer_expect_output(struct peer *p, const char *bytes)
{
    assert_string_equal(peer_text(component_output(p->c)), bytes);
    strbuf_clear(component_output(p->c));
}

static inline unsigned peer_count(const struct strbuf *b, const char *what)
{
    unsigned n = 0;
    for (const char *at = peer_text(b); (at = strstr(at, what)); at++)
        n++;
    return n;
}

// What an owner does: dials when asked to, and the dial succeeds.
static inline void peer_connect(struct peer *p)
{
    assert_true(component_wants_connect(p->c));
    component_dialled(p->c, p->now);
    assert_false(component_wants_connect(p->c));
    assert_int_equal(component_state(p->c), COMPONENT_CONNECTING);
    component_opened(p->c, p->now);
}

// Up to UP, with the 8 pings of the test still in the output.
static inline void peer_go_up(struct peer *p)
{
    if (component_state(p->c) == COMPONENT_IDLE)
        component_start(p->c, p->now);
    peer_connect(p);
    strbuf_clear(component_output(p->c));
    peer_feed(p, PROSODY_HEADER);
    strbuf_clear(component_output(p->c));
    peer_feed(p, HANDSHAKE_OK);
    assert_int_equal(component_state(p->c), COMPONENT_UP);
}

// Advances to the component's own deadline and calls it.
static inline void peer_wait(struct peer *p)
{
    int64_t at = component_deadline(p->c);
    assert_true(at < INT64_MAX);
    component_tick(p->c, at - 1);
    p->now = at > p->now ? at : p->now;
    component_tick(p->c, p->now);
}

#endif
