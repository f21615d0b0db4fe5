/* The symbols of mqtt_link.h over the broker in memory: linked before the real ones, so that the rest of the MQTT
 * adapter is the real one. */
#include "scenario/broker.h"
#include "scenario/world.h"

#include "adapters/mqtt/mqtt_topic.h"
#include "base/mem.h"

enum { FLIGHTS = 1000 };

struct mqtt_link {
    const struct mqtt_link_events *ev;
    void *ud;
    struct broker *broker;
    struct session *session;
    uint64_t flights[FLIGHTS]; // tokens of what has no outcome yet
    size_t flight_count;
    bool up;
    void (*closed)(void *ud);
    void *closed_ud;
};

struct fake_link {
    struct mqtt_link link;
};

static struct fake_link *fake_of(struct mqtt_link *l)
{
    return CONTAINER_OF(l, struct fake_link, link);
}

struct mqtt_link *mqtt_link_create(const struct mqtt_link_config *cfg, struct loop *loop, struct rng *rng,
                                   const struct mqtt_link_events *ev, void *ud, const struct log_ctx *log)
{
    (void)loop;
    (void)rng;
    (void)log;
    struct fake_link *f = MEM_NEW(struct fake_link);
    f->link.ev = ev;
    f->link.ud = ud;
    f->link.broker = world_broker();
    f->link.session = broker_session(f->link.broker, cfg->client_id);
    return &f->link;
}

void mqtt_link_start(struct mqtt_link *l)
{
    broker_connect(l->broker, fake_of(l));
}

enum err mqtt_link_subscribe(struct mqtt_link *l, struct str filter, unsigned qos)
{
    if (qos > 1 || !mqtt_topic_filter_valid(filter))
        return ERR_BADREQ;
    session_subscribe(l->session, filter);
    return ERR_OK;
}

void mqtt_link_unsubscribe(struct mqtt_link *l, struct str filter)
{
    session_unsubscribe(l->session, filter);
}

enum err mqtt_link_publish(struct mqtt_link *l, const struct mqtt_publish *p)
{
    if (!l->up)
        return ERR_OFFLINE;
    if (!mqtt_topic_publishable(p->topic))
        return ERR_BADREQ;
    if (l->flight_count == FLIGHTS)
        return ERR_AGAIN;
    enum err e = broker_accept(l->broker, p);
    if (!e && p->token)
        l->flights[l->flight_count++] = p->token;
    return e;
}

void mqtt_link_ack(struct mqtt_link *l)
{
    session_acked(l->session);
}

bool mqtt_link_is_up(const struct mqtt_link *l)
{
    return l->up;
}

struct str mqtt_link_state(const struct mqtt_link *l, struct arena *a)
{
    (void)a;
    return l->up ? STR("up") : STR("down");
}

void mqtt_link_close(struct mqtt_link *l, void (*closed)(void *ud), void *ud)
{
    l->closed = closed;
    l->closed_ud = ud;
}

struct session *fake_link_session(const struct fake_link *f)
{
    return f->link.session;
}

static void end(struct fake_link *f)
{
    struct mqtt_link l = f->link;
    broker_disconnect(l.broker, f);
    session_lose(l.session);
    mem_free(f);
    l.closed(l.closed_ud);
}

static void settle_flights(struct mqtt_link *l, enum err e, const char *why)
{
    for (size_t i = 0; i < l->flight_count; i++)
        l->ev->published(l->ud, l->flights[i], e, why);
    l->flight_count = 0;
}

static void change(struct mqtt_link *l, bool up)
{
    l->up = up;
    if (up) {
        session_resume(l->broker, l->session);
        l->ev->up(l->ud, true, MQTT_5);
        return;
    }
    session_lose(l->session);
    settle_flights(l, ERR_OFFLINE, "connection lost");
    l->ev->down(l->ud, ERR_CLOSED, "cut by the scenario");
}

static void hand_over(void *ud, const struct mqtt_message *m)
{
    struct mqtt_link *l = ud;
    l->ev->message(l->ud, m);
}

static bool read_batch(struct mqtt_link *l)
{
    if (!session_read(l->broker, l->session, hand_over, l))
        return false;
    l->ev->batch(l->ud);
    return true;
}

bool fake_link_work(struct fake_link *f, bool up)
{
    struct mqtt_link *l = &f->link;
    if (l->closed) {
        end(f);
        return true;
    }
    bool busy = l->up != up;
    if (busy)
        change(l, up);
    if (!l->up)
        return busy;
    busy |= read_batch(l);
    if (l->flight_count && broker_confirms(l->broker)) {
        settle_flights(l, ERR_OK, "");
        busy = true;
    }
    return busy;
}
