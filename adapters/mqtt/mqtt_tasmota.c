/* Tasmota's own discovery as a convention.
 *
 * Happy path: config -> the device with its controls -> its state is asked for; sensors -> what its telemetry holds.
 * Which of the two retained messages comes first is the broker's choice, so sensors that come before their config wait
 * for it. Failures: a config that is refused leaves its sensors waiting; an emptied config takes the device away. */
#include "adapters/mqtt/mqtt_tasmota.h"

#include "adapters/mqtt/mqtt_topic.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/ratelimit.h"

enum {
    NODES_MAX = 4096,
    ASK_DELAY = 1000,         // ms until it is asked, and until it is tried again
    WAITING_MAX = 256,        // sensors messages that may wait
    WAITING_BYTES = 4 * 1024, // of one of them
    ASK_RATE = 20,
    ASK_BURST = 200, // devices that are asked for their state: a second, at once
};

struct node {
    char *mac;                // owned
    char *cmnd, *stat, *tele; // owned; NULL: no config was accepted yet
    char *waiting;            // owned: sensors without a config, or NULL
    int64_t ask_at;           // while it is unasked
    bool unasked;             // its state is to be asked for, when there is room
};

struct tasmota {
    char *prefix; // owned
    int64_t expire_after;
    struct map nodes; // MAC -> struct node
    size_t waiting;
    struct ratelimit asking;
    bool rated;
    size_t unasked; // nodes
    int64_t next;   // when the first of them is
};

const struct conf_item mqtt_tasmota_schema[] = {
    {.name = "enabled",
     .type = CONF_BOOL,
     .dflt = "false",
     .doc = "Whether devices are made from Tasmota's own discovery messages (`SetOption19 0`)."},
    {.name = "prefix", .type = CONF_STR, .dflt = "tasmota/discovery", .doc = "Topic under which they are published."},
    {.name = "expire_after",
     .type = CONF_SPAN,
     .dflt = "15m",
     .min = 10e3,
     .max = 366 * 86400e3,
     .doc = "Silence after which a device without a last will (a node of a mesh) is shown as away."},
    {.name = NULL},
};

static const struct conf_value *settings(const struct conf_value *discovery)
{
    return conf_get(discovery, "tasmota");
}

static void *tasmota_create(const struct conf_value *discovery, struct conf_report *report)
{
    const struct conf_value *conf = settings(discovery), *prefix = conf_get(conf, "prefix");
    struct str text = conf_str(prefix);

    if (!conf_bool(conf_get(conf, "enabled")))
        return NULL;
    if (!mqtt_topic_publishable(text) || str_ends(text, STR("/"))) {
        conf_fail(report, prefix, "not a topic");
        return NULL;
    }
    struct tasmota *t = MEM_NEW(struct tasmota);
    t->prefix = mem_dup(text.p, text.n);
    t->expire_after = conf_int(conf_get(conf, "expire_after"));
    map_init(&t->nodes);
    return t;
}

static void drop_waiting(struct tasmota *t, struct node *n)
{
    t->waiting -= n->waiting != NULL;
    mem_free(n->waiting);
    n->waiting = NULL;
}

static void drop_topics(struct node *n)
{
    mem_free(n->cmnd);
    mem_free(n->stat);
    mem_free(n->tele);
    n->cmnd = n->stat = n->tele = NULL;
}

static void set_unasked(struct tasmota *t, struct node *n, bool unasked)
{
    t->unasked = t->unasked + unasked - n->unasked;
    n->unasked = unasked;
}

static void node_free(struct tasmota *t, struct node *n)
{
    drop_waiting(t, n);
    set_unasked(t, n, false);
    drop_topics(n);
    mem_free(n->mac);
    mem_free(n);
}

static void nodes_finish(struct tasmota *t)
{
    void *n;

    for (size_t at = 0; map_next(&t->nodes, &at, NULL, &n);)
        node_free(t, n);
    map_finish(&t->nodes);
}

static void tasmota_destroy(void *self)
{
    struct tasmota *t = self;

    if (!t)
        return;
    nodes_finish(t);
    mem_free(t->prefix);
    mem_free(t);
}

// What was heard is true under another configuration too.
static void tasmota_inherit(void *self, void *from)
{
    struct tasmota *t = self, *old = from;

    if (strcmp(t->prefix, old->prefix) != 0)
        return;
    nodes_finish(t);
    t->nodes = old->nodes;
    t->waiting = old->waiting;
    t->unasked = old->unasked;
    t->next = old->next;
    map_init(&old->nodes);
    old->waiting = old->unasked = 0;
}

