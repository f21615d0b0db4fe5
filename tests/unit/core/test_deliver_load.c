/* What the journal gives back, and how much it may hold: answers in parts, late, empty or of before; rows that are
 * missing or absurd; bounds of number, bytes and age. */
#include "lib/journal_fixture.h"

static const char bob[] = "bob@example.org";

static struct journal *fresh(void **state)
{
    struct journal *j = *state;
    j->heard_count = 0;
    return j;
}

// First deliveries of each user are in order, and all are there.
static void check_all(const struct journal *j, const char *user, unsigned count)
{
    unsigned next = 0;
    for (size_t i = 0; i < j->heard_count; i++) {
        if (strcmp(j->heard[i].user, user) != 0)
            continue;
        unsigned n = (unsigned)strtoul(j->heard[i].id + 1, NULL, 10);
        assert_true(n <= next);
        next += n == next;
    }
    assert_int_equal(next, count);
}

/* The journal gives back */

static void fill(struct journal *j, unsigned n)
{
    journal_link(j, 1, false);
    journal_say_many(j, HOME, "door", "m", 0, n);
    j->slow = true;
    j->heard_count = 0;
}

static void test_loaded_in_parts(void **state)
{
    struct journal *j = fresh(state);
    fill(j, 700);
    journal_link(j, 1, true);
    unsigned answers = 0;
    for (; j->load_count; answers++) {
        journal_answer(j, answers % 10 + 1);
        j->slow = true;
        journal_settle(j); // fences
    }
    assert_true(answers > 60);
    check_all(j, bob, 700);
    assert_int_equal(j->heard_count, 700);
    assert_int_equal(j->notices, 0);
}

static void test_rows_missing(void **state)
{
    struct journal *j = fresh(state);
    fill(j, 20);
    journal_kill(j);
    journal_lose(j, "home", 1);
    for (uint64_t n = 8; n < 11; n++)
        journal_lose(j, "home", n);
    journal_lose(j, "home", 20);
    j->slow = false;
    journal_link(j, 1, true);
    assert_int_equal(j->heard_count, 15);
    assert_string_equal(j->heard[0].id, "m1");
    assert_string_equal(j->heard[6].id, "m10");
    assert_int_equal(j->notices, 3); // for each run of them
    assert_non_null(strstr(j->notice, "1 messages are missing in the journal"));
    journal_pass(j, 10000);
    const struct row *lane = journal_row(j, ROW_LANE, "home", 0);
    assert_int_equal(lane->settled, 20);
    assert_int_equal(lane->dead, 5);
    journal_say(j, HOME, "door", "m20");
    assert_int_equal(j->heard_count, 16);
}

// What was accepted after the question is not missing because the answer has nothing.
static void test_accepted_after_the_question(void **state)
{
    struct journal *j = fresh(state);
    fill(j, 600);
    journal_kill(j);
    journal_link(j, 1, true);
    assert_int_equal(j->load_count, 1);
    for (uint64_t n = 1; n <= 600; n++)
        journal_lose(j, "home", n);
    j->hold = true;
    journal_say(j, HOME, "door", "late");
    journal_answer(j, UINT64_MAX); // nothing, and all that was put before the question is durable
    assert_int_equal(j->notices, 1);
    j->hold = false;
    j->slow = false;
    journal_commit(j);
    journal_settle(j);
    assert_int_equal(journal_heard(j, bob, "late"), 1);
    assert_int_equal(j->heard_count, 1);
}

// What is not committed yet is asked for again, after a while, and is not lost.
static void test_not_yet_committed(void **state)
{
    struct journal *j = fresh(state);
    journal_link(j, 1, false);
    j->hold = true;
    journal_say_many(j, HOME, "door", "m", 0, 300);
    journal_link(j, 1, true);              // 256 are in memory
    assert_int_equal(j->heard_count, 256); // which waits for no commit
    journal_pass(j, 5000);
    assert_int_equal(j->heard_count, 256);
    journal_link(j, 1, false);
    journal_link(j, 1, true); // and again: nothing of it can be read
    journal_pass(j, 5000);
    assert_int_equal(j->heard_count, 256);
    assert_int_equal(j->notices, 0);
    j->hold = false;
    journal_commit(j);
    journal_pass(j, 1000);
    check_all(j, bob, 300);
}

