/* What was promised is delivered: from the adapter's durable message to the fence behind its stanza, with everything
 * that may come between. */
#include "lib/journal_fixture.h"

static const char alice[] = "alice@example.org", bob[] = "bob@example.org";

static const char *say(struct journal *j, uint16_t adapter, const char *key, const char *id)
{
    journal_say(j, adapter, key, id);
    return j->c.lines.p;
}

static struct journal *fresh(void **state)
{
    struct journal *j = *state;
    j->heard_count = 0;
    return j;
}

/* Accepting */

static void test_accepted(void **state)
{
    struct journal *j = fresh(state);
    j->mute = true;
    struct event ev = journal_event(HOME, "lamp", "one", 7);
    journal_step(j, &ev);
    assert_string_equal(j->c.lines.p, "store record home 1 text=one\n"
                                      "gated 7\n"
                                      "north message lamp@gw.example/home -> alice@example.org id=one body=one\n"
                                      "north message lamp@gw.example/home -> bob@example.org id=one body=one\n"
                                      "north fence  -> \n");
    assert_int_equal(j->heard[0].stamp, 0);
    const struct row *row = journal_row(j, ROW_RECORD, "home", 1);
    assert_int_equal(row->since, 1000000 + j->c.now);
    j->mute = false;
    strbuf_clear(&j->c.lines);
    journal_settle(j);
    assert_string_equal(j->c.lines.p, "store lane home 0/0/1 text=boot1\n"
                                      "load home after 1\n");
    journal_pass(j, LANE_HOLD_MS + LANE_HOLD_STEP);
    assert_string_equal(j->c.lines.p, "store lane home 0/1/1 text=boot1\n");
    assert_int_equal(j->heard_count, 2);
}

static void test_nobody_to_tell(void **state)
{
    struct journal *j = fresh(state);
    assert_string_equal(say(j, OTHER, "secret", "s"), "gated 1\n");
    assert_int_equal(journal_rows(j, ROW_RECORD), 0);
    journal_say(j, HOME, "nothing", "s");
    assert_int_equal(j->refused, 1);
}

static void again(struct journal *j, uint16_t adapter, const char *key, const char *id)
{
    struct event ev = journal_event(adapter, key, id, 1);
    ev.flags |= EVENT_AGAIN;
    journal_do(j, &ev);
}

// What the source says again for want of an answer is one record, and answered each time.
static void test_said_again(void **state)
{
    struct journal *j = fresh(state);
    for (unsigned i = 0; i < 3; i++)
        again(j, HOME, "lamp", "one");
    assert_int_equal(j->token_count, 3);
    assert_int_equal(journal_rows(j, ROW_RECORD), 1);
    assert_int_equal(j->heard_count, 2);
    journal_pass(j, 60000); // settled
    again(j, HOME, "lamp", "one");
    journal_kill(j);
    journal_start(j);
    again(j, HOME, "lamp", "one");
    assert_int_equal(j->heard_count, 2);
    assert_int_equal(journal_rows(j, ROW_RECORD), 1);
    again(j, FAR, "mill", "one"); // another lane
    assert_int_equal(j->heard_count, 3);
    journal_say(j, HOME, "lamp", "one"); // and this is another message that has the same
    assert_int_equal(journal_rows(j, ROW_RECORD), 3);
    assert_int_equal(journal_heard(j, alice, "one"), 2);
    assert_string_equal(j->heard[3].id, "one-2");
}

static void test_one_user(void **state)
{
    struct journal *j = fresh(state);
    struct event ev = journal_event(HOME, "door", "d", 1);
    ev.user = core_jid("alice@example.org/phone"); // who does not subscribe
    journal_do(j, &ev);
    ev.user = core_jid("eve@example.org"); // who may not read
    ev.id = STR("e");
    journal_do(j, &ev);
    assert_int_equal(j->heard_count, 1);
    assert_string_equal(j->heard[0].user, alice);
    assert_string_equal((journal_kill(j), journal_row(j, ROW_RECORD, "home", 1)->user.p), alice);
    journal_start(j);
    assert_int_equal(j->heard_count, 1);
}

