/* The states of a connection, and what is remembered over them: subscriptions, the backoff, the hold on
 * acknowledgements.
 *
 * Happy path: IDLE -> CONNECTING (a thread) -> GREETING (TLS, CONNECT) -> UP -> LEAVING (DISCONNECT) -> gone.
 *
 * The hold: after a batch was handed over nothing is read or written until mqtt_link_ack(), because the library would
 * write the PUBACKs with anything else. A publish waits for it too; commits take milliseconds. The keepalive waits as
 * well: a commit of more than half a keepalive is told in the log. A batch of QoS 0 alone is held as long as the XMPP
 * server takes nothing. Then we may write, but not ping by the library: it gives up the connection when it has not read
 * the answer a keepalive later. So it is not let to look at the time until a second after the hold, and the broker is
 * kept content by an UNSUBSCRIBE of nothing at each half keepalive.
 *
 * Failures: whatever ends a connection is noted in it and acted upon at the end of the turn, in on_settle(), so that no
 * callback ever sees its connection vanish. Publishes without an outcome fail then, once; the connection is never used
 * again, so that the library cannot send them later. Then WAITING, by the class of the failure. A peer that hangs (name
 * server, connect, TLS, CONNACK) is given up in time; its thread ends by itself.
 *
 * Poison: when the library cannot pass a message, batches shrink to one so that all before it is acknowledged, however
 * much that is; at the third failure without progress the session is given up. If the message comes back all the same
 * it is a retained one: then the next clean session is subscribed without retained messages (MQTT 5). */
#include "adapters/mqtt/mqtt_conn.h"
#include "adapters/mqtt/mqtt_settings.h"
#include "adapters/mqtt/mqtt_subs.h"
#include "adapters/mqtt/mqtt_topic.h"
#include "adapters/mqtt/mqtt_window.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/fsm.h"

#include <mosquitto.h>
#include <unistd.h>

enum {
    CONNECT_MS = 15 * 1000, // by default: resolve, connect, TLS and CONNACK
    LEAVE_MS = 2 * 1000,    // for the last words
    TICK_MS = 1000,
    STEADY_MS = 10 * 1000, // up for so long: the next failure is a new one
    AGAIN = 2048,          // more than may be unacknowledged: repetitions come first in a resumed session
    STRIKES = 3,           // the same message failed so often: it will not pass
    OUSTED = 5,            // connections in a row that the broker ended soon: somebody has our name
    RETAINED_OFF = 2,      // clean sessions for one: it must be a retained one
};

enum state { IDLE, CONNECTING, GREETING, UP, WAITING, LEAVING, STATES };

static const struct fsm_state states[STATES] = {
    [IDLE] = {"idle", FSM_TO(CONNECTING) | FSM_TO(LEAVING)},
    [CONNECTING] = {"connecting", FSM_TO(GREETING) | FSM_TO(WAITING) | FSM_TO(LEAVING)},
    [GREETING] = {"greeting", FSM_TO(UP) | FSM_TO(WAITING) | FSM_TO(LEAVING)},
    [UP] = {"up", FSM_TO(WAITING) | FSM_TO(LEAVING)},
    [WAITING] = {"waiting", FSM_TO(CONNECTING) | FSM_TO(LEAVING)},
    [LEAVING] = {"leaving", 0},
};

static const struct fsm_def machine = {"mqtt link", states, STATES};

struct mqtt_link {
    struct mqtt_link_config cfg; // owned
    struct loop *loop;
    struct rng *rng;
    struct log_ctx log;
    const struct mqtt_link_events *ev;
    void *ud;

    struct fsm fsm;
    struct timer timer; // of the state: give up, next try, tick
    struct timer pump;  // reading goes on in the next turn
    struct defer settle;
    struct loop_wake *wake;
    struct mqtt_conn *conn; // NULL while IDLE and WAITING
    struct loop_poll *poll;
    int fd;       // polled duplicate of the socket, or -1
    int interest; // events polled for

    struct mqtt_subs subs;
    struct mqtt_window window;
    struct strbuf topic; // NUL-terminated copy of what is published to

    size_t batch;       // messages of the read in progress
    bool batch_durable; // one of them has QoS 1
    unsigned again;     // so many more of QoS 1 may be repetitions of what an earlier connection took
    bool held;          // mqtt_link_ack() is awaited
    bool held_told;
    bool unread;     // a tick saw the hold: the answer to a ping may still lie in the socket
    int64_t stirred; // when the broker was last kept content
    bool more;       // the read stopped at its limit
    bool blocked;    // the socket takes no more
    int64_t held_since;

