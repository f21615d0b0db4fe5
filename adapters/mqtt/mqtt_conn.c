/* Happy path: thread (files, DNS, TCP connect, first step of TLS) -> wake -> the loop polls a duplicate of the socket
 * -> read, write, misc -> destroy.
 *
 * Who owns what: all of a connection is the thread's until it sets `settled`, then the loop's; the three members under
 * `lock` belong to both. When the loop wants to be rid of a connection whose thread still blocks (a name server or a
 * host that does not answer: minutes), it sets `orphan` and forgets it; the thread then frees everything as its last
 * act. Nobody ever joins the thread.
 *
 * Failures: every one ends in `lost`, with what the library, TLS or the broker said about it. */
#include "adapters/mqtt/mqtt_conn.h"

#include "adapters/mqtt/mqtt_settings.h"
#include "adapters/mqtt/mqtt_tls.h"
#include "adapters/mqtt/mqtt_topic.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { THREAD_STACK = 512 * 1024, READ_CALLS = 1024, CORK_FROM = 4 };

struct mqtt_conn {
    pthread_mutex_t lock;
    bool settled;           // under lock: the thread has ended
    bool orphan;            // under lock: the loop has gone
    struct loop_wake *wake; // under lock: used unless orphan

    struct mqtt_link_config cfg; // owned
    struct mqtt_conn_options options;
    const struct mqtt_conn_events *ev;
    void *ud;

    struct mosquitto *m;
    struct mqtt_tls_note tls; // why the broker's certificate was refused
    char note[160];           // what the library said last, until the broker greets
    int rc, error;            // of the call that lost the connection
    int refused;              // MQTT 5 reason code of a CONNACK or DISCONNECT, or 0
    char *said;               // its reason string, or NULL; owned
    bool greeted;
    bool lost;
    size_t taken;     // messages of this read
    size_t unwritten; // PUBACKs and publishes that wait to be written
};

// What mosquitto_property_read_*() give is malloc()ed, and the library has no function to free it.
static void property_free(void *value)
{
    free(value); // lint: the library leaves this to free()
}

/* What the library calls. */

static void on_log(struct mosquitto *m, void *ud, int level, const char *text)
{
    (void)m;
    struct mqtt_conn *c = ud;
    const char *last = strrchr(text, ':'); // "OpenSSL Error[0]: error:0A000086:SSL routines::certificate verify failed"
    bool tls = strncmp(text, "OpenSSL", 7) == 0;
    if (level == MOSQ_LOG_ERR && !c->note[0])
        snprintf(c->note, sizeof c->note, "%s", tls && last ? last + 1 : text);
}

static void remember_reason(struct mqtt_conn *c, int code, const mosquitto_property *props)
{
    c->refused = c->options.v5 ? code : mqtt_reason_from_311(code);
    char *said = NULL;
    if (!mosquitto_property_read_string(props, MQTT_PROP_REASON_STRING, &said, false))
        return;
    mem_free(c->said);
    c->said = said ? mem_dup(said, strlen(said)) : NULL;
    property_free(said);
}

static void on_connect(struct mosquitto *m, void *ud, int code, int flags, const mosquitto_property *props)
{
    struct mqtt_conn *c = ud;
    if (code != 0) {
        remember_reason(c, code, props);
        return;
    }
    uint16_t receive_maximum = 0;
    (void)mosquitto_property_read_int16(props, MQTT_PROP_RECEIVE_MAXIMUM, &receive_maximum, false);
    c->greeted = true;
    mosquitto_log_callback_set(m, NULL); // it formats every packet, wanted or not
    c->ev->greeted(c->ud, flags & 1, receive_maximum);
}

static void on_disconnect(struct mosquitto *m, void *ud, int code, const mosquitto_property *props)
{
    (void)m;
    struct mqtt_conn *c = ud;
    if (code >= 0x80)
        remember_reason(c, code, props);
}

static const char *reject(const struct mqtt_conn *c, const struct mqtt_message *m)
{
    if (!mqtt_topic_valid(m->topic))
        return "invalid topic";
    return m->payload.n > c->cfg.packet_maximum ? "payload larger than packet_maximum" : NULL;
}

static void on_message(struct mosquitto *lib, void *ud, const struct mosquitto_message *in,
                       const mosquitto_property *props)
{
    (void)lib;
    struct mqtt_conn *c = ud;
    void *correlation = NULL;
    uint16_t length = 0;
    if (props)
        (void)mosquitto_property_read_binary(props, MQTT_PROP_CORRELATION_DATA, &correlation, &length, false);
    const struct mqtt_message m = {
        .topic = str_c(in->topic),
        .payload = {in->payload, (size_t)in->payloadlen},
        .qos = (unsigned)in->qos,
        .retain = in->retain,
        .packet = in->qos > 0 ? (uint16_t)in->mid : 0,
        .correlation = {correlation, length},
    };
    c->taken++;
    c->unwritten += m.qos > 0;
    const char *why = reject(c, &m);
    if (why)
        c->ev->invalid(c->ud, why);
    else
        c->ev->message(c->ud, &m);
    property_free(correlation);
}

