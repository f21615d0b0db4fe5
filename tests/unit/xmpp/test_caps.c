#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "xmpp/caps.h"

// The example of XEP-0115 section 5.2.
static void test_ver(void **state)
{
    (void)state;
    static const char *const features[] = {"http://jabber.org/protocol/caps", "http://jabber.org/protocol/disco#info",
                                           "http://jabber.org/protocol/disco#items", "http://jabber.org/protocol/muc"};
    const struct disco_identity id = {STR("client"), STR("pc"), STR("Exodus 0.9.1")};
    const struct disco_profile p = {&id, 1, features, sizeof features / sizeof *features};
    struct arena a;
    arena_init(&a, 0);
    struct str ver = caps_ver(&a, &p);
    assert_true(str_eq_c(ver, "QgayPKawpkPSDYmwT/WM94uAlu0="));
    arena_finish(&a);
}

static void test_node(void **state)
{
    (void)state;
    assert_true(caps_is_node(STR("urn:x-spandrel:caps#abc="), STR("abc=")));
    assert_false(caps_is_node(STR("urn:x-spandrel:caps#abc"), STR("abc=")));
    assert_false(caps_is_node(STR("urn:x-spandrel:caps"), STR("")));
    assert_false(caps_is_node(STR("urn:x-other:caps#abc="), STR("abc=")));
    assert_false(caps_is_node(STR(""), STR("abc=")));
}

static void test_put(void **state)
{
    (void)state;
    struct strbuf b;
    struct xml_writer w;
    strbuf_init(&b, 1000);
    xml_begin(&w, &b);
    caps_put(&w, STR("abc="));
    assert_int_equal(xml_end(&w), ERR_OK);
    assert_string_equal(
        b.p, "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:x-spandrel:caps' ver='abc='/>");
    strbuf_finish(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ver),
        cmocka_unit_test(test_node),
        cmocka_unit_test(test_put),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
