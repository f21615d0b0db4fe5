/* What comes back: letters, their tries, what people decide about them, and what is left of them after a restart. */
#include "lib/journal_fixture.h"

#include "core/letter.h"

static const char alice[] = "alice@example.org", bob[] = "bob@example.org", lamp[] = "lamp@gw.example";

static void bounce(struct journal *j, const char *user, const char *id, enum err err)
{
    struct event ev = journal_bounce(user, lamp, id, err);
    journal_do(j, &ev);
}

static const struct row *letter(const struct journal *j, uint64_t number)
{
    return journal_row(j, ROW_LETTER, "", number);
}

static void assert_letter(const struct journal *j, uint64_t number, const char *user, enum letter_state state)
{
    const struct row *row = letter(j, number);
    assert_non_null(row);
    assert_int_equal(row->state, state);
    assert_true(str_eq_c(row->user, user));
}

static struct journal *said(void **state, const char *id)
{
    struct journal *j = *state;
    journal_say(j, HOME, "lamp", id);
    return j;
}

/* The list by itself */

static void test_list(void **state)
{
    (void)state;
    struct letters t;
    letters_init(&t);
    struct letter what = {.record = 5, .source = 1, .user = STR("a@b"), .id = STR("i"), .why = STR("w"), .next = 100};
    struct letter *l = letter_add(&t, &what);
    assert_int_equal(l->number, 1);
    assert_null(letter_add(&t, &what)); // one about the same
    what.user = STR("c@d");
    what.state = LETTER_DEAD;
    what.number = 7;
    struct letter *m = letter_add(&t, &what);
    assert_int_equal(m->number, 7);
    what.record = 6;
    assert_null(letter_add(&t, &what)); // taken
    what.number = 3;
    assert_null(letter_add(&t, &what)); // out of order
    assert_ptr_equal(letter_about(&t, 1, 5, STR("c@d")), m);
    assert_null(letter_about(&t, 1, 6, STR("c@d")));
    assert_int_equal(t.last, 7);
    assert_ptr_equal(letter_about(&t, 1, 5, STR("a@b")), l);
    assert_null(letter_about(&t, 2, 5, STR("a@b")));
    assert_null(letter_about(&t, 1, 6, STR("a@b")));
    assert_null(letter_about(&t, 1, 5, STR_NONE));
    assert_ptr_equal(letter_oldest(&t), m);
    m = letter_explain(&t, m, STR("a longer reason than before"));
    assert_true(str_eq_c(m->why, "a longer reason than before") && str_eq_c(m->user, "c@d"));
    assert_ptr_equal(letter_about(&t, 1, 5, STR("c@d")), m);
    assert_int_equal(m->number, 7);
    letter_remove(&t, m);
    assert_null(letter_oldest(&t));
    assert_null(letter_about(&t, 1, 5, STR("c@d")));
    assert_int_equal(t.count, 1);
    assert_int_equal(t.next, 100);
    for (unsigned i = 0; i < LETTERS_MAX - 1; i++) {
        struct letter n = {.record = i, .source = 2, .user = STR("x@y")};
        assert_non_null(letter_add(&t, &n));
    }
    struct letter n = {.record = 1, .source = 3};
    assert_null(letter_add(&t, &n));
    letters_finish(&t);
    for (int s = 0; s < LETTER_STATES; s++)
        assert_non_null(letter_state_name((enum letter_state)s));
}

static void test_schedule(void **state)
{
    (void)state;
    assert_int_equal(letter_tried_for(0), 0);
    int64_t sum = 0;
    for (unsigned i = 0; i < 50; i++) {
        assert_true(letter_delay(i) >= 30000 && letter_delay(i) <= LETTER_WAIT_MAX);
        assert_int_equal(letter_tried_for(i), sum);
        sum += letter_delay(i);
    }
    assert_true(letter_tried_for(UINT32_MAX) > 0);
}

