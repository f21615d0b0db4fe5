/* Every stream error, before and after the handshake: its retry class, and advice where there is something to change.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "xmpp/ns.h"
#include "xmpp/stream_error.h"

enum {
    NET = COMPONENT_RETRY_NET,
    CONFIG = COMPONENT_RETRY_CONFIG,
    GHOST = COMPONENT_RETRY_GHOST,
    REPLACED = COMPONENT_RETRY_REPLACED
};

static const struct {
    const char *condition;
    int early, late;
    bool advice_early, advice_late;
} conditions[] = {
    // RFC 6120 section 4.9.3, all of them.
    {"bad-format", CONFIG, NET, true, true},
    {"bad-namespace-prefix", CONFIG, NET, true, true},
    {"conflict", GHOST, REPLACED, true, true},
    {"connection-timeout", NET, NET, false, false},
    {"host-gone", CONFIG, CONFIG, true, true},
    {"host-unknown", CONFIG, CONFIG, true, true},
    {"improper-addressing", CONFIG, NET, true, true},
    {"internal-server-error", CONFIG, NET, true, false},
    {"invalid-from", CONFIG, NET, true, true},
    {"invalid-namespace", CONFIG, NET, true, true},
    {"invalid-xml", CONFIG, NET, true, true},
    {"not-authorized", CONFIG, CONFIG, true, true},
    {"not-well-formed", CONFIG, NET, true, true},
    {"policy-violation", CONFIG, NET, true, true},
    {"remote-connection-failed", NET, NET, false, false},
    {"reset", NET, NET, false, false},
    {"resource-constraint", NET, NET, false, false},
    {"restricted-xml", CONFIG, NET, true, true},
    {"see-other-host", CONFIG, NET, true, false},
    {"system-shutdown", NET, NET, false, false},
    {"undefined-condition", NET, NET, false, false},
    {"unsupported-encoding", CONFIG, NET, true, true},
    {"unsupported-feature", NET, NET, false, false},
    {"unsupported-stanza-type", CONFIG, NET, true, true},
    {"unsupported-version", CONFIG, NET, true, true},
    {"of-our-own-making", NET, NET, false, false},
    {"", NET, NET, false, false},
};

static struct stream_ending ending(const char *condition, const char *text, bool up)
{
    static struct xml_node error, first, second;
    second = (struct xml_node){.ns = STR(NS_STREAM_ERRORS), .name = str_c(condition)};
    first = (struct xml_node){.ns = STR(NS_STREAM_ERRORS), .name = STR("text"), .text = str_c(text), .next = &second};
    error = (struct xml_node){.ns = STR(NS_STREAM), .name = STR("error"), .first = &first, .last = &second};
    assert_true(stream_error_is(&error));
    return stream_error_read(&error, up);
}

static void every_condition_has_its_class(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++) {
        struct stream_ending early = ending(conditions[i].condition, "words", false);
        struct stream_ending late = ending(conditions[i].condition, "words", true);
        assert_int_equal((int)early.retry, conditions[i].early);
        assert_int_equal((int)late.retry, conditions[i].late);
        assert_int_equal(*early.advice != '\0', conditions[i].advice_early);
        assert_int_equal(*late.advice != '\0', conditions[i].advice_late);
        assert_true(str_eq_c(early.condition, conditions[i].condition));
        assert_true(str_eq_c(late.text, "words"));
        assert_true(early.err != ERR_OK && late.err != ERR_OK);
    }
}

static void ejabberd_says_conflict_for_its_own_domains(void **state)
{
    (void)state;
    struct stream_ending e = ending("conflict", "Unable to register route on existing local domain", false);
    assert_int_equal(e.retry, COMPONENT_RETRY_CONFIG);
    assert_int_equal(e.err, ERR_CONF);
    assert_non_null(strstr(e.advice, "a domain of its own"));
}

static void an_error_without_a_condition_is_undefined(void **state)
{
    (void)state;
    struct xml_node foreign = {.ns = STR("urn:x"), .name = STR("conflict")};
    struct xml_node error = {.ns = STR(NS_STREAM), .name = STR("error"), .first = &foreign, .last = &foreign};
    struct stream_ending e = stream_error_read(&error, false);
    assert_true(str_eq_c(e.condition, "undefined-condition"));
    assert_int_equal(e.retry, COMPONENT_RETRY_NET);
    assert_false(stream_error_is(&foreign));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_condition_has_its_class),
        cmocka_unit_test(ejabberd_says_conflict_for_its_own_domains),
        cmocka_unit_test(an_error_without_a_condition_is_undefined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
