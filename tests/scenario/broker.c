#include "scenario/broker.h"

#include "adapters/mqtt/mqtt_topic.h"
#include "base/mem.h"
#include "lib/xml_canon.h"

#include <assert.h>

enum { LINKS = 4, SESSIONS = 8, RETAINED = 1024, FILTERS = 1024, QUEUE = 4096, PUBLISHED = 1024 };

struct delivery { // a message that waits in a session
    char *topic, *payload, *correlation;
    unsigned qos;
    bool retain;
};

struct filter {
    char *text;
    bool fresh; // retained messages are owed
};

struct session {
    char *client_id;
    struct filter filters[FILTERS];
    size_t filter_count;
    struct delivery queue[QUEUE]; // first those handed over and not acknowledged
    size_t queue_count, unacked;
};

struct published { // by the bridge
    char *text, *reply, *correlation;
};

struct broker {
    struct fake_link *links[LINKS];
    size_t link_count;
    struct session *sessions[SESSIONS];
    size_t session_count;
    struct delivery retained[RETAINED];
    size_t retained_count;
    struct published published[PUBLISHED];
    size_t published_count;
    struct published last; // that was taken
    bool up, withhold, refuse;
};

static char *dup(struct str s)
{
    return mem_dup(s.p, s.n);
}

struct broker *broker_create(void)
{
    struct broker *b = MEM_NEW(struct broker);
    b->up = true;
    return b;
}

static void delivery_finish(struct delivery *d)
{
    mem_free(d->topic);
    mem_free(d->payload);
    mem_free(d->correlation);
}

static void published_finish(struct published *p)
{
    mem_free(p->text);
    mem_free(p->reply);
    mem_free(p->correlation);
    *p = (struct published){NULL};
}

static void session_destroy(struct session *s)
{
    for (size_t i = 0; i < s->filter_count; i++)
        mem_free(s->filters[i].text);
    for (size_t i = 0; i < s->queue_count; i++)
        delivery_finish(&s->queue[i]);
    mem_free(s->client_id);
    mem_free(s);
}

void broker_destroy(struct broker *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < b->session_count; i++)
        session_destroy(b->sessions[i]);
    for (size_t i = 0; i < b->retained_count; i++)
        delivery_finish(&b->retained[i]);
    broker_forget(b);
    published_finish(&b->last);
    mem_free(b);
}

/* Sessions */

struct session *broker_session(struct broker *b, const char *client_id)
{
    for (size_t i = 0; i < b->session_count; i++) {
        if (str_eq_c(str_c(client_id), b->sessions[i]->client_id))
            return b->sessions[i];
    }
    assert(b->session_count < SESSIONS);
    struct session *s = MEM_NEW(struct session);
    s->client_id = dup(str_c(client_id));
    b->sessions[b->session_count++] = s;
    return s;
}

static struct filter *find_filter(struct session *s, struct str text)
{
    for (size_t i = 0; i < s->filter_count; i++) {
        if (str_eq_c(text, s->filters[i].text))
            return &s->filters[i];
    }
    return NULL;
}

void session_subscribe(struct session *s, struct str text)
{
    struct filter *f = find_filter(s, text);
    if (!f) {
        assert(s->filter_count < FILTERS);
        f = &s->filters[s->filter_count++];
        f->text = dup(text);
    }
    f->fresh = true;
}

void session_unsubscribe(struct session *s, struct str text)
{
    struct filter *f = find_filter(s, text);
    if (!f)
        return;
    mem_free(f->text);
    *f = s->filters[--s->filter_count];
}

static bool wants(const struct session *s, struct str topic)
{
    for (size_t i = 0; i < s->filter_count; i++) {
        if (mqtt_topic_match(str_c(s->filters[i].text), topic, NULL))
            return true;
    }
    return false;
}

static void enqueue(struct session *s, const struct mqtt_message *m)
{
    assert(s->queue_count < QUEUE);
    s->queue[s->queue_count++] =
        (struct delivery){dup(m->topic), dup(m->payload), dup(m->correlation), m->qos, m->retain};
}

static struct mqtt_message message_of(const struct delivery *d)
{
    return (struct mqtt_message){.topic = str_c(d->topic),
                                 .payload = str_c(d->payload),
                                 .qos = d->qos,
                                 .retain = d->retain,
                                 .correlation = str_c(d->correlation)};
}

static void enqueue_retained(const struct broker *b, struct session *s, struct filter *f)
{
    f->fresh = false;
    for (size_t i = 0; i < b->retained_count; i++) {
        struct mqtt_message m = message_of(&b->retained[i]);
        if (m.payload.n && mqtt_topic_match(str_c(f->text), m.topic, NULL))
            enqueue(s, &m);
    }
}

static void enqueue_owed(const struct broker *b, struct session *s)
{
    for (size_t i = 0; i < s->filter_count; i++) {
        if (s->filters[i].fresh)
            enqueue_retained(b, s, &s->filters[i]);
    }
}

void session_resume(struct broker *b, struct session *s)
{
    for (size_t i = 0; i < s->filter_count; i++)
        s->filters[i].fresh = true;
    enqueue_owed(b, s);
}