static struct str tasmota_filter(const void *self, size_t n, struct arena *a)
{
    static const char *const lasts[] = {"config", "sensors"};
    const struct tasmota *t = self;

    return n < sizeof(lasts) / sizeof(lasts[0]) ? arena_printf(a, "%s/+/%s", t->prefix, lasts[n]) : STR_NONE;
}

// <prefix>/<MAC>/<last>
static bool split(const struct tasmota *t, struct str topic, struct str *mac, struct str *last)
{
    struct str rest = str_sub(topic, strlen(t->prefix) + 1, topic.n);

    if (!mqtt_topic_under(str_c(t->prefix), topic) || !str_cut(rest, '/', mac, last))
        return false;
    return mac->n > 0 && (str_eq_c(*last, "config") || str_eq_c(*last, "sensors"));
}

static bool tasmota_owns(const void *self, struct str topic)
{
    struct str mac, last;

    return split(self, topic, &mac, &last);
}

static bool tasmota_reserves(const void *self, struct str topic)
{
    return mqtt_topic_under(str_c(((const struct tasmota *)self)->prefix), topic);
}

// The topics that a device has unless somebody has given it others.
static bool tasmota_covers(const void *self, struct str topic, bool command)
{
    (void)self;
    if (command)
        return mqtt_topic_match(STR("cmnd/+/+"), topic, NULL);
    return mqtt_topic_match(STR("stat/+/+"), topic, NULL) || mqtt_topic_match(STR("tele/+/+"), topic, NULL);
}