static void test_ids_and_bodies(void **state)
{
    struct journal *j = fresh(state);
    char *long_body = mem_alloc(70001);
    memset(long_body, 'x', 70000);
    long_body[70000] = 0;
    struct event ev = journal_event(HOME, "lamp", NULL, 1);
    ev.body = str_c(long_body);
    ev.type = MESSAGE_GROUPCHAT;
    journal_do(j, &ev);
    assert_int_equal(journal_row(j, ROW_RECORD, "home", 1)->text.n, 65536);
    assert_int_equal(strlen(j->heard[0].id), 16); // made here, and the same for all
    assert_string_equal(j->heard[0].id, j->heard[1].id);
    mem_free(long_body);
}

/* Window and fences */

static void test_window(void **state)
{
    struct journal *j = fresh(state);
    j->mute = true;
    journal_say_many(j, HOME, "door", "m", 0, 200);
    assert_int_equal(j->heard_count, 64);
    assert_int_equal(j->fence_count, 1); // said behind the first; it covers one
    for (size_t seen = 0; j->fence[1];) {
        journal_fenced(j, 1);
        size_t sent = j->heard_count - seen;
        assert_true(seen == 0 || sent <= 64);
        seen = j->heard_count;
    }
    assert_int_equal(j->heard_count, 200);
    for (unsigned i = 0; i < 200; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "m%u", i);
        assert_string_equal(j->heard[i].id, id); // in order
    }
}

static void test_window_of_bytes(void **state)
{
    struct journal *j = fresh(state);
    char *body = mem_alloc(30001);
    memset(body, 'x', 30000);
    body[30000] = 0;
    j->mute = true;
    for (unsigned i = 0; i < 10; i++) {
        struct event ev = journal_event(HOME, "door", NULL, 1);
        ev.body = str_c(body);
        journal_do(j, &ev);
    }
    assert_int_equal(j->heard_count, 2);
    journal_fenced(j, 1); // the first
    assert_int_equal(j->heard_count, 3);
    j->mute = false;
    journal_settle(j);
    assert_int_equal(j->heard_count, 10);
    mem_free(body);
}

static void test_one_larger_than_the_window(void **state)
{
    struct journal *j = fresh(state);
    char *body = mem_alloc(65537);
    memset(body, 'x', 65536);
    body[65536] = 0;
    struct event ev = journal_event(HOME, "lamp", "large", 1);
    ev.body = str_c(body);
    journal_do(j, &ev);
    assert_int_equal(j->heard_count, 2);
    mem_free(body);
}

static void test_fence_lost(void **state)
{
    struct journal *j = fresh(state);
    j->mute = true;
    journal_say(j, HOME, "door", "a");
    uint64_t number = j->fence[1];
    j->fence[1] = 0;
    journal_pass(j, 4999);
    assert_int_equal(j->fence[1], 0);
    journal_pass(j, 1);
    assert_int_equal(j->fence[1], number); // the same again
    size_t said = j->fence_count;
    journal_pass(j, 60000);
    assert_int_equal(j->fence_count, said + 12);
    assert_int_equal(j->heard_count, 1);
    journal_fenced(j, 1);
    journal_step(j, &(struct event){.kind = EV_FENCED, .component = 1, .number = number}); // and its twin
    journal_pass(j, 60000);
    assert_int_equal(j->heard_count, 1);
    assert_int_equal(j->fence_count, said + 12);
    assert_int_equal(journal_row(j, ROW_LANE, "home", 0)->settled, 1);
}