static void test_answers_that_were_not_asked_for(void **state)
{
    struct journal *j = fresh(state);
    journal_say(j, HOME, "door", "m0");
    struct event ev = {.kind = EV_LOADED, .name = STR("home"), .number = 2, .key = STR("door"), .id = STR("x")};
    journal_do(j, &ev);
    ev.name = STR("nobody");
    journal_do(j, &ev);
    journal_do(j, &(struct event){.kind = EV_LOADED, .name = STR("home"), .flags = EVENT_DURABLE});
    journal_do(j, &(struct event){.kind = EV_LOADED, .name = STR("other"), .flags = EVENT_DURABLE});
    journal_say(j, HOME, "door", "m1");
    check_all(j, bob, 2);
    assert_int_equal(j->heard_count, 2);
}

/* Bounds */

static struct bridge_config bounded(size_t records, size_t bytes, int64_t age)
{
    static struct bridge_adapter adapters[3];
    struct bridge_config cfg = core_config();
    memcpy(adapters, cfg.adapters, sizeof adapters);
    adapters[0].max_records = records;
    adapters[0].max_bytes = bytes;
    adapters[0].max_age = age;
    cfg.adapters = adapters;
    return cfg;
}

static void test_answers_wait(void **state)
{
    (void)state;
    struct journal *j = MEM_NEW(struct journal);
    struct bridge_config cfg = bounded(16, 0, 0);
    journal_init_with(j, &cfg);
    journal_link(j, 1, false);
    for (unsigned i = 1; i <= 20; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "m%u", i - 1);
        struct event ev = journal_event(HOME, "door", id, i);
        journal_do(j, &ev);
    }
    assert_int_equal(j->token_count, 15); // the one that fills it waits
    assert_int_equal(j->notices, 1);
    assert_non_null(strstr(j->notice, "adapter home: 16 messages wait to be delivered"));
    struct event ev = core_adapter(EV_BARRIER, HOME, "");
    ev.token = 21;
    journal_do(j, &ev); // even what is not durable is answered in order
    ev = journal_event(HOME, "nothing", "x", 22);
    journal_do(j, &ev);
    assert_int_equal(j->refused, 1);      // but for what is refused
    journal_say(j, FAR, "mill", "other"); // another's are not held up
    assert_int_equal(j->token_count, 16);
    journal_link(j, 1, true);
    assert_int_equal(j->token_count, 22); // the server has taken them; that they are held is nobody's matter
    journal_pass(j, 10000);
    assert_int_equal(j->token_count, 22);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(j->tokens[16 + i], 16 + i);
    for (unsigned round = 0; round < 5; round++) { // one notice in ten minutes
        journal_link(j, 1, false);
        char prefix[8];
        (void)snprintf(prefix, sizeof prefix, "r%u-", round);
        journal_say_many(j, HOME, "door", prefix, 0, 20);
        journal_link(j, 1, true);
        journal_pass(j, 10000);
    }
    assert_int_equal(j->notices, 1);
    journal_finish(j);
    mem_free(j);
}

static void test_answers_wait_for_bytes(void **state)
{
    (void)state;
    struct journal *j = MEM_NEW(struct journal);
    struct bridge_config cfg = bounded(0, 1000, 0);
    journal_init_with(j, &cfg);
    journal_link(j, 1, false);
    char body[601];
    memset(body, 'x', 600);
    body[600] = 0;
    for (unsigned i = 1; i <= 3; i++) {
        struct event ev = journal_event(HOME, "door", NULL, i);
        ev.body = str_c(body);
        journal_do(j, &ev);
    }
    assert_int_equal(j->token_count, 1);
    journal_kill(j); // and what was not answered is there twice, or once
    journal_start(j);
    journal_pass(j, 10000);
    assert_int_equal(j->heard_count, 3);
    journal_finish(j);
    mem_free(j);
}

static void test_expired(void **state)
{
    (void)state;
    struct journal *j = MEM_NEW(struct journal);
    struct bridge_config cfg = bounded(0, 0, 60000);
    journal_init_with(j, &cfg);
    journal_link(j, 1, false);
    journal_say(j, HOME, "lamp", "old");
    journal_pass(j, 30000);
    journal_say(j, HOME, "lamp", "new");
    journal_pass(j, 30000);
    journal_link(j, 1, true);
    assert_int_equal(journal_heard(j, NULL, "old"), 0);
    assert_int_equal(journal_heard(j, NULL, "new"), 2);
    assert_true(j->heard[0].stamp > 0);               // 30 s late
    assert_int_equal(journal_rows(j, ROW_LETTER), 2); // one for each who did not get it
    assert_int_equal(journal_row(j, ROW_LETTER, "", 1)->state, LETTER_EXPIRED);
    assert_int_equal(j->notices, 1);
    assert_int_equal(journal_row(j, ROW_LANE, "home", 0)->expired, 1);
    journal_link(j, 1, false); // before it was settled: it is too old still, and has its letters
    journal_link(j, 1, true);
    assert_int_equal(journal_rows(j, ROW_LETTER), 2);
    assert_int_equal(journal_row(j, ROW_LANE, "home", 0)->expired, 1); // counted once
    journal_finish(j);
    mem_free(j);
}

