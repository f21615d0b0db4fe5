/* The two fakes that scripts/bench sets around a bridge, in one process so that a latency has one clock: an XMPP server
 * and an MQTT broker. Says "ports XMPP MQTT", then does what standard input tells it, a line each:
 *
 *     ready              answers once both links are up
 *     run KIND count=N   answers with the result; job.c tells the kinds
 *     senders PORT N     keeps so many connections to a port open, for webhooks
 *     count              the counters so far, also while a job runs
 *     stall, resume      the server stops reading, and reads again
 *     mute, unmute       whether the broker answers CONNECT
 *
 * Each answer is one line that begins with the word it answers. Ends with its input. */
#include "job.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

struct console {
    struct strbuf in, out;
    bool ready; // "ready" waits for its answer
    bool ended;
};

static void answer(struct console *c, const char *word, struct str rest)
{
    strbuf_c(&c->out, word);
    strbuf_char(&c->out, ' ');
    strbuf_str(&c->out, rest);
    strbuf_char(&c->out, '\n');
}

static bool switched(struct peers *p, struct str word)
{
    if (str_eq_c(word, "stall"))
        p->xmpp.peer.stalled = true;
    else if (str_eq_c(word, "resume"))
        p->xmpp.peer.stalled = false;
    else if (str_eq_c(word, "mute") || str_eq_c(word, "unmute"))
        mqtt_peer_mute(&p->mqtt, str_eq_c(word, "mute"));
    else
        return false;
    return true;
}

// PORT N
static bool connected(struct peers *p, struct str line)
{
    struct str port, count;
    uint64_t to, n;
    return str_word(&line, &port) && str_word(&line, &count) && str_to_u64(port, &to) && str_to_u64(count, &n) &&
           http_peer_open(&p->http, (unsigned)to, (size_t)n);
}

static void count(struct console *c, const struct peers *p)
{
    strbuf_c(&c->out, "count");
    job_counts(p, &c->out);
    strbuf_char(&c->out, '\n');
}

static void command(struct console *c, struct peers *p, struct str line)
{
    struct str word;
    if (!str_word(&line, &word))
        return;
    if (str_eq_c(word, "ready"))
        c->ready = true;
    else if (str_eq_c(word, "count"))
        count(c, p);
    else if (switched(p, word) || (str_eq_c(word, "senders") && connected(p, line)))
        answer(c, "done", word);
    else if (!str_eq_c(word, "run") || !job_start(p, line))
        answer(c, "error", word);
}

static void read_commands(struct console *c, struct peers *p)
{
    char *to = strbuf_reserve(&c->in, 4096);
    ssize_t n = to ? read(STDIN_FILENO, to, 4096) : 0;
    c->ended = n == 0;
    if (n <= 0)
        return;
    strbuf_grew(&c->in, (size_t)n);
    for (ptrdiff_t end; (end = str_find(strbuf_view(&c->in), '\n')) >= 0;) {
        command(c, p, str_sub(strbuf_view(&c->in), 0, (size_t)end));
        strbuf_consume(&c->in, (size_t)end + 1);
    }
}

static void say(struct console *c)
{
    if (c->ended || !c->out.n)
        return;
    c->ended = write(STDOUT_FILENO, c->out.p, c->out.n) != (ssize_t)c->out.n;
    strbuf_clear(&c->out);
}

static void turn(struct console *c, struct peers *p)
{
    static struct pollfd fds[5 + HTTP_PEER_MAX];
    fds[0] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    peer_watch(&p->xmpp.peer, fds + 1);
    peer_watch(&p->mqtt.peer, fds + 3);
    http_peer_watch(&p->http, fds + 5);
    (void)poll(fds, (nfds_t)(5 + p->http.count), job_wait(p));
    xmpp_peer_work(&p->xmpp, fds + 1);
    mqtt_peer_work(&p->mqtt, fds + 3);
    http_peer_work(&p->http, fds + 5);
    if (fds[0].revents)
        read_commands(c, p);
    struct strbuf result;
    strbuf_init(&result, 4096);
    if (job_work(p, &result))
        answer(c, "run", strbuf_view(&result));
    strbuf_finish(&result);
    if (c->ready && p->xmpp.state == XMPP_UP && (p->mqtt.up || p->mqtt.mute)) {
        c->ready = false;
        answer(c, "ready", STR_NONE);
    }
    say(c);
}

int main(void)
{
    static struct peers p;
    struct console c = {.ended = false};
    strbuf_init(&c.in, 65536);
    strbuf_init(&c.out, 65536);
    mqtt_peer_init(&p.mqtt);
    if (!peer_listen(&p.xmpp.peer) || !peer_listen(&p.mqtt.peer)) {
        perror("bench_peers");
        return 1;
    }
    printf("ports %d %d\n", p.xmpp.peer.port, p.mqtt.peer.port);
    (void)fflush(stdout);
    while (!c.ended)
        turn(&c, &p);
    peer_finish(&p.xmpp.peer);
    mqtt_peer_finish(&p.mqtt);
    http_peer_close(&p.http);
    strbuf_finish(&c.in);
    strbuf_finish(&c.out);
    return 0;
}