// Takes the first n out of the queue, but for those of QoS 1 where they are to be kept.
static void dequeue(struct session *s, size_t n, bool keep)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->queue_count; i++) {
        if (i >= n || (keep && s->queue[i].qos))
            s->queue[kept++] = s->queue[i];
        else
            delivery_finish(&s->queue[i]);
    }
    s->queue_count = kept;
}

void session_lose(struct session *s)
{
    dequeue(s, s->queue_count, true); // of QoS 0 nothing is kept for who is away
    s->unacked = 0;
}

void session_acked(struct session *s)
{
    dequeue(s, s->unacked, false);
    s->unacked = 0;
}

size_t session_read(struct broker *b, struct session *s, void (*each)(void *ud, const struct mqtt_message *m), void *ud)
{
    enqueue_owed(b, s);
    if (s->unacked)
        return 0;
    size_t count = s->queue_count < MQTT_LINK_BATCH ? s->queue_count : MQTT_LINK_BATCH;
    s->unacked = count;
    for (size_t i = 0; i < count; i++) {
        struct mqtt_message m = message_of(&s->queue[i]);
        each(ud, &m);
    }
    return count;
}

size_t session_unacked(const struct session *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->unacked; i++)
        n += s->queue[i].qos > 0;
    return n;
}

/* Links */

void broker_connect(struct broker *b, struct fake_link *l)
{
    assert(b->link_count < LINKS);
    b->links[b->link_count++] = l;
}

void broker_disconnect(struct broker *b, struct fake_link *l)
{
    for (size_t i = 0; i < b->link_count; i++) {
        if (b->links[i] == l)
            b->links[i] = b->links[--b->link_count];
    }
}

bool broker_has_links(const struct broker *b)
{
    return b->link_count > 0;
}

bool broker_work(struct broker *b)
{
    bool busy = false;
    for (size_t i = b->link_count; i-- > 0;)
        busy |= fake_link_work(b->links[i], b->up);
    return busy;
}

void broker_up(struct broker *b, bool up)
{
    b->up = up;
}

/* What devices publish */

static void retain(struct broker *b, const struct mqtt_message *m)
{
    for (size_t i = 0; i < b->retained_count; i++) {
        if (!str_eq_c(m->topic, b->retained[i].topic))
            continue;
        mem_free(b->retained[i].payload);
        b->retained[i].payload = dup(m->payload);
        return;
    }
    assert(b->retained_count < RETAINED);
    b->retained[b->retained_count++] = (struct delivery){dup(m->topic), dup(m->payload), dup(STR_NONE), 1, true};
}

static bool connected(const struct broker *b, const struct session *s)
{
    for (size_t i = 0; i < b->link_count; i++) {
        if (fake_link_session(b->links[i]) == s)
            return b->up;
    }
    return false;
}

void broker_publish(struct broker *b, const struct mqtt_message *m)
{
    if (m->retain)
        retain(b, m);
    struct mqtt_message news = *m;
    news.retain = false; // to who is subscribed already
    for (size_t i = 0; i < b->session_count; i++) {
        struct session *s = b->sessions[i];
        if (wants(s, m->topic) && (m->qos || connected(b, s)))
            enqueue(s, &news);
    }
}

bool broker_answer(struct broker *b, struct str payload)
{
    if (!b->last.reply || !*b->last.reply)
        return false;
    broker_publish(
        b, &(struct mqtt_message){
               .topic = str_c(b->last.reply), .payload = payload, .qos = 1, .correlation = str_c(b->last.correlation)});
    return true;
}

/* What the bridge publishes */

enum err broker_accept(struct broker *b, const struct mqtt_publish *p)
{
    if (b->refuse || b->published_count == PUBLISHED) {
        b->refuse = false;
        return ERR_AGAIN;
    }
    struct strbuf text;
    strbuf_init(&text, 1 << 17);
    strbuf_printf(&text, STR_FMT " " STR_FMT " qos%u", STR_ARG(p->topic), STR_ARG(p->payload), p->qos);
    if (p->expiry_s)
        strbuf_printf(&text, " %us", p->expiry_s);
    strbuf_c(&text, p->retain ? " retained" : "");
    b->published[b->published_count++] = (struct published){text.p, dup(p->response_topic), dup(p->correlation)};
    return ERR_OK;
}

bool broker_take(struct broker *b, const char *pattern)
{
    for (size_t i = 0; i < b->published_count; i++) {
        if (!canon_match(pattern, b->published[i].text))
            continue;
        published_finish(&b->last);
        b->last = b->published[i];
        memmove(&b->published[i], &b->published[i + 1], (--b->published_count - i) * sizeof *b->published);
        return true;
    }
    return false;
}

size_t broker_count(const struct broker *b)
{
    return b->published_count;
}

const char *broker_at(const struct broker *b, size_t at)
{
    return b->published[at].text;
}

void broker_forget(struct broker *b)
{
    while (b->published_count)
        published_finish(&b->published[--b->published_count]);
}

void broker_confirm(struct broker *b, bool confirm)
{
    b->withhold = !confirm;
}

bool broker_confirms(const struct broker *b)
{
    return !b->withhold;
}

void broker_refuse(struct broker *b, bool refuse)
{
    b->refuse = refuse;
}

size_t broker_unacked(const struct broker *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->session_count; i++)
        n += session_unacked(b->sessions[i]);
    return n;
}