// A clock that was set makes nothing older than it may become, and nothing younger than new.
static void test_clock_was_set(void **state)
{
    static const int64_t shifts[] = {INT64_C(-31536000000), INT64_C(31536000000)};
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct journal *j = MEM_NEW(struct journal);
        struct bridge_config cfg = bounded(0, 0, 60000);
        journal_init_with(j, &cfg);
        journal_link(j, 1, false);
        journal_say(j, HOME, "door", "a");
        j->wall_shift = shifts[i];
        journal_kill(j);
        journal_link(j, 1, true);
        assert_int_equal(j->heard_count, i == 0);
        assert_int_equal(journal_rows(j, ROW_LETTER), i == 1); // a person decides
        journal_finish(j);
        mem_free(j);
    }
}

static void test_late(void **state)
{
    struct journal *j = fresh(state);
    journal_link(j, 1, false);
    struct event ev = journal_event(HOME, "door", "said", 1);
    ev.stamp = 12345;
    journal_do(j, &ev);
    int64_t since = 1000000 + j->c.now;
    journal_say(j, HOME, "door", "a");
    journal_pass(j, 10000);
    journal_say(j, HOME, "door", "b");
    journal_pass(j, 1);
    journal_link(j, 1, true);
    assert_int_equal(j->heard[0].stamp, 12345);
    assert_int_equal(j->heard[1].stamp, since);
    assert_int_equal(j->heard[2].stamp, 0);
}

/* Rows that nobody wrote */

static void restore(struct journal *j, const struct row *row, enum err want)
{
    assert_int_equal(bridge_restore(j->c.b, row), want);
}

static void test_absurd_rows(void **state)
{
    struct journal *j = fresh(state);
    bridge_destroy(j->c.b);
    journal_begin(j);
    struct row lane = {.kind = ROW_LANE, .adapter = STR("home"), .trimmed = 5, .settled = 4, .number = 9};
    restore(j, &lane, ERR_BADREQ);
    lane.settled = 10;
    restore(j, &lane, ERR_BADREQ);
    lane = (struct row){.kind = ROW_LANE, .adapter = STR("home"), .settled = UINT64_MAX, .number = UINT64_MAX};
    restore(j, &lane, ERR_BADREQ);
    lane = (struct row){.kind = ROW_LANE, .adapter = STR("home"), .number = LANE_SPAN + 1};
    restore(j, &lane, ERR_BADREQ);
    lane = (struct row){.kind = ROW_LANE, .adapter = STR("nobody")};
    restore(j, &lane, ERR_NOTFOUND);
    lane = (struct row){.kind = ROW_LANE, .adapter = STR("home"), .settled = 3, .number = 3, .text = STR("boot1")};
    restore(j, &lane, ERR_OK);
    restore(j, &lane, ERR_BADREQ); // again
    assert_true(bridge_deadline(j->c.b) > 0);
    static const int64_t times[] = {INT64_MIN, -1, 0, INT64_MAX};
    for (uint64_t i = 0; i < 4; i++) {
        struct row r = {.kind = ROW_RECORD,
                        .adapter = STR("home"),
                        .number = 10 + i,
                        .key = STR("door"),
                        .id = STR("i"),
                        .since = times[i],
                        .stamp = times[3 - i]};
        restore(j, &r, ERR_OK);
        restore(j, &r, ERR_BADREQ);
    }
    struct row r = {.kind = ROW_RECORD, .adapter = STR("home"), .number = UINT64_MAX, .key = STR("k"), .id = STR("i")};
    restore(j, &r, ERR_BADREQ);
    r.number = INT64_MAX;
    restore(j, &r, ERR_BADREQ);
    r.number = 20;
    r.id = STR_NONE;
    restore(j, &r, ERR_BADREQ);
    r.adapter = STR("nobody");
    restore(j, &r, ERR_NOTFOUND);
    journal_start(j);
    journal_pass(j, 60000);
    const struct row *row = journal_row(j, ROW_LANE, "home", 0);
    assert_int_equal(row->settled, 13);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, journal_setup, journal_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_loaded_in_parts),
        TEST(test_rows_missing),
        TEST(test_accepted_after_the_question),
        TEST(test_not_yet_committed),
        TEST(test_answers_that_were_not_asked_for),
        cmocka_unit_test(test_answers_wait),
        cmocka_unit_test(test_answers_wait_for_bytes),
        cmocka_unit_test(test_expired),
        cmocka_unit_test(test_clock_was_set),
        TEST(test_late),
        TEST(test_absurd_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
