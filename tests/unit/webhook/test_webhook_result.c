/* What becomes of what was posted, and what the sender is told of it. */
#include "unit/webhook/webhook_rig.h"

static const char *const wait_5[] = {"Prefer", "wait=5", NULL};

static struct http_exchange *post_and_wait(struct rig *g)
{
    return rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", wait_5);
}

static void test_200_is_given_when_the_room_has_it(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    struct http_exchange *x = post_and_wait(g);
    struct rig_post *p = rig_said(g);
    rig_journal(g);
    assert_int_equal(x->answers, 0);
    rig_pass(g, 4000);
    rig_settle(g, p->id, "room-1", ERR_OK);
    assert_int_equal(x->status, 200);
    check_has(x->text, "\"status\":\"confirmed\"");
    check_has(x->text, "\"stanza_id\":\"room-1\",\"by\":\"ops@rooms.x\",\"nick\":\"Alerts\"");
    rig_free(g);
}

static void test_what_is_settled_before_it_is_said_to_be_taken(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    struct http_exchange *x = post_and_wait(g);
    rig_settle(g, rig_said(g)->id, "room-1", ERR_OK);
    assert_int_equal(x->answers, 0);
    rig_journal(g);
    assert_int_equal(x->status, 200);
    rig_free(g);
}

static void test_when_the_time_is_over_it_is_on_its_way(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    struct http_exchange *x = post_and_wait(g);
    rig_journal(g);
    rig_pass(g, 4999);
    assert_int_equal(x->answers, 0);
    rig_pass(g, 1);
    assert_int_equal(x->status, 202);
    check_has(x->text, "\"status\":\"queued\"");
    rig_settle(g, rig_said(g)->id, "room-1", ERR_OK); // nobody waits any more
    rig_free(g);
}

static void test_nobody_waits_longer_than_half_a_minute(void **state)
{
    (void)state;
    static const char *const long_wait[] = {"Prefer", "wait=86400", NULL};
    struct rig *g = rig_start(RIG_HOOK(""));
    struct http_exchange *x = rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", long_wait);
    rig_journal(g);
    rig_pass(g, 29999);
    assert_int_equal(x->answers, 0);
    rig_pass(g, 1);
    assert_int_equal(x->status, 202);
    rig_free(g);
}

static void check_parked(const struct http_exchange *x)
{
    assert_int_equal(x->status, 503);
    assert_non_null(rig_got(x, "Retry-After"));
    assert_string_equal(rig_got(x, "Content-Type"), "application/problem+json");
    check_has(x->text, "\"condition\":\"registration-required\",\"hook\":\"alerts\",\"to\":\"ops@rooms.x\"");
    check_has(x->text, "members only");
}

static void test_a_room_that_cannot_be_entered_is_told_and_it_is_taken_back(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    struct http_exchange *x = post_and_wait(g);
    struct rig_post *p = rig_said(g);
    rig_journal(g);
    rig_park(g, "alerts", ERR_REGISTRATION);
    assert_int_equal(x->answers, 0);
    struct rig_post *back = rig_next(g, EV_DISCARD);
    assert_non_null(back);
    assert_string_equal(back->id, p->id);
    assert_string_equal(back->user, "ops@rooms.x");
    assert_string_equal(back->key, "alerts");
    rig_journal(g);
    check_parked(x);
    rig_free(g);
}

static void test_a_room_that_is_parked_already(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    rig_park(g, "alerts", ERR_REGISTRATION);
    struct http_exchange *x = post_and_wait(g);
    rig_answer(g, ERR_OK);
    assert_non_null(rig_next(g, EV_DISCARD));
    rig_journal(g);
    check_parked(x);
    rig_park(g, "alerts", ERR_OK);
    x = post_and_wait(g);
    rig_journal(g);
    assert_int_equal(x->answers, 0); // it waits again
    rig_free(g);
}

static void test_what_went_out_after_all_is_told_instead(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    struct http_exchange *x = post_and_wait(g);
    struct rig_post *p = rig_said(g);
    rig_journal(g);
    rig_park(g, "alerts", ERR_FORBIDDEN);
    rig_settle(g, p->id, "room-1", ERR_OK);
    rig_answer(g, ERR_NOTFOUND);
    assert_int_equal(x->status, 200);
    check_has(x->text, "room-1");
    rig_free(g);
}