static void on_publish(struct mosquitto *m, void *ud, int mid, int code, const mosquitto_property *props)
{
    (void)m;
    (void)props;
    struct mqtt_conn *c = ud;
    c->ev->published(c->ud, mid, code);
}

static void on_subscribe(struct mosquitto *m, void *ud, int mid, int count, const int *granted,
                         const mosquitto_property *props)
{
    (void)m;
    (void)props;
    struct mqtt_conn *c = ud;
    c->ev->subscribed(c->ud, mid, granted, (size_t)count);
}

/* The thread. */

static mosquitto_property *connect_properties(const struct mqtt_link_config *cfg)
{
    mosquitto_property *props = NULL;
    uint32_t packet = cfg->packet_maximum < UINT32_MAX ? (uint32_t)cfg->packet_maximum : UINT32_MAX;
    // Without a Topic Alias Maximum: the library takes an alias for a protocol error. Receive Maximum is an option of
    // it, below.
    (void)mosquitto_property_add_int32(&props, MQTT_PROP_SESSION_EXPIRY_INTERVAL, cfg->session_expiry_s);
    if (packet > 0)
        (void)mosquitto_property_add_int32(&props, MQTT_PROP_MAXIMUM_PACKET_SIZE, packet);
    return props;
}

static int set_tls(struct mqtt_conn *c)
{
    if (!c->cfg.tls)
        return MOSQ_ERR_SUCCESS;
    SSL_CTX *ctx = mqtt_tls_create(&c->cfg, &c->tls);
    if (!ctx)
        return MOSQ_ERR_TLS;
    int rc = mosquitto_int_option(c->m, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0);
    if (!rc)
        rc = mosquitto_void_option(c->m, MOSQ_OPT_SSL_CTX, ctx);
    SSL_CTX_free(ctx); // the library holds a reference of its own
    return rc;
}

static void set_callbacks(struct mosquitto *m)
{
    mosquitto_log_callback_set(m, on_log);
    mosquitto_connect_v5_callback_set(m, on_connect);
    mosquitto_disconnect_v5_callback_set(m, on_disconnect);
    mosquitto_message_v5_callback_set(m, on_message);
    mosquitto_publish_v5_callback_set(m, on_publish);
    mosquitto_subscribe_v5_callback_set(m, on_subscribe);
}

static int set_will(struct mqtt_conn *c)
{
    const struct mqtt_link_config *cfg = &c->cfg;
    if (!cfg->birth_topic || !cfg->will_payload)
        return MOSQ_ERR_SUCCESS;
    return mosquitto_will_set(c->m, cfg->birth_topic, (int)strlen(cfg->will_payload), cfg->will_payload, 1, true);
}

static int set_options(struct mqtt_conn *c)
{
    const struct mqtt_link_config *cfg = &c->cfg;
    int rc =
        mosquitto_int_option(c->m, MOSQ_OPT_PROTOCOL_VERSION, c->options.v5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311);
    // Without this pair the library acknowledges a message before it hands it over: with it, nothing is written before
    // mqtt_conn_write().
    if (!rc)
        rc = mosquitto_threaded_set(c->m, true);
    if (!rc)
        rc = mosquitto_int_option(c->m, MOSQ_OPT_TCP_NODELAY, 1);
    if (!rc)
        rc = mosquitto_int_option(c->m, MOSQ_OPT_RECEIVE_MAXIMUM, (int)cfg->receive_maximum);
    if (!rc)
        rc = mosquitto_int_option(c->m, MOSQ_OPT_SEND_MAXIMUM, MQTT_LINK_WINDOW);
    if (!rc && cfg->username)
        rc = mosquitto_username_pw_set(c->m, cfg->username, cfg->password);
    if (!rc)
        rc = set_will(c);
    return rc ? rc : set_tls(c);
}

static int connect_blocking(struct mqtt_conn *c)
{
    c->m = mosquitto_new(c->cfg.client_id, c->options.clean, c);
    if (!c->m)
        return MOSQ_ERR_INVAL;
    set_callbacks(c->m);
    int rc = set_options(c);
    if (rc)
        return rc;
    mosquitto_property *props = c->options.v5 ? connect_properties(&c->cfg) : NULL;
    errno = 0;
    rc = mosquitto_connect_bind_v5(c->m, c->cfg.host, c->cfg.port, (int)c->cfg.keepalive_s, NULL, props);
    c->error = errno;
    mosquitto_property_free_all(&props);
    return rc;
}