/* Errors */

static void test_every_error(void **state)
{
    struct journal *j = *state;
    uint64_t number = 0;
    for (int e = ERR_OK + 1; e < ERR_COUNT; e++) {
        char id[16];
        (void)snprintf(id, sizeof id, "e%d", e);
        journal_say(j, HOME, "lamp", id);
        bounce(j, "alice@example.org/phone", id, (enum err)e);
        bool passes = strcmp(err_type((enum err)e), "wait") == 0 || e == ERR_RESOLVE;
        assert_letter(j, ++number, alice, passes ? LETTER_RETRY : LETTER_DEAD);
        assert_non_null(strstr(letter(j, number)->text.p, err_text((enum err)e)));
        assert_int_equal(letter(j, number)->record, number);
    }
    assert_int_equal(journal_rows(j, ROW_LETTER), number);
    assert_int_equal(j->notices, 1); // and not one each
    assert_non_null(strstr(j->notice, "1 messages could not be delivered, the last to alice@example.org"));
}

static void test_reason(void **state)
{
    struct journal *j = said(state, "a");
    char text[1001];
    memset(text, 'x', 1000);
    text[1000] = 0;
    struct event ev = journal_bounce("alice@example.org/r", lamp, "a", ERR_FORBIDDEN);
    ev.body = str_c(text);
    journal_do(j, &ev);
    assert_true(letter(j, 1)->text.n < 400);
    assert_non_null(strstr(letter(j, 1)->text.p, ": xxx"));
}

static void test_twice(void **state)
{
    struct journal *j = said(state, "a");
    bounce(j, alice, "a", ERR_NOTFOUND);
    bounce(j, "alice@example.org/two", "a", ERR_TIMEOUT);
    bounce(j, "alice@example.org/one", "a", ERR_NOTFOUND);
    assert_int_equal(journal_rows(j, ROW_LETTER), 1);
    assert_letter(j, 1, alice, LETTER_DEAD);
    bounce(j, bob, "a", ERR_TIMEOUT); // another user
    assert_letter(j, 2, bob, LETTER_RETRY);
    journal_pass(j, 20000);
    assert_int_equal(journal_row(j, ROW_LANE, "home", 0)->dead, 1);
}

static void test_of_nobodys(void **state)
{
    struct journal *j = said(state, "a");
    bounce(j, alice, "b", ERR_NOTFOUND);
    bounce(j, alice, "", ERR_NOTFOUND);
    bounce(j, "eve@example.net", "a", ERR_NOTFOUND);                                // a stranger
    struct event ev = journal_bounce(alice, "mill@two.example", "a", ERR_NOTFOUND); // another lane's
    journal_do(j, &ev);
    ev = journal_bounce(alice, "gw.example", "a", ERR_NOTFOUND);
    journal_do(j, &ev);
    ev = journal_bounce(alice, "nobody@gw.example", "a", ERR_NOTFOUND);
    journal_do(j, &ev);
    assert_int_equal(journal_rows(j, ROW_LETTER), 0);
    journal_pass(j, LANE_KEPT_MS + 60000); // too late to know of it
    bounce(j, alice, "a", ERR_NOTFOUND);
    assert_int_equal(journal_rows(j, ROW_LETTER), 0);
}

// To one who does not subscribe.
static void test_direct(void **state)
{
    struct journal *j = *state;
    struct event ev = journal_event(HOME, "door", "d", 1);
    ev.user = core_jid(alice);
    journal_do(j, &ev);
    assert_int_equal(journal_heard(j, alice, "d"), 1);
    ev = journal_bounce("alice@example.org/phone", "door@gw.example", "d", ERR_TIMEOUT);
    journal_do(j, &ev);
    assert_letter(j, 1, alice, LETTER_RETRY);
    journal_pass(j, 30000);
    assert_int_equal(journal_heard(j, alice, "d"), 2);
}

