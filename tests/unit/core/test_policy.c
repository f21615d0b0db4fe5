#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/rng.h"
#include "core/policy.h"

#include <stdio.h>

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

enum { FREE, SOME, ALL };

static const struct {
    const char *before[3], *rule;
    int decided;
    size_t by; // counted from 0
} orders[] = {
    {{NULL}, "deny see to bob@x.org", FREE, 0},
    {{"allow all to example.org"}, "deny command to bob@example.org", ALL, 0},
    {{"allow all to example.org"}, "deny command to bob@x.org", FREE, 0},
    {{"allow see to example.org"}, "deny command to bob@example.org", FREE, 0},
    {{"allow see to example.org"}, "deny see command to bob@example.org", SOME, 0},
    {{"allow see to *"}, "deny see to *", ALL, 0},
    {{"allow see to x.org"}, "deny see to *", SOME, 0},
    {{"allow see to bob@x.org"}, "deny see to x.org", SOME, 0},
    {{"allow see to bob@x.org"}, "deny see to y.org", FREE, 0},
    {{"allow see to bob@x.org"}, "deny see to alice@x.org", FREE, 0},
    // groups: family is bob and alice of x.org, work is corp.example and eve@x.org
    {{"allow see to @family"}, "deny see to bob@x.org", ALL, 0},
    {{"allow see to @family"}, "deny see to eve@x.org", FREE, 0},
    {{"allow see to @family"}, "deny see to x.org", SOME, 0},
    {{"allow see to @family"}, "deny see to corp.example", FREE, 0},
    {{"allow see to @work"}, "deny see to corp.example", ALL, 0},
    {{"allow see to @work"}, "deny see to one@corp.example", ALL, 0},
    {{"allow see to x.org"}, "deny see to @family", ALL, 0},
    {{"allow see to x.org"}, "deny see to @work", SOME, 0},
    {{"allow see to x.org"}, "deny see to @nobody", FREE, 0},
    {{"allow see to @nobody"}, "deny see to *", FREE, 0},
    {{"allow see to bob@x.org", "allow see to alice@x.org"}, "deny see to @family", ALL, 0},
    // targets
    {{"allow see to * on home"}, "deny see to * on far", FREE, 0},
    {{"allow see to * on home"}, "deny see to * on home:lamp", ALL, 0},
    {{"allow see to * on home"}, "deny see to *", SOME, 0},
    {{"allow see to * on home:*"}, "deny see to * on home", ALL, 0},
    {{"allow see to * on home:la*"}, "deny see to * on home:lamp", ALL, 0},
    {{"allow see to * on home:la*"}, "deny see to * on home:lam*", ALL, 0},
    {{"allow see to * on home:la*"}, "deny see to * on home:l*", SOME, 0},
    {{"allow see to * on home:la*"}, "deny see to * on home:door", FREE, 0},
    {{"allow see to * on home:lamp"}, "deny see to * on home:lamps", FREE, 0},
    {{"allow see to * on home:la*"}, "deny see to * on home#hall", SOME, 0},
    {{"allow see to * on home#hall"}, "deny see to * on home:lamp", SOME, 0},
    {{"allow see to * on home#hall"}, "deny see to * on far:lamp", FREE, 0},
    {{"allow see to * on home#hall"}, "deny see to * on home#hall", ALL, 0},
    {{"allow see to * on home#hall"}, "deny see to * on home#attic", FREE, 0},
    {{"allow see to * on home", "allow see to * on far"}, "deny see to * on home:a far:b", ALL, 0},
    {{"allow see to * on home:a"}, "deny see to * on home:a home:b", SOME, 0},
    // rights
    {{"allow see to *", "allow read to *"}, "deny see read to *", ALL, 0},
    {{"allow send to *", "allow read to *"}, "deny see read to *", SOME, 1},
    {{"deny see to bob@x.org"}, "allow read to bob@x.org", ALL, 0}, // without see there is no other
    {{"allow see to x.org", "deny see to x.org"}, "allow read to bob@x.org", FREE, 0},
    {{"deny see to *"}, "allow register to *", FREE, 0},
    {{"allow all to *"}, "deny register to *", ALL, 0},
    {{"allow all to * on home"}, "deny register to *", FREE, 0},
    {{"allow register to *"}, "deny all to * on home", FREE, 0},
    {{"allow all to *"}, "deny admin to *", FREE, 0},
    // the same before makes it no worse
    {{"allow see to *"}, "allow see to bob@x.org", FREE, 0},
    {{"deny see to bob@x.org", "allow see to x.org"}, "deny see to bob@x.org", FREE, 0},
    {{"deny see to bob@x.org", "allow see to x.org"}, "deny see to @family", ALL, 1},
};

