/* What no single value of the configuration shows, and what `ctl` reads of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/app_conf.h"

#define BASE                                                                                                           \
    "components: {main: {domain: b.example, secret: s}}\n"                                                             \
    "adapters: {home: {type: \"null\"}}\n"                                                                             \
    "groups: {family: [a@x.example]}\n"

struct finding {
    const char *yaml;
    size_t errors, warnings;
    const char *text; // in the report
};

static const struct finding findings[] = {
    {BASE "access: [allow see to @family on home]\n", 0, 0, ""},
    {BASE "access: [\"allow see to * on *\", \"allow see, read to x.example a@y.example on home:a-* home#kitchen\"]\n",
     0, 0, ""},
    {BASE "access: [allow see to family]\n", 0, 1, "did you mean the group '@family'?"},
    {BASE "access: [allow see to @family on hme]\n", 0, 1, ":4:10: warning: there is no adapter 'hme'"},
    {BASE "access: [allow see to @family on hme:lamp home]\n", 0, 1, "there is no adapter 'hme'"},
    {BASE "access: [allow see to @famly on hme]\n", 1, 0, "there is no group \"@famly\""},
    {BASE "admins: [admin]\n", 1, 0, "'admin' is not a bare JID"},
    {"components: {a: {domain: x, secret: s}, b: {domain: X, secret: s}}\n", 1, 0,
     "the domain is that of components.a too"},
    {"components: {a: {domain: 'x y', secret: s}}\n", 1, 0, "'x y' is not a domain"},
    {"components: {a: {domain: x, secret: s}, b: {domain: y, secret: s}}\nadapters: {home: {type: \"null\"}}\n", 1, 0,
     "'component' is needed"},
    {"components: {a: {domain: x, secret: s}}\nadapters: {home: {type: \"null\", component: b}}\n", 1, 0,
     "there is no components.b"},
    {"components: {}\n", 1, 0, "at least one component is needed"},
};

static void each_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof findings / sizeof *findings; i++) {
        struct conf_report *r = conf_report_create();
        struct conf_value *config = conf_parse(str_c(findings[i].yaml), "x.yaml", app_schema, r);
        assert_non_null(config);
        app_conf_check(config, r);
        bool found = str_find_str(conf_report_text(r), str_c(findings[i].text)) >= 0;
        if (!found || conf_errors(r) != findings[i].errors || conf_warnings(r) != findings[i].warnings)
            fail_msg("%s\n" STR_FMT, findings[i].yaml, STR_ARG(conf_report_text(r)));
        conf_destroy(config);
        conf_report_destroy(r);
    }
}

// Neither the secret nor a mistake elsewhere keeps `ctl` from the socket.
static void the_socket_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *path;
    } cases[] = {
        {"state: /s\ncomponents: {main: {secret: file:/nowhere}}\nadapters: {home: {type: typo, x: y}}\n",
         "/s/control"},
        {"control: {socket: /run/c}\nadmins: 3\n", "/run/c"},
        {"log: {}\n", "/var/lib/spandrel/control"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct conf_report *r = conf_report_create();
        struct conf_value *config = conf_parse(str_c(cases[i].yaml), "x.yaml", app_control_schema, r);
        assert_non_null(config);
        struct arena a;
        arena_init(&a, 0);
        assert_string_equal(app_conf_control(config, &a), cases[i].path);
        arena_finish(&a);
        conf_destroy(config);
        conf_report_destroy(r);
    }
}

// ctl knows every section, so that none is an unknown option to it.
static void the_sections_are_the_same(void **state)
{
    (void)state;
    size_t known = 0, all = 0;
    for (; app_schema[all].name; all++) {
        for (size_t i = 0; app_control_schema[i].name; i++)
            known += str_eq_c(str_c(app_schema[all].name), app_control_schema[i].name);
    }
    assert_int_equal(known, all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_found),
        cmocka_unit_test(the_socket_is_found),
        cmocka_unit_test(the_sections_are_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
