#include "lib/check.h"

#include "base/rng.h"
#include "base/utf8.h"
#include "text/jid.h"

#include <stdio.h>
#include <stringprep.h>

static struct arena a;

static int setup(void **state)
{
    (void)state;
    arena_init(&a, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_finish(&a);
    return 0;
}

static void check_parse(const char *text, const char *want)
{
    struct jid j;
    enum err e = jid_parse(&a, str_c(text), &j);
    if ((e == ERR_OK) != (want != NULL))
        fail_msg("%s: %s", text, err_name(e));
    if (want)
        assert_str(jid_format(&a, &j), want);
    else
        assert_int_equal(e, ERR_BADJID);
}

struct row {
    const char *text, *want; // NULL: refused
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_parse(rows[i].text, rows[i].want);
}

static void test_shapes(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"example.org", "example.org"},
        {"a@example.org", "a@example.org"},
        {"a@example.org/r", "a@example.org/r"},
        {"example.org/r", "example.org/r"},
        {"a@b/c/d", "a@b/c/d"},
        {"a@b/c@d", "a@b/c@d"},
        {"b/c@d", "b/c@d"},
        {"", NULL},
        {"@", NULL},
        {"/", NULL},
        {"@b", NULL},
        {"a@", NULL},
        {"a@b/", NULL},
        {"b/", NULL},
        {"/r", NULL},
        {"a@/r", NULL},
        {"a@b@c", NULL},
        {" a@b", NULL},
        {"a@b ", NULL},
    };
    check_rows(rows, COUNT(rows));
}

static void test_localparts(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"Straße@b", "strasse@b"},
        {"ＡＢ@b", "ab@b"},
        {"ﬁsh@b", "fish@b"},
        {"a\xe2\x80\x8d"
         "b@b",
         "ab@b"},
        {"a\xc2\xad@b", "a@b"},
        {"\xc2\xad@b", NULL},
        {"😀@b", "😀@b"},
        {"#chan%irc.x@b", "#chan%irc.x@b"},
        {"[n]|^_{}\\`~!$*()+,;=?@b", "[n]|^_{}\\`~!$*()+,;=?@b"},
        {"a b@b", NULL},
        {"a\"b@b", NULL},
        {"a&b@b", NULL},
        {"a'b@b", NULL},
        {"a:b@b", NULL},
        {"a<b@b", NULL},
        {"a>b@b", NULL},
        {"a\x7f@b", NULL},
        {"a\tb@b", NULL},
        {"a＠b@b", NULL}, // full-width, folds to '@'
        {"a／b@b", NULL},
        {"a\xe3\x80\x80@b", NULL},
        {"אב1@b", NULL},
        {"אa@b", NULL},
        {"אב@b", "אב@b"},
        {"a\xff@b", NULL},
        {"a\xed\xa0\x80@b", NULL},
        {"ÄÖ@b", "äö@b"},
        {"A\xcc\x88@b", "ä@b"}, // decomposed
    };
    check_rows(rows, COUNT(rows));
}

static void test_domains(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"EXAMPLE.org", "example.org"},
        {"example.org.", "example.org"},
        {"MÜNCHEN.de", "münchen.de"},
        {"ｅｘ.org", "ex.org"},
        {"ex．org", "ex.org"},
        {"my_host-1", "my_host-1"},
        {"10.0.0.1", "10.0.0.1"},
        {"[::1]", "[::1]"},
        {"[2001:DB8::1]", "[2001:db8::1]"},
        {"a@[::ffff:10.0.0.1]/r", "a@[::ffff:10.0.0.1]/r"},
        {"xn--mnchen-3ya.de", "xn--mnchen-3ya.de"},
        {".", NULL},
        {"..", NULL},
        {".org", NULL},
        {"a..b", NULL},
        {"a.b..", NULL},
        {"a b", NULL},
        {"a:5222", NULL},
        {"a&b", NULL},
        {"a\x01", NULL},
        {"a\xe3\x80\x80"
         "b",
         NULL},
        {"a＠b", NULL},
        {"[]", NULL},
        {"[", NULL},
        {"[::1", NULL},
        {"::1", NULL},
        {"[10.0.0.1]", NULL},
        {"[::1]x", NULL},
        {"[fe80::1%eth0]", NULL},
        {"[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]", NULL},
    };
    check_rows(rows, COUNT(rows));
}