    bool old_broker;   // MQTT 5 was refused
    bool outage;       // down() was said
    unsigned strikes;  // failures by a message, since an acknowledged one
    unsigned ousted;   // connections in a row that the broker ended soon
    bool careful;      // it may come again: one at a time
    unsigned poisoned; // clean sessions for it
    bool clean;        // the next connection gives up the session
    bool renew;        // this one did, and would keep none (MQTT 3.1.1)
    struct backoff backoff[MQTT_RETRIES];
    struct mqtt_fault fault; // the last one

    bool closing;
    void (*closed)(void *ud);
    void *closed_ud;
};

static int64_t now(const struct mqtt_link *l)
{
    return loop_now(l->loop);
}

static void set_state(struct mqtt_link *l, enum state to, int64_t timeout)
{
    fsm_move(&l->fsm, to, now(l), &l->log);
    timer_set(&l->timer, timeout);
}

static bool in_state(const struct mqtt_link *l, enum state s)
{
    return l->fsm.state == (unsigned)s;
}

static bool speaks_v5(const struct mqtt_link *l)
{
    return l->cfg.protocol == MQTT_5 || (l->cfg.protocol == MQTT_AUTO && !l->old_broker);
}

// Nothing may be written: the acknowledgements of what is not yet durable would go along.
static bool withheld(const struct mqtt_link *l)
{
    return l->held && l->batch_durable;
}

/* What the connection says; called from inside the library. */

static void send_birth(struct mqtt_link *l)
{
    const struct mqtt_link_config *cfg = &l->cfg;
    int mid = 0;
    if (!cfg->birth_topic || !cfg->birth_payload)
        return;
    const struct mqtt_publish birth = {.payload = str_c(cfg->birth_payload), .qos = 1, .retain = true};
    enum err e = mqtt_conn_publish(l->conn, cfg->birth_topic, &birth, &mid);
    if (e)
        log_warn(&l->log, LOG_MSG("birth message not sent"), LOG_ERR(e));
    else
        mqtt_window_put(&l->window, mid, 0);
}

static void on_greeted(void *ud, bool session_present, unsigned receive_maximum)
{
    struct mqtt_link *l = ud;
    if (!in_state(l, GREETING))
        return; // a broker that greets twice
    bool renew = l->clean && !speaks_v5(l);
    l->clean = false;
    if (renew) {
        l->renew = true;
        mqtt_conn_disconnect(l->conn);
        return;
    }
    set_state(l, UP, now(l) + TICK_MS);
    l->outage = false;
    mqtt_window_set_limit(&l->window, receive_maximum > 0 && receive_maximum < MQTT_LINK_WINDOW ? receive_maximum
                                                                                                : MQTT_LINK_WINDOW);
    mqtt_subs_reset(&l->subs, session_present);
    l->again = session_present ? AGAIN : 0;
    log_info(&l->log, LOG_MSG("broker link is up"), LOG_C("protocol", speaks_v5(l) ? "5" : "3.1.1"),
             LOG_C("session", session_present ? "resumed" : "new"), LOG_INT("window", l->window.limit));
    send_birth(l);
    l->ev->up(l->ud, session_present, speaks_v5(l) ? MQTT_5 : MQTT_311);
}

static void on_message(void *ud, const struct mqtt_message *m)
{
    struct mqtt_link *l = ud;
    l->batch++;
    l->batch_durable |= m->qos > 0;
    struct mqtt_message own = *m;
    own.again = m->qos > 0 && l->again > 0;
    l->again -= own.again;
    if (!l->closing) // by the message before
        l->ev->message(l->ud, &own);
}

static void on_invalid(void *ud, const char *why)
{
    struct mqtt_link *l = ud;
    log_warn(&l->log, LOG_MSG("message dropped"), LOG_C("reason", why));
}

static void on_published(void *ud, int mid, int code)
{
    struct mqtt_link *l = ud;
    uint64_t token = 0;
    if (mqtt_window_take(&l->window, mid, &token) && token)
        l->ev->published(l->ud, token, mqtt_reason_err(code), mqtt_reason_text(code));
}

