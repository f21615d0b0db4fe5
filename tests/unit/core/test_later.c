/* What was said without a promise while the server was away. */
#include "lib/journal_fixture.h"

#include "core/job.h"

static const char bob[] = "bob@example.org";

static struct event news(const char *key, const char *id)
{
    struct event ev = journal_event(HOME, key, id, 1);
    ev.flags = 0;
    return ev;
}

static void say(struct journal *j, const char *key, const char *id)
{
    struct event ev = news(key, id);
    journal_do(j, &ev);
}

static void test_said_when_it_is_back(void **state)
{
    struct journal *j = *state;
    journal_link(j, 1, false);
    int64_t since = 1000000 + j->c.now;
    say(j, "lamp", "a");
    assert_int_equal(j->token_count, 1);
    journal_pass(j, 1000);
    say(j, "door", "b");
    struct event ev = news("lamp", "old");
    ev.stamp = 77;
    journal_do(j, &ev);
    ev.user = core_jid(bob); // to one alone: an answer that is no news any more
    journal_do(j, &ev);
    ev = news("lamp", "typing");
    ev.kind = EV_TYPING;
    journal_do(j, &ev);
    journal_pass(j, 5000);
    assert_int_equal(j->heard_count, 0);
    journal_link(j, 1, true);
    assert_int_equal(j->heard_count, 5);
    assert_string_equal(j->heard[0].id, "a");
    assert_int_equal(j->heard[0].stamp, since);
    assert_string_equal(j->heard[2].id, "b");
    assert_int_equal(j->heard[2].stamp, since + 1000);
    assert_int_equal(j->heard[4].stamp, 77);
    journal_link(j, 1, false);
    journal_link(j, 1, true);
    assert_int_equal(j->heard_count, 5); // once
}

static void test_too_old(void **state)
{
    struct journal *j = *state;
    journal_link(j, 1, false);
    say(j, "door", "a");
    journal_pass(j, 300000);
    say(j, "door", "b");
    journal_pass(j, 300001);
    journal_link(j, 1, true);
    assert_int_equal(j->heard_count, 1);
    assert_string_equal(j->heard[0].id, "b");
}

static void test_oldest_makes_room(void **state)
{
    struct journal *j = *state;
    journal_link(j, 1, false);
    for (unsigned i = 0; i < 1005; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "m%u", i);
        say(j, "door", id);
    }
    journal_link(j, 1, true);
    assert_int_equal(j->heard_count, 1000);
    assert_string_equal(j->heard[0].id, "m5");
    assert_string_equal(j->heard[999].id, "m1004");
}

static void test_bytes(void **state)
{
    struct journal *j = *state;
    char *body = mem_alloc(100001);
    memset(body, 'x', 100000);
    body[100000] = 0;
    journal_link(j, 1, false);
    for (unsigned i = 0; i < 50; i++) {
        struct event ev = news("door", "m");
        ev.body = str_c(body);
        journal_do(j, &ev);
    }
    journal_link(j, 1, true);
    assert_in_range(j->heard_count, 5, 10);
    mem_free(body);
}

static void test_forgotten(void **state)
{
    struct journal *j = *state;
    journal_link(j, 1, false);
    say(j, "lamp", "a");
    say(j, "door", "b");
    struct event ev = core_adapter(EV_FORGET, HOME, "lamp");
    journal_do(j, &ev);
    journal_link(j, 1, true);
    assert_int_equal(journal_heard(j, NULL, "a"), 0);
    assert_int_equal(journal_heard(j, bob, "b"), 1);
    journal_link(j, 1, false);
    say(j, "door", "c");
    journal_kill(j); // nobody promised it
    journal_start(j);
    assert_int_equal(journal_heard(j, bob, "c"), 0);
}

// What comes while it is being said comes behind it.
static void test_order(void **state)
{
    struct journal *j = *state;
    journal_link(j, 1, false);
    say(j, "door", "a");
    journal_step(j, &(struct event){.kind = EV_LINK_UP, .component = 1});
    assert_int_equal(j->heard_count, 1);
    journal_link(j, 1, false);
    say(j, "door", "b");
    struct event up = {.kind = EV_LINK_UP, .component = 1}, full = {.kind = EV_CONGESTED, .component = 1};
    for (unsigned i = 0; i < 400; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "m%u", i);
        say(j, "door", id);
    }
    core_step(&j->c, &up); // one step: not all of it
    for (size_t i = 0; i < j->c.out.count; i++)
        journal_take(j, &j->c.out.v[i]);
    assert_true(j->c.out.more);
    core_step(&j->c, &full);
    say(j, "door", "last");
    journal_do(j, &(struct event){.kind = EV_DRAINED, .component = 1});
    assert_int_equal(j->heard_count, 403);
    assert_string_equal(j->heard[1].id, "b");
    assert_string_equal(j->heard[401].id, "m399");
    assert_string_equal(j->heard[402].id, "last");
}

// The other component's output is full, and as many of its fan-outs wait as may: nothing can go on, and nobody spins.
static void test_fan_outs_full(void **state)
{
    struct journal *j = *state;
    static const struct str rules[] = {{"allow all to *", 14}};
    j->cfg.rules = rules;
    j->cfg.rule_count = 1;
    journal_kill(j);
    journal_start(j);
    for (unsigned i = 0; i < 300; i++) {
        char user[40];
        (void)snprintf(user, sizeof user, "u%u@example.org", i);
        journal_subscribe(j, user, "mill@two.example");
        journal_subscribe(j, user, "lamp@gw.example");
    }
    struct event full = {.kind = EV_CONGESTED, .component = 2};
    for (unsigned i = 0; i < 2 * JOBS_MAX; i++) {
        struct event ev = news("mill", "m");
        ev.adapter = FAR;
        core_step(&j->c, &ev); // which begins
        core_step(&j->c, &full);
    }
    journal_link(j, 1, false);
    j->heard_count = 0;
    say(j, "lamp", "a");
    journal_say(j, HOME, "door", "promised");
    journal_link(j, 1, true);
    assert_int_equal(journal_heard(j, bob, "promised"), 1); // which waits for none of them
    assert_int_equal(journal_heard(j, NULL, "a"), 0);
    journal_pass(j, 60000);
    journal_do(j, &(struct event){.kind = EV_DRAINED, .component = 2});
    assert_int_equal(journal_heard(j, NULL, "a"), 302);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, journal_setup, journal_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_said_when_it_is_back),
        TEST(test_too_old),
        TEST(test_oldest_makes_room),
        TEST(test_bytes),
        TEST(test_forgotten),
        TEST(test_order),
        TEST(test_fan_outs_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