static void test_resources(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"b/Home PC", "b/Home PC"},
        {"b/ r ", "b/ r "},
        {"b/\"&'/:<>@", "b/\"&'/:<>@"},
        {"b/Café 😀", "b/Café 😀"},
        {"b/a\xc2\xa0z", "b/a z"},
        {"b/a\xc2\xad", "b/a"},
        {"b/\xc2\xad", NULL},
        {"b/a\tb", NULL},
        {"b/a\n", NULL},
        {"b/\x7f", NULL},
        {"b/אa", NULL},
        {"b/\xe2\x80\xae", NULL},
        {"b/\xff", NULL},
        {"b/\xef\xbf\xbf", NULL},
    };
    check_rows(rows, COUNT(rows));
    struct jid j;
    assert_int_equal(jid_parse(&a, STR("b/a\0b"), &j), ERR_BADJID);
    assert_int_equal(jid_parse(&a, STR("a\0b@b"), &j), ERR_BADJID);
    assert_int_equal(jid_parse(&a, STR("b\0"), &j), ERR_BADJID);
    assert_int_equal(jid_parse(&a, STR("é\0b@b"), &j), ERR_BADJID);
    assert_int_equal(jid_parse(&a, STR("[::1\0]"), &j), ERR_BADJID);
}

static void test_limits(void **state)
{
    (void)state;
    char part[JID_PART_MAX + 1];
    struct jid j;
    memset(part, 'a', sizeof part);
    struct str fits = {part, JID_PART_MAX}, over = {part, JID_PART_MAX + 1};
    assert_int_equal(jid_make(&a, fits, fits, fits, &j), ERR_OK);
    assert_int_equal(jid_format(&a, &j).n, JID_MAX);
    assert_int_equal(jid_parse(&a, jid_format(&a, &j), &j), ERR_OK);
    assert_int_equal(jid_make(&a, over, STR("b"), STR_NONE, &j), ERR_BADJID);
    assert_int_equal(jid_make(&a, STR_NONE, over, STR_NONE, &j), ERR_BADJID);
    assert_int_equal(jid_make(&a, STR_NONE, STR("b"), over, &j), ERR_BADJID);
    // U+FDFA grows from 3 to 33 bytes
    for (size_t i = 0; i + 3 <= JID_PART_MAX; i += 3)
        memcpy(part + i, "\xef\xb7\xba", 3);
    assert_int_equal(jid_make(&a, (struct str){part, 90}, STR("b"), STR_NONE, &j), ERR_BADJID); // holds spaces
    assert_int_equal(jid_make(&a, STR_NONE, STR("b"), (struct str){part, 90}, &j), ERR_OK);
    assert_int_equal(j.resource.n, 990);
    assert_int_equal(jid_make(&a, STR_NONE, STR("b"), (struct str){part, 96}, &j), ERR_BADJID);
}

static void test_make(void **state)
{
    (void)state;
    struct jid j;
    assert_int_equal(jid_make(&a, STR("Lamp"), STR("B.Org"), STR("Hall"), &j), ERR_OK);
    assert_str(j.local, "lamp");
    assert_str(j.domain, "b.org");
    assert_str(j.resource, "Hall");
    assert_str(jid_format_bare(&a, &j), "lamp@b.org");
    struct jid untouched = j;
    assert_int_equal(jid_make(&a, STR("a@b"), STR("c"), STR_NONE, &j), ERR_BADJID);
    assert_int_equal(jid_make(&a, STR("a"), STR("c/d"), STR_NONE, &j), ERR_BADJID);
    assert_int_equal(jid_make(&a, STR("a"), STR("b@c"), STR_NONE, &j), ERR_BADJID);
    assert_int_equal(jid_make(&a, STR("a"), STR_NONE, STR_NONE, &j), ERR_BADJID);
    assert_true(jid_eq(&j, &untouched));
}

static void test_equality(void **state)
{
    (void)state;
    struct jid x, y, z;
    assert_int_equal(jid_parse(&a, STR("STRASSE@B.org/R"), &x), ERR_OK);
    assert_int_equal(jid_parse(&a, STR("straße@b.ORG./R"), &y), ERR_OK);
    assert_int_equal(jid_parse(&a, STR("strasse@b.org/r"), &z), ERR_OK);
    assert_true(jid_eq(&x, &y));
    assert_false(jid_eq(&x, &z));
    assert_true(jid_bare_eq(&x, &z));
    struct jid bare = jid_bare(x);
    assert_int_equal(bare.resource.n, 0);
    assert_str(jid_format(&a, &bare), "strasse@b.org");
    assert_int_equal(jid_parse(&a, STR("b.org/r"), &y), ERR_OK);
    assert_false(jid_bare_eq(&y, &z));
    assert_str(jid_format(&a, &y), "b.org/r");
}

static void test_ascii_is_not_copied(void **state)
{
    (void)state;
    struct jid j;
    struct str text = STR("lamp@example.org/Home");
    assert_int_equal(jid_parse(&a, text, &j), ERR_OK);
    assert_ptr_equal(j.local.p, text.p);
    assert_ptr_equal(j.domain.p, text.p + 5);
    assert_ptr_equal(j.resource.p, text.p + 17);
}