static void on_subscribed(void *ud, int mid, const int *granted, size_t count)
{
    struct mqtt_link *l = ud;
    mqtt_subs_answer(&l->subs, mid, granted, count);
}

static void on_answered(void *ud, struct str filter, int code)
{
    struct mqtt_link *l = ud;
    if (code >= 0x80)
        log_error(&l->log, LOG_MSG("subscription refused by the broker"), LOG_S("filter", filter),
                  LOG_C("reason", mqtt_reason_text(code)));
    l->ev->subscribed(l->ud, filter, mqtt_reason_err(code));
}

static const struct mqtt_conn_events conn_events = {on_greeted, on_message, on_invalid, on_published, on_subscribed};

/* Down. */

static void fail_flights(struct mqtt_link *l, const char *why)
{
    uint64_t token;
    while (mqtt_window_pop(&l->window, &token)) {
        if (token)
            l->ev->published(l->ud, token, ERR_OFFLINE, why);
    }
}

static void drop_conn(struct mqtt_link *l)
{
    if (l->poll)
        loop_poll_close(l->poll);
    if (l->fd >= 0)
        close(l->fd);
    mqtt_conn_destroy(l->conn);
    l->poll = NULL;
    l->fd = -1;
    l->conn = NULL;
    l->held = l->held_told = l->unread = l->more = l->blocked = false;
    l->batch = 0;
    timer_set(&l->pump, INT64_MAX);
}

// Says an outage once; another reason for the same outage goes to the log.
static void tell_down(struct mqtt_link *l, const struct mqtt_fault *f)
{
    bool news = !l->outage || strcmp(f->text, l->fault.text) != 0;
    enum log_level level = !news ? LOG_DEBUG : f->retry == MQTT_RETRY_NETWORK ? LOG_WARN : LOG_ERROR;
    log_at(level, &l->log, LOG_MSG("broker link is down"), LOG_INT("port", l->cfg.port), LOG_ERR(f->err),
           LOG_C("reason", f->text));
    l->fault = *f;
    if (l->outage)
        return;
    l->outage = true;
    l->ev->down(l->ud, f->err, l->fault.text);
}

// It was up for long: what went wrong before is over. That retained messages cannot be read (poisoned twice) is not.
static void forgive(struct mqtt_link *l)
{
    for (size_t i = 0; i < MQTT_RETRIES; i++)
        backoff_reset(&l->backoff[i]);
    l->strikes = 0;
    l->careful = false;
    if (l->poisoned < RETAINED_OFF)
        l->poisoned = 0;
}

// A message that the library cannot read ended the connection.
static void strike(struct mqtt_link *l, const struct mqtt_fault *f)
{
    l->strikes++;
    l->careful = true;
    log_warn(&l->log, LOG_MSG("a message cannot be read"), LOG_INT("time", l->strikes), LOG_C("reason", f->text));
    if (l->strikes < STRIKES)
        return;
    l->strikes = 0;
    l->careful = false;
    l->poisoned++;
    l->clean = true;
    log_error(
        &l->log,
        LOG_MSG("session given up to get past a message that cannot be read: what the broker held for us is lost"),
        LOG_INT("time", l->poisoned));
    l->ev->poison(l->ud, f->text);
}

static bool steady(const struct mqtt_link *l)
{
    return in_state(l, UP) && now(l) - l->fsm.since >= STEADY_MS;
}

// Not all brokers say that another client has taken the session (MQTT 5, 0x8e): they close, and let us in again.
static bool is_ousted(struct mqtt_link *l, const struct mqtt_fault *f, bool poisoned)
{
    bool soon = in_state(l, UP) && !steady(l) && f->err == ERR_CLOSED && f->retry == MQTT_RETRY_NETWORK && !poisoned;
    l->ousted = soon ? l->ousted + 1 : 0;
    return l->ousted >= OUSTED;
}

static void go_down(struct mqtt_link *l, const struct mqtt_fault *f, bool poisoned)
{
    struct mqtt_fault ousted;
    if (is_ousted(l, f, poisoned)) {
        mqtt_fault_set(&ousted, ERR_EXISTS, MQTT_RETRY_TAKEN,
                       "the broker ends each connection soon after it is made: does another client, or another bridge, "
                       "have the same `client_id`? Each needs its own");
        f = &ousted;
    }
    if (steady(l))
        forgive(l);
    drop_conn(l);
    enum mqtt_retry retry = poisoned && l->poisoned < RETAINED_OFF ? MQTT_RETRY_POISON : f->retry;
    set_state(l, WAITING, now(l) + backoff_next(&l->backoff[retry], l->rng));
    fail_flights(l, f->text);
    tell_down(l, f);
    if (poisoned)
        strike(l, f);
}