// It waited for hours for the server, and comes back from a remote one minutes later.
static void test_error_after_a_long_wait(void **state)
{
    struct journal *j = *state;
    journal_link(j, 1, false);
    journal_say(j, HOME, "lamp", "a");
    journal_pass(j, 3 * LANE_KEPT_MS);
    journal_link(j, 1, true);
    journal_pass(j, 600000);
    bounce(j, alice, "a", ERR_TIMEOUT);
    assert_letter(j, 1, alice, LETTER_RETRY);
}

/* Tries */

static void test_tried_again(void **state)
{
    struct journal *j = said(state, "a");
    bounce(j, alice, "a", ERR_TIMEOUT);
    journal_pass(j, 29999);
    assert_int_equal(journal_heard(j, alice, "a"), 1);
    journal_pass(j, 1);
    assert_int_equal(journal_heard(j, alice, "a"), 2);
    assert_int_equal(journal_heard(j, bob, "a"), 1); // not to him
    assert_true(j->heard[j->heard_count - 1].stamp > 0);
    assert_letter(j, 1, alice, LETTER_SENT);
    assert_int_equal(letter(j, 1)->attempts, 1);
    journal_pass(j, LETTER_ANSWER_MS - 1000);
    assert_letter(j, 1, alice, LETTER_SENT);
    journal_pass(j, 2000);
    assert_null(letter(j, 1)); // no error for so long
    journal_pass(j, 86400000);
    assert_int_equal(journal_heard(j, alice, "a"), 2);
    assert_int_equal(journal_row(j, ROW_LANE, "home", 0)->dead, 0);
}

// Tried less and less often, and then not any more.
static void test_tried_in_vain(void **state)
{
    struct journal *j = said(state, "a");
    int64_t begin = j->c.now;
    unsigned tries = 0;
    for (; tries < 100; tries++) {
        size_t before = j->heard_count;
        bounce(j, alice, "a", ERR_TIMEOUT);
        if (letter(j, 1)->state == LETTER_DEAD)
            break;
        journal_pass(j, letter_delay(tries) - 1);
        assert_int_equal(j->heard_count, before);
        journal_pass(j, 1);
        assert_int_equal(j->heard_count, before + 1);
    }
    assert_true(tries > 10 && tries < 20);
    assert_true(j->c.now - begin >= BRIDGE_RECORD_AGE && j->c.now - begin < BRIDGE_RECORD_AGE + 2 * LETTER_WAIT_MAX);
    assert_int_equal(journal_row(j, ROW_LANE, "home", 0)->dead, 1);
    assert_int_equal(j->notices, 1);
}

// A letter's question goes on beside that of the lane, and takes nothing from it.
static void test_beside_the_lane(void **state)
{
    struct journal *j = *state;
    j->mute = true;
    journal_say_many(j, HOME, "lamp", "m", 0, 20);
    struct event ev = journal_bounce(alice, lamp, "m9", ERR_TIMEOUT);
    journal_do(j, &ev);
    journal_pass(j, 29000);
    journal_link(j, 1, false);
    journal_pass(j, 1000); // it is due
    journal_pass(j, 29999);
    j->slow = true;
    j->heard_count = 0;
    journal_link(j, 1, true); // all of the lane again
    journal_pass(j, 1);
    assert_true(j->load_count >= 2);
    j->slow = j->mute = false;
    journal_settle(j);
    for (unsigned i = 0; i < 20; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "m%u", i);
        assert_int_equal(journal_heard(j, bob, id), 1);
        assert_int_equal(journal_heard(j, alice, id), i == 9 ? 2 : 1);
    }
}

