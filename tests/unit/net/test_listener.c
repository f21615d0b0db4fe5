#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/net/probe.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { CLIENTS = 8 };

struct fixture {
    struct loop *loop;
    struct listener *listener;
    struct probe served[CLIENTS];
    size_t count, ended;
    size_t expected; // connections, after which the listener closes
    void (*on_accept)(struct fixture *f, struct stream *s);
    char dir[64], path[80];
};

static int setup(void **state)
{
    struct fixture *f = MEM_NEW(struct fixture);
    f->loop = loop_create();
    f->expected = 1;
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/spandrel-listen-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->path, sizeof f->path, "%s/socket", f->dir);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < f->count; i++)
        probe_finish(&f->served[i]);
    loop_destroy(f->loop);
    unlink(f->path);
    assert_int_equal(rmdir(f->dir), 0);
    mem_free(f);
    return 0;
}

static void echo(struct probe *p)
{
    probe_write(p, strbuf_view(&p->got));
    strbuf_clear(&p->got);
}

static void on_accepted(void *ud, struct stream *s)
{
    struct fixture *f = ud;
    assert_true(f->count < CLIENTS);
    if (f->on_accept) {
        f->on_accept(f, s);
    } else {
        struct probe *p = &f->served[f->count++];
        probe_init(p, f->loop);
        p->stream = s;
        p->on_data = echo;
        assert_int_equal(strcmp(stream_peer(s), "unix") == 0, listener_port(f->listener) == 0);
        stream_serve(s, &probe_limits, &probe_events, p, NULL);
    }
    if (--f->expected == 0)
        listener_close(f->listener);
}

// --- clients, each in a thread ---

struct client {
    pthread_t thread;
    uint16_t port;
    const char *path; // of a unix socket
    char got[64];
};