static bool mac_valid(struct str mac)
{
    for (size_t i = 0; i < mac.n; i++) {
        char c = mac.p[i];
        if (!(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_' && c != '-')
            return false;
    }
    return mac.n <= MQTT_TASMOTA_MAC;
}

static struct node *node_make(struct tasmota *t, struct str mac)
{
    struct node *n = map_get(&t->nodes, mac);

    if (n || t->nodes.count >= NODES_MAX)
        return n;
    n = MEM_NEW(struct node);
    n->mac = mem_dup(mac.p, mac.n);
    (void)map_put(&t->nodes, str_c(n->mac), n);
    return n;
}

static void node_drop(struct tasmota *t, struct node *n)
{
    (void)map_remove(&t->nodes, str_c(n->mac));
    node_free(t, n);
}

/* Messages */

static struct str topic_of(const struct tasmota *t, struct str mac, const char *last, struct arena *a)
{
    return arena_printf(a, "%s/" STR_FMT "/%s", t->prefix, STR_ARG(mac), last);
}

static struct str key_of(struct str mac, struct arena *a)
{
    return mqtt_convention_key(mqtt_tasmota.name, mac, a);
}

static enum err take_sensors(struct tasmota *t, struct node *n, struct str payload, struct mqtt_sink *sink,
                             struct errmsg *msg)
{
    const struct mqtt_tasmota_topics topics = {str_c(n->cmnd), str_c(n->stat), str_c(n->tele)};
    struct str mac = str_c(n->mac);
    struct mqtt_describe d;
    struct mqtt_found found;

    mqtt_describe_begin(&d, sink->arena, &found, key_of(mac, sink->arena), topic_of(t, mac, "sensors", sink->arena));
    enum err e = mqtt_tasmota_sensors(&topics, payload, &d, msg);
    if (e == ERR_OK && found.count == 0)
        sink->gone(sink, found.source); // no sensors (any more)
    else if (e == ERR_OK)
        (void)sink->found(sink, &found);
    return e;
}

// What it does not say by itself before minutes have passed; true when it was asked, or cannot be.
static bool ask(struct tasmota *t, struct node *n, struct mqtt_sink *sink)
{
    enum err e = ERR_AGAIN;

    if (!t->rated)
        ratelimit_init(&t->asking, ASK_RATE, ASK_BURST, sink->now);
    t->rated = true;
    if (ratelimit_take(&t->asking, sink->now))
        e = sink->ask(sink, arena_printf(sink->arena, "%sSTATE", n->cmnd), STR_NONE);
    if (e == ERR_OK)
        e = sink->ask(sink, arena_printf(sink->arena, "%sSTATUS", n->cmnd), STR("10"));
    return e != ERR_AGAIN;
}

// Once the broker has had the time to take the subscriptions that its answers need.
static void ask_soon(struct tasmota *t, struct node *n, int64_t now)
{
    set_unasked(t, n, true);
    n->ask_at = now + ASK_DELAY;
    t->next = t->unasked == 1 || n->ask_at < t->next ? n->ask_at : t->next;
}

static int64_t tasmota_deadline(const void *self)
{
    const struct tasmota *t = self;

    return t->unasked ? t->next : INT64_MAX;
}

static void tasmota_tick(void *self, struct mqtt_sink *sink)
{
    struct tasmota *t = self;
    bool full = false;
    void *v;

    t->next = INT64_MAX;
    for (size_t at = 0; t->unasked && map_next(&t->nodes, &at, NULL, &v);) {
        struct node *n = v;
        if (!n->unasked)
            continue;
        if (n->ask_at <= sink->now && !full) {
            full = !ask(t, n, sink);
            set_unasked(t, n, full);
        }
        if (n->ask_at <= sink->now)
            n->ask_at = sink->now + ASK_DELAY;
        t->next = n->unasked && n->ask_at < t->next ? n->ask_at : t->next;
    }
}

static enum err take_config(struct tasmota *t, struct node *n, const struct mqtt_message *m, struct mqtt_sink *sink,
                            struct errmsg *msg)
{
    const struct mqtt_tasmota_conf conf = {str_c(n->mac), t->expire_after};
    struct mqtt_tasmota_topics topics;
    struct mqtt_describe d;
    struct mqtt_found found;

    mqtt_describe_begin(&d, sink->arena, &found, key_of(conf.mac, sink->arena), m->topic);
    enum err e = mqtt_tasmota_config(&conf, m->payload, &d, &topics, msg);
    if (e != ERR_OK || sink->found(sink, &found) != ERR_OK)
        return e;
    drop_topics(n);
    n->cmnd = mem_dup(topics.cmnd.p, topics.cmnd.n);
    n->stat = mem_dup(topics.stat.p, topics.stat.n);
    n->tele = mem_dup(topics.tele.p, topics.tele.n);
    if (n->waiting)
        e = take_sensors(t, n, str_c(n->waiting), sink, msg);
    drop_waiting(t, n);
    ask_soon(t, n, sink->now);
    return e;
}

static enum err keep_sensors(struct tasmota *t, struct node *n, struct str payload, struct errmsg *msg)
{
    if (payload.n > WAITING_BYTES || str_find(payload, '\0') >= 0)
        return err_set(msg, ERR_LIMIT, "sensors before their config: %zu bytes, more than %d", payload.n,
                       WAITING_BYTES);
    drop_waiting(t, n);
    if (t->waiting >= WAITING_MAX)
        return err_set(msg, ERR_LIMIT, "sensors before their config: %d wait already", WAITING_MAX);
    n->waiting = mem_dup(payload.p, payload.n);
    t->waiting++;
    return ERR_OK;
}

static void take_nothing(struct tasmota *t, struct str mac, struct str last, struct mqtt_sink *sink)
{
    struct node *n = map_get(&t->nodes, mac);

    if (str_eq_c(last, "sensors")) {
        sink->gone(sink, topic_of(t, mac, "sensors", sink->arena));
        if (n)
            drop_waiting(t, n);
        return;
    }
    sink->lost(sink, key_of(mac, sink->arena));
    if (n)
        node_drop(t, n);
}

static enum err tasmota_message(void *self, const struct mqtt_message *m, struct mqtt_sink *sink, struct errmsg *msg)
{
    struct tasmota *t = self;
    struct str mac, last;

    if (!split(t, m->topic, &mac, &last) || !mac_valid(mac))
        return err_set(msg, ERR_BADREQ, "not a topic of Tasmota's discovery");
    if (m->payload.n == 0) {
        take_nothing(t, mac, last, sink);
        return ERR_OK;
    }
    struct node *n = node_make(t, mac);
    if (!n)
        return err_set(msg, ERR_LIMIT, "more than %d devices", NODES_MAX);
    if (str_eq_c(last, "config"))
        return take_config(t, n, m, sink, msg);
    return n->cmnd ? take_sensors(t, n, m->payload, sink, msg) : keep_sensors(t, n, m->payload, msg);
}

const struct mqtt_convention mqtt_tasmota = {
    .name = "tasmota",
    .create = tasmota_create,
    .destroy = tasmota_destroy,
    .filter = tasmota_filter,
    .owns = tasmota_owns,
    .reserves = tasmota_reserves,
    .covers = tasmota_covers,
    .message = tasmota_message,
    .deadline = tasmota_deadline,
    .tick = tasmota_tick,
    .inherit = tasmota_inherit,
};
