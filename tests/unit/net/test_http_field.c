#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/http_field.h"

static int setup(void **state)
{
    static struct arena arena;
    arena_init(&arena, 0);
    *state = &arena;
    return 0;
}

static int teardown(void **state)
{
    arena_finish(*state);
    return 0;
}

static void media_types(void **state)
{
    static const struct {
        const char *in, *type, *name, *value; // type NULL: refused; value NULL: no such parameter
    } cases[] = {
        {"application/json", "application/json", "charset", NULL},
        {"application/json; charset=utf-8", "application/json", "charset", "utf-8"},
        {"Application/JSON;CHARSET=UTF-8", "application/json", "charset", "UTF-8"},
        {" text/plain \t;\tcharset=\"iso-8859-1\" ", "text/plain", "charset", "iso-8859-1"},
        {"multipart/form-data; boundary=\"a b\\\"c\"", "multipart/form-data", "boundary", "a b\"c"},
        {"form-data; name=\"\"", "form-data", "name", ""},
        {"form-data; name=\"a;b=c\"; filename=x", "form-data", "filename", "x"},
        {"a/b;", "a/b", "c", NULL},
        {"a/b;; c=d", "a/b", "c", "d"},
        {"", NULL, NULL, NULL},
        {"/json", NULL, NULL, NULL},
        {"a/", NULL, NULL, NULL},
        {"a/b c", NULL, NULL, NULL},
        {"a/b; c", NULL, NULL, NULL},
        {"a/b; c=", NULL, NULL, NULL},
        {"a/b; c =d", NULL, NULL, NULL},
        {"a/b; c=\"d", NULL, NULL, NULL},
        {"a/b; c=\"d\\", NULL, NULL, NULL},
        {"a/b; c=\"d\re\"", NULL, NULL, NULL},
        {"a/b; c=d; C=e", NULL, NULL, NULL},
        {"a/b, a/c", NULL, NULL, NULL},
        {"a/b;1=1;2=1;3=1;4=1;5=1;6=1;7=1;8=1;9=1", NULL, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_media m;
        bool ok = http_media_parse(*state, str_c(cases[i].in), &m);
        if (ok != (cases[i].type != NULL))
            fail_msg("%s", cases[i].in);
        if (!ok)
            continue;
        struct str value = http_media_param(&m, cases[i].name);
        assert_true(str_eq_c(m.type, cases[i].type));
        assert_int_equal(value.p != NULL, cases[i].value != NULL);
        assert_true(str_eq_c(value, cases[i].value));
    }
}

static void basic(void **state)
{
    static const struct {
        const char *in, *user, *password; // user NULL: refused
    } cases[] = {
        {"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame"},
        {"bASIC  QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame"},
        {"Basic OmE6Yg==", "", "a:b"},
        {"Basic YTo=", "a", ""},
        {"Basic YQ==", NULL, NULL},
        {"Basic", NULL, NULL},
        {"Basic ", NULL, NULL},
        {"Basic !!!", NULL, NULL},
        {"Basic YTpiAA==", NULL, NULL},
        {"Basic YTpi Yg==", NULL, NULL},
        {"BasicYTpi", NULL, NULL},
        {"Bearer YTpi", NULL, NULL},
        {"", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str user, password;
        bool ok = http_auth_basic(*state, str_c(cases[i].in), &user, &password);
        if (ok != (cases[i].user != NULL))
            fail_msg("%s", cases[i].in);
        if (ok)
            assert_true(str_eq_c(user, cases[i].user) && str_eq_c(password, cases[i].password));
    }
}

static void bearer(void **state)
{
    static const struct {
        const char *in, *token; // NULL: refused
    } cases[] = {
        {"Bearer abc.DEF-1_2~3+4/5==", "abc.DEF-1_2~3+4/5=="},
        {"bearer   x", "x"},
        {"Bearer", NULL},
        {"Bearer ", NULL},
        {"Bearer =", NULL},
        {"Bearer a b", NULL},
        {"Bearer a=b", NULL},
        {"Bearer a,b", NULL},
        {"Bearer \"a\"", NULL},
        {"Bearer a!b", NULL},
        {"Basic YTpi", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str token;
        bool ok = http_auth_bearer(str_c(cases[i].in), &token);
        if (ok != (cases[i].token != NULL))
            fail_msg("%s", cases[i].in);
        if (ok)
            assert_true(str_eq_c(token, cases[i].token));
    }
}

static void prefer(void **state)
{
    static const struct {
        const char *in[2];
        bool respond_async, wait;
        int64_t wait_s;
    } cases[] = {
        {{"respond-async"}, true, false, 0},
        {{"wait=10"}, false, true, 10},
        {{"respond-async, wait=10"}, true, true, 10},
        {{"Respond-Async;x=y ,\tWAIT = 5;z"}, true, true, 5},
        {{"wait=\"7\""}, false, true, 7},
        {{"wait=0"}, false, true, 0},
        {{"wait=999999999"}, false, true, 86400},
        {{"wait=3, wait=4", "wait=5"}, false, true, 3},
        {{"handling=lenient", "wait=9"}, false, true, 9},
        {{"foo=\"a, wait=3, b\\\"\", wait=4"}, false, true, 4},
        {{"wait"}, false, false, 0},
        {{"wait=-1"}, false, false, 0},
        {{"wait=1.5"}, false, false, 0},
        {{"wait=99999999999999999999"}, false, false, 0},
        {{"await=3"}, false, false, 0},
        {{",,,"}, false, false, 0},
        {{"\"unclosed, wait=3"}, false, false, 0},
        {{""}, false, false, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_prefer p = {0};
        for (size_t k = 0; k < 2 && cases[i].in[k]; k++)
            http_prefer_add(&p, str_c(cases[i].in[k]));
        if (p.respond_async != cases[i].respond_async || p.wait != cases[i].wait || p.wait_s != cases[i].wait_s)
            fail_msg("%s: %d %d %lld", cases[i].in[0], p.respond_async, p.wait, (long long)p.wait_s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(media_types, setup, teardown),
        cmocka_unit_test_setup_teardown(basic, setup, teardown),
        cmocka_unit_test(bearer),
        cmocka_unit_test(prefer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