static void conn_free(struct mqtt_conn *c)
{
    mosquitto_destroy(c->m);
    mqtt_settings_finish(&c->cfg);
    mem_free(c->said);
    pthread_mutex_destroy(&c->lock);
    mem_free(c);
}

static void *thread_run(void *arg)
{
    struct mqtt_conn *c = arg;
    c->rc = connect_blocking(c);
    c->lost = c->rc != MOSQ_ERR_SUCCESS;
    pthread_mutex_lock(&c->lock);
    bool orphan = c->orphan;
    c->settled = true;
    if (!orphan)
        loop_wake_send(c->wake); // under the lock: the loop closes it only after it has made us an orphan
    pthread_mutex_unlock(&c->lock);
    if (orphan)
        conn_free(c);
    return NULL;
}

static void thread_start(struct mqtt_conn *c)
{
    pthread_attr_t attr;
    pthread_t thread;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, THREAD_STACK);
    int error = pthread_create(&thread, &attr, thread_run, c);
    pthread_attr_destroy(&attr);
    if (error == 0)
        return;
    c->rc = MOSQ_ERR_ERRNO;
    c->error = error;
    c->lost = c->settled = true;
    loop_wake_send(c->wake);
}

struct mqtt_conn *mqtt_conn_create(const struct mqtt_link_config *cfg, const struct mqtt_conn_options *o,
                                   struct loop_wake *wake, const struct mqtt_conn_events *ev, void *ud)
{
    struct mqtt_conn *c = MEM_NEW(struct mqtt_conn);
    pthread_mutex_init(&c->lock, NULL);
    mqtt_settings_copy(&c->cfg, cfg);
    c->options = *o;
    c->wake = wake;
    c->ev = ev;
    c->ud = ud;
    thread_start(c);
    return c;
}

void mqtt_conn_destroy(struct mqtt_conn *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    bool settled = c->settled;
    c->orphan = true;
    pthread_mutex_unlock(&c->lock);
    if (settled)
        conn_free(c);
}

bool mqtt_conn_settled(struct mqtt_conn *c)
{
    pthread_mutex_lock(&c->lock);
    bool settled = c->settled;
    pthread_mutex_unlock(&c->lock);
    return settled;
}

/* The loop. */