static void test_link_down_after_a_try(void **state)
{
    struct journal *j = said(state, "a");
    bounce(j, alice, "a", ERR_TIMEOUT);
    j->mute = true; // a server that hangs
    journal_pass(j, 30000);
    assert_int_equal(journal_heard(j, alice, "a"), 2);
    assert_letter(j, 1, alice, LETTER_RETRY); // nobody knows
    journal_pass(j, 20000);
    journal_link(j, 1, false);
    j->mute = false;
    journal_pass(j, 5000);
    journal_link(j, 1, true);
    assert_int_equal(journal_heard(j, alice, "a"), 3);
    assert_letter(j, 1, alice, LETTER_SENT);
    journal_pass(j, 4000); // in the hold
    journal_link(j, 1, false);
    assert_letter(j, 1, alice, LETTER_RETRY);
    journal_link(j, 1, true);
    assert_int_equal(journal_heard(j, alice, "a"), 4);
    journal_pass(j, 6000); // behind it
    journal_link(j, 1, false);
    journal_link(j, 1, true);
    journal_pass(j, 60000);
    assert_int_equal(journal_heard(j, alice, "a"), 4);
}

// Its text comes when there is nobody to send it to any more.
static void test_link_down_before_the_text(void **state)
{
    struct journal *j = said(state, "a");
    bounce(j, alice, "a", ERR_TIMEOUT);
    journal_pass(j, 10000);
    j->slow = true;
    journal_pass(j, 20000);
    assert_int_equal(j->load_count, 1);
    journal_link(j, 1, false);
    j->slow = false;
    journal_settle(j);
    assert_int_equal(journal_heard(j, alice, "a"), 1);
    journal_link(j, 1, true);
    assert_int_equal(journal_heard(j, alice, "a"), 2);
    assert_letter(j, 1, alice, LETTER_SENT);
}

static void test_server_restarted_too(void **state)
{
    struct journal *j = said(state, "a");
    bounce(j, alice, "a", ERR_TIMEOUT);
    journal_pass(j, 30000);
    assert_int_equal(journal_heard(j, alice, "a"), 2);
    int64_t at = 1000000 + j->c.now;
    journal_pass(j, 1000);
    for (int i = 0; i < 3; i++) {
        j->server_since = i == 0 ? 0 : i == 1 ? at - 60000 : at + 500;
        journal_kill(j);
        journal_link(j, 1, true);
        assert_int_equal(journal_heard(j, alice, "a"), i == 2 ? 3 : 2);
    }
    journal_kill(j); // nobody knows how long the server has been there before it can be asked
    journal_pass(j, 2 * LETTER_ANSWER_MS);
    assert_letter(j, 1, alice, LETTER_SENT);
    j->server_since = 1000000 + j->c.now;
    journal_link(j, 1, true);
    assert_int_equal(journal_heard(j, alice, "a"), 4);
    journal_pass(j, LETTER_ANSWER_MS + 1000);
    assert_null(letter(j, 1));
}

static void test_killed_after_a_try(void **state)
{
    struct journal *j = said(state, "a");
    bounce(j, alice, "a", ERR_TIMEOUT);
    j->mute = true;
    journal_pass(j, 30000);
    assert_int_equal(journal_heard(j, alice, "a"), 2);
    journal_kill(j); // what was said may never have left
    j->mute = false;
    journal_start(j);
    assert_int_equal(journal_heard(j, alice, "a"), 3);
    journal_kill(j); // a fence has come back
    journal_start(j);
    journal_pass(j, 60000);
    assert_int_equal(journal_heard(j, alice, "a"), 3);
    j->cfg.boot = STR("boot2"); // the server had it in memory, maybe
    journal_kill(j);
    journal_start(j);
    journal_pass(j, 60000);
    assert_int_equal(journal_heard(j, alice, "a"), 4);
}

static void test_text_missing(void **state)
{
    struct journal *j = said(state, "a");
    journal_say(j, HOME, "lamp", "b");
    journal_pass(j, 10000);
    bounce(j, alice, "a", ERR_TIMEOUT);
    journal_lose(j, "home", 1);
    journal_pass(j, 30000);
    assert_letter(j, 1, alice, LETTER_DEAD);
    assert_true(str_eq_c(letter(j, 1)->text, "its text is missing in the journal"));
    assert_int_equal(journal_heard(j, alice, "b"), 1);
    assert_int_equal(j->notices, 1);
}

