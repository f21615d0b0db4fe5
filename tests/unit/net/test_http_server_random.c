/* Many clients that send many requests, cut anywhere, to handlers that answer at once, later and in any order: each
 * client gets the right answers in the order in which it asked, and nothing is left over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/net/http_rig.h"

enum { CLIENTS = 12, REQUESTS = 150, ROUNDS = 4 };

struct random {
    uint64_t state;
};

static unsigned pick(struct random *r, unsigned n)
{
    r->state = r->state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)(r->state >> 33) % n;
}

struct expected {
    int status;
    char body[32]; // "" where only the length is known
    size_t length;
};

struct talker {
    struct random random;
    struct strbuf text;
    struct expected expected[REQUESTS];
};

struct fixture {
    struct rig *rig;
    struct random random;
    struct timer timer;
    struct client clients[CLIENTS];
    struct talker talkers[CLIENTS];
};

// --- requests ---

static void say_bytes(struct talker *t, unsigned n)
{
    memset(strbuf_reserve(&t->text, n), 'b', n);
    strbuf_grew(&t->text, n);
}

static void say_body(struct talker *t, unsigned n)
{
    if (pick(&t->random, 2)) {
        strbuf_printf(&t->text, "Content-Length: %u\r\n\r\n", n);
        say_bytes(t, n);
        return;
    }
    strbuf_c(&t->text, "Transfer-Encoding: chunked\r\n\r\n");
    while (n > 0) {
        unsigned part = 1 + pick(&t->random, n);
        strbuf_printf(&t->text, "%x\r\n", part);
        say_bytes(t, part);
        strbuf_c(&t->text, "\r\n");
        n -= part;
    }
    strbuf_c(&t->text, "0\r\n\r\n");
}

static void expect_text(struct talker *t, unsigned i, int status, const char *before, unsigned n, const char *after)
{
    struct expected *e = &t->expected[i];
    e->status = status;
    e->length = (size_t)snprintf(e->body, sizeof e->body, "%s%u%s", before, n, after);
}

static void say_request(struct talker *t, unsigned i)
{
    const char *last = i == REQUESTS - 1 ? "Connection: close\r\n" : "";
    unsigned n;
    switch (pick(&t->random, 5)) {
    case 0:
        strbuf_printf(&t->text, "GET /later/%u HTTP/1.1\r\nHost: a\r\n%s\r\n", i, last);
        expect_text(t, i, 200, "", i, "");
        break;
    case 1:
        n = pick(&t->random, 3000);
        strbuf_printf(&t->text, "POST /length HTTP/1.1\r\nHost: a\r\n%s", last);
        say_body(t, n);
        expect_text(t, i, 200, "", n, "");
        break;
    case 2:
        n = pick(&t->random, 40000);
        strbuf_printf(&t->text, "GET /big/%u HTTP/1.1\r\nHost: a\r\n%s\r\n", n, last);
        t->expected[i] = (struct expected){.status = 200, .length = n};
        break;
    case 3: // answered from its head, its body is dropped
        n = 1 + pick(&t->random, 2000);
        strbuf_printf(&t->text, "POST /early HTTP/1.1\r\nHost: a\r\n%sContent-Length: %u\r\n\r\n", last, n);
        say_bytes(t, n);
        t->expected[i] = (struct expected){.status = 403, .body = "no", .length = 2};
        break;
    default:
        strbuf_printf(&t->text, "GET /path/%u HTTP/1.1\r\nHost: a\r\n%s\r\n", i, last);
        expect_text(t, i, 200, "[path][", i, "]?");
        break;
    }
}

// Sends and reads by turns, so that neither side waits for the other for ever.
static void script_talk(struct client *c, int fd)
{
    struct talker *t = (struct talker *)(uintptr_t)c->arg;
    struct str left = strbuf_view(&t->text);
    while (left.n && !c->closed) {
        size_t n = 1 + pick(&t->random, pick(&t->random, 4) ? 300 : 20000);
        ssize_t sent = send(fd, left.p, n < left.n ? n : left.n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0)
            left = str_sub(left, (size_t)sent, left.n);
        else
            client_read(c, fd);
    }
    client_read_to_end(c, fd);
}

// --- the handler's side ---

static void release_some(void *ud)
{
    struct fixture *f = ud;
    struct rig *r = f->rig;
    for (unsigned n = pick(&f->random, 20); n > 0 && r->held_count > 0; n--) {
        size_t i = pick(&f->random, (unsigned)r->held_count);
        struct http_exchange *x = r->held[i];
        r->held[i] = r->held[--r->held_count];
        rig_answer(x, 200, http_exchange_head(x)->segments[1]);
    }
    timer_set(&f->timer, loop_now(r->loop) + 1);
}

static void check(const struct talker *t, const struct client *c)
{
    struct str rest = strbuf_view(&c->got);
    struct reply reply;
    for (unsigned i = 0; i < REQUESTS; i++) {
        assert_true(reply_next(&rest, false, &reply));
        assert_int_equal(reply.status, t->expected[i].status);
        assert_int_equal(reply.body.n, t->expected[i].length);
        if (t->expected[i].body[0])
            assert_true(str_eq_c(reply.body, t->expected[i].body));
    }
    assert_int_equal(rest.n, 0);
    assert_true(c->closed && !c->reset);
}

static void run(struct fixture *f, uint64_t seed)
{
    f->random.state = seed;
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct talker *t = &f->talkers[i];
        t->random.state = seed * 1000 + i;
        strbuf_init(&t->text, 64 * 1024 * 1024);
        for (unsigned k = 0; k < REQUESTS; k++)
            say_request(t, k);
        f->clients[i] = (struct client){.arg = t};
        client_start(&f->clients[i], f->rig, script_talk);
    }
    timer_set(&f->timer, loop_now(f->rig->loop) + 1);
    rig_run(f->rig);
    timer_set(&f->timer, INT64_MAX);
    for (unsigned i = 0; i < CLIENTS; i++) {
        check(&f->talkers[i], &f->clients[i]);
        client_finish(&f->clients[i]);
        strbuf_finish(&f->talkers[i].text);
    }
}

static void every_answer_comes_in_its_order(void **state)
{
    struct fixture *f = MEM_NEW(struct fixture);
    (void)state;
    f->rig = MEM_NEW(struct rig);
    rig_init(f->rig);
    timer_init(&f->timer, f->rig->loop, release_some, f);
    rig_serve(f->rig, NULL);
    for (uint64_t round = 1; round <= ROUNDS; round++)
        run(f, round);
    struct http_server_stats stats = http_server_stats(f->rig->server);
    assert_int_equal(stats.requests, CLIENTS * REQUESTS * ROUNDS);
    assert_int_equal(stats.buffered, 0);
    assert_int_equal(stats.faults + stats.timeouts, 0);
    assert_int_equal(f->rig->gone, 0);
    assert_int_equal(f->rig->held_count, 0);
    timer_finish(&f->timer);
    rig_finish(f->rig);
    mem_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_answer_comes_in_its_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