int mqtt_conn_socket(const struct mqtt_conn *c)
{
    int fd = c->m ? mosquitto_socket(c->m) : -1;
    return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

bool mqtt_conn_lost(const struct mqtt_conn *c)
{
    return c->lost;
}

bool mqtt_conn_poisoned(const struct mqtt_conn *c)
{
    return c->lost && c->greeted && !c->refused && mqtt_fault_poisonous(c->rc);
}

int mqtt_conn_refused(const struct mqtt_conn *c)
{
    return c->refused;
}

// What TLS or the library said; or, as nothing is said by who hangs up at the first words, what is mostly the reason.
static const char *hint(const struct mqtt_conn *c)
{
    if (c->tls.why.text[0])
        return c->tls.why.text;
    if (c->note[0] || c->greeted || c->rc != MOSQ_ERR_CONN_LOST)
        return c->note;
    return c->cfg.tls ? "before it answered: does this port speak TLS?"
                      : "before it answered: does this port want TLS?";
}

void mqtt_conn_fault(const struct mqtt_conn *c, struct mqtt_fault *out)
{
    if (c->refused)
        mqtt_fault_reason(out, c->refused, c->said);
    else
        mqtt_fault_library(out, c->rc, c->error, hint(c));
}

// Notes the first failure; the library has then closed its socket, or will with its end.
static void outcome(struct mqtt_conn *c, int rc, int error)
{
    if (c->lost || (rc == MOSQ_ERR_SUCCESS && mosquitto_socket(c->m) >= 0))
        return;
    c->lost = true;
    c->rc = rc ? rc : MOSQ_ERR_NO_CONN;
    c->error = error;
}

// During a TLS handshake the library takes a reset connection for one that is only slow, for ever.
static void check_hangup(struct mqtt_conn *c)
{
    char byte;
    ssize_t n = recv(mosquitto_socket(c->m), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        outcome(c, n == 0 ? MOSQ_ERR_CONN_LOST : MOSQ_ERR_ERRNO, errno);
}

bool mqtt_conn_read(struct mqtt_conn *c, size_t limit)
{
    c->taken = 0;
    for (unsigned calls = 0; calls < READ_CALLS && !c->lost; calls++) {
        if (c->taken >= limit)
            return true;
        size_t before = c->taken;
        errno = 0;
        int rc = mosquitto_loop_read(c->m, 1); // one packet, or (TLS) what one record held
        int error = errno;
        outcome(c, rc, error);
        // A callback may leave EAGAIN in errno as well as an empty socket: only without a message does it mean the
        // latter.
        if (c->taken == before && (error == EAGAIN || !c->greeted))
            break;
    }
    if (!c->greeted && c->cfg.tls && !c->lost)
        check_hangup(c);
    return false;
}

// The library writes each packet by itself, which without Nagle's algorithm would be a segment each.
static void cork(struct mqtt_conn *c, int on)
{
    (void)setsockopt(mosquitto_socket(c->m), IPPROTO_TCP, TCP_CORK, &on, sizeof on);
}

bool mqtt_conn_write(struct mqtt_conn *c)
{
    if (c->lost)
        return false;
    bool many = c->unwritten >= CORK_FROM;
    c->unwritten = 0;
    if (many)
        cork(c, 1);
    errno = 0;
    int rc = mosquitto_loop_write(c->m, 1); // all that is queued
    outcome(c, rc, errno);
    if (many && !c->lost)
        cork(c, 0);
    return !c->lost && mosquitto_want_write(c->m);
}

void mqtt_conn_misc(struct mqtt_conn *c)
{
    if (c->lost)
        return;
    errno = 0;
    int rc = mosquitto_loop_misc(c->m);
    outcome(c, rc, errno);
}

// A filter that was never subscribed, which a broker acknowledges all the same [MQTT-3.10.4-5].
void mqtt_conn_stir(struct mqtt_conn *c)
{
    if (!c->lost)
        (void)mosquitto_unsubscribe(c->m, NULL, "spandrel/still/here");
}

bool mqtt_conn_greeting(const struct mqtt_conn *c)
{
    return !c->greeted;
}

static enum err err_of(int rc)
{
    switch (rc) {
    case MOSQ_ERR_SUCCESS:
        return ERR_OK;
    case MOSQ_ERR_NO_CONN:
        return ERR_OFFLINE;
    case MOSQ_ERR_OVERSIZE_PACKET:
    case MOSQ_ERR_PAYLOAD_SIZE:
        return ERR_LIMIT;
    case MOSQ_ERR_QOS_NOT_SUPPORTED:
    case MOSQ_ERR_NOT_SUPPORTED:
        return ERR_UNSUPPORTED;
    default:
        return ERR_BADREQ;
    }
}

static int add_binary(mosquitto_property **props, int id, struct str s)
{
    return s.n ? mosquitto_property_add_binary(props, id, s.p, (uint16_t)s.n) : MOSQ_ERR_SUCCESS;
}

static int add_topic(mosquitto_property **props, int id, struct str s)
{
    if (str_empty(s))
        return MOSQ_ERR_SUCCESS;
    char *topic = mem_dup(s.p, s.n);
    int rc = mosquitto_property_add_string(props, id, topic);
    mem_free(topic);
    return rc;
}

static int publish_properties(const struct mqtt_publish *p, mosquitto_property **props)
{
    int rc = p->expiry_s ? mosquitto_property_add_int32(props, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL, p->expiry_s)
                         : MOSQ_ERR_SUCCESS;
    if (!rc)
        rc = add_topic(props, MQTT_PROP_RESPONSE_TOPIC, p->response_topic);
    return rc ? rc : add_binary(props, MQTT_PROP_CORRELATION_DATA, p->correlation);
}

enum err mqtt_conn_publish(struct mqtt_conn *c, const char *topic, const struct mqtt_publish *p, int *mid)
{
    if (p->payload.n > INT32_MAX || p->correlation.n > UINT16_MAX)
        return ERR_LIMIT;
    mosquitto_property *props = NULL;
    int rc = c->options.v5 ? publish_properties(p, &props) : MOSQ_ERR_SUCCESS;
    if (!rc)
        rc = mosquitto_publish_v5(c->m, mid, topic, (int)p->payload.n, p->payload.p, (int)p->qos, p->retain, props);
    mosquitto_property_free_all(&props);
    c->unwritten++;
    return err_of(rc);
}

enum err mqtt_conn_subscribe(struct mqtt_conn *c, char *const *filters, size_t count, unsigned qos, bool no_retained,
                             int *mid)
{
    // No Local keeps our own words from coming back; a shared subscription may not ask for it [MQTT-3.8.3-4].
    bool shared = strncmp(filters[0], "$share/", 7) == 0;
    int options = (shared ? 0 : MQTT_SUB_OPT_NO_LOCAL) |
                  (no_retained ? MQTT_SUB_OPT_SEND_RETAIN_NEVER : MQTT_SUB_OPT_SEND_RETAIN_ALWAYS);
    return err_of(
        mosquitto_subscribe_multiple(c->m, mid, (int)count, filters, (int)qos, c->options.v5 ? options : 0, NULL));
}

enum err mqtt_conn_unsubscribe(struct mqtt_conn *c, const char *filter)
{
    return err_of(mosquitto_unsubscribe(c->m, NULL, filter));
}

void mqtt_conn_disconnect(struct mqtt_conn *c)
{
    (void)mosquitto_disconnect_v5(c->m, 0, NULL);
}