static void test_without_a_wait_it_stays_in_the_queue(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    rig_park(g, "alerts", ERR_REGISTRATION);
    rig_accepted(g, rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", NULL));
    assert_null(rig_next(g, EV_DISCARD));
    rig_free(g);
}

static void test_a_key_is_free_again_when_it_was_taken_back(void **state)
{
    (void)state;
    static const char *const headers[] = {"Prefer", "wait=5", "Idempotency-Key", "k", NULL};
    struct rig *g = rig_start(RIG_HOOK(""));
    rig_park(g, "alerts", ERR_REGISTRATION);
    struct http_exchange *x = rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", headers);
    rig_answer(g, ERR_OK);
    rig_journal(g);
    check_parked(x);
    assert_int_equal(rows_there(&g->rows), 0);
    x = rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", headers);
    assert_int_equal(x->answers, 0);
    rig_free(g);
}

static void test_what_never_arrives_is_told(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    struct http_exchange *x = post_and_wait(g);
    rig_journal(g);
    rig_settle(g, rig_said(g)->id, "", ERR_FORBIDDEN);
    assert_int_equal(x->status, 502);
    check_has(x->text, "\"condition\":\"forbidden\"");
    rig_free(g);
}

static void test_a_full_queue_is_told(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(", profile: native"));
    struct http_exchange *x = rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", NULL);
    rig_answer(g, ERR_LIMIT);
    assert_int_equal(x->status, 429);
    assert_string_equal(rig_got(x, "Retry-After"), "10");
    check_has(x->text, "nothing was posted");
    rig_free(g);
}

static void test_refusals_by_their_reason(void **state)
{
    (void)state;
    static const struct {
        enum err err;
        int status;
    } cases[] = {{ERR_FORBIDDEN, 403}, {ERR_NOTFOUND, 422}, {ERR_BADJID, 422}, {ERR_OFFLINE, 503}, {ERR_AGAIN, 503}};
    struct rig *g = rig_start(RIG_HOOK(", profile: github"));
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct http_exchange *x = rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", NULL);
        rig_answer(g, cases[i].err);
        assert_int_equal(x->status, cases[i].status);
        check_has(x->text, err_condition(cases[i].err));
        assert_true((cases[i].status == 503) == (rig_got(x, "Retry-After") != NULL));
    }
    rig_free(g);
}

/* Several. */

#define TWO                                                                                                            \
    "hooks: {alerts: {rooms: [ops@rooms.x, dev@rooms.x], users: [ann@x], auth: [{type: token, secret: " RIG_TOKEN "}]" \
    "}}"

static void test_it_is_answered_when_all_are_taken(void **state)
{
    (void)state;
    struct rig *g = rig_start(TWO);
    struct http_exchange *x = rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", NULL);
    struct rig_post *p = rig_said(g);
    char id[48], second[64];
    snprintf(id, sizeof id, "%s", p->id);
    snprintf(second, sizeof second, "%s.2", p->id);
    assert_string_equal(p->user, "ops@rooms.x");
    p = rig_said(g);
    assert_string_equal(p->user, "dev@rooms.x");
    assert_string_equal(p->id, second);
    p = rig_said(g);
    assert_string_equal(p->user, "ann@x");
    assert_int_equal(p->type, MESSAGE_CHAT);
    rig_answer(g, ERR_OK);
    rig_answer(g, ERR_OK);
    assert_int_equal(x->answers, 0);
    rig_answer(g, ERR_OK);
    assert_int_equal(x->status, 202);
    check_has(x->text, id);
    rig_free(g);
}

static void test_one_that_is_refused_takes_the_others_back(void **state)
{
    (void)state;
    struct rig *g = rig_start(TWO);
    struct http_exchange *x = rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", NULL);
    rig_answer(g, ERR_OK);
    rig_answer(g, ERR_AGAIN);
    rig_answer(g, ERR_OK);
    assert_int_equal(x->answers, 0);
    struct rig_post *first = rig_next(g, EV_DISCARD), *second = rig_next(g, EV_DISCARD);
    assert_string_equal(first->user, "ops@rooms.x");
    assert_string_equal(second->user, "ann@x");
    assert_null(rig_next(g, EV_DISCARD));
    rig_journal(g);
    assert_int_equal(x->status, 429);
    rig_free(g);
}

static void test_what_went_out_to_others_is_told(void **state)
{
    (void)state;
    struct rig *g = rig_start(TWO);
    struct http_exchange *x = rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", NULL);
    rig_answer(g, ERR_OK);
    rig_answer(g, ERR_AGAIN);
    rig_answer(g, ERR_OK);
    rig_answer(g, ERR_NOTFOUND); // it was said meanwhile
    rig_answer(g, ERR_OK);
    assert_int_equal(x->status, 429);
    check_has(x->text, "to others it was");
    assert_null(strstr(x->text, "; nothing was posted"));
    rig_free(g);
}

static void test_what_cannot_be_stored_is_told_in_time(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    struct http_exchange *x = rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", wait_5);
    rig_pass(g, 4000);
    struct http_exchange *y = rig_post_to(g, RIG_PATH, "{\"body\": \"b\"}", NULL);
    rig_pass(g, 3999);
    assert_int_equal(x->answers, 0);
    rig_pass(g, 1);
    assert_int_equal(x->status, 503);
    check_has(x->text, "\"retry_after\":");
    assert_int_equal(y->answers, 0);
    assert_null(rig_next(g, EV_DISCARD));
    rig_journal(g); // the disk is back
    assert_int_equal(y->status, 202);
    assert_non_null(rig_next(g, EV_DISCARD));
    assert_null(rig_next(g, EV_DISCARD));
    rig_journal(g);
    assert_int_equal(x->answers, 1);
    rig_free(g);
}

