/* A byte of options, Markdown: no crash, clean text within its bound, images that have a URL; what is
 * escaped has no styling. */
#include "base/utf8.h"
#include "fuzz.h"
#include "lib/styled.h"
#include "text/markdown.h"

static struct str echo(void *ctx, enum styling_ref kind, struct str id)
{
    (void)ctx;
    return kind == STYLING_USER ? id : STR_NONE;
}

// Text of which each mark is behind a backslash, and no line indented: no reader of Markdown sees markup in it, so no
// reader of the result may.
static void check_plain(struct arena *a, struct str source)
{
    struct strbuf b;
    struct str clean = styling_clean(a, source);
    bool start = true;
    strbuf_init(&b, 2 * clean.n + 1);
    for (size_t i = 0; i < clean.n; i++) {
        char c = clean.p[i];
        if (start && (c == ' ' || c == '\t'))
            continue;
        start = c == '\n';
        if (c > ' ' && c < 0x7F && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && !(c >= '0' && c <= '9'))
            (void)strbuf_char(&b, '\\');
        (void)strbuf_char(&b, c);
    }
    struct str got = markdown_styled(a, strbuf_view(&b), &(struct markdown_options){.lines = true}, NULL);
    FUZZ_CHECK(got.n > 2048 || styled_marks(got) == 0);
    strbuf_finish(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct markdown_images images;
    uint8_t bits = size ? data[0] : 0;
    struct markdown_options options = {
        .discord = bits & 1, .lines = bits & 2, .max = bits & 4 ? 100 : 4000, .name = echo};
    struct str source = str_sub(fuzz_str(data, size), 1, size);
    arena_init(&a, 0);
    struct str got = markdown_styled(&a, source, &options, &images);
    FUZZ_CHECK(got.n <= options.max && utf8_xml_valid(got));
    FUZZ_CHECK(images.n <= MARKDOWN_IMAGES);
    for (size_t i = 0; i < images.n; i++)
        FUZZ_CHECK(str_starts(images.at[i].url, STR("http")) && utf8_xml_valid(images.at[i].url));
    (void)markdown_styled(&a, source, NULL, NULL);
    check_plain(&a, source);
    arena_finish(&a);
    return 0;
}
