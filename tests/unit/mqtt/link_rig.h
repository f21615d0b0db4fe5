/* A link, a fake broker and a record of what the link said, on one loop. */
#ifndef SPANDREL_TESTS_LINK_RIG_H
#define SPANDREL_TESTS_LINK_RIG_H

#include "lib/check.h"
#include "lib/fake_broker.h"

#include "adapters/mqtt/mqtt_link.h"
#include "base/log.h"
#include "base/rng.h"
#include "net/loop.h"

#include <stdio.h>
#include <stdlib.h>

enum { RIG_KEEP = 4096 };

struct rig_outcome {
    uint64_t token;
    enum err err;
    char why[160];
};

struct rig {
    struct loop *loop;
    struct timer poll;  // looks whether what is waited for has come
    struct timer probe; // fires each millisecond and measures the loop
    int64_t probed, slowest;
    bool (*until)(struct rig *r);
    int64_t deadline;
    bool came;

    struct broker broker;
    struct rng rng;
    struct log_ctx log;
    struct mqtt_link_config cfg;
    struct mqtt_link *link; // NULL once closed
    bool ack_at_once;
    bool close_at_once; // by the first message
    size_t expected;    // by the condition that waits

    size_t ups, downs, batches, poisons, subscribed, refused;
    bool session;
    enum mqtt_protocol protocol;
    enum err down_err;
    char down_why[256];
    size_t batch, largest; // messages of the batch in progress, of the largest
    size_t messages;
    char topics[RIG_KEEP][64];
    char payload[64]; // of the last message
    bool retain;
    struct rig_outcome outcomes[RIG_KEEP];
    size_t outcome_count;
    char refused_filter[64];
    char line[512]; // last of the log
};

static inline void rig_up(void *ud, bool session, enum mqtt_protocol protocol)
{
    struct rig *r = ud;
    r->ups++;
    r->session = session;
    r->protocol = protocol;
}

static inline void rig_down(void *ud, enum err e, const char *why)
{
    struct rig *r = ud;
    r->downs++;
    r->down_err = e;
    snprintf(r->down_why, sizeof r->down_why, "%s", why);
}

static inline void rig_closed(void *ud)
{
    struct rig *r = ud;
    r->link = NULL;
}

static inline void rig_message(void *ud, const struct mqtt_message *m)
{
    struct rig *r = ud;
    if (r->messages < RIG_KEEP)
        snprintf(r->topics[r->messages], sizeof r->topics[0], STR_FMT, STR_ARG(m->topic));
    snprintf(r->payload, sizeof r->payload, STR_FMT, STR_ARG(m->payload));
    r->retain = m->retain;
    r->messages++;
    r->batch++;
    if (r->close_at_once)
        mqtt_link_close(r->link, rig_closed, r);
}

static inline void rig_batch(void *ud)
{
    struct rig *r = ud;
    r->batches++;
    if (r->batch > r->largest)
        r->largest = r->batch;
    r->batch = 0;
    if (r->ack_at_once)
        mqtt_link_ack(r->link);
}

static inline void rig_published(void *ud, uint64_t token, enum err e, const char *why)
{
    struct rig *r = ud;
    assert_true(r->outcome_count < RIG_KEEP);
    struct rig_outcome *o = &r->outcomes[r->outcome_count++];
    o->token = token;
    o->err = e;
    snprintf(o->why, sizeof o->why, "%s", why ? why : "");
}

static inline void rig_poison(void *ud, const char *why)
{
    struct rig *r = ud;
    assert_non_null(why);
    r->poisons++;
}

static inline void rig_subscribed(void *ud, struct str filter, enum err e)
{
    struct rig *r = ud;
    r->subscribed++;
    if (!e)
        return;
    r->refused++;
    snprintf(r->refused_filter, sizeof r->refused_filter, STR_FMT, STR_ARG(filter));
}

static const struct mqtt_link_events rig_events = {rig_up,        rig_down,   rig_message,   rig_batch,
                                                   rig_published, rig_poison, rig_subscribed};

static inline void rig_poll(void *ud)
{
    struct rig *r = ud;
    r->came = r->until(r);
    if (r->came || loop_now(r->loop) > r->deadline)
        loop_stop(r->loop);
    else
        timer_set(&r->poll, loop_now(r->loop) + 2);
}

