// What is kept of an adapter that has left the configuration, and for how long.
#include "unit/app/hub_rig.h"

#include "base/log.h"

#include <stdio.h>

#define WITH "adapters:\n  nothing: {type: \"null\"}\n"
#define ACCESS "access: [allow see read to alice@example.org]\n"
#define DAYS(n) "retention: {gone_adapters: " #n "d}\n"

enum { HOUR = 3600000, DAY = 24 * HOUR };

struct kept {
    size_t identities, subscriptions, state;
};

static enum err count(void *ud, const struct row *row)
{
    struct kept *k = ud;
    k->identities += row->kind == ROW_IDENTITY;
    k->subscriptions += row->kind == ROW_SUBSCRIPTION;
    k->state += row->kind == ROW_STATE;
    return ERR_OK;
}

static void assert_kept(struct rig *r, size_t identities, size_t subscriptions, size_t state)
{
    struct kept k = {0};
    rig_work(r);
    assert_int_equal(store_load(r->store, count, &k), ERR_OK);
    assert_int_equal(k.identities, identities);
    assert_int_equal(k.subscriptions, subscriptions);
    assert_int_equal(k.state, state);
}

// As the driver does: time passes from one deadline to the next.
static void pass(struct rig *r, int64_t ms)
{
    int64_t end = r->now + ms;
    while (r->now < end) {
        int64_t at = hub_deadline(r->hub);
        r->now = at > r->now && at < end ? at : end;
        rig_work(r);
    }
}

static void begin(struct rig *r)
{
    rig_init(r, RIG_MAIN WITH ACCESS);
    rig_connect(r);
    rig_listen(r);
    rig_feed(r, "<presence type='subscribe' from='alice@example.org' to='echo@bridge.example'/>");
    rig_listen(r);
    store_put(r->store, &(struct row){.kind = ROW_STATE, .adapter = STR("nothing"), .key = STR("k"), .text = STR("v")});
    assert_kept(r, 2, 1, 1);
}

static void goes_when_its_time_is_over(void **state)
{
    (void)state;
    struct rig r;
    begin(&r);
    assert_int_equal(rig_reload(&r, RIG_MAIN ACCESS DAYS(2)), ERR_OK);
    assert_kept(&r, 2, 1, 2); // and since when it is gone
    pass(&r, 2 * (int64_t)DAY - HOUR);
    assert_kept(&r, 2, 1, 2);
    rig_listen(&r);
    pass(&r, 3 * HOUR);
    assert_kept(&r, 0, 0, 0);
    rig_listen(&r);
    assert_true(rig_has(&r, "type='unsubscribed'"));
    pass(&r, 10 * (int64_t)DAY);
    assert_kept(&r, 0, 0, 0);
    rig_finish(&r);
}

static void stays_without_a_limit(void **state)
{
    (void)state;
    struct rig r;
    begin(&r);
    assert_int_equal(rig_reload(&r, RIG_MAIN ACCESS), ERR_OK);
    pass(&r, 1000 * (int64_t)DAY);
    assert_kept(&r, 2, 1, 2);
    assert_int_equal(rig_reload(&r, RIG_MAIN ACCESS DAYS(30)), ERR_OK); // the limit counts from when it went
    pass(&r, HOUR);
    assert_kept(&r, 0, 0, 0);
    rig_finish(&r);
}

static void comes_back_in_time(void **state)
{
    (void)state;
    struct rig r;
    begin(&r);
    assert_int_equal(rig_reload(&r, RIG_MAIN ACCESS DAYS(2)), ERR_OK);
    pass(&r, DAY);
    assert_int_equal(rig_reload(&r, RIG_MAIN WITH ACCESS DAYS(2)), ERR_OK);
    assert_kept(&r, 2, 1, 1);
    pass(&r, 5 * (int64_t)DAY);
    assert_kept(&r, 2, 1, 1);
    assert_int_equal(rig_reload(&r, RIG_MAIN ACCESS DAYS(2)), ERR_OK); // the next time counts anew
    pass(&r, DAY);
    assert_kept(&r, 2, 1, 2);
    rig_finish(&r);
}

static void start_again(struct rig *r, const char *yaml)
{
    static const struct hub_host host = {rig_now, rig_wall, rig_loop, rig_http, rig_changed, NULL};
    struct conf_report *report = conf_report_create();
    assert_int_equal(store_flush(r->store), ERR_OK);
    hub_abandon(r->hub);
    hub_destroy(r->hub);
    conf_destroy(r->config);
    r->config = rig_read(yaml, report);
    r->hub = hub_create(r->config, r->store, &host, r, NULL, report);
    assert_non_null(r->hub);
    conf_report_destroy(report);
    hub_start(r->hub);
    rig_work(r);
    rig_connect(r); // subscribers are told, so that goes on when there is a link
    rig_listen(r);
}

static void counts_over_restarts(void **state)
{
    (void)state;
    struct rig r;
    begin(&r);
    start_again(&r, RIG_MAIN ACCESS DAYS(2)); // it was taken out while the bridge did not run
    assert_kept(&r, 2, 1, 2);
    pass(&r, DAY + 12 * HOUR);
    start_again(&r, RIG_MAIN ACCESS DAYS(2));
    pass(&r, 11 * HOUR);
    assert_kept(&r, 2, 1, 2);
    pass(&r, 3 * HOUR);
    assert_kept(&r, 0, 0, 0);
    start_again(&r, RIG_MAIN WITH ACCESS DAYS(2));
    assert_kept(&r, 2, 0, 0); // anew
    rig_finish(&r);
}

static void comes_back_with_a_restart(void **state)
{
    (void)state;
    struct rig r;
    begin(&r);
    start_again(&r, RIG_MAIN ACCESS DAYS(2));
    assert_kept(&r, 2, 1, 2);
    start_again(&r, RIG_MAIN WITH ACCESS DAYS(2));
    assert_kept(&r, 2, 1, 1);
    rig_finish(&r);
}

// One that says what cannot be, as after a clock that was wrong: the time counts from now.
static void strange_stamps(void **state)
{
    (void)state;
    static const char *const stamps[] = {"nonsense", "", "-5", "9999999999999"};
    for (size_t i = 0; i < sizeof stamps / sizeof *stamps; i++) {
        struct rig r;
        begin(&r);
        store_put(r.store, &(struct row){.kind = ROW_STATE,
                                         .adapter = STR("nothing"),
                                         .key = STR("\x7fgone-since"),
                                         .text = str_c(stamps[i])});
        start_again(&r, RIG_MAIN ACCESS DAYS(2));
        pass(&r, DAY);
        assert_kept(&r, 2, 1, 2);
        pass(&r, DAY + 2 * HOUR);
        assert_kept(&r, 0, 0, 0);
        rig_finish(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_when_its_time_is_over), cmocka_unit_test(stays_without_a_limit),
        cmocka_unit_test(comes_back_in_time),         cmocka_unit_test(counts_over_restarts),
        cmocka_unit_test(comes_back_with_a_restart),  cmocka_unit_test(strange_stamps),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
