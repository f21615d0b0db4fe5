/* A byte of options, Markdown: no crash, clean text within its bound, images that have a URL. */
#include "base/utf8.h"
#include "fuzz.h"
#include "text/markdown.h"

static struct str echo(void *ctx, enum styling_ref kind, struct str id)
{
    (void)ctx;
    return kind == STYLING_USER ? id : STR_NONE;
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
    arena_finish(&a);
    return 0;
}
