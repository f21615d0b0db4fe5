#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/link_driver.h"
#include "unit/net/probe.h"

#define HEADER                                                                                                         \
    "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' "                                             \
    "xmlns:stream='http://etherx.jabber.org/streams' id='4711' from='bridge.localhost'>"
#define BEGINNING "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept'"
#define END "</stream:stream>"

struct fixture {
    struct loop *loop;
    struct component *component;
    struct link_driver *driver;
    struct log_ctx log;
    struct timer watchdog;
    struct defer turn;
    struct peer server;
    int ups, downs, stanzas, congested, relieved;
    enum err down;
    void (*on_up)(struct fixture *f);
    void (*on_down)(struct fixture *f);
    void (*on_stanza)(struct fixture *f);
    void (*on_congested)(struct fixture *f, bool is);
    struct str much;
    size_t given; // bytes of `much` that the component has taken
};

// --- the driver's owner, as the daemon is ---

static void on_turn(void *ud)
{
    struct fixture *f = ud;
    if (f->driver)
        link_driver_poke(f->driver);
}

static void work(void *ud)
{
    struct fixture *f = ud;
    defer_set(&f->turn);
}

static void on_congested(void *ud, size_t number, bool is)
{
    struct fixture *f = ud;
    assert_int_equal(number, 3);
    assert_int_equal(f->congested, f->relieved + !is); // by turns
    is ? f->congested++ : f->relieved++;
    if (f->on_congested)
        f->on_congested(f, is);
}

static void on_up(void *ud)
{
    struct fixture *f = ud;
    f->ups++;
    if (f->on_up)
        f->on_up(f);
}

static void on_down(void *ud, enum err e, struct str why)
{
    struct fixture *f = ud;
    (void)why;
    f->downs++;
    f->down = e;
    if (f->on_down)
        f->on_down(f);
}

static void on_stanza(void *ud, const struct xml_node *stanza)
{
    struct fixture *f = ud;
    assert_non_null(stanza);
    f->stanzas++;
    if (f->on_stanza)
        f->on_stanza(f);
}

static void on_oversize(void *ud, const struct xml_node *head)
{
    (void)ud;
    fail_msg("oversize: " STR_FMT, STR_ARG(head->name));
}

static void on_notice(void *ud, struct str text)
{
    (void)ud;
    (void)text;
}

static void bark(void *ud)
{
    (void)ud;
    fail_msg("the link did not end in time");
}

static int setup(void **state)
{
    static const struct component_events events = {on_up, on_down, on_stanza, on_oversize, on_notice};
    struct fixture *f = MEM_NEW(struct fixture);
    const struct component_config cfg = {STR("bridge.localhost"), STR("secret"), STR("the server"), 1};
    f->loop = loop_create();
    f->log = (struct log_ctx){.sub = LOG_SUB_app};
    f->component = component_create(&cfg, &events, f, &f->log);
    defer_init(&f->turn, f->loop, on_turn, f);
    timer_init(&f->watchdog, f->loop, bark, f);
    timer_set(&f->watchdog, loop_now(f->loop) + WATCHDOG_MS);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    component_destroy(f->component);
    timer_finish(&f->watchdog);
    loop_destroy(f->loop);
    mem_free(f);
    return 0;
}

static void make_driver(struct fixture *f, uint16_t port)
{
    static const struct link_driver_events events = {work, on_congested};
    const struct link_driver_config cfg = {.host = "127.0.0.1", .port = port};
    f->driver = link_driver_create(f->loop, f->component, &cfg, &events, f, 3, &f->log);
}

static void drop_driver(struct fixture *f)
{
    link_driver_close(f->driver);
    f->driver = NULL;
    timer_finish(&f->watchdog);
}

// Runs until the component is idle, or a hook has dropped the driver.
static void run(struct fixture *f, void (*script)(struct peer *p, int fd))
{
    peer_start(&f->server, script, f);
    make_driver(f, f->server.port);
    component_start(f->component, loop_now(f->loop));
    link_driver_poke(f->driver);
    loop_run(f->loop);
    peer_join(&f->server);
}

// --- the server ---

// Reads on until `end` has come; false when the connection ends before.
static bool await(struct peer *p, int fd, struct strbuf *got, struct str end)
{
    (void)p;
    char byte;
    while (str_find_str(strbuf_view(got), end) < 0) {
        if (read(fd, &byte, 1) != 1)
            return false;
        strbuf_char(got, byte);
    }
    return true;
}

