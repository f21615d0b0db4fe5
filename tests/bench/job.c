#include "job.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct job_kind {
    const char *name;
    bool (*ready)(const struct peers *p); // to send one more
    void (*send)(struct peers *p, uint64_t n, unsigned device);
    uint64_t (*answers)(const struct peers *p);
};

int64_t job_clock(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* The XMPP side */

static uint64_t replies(const struct peers *p)
{
    return p->xmpp.messages + p->xmpp.errors;
}

static uint64_t results(const struct peers *p)
{
    return p->xmpp.results + p->xmpp.errors;
}

static uint64_t available(const struct peers *p)
{
    return p->xmpp.available;
}

static uint64_t unavailable(const struct peers *p)
{
    return p->xmpp.unavailable;
}

static bool xmpp_ready(const struct peers *p)
{
    const struct job *j = &p->job;
    return p->xmpp.state == XMPP_UP && peer_hungry(&p->xmpp.peer) && j->sent - j->kind->answers(p) < j->window;
}

// Each user has a rate limit of his own.
static unsigned user_of(const struct peers *p, uint64_t n)
{
    return (unsigned)(p->job.base + n % p->job.users);
}

static void send_chat(struct peers *p, uint64_t n, unsigned device)
{
    xmpp_peer_chat(&p->xmpp, user_of(p, n), device, n);
}

static void send_ping(struct peers *p, uint64_t n, unsigned device)
{
    (void)device;
    xmpp_peer_ping(&p->xmpp, user_of(p, n), n);
}

static void send_disco(struct peers *p, uint64_t n, unsigned device)
{
    xmpp_peer_disco(&p->xmpp, user_of(p, n), device, n);
}

/* The MQTT side */

static bool mqtt_ready(const struct peers *p)
{
    return mqtt_peer_ready(&p->mqtt, (unsigned)p->job.qos);
}

static bool never(const struct peers *p)
{
    (void)p;
    return false;
}

static void publish(struct peers *p, const char *kind, unsigned device, const char *payload, bool retain)
{
    mqtt_peer_publish(&p->mqtt, kind, device, str_c(payload), (unsigned)p->job.qos, retain);
}

// A text of 100 bytes that is another each time: the contact says it.
static void send_alert(struct peers *p, uint64_t n, unsigned device)
{
    char text[128];
    (void)snprintf(text, sizeof text, "%08" PRIu64 "-%091d", n + p->job.base, 0);
    publish(p, "note", device, text, false);
}

// The same with JSON around it.
static void send_json(struct peers *p, uint64_t n, unsigned device)
{
    char text[160];
    (void)snprintf(text, sizeof text, "{\"note\": \"%08" PRIu64 "-%070d\", \"battery\": 97}", n + p->job.base, 0);
    publish(p, "json", device, text, false);
}

// A message that is acknowledged when it is on the disk: when that was asked for, by packet identifier.
static int64_t published_at[65536];

static void send_promise(struct peers *p, uint64_t n, unsigned device)
{
    send_alert(p, n, device);
    published_at[p->mqtt.mid] = job_clock();
}

static void acked(void *ud, unsigned mid)
{
    struct job *j = &((struct peers *)ud)->job;
    if (j->kind && j->answers < j->count && published_at[mid])
        j->took[j->answers++] = job_clock() - published_at[mid];
}

static uint64_t acks(const struct peers *p)
{
    return p->mqtt.acks;
}

// A reading that changes and that nobody is told of; the last message of the job is one that is told.
static void send_quiet(struct peers *p, uint64_t n, unsigned device)
{
    char text[32];
    if (n + 1 == p->job.count) {
        send_alert(p, n, 0);
        return;
    }
    (void)snprintf(text, sizeof text, "%" PRIu64 ".5", (n + p->job.base) % 100000);
    publish(p, "level", device, text, false);
}

static void send_online(struct peers *p, uint64_t n, unsigned device)
{
    (void)n;
    publish(p, "status", device, "online", true);
}

static void send_offline(struct peers *p, uint64_t n, unsigned device)
{
    (void)n;
    p->job.asked[device] = job_clock();
    publish(p, "status", device, "offline", true);
}

static void gone(void *ud, unsigned device)
{
    struct job *j = &((struct peers *)ud)->job;
    if (j->kind && device < j->devices && j->asked[device] && j->answers < j->count)
        j->took[j->answers++] = job_clock() - j->asked[device];
}

/* Webhooks */

static bool http_ready(const struct peers *p)
{
    const struct job *j = &p->job;
    return p->xmpp.state == XMPP_UP && http_peer_ready(&p->http) && j->sent - p->xmpp.reflected < j->window;
}

static void send_hook(struct peers *p, uint64_t n, unsigned device)
{
    const struct job *j = &p->job;
    (void)device;
    http_peer_post(&p->http, j->base + n, j->keys, j->gap_us ? j->next : job_clock());
}

// Answered, and said in the room.
static uint64_t said(const struct peers *p)
{
    uint64_t answers = p->http.answers, reflected = p->xmpp.reflected + p->http.errors;
    return answers < reflected ? answers : reflected;
}

static void http_answered(void *ud, int64_t asked)
{
    struct job *j = &((struct peers *)ud)->job;
    if (j->kind && j->answers < j->count)
        j->took[j->answers++] = job_clock() - asked;
}

static const struct job_kind kinds[] = {
    {"chat", xmpp_ready, send_chat, replies},
    {"ping", xmpp_ready, send_ping, results},
    {"disco", xmpp_ready, send_disco, results},
    {"alert", mqtt_ready, send_alert, replies},
    {"promise", mqtt_ready, send_promise, acks},
    {"json", mqtt_ready, send_json, replies},
    {"quiet", mqtt_ready, send_quiet, replies},
    {"online", mqtt_ready, send_online, available},
    {"offline", mqtt_ready, send_offline, unavailable},
    {"resync", never, NULL, available},
    {"hook", http_ready, send_hook, said},
};

/* The job */

static bool read_option(struct job *j, struct str word)
{
    const struct {
        const char *name;
        uint64_t *to;
    } options[] = {{"count", &j->count}, {"devices", &j->devices}, {"users", &j->users},
                   {"base", &j->base},   {"qos", &j->qos},         {"window", &j->window},
                   {"gap", &j->gap_us},  {"answers", &j->wanted},  {"keys", &j->keys}};
    struct str name, value;
    (void)str_cut(word, '=', &name, &value);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (str_eq_c(name, options[i].name))
            return str_to_u64(value, options[i].to);
    }
    return false;
}