static void test_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        struct policy *p = make(orders[i].before);
        struct errmsg msg;
        assert_int_equal(policy_add_rule(p, 1, str_c(orders[i].rule), &msg), ERR_OK);
        size_t by;
        bool all;
        bool some = policy_rule_before(p, policy_rule_count(p) - 1, &by, &all);
        int decided = !some ? FREE : all ? ALL : SOME;
        if (decided != orders[i].decided || (some && by != orders[i].by))
            fail_msg("%s: %s: %d by %zu", orders[i].before[0], orders[i].rule, decided, by);
        policy_destroy(p);
    }
}

static const char *pick(struct rng *r, const char *const *of, size_t count)
{
    return of[rng_next(r) % count];
}

#define PICK(r, of) pick(r, of, sizeof of / sizeof *(of))

static void random_rule(struct rng *r, char *out, size_t size)
{
    static const char *const rights[] = {"see", "see read", "read", "all", "send command"};
    static const char *const whom[] = {"*", "x.org", "bob@x.org", "alice@x.org eve@x.org", "@family", "@work"};
    static const char *const what[] = {"home",      "home:lamp", "home:la*", "home:*",
                                       "home#hall", "far",       "*",        "home:door far"};
    snprintf(out, size, "%s %s to %s on %s", rng_next(r) % 2 ? "allow" : "deny", PICK(r, rights), PICK(r, whom),
             PICK(r, what));
}

// All rights of some users on some targets, the last of which is a component itself.
static void rights_of(const struct policy *p, unsigned *out)
{
    static const char *const users[] = {"bob@x.org", "alice@x.org",    "eve@x.org",
                                        "u@x.org",   "u@corp.example", "u@y.org"};
    static const struct policy_target targets[] = {
        {{"home", 4}, {"lamp", 4}, {"hall", 4}}, {{"home", 4}, {"lad", 3}, {"", 0}},
        {{"home", 4}, {"door", 4}, {"hall", 4}}, {{"home", 4}, {"x", 1}, {"attic", 5}},
        {{"far", 3}, {"lamp", 4}, {"", 0}},      {{"", 0}, {"", 0}, {"", 0}},
    };
    for (size_t u = 0; u < 6; u++) {
        struct jid user = who(users[u]);
        for (size_t t = 0; t < 6; t++)
            *out++ = policy_rights(p, &user, &targets[t]) & (targets[t].adapter.n ? S | R | W | C : G | A);
    }
}

// What is said of the last of some rules is so: without a rule before it that decides otherwise it might as well be the
// first, and where nothing is left to it, it might as well not be there.
static void test_order_is_so(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 11);
    unsigned seen[3] = {0};
    for (int round = 0; round < 10000; round++) {
        char rules[4][120];
        for (int i = 0; i < 4; i++)
            random_rule(&r, rules[i], sizeof rules[i]);
        struct policy *with = make((const char *const[]){rules[0], rules[1], rules[2], rules[3], NULL});
        struct policy *without = make((const char *const[]){rules[0], rules[1], rules[2], NULL});
        struct policy *first = make((const char *const[]){rules[3], rules[0], rules[1], rules[2], NULL});
        unsigned is[36], was[36], would[36];
        rights_of(with, is);
        rights_of(without, was);
        rights_of(first, would);
        size_t by;
        bool all, some = policy_rule_before(with, 3, &by, &all);
        bool good = some ? !all || !memcmp(is, was, sizeof is) : !memcmp(is, would, sizeof is);
        if (!good)
            fail_msg("%s, %s, %s: %s: %d by %zu, all %d", rules[0], rules[1], rules[2], rules[3], some, by, all);
        seen[!some ? FREE : all ? ALL : SOME]++;
        policy_destroy(with);
        policy_destroy(without);
        policy_destroy(first);
    }
    assert_true(seen[FREE] > 1000 && seen[SOME] > 1000 && seen[ALL] > 1000);
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
        cmocka_unit_test(test_rules),  cmocka_unit_test(test_component),   cmocka_unit_test(test_errors_name_the_word),
        cmocka_unit_test(test_groups), cmocka_unit_test(test_numbers),     cmocka_unit_test(test_long_rule),
        cmocka_unit_test(test_order),  cmocka_unit_test(test_order_is_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