// Another try at once: the connection was fine, but not what it was made with.
static void again(struct mqtt_link *l)
{
    drop_conn(l);
    set_state(l, WAITING, now(l));
}

static void conn_lost(struct mqtt_link *l)
{
    if (speaks_v5(l) && l->cfg.protocol == MQTT_AUTO && mqtt_conn_refused(l->conn) == MQTT_REASON_VERSION) {
        l->old_broker = true;
        log_info(&l->log, LOG_MSG("the broker does not speak MQTT 5: trying 3.1.1"));
        again(l);
        return;
    }
    struct mqtt_fault fault;
    mqtt_conn_fault(l->conn, &fault);
    go_down(l, &fault, mqtt_conn_poisoned(l->conn));
}

/* Up. */

static void attempt(struct mqtt_link *l)
{
    const struct mqtt_conn_options o = {.v5 = speaks_v5(l), .clean = l->clean};
    set_state(l, CONNECTING, now(l) + (l->cfg.connect_ms ? l->cfg.connect_ms : CONNECT_MS));
    l->conn = mqtt_conn_create(&l->cfg, &o, l->wake, &conn_events, l);
}

static void give_up(struct mqtt_link *l)
{
    struct mqtt_fault fault;
    mqtt_fault_set(&fault, ERR_TIMEOUT, MQTT_RETRY_NETWORK,
                   in_state(l, CONNECTING) ? "the host does not answer" : "connected, but CONNECT is not answered");
    go_down(l, &fault, false);
}

// Nothing once the owner has gone: a message that nobody takes would be acknowledged with the last words.
static void read_some(struct mqtt_link *l)
{
    if (l->held || l->closing)
        return;
    l->batch = 0;
    l->batch_durable = false;
    l->more = mqtt_conn_read(l->conn, l->careful ? 1 : MQTT_LINK_BATCH);
    if (l->batch == 0)
        return;
    l->held = true;
    l->held_told = false;
    l->held_since = now(l);
    if (!l->closing)
        l->ev->batch(l->ud);
}

static void on_ready(void *ud, int events, int status)
{
    struct mqtt_link *l = ud;
    bool readable =
        (events & UV_READABLE) || status < 0 || mqtt_conn_greeting(l->conn); // TLS may read when it can write
    if (readable && !in_state(l, LEAVING))
        read_some(l);
    defer_set(&l->settle);
}

static void on_pump(void *ud)
{
    struct mqtt_link *l = ud;
    if (in_state(l, UP))
        read_some(l);
    defer_set(&l->settle);
}

static void greet(struct mqtt_link *l)
{
    set_state(l, GREETING, l->timer.at);
    l->fd = mqtt_conn_socket(l->conn);
    l->poll = l->fd < 0 ? NULL : loop_poll_create(l->loop, l->fd, on_ready, l);
    l->interest = 0;
    defer_set(&l->settle);
    if (l->poll)
        return;
    struct mqtt_fault fault;
    mqtt_fault_set(&fault, ERR_IO, MQTT_RETRY_NETWORK, "the socket cannot be polled");
    go_down(l, &fault, false);
}

static void on_wake(void *ud)
{
    struct mqtt_link *l = ud;
    if (!in_state(l, CONNECTING) || !mqtt_conn_settled(l->conn))
        return; // the late report of a thread that was given up
    if (mqtt_conn_lost(l->conn))
        conn_lost(l);
    else
        greet(l);
}

static void keep_alive(struct mqtt_link *l)
{
    bool unread = l->held || l->unread;
    l->unread = l->held;
    if (!unread) {
        mqtt_conn_misc(l->conn);
    } else if (!withheld(l) && now(l) - l->stirred >= (int64_t)l->cfg.keepalive_s * 500) {
        mqtt_conn_stir(l->conn);
        l->stirred = now(l);
    }
}

