#include "lib/check.h"

#include "adapters/mqtt/mqtt_window.h"

static void in_order(void **state)
{
    (void)state;
    struct mqtt_window w;
    uint64_t token = 0;
    mqtt_window_init(&w, 3);
    assert_false(mqtt_window_pop(&w, &token));
    for (int mid = 1; mid <= 3; mid++) {
        assert_false(mqtt_window_full(&w));
        mqtt_window_put(&w, mid, (uint64_t)mid * 10);
    }
    assert_true(mqtt_window_full(&w));
    assert_true(mqtt_window_take(&w, 1, &token));
    assert_int_equal(token, 10);
    assert_false(mqtt_window_take(&w, 1, &token));
    assert_false(mqtt_window_full(&w));
    mqtt_window_set_limit(&w, 1);
    assert_true(mqtt_window_full(&w));
    assert_true(mqtt_window_pop(&w, &token));
    assert_int_equal(token, 20);
    assert_true(mqtt_window_pop(&w, &token));
    assert_int_equal(token, 30);
    mqtt_window_finish(&w);
}

static void out_of_order_keeps_order(void **state)
{
    (void)state;
    struct mqtt_window w;
    uint64_t token = 0;
    mqtt_window_init(&w, 1000);
    for (int mid = 1; mid <= 6; mid++)
        mqtt_window_put(&w, mid, (uint64_t)mid);
    assert_true(mqtt_window_take(&w, 4, &token));
    assert_true(mqtt_window_take(&w, 6, &token));
    assert_true(mqtt_window_take(&w, 2, &token));
    static const uint64_t left[] = {1, 3, 5};
    for (size_t i = 0; i < COUNT(left); i++) {
        assert_true(mqtt_window_pop(&w, &token));
        assert_int_equal(token, left[i]);
    }
    assert_int_equal(w.count, 0);
    mqtt_window_finish(&w);
}

// One that is never answered stays the oldest, and costs no memory while the others come and go.
static void a_straggler(void **state)
{
    (void)state;
    struct mqtt_window w;
    uint64_t token = 0;
    mqtt_window_init(&w, 10);
    mqtt_window_put(&w, 70000, 7);
    for (int round = 0; round < 100000; round++) {
        mqtt_window_put(&w, round & 0xffff, (uint64_t)round);
        assert_true(mqtt_window_take(&w, round & 0xffff, &token));
        assert_int_equal(token, round);
    }
    assert_in_range(w.cap, 1, 64);
    assert_true(mqtt_window_pop(&w, &token));
    assert_int_equal(token, 7);
    mqtt_window_finish(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order),
        cmocka_unit_test(out_of_order_keeps_order),
        cmocka_unit_test(a_straggler),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
