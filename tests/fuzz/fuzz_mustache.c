/* A template, RS, a JSON text: no crash, an end, a place in each message, clean text within its bound. The template is
 * its own partial. */
#include "base/utf8.h"
#include "fuzz.h"
#include "text/json.h"
#include "text/mustache.h"

enum { OUTPUT = 8 * 1024 };

static const struct mustache *itself(void *ctx, struct str name)
{
    return name.n % 2 ? ctx : NULL;
}

static bool nothing(void *ctx, struct strbuf *out, struct str value)
{
    (void)ctx;
    (void)value;
    return strbuf_char(out, '.');
}

static void check_render(struct mustache *m, json_t *context, mustache_escape_fn *escape)
{
    struct errmsg msg = {""};
    struct strbuf b;
    struct mustache_env env = {.escape = escape, .partial = itself, .partial_ctx = m};
    strbuf_init(&b, 4 * OUTPUT);
    (void)strbuf_c(&b, "> ");
    enum err e = mustache_render(m, context, &env, &b, &msg);
    FUZZ_CHECK(e == ERR_OK || (e == ERR_LIMIT && msg.text[0] != '\0'));
    FUZZ_CHECK(b.n <= OUTPUT + 2 && b.max == 4 * OUTPUT && utf8_xml_valid(strbuf_view(&b)));
    strbuf_finish(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str source, text;
    struct errmsg msg = {""};
    struct mustache_limits limits = {.output = OUTPUT, .steps = 20000};
    (void)str_cut(fuzz_str(data, size), '\x1E', &source, &text);
    struct mustache *m = mustache_compile(source, &limits, &msg);
    if (!m) {
        FUZZ_CHECK(str_starts(str_c(msg.text), STR("line ")));
        return 0;
    }
    json_t *context = json_read(text, 64 * 1024, NULL);
    check_render(m, context, NULL);
    check_render(m, context, nothing);
    json_decref(context);
    mustache_destroy(m);
    return 0;
}