static void tick(struct mqtt_link *l)
{
    timer_set(&l->timer, now(l) + TICK_MS);
    if (l->careful && steady(l))
        forgive(l); // the message has gone, as by its expiry
    int64_t held_ms = l->held ? now(l) - l->held_since : 0;
    keep_alive(l);
    if (held_ms > (int64_t)l->cfg.keepalive_s * 500 && !l->held_told) {
        l->held_told = true;
        log_warn(
            &l->log, LOG_MSG("what was read is long under way: nothing more is read"),
            LOG_C("waits for", withheld(l) ? "the commit; the broker may think that we are gone" : "the XMPP server"),
            LOG_INT("ms", held_ms));
    }
    defer_set(&l->settle);
}

/* Leaving. */

static void gone(struct mqtt_link *l)
{
    void (*closed)(void *ud) = l->closed;
    void *ud = l->closed_ud;
    drop_conn(l);
    timer_finish(&l->timer);
    timer_finish(&l->pump);
    defer_finish(&l->settle);
    loop_wake_close(l->wake);
    mqtt_subs_finish(&l->subs);
    mqtt_window_finish(&l->window);
    strbuf_finish(&l->topic);
    mqtt_settings_finish(&l->cfg);
    mem_free(l);
    closed(ud);
}

// The broker takes a DISCONNECT for a reason not to send the will: so we say it ourselves.
static void say_goodbye(struct mqtt_link *l)
{
    const struct mqtt_link_config *cfg = &l->cfg;
    int mid;
    const struct mqtt_publish last = {.payload = str_c(cfg->will_payload), .qos = 1, .retain = true};
    if (cfg->birth_topic && cfg->will_payload)
        (void)!mqtt_conn_publish(l->conn, cfg->birth_topic, &last, &mid);
    mqtt_conn_disconnect(l->conn);
}

// While acknowledgements are held nothing may be written: then the connection is cut, and the broker sends the will.
static void leave(struct mqtt_link *l)
{
    bool polite = in_state(l, UP) && !withheld(l) && !mqtt_conn_lost(l->conn);
    set_state(l, LEAVING, now(l) + LEAVE_MS);
    fail_flights(l, "the bridge is closing this link");
    if (!polite) {
        gone(l);
        return;
    }
    say_goodbye(l);
    defer_set(&l->settle);
}

/* The end of a turn: what was queued goes out, what was lost is acted upon. */

static void set_interest(struct mqtt_link *l)
{
    int want = (l->held || in_state(l, LEAVING) ? 0 : UV_READABLE) | (l->blocked ? UV_WRITABLE : 0);
    if (want == l->interest)
        return;
    l->interest = want;
    loop_poll_set(l->poll, want);
}

static void flush(struct mqtt_link *l)
{
    if (withheld(l))
        return;
    if (in_state(l, UP))
        mqtt_subs_send(&l->subs, l->conn, l->poisoned >= RETAINED_OFF);
    l->blocked = mqtt_conn_write(l->conn);
}

static void on_settle(void *ud)
{
    struct mqtt_link *l = ud;
    if (l->closing && !in_state(l, LEAVING)) {
        leave(l);
        return;
    }
    if (!l->poll)
        return;
    flush(l);
    bool lost = mqtt_conn_lost(l->conn);
    if (lost && in_state(l, LEAVING)) {
        gone(l);
    } else if (l->renew) {
        l->renew = false;
        again(l);
    } else if (lost) {
        conn_lost(l);
    } else {
        set_interest(l);
        if (l->more && !l->held && l->cfg.tls)
            timer_set(&l->pump, now(l)); // TLS may hold what no poll will tell of
    }
}

static void on_timer(void *ud)
{
    static void (*const on[STATES])(struct mqtt_link * l) = {
        [IDLE] = attempt, [CONNECTING] = give_up, [GREETING] = give_up,
        [UP] = tick,      [WAITING] = attempt,    [LEAVING] = gone,
    };
    struct mqtt_link *l = ud;
    on[l->fsm.state](l);
}

/* The owner. */

static void init_backoff(struct mqtt_link *l)
{
    static const int64_t floors[MQTT_RETRIES] = {1000, 30 * 1000, 60 * 1000, 50};
    static const int64_t caps[MQTT_RETRIES] = {5 * 1000, 60 * 1000, 300 * 1000, 250};
    for (size_t i = 0; i < MQTT_RETRIES; i++)
        backoff_init(&l->backoff[i], floors[i], caps[i]);
}

