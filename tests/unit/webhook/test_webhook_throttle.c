/* Who fails too often waits; the table has a bound. */
#include "adapters/webhook/webhook_throttle.h"

#include "lib/check.h"

#include <stdio.h>

static struct net_ip ip(const char *text)
{
    struct net_ip out = {.known = false};
    if (*text)
        assert_true(net_ip_parse(str_c(text), &out));
    return out;
}

static void fail_times(struct webhook_throttle *t, const char *source, int times, int64_t now)
{
    const struct net_ip at = ip(source);
    for (int i = 0; i < times; i++)
        webhook_throttle_failed(t, &at, now);
}

static int64_t wait_of(const struct webhook_throttle *t, const char *source, int64_t now)
{
    const struct net_ip at = ip(source);
    return webhook_throttle_wait(t, &at, now);
}

// 3 at once, then 6 a minute.
static int setup(void **state)
{
    *state = webhook_throttle_create(4, 6, 3);
    return 0;
}

static int teardown(void **state)
{
    webhook_throttle_destroy(*state);
    webhook_throttle_destroy(NULL);
    return 0;
}

static void test_bucket(void **state)
{
    struct webhook_throttle *t = *state;
    assert_int_equal(wait_of(t, "192.0.2.1", 1000), 0);
    assert_int_equal(webhook_throttle_count(t), 0); // asking leaves nothing
    fail_times(t, "192.0.2.1", 2, 1000);
    assert_int_equal(wait_of(t, "192.0.2.1", 1000), 0);
    fail_times(t, "192.0.2.1", 1, 1000);
    assert_int_equal(wait_of(t, "192.0.2.1", 1000), 10);
    assert_int_equal(wait_of(t, "192.0.2.1", 1999), 10);
    assert_int_equal(wait_of(t, "192.0.2.1", 2001), 9);
    assert_int_equal(wait_of(t, "192.0.2.1", 10500), 1);
    assert_int_equal(wait_of(t, "192.0.2.1", 11000), 0);
    // Failures while it waits do not make the wait longer: each is answered without a check, and does not count.
    fail_times(t, "192.0.2.1", 1, 11000);
    assert_int_equal(wait_of(t, "192.0.2.1", 11000), 10);
    fail_times(t, "192.0.2.1", 100, 11000);
    assert_int_equal(wait_of(t, "192.0.2.1", 11000), 10);
    // After long enough all is forgiven.
    assert_int_equal(wait_of(t, "192.0.2.1", 51000), 0);
    fail_times(t, "192.0.2.1", 2, 51000);
    assert_int_equal(wait_of(t, "192.0.2.1", 51000), 0);
    assert_int_equal(webhook_throttle_count(t), 1);
}

static void test_sources(void **state)
{
    static const struct {
        const char *one, *other;
        bool same;
    } rows[] = {
        {"192.0.2.1", "192.0.2.2", false},
        {"192.0.2.1", "::ffff:192.0.2.1", true},
        {"2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", true},
        {"2001:db8:0:1::1", "2001:db8:0:2::1", false},
        {"192.0.2.1", "2001:db8:0:1::1", false},
        {"", "192.0.2.1", false},
        {"", "", true},
        {"0.0.0.0", "", false},
        {"::1", "", false},
        {"", "::1", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct webhook_throttle *t = webhook_throttle_create(4, 6, 3);
        fail_times(t, rows[i].one, 3, 0);
        assert_int_equal(wait_of(t, rows[i].one, 0), 10);
        assert_int_equal(wait_of(t, rows[i].other, 0), rows[i].same ? 10 : 0);
        webhook_throttle_destroy(t);
    }
}

// The one that failed longest ago makes room, not the one that came first.
static void test_bound(void **state)
{
    struct webhook_throttle *t = *state;
    fail_times(t, "192.0.2.1", 3, 0);
    fail_times(t, "192.0.2.2", 3, 0);
    fail_times(t, "192.0.2.3", 3, 0);
    fail_times(t, "192.0.2.4", 3, 0);
    fail_times(t, "192.0.2.1", 1, 0);
    assert_int_equal(webhook_throttle_count(t), 4);
    fail_times(t, "192.0.2.5", 3, 0);
    assert_int_equal(webhook_throttle_count(t), 4);
    assert_int_equal(wait_of(t, "192.0.2.2", 0), 0);
    assert_int_equal(wait_of(t, "192.0.2.1", 0), 10);
    assert_int_equal(wait_of(t, "192.0.2.3", 0), 10);
    assert_int_equal(wait_of(t, "192.0.2.5", 0), 10);
    // One that comes again after it was forgotten begins afresh.
    fail_times(t, "192.0.2.2", 1, 0);
    assert_int_equal(wait_of(t, "192.0.2.2", 0), 0);
    assert_int_equal(wait_of(t, "192.0.2.3", 0), 0);
}

static void test_many(void **state)
{
    (void)state;
    struct webhook_throttle *t =
        webhook_throttle_create(WEBHOOK_THROTTLE_SOURCES, WEBHOOK_THROTTLE_PER_MINUTE, WEBHOOK_THROTTLE_BURST);
    char text[32];
    for (unsigned i = 0; i < 20000; i++) {
        (void)snprintf(text, sizeof text, "10.%u.%u.1", i / 256, i % 256);
        fail_times(t, text, WEBHOOK_THROTTLE_BURST, i);
        assert_int_equal(wait_of(t, text, i), 6);
    }
    assert_int_equal(webhook_throttle_count(t), WEBHOOK_THROTTLE_SOURCES);
    assert_int_equal(wait_of(t, "10.0.0.1", 20000), 0);
    webhook_throttle_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bucket, setup, teardown),
        cmocka_unit_test(test_sources),
        cmocka_unit_test_setup_teardown(test_bound, setup, teardown),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests_name("webhook_throttle", tests, NULL, NULL);
}