static void test_what_is_said_and_cannot_be_stored(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    struct http_exchange *x = rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", NULL);
    rig_settle(g, rig_said(g)->id, "room-1", ERR_OK);
    rig_pass(g, 8000);
    assert_int_equal(x->status, 200);
    check_has(x->text, "\"status\":\"confirmed\"");
    rig_journal(g);
    assert_null(rig_next(g, EV_DISCARD));
    assert_int_equal(x->answers, 1);
    rig_free(g);
}

static void test_one_room_of_several_that_is_parked(void **state)
{
    (void)state;
    struct rig *g = rig_start(TWO);
    struct http_exchange *x = rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", wait_5);
    char id[64];
    rig_journal(g);
    rig_park(g, "alerts", ERR_REGISTRATION);
    assert_null(rig_next(g, EV_DISCARD));
    assert_int_equal(x->answers, 0);
    snprintf(id, sizeof id, "%s.2", g->posts[g->count - 3].id);
    rig_settle(g, id, "room-2", ERR_OK);
    snprintf(id, sizeof id, "%s.3", g->posts[g->count - 3].id);
    rig_settle(g, id, "", ERR_OK);
    assert_int_equal(x->status, 202); // nothing more will come soon
    check_has(x->text, "\"status\":\"parked\"");
    check_has(x->text, "\"condition\":\"registration-required\"");
    check_has(x->text, "room-2");
    rig_free(g);
}

static void test_a_sender_that_goes_while_it_waits(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    struct http_exchange *x = post_and_wait(g);
    struct rig_post *p = rig_said(g);
    rig_journal(g);
    rig_gone(g, x);
    rig_settle(g, p->id, "room-1", ERR_OK);
    rig_pass(g, 60000);
    assert_int_equal(x->answers, 0);
    x = post_and_wait(g); // and while it is taken back
    rig_journal(g);
    rig_park(g, "alerts", ERR_FORBIDDEN);
    rig_gone(g, x);
    rig_journal(g);
    assert_int_equal(x->answers, 0);
    rig_free(g);
}

static void test_what_is_not_ours_is_ignored(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    rig_settle(g, "msg_unknown", "room-1", ERR_OK);
    rig_settle(g, "", "", ERR_FORBIDDEN);
    rig_park(g, "nobody", ERR_OK);
    rig_send(g, &(struct event){.kind = EV_JOURNALED, .token = 12345});
    assert_int_equal(g->a->ops->send(g->a, &(struct event){.kind = EV_COMMAND, .key = STR("alerts")}), ERR_UNSUPPORTED);
    rig_free(g);
}

static void test_a_stop_answers_nothing(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    struct http_exchange *posted = rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", NULL), *waits = post_and_wait(g);
    rig_answer(g, ERR_OK);
    rig_answer(g, ERR_OK);
    assert_int_equal(posted->status, 202);
    struct http_exchange *open = rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", NULL);
    rig_close(g);
    assert_int_equal(waits->answers + open->answers, 0);
    rig_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_200_is_given_when_the_room_has_it),
        cmocka_unit_test(test_what_is_settled_before_it_is_said_to_be_taken),
        cmocka_unit_test(test_when_the_time_is_over_it_is_on_its_way),
        cmocka_unit_test(test_nobody_waits_longer_than_half_a_minute),
        cmocka_unit_test(test_a_room_that_cannot_be_entered_is_told_and_it_is_taken_back),
        cmocka_unit_test(test_a_room_that_is_parked_already),
        cmocka_unit_test(test_what_went_out_after_all_is_told_instead),
        cmocka_unit_test(test_without_a_wait_it_stays_in_the_queue),
        cmocka_unit_test(test_a_key_is_free_again_when_it_was_taken_back),
        cmocka_unit_test(test_what_never_arrives_is_told),
        cmocka_unit_test(test_a_full_queue_is_told),
        cmocka_unit_test(test_refusals_by_their_reason),
        cmocka_unit_test(test_it_is_answered_when_all_are_taken),
        cmocka_unit_test(test_one_that_is_refused_takes_the_others_back),
        cmocka_unit_test(test_what_went_out_to_others_is_told),
        cmocka_unit_test(test_what_cannot_be_stored_is_told_in_time),
        cmocka_unit_test(test_what_is_said_and_cannot_be_stored),
        cmocka_unit_test(test_one_room_of_several_that_is_parked),
        cmocka_unit_test(test_a_sender_that_goes_while_it_waits),
        cmocka_unit_test(test_what_is_not_ours_is_ignored),
        cmocka_unit_test(test_a_stop_answers_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