struct mqtt_link *mqtt_link_create(const struct mqtt_link_config *cfg, struct loop *loop, struct rng *rng,
                                   const struct mqtt_link_events *ev, void *ud, const struct log_ctx *log)
{
    mosquitto_lib_init(); // counted; not undone, for a thread that was given up may still be in the library
    struct mqtt_link *l = MEM_NEW(struct mqtt_link);
    mqtt_settings_copy(&l->cfg, cfg);
    l->loop = loop;
    l->rng = rng;
    l->log = (struct log_ctx){log, LOG_SUB_mqtt, "broker", l->cfg.host};
    l->ev = ev;
    l->ud = ud;
    l->fd = -1;
    fsm_init(&l->fsm, &machine, IDLE, now(l));
    timer_init(&l->timer, loop, on_timer, l);
    timer_init(&l->pump, loop, on_pump, l);
    defer_init(&l->settle, loop, on_settle, l);
    l->wake = loop_wake_create(loop, on_wake, l);
    mqtt_subs_init(&l->subs, on_answered, l);
    mqtt_window_init(&l->window, MQTT_LINK_WINDOW);
    strbuf_init(&l->topic, MQTT_TOPIC_MAX);
    init_backoff(l);
    return l;
}

void mqtt_link_start(struct mqtt_link *l)
{
    timer_set(&l->timer, now(l)); // from the loop, as all else
}

enum err mqtt_link_subscribe(struct mqtt_link *l, struct str filter, unsigned qos)
{
    if (!mqtt_topic_filter_valid(filter))
        return ERR_BADREQ;
    mqtt_subs_add(&l->subs, filter, qos > 0 ? 1 : 0);
    defer_set(&l->settle);
    return ERR_OK;
}

void mqtt_link_unsubscribe(struct mqtt_link *l, struct str filter)
{
    mqtt_subs_remove(&l->subs, filter);
    defer_set(&l->settle);
}

enum err mqtt_link_publish(struct mqtt_link *l, const struct mqtt_publish *p)
{
    if (!mqtt_link_is_up(l))
        return ERR_OFFLINE;
    if (mqtt_window_full(&l->window))
        return ERR_AGAIN;
    if (!mqtt_topic_publishable(p->topic) || p->qos > 1 ||
        (p->response_topic.n && !mqtt_topic_publishable(p->response_topic)))
        return ERR_BADREQ;
    int mid = 0;
    strbuf_clear(&l->topic);
    strbuf_str(&l->topic, p->topic);
    enum err e = mqtt_conn_publish(l->conn, l->topic.p, p, &mid);
    if (e)
        return e;
    mqtt_window_put(&l->window, mid, p->token);
    defer_set(&l->settle);
    return ERR_OK;
}

void mqtt_link_ack(struct mqtt_link *l)
{
    if (!l->held)
        return;
    l->held = false;
    if (l->batch_durable && !mqtt_conn_lost(l->conn))
        l->strikes = 0;
    defer_set(&l->settle);
}

bool mqtt_link_is_up(const struct mqtt_link *l)
{
    return in_state(l, UP) && !l->closing && !mqtt_conn_lost(l->conn);
}

struct str mqtt_link_state(const struct mqtt_link *l, struct arena *a)
{
    const char *name = fsm_name(&l->fsm);
    struct str at = arena_printf(a, "%s:%u", l->cfg.host, l->cfg.port);
    if (in_state(l, UP))
        return arena_printf(a, "up: " STR_FMT ", MQTT %s, %zu subscriptions", STR_ARG(at), speaks_v5(l) ? "5" : "3.1.1",
                            mqtt_subs_count(&l->subs));
    if (!in_state(l, WAITING))
        return arena_printf(a, "%s: " STR_FMT "%s%s", name, STR_ARG(at), l->outage ? "; before: " : "",
                            l->outage ? l->fault.text : "");
    int64_t wait = l->timer.at > now(l) ? l->timer.at - now(l) : 0;
    return arena_printf(a, "down: " STR_FMT ", next try in " STR_FMT ": %s", STR_ARG(at), STR_ARG(clock_span(a, wait)),
                        l->fault.text);
}

void mqtt_link_close(struct mqtt_link *l, void (*closed)(void *ud), void *ud)
{
    if (l->closing)
        return;
    l->closing = true;
    l->closed = closed;
    l->closed_ud = ud;
    defer_set(&l->settle);
}