static bool shake_hands(struct peer *p, int fd, struct strbuf *got)
{
    strbuf_init(got, 1 << 16);
    if (!await(p, fd, got, STR("to='bridge.localhost'>")) || !str_starts(strbuf_view(got), STR(BEGINNING)))
        return false;
    peer_send(fd, HEADER, strlen(HEADER));
    // SHA-1 of "4711secret".
    if (!await(p, fd, got, STR("<handshake>b1f1e2d8eb26c38fde97773c6e450aa1dc7a5499</handshake>")))
        return false;
    peer_send(fd, "<handshake/>", 12);
    return true;
}

static void script_orderly(struct peer *p, int fd)
{
    static const char stanza[] = "<message from='a@b' to='bridge.localhost'><body>x</body></message>";
    struct strbuf got;
    if (shake_hands(p, fd, &got)) {
        peer_send(fd, stanza, sizeof stanza - 1);
        if (await(p, fd, &got, STR("<answer/>")) && await(p, fd, &got, STR(END)))
            (void)snprintf(p->text, sizeof p->text, "answered");
        peer_send(fd, END, strlen(END));
    }
    strbuf_finish(&got);
}

static void answer_and_leave(struct fixture *f)
{
    strbuf_c(component_output(f->component), "<answer/>");
    component_shutdown(f->component, loop_now(f->loop));
}

static void leave_loop(struct fixture *f)
{
    drop_driver(f);
}

static void a_link_comes_up_carries_and_ends(void **state)
{
    struct fixture *f = *state;
    f->on_stanza = answer_and_leave;
    f->on_down = leave_loop;
    run(f, script_orderly);
    assert_int_equal(f->ups, 1);
    assert_int_equal(f->stanzas, 1);
    assert_int_equal(f->downs, 1);
    assert_int_equal(f->down, ERR_OK);
    assert_string_equal(f->server.text, "answered");
    assert_int_equal(component_state(f->component), COMPONENT_IDLE);
}

// The first connection ends with output left over; the second is to begin with a header all the same.
static void script_twice(struct peer *p, int fd)
{
    struct strbuf got;
    bool first = shake_hands(p, fd, &got);
    strbuf_finish(&got);
    shutdown(fd, SHUT_RDWR);
    int again = accept(p->listener, NULL, NULL);
    if (first && again >= 0) {
        bool second = shake_hands(p, again, &got);
        (void)snprintf(p->text, sizeof p->text, "%s", second ? "twice" : "once");
        if (second)
            await(p, again, &got, STR(END));
        strbuf_finish(&got);
    }
    close(again);
}

static void leave_something(struct fixture *f)
{
    if (f->downs == 1)
        strbuf_c(component_output(f->component), "<stale/>");
    else
        drop_driver(f);
}

static void leave_on_second(struct fixture *f)
{
    if (f->ups == 2)
        component_shutdown(f->component, loop_now(f->loop));
}

static void what_is_left_over_does_not_reach_the_next_connection(void **state)
{
    struct fixture *f = *state;
    f->on_up = leave_on_second;
    f->on_down = leave_something;
    run(f, script_twice);
    assert_string_equal(f->server.text, "twice");
    assert_int_equal(f->ups, 2);
}

static void script_slow(struct peer *p, int fd)
{
    struct strbuf got;
    bool good = shake_hands(p, fd, &got);
    strbuf_finish(&got);
    if (!good)
        return;
    usleep(300000); // lint: the peer is slow, which is what is tested
    strbuf_init(&got, 64u << 20);
    char buf[50000];
    for (ssize_t n;
         str_find_str(str_sub(strbuf_view(&got), got.n > sizeof buf ? got.n - sizeof buf : 0, got.n), STR(END)) < 0;) {
        if ((n = read(fd, buf, sizeof buf / 2)) <= 0)
            break;
        strbuf_add(&got, buf, (size_t)n);
    }
    const struct fixture *f = p->arg;
    ptrdiff_t at = str_find_str(strbuf_view(&got), str_sub(f->much, 0, 64));
    if (at >= 0 && str_starts(str_sub(strbuf_view(&got), (size_t)at, got.n), f->much))
        (void)snprintf(p->text, sizeof p->text, "complete");
    strbuf_finish(&got);
}

// As much as the component takes.
static void give(struct fixture *f)
{
    while (f->given < f->much.n) {
        size_t step = f->much.n - f->given < 65536 ? f->much.n - f->given : 65536;
        if (!strbuf_str(component_output(f->component), str_sub(f->much, f->given, f->given + step)))
            return;
        f->given += step;
    }
    component_shutdown(f->component, loop_now(f->loop));
}

static void give_more(struct fixture *f, bool is)
{
    if (!is && component_state(f->component) == COMPONENT_UP)
        give(f);
}

enum { MUCH = 24 << 20 };

