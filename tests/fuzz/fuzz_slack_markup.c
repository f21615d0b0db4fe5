/* A byte of options, Slack's markup: no crash, clean text within its bound; plain text has no styling at all. */
#include "base/utf8.h"
#include "fuzz.h"
#include "lib/styled.h"
#include "text/slack_markup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    uint8_t bits = size ? data[0] : 0;
    struct slack_markup_options options = {.plain = bits & 1, .max = bits & 2 ? 100 : 4000};
    arena_init(&a, 0);
    struct str got = slack_markup_styled(&a, str_sub(fuzz_str(data, size), 1, size), &options);
    FUZZ_CHECK(got.n <= options.max && utf8_xml_valid(got));
    FUZZ_CHECK(!options.plain || got.n > 2048 || str_ends(got, STR("[…]")) || styled_marks(got) == 0);
    arena_finish(&a);
    return 0;
}
