/* Any bytes as a value: escaped they are clean, styled by nothing, and but for joiners what they were. Between two
 * texts of an author (before, behind and the value, parted by RS) the same holds, and code and quotations hold their
 * text. */
#include "base/utf8.h"
#include "fuzz.h"
#include "lib/styled.h"
#include "text/styling.h"

enum { MARKED = 2048 }; // bytes that the reader of the tests reads

// Both texts are the same when joiners are not counted.
static bool same_text(struct str x, struct str y)
{
    size_t i = 0, j = 0;
    for (;;) {
        while (str_starts(str_sub(x, i, x.n), STR("\xE2\x81\xA0")))
            i += 3;
        while (str_starts(str_sub(y, j, y.n), STR("\xE2\x81\xA0")))
            j += 3;
        if (i >= x.n || j >= y.n)
            return i >= x.n && j >= y.n;
        if (x.p[i++] != y.p[j++])
            return false;
    }
}

static void check_escaped(struct arena *a, struct str text)
{
    struct str clean = styling_clean(a, text), escaped = styling_escape(a, text);
    FUZZ_CHECK(utf8_xml_valid(clean) && utf8_xml_valid(escaped));
    FUZZ_CHECK(str_eq(styling_clean(a, clean), clean));
    FUZZ_CHECK(same_text(clean, escaped));
    FUZZ_CHECK(escaped.n > MARKED || styled_marks(escaped) == 0);
    for (size_t max = 32; max < 200; max += 41) {
        struct str cut = styling_cut(a, escaped, max);
        FUZZ_CHECK(cut.n <= max && utf8_xml_valid(cut));
    }
}

static void check_within(struct str before, struct str behind, struct str value)
{
    struct styling s = {0};
    struct strbuf b;
    strbuf_init(&b, 8 * (before.n + behind.n + value.n) + 1000);
    (void)strbuf_str(&b, before);
    (void)styling_value(&s, &b, value);
    (void)strbuf_str(&b, behind);
    (void)styling_code(&s, &b, value);
    (void)styling_quote(&s, &b, value);
    (void)styling_value_end(&s, &b, value);
    FUZZ_CHECK(s.seen == b.n);
    strbuf_finish(&b);
}

// A block of any text on lines of its own is one block, and what follows is behind it.
static void check_block(struct str value)
{
    struct styling s = {0};
    struct strbuf b;
    struct styled read;
    strbuf_init(&b, 8 * value.n + 1000);
    FUZZ_CHECK(styling_block(&s, &b, STR_NONE, value) && strbuf_c(&b, "end"));
    if (b.n <= MARKED) {
        read = styled_read(strbuf_view(&b));
        FUZZ_CHECK(read.marks == 1 && str_ends(strbuf_view(&read.out), STR("{/}\nend")));
        strbuf_finish(&read.out);
    }
    strbuf_clear(&b);
    s = (struct styling){0};
    FUZZ_CHECK(styling_quote(&s, &b, value) && strbuf_c(&b, "end"));
    if (b.n <= MARKED) {
        read = styled_read(strbuf_view(&b));
        FUZZ_CHECK(read.marks == 1 && str_ends(strbuf_view(&read.out), STR("{/}\nend")));
        strbuf_finish(&read.out);
    }
    strbuf_finish(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str before, behind, value;
    struct arena a;
    arena_init(&a, 0);
    check_escaped(&a, fuzz_str(data, size));
    (void)str_cut(fuzz_str(data, size), '\x1E', &before, &value);
    (void)str_cut(value, '\x1E', &behind, &value);
    check_within(styling_clean(&a, before), styling_clean(&a, behind), value);
    check_block(value);
    arena_finish(&a);
    return 0;
}
