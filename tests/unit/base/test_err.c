#include "lib/check.h"

#include "base/err.h"
#include "base/utf8.h"

#include <ctype.h>

static void test_every_error_is_told(void **state)
{
    (void)state;
#define UPPER(name, text, type, condition) #name,
    static const char *const upper[] = {ERR_LIST(UPPER)};
#undef UPPER
    for (unsigned i = 0; i < ERR_COUNT; i++) {
        const char *name = err_name((enum err)i);
        assert_int_equal(strlen(name), strlen(upper[i]));
        for (size_t j = 0; name[j]; j++)
            assert_int_equal(name[j], tolower((unsigned char)upper[i][j]));
        assert_true(strlen(err_text((enum err)i)) > 0);
        assert_int_equal(err_type((enum err)i)[0] == '\0', i == ERR_OK);
        assert_int_equal(err_condition((enum err)i)[0] == '\0', i == ERR_OK);
    }
}

static void test_unknown_numbers_are_internal(void **state)
{
    (void)state;
    assert_string_equal(err_name((enum err)999), "internal");
    assert_string_equal(err_condition(ERR_COUNT), "internal-server-error");
}

static void test_from_condition(void **state)
{
    (void)state;
    assert_int_equal(err_from_condition("item-not-found"), ERR_NOTFOUND);
    assert_int_equal(err_from_condition("remote-server-timeout"), ERR_CLOSED);
    assert_int_equal(err_from_condition("gone"), ERR_GONE);
    assert_int_equal(err_from_condition("redirect"), ERR_INTERNAL);
    assert_int_equal(err_from_condition(""), ERR_INTERNAL);
    assert_int_equal(err_from_condition(NULL), ERR_INTERNAL);
    for (unsigned i = 1; i < ERR_COUNT; i++) {
        const char *condition = err_condition((enum err)i);
        assert_string_equal(err_condition(err_from_condition(condition)), condition);
    }
}

static void test_set_and_wrap(void **state)
{
    (void)state;
    struct errmsg msg;
    assert_int_equal(err_set(&msg, ERR_TLS, "certificate of %s expired", "x"), ERR_TLS);
    assert_string_equal(msg.text, "certificate of x expired");
    assert_int_equal(err_wrap(&msg, ERR_IO, "adapter %d", 3), ERR_IO);
    assert_string_equal(msg.text, "adapter 3: certificate of x expired");
    assert_int_equal(err_wrap(&msg, ERR_IO, "%s", msg.text), ERR_IO);
    assert_string_equal(msg.text, "adapter 3: certificate of x expired: adapter 3: certificate of x expired");
    assert_int_equal(err_set(&msg, ERR_OK, "%s", ""), ERR_OK);
    assert_string_equal(msg.text, "");
}

static void test_message_may_be_unwanted(void **state)
{
    (void)state;
    assert_int_equal(err_set(NULL, ERR_IO, "x"), ERR_IO);
    assert_int_equal(err_wrap(NULL, ERR_IO, "x"), ERR_IO);
}

// A text that is too long ends with a whole character, whatever its length is.
static void test_cut_at_a_character(void **state)
{
    (void)state;
    static const char *const units[] = {"a", "é", "€", "😀"};
    for (size_t u = 0; u < COUNT(units); u++) {
        for (int lead = 0; lead < 300; lead++) {
            struct errmsg msg;
            (void)err_set(&msg, ERR_IO, "%*s%s%s%s", lead, "", units[u], units[u], units[u]);
            size_t n = strlen(msg.text), whole = (size_t)lead + 3 * strlen(units[u]);
            assert_true(utf8_valid(str_c(msg.text)));
            assert_true(n < sizeof msg.text);
            if (whole < sizeof msg.text)
                assert_int_equal(n, whole);
            else
                assert_true(n + 4 >= sizeof msg.text);
        }
    }
}

static void test_wrap_cuts_the_end(void **state)
{
    (void)state;
    for (int n = 0; n < 300; n++) {
        struct errmsg msg;
        (void)err_set(&msg, ERR_IO, "%s", "ééé");
        (void)err_wrap(&msg, ERR_IO, "%0*d", n, 0);
        assert_true(utf8_valid(str_c(msg.text)));
        assert_int_equal(msg.text[0], '0');
        assert_true(strlen(msg.text) < sizeof msg.text);
    }
}

static void die(void)
{
    err_fatal("lost %d", 1);
}

static void test_fatal_aborts(void **state)
{
    (void)state;
    assert_true(aborts(die));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_error_is_told),     cmocka_unit_test(test_unknown_numbers_are_internal),
        cmocka_unit_test(test_from_condition),          cmocka_unit_test(test_set_and_wrap),
        cmocka_unit_test(test_message_may_be_unwanted), cmocka_unit_test(test_cut_at_a_character),
        cmocka_unit_test(test_wrap_cuts_the_end),       cmocka_unit_test(test_fatal_aborts),
    };
    return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