static void test_rights_lost(void **state)
{
    struct journal *j = said(state, "a");
    bounce(j, alice, "a", ERR_TIMEOUT);
    struct event ev = core_adapter(EV_FORGET, HOME, "lamp");
    journal_do(j, &ev);
    journal_pass(j, 60000);
    assert_int_equal(journal_rows(j, ROW_LETTER), 0);
    assert_int_equal(journal_heard(j, alice, "a"), 1);
}

// Many at once: a few at a time, all of them, and nobody asks for more than that.
static void test_many_due(void **state)
{
    struct journal *j = *state;
    for (unsigned i = 0; i < 200; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "m%u", i);
        journal_say(j, HOME, "lamp", id);
        bounce(j, alice, id, ERR_TIMEOUT);
    }
    size_t before = j->heard_count;
    j->mute = j->slow = true;
    journal_pass(j, 31000);
    assert_int_equal(j->load_count, LETTERS_FLYING);
    j->slow = false;
    journal_settle(j);
    assert_int_equal(j->heard_count - before, LETTERS_FLYING); // no more than that before a fence
    journal_pass(j, 3000);
    assert_int_equal(j->heard_count - before, LETTERS_FLYING);
    j->mute = false;
    journal_settle(j);
    journal_pass(j, 1000);
    assert_int_equal(j->heard_count - before, 200);
    journal_pass(j, LETTER_ANSWER_MS + 1000);
    assert_int_equal(journal_rows(j, ROW_LETTER), 0);
}

/* Bounds */

static void many(struct journal *j, unsigned n, enum err err)
{
    for (unsigned i = 0; i < n; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "m%u", i);
        journal_say(j, HOME, "lamp", id);
        bounce(j, alice, id, err);
    }
}

static void test_oldest_makes_room(void **state)
{
    struct journal *j = *state;
    many(j, LETTERS_MAX + 5, ERR_NOTFOUND);
    assert_int_equal(journal_rows(j, ROW_LETTER), LETTERS_MAX);
    assert_int_equal(bridge_letters_dropped(j->c.b), 5);
    assert_null(letter(j, 5));
    assert_letter(j, 6, alice, LETTER_DEAD);
    journal_pass(j, 10000);
    assert_int_equal(journal_row(j, ROW_LANE, "home", 0)->dead, LETTERS_MAX + 5);
    assert_int_equal(j->notices, 1);
}

// What is still tried makes no room: what comes then is counted, and said.
static void test_no_room(void **state)
{
    struct journal *j = *state;
    many(j, LETTERS_MAX + 5, ERR_TIMEOUT);
    assert_int_equal(journal_rows(j, ROW_LETTER), LETTERS_MAX);
    journal_pass(j, 10000);
    assert_int_equal(journal_row(j, ROW_LANE, "home", 0)->dead, 5);
    assert_int_equal(j->notices, 1);
    journal_pass(j, 3600000);
    assert_int_equal(journal_rows(j, ROW_LETTER), 0);
}

/* People */

