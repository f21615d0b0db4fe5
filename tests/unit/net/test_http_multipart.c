#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "net/http_multipart.h"

#define B "--b\r\n"
#define END "--b--\r\n"
#define NAMED(name) "Content-Disposition: form-data; name=\"" name "\"\r\n"

struct fixture {
    struct arena arena;
    const struct http_part *parts;
    size_t count;
    struct errmsg msg;
};

static int setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){.count = 0};
    arena_init(&f.arena, 0);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    arena_finish(&f->arena);
    return 0;
}

static enum err parse(struct fixture *f, struct str body)
{
    return http_multipart_parse(&f->arena, STR("b"), body, &f->parts, &f->count, &f->msg);
}

static void as_discord_posts(void **state)
{
    struct fixture *f = *state;
    struct str body =
        STR(B NAMED("payload_json") "Content-Type: application/json\r\n\r\n{\"content\":\"hi\"}\r\n" B
                                    "Content-Disposition: form-data; name=\"files[0]\"; filename=\"a.png\"\r\n"
                                    "content-type: image/png\r\n\r\n\x89PNG\r\n\x1a\n--c\r\n--\r\n" END);
    assert_int_equal(parse(f, body), ERR_OK);
    assert_int_equal(f->count, 2);
    const struct http_part *p = http_multipart_get(f->parts, f->count, "payload_json");
    assert_non_null(p);
    assert_true(str_eq_c(p->data, "{\"content\":\"hi\"}"));
    assert_true(str_eq_c(p->type, "application/json"));
    assert_null(p->filename.p);
    p = http_multipart_get(f->parts, f->count, "files[0]");
    assert_true(str_eq_c(p->filename, "a.png"));
    assert_true(str_eq_c(p->data, "\x89PNG\r\n\x1a\n--c\r\n--"));
    assert_null(http_multipart_get(f->parts, f->count, "file"));
}

static void what_is_allowed(void **state)
{
    static const struct {
        struct str body;
        size_t count;
        const char *data; // of the last
    } cases[] = {
#define OK(body, count, data) {{body, sizeof(body) - 1}, count, data}
        OK(B NAMED("a") "\r\nx\r\n" END, 1, "x"),
        OK(B NAMED("a") "\r\nx\r\n--b--", 1, "x"),
        OK("preamble\r\n" B NAMED("a") "\r\nx\r\n" END "epilogue", 1, "x"),
        OK(B NAMED("a") "\r\n\r\n" END, 1, ""),
        OK(B NAMED("a") "\r\n" END, 1, ""),
        OK("--b \t\r\n" NAMED("a") "\r\nx\r\n" END, 1, "x"),
        OK(B NAMED("a") "\r\n\r\n\r\n" END, 1, "\r\n"),
        OK(B NAMED("a") "\r\n1\r\n" B NAMED("a") "\r\n2\r\n" END, 2, "2"),
        OK(B "content-disposition: FORM-DATA; NAME=a\r\nX: y\r\n\r\nx\r\n" END, 1, "x"),
        OK(B NAMED("a") "Content-Transfer-Encoding: 8BIT\r\n\r\nx\r\n" END, 1, "x"),
        OK(END, 0, NULL),
#undef OK
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (parse(f, cases[i].body))
            fail_msg("%zu: %s", i, f->msg.text);
        assert_int_equal(f->count, cases[i].count);
        if (cases[i].data)
            assert_true(str_eq_c(f->parts[f->count - 1].data, cases[i].data));
    }
}