// Runs the loop until the condition holds; false when it does not within `ms`.
static inline bool rig_wait(struct rig *r, bool (*until)(struct rig *r), int64_t ms)
{
    r->until = until;
    r->deadline = loop_now(r->loop) + ms;
    timer_set(&r->poll, loop_now(r->loop));
    loop_run(r->loop);
    return r->came;
}

static inline bool rig_never(struct rig *r)
{
    (void)r;
    return false;
}

static inline void rig_pause(struct rig *r, int64_t ms)
{
    (void)rig_wait(r, rig_never, ms);
}

static inline bool rig_is_up(struct rig *r)
{
    return mqtt_link_is_up(r->link);
}

static inline bool rig_is_down(struct rig *r)
{
    return r->downs > 0;
}

static inline bool rig_is_closed(struct rig *r)
{
    return r->link == NULL;
}

static inline void rig_probe(void *ud)
{
    struct rig *r = ud;
    int64_t now = loop_now(r->loop);
    if (r->probed && now - r->probed > r->slowest)
        r->slowest = now - r->probed;
    r->probed = now;
    timer_set(&r->probe, now + 1);
}

static inline void rig_log(void *ud, struct str line)
{
    struct rig *r = ud;
    snprintf(r->line, sizeof r->line, STR_FMT, STR_ARG(line));
    if (getenv("RIG_LOG"))
        print_message(STR_FMT "\n", STR_ARG(line));
}

static inline void rig_init(struct rig *r)
{
    memset(r, 0, sizeof *r);
    log_to_sink(rig_log, r);
    r->loop = loop_create();
    rng_init(&r->rng, 1);
    r->log = (struct log_ctx){NULL, LOG_SUB_mqtt, NULL, NULL};
    timer_init(&r->poll, r->loop, rig_poll, r);
    timer_init(&r->probe, r->loop, rig_probe, r);
    broker_start(&r->broker, loop_uv(r->loop), 0);
    r->ack_at_once = true;
    r->cfg = (struct mqtt_link_config){.host = "127.0.0.1",
                                       .port = (uint16_t)r->broker.port,
                                       .client_id = "rig",
                                       .keepalive_s = 30,
                                       .session_expiry_s = 3600,
                                       .receive_maximum = 1000,
                                       .packet_maximum = 65536};
}

static inline void rig_start(struct rig *r)
{
    r->link = mqtt_link_create(&r->cfg, r->loop, &r->rng, &rig_events, r, &r->log);
    mqtt_link_start(r->link);
}

static inline void rig_up_now(struct rig *r)
{
    rig_start(r);
    assert_true(rig_wait(r, rig_is_up, 5000));
}

static inline void rig_close(struct rig *r)
{
    if (!r->link)
        return;
    mqtt_link_close(r->link, rig_closed, r);
    assert_true(rig_wait(r, rig_is_closed, 5000));
}

static inline void rig_finish(struct rig *r)
{
    rig_close(r);
    broker_stop(&r->broker);
    rig_pause(r, 10);
    timer_finish(&r->poll);
    timer_finish(&r->probe);
    loop_run(r->loop);
    loop_destroy(r->loop);
}

/* Conditions, and what is done in many tests. */

static inline bool got_messages(struct rig *r)
{
    return r->messages >= r->expected;
}

static inline bool got_pubacks(struct rig *r)
{
    return broker_count(&r->broker, BROKER_PUBACK) >= r->expected;
}

static inline bool got_connect(struct rig *r)
{
    return broker_count(&r->broker, BROKER_CONNECT) >= r->expected;
}

#define AWAIT(r, condition, count) ((r)->expected = (count), rig_wait((r), (condition), 8000))

static inline void publish_many(struct rig *r, unsigned qos, int count)
{
    char topic[32];
    for (int i = 1; i <= count; i++) {
        snprintf(topic, sizeof topic, "d/%d", i);
        broker_publish(&r->broker, str_c(topic), STR("x"), qos, false, i);
    }
}

static inline enum err say(struct rig *r, const char *topic, unsigned qos, uint64_t token)
{
    const struct mqtt_publish p = {.topic = str_c(topic), .payload = STR("on"), .qos = qos, .token = token};
    return mqtt_link_publish(r->link, &p);
}

static inline void assert_state_has(struct rig *r, const char *words)
{
    struct arena a;
    arena_init(&a, 0);
    struct str state = mqtt_link_state(r->link, &a);
    if (str_find_str(state, str_c(words)) < 0)
        fail_msg("\"%s\" is not in \"" STR_FMT "\"", words, STR_ARG(state));
    arena_finish(&a);
}

#endif
