/* Any calls and any bytes from the server, under virtual time: no forbidden edge (that would abort), up and down in
 * turn, bounded output, and a shutdown that ends. */
#include "base/strbuf.h"
#include "fuzz.h"
#include "xmpp/component.h"

struct owner {
    struct component *c;
    int64_t now;
    bool up;
    uint8_t shutdown_on; // the event that calls component_shutdown()
};

enum { ON_UP = 1, ON_DOWN, ON_STANZA, ON_OVERSIZE, ON_NOTICE };

static void happened(struct owner *o, uint8_t event)
{
    if (o->shutdown_on == event)
        component_shutdown(o->c, o->now);
}

static void on_up(void *ud)
{
    struct owner *o = ud;
    FUZZ_CHECK(!o->up);
    o->up = true;
    happened(o, ON_UP);
}

static void on_down(void *ud, enum err e, struct str why)
{
    struct owner *o = ud;
    FUZZ_CHECK(o->up && why.n && (unsigned)e < ERR_COUNT);
    o->up = false;
    happened(o, ON_DOWN);
}

static void on_stanza(void *ud, const struct xml_node *n)
{
    struct owner *o = ud;
    FUZZ_CHECK(o->up && n->name.n);
    happened(o, ON_STANZA);
}

static void on_oversize(void *ud, const struct xml_node *n)
{
    struct owner *o = ud;
    FUZZ_CHECK(o->up && !n->first);
    happened(o, ON_OVERSIZE);
}

static void on_notice(void *ud, struct str text)
{
    FUZZ_CHECK(text.n);
    happened(ud, ON_NOTICE);
}

static void no_line(void *ud, struct str line)
{
    (void)ud;
    (void)line;
}

static const char *const usual[] = {
    "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' id='7'>",
    "<handshake/>",
    "<message from='a@b' to='c@d'/>",
    "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
};

// One call, chosen by the next bytes of the input.
static void call(struct owner *o, struct str *in)
{
    uint8_t what = (uint8_t)in->p[0];
    *in = str_sub(*in, 1, in->n);
    switch (what & 7) {
    case 0:
        component_start(o->c, o->now);
        break;
    case 1:
        component_dialled(o->c, o->now);
        component_opened(o->c, o->now);
        break;
    case 2:
        component_closed(o->c, (enum err)((what >> 3) % ERR_COUNT), what & 0x80 ? "why" : NULL, o->now);
        break;
    case 3:
        o->now += what * INT64_C(100);
        component_tick(o->c, o->now);
        break;
    case 4:
        strbuf_clear(component_output(o->c));
        o->shutdown_on = (what >> 3) % 8;
        break;
    case 5:
        component_feed(o->c, str_c(usual[(what >> 3) % 4]), o->now);
        break;
    default: {
        struct str bytes = str_sub(*in, 0, what >> 2);
        *in = str_sub(*in, bytes.n, in->n);
        component_feed(o->c, bytes, o->now);
        break;
    }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct component_events ev = {on_up, on_down, on_stanza, on_oversize, on_notice};
    static const struct log_ctx log = {.sub = LOG_SUB_xmpp};
    struct component_config cfg = {STR("bridge.localhost"), STR("secret"), STR("server:5347"), 7};
    struct owner o = {.now = 1000};
    struct str in = fuzz_str(data, size);
    log_to_sink(no_line, NULL);
    o.c = component_create(&cfg, &ev, &o, &log);
    while (in.n) {
        call(&o, &in);
        FUZZ_CHECK(!(component_wants_connect(o.c) && component_wants_close(o.c)));
        FUZZ_CHECK(component_state(o.c) != COMPONENT_UP || o.up);
        FUZZ_CHECK(component_output(o.c)->n <= 8 << 20);
    }
    struct arena a;
    arena_init(&a, 0);
    FUZZ_CHECK(component_status(o.c, &a, o.now).n);
    arena_finish(&a);
    component_shutdown(o.c, o.now);
    component_closed(o.c, ERR_OK, NULL, o.now);
    FUZZ_CHECK(component_state(o.c) == COMPONENT_IDLE && !o.up);
    component_destroy(o.c);
    return 0;
}
