/* Any bytes as an address: what is accepted is a fixed point and fit for XML; escapes come back; slugs are what they
 * say. */
#include "base/utf8.h"
#include "fuzz.h"
#include "text/jid.h"

static void check_address(struct arena *a, struct str s)
{
    struct jid j, again, made;
    if (jid_parse(a, s, &j) != ERR_OK)
        return;
    struct str text = jid_format(a, &j);
    FUZZ_CHECK(text.n <= JID_MAX && utf8_xml_valid(text));
    FUZZ_CHECK(j.local.n <= JID_PART_MAX && j.domain.n <= JID_PART_MAX && j.resource.n <= JID_PART_MAX);
    FUZZ_CHECK(str_find(j.local, '@') < 0 && str_find(j.local, '/') < 0);
    FUZZ_CHECK(!str_empty(j.domain) && str_find(j.domain, '@') < 0 && str_find(j.domain, '/') < 0);
    FUZZ_CHECK(jid_parse(a, text, &again) == ERR_OK && jid_eq(&j, &again));
    FUZZ_CHECK(jid_make(a, j.local, j.domain, j.resource, &made) == ERR_OK && jid_eq(&j, &made));
}

static void check_escapes(struct arena *a, struct str s)
{
    struct str local = jid_escape(a, s), back = jid_unescape(a, local);
    while (str_starts(s, STR(" ")))
        s = str_sub(s, 1, s.n);
    while (str_ends(s, STR(" ")))
        s = str_sub(s, 0, s.n - 1);
    FUZZ_CHECK(str_eq(back, s));
    FUZZ_CHECK(jid_unescape(a, s).n <= s.n);
}

static void check_slugs(struct arena *a, struct str s)
{
    bool lossy, again;
    struct str slug = jid_slug(a, s, &lossy), tailed = jid_slug_tail(a, slug, s);
    struct jid j;
    FUZZ_CHECK(slug.n >= 1 && slug.n <= 48 && tailed.n <= 48);
    FUZZ_CHECK(lossy || str_eq(slug, s));
    FUZZ_CHECK(str_eq(jid_slug(a, slug, &again), slug) && !again);
    FUZZ_CHECK(str_eq(jid_slug(a, tailed, &again), tailed) && !again);
    FUZZ_CHECK(jid_make(a, tailed, STR("x"), STR_NONE, &j) == ERR_OK && str_eq(j.local, tailed));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str s = fuzz_str(data, size);
    struct arena a;
    arena_init(&a, 0);
    check_address(&a, s);
    check_escapes(&a, s);
    check_slugs(&a, s);
    arena_finish(&a);
    return 0;
}
