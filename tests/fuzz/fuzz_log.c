/* Any bytes as a value of the log: one line comes out, of printable characters, in both formats; in JSON with balanced
 * quotes. */
#include "base/log.h"
#include "base/utf8.h"
#include "fuzz.h"

static unsigned lines;
static enum log_format format;

static bool quotes_balance(struct str line)
{
    bool in = false;
    for (size_t i = 0; i < line.n; i++) {
        if (in && line.p[i] == '\\')
            i++;
        else if (line.p[i] == '"')
            in = !in;
    }
    return !in;
}

static void take(void *ud, struct str line)
{
    (void)ud;
    lines++;
    FUZZ_CHECK(utf8_xml_valid(line));
    FUZZ_CHECK(str_find(line, '\n') == (ptrdiff_t)line.n - 1);
    FUZZ_CHECK(str_find(line, '\r') < 0 && str_find(line, '\t') < 0 && str_find(line, '\x7f') < 0);
    FUZZ_CHECK(quotes_balance(line));
    FUZZ_CHECK(str_ends(line, format == LOG_FORMAT_JSON ? STR(",\"n\":7}\n") : STR(" n=7\n")));
}

static int64_t every_window(void)
{
    static int64_t now;
    return now += LOG_WINDOW * 1000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str s = fuzz_str(data, size);
    const struct log_ctx ctx = {.sub = LOG_SUB_core, .key = "jid", .value = "a b"};
    unsigned before = lines;
    log_to_sink(take, NULL);
    log_set_clock(every_window);
    for (int f = LOG_FORMAT_LOGFMT; f <= LOG_FORMAT_JSON; f++) {
        format = (enum log_format)f;
        log_set_format(format);
        log_info(&ctx, LOG_MSG("m"), LOG_S("v", s), LOG_BODY("b", s), LOG_INT("n", 7));
    }
    FUZZ_CHECK(lines == before + 2);
    return 0;
}