static void test_wrong_fences(void **state)
{
    struct journal *j = fresh(state);
    j->mute = true;
    journal_say(j, HOME, "door", "a");
    uint64_t number = j->fence[1];
    uint64_t wrong[] = {0, number + 1, number - 1, UINT64_MAX};
    for (unsigned i = 0; i < 4; i++)
        journal_step(j, &(struct event){.kind = EV_FENCED, .component = 1, .number = wrong[i]});
    journal_step(j, &(struct event){.kind = EV_FENCED, .component = 2, .number = number});
    journal_step(j, &(struct event){.kind = EV_FENCED, .component = 9, .number = number});
    assert_null(journal_row(j, ROW_LANE, "home", 0));
    journal_link(j, 1, false);
    journal_step(j, &(struct event){.kind = EV_FENCED, .component = 1, .number = number}); // of the old stream
    journal_link(j, 1, true);
    journal_step(j, &(struct event){.kind = EV_FENCED, .component = 1, .number = number});
    assert_int_equal(j->heard_count, 2); // sent again
    assert_true(j->fence[1] > number);
    assert_true(!journal_row(j, ROW_LANE, "home", 0) || journal_row(j, ROW_LANE, "home", 0)->number == 0);
    journal_fenced(j, 1);
    assert_int_equal(journal_row(j, ROW_LANE, "home", 0)->number, 1);
}

/* Links */

static void test_link_down_in_the_hold(void **state)
{
    struct journal *j = fresh(state);
    journal_say(j, HOME, "door", "a");
    journal_pass(j, 4000);
    journal_say(j, HOME, "door", "b");
    journal_pass(j, 2000); // a is settled
    journal_link(j, 1, false);
    journal_say(j, HOME, "door", "c");
    assert_int_equal(j->heard_count, 2);
    journal_link(j, 1, true);
    assert_int_equal(journal_heard(j, bob, "a"), 1);
    assert_int_equal(journal_heard(j, bob, "b"), 2);
    assert_int_equal(journal_heard(j, bob, "c"), 1);
    assert_string_equal(j->heard[2].id, "b");
}

