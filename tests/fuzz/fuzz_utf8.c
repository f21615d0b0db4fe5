/* Any bytes: what is repaired or shown is fit for XML, a cut is a prefix, and the fast checks say what the slow walk
 * says. */
#include "base/utf8.h"
#include "fuzz.h"

static bool walk(struct str s, bool xml)
{
    for (size_t at = 0; at < s.n;) {
        uint32_t c = utf8_next(s, &at);
        if (c == UINT32_MAX || (xml && !utf8_xml_char(c)))
            return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str s = fuzz_str(data, size);
    struct arena a;
    arena_init(&a, 0);
    FUZZ_CHECK(utf8_valid(s) == walk(s, false));
    FUZZ_CHECK(utf8_xml_valid(s) == walk(s, true));

    struct str repaired = utf8_repair(&a, s);
    FUZZ_CHECK(walk(repaired, true));
    FUZZ_CHECK(utf8_length(repaired) == utf8_length(s));
    FUZZ_CHECK(!walk(s, true) || repaired.p == s.p);

    struct str shown = utf8_display(&a, s, 20);
    FUZZ_CHECK(walk(shown, true) && utf8_length(shown) <= 20);
    FUZZ_CHECK(str_eq(utf8_display(&a, shown, 20), shown));

    for (size_t n = 0; n < 40; n++) {
        struct str cut = utf8_cut(repaired, n);
        FUZZ_CHECK(cut.n <= n && n - cut.n < 4 + (repaired.n < n ? n : 0));
        FUZZ_CHECK(str_starts(repaired, cut) && utf8_valid(cut));
        FUZZ_CHECK(utf8_cut(s, n).n <= n);
    }
    arena_finish(&a);
    return 0;
}
