#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/event.h"

static void test_names_are_unique_words(void **state)
{
    (void)state;
    for (int a = 0; a < EV_COUNT; a++) {
        const char *name = event_name((enum event_kind)a);
        assert_true(name[0] != '\0');
        for (int b = 0; b < a; b++)
            assert_string_not_equal(name, event_name((enum event_kind)b));
    }
    assert_string_equal(event_name(EV_MESSAGE), "message");
    assert_string_equal(event_name(EV_LINK_DOWN), "link-down");
    assert_string_equal(event_name(EV_SHUTDOWN), "shutdown");
}

static void test_shows(void **state)
{
    (void)state;
    static const char *const names[] = {"offline", "xa", "away", "online", "chat", "dnd"};
    for (int s = SHOW_OFFLINE; s <= SHOW_DND; s++)
        assert_string_equal(show_name((enum show)s), names[s]);
}

static void test_right_names_are_read_back(void **state)
{
    (void)state;
    for (unsigned r = RIGHT_SEE; r <= RIGHT_ADMIN; r <<= 1) {
        unsigned got;
        struct str bad;
        assert_true(right_parse(str_c(right_name((enum right)r)), &got, &bad));
        assert_int_equal(got, r);
    }
}

static void test_right_lists(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned rights;
        const char *bad; // NULL: good
    } rows[] = {
        {"", 0, NULL},
        {"see", RIGHT_SEE, NULL},
        {"see,read", RIGHT_SEE | RIGHT_READ, NULL},
        {"see, read", RIGHT_SEE | RIGHT_READ, NULL},
        {" see ,read  send ", RIGHT_SEE | RIGHT_READ | RIGHT_SEND, NULL},
        {"see,,read", RIGHT_SEE | RIGHT_READ, NULL},
        {"command\tregister\nadmin", RIGHT_COMMAND | RIGHT_REGISTER | RIGHT_ADMIN, NULL},
        {"see see", RIGHT_SEE, NULL},
        {"See", 0, "See"},
        {"see,reed,send", 0, "reed"},
        {"read see;", 0, "see;"},
        {"all", 0, "all"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned got = 4711;
        struct str bad = STR_NONE;
        assert_int_equal(right_parse(str_c(rows[i].text), &got, &bad), rows[i].bad == NULL);
        if (rows[i].bad)
            assert_true(str_eq_c(bad, rows[i].bad) && got == 4711);
        else
            assert_int_equal(got, rows[i].rights);
    }
}

static struct str text(struct arena *a, const char *s)
{
    return arena_dup(a, str_c(s));
}

// A copy must not point into what it was made from, which is overwritten here.
static void test_copy_is_deep(void **state)
{
    (void)state;
    struct arena from, to;
    arena_init(&from, 0);
    arena_init(&to, 0);
    struct event_field fields[] = {{text(&from, "power"), text(&from, "on")}, {text(&from, "level"), STR_NONE}};
    struct event ev = {.kind = EV_COMMAND,
                       .token = 9,
                       .user = {text(&from, "alice"), text(&from, "x.org"), text(&from, "r")},
                       .to = {text(&from, "lamp"), text(&from, "gw"), STR_NONE},
                       .fields = fields,
                       .field_count = 2};
    struct str *const parts[] = {&ev.key, &ev.id,    &ev.body,    &ev.nick, &ev.name, &ev.wish,
                                 &ev.cls, &ev.group, &ev.command, &ev.blob, &ev.rule};
    enum { PARTS = sizeof parts / sizeof *parts };
    char names[PARTS][2];
    for (size_t i = 0; i < PARTS; i++) {
        names[i][0] = (char)('a' + i);
        names[i][1] = '\0';
        *parts[i] = text(&from, names[i]);
    }
    struct event *copy = event_copy(&to, &ev);
    arena_finish(&from);
    fields[0] = fields[1] = (struct event_field){STR_NONE, STR_NONE};
    const struct str copies[] = {copy->key, copy->id,    copy->body,    copy->nick, copy->name, copy->wish,
                                 copy->cls, copy->group, copy->command, copy->blob, copy->rule};
    for (size_t i = 0; i < PARTS; i++)
        assert_true(str_eq_c(copies[i], names[i]));
    assert_int_equal(copy->kind, EV_COMMAND);
    assert_int_equal(copy->token, 9);
    assert_true(str_eq_c(copy->user.local, "alice") && str_eq_c(copy->user.domain, "x.org"));
    assert_true(str_eq_c(copy->user.resource, "r") && str_eq_c(copy->to.local, "lamp"));
    assert_true(str_eq_c(copy->fields[0].name, "power") && str_eq_c(copy->fields[0].value, "on"));
    assert_true(str_eq_c(copy->fields[1].name, "level") && str_empty(copy->fields[1].value));
    arena_finish(&to);
}

static void test_copy_of_little(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 0);
    struct event *copy = event_copy(&a, &(struct event){.kind = EV_TICK});
    assert_null(copy->fields);
    assert_true(str_empty(copy->body));
    arena_finish(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_unique_words),
        cmocka_unit_test(test_shows),
        cmocka_unit_test(test_right_names_are_read_back),
        cmocka_unit_test(test_right_lists),
        cmocka_unit_test(test_copy_is_deep),
        cmocka_unit_test(test_copy_of_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
