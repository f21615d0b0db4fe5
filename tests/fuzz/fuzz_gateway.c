/* Stanzas from anybody to the gateway: whatever comes in, our own reader takes what goes out, from our domain alone.
 *
 * A guest of ours waits for answers of a room meanwhile, under ids that are always the same. */
#include "fuzz.h"
#include "lib/gateway_harness.h"
#include "xmpp/gateway.h"
#include "xmpp/upload.h"

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

static bool printable(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] <= 0x20 || s.p[i] > 0x7e)
            return false;
    }
    return s.n > 0;
}

// The same stanzas as answers of an upload service: what is taken from them can go into an HTTP request.
static void read_answer(void *ud, const struct xml_node *iq)
{
    struct upload_info info;
    struct upload_refusal refusal;
    struct upload_slot slot;
    struct str items[UPLOAD_ITEMS];
    const char *why;
    (void)ud;
    upload_read_info(iq, &info);
    upload_read_refusal(iq, &refusal);
    FUZZ_CHECK(upload_read_items(iq, items) <= UPLOAD_ITEMS);
    if (upload_read_slot(iq, &slot, &why))
        return;
    FUZZ_CHECK(printable(slot.put) && printable(slot.get) && slot.header_count <= UPLOAD_HEADERS);
    for (size_t i = 0; i < slot.header_count; i++)
        FUZZ_CHECK(str_find(slot.headers[i].value, '\n') < 0 && str_find(slot.headers[i].value, '\r') < 0);
}

static void read_as_answers(struct str text)
{
    static const struct xml_reader_events events = {canon_ignore_node, read_answer, canon_ignore_node, canon_ignore};
    struct xml_reader *r = xml_reader_create(&(struct xml_limits){0}, &events, NULL);
    enum err header = xml_reader_feed(r, STR(CANON_HEADER), NULL);
    FUZZ_CHECK(!header);
    (void)!xml_reader_feed(r, text, NULL);
    xml_reader_destroy(r);
}

// What a room says of itself and others is in its own name.
static void check_events(const struct harness *h)
{
    for (size_t i = 0; i < h->event_count && i < HARNESS_EVENTS; i++) {
        const struct event *ev = h->events[i];
        bool told = ev->kind == EV_ENTERED || ev->kind == EV_LEFT || ev->kind == EV_HEARD || ev->about == EV_SAY;
        FUZZ_CHECK(!told || str_eq_c(ev->user.domain, "rooms.example"));
        FUZZ_CHECK(ev->kind != EV_ENTERED || (ev->role <= ROLE_MODERATOR && ev->affiliation <= AFFILIATION_OWNER));
        FUZZ_CHECK(!(ev->marks & MARK_NICK) || ev->name.n > 0);
        FUZZ_CHECK(!(ev->flags & EVENT_ENCRYPTED) || !ev->body.n);
        FUZZ_CHECK(ev->id.n <= 1023 && ev->reply.n <= 1023 && ev->replace.n <= 1023);
    }
}

static void ask_rooms(struct harness *h)
{
    static const enum event_kind kinds[] = {EV_CHECK, EV_CATCHUP, EV_CATCHUP};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct event ev = {.kind = kinds[i], .number = i, .now = 1000};
        ev.user = harness_jid(h, kinds[i] == EV_CHECK ? "den@rooms.example/lamp" : "den@rooms.example");
        ev.to = harness_jid(h, "lamp@bridge.example/r1");
        FUZZ_CHECK(!gateway_send(h->g, &ev, &h->arena, &h->out));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct harness h;
    harness_init(&h);
    h.answering = true;
    h.occupant = true;
    h.many = 20;
    ask_rooms(&h);
    harness_feed(&h, fuzz_str(data, size));
    check_output(&h);
    check_events(&h);
    gateway_tick(h.g, 1000 + 60000);
    harness_finish(&h);
    read_as_answers(fuzz_str(data, size));
    return 0;
}