static void test_replay(void **state)
{
    struct journal *j = said(state, "a");
    journal_say(j, HOME, "lamp", "b");
    bounce(j, alice, "a", ERR_NOTFOUND);
    bounce(j, alice, "b", ERR_NOTFOUND);
    journal_do(j, &(struct event){.kind = EV_REPLAY, .number = 2});
    assert_int_equal(journal_heard(j, alice, "a"), 1);
    assert_int_equal(journal_heard(j, alice, "b"), 2);
    assert_letter(j, 2, alice, LETTER_SENT);
    journal_do(j, &(struct event){.kind = EV_REPLAY, .number = 2}); // it is on its way
    assert_int_equal(journal_heard(j, alice, "b"), 2);
    journal_do(j, &(struct event){.kind = EV_REPLAY, .number = 77});
    journal_do(j, &(struct event){.kind = EV_REPLAY, .name = STR("far")});
    journal_do(j, &(struct event){.kind = EV_REPLAY, .name = STR("bob@example.org")});
    assert_int_equal(journal_heard(j, alice, "a"), 1);
    journal_do(j, &(struct event){.kind = EV_REPLAY, .name = STR("home")});
    assert_int_equal(journal_heard(j, alice, "a"), 2);
    bounce(j, alice, "a", ERR_NOTFOUND); // in vain
    assert_letter(j, 1, alice, LETTER_DEAD);
    journal_do(j, &(struct event){.kind = EV_REPLAY, .name = STR("alice@example.org")});
    assert_int_equal(journal_heard(j, alice, "a"), 3);
    journal_pass(j, LETTER_ANSWER_MS + 1000);
    assert_int_equal(journal_rows(j, ROW_LETTER), 0);
    assert_int_equal(journal_row(j, ROW_LANE, "home", 0)->dead, 0);
}

// More than a step takes: whoever asks for them all asks again, and comes to an end.
static void test_replay_many(void **state)
{
    struct journal *j = *state;
    many(j, 500, ERR_NOTFOUND);
    size_t before = j->heard_count;
    for (unsigned i = 0; i < 20; i++)
        journal_do(j, &(struct event){.kind = EV_REPLAY});
    assert_int_equal(j->heard_count - before, 500);
    for (unsigned i = 0; i < 20; i++)
        journal_do(j, &(struct event){.kind = EV_DISCARD});
    assert_int_equal(journal_rows(j, ROW_LETTER), 0);
}

static void test_discard(void **state)
{
    struct journal *j = said(state, "a");
    journal_say(j, HOME, "lamp", "b");
    bounce(j, alice, "a", ERR_TIMEOUT);
    bounce(j, alice, "b", ERR_NOTFOUND);
    journal_do(j, &(struct event){.kind = EV_DISCARD, .number = 1});
    assert_null(letter(j, 1));
    journal_pass(j, 600000);
    assert_int_equal(journal_heard(j, alice, "a"), 1);
    // Also one whose text was asked for.
    journal_say(j, HOME, "lamp", "c");
    bounce(j, alice, "c", ERR_TIMEOUT);
    j->slow = true;
    journal_pass(j, 30000);
    assert_int_equal(j->load_count, 1);
    journal_do(j, &(struct event){.kind = EV_DISCARD});
    j->slow = false;
    journal_settle(j);
    assert_int_equal(journal_heard(j, alice, "c"), 1);
    assert_int_equal(journal_rows(j, ROW_LETTER), 0);
    journal_say(j, HOME, "lamp", "d"); // and the lane goes on
    assert_int_equal(journal_heard(j, alice, "d"), 1);
}

static void test_expired_replay(void **state)
{
    struct journal *j = *state;
    journal_link(j, 1, false);
    journal_say(j, HOME, "lamp", "a");
    journal_pass(j, BRIDGE_RECORD_AGE);
    journal_link(j, 1, true);
    assert_letter(j, 1, alice, LETTER_EXPIRED);
    assert_letter(j, 2, bob, LETTER_EXPIRED);
    journal_do(j, &(struct event){.kind = EV_REPLAY});
    assert_int_equal(journal_heard(j, alice, "a"), 1);
    assert_int_equal(journal_heard(j, bob, "a"), 1);
    bounce(j, bob, "a", ERR_TIMEOUT); // too old to be tried again by itself
    assert_letter(j, 2, bob, LETTER_DEAD);
}

/* Restarts */

