#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "lib/xml_canon.h"
#include "xmpp/rsm.h"

#define QUERY(inner) "<query><set xmlns='http://jabber.org/protocol/rsm'>" inner "</set></query>"

struct reading {
    uint64_t key;
    struct rsm rsm;
    enum err err;
};

static void on_stanza(void *ud, const struct xml_node *n)
{
    struct reading *r = ud;
    r->err = rsm_read(n, r->key, 50, &r->rsm);
}

static enum err read_text(const char *text, uint64_t key, struct rsm *out)
{
    static const struct xml_reader_events events = {canon_ignore_node, on_stanza, canon_ignore_node, canon_ignore};
    struct reading r = {.key = key, .err = ERR_COUNT};
    struct xml_reader *reader = xml_reader_create(&(struct xml_limits){0}, &events, &r);
    assert_int_equal(xml_reader_feed(reader, STR(CANON_HEADER), NULL), ERR_OK);
    assert_int_equal(xml_reader_feed(reader, str_c(text), NULL), ERR_OK);
    xml_reader_destroy(reader);
    *out = r.rsm;
    return r.err;
}

static void test_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
        size_t max;
    } list[] = {
        {"<query/>", ERR_OK, 50},
        {QUERY(""), ERR_OK, 50},
        {QUERY("<max>10</max>"), ERR_OK, 10},
        {QUERY("<max>0</max>"), ERR_OK, 0},
        {QUERY("<max>51</max>"), ERR_OK, 50},
        {QUERY("<max>18446744073709551615</max>"), ERR_OK, 50},
        {QUERY("<max>18446744073709551616</max>"), ERR_BADREQ, 50},
        {QUERY("<max/>"), ERR_BADREQ, 50},
        {QUERY("<after/>"), ERR_OK, 50},
        {QUERY("<after>x</after>"), ERR_NOTFOUND, 50},
        {QUERY("<before>x</before>"), ERR_UNSUPPORTED, 50},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        struct rsm rsm;
        assert_int_equal(read_text(list[i].text, 1, &rsm), list[i].err);
        assert_int_equal(rsm.max, list[i].max);
        assert_int_equal(rsm.after, 0);
    }
}

// What was put for a position is read as that position, under the same key alone.
static void test_round_trip(void **state)
{
    (void)state;
    static const uint32_t positions[] = {1, 2, 3, 1000, 0x7fffffff, 0x80000000, UINT32_MAX};
    for (size_t i = 0; i < sizeof positions / sizeof *positions; i++) {
        struct strbuf b;
        struct xml_writer w;
        struct rsm rsm;
        char text[512], *last;
        strbuf_init(&b, 1000);
        xml_begin(&w, &b);
        rsm_put(&w, 42, 1, positions[i]);
        assert_int_equal(xml_end(&w), ERR_OK);
        last = strstr(b.p, "<last>");
        assert_non_null(last);
        snprintf(text, sizeof text, QUERY("<after>%.*s</after>"), (int)(strstr(last, "</last>") - last - 6), last + 6);
        assert_int_equal(read_text(text, 42, &rsm), ERR_OK);
        assert_int_equal(rsm.after, positions[i]);
        assert_int_equal(read_text(text, 43, &rsm), ERR_NOTFOUND);
        strbuf_finish(&b);
    }
}

static void test_forged_positions(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 10000; i++) {
        char text[256];
        struct rsm rsm;
        snprintf(text, sizeof text, QUERY("<after>%llu</after>"), i * 1844674407370955ULL + i);
        assert_int_equal(read_text(text, 42, &rsm), ERR_NOTFOUND);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_forged_positions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
