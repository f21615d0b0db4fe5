/* A path, a newline, a JSON text: no crash; strings that are written are read back; a base64 text that is read is
 * written back. */
#include "base/utf8.h"
#include "fuzz.h"
#include "text/hash.h"
#include "text/json.h"

static void check_path(struct arena *a, struct str path, struct str text)
{
    struct errmsg msg;
    json_t *value = json_read(text, 64 * 1024, &msg);
    if (!value) {
        FUZZ_CHECK(msg.text[0] != '\0');
        return;
    }
    const json_t *hit = json_at(value, path);
    if (hit)
        FUZZ_CHECK(utf8_valid(json_text(a, hit)));
    (void)json_text(a, value);
    (void)json_member_str(value, "a");
    json_decref(value);
}

static void check_written(struct arena *a, struct str s)
{
    struct strbuf b;
    struct str repaired = utf8_repair(a, s);
    strbuf_init(&b, 6 * repaired.n + 2);
    FUZZ_CHECK(json_write_str(&b, repaired));
    json_t *value = json_read(strbuf_view(&b), b.n, NULL);
    FUZZ_CHECK(value && str_eq(json_text(a, value), repaired));
    json_decref(value);
    strbuf_finish(&b);
}

static void check_base64(struct arena *a, struct str s)
{
    struct str bytes;
    if (hash_base64_decode(a, s, &bytes))
        FUZZ_CHECK(str_eq(hash_base64(a, (const uint8_t *)bytes.p, bytes.n), s));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str path, text;
    struct arena a;
    arena_init(&a, 0);
    (void)str_cut(fuzz_str(data, size), '\n', &path, &text);
    check_path(&a, path, text);
    check_written(&a, text);
    check_base64(&a, path);
    arena_finish(&a);
    return 0;
}
