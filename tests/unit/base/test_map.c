#include "lib/check.h"

#include "base/map.h"
#include "base/rng.h"

#include <stdio.h>

enum { MANY = 5000 };

struct key {
    char text[12];
};

static struct key *make_keys(size_t count)
{
    struct key *keys = test_calloc(count, sizeof *keys);
    for (size_t i = 0; i < count; i++)
        (void)snprintf(keys[i].text, sizeof keys[i].text, "key %zu", i);
    return keys;
}

static void test_put_get_remove(void **state)
{
    (void)state;
    struct map m;
    struct key *keys = make_keys(MANY);
    map_init(&m);
    assert_null(map_get(&m, STR("x")));
    assert_null(map_remove(&m, STR("x")));
    for (size_t i = 0; i < MANY; i++)
        assert_null(map_put(&m, str_c(keys[i].text), &keys[i]));
    assert_int_equal(m.count, MANY);
    for (size_t i = 0; i < MANY; i += 2)
        assert_ptr_equal(map_remove(&m, str_c(keys[i].text)), &keys[i]);
    for (size_t i = 0; i < MANY; i++)
        assert_ptr_equal(map_get(&m, str_c(keys[i].text)), i % 2 ? &keys[i] : NULL);
    assert_int_equal(m.count, MANY / 2);
    map_finish(&m);
    test_free(keys);
}

static void test_put_replaces_value_and_key(void **state)
{
    (void)state;
    struct map m;
    int one = 1, two = 2;
    char first[] = "same", second[] = "same";
    map_init(&m);
    assert_null(map_put(&m, str_c(first), &one));
    assert_ptr_equal(map_put(&m, str_c(second), &two), &one);
    first[0] = 'X'; // the map no longer looks at it
    assert_ptr_equal(map_get(&m, STR("same")), &two);
    size_t at = 0;
    struct str key;
    void *value;
    assert_true(map_next(&m, &at, &key, &value));
    assert_ptr_equal(key.p, second);
    assert_ptr_equal(value, &two);
    assert_false(map_next(&m, &at, &key, &value));
    map_finish(&m);
}

static void test_empty_and_binary_keys(void **state)
{
    (void)state;
    struct map m;
    int a = 0, b = 0, c = 0;
    map_init(&m);
    (void)map_put(&m, STR_NONE, &a);
    (void)map_put(&m, STR("a\0b"), &b);
    (void)map_put(&m, STR("a\0c"), &c);
    assert_ptr_equal(map_get(&m, STR("")), &a);
    assert_ptr_equal(map_get(&m, STR("a\0b")), &b);
    assert_ptr_equal(map_get(&m, STR("a\0c")), &c);
    assert_null(map_get(&m, STR("a")));
    map_finish(&m);
}

// Each entry is seen once, though half of them are taken out on the way.
static void test_removal_while_visiting(void **state)
{
    (void)state;
    struct map m;
    struct key *keys = make_keys(MANY);
    bool *seen = test_calloc(MANY, sizeof *seen);
    map_init(&m);
    for (size_t i = 0; i < MANY; i++)
        (void)map_put(&m, str_c(keys[i].text), &keys[i]);
    size_t at = 0, visited = 0;
    void *value;
    while (map_next(&m, &at, NULL, &value)) {
        const struct key *k = value;
        assert_false(seen[k - keys]);
        seen[k - keys] = true;
        if (visited++ % 2)
            assert_ptr_equal(map_remove(&m, str_c(k->text)), k);
    }
    assert_int_equal(visited, MANY);
    assert_int_equal(m.count, MANY / 2);
    map_finish(&m);
    test_free(seen);
    test_free(keys);
}

static void test_churn_does_not_grow(void **state)
{
    (void)state;
    struct map m;
    struct key *keys = make_keys(MANY);
    map_init(&m);
    for (size_t i = 0; i < MANY; i++) {
        (void)map_put(&m, str_c(keys[i].text), &keys[i]);
        if (i >= 10)
            assert_non_null(map_remove(&m, str_c(keys[i - 10].text)));
        assert_true(m.cap <= 64);
    }
    assert_int_equal(m.count, 10);
    map_clear(&m);
    assert_int_equal(m.count, 0);
    assert_null(map_get(&m, str_c(keys[MANY - 1].text)));
    map_finish(&m);
    map_clear(&m);
    test_free(keys);
}

// Random puts and removals against a plain array.
static void test_against_model(void **state)
{
    (void)state;
    struct map m;
    struct rng r;
    struct key *keys = make_keys(200);
    bool in[200] = {false};
    map_init(&m);
    rng_init(&r, 1);
    for (int step = 0; step < 100000; step++) {
        size_t i = rng_below(&r, 200);
        void *before =
            rng_below(&r, 2) ? map_put(&m, str_c(keys[i].text), &keys[i]) : map_remove(&m, str_c(keys[i].text));
        assert_ptr_equal(before, in[i] ? &keys[i] : NULL);
        in[i] = map_get(&m, str_c(keys[i].text)) != NULL;
        assert_true(m.count + m.tombs < m.cap || m.cap == 0);
    }
    map_finish(&m);
    test_free(keys);
}

// The vectors of the reference implementation's SipHash-1-3 (key 00..0f, input of n bytes 00, 01, ...).
static void test_siphash_vectors(void **state)
{
    (void)state;
    static const uint64_t want[] = {
        UINT64_C(0xabac0158050fc4dc), UINT64_C(0xc9f49bf37d57ca93), UINT64_C(0x82cb9b024dc7d44d),
        UINT64_C(0x8bf80ab8e7ddf7fb), UINT64_C(0xcf75576088d38328), UINT64_C(0xdef9d52f49533b67),
        UINT64_C(0xc50d2b50c59f22a7), UINT64_C(0xd3927d989bb11140), UINT64_C(0x369095118d299a8e),
        UINT64_C(0x25a48eb36c063de4), UINT64_C(0x79de85ee92ff097f), UINT64_C(0x70c118c1f94dc352),
    };
    uint8_t key[16];
    char in[COUNT(want)];
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (char)i;
    map_seed(key);
    for (size_t n = 0; n < COUNT(want); n++)
        assert_true(map_hash((struct str){in, n}) == want[n]);
    uint64_t before = map_hash(STR("x"));
    key[0] = 1;
    map_seed(key);
    assert_true(map_hash(STR("x")) != before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_get_remove),        cmocka_unit_test(test_put_replaces_value_and_key),
        cmocka_unit_test(test_empty_and_binary_keys), cmocka_unit_test(test_removal_while_visiting),
        cmocka_unit_test(test_churn_does_not_grow),   cmocka_unit_test(test_against_model),
        cmocka_unit_test(test_siphash_vectors),
    };
    return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
