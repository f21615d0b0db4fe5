/* An MQTT broker that does what a test tells it, on the test's own loop: it accepts or refuses, grants, sends any
 * bytes, hangs, drops, and keeps a record of all it was sent. One connection counts at a time: the last. */
#ifndef SPANDREL_TESTS_FAKE_BROKER_H
#define SPANDREL_TESTS_FAKE_BROKER_H

#include "base/mem.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <uv.h>

enum { BROKER_LOG = 4096 };

enum { // MQTT packet types
    BROKER_CONNECT = 1,
    BROKER_PUBLISH = 3,
    BROKER_PUBACK = 4,
    BROKER_SUBSCRIBE = 8,
    BROKER_UNSUBSCRIBE = 10,
    BROKER_PINGREQ = 12,
    BROKER_DISCONNECT = 14,
};

struct broker_packet { // received
    int type;
    int connection;        // counted from 1
    int mid;               // PUBACK, PUBLISH with QoS 1, SUBSCRIBE, UNSUBSCRIBE
    unsigned qos, options; // PUBLISH; of the first filter of SUBSCRIBE
    bool retain;
    char text[128];              // topic, or first filter; of CONNECT the client id
    char payload[64];            // PUBLISH
    size_t filters;              // SUBSCRIBE
    int level, flags, keepalive; // CONNECT
    int64_t session_expiry, receive_maximum, packet_maximum, alias_maximum; // CONNECT properties, -1 when absent
    int64_t expiry;                                                         // PUBLISH property
};

struct broker {
    uv_tcp_t listener;
    uv_tcp_t *client; // the last connection, or NULL
    int port;
    int connections;
    struct strbuf in;
    int level; // of the connection

    // What it is to do; may be changed at any time.
    int connack;       // return or reason code; 0 accepts
    bool connack_once; // accepts after it has refused once
    bool connack_v3;   // answers MQTT 5 as a broker that does not know it
    bool session_present;
    int receive_maximum;                          // told in CONNACK when not 0
    bool mute;                                    // never answers CONNECT
    int suback;                                   // for every filter, when not 0
    int puback;                                   // reason code
    bool keep_pubacks;                            // does not answer PUBLISH
    bool keep_pingresps;                          // nor PINGREQ
    void (*accepted)(struct broker *b, void *ud); // CONNACK was sent
    void *ud;

    struct broker_packet log[BROKER_LOG];
    size_t logged;
};

static inline void broker_sent(uv_write_t *w, int status)
{
    (void)status;
    mem_free(w->data);
    mem_free(w);
}

static inline void broker_raw(struct broker *b, const void *bytes, size_t n)
{
    if (!b->client || uv_is_closing((uv_handle_t *)b->client))
        return;
    uv_write_t *w = MEM_NEW(uv_write_t);
    w->data = mem_dup(bytes, n);
    uv_buf_t buf = uv_buf_init(w->data, (unsigned)n);
    uv_write(w, (uv_stream_t *)b->client, &buf, 1, broker_sent);
}

static inline void broker_closed(uv_handle_t *h)
{
    mem_free(h);
}

static inline void broker_drop(struct broker *b)
{
    if (b->client && !uv_is_closing((uv_handle_t *)b->client))
        uv_close((uv_handle_t *)b->client, broker_closed);
    b->client = NULL;
}

static inline size_t broker_length(uint8_t *out, size_t n)
{
    size_t used = 0;
    do {
        out[used++] = (uint8_t)((n & 127) | (n > 127 ? 128 : 0));
        n >>= 7;
    } while (n > 0);
    return used;
}

// `body` is what follows the fixed header.
static inline void broker_send(struct broker *b, uint8_t head, struct str body)
{
    uint8_t prefix[5] = {head};
    size_t n = 1 + broker_length(prefix + 1, body.n);
    struct strbuf out;
    strbuf_init(&out, 1 << 22);
    strbuf_add(&out, prefix, n);
    strbuf_str(&out, body);
    broker_raw(b, out.p, out.n);
    strbuf_finish(&out);
}

static inline void broker_put16(struct strbuf *out, unsigned v)
{
    strbuf_char(out, (char)(v >> 8 & 255));
    strbuf_char(out, (char)(v & 255));
}

static inline void broker_publish(struct broker *b, struct str topic, struct str payload, unsigned qos, bool retain,
                                  int mid)
{
    struct strbuf out;
    strbuf_init(&out, 1 << 22);
    broker_put16(&out, (unsigned)topic.n);
    strbuf_str(&out, topic);
    if (qos > 0)
        broker_put16(&out, (unsigned)mid);
    if (b->level == 5)
        strbuf_char(&out, '\0');
    strbuf_str(&out, payload);
    broker_send(b, (uint8_t)(0x30 | qos << 1 | retain), strbuf_view(&out));
    strbuf_finish(&out);
}

// MQTT 5: DISCONNECT with a reason code.
static inline void broker_disconnect(struct broker *b, int code)
{
    const char body[2] = {(char)code, 0};
    broker_send(b, 0xe0, (struct str){body, sizeof body});
}

