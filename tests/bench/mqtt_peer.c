#include "mqtt_peer.h"

enum { CONNECT = 1, PUBLISH = 3, PUBACK = 4, SUBSCRIBE = 8, UNSUBSCRIBE = 10, PINGREQ = 12 };

void mqtt_peer_init(struct mqtt_peer *m)
{
    strbuf_init(&m->out_topic, 256);
}

void mqtt_peer_finish(struct mqtt_peer *m)
{
    peer_finish(&m->peer);
    strbuf_finish(&m->out_topic);
}

static void put16(struct strbuf *out, unsigned v)
{
    strbuf_char(out, (char)(v >> 8 & 255));
    strbuf_char(out, (char)(v & 255));
}

static void put_length(struct strbuf *out, size_t n)
{
    for (; n > 127; n >>= 7)
        strbuf_char(out, (char)((n & 127) | 128));
    strbuf_char(out, (char)n);
}

static void connack(struct mqtt_peer *m)
{
    static const char packet[] = {
        0x20, 6, 0, 0, 3, 0x21, (char)(MQTT_PEER_WINDOW >> 8), (char)(MQTT_PEER_WINDOW & 255)};
    m->waiting = m->mute;
    if (!m->mute)
        strbuf_add(&m->peer.out, packet, sizeof packet);
}

// SUBSCRIBE and UNSUBSCRIBE: every filter is answered by the QoS it asked for, or success.
static void answer_filters(struct mqtt_peer *m, unsigned type, const uint8_t *p, size_t n)
{
    struct strbuf *out = &m->peer.out;
    size_t at = 3 + p[2], count = 0; // no properties, or few
    uint8_t codes[256];
    for (; at + 2 < n && count < sizeof codes; count++) {
        at += 2 + ((size_t)p[at] << 8 | p[at + 1]);
        codes[count] = type == SUBSCRIBE && at < n ? p[at++] & 3 : 0;
    }
    strbuf_char(out, (char)((type + 1) << 4));
    put_length(out, 3 + count);
    strbuf_add(out, p, 2);
    strbuf_char(out, 0);
    strbuf_add(out, codes, count);
    m->up = m->up || type == SUBSCRIBE;
}

static void published(struct mqtt_peer *m, unsigned head, const uint8_t *p, size_t n)
{
    size_t topic = (size_t)p[0] << 8 | p[1];
    m->publishes++;
    if ((head & 6) == 0 || topic + 4 > n)
        return;
    strbuf_add(&m->peer.out, "\x40\x02", 2);
    strbuf_add(&m->peer.out, p + 2 + topic, 2);
}

static void packet(struct mqtt_peer *m, unsigned head, const uint8_t *p, size_t n)
{
    switch (head >> 4) {
    case CONNECT:
        connack(m);
        break;
    case PUBLISH:
        published(m, head, p, n);
        break;
    case PUBACK:
        m->inflight -= m->inflight > 0;
        m->acks++;
        if (m->acked)
            m->acked(m->ud, (unsigned)p[0] << 8 | p[1]);
        break;
    case SUBSCRIBE:
    case UNSUBSCRIBE:
        answer_filters(m, head >> 4, p, n);
        break;
    case PINGREQ:
        strbuf_add(&m->peer.out, "\xd0\x00", 2);
        break;
    default:
        break;
    }
}

// The length of the packet at the begin, 0 when it is not all there; *body is where its fixed header ends.
static size_t whole(const uint8_t *p, size_t n, size_t *body)
{
    size_t length = 0;
    for (size_t i = 1; i < n && i < 5; i++) {
        length |= (size_t)(p[i] & 127) << (7 * (i - 1));
        if (p[i] & 128)
            continue;
        *body = i + 1;
        return i + 1 + length <= n ? i + 1 + length : 0;
    }
    return 0;
}

static void packets(struct mqtt_peer *m)
{
    const uint8_t *p = (const uint8_t *)m->peer.in.p;
    size_t n = m->peer.in.n, at = 0, body, length;
    while ((length = whole(p + at, n - at, &body)) > 0) {
        packet(m, p[at], p + at + body, length - body);
        at += length;
    }
    strbuf_consume(&m->peer.in, at);
}

void mqtt_peer_work(struct mqtt_peer *m, const struct pollfd fds[2])
{
    switch (peer_work(&m->peer, fds)) {
    case PEER_READ:
        packets(m);
        break;
    case PEER_CONNECTED:
    case PEER_CLOSED:
        m->up = m->waiting = false;
        m->inflight = 0;
        break;
    case PEER_NOTHING:
        break;
    }
}

void mqtt_peer_mute(struct mqtt_peer *m, bool mute)
{
    m->mute = mute;
    if (!mute && m->waiting)
        connack(m);
}

bool mqtt_peer_ready(const struct mqtt_peer *m, unsigned qos)
{
    return m->up && peer_hungry(&m->peer) && (qos == 0 || m->inflight < MQTT_PEER_WINDOW);
}

void mqtt_peer_publish(struct mqtt_peer *m, const char *kind, unsigned device, struct str payload, unsigned qos,
                       bool retain)
{
    struct strbuf *out = &m->peer.out, *topic = &m->out_topic;
    strbuf_clear(topic);
    strbuf_printf(topic, "%s/d%u", kind, device);
    strbuf_char(out, (char)(PUBLISH << 4 | qos << 1 | retain));
    put_length(out, 2 + topic->n + (qos ? 2 : 0) + 1 + payload.n);
    put16(out, (unsigned)topic->n);
    strbuf_str(out, strbuf_view(topic));
    if (qos) {
        m->mid = m->mid % 65535 + 1;
        m->inflight++;
        put16(out, m->mid);
    }
    strbuf_char(out, 0); // no properties
    strbuf_str(out, payload);
}