/* What is decided without libidn must be what libidn decides. */

struct profile {
    const Stringprep_profile *tables;
    bool local;
};

static void compare_with_libidn(const struct profile *p, const char *text)
{
    char want[64];
    struct jid j;
    (void)snprintf(want, sizeof want, "%s", text);
    bool ok = stringprep(want, sizeof want, 0, p->tables) == STRINGPREP_OK && want[0] != '\0';
    struct str s = str_c(text);
    enum err e = p->local ? jid_make(&a, s, STR("b"), STR_NONE, &j) : jid_make(&a, STR_NONE, STR("b"), s, &j);
    if ((e == ERR_OK) != ok)
        fail_msg("\"%s\": %s", text, err_name(e));
    if (ok)
        assert_str(p->local ? j.local : j.resource, want);
}

static void test_ascii_path_agrees_with_libidn(void **state)
{
    (void)state;
    const struct profile profiles[] = {{stringprep_xmpp_nodeprep, true}, {stringprep_xmpp_resourceprep, false}};
    for (size_t p = 0; p < COUNT(profiles); p++) {
        for (int c = 1; c < 0x80; c++) {
            for (int d = 1; d < 0x80; d++)
                compare_with_libidn(&profiles[p], (char[]){(char)c, (char)d, '\0'});
            compare_with_libidn(&profiles[p], (char[]){(char)c, '\0'});
            arena_reset(&a);
        }
    }
}

