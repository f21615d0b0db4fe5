/* Dead links and twins, seen through the component: a pretended server that echoes, or does not, or shares the domain
 * out. */
#include "component_fixture.h"

struct server {
    bool echoes;   // routes what is for the domain back
    bool as_error; // ... as an error
    bool answers;  // for the domain above
    unsigned lost; // of ten echoes, the first so many go to a twin
    unsigned count;
    unsigned pings_to_self, pings_to_parent;
};

static struct str attr_of(struct str stanza, const char *name)
{
    struct strbuf key;
    strbuf_init(&key, 64);
    strbuf_printf(&key, " %s='", name);
    ptrdiff_t at = str_find_str(stanza, strbuf_view(&key));
    assert_true(at >= 0);
    struct str value, rest;
    str_cut(str_sub(stanza, (size_t)at + key.n, stanza.n), '\'', &value, &rest);
    strbuf_finish(&key);
    return value;
}

static void answer(struct server *s, struct str ping, struct strbuf *back)
{
    struct str id = attr_of(ping, "id"), to = attr_of(ping, "to");
    assert_true(str_eq_c(attr_of(ping, "from"), "bridge.localhost"));
    bool self = str_eq_c(to, "bridge.localhost");
    s->pings_to_self += self;
    s->pings_to_parent += !self;
    if (self ? !s->echoes || s->count++ % 10 < s->lost : !s->answers)
        return;
    strbuf_printf(back, "<iq from='" STR_FMT "' to='bridge.localhost' id='" STR_FMT "' type='%s'/>", STR_ARG(to),
                  STR_ARG(id),
                  !self         ? "result"
                  : s->as_error ? "error"
                                : "get");
}

// Takes what the component has written, and lets the server answer.
static void serve(struct peer *p, struct server *s)
{
    struct strbuf back;
    struct str rest = strbuf_view(component_output(p->c));
    strbuf_init(&back, 1 << 16);
    ptrdiff_t end;
    while ((end = str_find_str(rest, STR("</iq>"))) >= 0) {
        answer(s, str_sub(rest, 0, (size_t)end), &back);
        rest = str_sub(rest, (size_t)end + 5, rest.n);
    }
    strbuf_clear(component_output(p->c));
    if (back.n)
        component_feed(p->c, strbuf_view(&back), p->now);
    strbuf_finish(&back);
}

// Runs until the link is lost or `ms` are over; with `noise`, a stanza comes in each second.
static void run(struct peer *p, struct server *s, int64_t ms, bool noise)
{
    int64_t end = p->now + ms;
    serve(p, s);
    while (p->now < end && component_state(p->c) == COMPONENT_UP) {
        int64_t at = component_deadline(p->c);
        int64_t step = noise ? p->now + 1000 : end;
        assert_true(at > p->now); // no busy waiting
        p->now = at < step ? at : step;
        if (noise && p->now == step)
            component_feed(p->c, STR(" "), p->now);
        component_tick(p->c, p->now);
        serve(p, s);
        serve(p, s); // what it wrote upon the answers
    }
}

static void begin(struct peer *p, struct server *s)
{
    peer_go_up(p);
    serve(p, s);
    serve(p, s);
}

static void a_good_link_is_asked_when_silent(void **state)
{
    (void)state;
    for (int as_error = 0; as_error < 2; as_error++) {
        struct server s = {.echoes = true, .answers = true, .as_error = as_error};
        struct peer p;
        peer_init(&p);
        begin(&p, &s);
        assert_int_equal(s.pings_to_self, 8);
        assert_int_equal(component_deadline(p.c), p.now + 8000);
        run(&p, &s, 3600000, false);
        assert_int_equal(component_state(p.c), COMPONENT_UP);
        assert_in_range(s.pings_to_self, 8 + 449, 8 + 451);
        assert_int_equal(s.pings_to_parent, 0);
        peer_expect(&p, "up\n"); // own pings are not shown
        peer_finish(&p);
    }
}