static inline void broker_connack(struct broker *b)
{
    const char flags = b->session_present && !b->connack ? 1 : 0;
    const char v3[2] = {flags, (char)b->connack};
    const char v5[6] = {flags, (char)b->connack, 3, 0x21, (char)(b->receive_maximum >> 8), (char)b->receive_maximum};
    const char bare[3] = {flags, (char)b->connack, 0};
    if (b->level != 5 || b->connack_v3)
        broker_send(b, 0x20, (struct str){v3, sizeof v3});
    else if (b->receive_maximum && !b->connack)
        broker_send(b, 0x20, (struct str){v5, sizeof v5});
    else
        broker_send(b, 0x20, (struct str){bare, sizeof bare});
    bool refused = b->connack != 0;
    if (b->connack_once)
        b->connack = 0;
    if (b->accepted && !refused)
        b->accepted(b, b->ud);
}

/* Reading. */

struct broker_reader {
    const uint8_t *p;
    size_t n;
};

static inline uint64_t broker_take(struct broker_reader *r, size_t bytes)
{
    uint64_t v = 0;
    for (; bytes > 0 && r->n > 0; bytes--, r->p++, r->n--)
        v = v << 8 | *r->p;
    return v;
}

static inline struct str broker_take_string(struct broker_reader *r)
{
    size_t n = (size_t)broker_take(r, 2);
    if (n > r->n)
        n = r->n;
    struct str s = {(const char *)r->p, n};
    r->p += n;
    r->n -= n;
    return s;
}

static inline size_t broker_take_length(struct broker_reader *r)
{
    size_t n = 0;
    for (unsigned shift = 0; r->n > 0 && shift < 28; shift += 7) {
        uint8_t byte = (uint8_t)broker_take(r, 1);
        n |= (size_t)(byte & 127) << shift;
        if (!(byte & 128))
            break;
    }
    return n;
}

static inline void broker_keep(char *to, size_t size, struct str s)
{
    size_t n = s.n < size - 1 ? s.n : size - 1;
    memcpy(to, s.p, n);
    to[n] = '\0';
}

static inline void broker_properties(struct broker_reader *r, struct broker_packet *p)
{
    size_t n = broker_take_length(r);
    struct broker_reader props = {r->p, n < r->n ? n : r->n};
    r->p += props.n;
    r->n -= props.n;
    while (props.n > 0) {
        switch (broker_take(&props, 1)) {
        case 0x02:
            p->expiry = (int64_t)broker_take(&props, 4);
            break;
        case 0x11:
            p->session_expiry = (int64_t)broker_take(&props, 4);
            break;
        case 0x21:
            p->receive_maximum = (int64_t)broker_take(&props, 2);
            break;
        case 0x22:
            p->alias_maximum = (int64_t)broker_take(&props, 2);
            break;
        case 0x27:
            p->packet_maximum = (int64_t)broker_take(&props, 4);
            break;
        case 0x08:
        case 0x09:
            (void)broker_take_string(&props);
            break;
        default:
            return;
        }
    }
}

static inline void broker_on_connect(struct broker *b, struct broker_reader *r, struct broker_packet *p)
{
    (void)broker_take_string(r);
    p->level = b->level = (int)broker_take(r, 1);
    p->flags = (int)broker_take(r, 1);
    p->keepalive = (int)broker_take(r, 2);
    if (p->level == 5)
        broker_properties(r, p);
    broker_keep(p->text, sizeof p->text, broker_take_string(r));
    if (!b->mute)
        broker_connack(b);
}

static inline void broker_answer_publish(struct broker *b, int mid)
{
    const char body[4] = {(char)(mid >> 8), (char)mid, (char)b->puback, 0};
    broker_send(b, 0x40, (struct str){body, b->level == 5 ? sizeof body : 2});
}

static inline void broker_on_publish(struct broker *b, struct broker_reader *r, struct broker_packet *p, unsigned head)
{
    p->qos = head >> 1 & 3;
    p->retain = head & 1;
    broker_keep(p->text, sizeof p->text, broker_take_string(r));
    if (p->qos)
        p->mid = (int)broker_take(r, 2);
    if (b->level == 5)
        broker_properties(r, p);
    broker_keep(p->payload, sizeof p->payload, (struct str){(const char *)r->p, r->n});
    if (p->qos && !b->keep_pubacks)
        broker_answer_publish(b, p->mid);
}

static inline void broker_on_subscribe(struct broker *b, struct broker_reader *r, struct broker_packet *p)
{
    struct strbuf out;
    strbuf_init(&out, 1024);
    p->mid = (int)broker_take(r, 2);
    broker_put16(&out, (unsigned)p->mid);
    if (b->level == 5) {
        broker_properties(r, p);
        strbuf_char(&out, '\0');
    }
    for (; r->n > 0; p->filters++) {
        struct str filter = broker_take_string(r);
        unsigned options = (unsigned)broker_take(r, 1);
        if (p->filters == 0) {
            broker_keep(p->text, sizeof p->text, filter);
            p->options = options;
        }
        strbuf_char(&out, (char)(b->suback ? b->suback : (int)(options & 3)));
    }
    broker_send(b, 0x90, strbuf_view(&out));
    strbuf_finish(&out);
}

