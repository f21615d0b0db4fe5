#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/policy.h"

enum {
    S = RIGHT_SEE,
    R = RIGHT_READ,
    W = RIGHT_SEND,
    C = RIGHT_COMMAND,
    G = RIGHT_REGISTER,
    A = RIGHT_ADMIN,
};

static struct jid who(const char *text)
{
    struct jid j = {0};
    struct str rest = str_c(text), bare;
    str_cut(rest, '/', &bare, &j.resource);
    if (!str_cut(bare, '@', &j.local, &j.domain))
        j = (struct jid){.domain = bare, .resource = j.resource};
    return j;
}

static struct policy *make(const char *const *rules)
{
    struct policy *p = policy_create();
    struct errmsg msg;
    assert_int_equal(policy_add_group(p, STR("family=bob@x.org, alice@x.org"), &msg), ERR_OK);
    assert_int_equal(policy_add_group(p, STR("work=corp.example, eve@x.org"), &msg), ERR_OK);
    assert_int_equal(policy_add_group(p, STR("nobody="), &msg), ERR_OK);
    for (; *rules; rules++) {
        if (policy_add_rule(p, 0, str_c(*rules), &msg))
            fail_msg("%s: %s", *rules, msg.text);
    }
    return p;
}

struct question {
    const char *rules[4];
    const char *user;
    const char *target[3]; // adapter, local, group
    unsigned rights;
};

static void test_rules(void **state)
{
    (void)state;
    static const struct question rows[] = {
        {{NULL}, "alice@x.org", {"home", "lamp", ""}, 0},
        {{"allow see to alice@x.org"}, "alice@x.org", {"home", "lamp", ""}, S},
        {{"allow see to alice@x.org"}, "alice@x.org/phone", {"home", "lamp", ""}, S},
        {{"allow see to Alice@X.Org"}, "alice@x.org", {"home", "lamp", ""}, S},
        {{"allow see to alice@x.org"}, "alice@y.org", {"home", "lamp", ""}, 0},
        {{"allow see,read send to x.org"}, "alice@x.org", {"home", "lamp", ""}, S | R | W},
        {{"allow see to x.org"}, "alice@sub.x.org", {"home", "lamp", ""}, 0},
        {{"allow see to x.org"}, "x.org", {"home", "lamp", ""}, S},
        {{"allow see to *"}, "any@where", {"home", "lamp", ""}, S},
        {{"allow all to *"}, "any@where", {"home", "lamp", ""}, S | R | W | C | G},
        {{"allow all, admin to *"}, "any@where", {"home", "lamp", ""}, S | R | W | C | G | A},
        {{"allow read to *"}, "any@where", {"home", "lamp", ""}, 0}, // worth nothing without see
        {{"allow read admin to *"}, "any@where", {"home", "lamp", ""}, A},
        {{"allow see to @family"}, "alice@x.org", {"home", "lamp", ""}, S},
        {{"allow see to @family"}, "bob@x.org", {"home", "lamp", ""}, S},
        {{"allow see to @family"}, "eve@x.org", {"home", "lamp", ""}, 0},
        {{"allow see to @work"}, "any@corp.example", {"home", "lamp", ""}, S},
        {{"allow see to @nobody"}, "alice@x.org", {"home", "lamp", ""}, 0},
        {{"allow see to bob@x.org, eve@x.org"}, "eve@x.org", {"home", "lamp", ""}, S},
        {{"allow see to * on home"}, "a@b", {"home", "lamp", ""}, S},
        {{"allow see to * on home"}, "a@b", {"other", "lamp", ""}, 0},
        {{"allow see to * on home other"}, "a@b", {"other", "lamp", ""}, S},
        {{"allow see to * on home:lamp"}, "a@b", {"home", "lamp", ""}, S},
        {{"allow see to * on home:lamp"}, "a@b", {"home", "lamp2", ""}, 0},
        {{"allow see to * on home:kit*"}, "a@b", {"home", "kitchen", ""}, S},
        {{"allow see to * on home:kit*"}, "a@b", {"home", "hall", ""}, 0},
        {{"allow see to * on home:*"}, "a@b", {"home", "hall", ""}, S},
        {{"allow see to * on home#cellar"}, "a@b", {"home", "x", "cellar"}, S},
        {{"allow see to * on home#cellar"}, "a@b", {"home", "x", ""}, 0},
        {{"allow see to * on *"}, "a@b", {"home", "x", ""}, S},
        {{"allow all to * on home"}, "a@b", {"home", "x", ""}, S | R | W | C | G},
        // the first that names the right decides
        {{"deny send to eve@x.org", "allow see send to x.org"}, "eve@x.org", {"home", "x", ""}, S},
        {{"allow see send to x.org", "deny send to eve@x.org"}, "eve@x.org", {"home", "x", ""}, S | W},
        {{"deny see to * on home:lock", "allow all to *"}, "eve@x.org", {"home", "lock", ""}, G},
        {{"deny all to eve@x.org", "allow all admin to *"}, "eve@x.org", {"home", "lock", ""}, A},
        {{"deny command to x.org on home:lock", "allow see command to *"}, "a@x.org", {"home", "lamp", ""}, S | C},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct policy *p = make(rows[i].rules);
        struct jid user = who(rows[i].user);
        struct policy_target t = {str_c(rows[i].target[0]), str_c(rows[i].target[1]), str_c(rows[i].target[2])};
        unsigned rights = policy_rights(p, &user, &t);
        if (rights != rows[i].rights)
            fail_msg("row %zu (%s): %#x, expected %#x", i, rows[i].rules[0] ? rows[i].rules[0] : "none", rights,
                     rows[i].rights);
        policy_destroy(p);
    }
}