static void what_is_refused(void **state)
{
    static const struct {
        struct str body;
        const char *why;
    } cases[] = {
#define BAD(body, why) {{body, sizeof(body) - 1}, why}
        BAD("", "is not in the body"),
        BAD("hello", "is not in the body"),
        BAD(B, "part 1: its headers are too long, or have no end"),
        BAD(B NAMED("a"), "have no end"),
        BAD(B NAMED("a") "\r\n", "no boundary follows it"),
        BAD(B NAMED("a") "\r\nx", "no boundary follows it"),
        BAD(B NAMED("a") "\r\nx\r\n--c--\r\n", "no boundary follows it"),
        BAD(B NAMED("a") "\r\nx\n--b--\n", "no boundary follows it"),
        BAD(B "\r\nx\r\n" END, "it has no Content-Disposition"),
        BAD(B "Content-Disposition: form-data\r\n\r\nx\r\n" END, "it has no name"),
        BAD(B "Content-Disposition: attachment; name=\"a\"\r\n\r\nx\r\n" END, "not that of form-data"),
        BAD(B NAMED("a") NAMED("a") "\r\nx\r\n" END, "stands twice"),
        BAD(B NAMED("\xff") "\r\nx\r\n" END, "not UTF-8"),
        BAD(B NAMED("a") "Content-Transfer-Encoding: base64\r\n\r\nx\r\n" END, "Content-Transfer-Encoding"),
        BAD(B NAMED("a") " folded\r\n\r\nx\r\n" END, "a header is malformed"),
        BAD(B "Content-Disposition : form-data; name=a\r\n\r\nx\r\n" END, "a header is malformed"),
        BAD(B NAMED("a") "1:\r\n2:\r\n3:\r\n4:\r\n5:\r\n6:\r\n7:\r\n8:\r\n\r\nx\r\n" END, "too many headers"),
        BAD(B NAMED("a") "\r\nx\r\n--bc\r\n" NAMED("c") "\r\ny\r\n" END, "no line's end"),
        BAD(B NAMED("a") "\r\n1\r\n" B "X: y\r\n\r\n2\r\n" END, "part 2: it has no Content-Disposition"),
#undef BAD
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum err e = parse(f, cases[i].body);
        if (e != ERR_BADREQ || str_find_str(str_c(f->msg.text), str_c(cases[i].why)) < 0)
            fail_msg("%zu: %s instead of %s", i, e ? f->msg.text : "no error", cases[i].why);
        assert_int_equal(f->count, 0);
    }
}

static void bounds(void **state)
{
    struct fixture *f = *state;
    struct strbuf b;
    strbuf_init(&b, 1 << 20);
    for (int i = 0; i < HTTP_PARTS_MAX; i++)
        strbuf_c(&b, B NAMED("a") "\r\nx\r\n");
    size_t full = b.n;
    strbuf_c(&b, END);
    assert_int_equal(parse(f, strbuf_view(&b)), ERR_OK);
    assert_int_equal(f->count, HTTP_PARTS_MAX);
    strbuf_truncate(&b, full);
    strbuf_c(&b, B NAMED("a") "\r\nx\r\n" END);
    assert_int_equal(parse(f, strbuf_view(&b)), ERR_LIMIT);

    strbuf_clear(&b);
    strbuf_c(&b, B NAMED("a") "X: ");
    while (b.n < HTTP_PART_HEAD_MAX + 10)
        strbuf_char(&b, 'x');
    strbuf_c(&b, "\r\n\r\nx\r\n" END);
    assert_int_equal(parse(f, strbuf_view(&b)), ERR_BADREQ);
    strbuf_finish(&b);
}

static void boundaries(void **state)
{
    static const char *const bad[] = {"", "a ", "a\r", "a\"", "caf\xc3\xa9", "<>"};
    struct fixture *f = *state;
    char longest[72];
    memset(longest, 'b', sizeof longest);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(http_multipart_parse(&f->arena, str_c(bad[i]), STR("--a--"), &f->parts, &f->count, &f->msg),
                         ERR_BADREQ);
    assert_int_equal(
        http_multipart_parse(&f->arena, (struct str){longest, 71}, STR("x"), &f->parts, &f->count, &f->msg),
        ERR_BADREQ);
    assert_int_equal(http_multipart_parse(&f->arena, STR("a b'()+_,-./:=?c"), STR("--a b'()+_,-./:=?c--"), &f->parts,
                                          &f->count, &f->msg),
                     ERR_OK);
}

// Every prefix of a good body is refused, without a look beyond its end.
static void cut_short(void **state)
{
    struct fixture *f = *state;
    struct str whole = STR("p\r\n" B NAMED("a") "X: y\r\n\r\nx\r\n" B NAMED("b") "\r\n--b--");
    for (size_t n = 0; n < whole.n; n++) {
        char *copy = mem_dup(whole.p, n);
        assert_int_equal(parse(f, (struct str){copy, n}), ERR_BADREQ);
        mem_free(copy);
    }
    assert_int_equal(parse(f, whole), ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(as_discord_posts, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_allowed, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(boundaries, setup, teardown),
        cmocka_unit_test_setup_teardown(cut_short, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