static void a_busy_link_is_asked_now_and_then(void **state)
{
    (void)state;
    struct server s = {.echoes = true};
    struct peer p;
    peer_init(&p);
    begin(&p, &s);
    run(&p, &s, 3600000, true);
    assert_in_range(s.pings_to_self, 8 + 115, 8 + 121);
    peer_finish(&p);
}

static const struct {
    const char *what;
    bool echoes, answers;
    int64_t at_most; // ms from the last byte to the end of the link
    unsigned pings_to_parent;
} deaths[] = {
    {"after an echo", true, true, 18000, 1},
    {"after an echo, no domain above answers", true, false, 18000, 1},
    {"a server that does not echo", false, true, 18000, 1},
};

static void a_dead_link_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof deaths / sizeof *deaths; i++) {
        struct server s = {.echoes = deaths[i].echoes, .answers = deaths[i].answers};
        struct server dead = {0};
        struct peer p;
        peer_init(&p);
        begin(&p, &s);
        run(&p, &s, 60500, false);
        assert_int_equal(component_state(p.c), COMPONENT_UP);
        peer_feed(&p, " ");
        int64_t last = p.now;
        run(&p, &dead, 100000, false);
        assert_int_equal(component_state(p.c), COMPONENT_WAITING);
        assert_in_range(p.now - last, 10000, deaths[i].at_most);
        assert_int_equal(dead.pings_to_parent, deaths[i].pings_to_parent);
        assert_true(component_wants_reset(p.c));
        peer_expect(&p, "up\ndown\n");
        assert_string_equal(p.last_down.p, "timeout 127.0.0.1:5347 has stopped answering");
        peer_finish(&p);
    }
}

// It has much to read before it comes to what we ask: no death, and no lost echo that looks like a twin's.
static void a_slow_link_is_given_time(void **state)
{
    (void)state;
    for (int64_t calm = 0; calm <= 60500; calm += 60500) { // in the first test, and after it
        struct server s = {.echoes = true, .answers = true}, slow = {0};
        struct peer p;
        peer_init(&p);
        begin(&p, &s);
        run(&p, &s, calm, false);
        for (unsigned i = 0; i < 100; i++) {
            run(&p, &slow, 4000, false);
            component_slow(p.c, p.now);
        }
        assert_int_equal(component_state(p.c), COMPONENT_UP);
        peer_expect(&p, "up\n");
        int64_t last = p.now;
        run(&p, &slow, 100000, false);
        assert_int_equal(component_state(p.c), COMPONENT_WAITING);
        assert_true(p.now - last <= 18000);
        peer_finish(&p);
    }
}

static void a_link_dead_from_the_start_is_found(void **state)
{
    (void)state;
    struct server dead = {0};
    struct peer p;
    peer_init(&p);
    begin(&p, &dead);
    run(&p, &dead, 20000, false);
    assert_int_equal(component_state(p.c), COMPONENT_WAITING);
    peer_finish(&p);
}

// It is the server's manner then, not its death: a loop of reconnects would help nobody.
static void a_server_that_never_answers_is_left_alone(void **state)
{
    (void)state;
    struct server mute = {0};
    struct peer p;
    peer_init(&p);
    begin(&p, &mute);
    for (int link = 0; link < 2; link++) {
        run(&p, &mute, 100000, false);
        assert_int_equal(component_state(p.c), COMPONENT_WAITING);
        component_closed(p.c, ERR_OK, NULL, p.now);
        peer_wait(&p);
        begin(&p, &mute);
    }
    run(&p, &mute, 3600000, false);
    assert_int_equal(component_state(p.c), COMPONENT_UP);
    peer_finish(&p);
}

static void a_server_without_echo_is_asked_for_its_domain(void **state)
{
    (void)state;
    struct server s = {.answers = true};
    struct peer p;
    peer_init(&p);
    begin(&p, &s);
    run(&p, &s, 3600000, false);
    assert_int_equal(component_state(p.c), COMPONENT_UP);
    assert_int_equal(s.pings_to_self, 8);
    assert_in_range(s.pings_to_parent, 400, 451);
    peer_expect(&p, "up\n");
    peer_finish(&p);
}