static bool read_job(struct job *j, struct str line)
{
    struct str word;
    *j = (struct job){.devices = 1, .users = 1, .window = 250};
    if (!str_word(&line, &word))
        return false;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (str_eq_c(word, kinds[i].name))
            j->kind = &kinds[i];
    }
    bool good = j->kind != NULL;
    while (good && str_word(&line, &word))
        good = read_option(j, word);
    if (!j->wanted)
        j->wanted = j->count;
    return good && j->count && j->devices && j->users;
}

static void clear_counts(struct peers *p)
{
    struct xmpp_peer *x = &p->xmpp;
    x->messages = x->available = x->unavailable = x->results = x->errors = x->others = x->reflected = 0;
    p->http.answers = p->http.errors = 0;
    p->mqtt.publishes = p->mqtt.acks = 0;
}

bool job_start(struct peers *p, struct str line)
{
    struct job *j = &p->job;
    if (j->kind || !read_job(j, line)) {
        j->kind = NULL;
        return false;
    }
    clear_counts(p);
    j->asked = mem_zalloc(j->devices, sizeof *j->asked);
    j->took = mem_zalloc(j->count, sizeof *j->took);
    j->began = j->next = job_clock();
    j->connections = p->xmpp.connections;
    p->xmpp.gone = gone;
    p->xmpp.ud = p;
    p->mqtt.acked = j->kind->send == send_promise ? acked : NULL;
    p->mqtt.ud = p;
    p->http.answered = http_answered;
    p->http.ud = p;
    if (j->kind->ready == never)
        peer_drop(&p->xmpp.peer), p->xmpp.state = XMPP_CLOSED;
    return true;
}

static bool may_send(const struct peers *p)
{
    const struct job *j = &p->job;
    return j->sent < j->count && j->kind->ready(p) && (!j->gap_us || job_clock() >= j->next);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

void job_counts(const struct peers *p, struct strbuf *out)
{
    const struct xmpp_peer *x = &p->xmpp;
    strbuf_printf(out,
                  " sent=%" PRIu64 " messages=%" PRIu64 " errors=%" PRIu64 " available=%" PRIu64 " unavailable=%" PRIu64
                  " results=%" PRIu64 " publishes=%" PRIu64 " reflected=%" PRIu64,
                  p->job.sent, x->messages, x->errors + p->http.errors, x->available, x->unavailable, x->results,
                  p->mqtt.publishes, x->reflected);
}

static void finish(struct peers *p, struct strbuf *out)
{
    struct job *j = &p->job;
    size_t n = j->answers;
    strbuf_printf(out, "seconds=%.6f", (double)(job_clock() - j->began) / 1e6);
    job_counts(p, out);
    qsort(j->took, n, sizeof *j->took, by_value);
    if (n)
        strbuf_printf(out, " p50_us=%" PRId64 " p99_us=%" PRId64 " max_us=%" PRId64, j->took[n / 2],
                      j->took[n * 99 / 100], j->took[n - 1]);
    mem_free(j->asked);
    mem_free(j->took);
    *j = (struct job){.kind = NULL};
}

// What happens after a lost link is timed from the moment that it is up again.
static void await_link(struct peers *p)
{
    struct job *j = &p->job;
    if (j->kind->ready != never || j->connections == p->xmpp.connections)
        return;
    j->connections = p->xmpp.connections;
    j->began = job_clock();
}

bool job_work(struct peers *p, struct strbuf *out)
{
    struct job *j = &p->job;
    if (!j->kind)
        return false;
    await_link(p);
    while (may_send(p)) {
        j->kind->send(p, j->sent, (unsigned)(j->sent % j->devices));
        j->sent++;
        j->next += (int64_t)j->gap_us;
    }
    if (j->kind->answers(p) < j->wanted)
        return false;
    finish(p, out);
    return true;
}

int job_wait(const struct peers *p)
{
    const struct job *j = &p->job;
    if (!j->kind || !j->gap_us || j->sent == j->count)
        return -1;
    int64_t left = j->next - job_clock();
    return left > 0 ? (int)((left + 999) / 1000) : 0;
}
