#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "core/identity.h"
#include "core/subscription.h"

static struct identity *add(struct identities *t, const char *local, const char *key)
{
    struct identity_spec spec = {.component = 1, .source = 1, .since = 5};
    spec.part[PART_LOCAL] = str_c(local);
    spec.part[PART_KEY] = str_c(key);
    spec.part[PART_NAME] = STR("a name");
    return identity_add(t, &spec);
}

static struct str mint(struct identities *t, struct arena *a, const char *wish, const char *key)
{
    return identity_mint(t, a, 1, str_c(wish), STR("home"), str_c(key));
}

static bool portable(struct str local)
{
    if (!local.n || local.n > 48)
        return false;
    for (size_t i = 0; i < local.n; i++) {
        char c = local.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return true;
}

static void test_mint_says_what_was_wished(void **state)
{
    (void)state;
    struct identities t;
    struct arena a;
    identities_init(&t);
    arena_init(&a, 0);
    assert_true(str_eq_c(mint(&t, &a, "lamp", "k1"), "lamp"));
    assert_true(str_eq_c(mint(&t, &a, "", "plug7"), "plug7"));
    add(&t, "lamp", "k1");
    struct str second = mint(&t, &a, "lamp", "k2");
    assert_true(str_starts(second, STR("lamp-")) && second.n == 4 + 1 + 8);
    assert_true(str_eq(second, mint(&t, &a, "lamp", "k2"))); // the same again: from the key, not from chance
    assert_false(str_eq(second, mint(&t, &a, "lamp", "k3")));
    arena_finish(&a);
    identities_finish(&t);
}

static void test_reserved_names_get_a_tail(void **state)
{
    (void)state;
    static const char *const names[] = {"abuse", "admin",      "administrator", "bridge",  "gateway", "hostmaster",
                                        "root",  "postmaster", "security",      "support", "system",  "webmaster"};
    struct identities t;
    struct arena a;
    identities_init(&t);
    arena_init(&a, 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct str local = mint(&t, &a, names[i], "k");
        assert_true(str_starts(local, str_c(names[i])) && local.n == strlen(names[i]) + 9);
    }
    arena_finish(&a);
    identities_finish(&t);
}

static void test_a_tail_that_is_taken_gets_another(void **state)
{
    (void)state;
    struct identities t;
    struct arena a;
    identities_init(&t);
    arena_init(&a, 0);
    add(&t, "lamp", "k1");
    char taken[64];
    struct str tail = mint(&t, &a, "lamp", "k2");
    snprintf(taken, sizeof taken, STR_FMT, STR_ARG(tail));
    add(&t, taken, "squatter");
    struct str other = mint(&t, &a, "lamp", "k2");
    assert_false(str_eq_c(other, taken));
    assert_true(portable(other));
    arena_finish(&a);
    identities_finish(&t);
}

// 10^5 random names, many of them alike but for what a slug loses: every one gets an address of its own that is fit for
// every server.
static void test_mint_is_injective(void **state)
{
    (void)state;
    enum { N = 100000 };
    static const char *const pieces[] = {"lamp", "Lamp", "LAMP", "küche", "bad/1", "a b",
                                         "-",    "_",    "!",    "x",     "é",     "日本"};
    struct identities t;
    struct arena a;
    struct rng r;
    identities_init(&t);
    arena_init(&a, 0);
    rng_init(&r, 42);
    for (unsigned i = 0; i < N; i++) {
        char wish[128] = "", key[32];
        size_t n = 0;
        for (uint64_t k = rng_below(&r, 4); k > 0; k--)
            n += (size_t)snprintf(wish + n, sizeof wish - n, "%s",
                                  pieces[rng_below(&r, sizeof pieces / sizeof *pieces)]);
        if (rng_below(&r, 2))
            snprintf(wish + n, sizeof wish - n, "%u", (unsigned)rng_below(&r, 50000));
        snprintf(key, sizeof key, "key/%u", i);
        struct str local = mint(&t, &a, wish, key);
        assert_true(portable(local));
        assert_null(identity_find(&t, 1, local, STR_NONE));
        char *copy = mem_dup(local.p, local.n);
        add(&t, copy, key);
        mem_free(copy);
        arena_reset(&a);
    }
    assert_int_equal(t.pool.count, N);
    arena_finish(&a);
    identities_finish(&t);
}

static void test_found_by_address_and_key(void **state)
{
    (void)state;
    struct identities t;
    identities_init(&t);
    struct identity *lamp = add(&t, "lamp", "k1");
    struct identity_spec mine = {.component = 1, .source = 2, .part = {STR("lamp"), STR("alice@x"), STR("k1")}};
    struct identity *own = identity_add(&t, &mine);
    assert_ptr_equal(identity_find(&t, 1, STR("lamp"), STR_NONE), lamp);
    assert_ptr_equal(identity_find(&t, 1, STR("lamp"), STR("alice@x")), own);
    assert_null(identity_find(&t, 1, STR("lamp"), STR("bob@x")));
    assert_null(identity_find(&t, 2, STR("lamp"), STR_NONE));
    assert_ptr_equal(identity_find_key(&t, 1, STR("k1")), lamp);
    assert_ptr_equal(identity_find_key(&t, 2, STR("k1")), own);
    assert_null(identity_find_key(&t, 3, STR("k1")));
    uint32_t handle = lamp->handle;
    identity_remove(&t, lamp);
    assert_null(identity_find(&t, 1, STR("lamp"), STR_NONE));
    assert_null(identity_find_key(&t, 1, STR("k1")));
    assert_null(identity_at(&t, handle));
    struct identity *door = add(&t, "door", "k2"); // in the same place
    assert_int_equal(door->handle, handle);
    assert_ptr_equal(identity_at(&t, handle), door);
    identities_finish(&t);
}

static void test_description_and_presence(void **state)
{
    (void)state;
    struct identities t;
    identities_init(&t);
    struct identity *id = add(&t, "lamp", "k1");
    assert_false(identity_describe(&t, id, STR("a name"), STR_NONE, STR_NONE));
    assert_true(identity_describe(&t, id, STR("Lamp"), STR("light"), STR("hall")));
    assert_true(str_eq_c(identity_part(id, PART_LOCAL), "lamp"));
    assert_true(str_eq_c(identity_part(id, PART_KEY), "k1"));
    assert_true(str_eq_c(identity_part(id, PART_NAME), "Lamp"));
    assert_true(str_eq_c(identity_part(id, PART_CLS), "light"));
    assert_true(str_eq_c(identity_part(id, PART_GROUP), "hall"));
    assert_true(identity_present(&t, id, SHOW_AWAY, STR("warm")));
    assert_false(identity_present(&t, id, SHOW_AWAY, STR("warm")));
    assert_true(identity_present(&t, id, SHOW_AWAY, STR_NONE));
    char *text = mem_alloc(4096);
    memset(text, 'x', 4096);
    identity_present(&t, id, SHOW_AWAY, (struct str){text, 4096});
    assert_int_equal(identity_text(id).n, IDENTITY_TEXT_MAX);
    identity_describe(&t, id, (struct str){text, 4096}, (struct str){text, 4096}, (struct str){text, 4096});
    assert_int_equal(identity_part(id, PART_NAME).n, IDENTITY_NAME_MAX);
    assert_int_equal(identity_part(id, PART_CLS).n, IDENTITY_CLS_MAX);
    assert_int_equal(identity_part(id, PART_GROUP).n, IDENTITY_GROUP_MAX);
    mem_free(text);
    identities_finish(&t);
}

/* Users and what is between them and identities */

static void test_users(void **state)
{
    (void)state;
    struct users t;
    users_init(&t);
    struct jid alice = {STR("alice"), STR("x.org"), STR("phone")}, domain = {.domain = STR("x.org")};
    assert_null(user_find(&t, &alice));
    struct user *a = user_intern(&t, &alice, 0), *d = user_intern(&t, &domain, 0);
    assert_ptr_not_equal(a, d);
    assert_ptr_equal(user_intern(&t, &alice, 0), a);
    assert_true(str_eq_c(user_jid_text(a), "alice@x.org"));
    struct jid back = user_jid(a);
    assert_true(jid_bare_eq(&back, &alice) && !back.resource.n);
    assert_true(str_eq_c(user_jid_text(d), "x.org"));
    back = user_jid(d);
    assert_true(jid_bare_eq(&back, &domain));
    users_finish(&t);
}

static void test_idle_users_make_room(void **state)
{
    (void)state;
    struct users t;
    users_init(&t);
    struct jid kept = {STR("kept"), STR("x.org"), STR_NONE};
    struct user *k = user_intern(&t, &kept, 0);
    user_hold(&t, k);
    char local[32];
    for (unsigned i = 0; i < USERS_IDLE + 100; i++) {
        snprintf(local, sizeof local, "u%u", i);
        struct jid j = {str_c(local), STR("x.org"), STR_NONE};
        user_intern(&t, &j, 0);
    }
    assert_int_equal(t.pool.count, USERS_IDLE + 1);
    assert_ptr_equal(user_find(&t, &kept), k);
    struct jid first = {STR("u0"), STR("x.org"), STR_NONE}, last = {str_c(local), STR("x.org"), STR_NONE};
    assert_null(user_find(&t, &first));
    assert_non_null(user_find(&t, &last));
    user_drop(&t, k);
    assert_ptr_equal(user_find(&t, &kept), k); // the newest of the idle
    users_finish(&t);
}

static void test_chains(void **state)
{
    (void)state;
    struct mapping m;
    mapping_init(&m);
    enum { USERS = 20, IDS = 20 };
    struct user *u[USERS];
    struct identity *id[IDS];
    char name[16];
    for (unsigned i = 0; i < USERS; i++) {
        snprintf(name, sizeof name, "u%u", i);
        struct jid j = {str_c(name), STR("x.org"), STR_NONE};
        u[i] = user_intern(&m.users, &j, 0);
    }
    for (unsigned i = 0; i < IDS; i++) {
        snprintf(name, sizeof name, "d%u", i);
        id[i] = add(&m.identities, name, name);
    }
    bool model[USERS][IDS] = {{false}};
    struct rng r;
    rng_init(&r, 3);
    for (unsigned step = 0; step < 20000; step++) {
        size_t a = rng_below(&r, USERS), b = rng_below(&r, IDS);
        struct sub *s = sub_find(&m, u[a], id[b]);
        assert_int_equal(s != NULL, model[a][b]);
        if (s)
            sub_remove(&m, s);
        else
            sub_set(&m, sub_take(&m, u[a], id[b]), SUB_TO_USER);
        model[a][b] = !model[a][b];
    }
    for (size_t b = 0; b < IDS; b++) {
        unsigned n = 0, chained = 0;
        for (size_t a = 0; a < USERS; a++)
            n += model[a][b];
        for (struct sub *s = sub_at(&m, id[b]->subs); s; s = sub_at(&m, s->identity_next))
            chained++;
        assert_int_equal(chained, n);
        assert_int_equal(id[b]->subscribers, n);
    }
    for (size_t a = 0; a < USERS; a++) {
        unsigned n = 0, chained = 0;
        for (size_t b = 0; b < IDS; b++)
            n += model[a][b];
        for (struct sub *s = sub_at(&m, u[a]->subs); s; s = sub_at(&m, s->user_next))
            chained++;
        assert_int_equal(chained, n);
        assert_int_equal(u[a]->holds, n);
    }
    mapping_finish(&m);
}

static void test_pool(void **state)
{
    (void)state;
    struct record {
        uint32_t handle;
        uint64_t value;
    };
    struct pool p;
    pool_init(&p, sizeof(struct record));
    assert_null(pool_at(&p, 0));
    assert_null(pool_at(&p, 1));
    for (uint64_t i = 1; i <= 5000; i++) {
        struct record *r = pool_take(&p);
        assert_int_equal(r->handle, i);
        r->value = i;
    }
    for (uint32_t h = 1; h <= 5000; h += 2)
        pool_give(&p, pool_at(&p, h));
    assert_int_equal(p.count, 2500);
    uint32_t at = 0, n = 0;
    for (struct record *r; (r = pool_next(&p, &at)); n++)
        assert_true(r->value == r->handle && r->handle == at && at % 2 == 0);
    assert_int_equal(n, 2500);
    for (unsigned i = 0; i < 2500; i++) {
        struct record *r = pool_take(&p);
        assert_true(r->value == 0 && r->handle % 2 == 1); // zeroed, and the old places first
    }
    assert_int_equal(((struct record *)pool_take(&p))->handle, 5001);
    assert_true(pool_bytes(&p) >= 5001 * sizeof(struct record));
    pool_finish(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mint_says_what_was_wished),
        cmocka_unit_test(test_reserved_names_get_a_tail),
        cmocka_unit_test(test_a_tail_that_is_taken_gets_another),
        cmocka_unit_test(test_mint_is_injective),
        cmocka_unit_test(test_found_by_address_and_key),
        cmocka_unit_test(test_description_and_presence),
        cmocka_unit_test(test_users),
        cmocka_unit_test(test_idle_users_make_room),
        cmocka_unit_test(test_chains),
        cmocka_unit_test(test_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