static int client_connect(const struct client *c)
{
    if (!c->path)
        return peer_connect(c->port);
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    (void)snprintf(a.sun_path, sizeof a.sun_path, "%s", c->path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static void *client_run(void *arg)
{
    struct client *c = arg;
    int fd = client_connect(c);
    size_t have = 0;
    peer_send(fd, "ping\n", 5);
    shutdown(fd, SHUT_WR);
    for (ssize_t n; (n = read(fd, c->got + have, sizeof c->got - 1 - have)) > 0;)
        have += (size_t)n;
    close(fd);
    return NULL;
}

static void client_start(struct client *c, uint16_t port, const char *path)
{
    *c = (struct client){.port = port, .path = path};
    assert_int_equal(pthread_create(&c->thread, NULL, client_run, c), 0);
}

static void client_join(struct client *c, const char *expected)
{
    pthread_join(c->thread, NULL);
    assert_string_equal(c->got, expected);
}

// --- TCP ---

static void clients_are_served_over_tcp(void **state)
{
    struct fixture *f = *state;
    struct errmsg msg;
    struct client clients[CLIENTS];
    f->expected = CLIENTS;
    f->listener = listener_tcp(f->loop, "localhost", 0, on_accepted, f, &msg);
    assert_non_null(f->listener);
    for (size_t i = 0; i < CLIENTS; i++)
        client_start(&clients[i], listener_port(f->listener), NULL);
    loop_run(f->loop);
    for (size_t i = 0; i < CLIENTS; i++) {
        client_join(&clients[i], "ping\n");
        assert_int_equal(f->served[i].closed, 1);
        assert_int_equal(f->served[i].err, ERR_OK);
        assert_int_equal(f->served[i].opened, 0); // it was open already
    }
}

static void reset_unserved(struct fixture *f, struct stream *s)
{
    (void)f;
    assert_int_equal(strncmp(stream_peer(s), "127.0.0.1:", 10), 0);
    stream_reset(s);
}

static void close_unserved(struct fixture *f, struct stream *s)
{
    (void)f;
    stream_close(s);
}

static void an_unserved_stream_can_be_refused(void **state)
{
    struct fixture *f = *state;
    static void (*const ways[])(struct fixture * f, struct stream * s) = {reset_unserved, close_unserved};
    for (size_t i = 0; i < 2; i++) {
        struct client c;
        struct errmsg msg;
        f->on_accept = ways[i];
        f->expected = 1;
        f->listener = listener_tcp(f->loop, "127.0.0.1", 0, on_accepted, f, &msg);
        client_start(&c, listener_port(f->listener), NULL);
        loop_run(f->loop);
        client_join(&c, "");
    }
}

static void a_place_that_cannot_be_listened_on_is_named(void **state)
{
    struct fixture *f = *state;
    uint16_t taken;
    int fd = peer_bind(&taken, 8);
    char text[96];
    (void)snprintf(text, sizeof text, "listen on 127.0.0.1:%u: address already in use", taken);
    const struct {
        const char *host;
        uint16_t port;
        const char *text;
    } cases[] = {
        {"127.0.0.1", taken, text},
        {"example.org", 1, "listen on example.org: not an IP address"},
        {"", 1, "listen on : not an IP address"},
        {"192.0.2.1", 1, "listen on 192.0.2.1:1: address not available"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct errmsg msg;
        assert_null(listener_tcp(f->loop, cases[i].host, cases[i].port, on_accepted, f, &msg));
        assert_string_equal(msg.text, cases[i].text);
    }
    close(fd);
}

// --- unix sockets ---

static unsigned mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    return st.st_mode & 07777;
}

static void clients_are_served_over_a_unix_socket(void **state)
{
    struct fixture *f = *state;
    struct errmsg msg;
    struct client c;
    f->listener = listener_unix(f->loop, f->path, 0600, on_accepted, f, &msg);
    assert_non_null(f->listener);
    assert_int_equal(listener_port(f->listener), 0);
    client_start(&c, 0, f->path);
    loop_run(f->loop);
    client_join(&c, "ping\n");
    assert_int_equal(access(f->path, F_OK), -1); // unlinked
}

static void the_mode_is_as_asked(void **state)
{
    struct fixture *f = *state;
    static const unsigned modes[] = {0600, 0660, 0666};
    mode_t before = umask(027);
    for (size_t i = 0; i < 3; i++) {
        struct errmsg msg;
        struct listener *ln = listener_unix(f->loop, f->path, modes[i], on_accepted, f, &msg);
        assert_non_null(ln);
        assert_int_equal(mode_of(f->path), modes[i]);
        listener_close(ln);
    }
    umask(before);
    listener_close(NULL);
}

// A socket file whose owner died.
static void leave_socket(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    (void)snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    close(fd);
}

static void a_dead_socket_is_replaced(void **state)
{
    struct fixture *f = *state;
    struct errmsg msg;
    struct client c;
    leave_socket(f->path);
    f->listener = listener_unix(f->loop, f->path, 0600, on_accepted, f, &msg);
    assert_non_null(f->listener);
    client_start(&c, 0, f->path);
    loop_run(f->loop);
    client_join(&c, "ping\n");
}

static void a_live_socket_is_not_stolen(void **state)
{
    struct fixture *f = *state;
    struct errmsg msg;
    struct listener *live = listener_unix(f->loop, f->path, 0600, on_accepted, f, &msg);
    assert_null(listener_unix(f->loop, f->path, 0600, on_accepted, f, &msg));
    assert_non_null(strstr(msg.text, f->path));
    assert_non_null(strstr(msg.text, "another process listens there"));
    assert_int_equal(mode_of(f->path), 0600);
    listener_close(live);
}

static void a_file_is_not_replaced(void **state)
{
    struct fixture *f = *state;
    struct errmsg msg;
    FILE *file = fopen(f->path, "w");
    fclose(file);
    assert_null(listener_unix(f->loop, f->path, 0600, on_accepted, f, &msg));
    assert_non_null(strstr(msg.text, "no socket"));
    assert_int_equal(access(f->path, F_OK), 0);
}

static void another_ones_socket_stays_at_close(void **state)
{
    struct fixture *f = *state;
    struct errmsg msg;
    struct listener *ln = listener_unix(f->loop, f->path, 0600, on_accepted, f, &msg);
    unlink(f->path);
    leave_socket(f->path);
    listener_close(ln);
    assert_int_equal(access(f->path, F_OK), 0);
}

static void paths_that_cannot_be_are_named(void **state)
{
    struct fixture *f = *state;
    char endless[200];
    memset(endless, 'p', sizeof endless);
    endless[sizeof endless - 1] = '\0';
    const struct {
        const char *path, *text;
    } cases[] = {
        {"", "empty or longer"},
        {endless, "empty or longer"},
        {"/nowhere/at/all", "no such file or directory"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct errmsg msg;
        assert_null(listener_unix(f->loop, cases[i].path, 0600, on_accepted, f, &msg));
        assert_non_null(strstr(msg.text, cases[i].text));
    }
}

#define LISTENER_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LISTENER_TEST(clients_are_served_over_tcp),
        LISTENER_TEST(an_unserved_stream_can_be_refused),
        LISTENER_TEST(a_place_that_cannot_be_listened_on_is_named),
        LISTENER_TEST(clients_are_served_over_a_unix_socket),
        LISTENER_TEST(the_mode_is_as_asked),
        LISTENER_TEST(a_dead_socket_is_replaced),
        LISTENER_TEST(a_live_socket_is_not_stolen),
        LISTENER_TEST(a_file_is_not_replaced),
        LISTENER_TEST(another_ones_socket_stays_at_close),
        LISTENER_TEST(paths_that_cannot_be_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