static void test_component(void **state)
{
    (void)state;
    static const struct question rows[] = {
        {{NULL}, "a@x.org", {0}, 0},
        {{"allow register to x.org"}, "a@x.org", {0}, G},
        {{"allow admin to x.org"}, "a@x.org", {0}, A},
        {{"allow see to x.org on home:lamp"}, "a@x.org", {0}, S},
        {{"allow see to y.org"}, "a@x.org", {0}, 0},
        {{"deny see to x.org", "allow see to *"}, "a@x.org", {0}, 0},
        {{"deny see to x.org on home", "allow see to *"}, "a@x.org", {0}, S},
        {{"allow all to x.org on home"}, "a@x.org", {0}, S},
        {{"allow all to x.org"}, "a@x.org", {0}, S | G},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct policy *p = make(rows[i].rules);
        struct jid user = who(rows[i].user);
        unsigned rights = policy_component_rights(p, &user);
        if (rights != rows[i].rights)
            fail_msg("row %zu: %#x, expected %#x", i, rights, rows[i].rights);
        policy_destroy(p);
    }
}

static void test_errors_name_the_word(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *says;
    } rows[] = {
        {"", "begins with allow or deny"},
        {"permit see to *", "\"permit\""},
        {"allow", "\"to\" and whom is missing"},
        {"allow see", "\"to\" and whom is missing"},
        {"allow to *", "no right is named"},
        {"allow sea to *", "did you mean \"see\""},
        {"allow comand to *", "did you mean \"command\""},
        {"allow everything to *", "unknown right \"everything\""},
        {"allow see to", "whom the rule is about is missing"},
        {"allow see to on home", "whom the rule is about is missing"},
        {"allow see to @friends", "no group \"@friends\""},
        {"allow see to a@b/c", "\"a@b/c\""},
        {"allow see to a@", "\"a@\""},
        {"allow see to * on", "what the rule is about is missing"},
        {"allow see to * on :x", "\":x\""},
        {"allow see to * on home:", "\"home:\""},
        {"allow see to * on home#", "\"home#\""},
        {"allow see to * on ho*", "\"ho*\""},
        {"allow register to * on home", "without \"on\""},
        {"allow see admin to * on home", "without \"on\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct policy *p = make((const char *const[]){NULL});
        struct errmsg msg = {""};
        assert_int_equal(policy_add_rule(p, 0, str_c(rows[i].rule), &msg), ERR_CONF);
        if (!strstr(msg.text, rows[i].says))
            fail_msg("\"%s\" said: %s", rows[i].rule, msg.text);
        assert_int_equal(policy_check_rule(p, str_c(rows[i].rule), &msg), ERR_CONF);
        assert_int_equal(policy_rule_count(p), 0);
        policy_destroy(p);
    }
}

static void test_groups(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "family", "=a@b", "family=a@b", "new=a@b/c", "new=@"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct policy *p = make((const char *const[]){NULL});
        struct errmsg msg;
        assert_int_equal(policy_add_group(p, str_c(bad[i]), &msg), ERR_CONF);
        policy_destroy(p);
    }
}

static void test_numbers(void **state)
{
    (void)state;
    struct policy *p = make((const char *const[]){"allow see to a.org", NULL});
    struct errmsg msg;
    assert_int_equal(policy_add_rule(p, 1, STR("allow see to b.org"), &msg), ERR_OK);
    assert_int_equal(policy_add_rule(p, 2, STR("allow see to c.org"), &msg), ERR_OK);
    assert_int_equal(policy_remove_rule(p, 3), ERR_NOTFOUND);
    assert_int_equal(policy_remove_rule(p, 1), ERR_OK);
    assert_int_equal(policy_remove_rule(p, 1), ERR_NOTFOUND);
    assert_int_equal(policy_rule_count(p), 2);
    uint64_t number;
    struct str rule;
    policy_rule(p, 1, &number, &rule);
    assert_int_equal(number, 2);
    assert_true(str_eq_c(rule, "allow see to c.org"));
    struct jid b = who("u@b.org"), c = who("u@c.org");
    struct policy_target t = {STR("home"), STR("x"), STR_NONE};
    assert_int_equal(policy_rights(p, &b, &t), 0);
    assert_int_equal(policy_rights(p, &c, &t), S);
    policy_destroy(p);
    policy_destroy(NULL);
}

static void test_long_rule(void **state)
{
    (void)state;
    struct policy *p = policy_create();
    static char text[8000];
    memset(text, 'x', sizeof text);
    struct errmsg msg;
    assert_int_equal(policy_add_rule(p, 0, (struct str){text, sizeof text}, &msg), ERR_CONF);
    policy_destroy(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),  cmocka_unit_test(test_component), cmocka_unit_test(test_errors_name_the_word),
        cmocka_unit_test(test_groups), cmocka_unit_test(test_numbers),   cmocka_unit_test(test_long_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