static void a_domain_of_one_label_has_none_above(void **state)
{
    (void)state;
    struct peer p;
    peer_init_for(&p, "bridge", 7);
    peer_go_up(&p);
    strbuf_clear(component_output(p.c));
    peer_wait(&p); // the end of the test, without an echo
    assert_int_equal(component_deadline(p.c), INT64_MAX);
    assert_int_equal(component_output(p.c)->n, 0);
    peer_finish(&p);
}

static void a_twin_is_found_and_told_once(void **state)
{
    (void)state;
    struct server shared = {.echoes = true, .answers = true, .lost = 5}, alone = {.echoes = true, .answers = true};
    struct peer p;
    struct arena a;
    peer_init(&p);
    arena_init(&a, 0);
    begin(&p, &shared);
    peer_expect(&p, "up\n");
    run(&p, &shared, 10000, false);
    peer_expect(&p, "notice\n");
    assert_non_null(strstr(p.last_notice.p, "another connection holds bridge.localhost: only 3 of 8"));
    assert_non_null(strstr(p.last_notice.p, "ejabberd"));
    assert_non_null(strstr(component_status(p.c, &a, p.now).p, "another connection holds the domain too"));
    run(&p, &shared, 600000, false); // tested again, and not told again
    peer_expect(&p, "");
    assert_int_equal(component_state(p.c), COMPONENT_UP);
    assert_true(shared.pings_to_self >= 8 * 9);
    assert_true(shared.pings_to_parent > 50); // a lost echo means nothing now
    run(&p, &alone, 70000, false);
    assert_null(strstr(component_status(p.c, &a, p.now).p, "another"));
    assert_int_equal(peer_count(&p.logged, "not alone on the domain"), 1);
    assert_int_equal(peer_count(&p.logged, "alone on the domain again"), 1);
    run(&p, &shared, 100000, false); // another twin, another notice
    peer_expect(&p, "notice\n");
    arena_finish(&a);
    peer_finish(&p);
}

// A twin that comes later takes pings of a link that was good.
static void a_late_twin_is_found(void **state)
{
    (void)state;
    for (int noise = 0; noise < 2; noise++) {
        struct server alone = {.echoes = true, .answers = true}, shared = {.echoes = true, .answers = true, .lost = 8};
        struct peer p;
        peer_init(&p);
        begin(&p, &alone);
        run(&p, &alone, 100000, noise);
        run(&p, &shared, 60000, noise);
        peer_expect(&p, "up\nnotice\n");
        assert_int_equal(component_state(p.c), COMPONENT_UP);
        peer_finish(&p);
    }
}

static void all_echoes_lost_on_a_busy_link_is_a_twin(void **state)
{
    (void)state;
    struct server alone = {.echoes = true, .answers = true}, taken = {.answers = true};
    struct peer p;
    peer_init(&p);
    begin(&p, &alone);
    run(&p, &alone, 20000, true);
    run(&p, &taken, 60000, true);
    peer_expect(&p, "up\nnotice\n");
    peer_finish(&p);
}

// Another instance's pings reach us: it need not wait for our next silence.
static void a_ping_of_another_instance_starts_a_test(void **state)
{
    (void)state;
    struct server alone = {.echoes = true, .answers = true};
    struct peer p;
    peer_init(&p);
    begin(&p, &alone);
    alone.lost = 4;
    peer_feed(&p, "<iq type='get' from='bridge.localhost' to='bridge.localhost' "
                  "id='spandrel-live-aaaaaaaaaa-1-3'><ping xmlns='urn:xmpp:ping'/></iq>");
    peer_feed(&p, "<iq type='get' from='bridge.localhost' to='bridge.localhost' "
                  "id='spandrel-live-aaaaaaaaaa-1-4'><ping xmlns='urn:xmpp:ping'/></iq>");
    assert_int_equal(peer_count(component_output(p.c), "<iq "), 8); // one test, no answers
    run(&p, &alone, 10000, false);
    peer_expect(&p, "up\nnotice\n");
    peer_finish(&p);
}

