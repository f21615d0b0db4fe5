/* One row a key, the last; sorted as the tables are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "store/store_batch.h"
#include "unit/store/store_fixture.h"

static void test_copies(void **state)
{
    (void)state;
    struct store_batch b;
    struct store_order order;
    char key[] = "key", value[] = "value";
    store_batch_init(&b, 3);
    const struct row row = state_row((struct str){key, 3}, (struct str){value, 5});
    store_batch_put(&b, &row);
    memset(key, 'x', 3);
    memset(value, 'x', 5);
    store_batch_sort(&b, &order);
    assert_int_equal(order.count, 1);
    assert_true(str_eq_c(order.row[0]->key, "key"));
    assert_true(str_eq_c(order.row[0]->text, "value"));
    assert_int_equal(b.number, 3);
    store_order_finish(&order);
    store_batch_finish(&b);
}

// Keys that a careless joining of their parts would mix up.
static void test_keys_are_distinct(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {.kind = ROW_IDENTITY, .domain = {"ab", 2}, .local = {"c", 1}},
        {.kind = ROW_IDENTITY, .domain = {"a", 1}, .local = {"bc", 2}},
        {.kind = ROW_IDENTITY, .domain = {"a", 1}, .local = {"b", 1}, .scope = {"c", 1}},
        {.kind = ROW_IDENTITY, .domain = {"a", 1}, .scope = {"bc", 2}},
        {.kind = ROW_SUBSCRIPTION, .user = {"a", 1}, .domain = {"b", 1}, .local = {"c", 1}},
        {.kind = ROW_SUBSCRIPTION, .user = {"a", 1}, .domain = {"bc", 2}},
        {.kind = ROW_REGISTRATION, .user = {"a", 1}, .domain = {"bc", 2}},
        {.kind = ROW_REGISTRATION, .user = {"ab", 2}, .domain = {"c", 1}},
        {.kind = ROW_STATE, .adapter = {"a", 1}, .key = {"bc", 2}},
        {.kind = ROW_STATE, .adapter = {"a", 1}, .key = {"b\0c", 3}},
        {.kind = ROW_STATE, .adapter = {"a", 1}, .key = {"b", 1}},
        {.kind = ROW_ACCESS, .number = 1},
        {.kind = ROW_ACCESS, .number = 256},
    };
    enum { ROWS = sizeof rows / sizeof *rows };
    struct store_batch b;
    struct store_order order;
    store_batch_init(&b, 1);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < ROWS; i++)
            store_batch_put(&b, &rows[i]);
        assert_int_equal(b.count, ROWS);
    }
    store_batch_sort(&b, &order);
    assert_int_equal(order.count, ROWS);
    for (size_t i = 0; i < ROWS; i++) {
        bool found = false;
        for (size_t k = 0; k < ROWS; k++)
            found = found || row_equal(&rows[i], order.row[k]);
        assert_true(found);
    }
    store_order_finish(&order);
    store_batch_finish(&b);
}

static void test_sorted_and_last(void **state)
{
    (void)state;
    struct store_batch b;
    struct store_order order;
    struct rng rng;
    unsigned last[500] = {0};
    store_batch_init(&b, 1);
    rng_init(&rng, 5);
    for (unsigned i = 1; i <= 5000; i++) {
        unsigned n = (unsigned)rng_below(&rng, 500);
        char key[32], value[64];
        struct row row = numbered_row(n, key, value);
        row.text.n = (size_t)snprintf(value, sizeof value, "%u", i);
        store_batch_put(&b, &row);
        last[n] = i;
    }
    store_batch_sort(&b, &order);
    assert_int_equal(order.count, b.count);
    for (size_t i = 0; i < order.count; i++) {
        uint64_t n, value;
        assert_true(str_to_u64(str_sub(order.row[i]->key, 4, 12), &n));
        assert_true(str_to_u64(order.row[i]->text, &value));
        assert_int_equal(value, last[n]);
        assert_true(i == 0 || str_cmp(order.row[i - 1]->key, order.row[i]->key) < 0);
    }
    store_order_finish(&order);
    store_batch_finish(&b);
}

static void test_reset(void **state)
{
    (void)state;
    struct store_batch b;
    struct store_order order;
    store_batch_init(&b, 1);
    for (unsigned size = 1; size <= 20000; size *= 10) {
        for (unsigned i = 0; i < size; i++) {
            char key[32], value[64];
            const struct row row = numbered_row(i, key, value);
            store_batch_put(&b, &row);
        }
        assert_int_equal(b.count, size);
        store_batch_reset(&b, size + 1);
        assert_int_equal(b.count, 0);
        assert_int_equal(b.number, size + 1);
        assert_true(b.by_key.cap <= 4096); // a large one does not weigh on those to come
        store_batch_sort(&b, &order);
        assert_int_equal(order.count, 0);
        store_order_finish(&order);
    }
    store_batch_finish(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_keys_are_distinct),
        cmocka_unit_test(test_sorted_and_last),
        cmocka_unit_test(test_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