static inline void broker_on_unsubscribe(struct broker *b, struct broker_reader *r, struct broker_packet *p)
{
    p->mid = (int)broker_take(r, 2);
    if (b->level == 5)
        broker_properties(r, p);
    broker_keep(p->text, sizeof p->text, broker_take_string(r));
    const char body[4] = {(char)(p->mid >> 8), (char)p->mid, 0, 0};
    broker_send(b, 0xb0, (struct str){body, b->level == 5 ? 4 : 2});
}

static inline void broker_packet(struct broker *b, unsigned head, struct broker_reader r)
{
    struct broker_packet unused, *p = b->logged < BROKER_LOG ? &b->log[b->logged++] : &unused;
    *p = (struct broker_packet){.type = (int)(head >> 4),
                                .connection = b->connections,
                                .session_expiry = -1,
                                .receive_maximum = -1,
                                .packet_maximum = -1,
                                .alias_maximum = -1,
                                .expiry = -1};
    switch (p->type) {
    case BROKER_CONNECT:
        broker_on_connect(b, &r, p);
        break;
    case BROKER_PUBLISH:
        broker_on_publish(b, &r, p, head);
        break;
    case BROKER_PUBACK:
        p->mid = (int)broker_take(&r, 2);
        break;
    case BROKER_SUBSCRIBE:
        broker_on_subscribe(b, &r, p);
        break;
    case BROKER_UNSUBSCRIBE:
        broker_on_unsubscribe(b, &r, p);
        break;
    case BROKER_PINGREQ:
        if (!b->keep_pingresps)
            broker_send(b, 0xd0, STR_NONE);
        break;
    default:
        break;
    }
}

// Takes one packet from the buffer; false when it is not all there.
static inline bool broker_step(struct broker *b)
{
    struct broker_reader r = {(const uint8_t *)b->in.p, b->in.n};
    if (r.n < 2)
        return false;
    unsigned head = (unsigned)broker_take(&r, 1);
    size_t n = broker_take_length(&r);
    if (r.n < n)
        return false;
    size_t whole = (size_t)(r.p - (const uint8_t *)b->in.p) + n;
    r.n = n;
    broker_packet(b, head, r);
    strbuf_consume(&b->in, whole);
    return true;
}

static inline void broker_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
    (void)h;
    *buf = uv_buf_init(mem_alloc(hint), (unsigned)hint);
}

static inline void broker_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    struct broker *b = s->data;
    bool current = (uv_stream_t *)b->client == s;
    if (n > 0 && current) {
        strbuf_add(&b->in, buf->base, (size_t)n);
        while (b->client && broker_step(b))
            ;
    }
    mem_free(buf->base);
    if (n >= 0)
        return;
    if (current)
        broker_drop(b);
    else if (!uv_is_closing((uv_handle_t *)s))
        uv_close((uv_handle_t *)s, broker_closed);
}

static inline void broker_accept(uv_stream_t *listener, int status)
{
    struct broker *b = listener->data;
    if (status)
        return;
    broker_drop(b);
    b->client = MEM_NEW(uv_tcp_t);
    uv_tcp_init(listener->loop, b->client);
    b->client->data = b;
    uv_accept(listener, (uv_stream_t *)b->client);
    uv_tcp_nodelay(b->client, 1);
    b->connections++;
    strbuf_clear(&b->in);
    uv_read_start((uv_stream_t *)b->client, broker_alloc, broker_read);
}

// Listens on a free port of the loopback, or on `port`.
static inline void broker_start(struct broker *b, uv_loop_t *loop, int port)
{
    struct sockaddr_in at;
    struct sockaddr_storage got;
    int length = sizeof got;
    *b = (struct broker){0};
    strbuf_init(&b->in, 1 << 22);
    uv_tcp_init(loop, &b->listener);
    b->listener.data = b;
    uv_ip4_addr("127.0.0.1", port, &at);
    uv_tcp_bind(&b->listener, (const struct sockaddr *)&at, 0);
    uv_listen((uv_stream_t *)&b->listener, 16, broker_accept);
    uv_tcp_getsockname(&b->listener, (struct sockaddr *)&got, &length);
    b->port = ntohs(((struct sockaddr_in *)(void *)&got)->sin_port);
}

// The loop must run once more for the handles to be closed.
static inline void broker_stop(struct broker *b)
{
    broker_drop(b);
    uv_close((uv_handle_t *)&b->listener, NULL);
    strbuf_finish(&b->in);
}

// The number of packets of a type that it got, and the last of them (NULL: none).
static inline size_t broker_count(const struct broker *b, int type)
{
    size_t count = 0;
    for (size_t i = 0; i < b->logged; i++)
        count += b->log[i].type == type;
    return count;
}

static inline const struct broker_packet *broker_last(const struct broker *b, int type)
{
    for (size_t i = b->logged; i-- > 0;) {
        if (b->log[i].type == type)
            return &b->log[i];
    }
    return NULL;
}

#endif