static void test_restored(void **state)
{
    struct journal *j = said(state, "a");
    journal_say(j, HOME, "lamp", "b");
    bounce(j, alice, "a", ERR_TIMEOUT);
    bounce(j, bob, "b", ERR_NOTFOUND);
    journal_kill(j);
    journal_start(j);
    journal_say(j, HOME, "lamp", "c");
    bounce(j, bob, "c", ERR_NOTFOUND);
    assert_letter(j, 3, bob, LETTER_DEAD); // the next number
    journal_pass(j, 30000);
    assert_int_equal(journal_heard(j, alice, "a"), 2);
    journal_do(j, &(struct event){.kind = EV_REPLAY, .number = 2});
    assert_int_equal(journal_heard(j, bob, "b"), 2);
}

static void test_absurd_rows(void **state)
{
    struct journal *j = said(state, "a");
    journal_pass(j, 10000);
    journal_kill(j);
    struct row row = {.kind = ROW_LETTER,
                      .number = 5,
                      .adapter = STR("home"),
                      .record = 1,
                      .user = STR("alice@example.org"),
                      .id = STR("a"),
                      .next = INT64_MAX};
    struct row bad = row;
    bad.number = 0;
    assert_int_equal(bridge_restore(j->c.b, &bad), ERR_BADREQ);
    bad.number = UINT64_MAX;
    assert_int_equal(bridge_restore(j->c.b, &bad), ERR_BADREQ);
    bad = row;
    bad.record = 0;
    assert_int_equal(bridge_restore(j->c.b, &bad), ERR_BADREQ);
    bad = row;
    bad.state = LETTER_STATES;
    assert_int_equal(bridge_restore(j->c.b, &bad), ERR_BADREQ);
    bad = row;
    bad.user = STR("no jid@");
    assert_int_equal(bridge_restore(j->c.b, &bad), ERR_BADREQ);
    bad = row;
    bad.adapter = STR("nobody");
    assert_int_equal(bridge_restore(j->c.b, &bad), ERR_NOTFOUND);
    bad.adapter = STR("other"); // which has no lane
    assert_int_equal(bridge_restore(j->c.b, &bad), ERR_NOTFOUND);
    assert_int_equal(bridge_restore(j->c.b, &row), ERR_OK);
    assert_int_equal(bridge_restore(j->c.b, &row), ERR_BADREQ);
    row.number = 6; // about the same
    assert_int_equal(bridge_restore(j->c.b, &row), ERR_BADREQ);
    row.record = 99; // which nobody has
    row.next = INT64_MIN;
    row.state = LETTER_DEAD;
    assert_int_equal(bridge_restore(j->c.b, &row), ERR_OK);
    journal_start(j);
    journal_pass(j, LETTER_WAIT_MAX);
    assert_int_equal(journal_heard(j, alice, "a"), 2); // no longer than a letter ever waits
    journal_do(j, &(struct event){.kind = EV_REPLAY, .number = 6});
    assert_letter(j, 6, alice, LETTER_DEAD);
    assert_true(str_eq_c(letter(j, 6)->text, "its text is missing in the journal"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, journal_setup, journal_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_schedule),
        TEST(test_every_error),
        TEST(test_reason),
        TEST(test_twice),
        TEST(test_of_nobodys),
        TEST(test_direct),
        TEST(test_error_after_a_long_wait),
        TEST(test_tried_again),
        TEST(test_tried_in_vain),
        TEST(test_beside_the_lane),
        TEST(test_link_down_after_a_try),
        TEST(test_link_down_before_the_text),
        TEST(test_server_restarted_too),
        TEST(test_killed_after_a_try),
        TEST(test_text_missing),
        TEST(test_rights_lost),
        TEST(test_many_due),
        TEST(test_oldest_makes_room),
        TEST(test_no_room),
        TEST(test_replay),
        TEST(test_replay_many),
        TEST(test_discard),
        TEST(test_expired_replay),
        TEST(test_restored),
        TEST(test_absurd_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
