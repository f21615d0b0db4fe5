/* Stanzas from anybody to the gateway: whatever comes in, our own reader takes what goes out, from our domain alone. */
#include "fuzz.h"
#include "lib/gateway_harness.h"
#include "xmpp/gateway.h"

static void check_stanza(void *ud, const struct xml_node *n)
{
    struct arena *a = ud;
    struct jid from, to;
    enum err bad_from = jid_parse(a, xml_attr(n, "from"), &from), bad_to = jid_parse(a, xml_attr(n, "to"), &to);
    FUZZ_CHECK(!bad_from && !bad_to);
    FUZZ_CHECK(str_eq_c(from.domain, "bridge.example") && !str_eq_c(to.domain, "bridge.example"));
    arena_reset(a);
}

static void check_output(struct harness *h)
{
    static const struct xml_reader_events events = {canon_ignore_node, check_stanza, canon_ignore_node, canon_ignore};
    struct arena a;
    arena_init(&a, 0);
    struct xml_reader *r = xml_reader_create(&(struct xml_limits){0}, &events, &a);
    enum err header = xml_reader_feed(r, STR(CANON_HEADER), NULL);
    enum err body = xml_reader_feed(r, strbuf_view(&h->out), NULL);
    FUZZ_CHECK(!header && !body);
    xml_reader_destroy(r);
    arena_finish(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct harness h;
    harness_init(&h);
    h.answering = true;
    h.occupant = true;
    h.many = 20;
    harness_feed(&h, fuzz_str(data, size));
    check_output(&h);
    harness_finish(&h);
    return 0;
}
