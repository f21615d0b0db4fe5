#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/pending.h"

struct fixture {
    struct users users;
    struct pendings t;
    struct user *alice;
};

static int setup(void **state)
{
    static struct fixture f;
    users_init(&f.users);
    pendings_init(&f.t, &f.users);
    struct jid jid = {STR("alice"), STR("x.org"), STR_NONE};
    f.alice = user_intern(&f.users, &jid, 0);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    pendings_finish(&f->t);
    users_finish(&f->users);
    return 0;
}

static void add(struct fixture *f, uint64_t token, int64_t now)
{
    struct event ask = {.kind = EV_MESSAGE, .adapter = 1, .token = token, .id = STR("m1"), .body = STR("on")};
    pending_add(&f->t, &ask, f->alice, now);
}

static void test_found_by_token_and_adapter(void **state)
{
    struct fixture *f = *state;
    assert_null(pending_find(&f->t, 1, 1));
    add(f, 1, 100);
    add(f, 2, 100);
    struct pending *p = pending_find(&f->t, 2, 1);
    assert_non_null(p);
    assert_int_equal(p->ask->token, 2);
    assert_true(str_eq_c(p->ask->id, "m1") && str_eq_c(p->ask->body, "on"));
    assert_null(pending_find(&f->t, 2, 2));
    assert_null(pending_find(&f->t, 3, 1));
    assert_int_equal(f->alice->pending, 2);
    assert_int_equal(f->alice->holds, 2);
    pending_remove(&f->t, p);
    assert_null(pending_find(&f->t, 2, 1));
    assert_int_equal(f->alice->pending, 1);
}

static void test_deadlines_in_order(void **state)
{
    struct fixture *f = *state;
    assert_true(pendings_deadline(&f->t) == INT64_MAX);
    assert_null(pending_due(&f->t, INT64_MAX));
    for (uint64_t token = 1; token <= 3; token++)
        add(f, token, (int64_t)token * 100);
    assert_true(pendings_deadline(&f->t) == 100 + PENDING_MS);
    assert_null(pending_due(&f->t, 100 + PENDING_MS - 1));
    assert_int_equal(pending_due(&f->t, 100 + PENDING_MS)->ask->token, 1);
    pending_remove(&f->t, pending_find(&f->t, 2, 1)); // out of the middle
    pending_remove(&f->t, pending_find(&f->t, 1, 1)); // the first
    assert_int_equal(pending_due(&f->t, INT64_MAX)->ask->token, 3);
    assert_true(pendings_deadline(&f->t) == 300 + PENDING_MS);
    pending_remove(&f->t, pending_find(&f->t, 3, 1)); // the last
    assert_null(pending_due(&f->t, INT64_MAX));
    add(f, 4, 400);
    assert_int_equal(pending_due(&f->t, INT64_MAX)->ask->token, 4);
}

static void test_bounded_per_user(void **state)
{
    struct fixture *f = *state;
    for (uint64_t token = 1; token <= PENDING_USER_MAX; token++) {
        assert_false(pendings_full(&f->t, f->alice));
        add(f, token, 0);
    }
    assert_true(pendings_full(&f->t, f->alice));
    struct jid jid = {STR("bob"), STR("x.org"), STR_NONE};
    struct user *bob = user_intern(&f->users, &jid, 0);
    assert_false(pendings_full(&f->t, bob));
    pending_remove(&f->t, pending_find(&f->t, 7, 1));
    assert_false(pendings_full(&f->t, f->alice));
}

static void test_bounded_in_number(void **state)
{
    struct fixture *f = *state;
    char name[16];
    uint64_t token = 0;
    for (unsigned u = 0; u < PENDING_MAX / 100; u++) {
        snprintf(name, sizeof name, "u%u", u);
        struct jid jid = {str_c(name), STR("x.org"), STR_NONE};
        struct user *user = user_intern(&f->users, &jid, 0);
        for (unsigned i = 0; i < 100; i++) {
            assert_false(pendings_full(&f->t, user));
            struct event ask = {.kind = EV_COMMAND, .adapter = 1, .token = ++token};
            pending_add(&f->t, &ask, user, 0);
        }
    }
    assert_true(pendings_full(&f->t, f->alice));
    assert_true(pendings_bytes(&f->t) > PENDING_MAX * sizeof(struct event));
}

static void test_bounded_in_bytes(void **state)
{
    struct fixture *f = *state;
    enum { BODY = 1 << 20 };
    char *body = mem_alloc(BODY);
    memset(body, 'x', BODY);
    unsigned n = 0;
    for (; !pendings_full(&f->t, f->alice); n++) {
        struct event ask = {.kind = EV_MESSAGE, .adapter = 1, .token = n + 1, .body = {body, BODY}};
        pending_add(&f->t, &ask, f->alice, 0);
    }
    assert_in_range(n, PENDING_BYTES_MAX / BODY - 2, PENDING_BYTES_MAX / BODY + 1);
    mem_free(body);
    for (unsigned token = 1; token <= n; token++)
        pending_remove(&f->t, pending_find(&f->t, token, 1));
    assert_int_equal(f->t.bytes, 0);
    assert_int_equal(f->alice->holds, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_found_by_token_and_adapter, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deadlines_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bounded_per_user, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bounded_in_number, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bounded_in_bytes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