static void strangers_cannot_take_part(void **state)
{
    (void)state;
    static const char *const forged[] = {
        "<iq type='get' from='bridge.localhost/x' to='bridge.localhost' id='spandrel-live-aaaaaaaaaa-1-3'/>",
        "<iq type='get' from='eve@localhost' to='bridge.localhost' id='spandrel-live-aaaaaaaaaa-1-3'/>",
        "<message from='bridge.localhost' to='bridge.localhost' id='spandrel-live-aaaaaaaaaa-1-3'/>",
        "<iq type='get' from='bridge.localhost' to='bridge.localhost' id='other'/>",
    };
    for (size_t i = 0; i < sizeof forged / sizeof *forged; i++) {
        struct server alone = {.echoes = true};
        struct peer p;
        peer_init(&p);
        begin(&p, &alone);
        strbuf_clear(&p.seen);
        peer_feed(&p, forged[i]);
        assert_non_null(strstr(p.seen.p, "stanza\n"));
        assert_int_equal(component_output(p.c)->n, 0);
        peer_finish(&p);
    }
}

// Answers that are late, doubled or broken are swallowed and count for nothing.
static void odd_answers_are_ignored(void **state)
{
    (void)state;
    struct peer p;
    struct strbuf odd;
    peer_init(&p);
    peer_go_up(&p);
    strbuf_clear(&p.seen);
    struct str id = attr_of(strbuf_view(component_output(p.c)), "id"); // PREFIX tag-1-0
    struct str stem = str_sub(id, 0, id.n - 3);
    static const char *const tails[] = {
        "1-0", "1-0", "1-9", "1-8", "1-", "1", "", "99-1", "x-1", "99999999999999999999-1", "1-11", "2-s", "2-p"};
    strbuf_init(&odd, 1 << 16);
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        strbuf_printf(&odd, "<iq type='get' from='bridge.localhost' id='" STR_FMT "%s'/>", STR_ARG(stem), tails[i]);
        strbuf_printf(&odd, "<iq type='result' from='bridge.localhost' id='" STR_FMT "1-%zu'/>", STR_ARG(stem), i % 8);
        strbuf_printf(&odd, "<iq type='result' from='localhost' id='" STR_FMT "%s'/>", STR_ARG(stem), tails[i]);
    }
    strbuf_clear(component_output(p.c));
    peer_feed(&p, odd.p);
    peer_expect(&p, "");
    peer_wait(&p);
    peer_expect(&p, "notice\n");
    assert_non_null(strstr(p.last_notice.p, "only 1 of 8"));
    strbuf_finish(&odd);
    peer_finish(&p);
}

static void a_test_starts_anew_with_each_link(void **state)
{
    (void)state;
    struct server shared = {.echoes = true, .answers = true, .lost = 5}, alone = {.echoes = true, .answers = true};
    struct peer p;
    peer_init(&p);
    begin(&p, &shared);
    run(&p, &shared, 15000, false);
    component_closed(p.c, ERR_OK, NULL, p.now);
    peer_wait(&p);
    begin(&p, &alone);
    run(&p, &alone, 100000, false);
    peer_expect(&p, "up\nnotice\ndown\nup\n");
    peer_finish(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_link_is_asked_when_silent),
        cmocka_unit_test(a_busy_link_is_asked_now_and_then),
        cmocka_unit_test(a_dead_link_is_found),
        cmocka_unit_test(a_slow_link_is_given_time),
        cmocka_unit_test(a_link_dead_from_the_start_is_found),
        cmocka_unit_test(a_server_that_never_answers_is_left_alone),
        cmocka_unit_test(a_server_without_echo_is_asked_for_its_domain),
        cmocka_unit_test(a_domain_of_one_label_has_none_above),
        cmocka_unit_test(a_twin_is_found_and_told_once),
        cmocka_unit_test(a_late_twin_is_found),
        cmocka_unit_test(all_echoes_lost_on_a_busy_link_is_a_twin),
        cmocka_unit_test(a_ping_of_another_instance_starts_a_test),
        cmocka_unit_test(strangers_cannot_take_part),
        cmocka_unit_test(odd_answers_are_ignored),
        cmocka_unit_test(a_test_starts_anew_with_each_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
