#include "lib/check.h"

#include "base/list.h"

struct item {
    int value;
    struct list_node link;
};

static void fill(struct list_node *l, struct item *items, int count)
{
    list_init(l);
    for (int i = 0; i < count; i++) {
        items[i].value = i;
        list_push(l, &items[i].link);
    }
}

static void test_order(void **state)
{
    (void)state;
    struct list_node l, *it, *safe;
    struct item items[5];
    int next = 0;
    fill(&l, items, 5);
    LIST_EACH (it, safe, &l) {
        assert_int_equal(CONTAINER_OF(it, struct item, link)->value, next++);
    }
    assert_int_equal(next, 5);
    assert_ptr_equal(LIST_FIRST(&l, struct item, link), &items[0]);
}

static void test_removal_in_the_loop(void **state)
{
    (void)state;
    struct list_node l, *it, *safe;
    struct item items[6];
    fill(&l, items, 6);
    LIST_EACH (it, safe, &l) {
        if (CONTAINER_OF(it, struct item, link)->value % 2 == 0)
            list_remove(it);
    }
    for (int i = 1; i < 6; i += 2) {
        assert_int_equal(LIST_FIRST(&l, struct item, link)->value, i);
        list_remove(l.next);
    }
    assert_true(list_empty(&l));
}

static void test_second_removal_is_harmless(void **state)
{
    (void)state;
    struct list_node l;
    struct item items[2];
    fill(&l, items, 2);
    list_remove(&items[0].link);
    list_remove(&items[0].link);
    assert_true(list_empty(&items[0].link));
    assert_ptr_equal(LIST_FIRST(&l, struct item, link), &items[1]);
}

static void test_insert_in_the_middle(void **state)
{
    (void)state;
    struct list_node l;
    struct item items[2], between = {.value = 9};
    fill(&l, items, 2);
    list_insert(&items[0].link, &between.link);
    assert_ptr_equal(items[0].link.next, &between.link);
    assert_ptr_equal(items[1].link.prev, &between.link);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_removal_in_the_loop),
        cmocka_unit_test(test_second_removal_is_harmless),
        cmocka_unit_test(test_insert_in_the_middle),
    };
    return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