// More than the component's buffer holds: it is given on as the server reads, and none of it is lost.
static void a_server_that_does_not_read_holds_output_back(void **state)
{
    struct fixture *f = *state;
    char *bytes = mem_alloc(MUCH);
    for (size_t i = 0; i < MUCH; i++)
        bytes[i] = (char)('a' + (i * 7 + i / 251 + i / 65537) % 26);
    f->much = (struct str){bytes, MUCH};
    f->on_up = give;
    f->on_congested = give_more;
    f->on_down = leave_loop;
    run(f, script_slow);
    assert_true(f->congested > 1);
    assert_int_equal(f->given, MUCH);
    assert_string_equal(f->server.text, "complete");
    assert_int_equal(f->down, ERR_OK);
    mem_free(bytes);
}

static void script_garbage(struct peer *p, int fd)
{
    struct strbuf got;
    if (shake_hands(p, fd, &got)) {
        char byte;
        ssize_t n;
        peer_send(fd, "<a></b>", 7);
        do
            n = read(fd, &byte, 1);
        while (n > 0);
        (void)snprintf(p->text, sizeof p->text, "%s", n == 0 ? "end" : strerror(errno));
    }
    strbuf_finish(&got);
}

static struct timer soon;

static void on_soon(void *ud)
{
    drop_driver(ud);
}

static void drop_soon(struct fixture *f)
{
    timer_init(&soon, f->loop, on_soon, f);
    timer_set(&soon, loop_now(f->loop) + 50);
}

static void a_server_that_speaks_no_xmpp_is_reset(void **state)
{
    struct fixture *f = *state;
    f->on_down = drop_soon;
    run(f, script_garbage);
    assert_int_equal(f->down, ERR_PROTO);
    assert_string_equal(f->server.text, strerror(ECONNRESET));
}

// Nobody listens: the component hears of it, and tries again where the driver was told to go meanwhile.
static void script_expected(struct peer *p, int fd)
{
    struct strbuf got;
    if (shake_hands(p, fd, &got) && await(p, fd, &got, STR(END)))
        (void)snprintf(p->text, sizeof p->text, "found");
    strbuf_finish(&got);
}

static void leave_at_once(struct fixture *f)
{
    component_shutdown(f->component, loop_now(f->loop));
}

static void move(void *ud)
{
    struct fixture *f = ud;
    struct arena a;
    arena_init(&a, 0);
    assert_int_equal(component_state(f->component), COMPONENT_WAITING);
    assert_true(str_find_str(component_status(f->component, &a, loop_now(f->loop)), STR("connection refused")) >= 0);
    arena_finish(&a);
    link_driver_configure(f->driver, &(const struct link_driver_config){.host = "localhost", .port = f->server.port});
}

static void a_refused_link_is_tried_again_elsewhere(void **state)
{
    struct fixture *f = *state;
    uint16_t dead;
    int fd = refused_port(&dead);
    struct timer t;
    timer_init(&t, f->loop, move, f);
    timer_set(&t, loop_now(f->loop) + 200);
    f->on_up = leave_at_once;
    f->on_down = leave_loop;
    peer_start(&f->server, script_expected, f);
    make_driver(f, dead);
    component_start(f->component, loop_now(f->loop));
    link_driver_poke(f->driver);
    loop_run(f->loop);
    peer_join(&f->server);
    close(fd);
    assert_string_equal(f->server.text, "found");
}

static void script_wait(struct peer *p, int fd)
{
    peer_drain(p, fd, SIZE_MAX);
}

static void the_driver_can_go_at_any_time(void **state)
{
    struct fixture *f = *state;
    timer_finish(&f->watchdog);
    make_driver(f, 1); // before it was asked for anything
    drop_driver(f);
    loop_run(f->loop);

    peer_start(&f->server, script_wait, f); // while dialling
    make_driver(f, f->server.port);
    component_start(f->component, loop_now(f->loop));
    link_driver_poke(f->driver);
    drop_driver(f);
    loop_run(f->loop);
    peer_join(&f->server);
    assert_int_equal(f->ups + f->downs, 0);
    link_driver_close(NULL);
}

static void the_driver_can_go_while_up(void **state)
{
    struct fixture *f = *state;
    f->on_up = leave_loop;
    run(f, script_orderly);
    assert_int_equal(f->ups, 1);
    assert_int_equal(f->downs, 0); // the component is not touched any more
}

#define DRIVER_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DRIVER_TEST(a_link_comes_up_carries_and_ends),
        DRIVER_TEST(what_is_left_over_does_not_reach_the_next_connection),
        DRIVER_TEST(a_server_that_does_not_read_holds_output_back),
        DRIVER_TEST(a_server_that_speaks_no_xmpp_is_reset),
        DRIVER_TEST(a_refused_link_is_tried_again_elsewhere),
        DRIVER_TEST(the_driver_can_go_at_any_time),
        DRIVER_TEST(the_driver_can_go_while_up),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