// The link says that something was lost on it.
static void test_link_up_twice(void **state)
{
    struct journal *j = fresh(state);
    journal_say(j, HOME, "door", "a");
    journal_link(j, 1, true);
    assert_int_equal(journal_heard(j, bob, "a"), 2);
    journal_pass(j, 10000);
    journal_link(j, 1, true);
    assert_int_equal(journal_heard(j, bob, "a"), 2);
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

// The link goes, or the process, after each of so many steps.
static void test_cut_anywhere(void **state)
{
    (void)state;
    for (unsigned cut = 1; cut < 60; cut++) {
        for (int kill = 0; kill < 2; kill++) {
            struct journal j;
            journal_init(&j);
            j.mute = j.slow = true;
            unsigned said = 0;
            for (unsigned n = 0; n < 60; n++) {
                char id[16];
                (void)snprintf(id, sizeof id, "m%u", said);
                struct event ev = journal_event(HOME, "lamp", id, said + 1);
                said += n % 3 != 2;
                if (n % 3 != 2)
                    journal_step(&j, &ev);
                else if (j.fence[1])
                    journal_fenced(&j, 1);
                if (n % 5 == 4 && j.load_count)
                    journal_answer(&j, 7);
                if (n != cut)
                    continue;
                if (kill)
                    journal_kill(&j);
                else
                    journal_link(&j, 1, false);
                journal_link(&j, 1, true);
            }
            j.mute = j.slow = false;
            journal_settle(&j);
            check_all(&j, alice, said);
            check_all(&j, bob, said);
            journal_finish(&j);
        }
    }
}

// An answer to a question of before is not about what is wanted now.
static void test_answers_of_before(void **state)
{
    struct journal *j = fresh(state);
    j->mute = j->slow = true;
    journal_say_many(j, HOME, "door", "m", 0, 600); // 256 have their bodies in memory
    for (unsigned i = 0; i < 12 && !j->load_count; i++)
        journal_fenced(j, 1);
    assert_int_equal(j->load_count, 1);
    assert_true(j->loads[0].after >= 256);
    journal_link(j, 1, false);
    journal_link(j, 1, true); // all of it again: from 1
    assert_int_equal(j->load_count, 2);
    assert_int_equal(j->loads[1].after, 0);
    j->mute = j->slow = false;
    journal_settle(j);
    check_all(j, bob, 600);
    assert_int_equal(journal_heard(j, bob, "m0"), 2); // it was held
}

/* Restarts */

// What is too long to be an id is none: a restart would take its row for nonsense.
static void test_killed_with_a_long_id(void **state)
{
    struct journal *j = fresh(state);
    char id[3000];
    memset(id, 'i', sizeof id - 1);
    id[sizeof id - 1] = 0;
    journal_link(j, 1, false);
    struct event ev = journal_event(HOME, "door", id, 1);
    journal_do(j, &ev);
    journal_kill(j);
    journal_start(j);
    assert_int_equal(j->heard_count, 1);
}

// However slow the disk is: no more than a window comes twice, for what it does not know of is not passed by.
static void test_killed_behind_the_disk(void **state)
{
    struct journal *j = fresh(state);
    j->mute = j->slow = true;
    journal_say_many(j, HOME, "door", "m", 0, 200);
    j->hold = true; // from now on nothing gets to the disk, and no barrier is answered
    while (j->fence[1]) {
        uint64_t number = j->fence[1];
        j->fence[1] = 0;
        journal_step(j, &(struct event){.kind = EV_FENCED, .component = 1, .number = number});
    }
    assert_int_equal(j->heard_count, 64);
    journal_kill(j);
    j->mute = j->slow = j->hold = false;
    journal_start(j);
    check_all(j, bob, 200);
    assert_int_equal(j->heard_count, 264);
}

static void test_killed(void **state)
{
    struct journal *j = fresh(state);
    j->mute = true;
    journal_say_many(j, HOME, "door", "m", 0, 100);
    journal_fenced(j, 1);
    journal_fenced(j, 1); // 64 are with the server
    size_t sent = j->heard_count;
    assert_int_equal(sent, 100);
    journal_kill(j);
    j->mute = false;
    journal_start(j);
    check_all(j, bob, 100);
    assert_int_equal(j->heard_count, sent + 36); // not fenced: again
    journal_pass(j, 10000);
    assert_int_equal(journal_row(j, ROW_LANE, "home", 0)->settled, 100);
    journal_kill(j);
    journal_start(j);
    assert_int_equal(j->heard_count, sent + 36);
}

// The server was in the same machine, and what it held in memory is gone with it.
static void test_machine_restarted(void **state)
{
    struct journal *j = fresh(state);
    journal_say_many(j, HOME, "lamp", "m", 0, 10);
    journal_pass(j, 6000);
    journal_say_many(j, HOME, "lamp", "m", 10, 10);
    assert_int_equal(j->heard_count, 40);
    journal_kill(j);
    journal_start(j);
    assert_int_equal(j->heard_count, 40);
    j->cfg.boot = STR("boot2");
    journal_kill(j);
    journal_start(j);
    assert_int_equal(j->heard_count, 60); // what was held
    check_all(j, alice, 20);
}

// Both were, and only the server knows since when it runs.
static void test_server_restarted_too(void **state)
{
    struct journal *j = fresh(state);
    journal_say(j, HOME, "door", "m0");
    int64_t fenced = 1000000 + j->c.now;
    for (int i = 0; i < 3; i++) {
        j->server_since = i == 0 ? 0 : i == 1 ? fenced - 60000 : fenced + 500;
        journal_kill(j);
        assert_true(bridge_deadline(j->c.b) == INT64_MAX); // what may be lost settles by no time
        journal_link(j, 1, true);
        assert_int_equal(j->heard_count, i == 2 ? 2 : 1);
    }
    journal_kill(j); // it is in doubt, and the link goes before the answer
    journal_do(j, &(struct event){.kind = EV_LINK_UP, .component = 1});
    assert_true(bridge_doubts(j->c.b, 1));
    journal_say(j, HOME, "door", "m1");
    journal_pass(j, 60000);
    assert_int_equal(j->heard_count, 2);
    journal_link(j, 1, false);
    journal_link(j, 1, true);
    assert_int_equal(j->heard_count, 4);
    journal_pass(j, 10000);
    assert_int_equal(journal_row(j, ROW_LANE, "home", 0)->settled, 2);
}

// What one user has of a fan-out is held as well.
static void test_server_restarted_in_a_fan_out(void **state)
{
    struct journal *j = fresh(state);
    journal_say(j, HOME, "door", "m0");
    assert_int_equal(journal_row(j, ROW_LANE, "home", 0)->number, 1);
    journal_link(j, 1, false); // written down at once: it may be lost
    assert_int_equal(journal_row(j, ROW_LANE, "home", 0)->number, 0);
    struct row row = {.kind = ROW_LANE,
                      .adapter = STR("far"),
                      .user = STR("alice@example.org"),
                      .since = 1000000 + j->c.now,
                      .text = STR("boot1")};
    journal_link(j, 2, false);
    journal_say(j, FAR, "mill", "three");
    struct kept *k = journal_keep(&row);
    journal_drop(map_put(&j->rows, k->key, k)); // alice has it, and somebody behind her has not
    for (int i = 0; i < 2; i++) {
        j->server_since = i == 0 ? 1000 : 1000000 + j->c.now + 1000;
        journal_kill(j);
        assert_true(bridge_doubts(j->c.b, 2));
        journal_step(j, &(struct event){.kind = EV_LINK_UP, .component = 2});
        journal_do(j, &(struct event){.kind = EV_STARTED, .component = 2, .stamp = j->server_since});
        assert_int_equal(journal_heard(j, alice, "three"), i);
        k = journal_keep(&row);
        journal_drop(map_put(&j->rows, k->key, k));
    }
}

// Nothing is answered before it is committed, and what is lost was not.
static void test_killed_before_the_commit(void **state)
{
    struct journal *j = fresh(state);
    journal_say(j, HOME, "door", "m0");
    j->hold = true;
    journal_say(j, HOME, "door", "m1");
    assert_int_equal(j->token_count - j->gated, 1);
    journal_kill(j);
    j->hold = false;
    journal_start(j);
    again(j, HOME, "door", "m1"); // its source has no answer
    check_all(j, bob, 2);
}

static struct bridge_config everybody(void)
{
    static const struct str rules[] = {{"allow all to *", 14}};
    struct bridge_config cfg = core_config();
    cfg.rules = rules;
    cfg.rule_count = 1;
    return cfg;
}

// One message to more users than the window, and than a step, holds; killed after each fence.
static void fan_out(unsigned users, bool kills)
{
    struct journal *j = MEM_NEW(struct journal);
    struct bridge_config cfg = everybody();
    journal_init_with(j, &cfg);
    for (unsigned i = 0; i < users; i++) {
        char user[40];
        (void)snprintf(user, sizeof user, "u%u@example.org", i);
        journal_subscribe(j, user, "door@gw.example");
    }
    j->mute = true;
    journal_say(j, HOME, "door", "m0");
    journal_say(j, HOME, "door", "m1");
    for (unsigned fences = 0; fences < users && j->fence[1]; fences++) {
        size_t before = j->heard_count;
        journal_fenced(j, 1);
        assert_true(j->heard_count - before <= 64);
        if (!kills || fences % 2)
            continue;
        journal_kill(j);
        journal_start(j);
    }
    size_t twice = 0;
    for (unsigned i = 0; i < users; i++) {
        char user[40];
        (void)snprintf(user, sizeof user, "u%u@example.org", i);
        for (unsigned m = 0; m < 2; m++) {
            size_t n = journal_heard(j, user, m ? "m1" : "m0");
            assert_true(n >= 1);
            twice += n - 1;
        }
    }
    if (!kills)
        assert_int_equal(twice, 0);
    j->mute = false;
    journal_settle(j);
    journal_pass(j, 10000);
    assert_int_equal(journal_row(j, ROW_LANE, "home", 0)->settled, 2);
    journal_finish(j);
    mem_free(j);
}

static void test_fan_out(void **state)
{
    (void)state;
    fan_out(100, false);
    fan_out(700, false);
}

static void test_fan_out_and_kills(void **state)
{
    (void)state;
    fan_out(100, true);
    fan_out(700, true);
}

// What was fenced of a fan-out is not said again after a kill.
static void test_resumed(void **state)
{
    struct journal *j = MEM_NEW(struct journal);
    (void)state;
    struct bridge_config cfg = everybody();
    journal_init_with(j, &cfg);
    for (unsigned i = 0; i < 300; i++) {
        char user[40];
        (void)snprintf(user, sizeof user, "u%03u@example.org", i);
        journal_subscribe(j, user, "mill@two.example");
    }
    j->mute = true;
    journal_say(j, FAR, "mill", "m0");
    assert_int_equal(j->heard_count, 64); // alice, then u000 to u062
    journal_fenced(j, 2);
    assert_string_equal(journal_row(j, ROW_LANE, "far", 0)->user.p, "u062@example.org");
    assert_int_equal(j->heard_count, 128);
    journal_kill(j);
    journal_subscribe(j, "u030x@example.org", "mill@two.example"); // in what is done
    journal_start(j);
    assert_int_equal(j->heard_count, 128 + 64);
    assert_string_equal(j->heard[128].user, "u063@example.org");
    j->mute = false;
    journal_settle(j);
    assert_int_equal(j->heard_count, 128 + 301 - 64);
    journal_finish(j);
    mem_free(j);
}

/* Others */

// One adapter with much to say keeps no other from the window.
static void test_two_adapters(void **state)
{
    struct journal *j = fresh(state);
    static const struct str rules[] = {{"allow all to *", 14}};
    j->cfg.rules = rules;
    j->cfg.rule_count = 1;
    journal_kill(j);
    journal_start(j);
    journal_subscribe(j, bob, "secret@gw.example");
    journal_link(j, 1, false);
    journal_say_many(j, HOME, "door", "h", 0, 256);
    journal_say_many(j, OTHER, "secret", "o", 0, 256);
    j->mute = true;
    journal_link(j, 1, true);
    for (unsigned fences = 0; fences < 3; fences++) {
        journal_fenced(j, 1);
        for (unsigned step = 0; step < 2; step++) // as many as there are adapters, with that of the fence
            journal_step(j, &(struct event){.kind = EV_TICK});
    }
    size_t home = 0, other = 0;
    for (size_t i = 0; i < j->heard_count; i++) {
        home += j->heard[i].id[0] == 'h';
        other += j->heard[i].id[0] == 'o';
    }
    assert_int_equal(home, 128);
    assert_int_equal(other, 128);
    j->mute = false;
    journal_settle(j);
    assert_int_equal(j->heard_count, 512);
}

static void test_rights_lost(void **state)
{
    struct journal *j = fresh(state);
    journal_link(j, 1, false);
    journal_say(j, HOME, "lamp", "a");
    j->cfg.rule_count = 0;
    struct errmsg msg;
    assert_int_equal(bridge_reconfigure(j->c.b, &j->cfg, &msg), ERR_OK);
    journal_link(j, 1, true);
    assert_int_equal(j->heard_count, 0);
    journal_pass(j, 10000);
    assert_int_equal(journal_row(j, ROW_LANE, "home", 0)->settled, 1);
}

static void test_unsubscribed(void **state)
{
    struct journal *j = fresh(state);
    j->mute = true;
    journal_say_many(j, HOME, "door", "m", 0, 64); // the window is full
    journal_say(j, HOME, "lamp", "a");
    struct event ev = core_user(EV_UNSUBSCRIBE, bob, "lamp@gw.example");
    journal_do(j, &ev);
    j->mute = false;
    journal_settle(j);
    assert_int_equal(journal_heard(j, bob, "a"), 0);
    assert_int_equal(journal_heard(j, alice, "a"), 1);
}

static void test_forgotten(void **state)
{
    struct journal *j = fresh(state);
    j->mute = true;
    journal_say_many(j, HOME, "door", "m", 0, 64);
    journal_say(j, HOME, "lamp", "a");
    journal_say(j, HOME, "door", "m64");
    struct event ev = core_adapter(EV_FORGET, HOME, "lamp");
    journal_do(j, &ev);
    j->mute = false;
    journal_settle(j);
    assert_int_equal(journal_heard(j, NULL, "a"), 0);
    check_all(j, bob, 65);
    journal_pass(j, 10000);
    assert_int_equal(journal_row(j, ROW_LANE, "home", 0)->settled, 66);
}

static void test_adapter_removed(void **state)
{
    struct journal *j = fresh(state);
    struct bridge_adapter adapters[3];
    journal_link(j, 1, false);
    journal_say_many(j, HOME, "door", "m", 0, 3);
    memcpy(adapters, j->cfg.adapters, sizeof adapters);
    adapters[0].name = STR_NONE;
    j->cfg.adapters = adapters;
    journal_kill(j);
    journal_link(j, 1, true);
    check_all(j, bob, 3); // it was promised
}

static void test_shutdown(void **state)
{
    struct journal *j = fresh(state);
    j->mute = true;
    journal_say_many(j, HOME, "door", "m", 0, 100);
    journal_do(j, &(struct event){.kind = EV_SHUTDOWN});
    assert_false(bridge_stopped(j->c.b, 1)); // something is on its way
    assert_true(bridge_stopped(j->c.b, 2));
    size_t sent = j->heard_count;
    journal_fenced(j, 1);
    journal_fenced(j, 1);
    assert_int_equal(j->heard_count, sent); // nothing more
    assert_true(bridge_stopped(j->c.b, 1));
    journal_say(j, HOME, "door", "m100");
    journal_link(j, 1, false); // our own leaving loses nothing that is held
    journal_pass(j, 100);
    journal_kill(j);
    j->mute = false;
    journal_start(j);
    check_all(j, bob, 101);
    assert_int_equal(j->heard_count, 101); // none twice
}

// Whatever it waits for, it does not ask to be woken for nothing.
static void test_no_spinning(void **state)
{
    struct journal *j = fresh(state);
    journal_link(j, 1, false);
    j->mute = j->hold = true;
    journal_say_many(j, HOME, "door", "m", 0, 300);
    journal_link(j, 1, true);
    journal_link(j, 1, false);
    journal_link(j, 1, true); // nothing of it can be read yet
    journal_do(j, &(struct event){.kind = EV_CONGESTED, .component = 1});
    size_t sent = j->heard_count;
    journal_pass(j, 60000);
    j->hold = false;
    journal_commit(j);
    journal_pass(j, 60000);
    assert_int_equal(j->heard_count, sent);
    journal_link(j, 1, false);
    journal_pass(j, 60000);
    j->slow = true;
    journal_link(j, 1, true);
    journal_pass(j, 60000); // a question is out
    journal_kill(j);
    journal_pass(j, 60000);
    j->mute = j->slow = false;
    journal_link(j, 1, true);
    check_all(j, bob, 300);
    journal_pass(j, 2 * LANE_KEPT_MS);
    assert_true(bridge_deadline(j->c.b) == INT64_MAX);
    journal_do(j, &(struct event){.kind = EV_SHUTDOWN});
    journal_pass(j, 60000);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, journal_setup, journal_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_accepted),
        TEST(test_nobody_to_tell),
        TEST(test_said_again),
        TEST(test_one_user),
        TEST(test_ids_and_bodies),
        TEST(test_window),
        TEST(test_window_of_bytes),
        TEST(test_one_larger_than_the_window),
        TEST(test_fence_lost),
        TEST(test_wrong_fences),
        TEST(test_link_down_in_the_hold),
        TEST(test_link_up_twice),
        cmocka_unit_test(test_cut_anywhere),
        TEST(test_answers_of_before),
        TEST(test_killed_with_a_long_id),
        TEST(test_killed_behind_the_disk),
        TEST(test_killed),
        TEST(test_machine_restarted),
        TEST(test_server_restarted_too),
        TEST(test_server_restarted_in_a_fan_out),
        TEST(test_killed_before_the_commit),
        cmocka_unit_test(test_fan_out),
        cmocka_unit_test(test_fan_out_and_kills),
        cmocka_unit_test(test_resumed),
        TEST(test_two_adapters),
        TEST(test_rights_lost),
        TEST(test_unsubscribed),
        TEST(test_forgotten),
        TEST(test_adapter_removed),
        TEST(test_shutdown),
        TEST(test_no_spinning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