// nameprep lets more pass than a domain may hold; what remains must be folded alike.
static void test_ascii_domains_agree_with_libidn(void **state)
{
    (void)state;
    for (int c = 1; c < 0x80; c++) {
        char text[] = {'a', (char)c, 'z', '\0'}, want[16] = {'a', (char)c, 'z'};
        struct jid j;
        assert_int_equal(stringprep(want, sizeof want, 0, stringprep_nameprep), STRINGPREP_OK);
        if (jid_make(&a, STR_NONE, str_c(text), STR_NONE, &j) == ERR_OK)
            assert_str(j.domain, want);
        else
            assert_null(strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", c));
    }
}

// Random texts: what is accepted is a fixed point, fit for XML, and within the limits.
static void test_prepared_is_a_fixed_point(void **state)
{
    (void)state;
    static const char *const units[] = {"a", "A", ".",  "-",        "@",        "/", " ",    "ß",
                                        "İ", "ﬁ", "ａ", "\xcc\x88", "\xc2\xad", "א", "1",    "\xe2\x80\x8d",
                                        "K", "😀", "ϒ",  "\xcd\x85", "ͅ",         "ǰ", "\\20", "\xff"};
    struct rng r;
    int accepted = 0;
    rng_init(&r, 8);
    for (int round = 0; round < 50000; round++) {
        char text[100] = "";
        size_t n = 0;
        for (uint64_t i = 1 + rng_below(&r, 8); i > 0; i--) {
            const char *unit = units[rng_below(&r, COUNT(units))];
            memcpy(text + n, unit, strlen(unit) + 1);
            n += strlen(unit);
        }
        struct jid j, again;
        if (jid_parse(&a, str_c(text), &j) == ERR_OK) {
            struct str once = jid_format(&a, &j);
            accepted++;
            assert_true(utf8_xml_valid(once) && once.n <= JID_MAX);
            assert_int_equal(jid_parse(&a, once, &again), ERR_OK);
            assert_true(jid_eq(&j, &again));
        }
        arena_reset(&a);
    }
    assert_true(accepted > 1000);
}

// The examples of XEP-0106 and the edges of its rules.
static void test_escape(void **state)
{
    (void)state;
    static const struct {
        const char *typed, *local;
    } rows[] = {
        {"space cadet", "space\\20cadet"},
        {"call me \"ishmael\"", "call\\20me\\20\\22ishmael\\22"},
        {"at&t guy", "at\\26t\\20guy"},
        {"d'artagnan", "d\\27artagnan"},
        {"/.fanboy", "\\2f.fanboy"},
        {"::foo::", "\\3a\\3afoo\\3a\\3a"},
        {"<foo>", "\\3cfoo\\3e"},
        {"user@host", "user\\40host"},
        {"c:\\net", "c\\3a\\net"},
        {"c:\\\\net", "c\\3a\\\\net"},
        {"c:\\cool stuff", "c\\3a\\cool\\20stuff"},
        {"c:\\5commas", "c\\3a\\5c5commas"},
        {"\\3and\\2is\\5cool", "\\5c3and\\2is\\5c5cool"},
        {"\\2plus\\2is\\4", "\\2plus\\2is\\4"},
        {"\\2F", "\\5c2F"},
        {"\\", "\\"},
        {"\\2", "\\2"},
        {"é", "é"},
        {"", ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_str(jid_escape(&a, str_c(rows[i].typed)), rows[i].local);
        assert_str(jid_unescape(&a, str_c(rows[i].local)), rows[i].typed);
    }
}

// No localpart begins or ends with a space: typed ones go, escaped ones stay as they are.
static void test_spaces_at_the_ends(void **state)
{
    (void)state;
    assert_str(jid_escape(&a, STR("  a b ")), "a\\20b");
    assert_str(jid_escape(&a, STR("   ")), "");
    assert_str(jid_unescape(&a, STR("\\20a\\20b\\20")), "\\20a b\\20");
    assert_str(jid_unescape(&a, STR("\\20")), "\\20");
    assert_str(jid_unescape(&a, STR("\\22a\\22")), "\"a\"");
}

// Whatever was typed: escaped it is a localpart (save for characters that no localpart has), and it comes back.
static void test_escape_round_trip(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 2);
    for (int round = 0; round < 50000; round++) {
        char text[12];
        size_t n = rng_below(&r, sizeof text);
        for (size_t i = 0; i < n; i++)
            text[i] = "\\\\ 245abcfx@/:<>&'\"0"[rng_below(&r, 20)];
        struct str typed = {text, n}, local = jid_escape(&a, typed);
        struct jid j;
        assert_true(str_eq(jid_unescape(&a, local), str_trim(typed)));
        if (!str_empty(local)) {
            assert_int_equal(jid_make(&a, local, STR("b"), STR_NONE, &j), ERR_OK);
            assert_true(str_eq(j.local, local));
        }
        arena_reset(&a);
    }
}

static void test_slugs(void **state)
{
    (void)state;
    static const struct {
        const char *text, *slug;
        bool lossy;
    } rows[] = {
        {"lamp", "lamp", false},
        {"hall-lamp-2", "hall-lamp-2", false},
        {"Hall Lamp", "hall-lamp", true},
        {"zigbee2mqtt/Küche", "zigbee2mqtt-k-che", true},
        {"--a--b--", "a-b", true},
        {"a--b", "a-b", true},
        {"", "x", true},
        {"///", "x", true},
        {"x", "x", false},
        {"\xff\x80", "x", true},
        {"0123456789012345678901234567890123456789012345-7", "0123456789012345678901234567890123456789012345-7", false},
        {"0123456789012345678901234567890123456789012345678", "012345678901234567890123456789012345678901234567", true},
        {"01234567890123456789012345678901234567890123456-x", "01234567890123456789012345678901234567890123456", true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        bool lossy = !rows[i].lossy;
        assert_str(jid_slug(&a, str_c(rows[i].text), &lossy), rows[i].slug);
        assert_int_equal(lossy, rows[i].lossy);
    }
}

static void test_slug_tails(void **state)
{
    (void)state;
    struct str longest = STR("012345678901234567890123456789012345678901234567");
    struct str tailed = jid_slug_tail(&a, longest, STR("key"));
    assert_int_equal(tailed.n, 48);
    assert_true(str_starts(tailed, str_sub(longest, 0, 39)));
    assert_str(jid_slug_tail(&a, STR("lamp"), STR("abc")), "lamp-xj4bnp4p");
    assert_false(str_eq(jid_slug_tail(&a, STR("lamp"), STR("k1")), jid_slug_tail(&a, STR("lamp"), STR("k2"))));
    tailed = jid_slug_tail(&a, STR("01234567890123456789012345678901234567--x"), STR("k"));
    assert_int_equal(tailed.n, 38 + 9);
    bool lossy;
    assert_true(str_eq(jid_slug(&a, tailed, &lossy), tailed));
    assert_false(lossy);
}

static void test_parent(void **state)
{
    (void)state;
    assert_true(str_eq(jid_parent(STR("bridge.example.org")), STR("example.org")));
    assert_int_equal(jid_parent(STR("localhost")).n, 0);
    assert_int_equal(jid_parent(STR_NONE).n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_localparts),
        cmocka_unit_test(test_domains),
        cmocka_unit_test(test_parent),
        cmocka_unit_test(test_resources),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_make),
        cmocka_unit_test(test_equality),
        cmocka_unit_test(test_ascii_is_not_copied),
        cmocka_unit_test(test_ascii_path_agrees_with_libidn),
        cmocka_unit_test(test_ascii_domains_agree_with_libidn),
        cmocka_unit_test(test_prepared_is_a_fixed_point),
        cmocka_unit_test(test_escape),
        cmocka_unit_test(test_spaces_at_the_ends),
        cmocka_unit_test(test_escape_round_trip),
        cmocka_unit_test(test_slugs),
        cmocka_unit_test(test_slug_tails),
    };
    return cmocka_run_group_tests_name("jid", tests, setup, teardown);
}
