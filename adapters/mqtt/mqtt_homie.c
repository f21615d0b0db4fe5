/* Homie 4 and 5: devices that describe themselves, each under a topic of its own.
 *
 *     <prefix>/<device>/$homie, $name, $state, $nodes, <node>/$properties, <node>/<property>/$datatype, ...     4
 *     <prefix>/5/<device>/$state, $description, $alert/<id>, $log/<level>                                       5
 *
 * Happy path: what describes a device is gathered, until it has a state too (a device exists once it has one) -> its
 * description becomes a contact. Attributes of Homie 4 come one by one: half a second after the last of them they are
 * put together. Failures: without a state, or with "init" (4: attributes are being changed), it is waited for more; a
 * description that is too large or malformed is refused, and what was there before stays. An emptied $state removes the
 * device. What is gathered is bounded, and begins anew with the broker's replay at each connect. */
#include "adapters/mqtt/mqtt_homie.h"

#include "adapters/mqtt/mqtt_topic.h"

#include "base/map.h"
#include "base/mem.h"

enum {
    DEPTH = 16,           // of a description
    QUIET = 500,          // ms after the last attribute
    PATIENCE = 5 * 1000,  // ms after the first, at most
    RECORDS_MAX = 10000,  // devices
    BYTES_MAX = 16 << 20, // of all that is gathered
    SLICE = 32,           // devices put together in one call
};

struct record {
    char *id;                     // owned
    bool present, starting;       // its $state is one; is "init" (4)
    bool is5, told;               // it has a $state of Homie 5; its description was taken
    bool dirty;                   // attributes have changed
    char *description;            // owned
    size_t n;                     // of the description
    struct homie_attributes *old; // owned; of Homie 4
};

struct homie {
    char *prefix, *prefix5; // owned: "homie", "homie/5"
    struct map records;     // id -> struct record
    size_t bytes;
    int64_t due, first; // when attributes are put together; when the first of them changed. INT64_MAX: none did
};

const struct conf_item mqtt_homie_schema[] = {
    {.name = "enabled",
     .type = CONF_BOOL,
     .dflt = "false",
     .doc = "Whether devices are made from what they say by the Homie convention, 4 or 5."},
    {.name = "prefix",
     .type = CONF_STR,
     .dflt = "homie",
     .doc = "Topic (5: domain) under which they speak: one level."},
    {.name = NULL},
};

static void record_free(struct record *r)
{
    homie_attributes_destroy(r->old);
    mem_free(r->description);
    mem_free(r->id);
    mem_free(r);
}

static void *homie_create(const struct conf_value *discovery, struct conf_report *report)
{
    const struct conf_value *section = conf_get(discovery, "homie"), *prefix = conf_get(section, "prefix");
    struct str text = conf_str(prefix);

    if (!conf_bool(conf_get(section, "enabled")))
        return NULL;
    if (!mqtt_topic_level_valid(text)) {
        conf_fail(report, prefix, "not one level of a topic");
        return NULL;
    }
    struct homie *h = MEM_NEW(struct homie);
    h->prefix = mem_dup(text.p, text.n);
    h->prefix5 = mem_zalloc(text.n + sizeof("/5"), 1);
    memcpy(h->prefix5, text.p, text.n);
    memcpy(h->prefix5 + text.n, "/5", 2);
    h->due = h->first = INT64_MAX;
    map_init(&h->records);
    return h;
}

static void homie_destroy(void *self)
{
    struct homie *h = self;
    size_t at = 0;
    void *r;

    if (!h)
        return;
    while (map_next(&h->records, &at, NULL, &r))
        record_free(r);
    map_finish(&h->records);
    mem_free(h->prefix);
    mem_free(h->prefix5);
    mem_free(h);
}

static void homie_inherit(void *self, void *from)
{
    struct homie *h = self, *old = from;
    struct map none = h->records;

    if (!str_eq_c(str_c(h->prefix), old->prefix))
        return;
    h->records = old->records;
    h->bytes = old->bytes;
    h->due = old->due;
    h->first = old->first;
    old->records = none;
    old->bytes = 0;
}

/* Topics */

static struct str homie_filter(const void *self, size_t n, struct arena *a)
{
    static const char *const shapes[] = {
        "5/+/$state",    "5/+/$description", "+/$homie",        "+/$name",         "+/$state",
        "+/$nodes",      "+/+/$name",        "+/+/$properties", "+/+/+/$name",     "+/+/+/$datatype",
        "+/+/+/$format", "+/+/+/$unit",      "+/+/+/$settable", "+/+/+/$retained",
    };
    const struct homie *h = self;

    return n < sizeof(shapes) / sizeof(shapes[0]) ? arena_printf(a, "%s/%s", h->prefix, shapes[n]) : STR_NONE;
}

// What stands behind the prefix; false: it is no topic of this convention.
static bool below(const void *self, struct str topic, struct str *rest, bool *is5)
{
    struct str prefix = str_c(((const struct homie *)self)->prefix), tail, five;

    if (!mqtt_topic_under(prefix, topic) || topic.n <= prefix.n + 1)
        return false;
    *rest = str_sub(topic, prefix.n + 1, topic.n);
    *is5 = str_cut(*rest, '/', &five, &tail) && str_eq_c(five, "5");
    if (*is5)
        *rest = tail;
    return true;
}

// "dev/$state", "dev/$alert/id" of 5; "dev/$name", "dev/node/$name", "dev/node/property/$name" of 4. Values and targets
// are for the devices.
static bool homie_owns(const void *self, struct str topic)
{
    struct str rest, id, path, head, last;
    bool is5;

    if (!below(self, topic, &rest, &is5) || !str_cut(rest, '/', &id, &path))
        return false;
    if (is5)
        return str_starts(path, STR("$"));
    if (!str_rcut(path, '/', &head, &last))
        last = path;
    return str_starts(last, STR("$")) && !str_eq_c(last, "$target");
}

static bool homie_covers(const void *self, struct str topic, bool command)
{
    struct str rest;
    bool is5;

    return below(self, topic, &rest, &is5) && (!command || str_ends(rest, STR("/set")));
}

static bool homie_reserves(const void *self, struct str topic)
{
    struct str rest;
    bool is5;

    return below(self, topic, &rest, &is5) && !str_ends(rest, STR("/set"));
}

/* Records */

// One is made when there is room; else NULL.
static struct record *record_of(struct homie *h, struct str id)
{
    struct record *r = map_get(&h->records, id);

    if (r || !homie_id_good(id) || h->records.count >= RECORDS_MAX)
        return r;
    r = MEM_NEW(struct record);
    r->id = mem_dup(id.p, id.n);
    (void)map_put(&h->records, str_c(r->id), r);
    return r;
}

static void drop(struct homie *h, struct record *r)
{
    if (!r)
        return;
    h->bytes -= r->n + homie_attributes_size(r->old);
    (void)map_remove(&h->records, str_c(r->id));
    record_free(r);
}

// It is described by 5: what it says by 4 beside it does not count.
static bool speaks5(const struct record *r)
{
    return r->is5 && r->description;
}

// The same for 4 and 5: who has learnt 5 describes itself no more by 4.
static struct str source_of(const struct homie *h, struct str id, struct arena *a)
{
    return arena_printf(a, "%s/" STR_FMT, h->prefix, STR_ARG(id));
}

static enum err tell(struct homie *h, struct record *r, struct homie_document *d, struct mqtt_sink *sink,
                     struct errmsg *msg)
{
    struct mqtt_found found = {.key = mqtt_convention_key("homie", str_c(r->id), sink->arena),
                               .source = source_of(h, str_c(r->id), sink->arena)};

    d->id = str_c(r->id);
    d->targets = d->talks = speaks5(r);
    d->prefix = str_c(speaks5(r) ? h->prefix5 : h->prefix);
    enum err e = homie_document_read(d, sink->arena, &found, msg);
    if (e == ERR_OK)
        r->told = sink->found(sink, &found) == ERR_OK;
    return e;
}

static enum err tell5(struct homie *h, struct record *r, struct mqtt_sink *sink, struct errmsg *msg)
{
    struct str text = {r->description, r->n};
    json_t *root = json_read(text, HOMIE_DOCUMENT_MAX, msg);
    struct homie_document d = {.root = root};
    enum err e = ERR_BADREQ;

    if (json_is_object(root) && str_starts(json_member_str(root, "homie"), STR("5.")))
        e = tell(h, r, &d, sink, msg);
    else if (root)
        err_set(msg, e, "not a description of Homie 5");
    json_decref(root);
    return e;
}

static enum err tell4(struct homie *h, struct record *r, struct mqtt_sink *sink, struct errmsg *msg)
{
    json_t *root = homie_attributes_document(r->old);
    struct homie_document d = {.root = root};
    enum err e = tell(h, r, &d, sink, msg);

    json_decref(root);
    return e;
}

/* Homie 5 */

static bool is_state(struct str text)
{
    static const char *const states[] = {"alert", "disconnected", "init", "lost", "ready", "sleeping"};

    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
        if (str_eq_c(text, states[i]))
            return true;
    return false;
}

static enum err state5(struct homie *h, struct record *r, struct str text, struct mqtt_sink *sink, struct errmsg *msg)
{
    if (!is_state(text))
        return err_set(msg, ERR_BADREQ, "not a state of Homie");
    r->told = r->told && r->is5 && sink->known(sink, mqtt_convention_key("homie", str_c(r->id), sink->arena));
    r->is5 = r->present = true;
    return r->description && !r->told ? tell5(h, r, sink, msg) : ERR_OK;
}

static enum err description5(struct homie *h, struct record *r, struct str text, struct mqtt_sink *sink,
                             struct errmsg *msg)
{
    if (text.n > HOMIE_DOCUMENT_MAX)
        return err_set(msg, ERR_LIMIT, "%zu bytes, more than %d", text.n, HOMIE_DOCUMENT_MAX);
    if (mqtt_convention_depth(text) > DEPTH)
        return err_set(msg, ERR_LIMIT, "nested deeper than %d", DEPTH);
    if (h->bytes - r->n + text.n > BYTES_MAX)
        return err_set(msg, ERR_LIMIT, "the devices under %s describe too much", h->prefix);
    mem_free(r->description);
    h->bytes = h->bytes - r->n + text.n;
    r->description = text.n ? mem_dup(text.p, text.n) : NULL;
    r->n = text.n;
    return r->is5 && r->present && text.n ? tell5(h, r, sink, msg) : ERR_OK;
}

static void log5(const struct record *r, struct str level, struct str text, struct mqtt_sink *sink)
{
    static const char *const told[] = {"error", "fatal", "warn"};
    struct str key = mqtt_convention_key("homie", str_c(r->id), sink->arena);

    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
        if (str_eq_c(level, told[i]))
            sink->said(sink, key, arena_printf(sink->arena, "%s: " STR_FMT, told[i], STR_ARG(text)));
}

static enum err message5(struct homie *h, struct record *r, struct str path, const struct mqtt_message *m,
                         struct mqtt_sink *sink, struct errmsg *msg)
{
    struct str kind, id;

    if (str_eq_c(path, "$state"))
        return state5(h, r, m->payload, sink, msg);
    if (str_eq_c(path, "$description"))
        return description5(h, r, m->payload, sink, msg);
    if (!str_cut(path, '/', &kind, &id) || !homie_id_good(id))
        return err_set(msg, ERR_UNSUPPORTED, "not an attribute that is used");
    if (str_eq_c(kind, "$alert"))
        sink->raised(sink, mqtt_convention_key("homie", str_c(r->id), sink->arena), id, m->payload, !m->retain);
    else if (str_eq_c(kind, "$log") && !m->retain)
        log5(r, id, m->payload, sink);
    return ERR_OK;
}

/* Homie 4 */

static bool used4(struct str path)
{
    static const char *const names[] = {"$datatype",   "$format",   "$homie",    "$name",  "$nodes",
                                        "$properties", "$retained", "$settable", "$state", "$unit"};
    struct str head, last;

    if (!str_rcut(path, '/', &head, &last))
        last = path;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (str_eq_c(last, names[i]))
            return true;
    return false;
}

static void wait_for_more(struct homie *h, struct record *r, int64_t now)
{
    r->dirty = true;
    if (h->first == INT64_MAX)
        h->first = now;
    h->due = now + QUIET < h->first + PATIENCE ? now + QUIET : h->first + PATIENCE;
}

static enum err attribute4(struct homie *h, struct record *r, struct str path, struct str text, int64_t now,
                           struct errmsg *msg)
{
    if (!r->old)
        r->old = homie_attributes_create();
    size_t before = homie_attributes_size(r->old);
    enum err e;
    if (h->bytes + path.n + text.n > BYTES_MAX)
        return err_set(msg, ERR_LIMIT, "the devices under %s describe too much", h->prefix);
    bool changed = homie_attributes_set(r->old, path, text, &e);
    h->bytes = h->bytes - before + homie_attributes_size(r->old);
    if (e != ERR_OK)
        return err_set(msg, e, "too many attributes, or one that is too large or no text");
    if (changed)
        wait_for_more(h, r, now);
    return ERR_OK;
}

// The only alert it can raise.
static void alert4(const struct record *r, const struct mqtt_message *m, struct mqtt_sink *sink)
{
    bool alert = str_eq_c(m->payload, "alert");

    sink->raised(sink, mqtt_convention_key("homie", str_c(r->id), sink->arena), STR("$state"),
                 alert ? STR("something is wrong") : STR_NONE, !m->retain);
}

static enum err message4(struct homie *h, struct record *r, struct str path, const struct mqtt_message *m,
                         struct mqtt_sink *sink, struct errmsg *msg)
{
    bool state = str_eq_c(path, "$state");

    if (!used4(path))
        return err_set(msg, ERR_UNSUPPORTED, "not an attribute that is used");
    if (state && !is_state(m->payload))
        return err_set(msg, ERR_BADREQ, "not a state of Homie");
    if (!state)
        return attribute4(h, r, path, m->payload, sink->now, msg);
    r->present = true;
    r->starting = str_eq_c(m->payload, "init");
    if (!speaks5(r))
        alert4(r, m, sink);
    if (r->old)
        wait_for_more(h, r, sink->now);
    return ERR_OK;
}

// Whether there was anything to do.
static bool put_together(struct homie *h, struct record *r, struct mqtt_sink *sink)
{
    struct errmsg msg = {""};

    if (!r->dirty || speaks5(r) || !r->present || r->starting || !r->old || !homie_attributes_complete(r->old))
        return false;
    r->dirty = false;
    enum err e = tell4(h, r, sink, &msg);
    if (e != ERR_OK)
        sink->refused(sink, source_of(h, str_c(r->id), sink->arena), e, msg.text);
    return true;
}

static int64_t homie_deadline(const void *self)
{
    return ((const struct homie *)self)->due;
}

static void homie_tick(void *self, struct mqtt_sink *sink)
{
    struct homie *h = self;
    size_t at = 0, done = 0;
    void *r;

    h->due = h->first = INT64_MAX;
    while (done < SLICE && map_next(&h->records, &at, NULL, &r))
        done += put_together(h, r, sink);
    if (done < SLICE)
        return;
    h->due = sink->now; // for the others, who have waited long enough
    h->first = sink->now - PATIENCE;
}

/* Both */

// An emptied $state is the end of a device; not that of 4, when it speaks 5 now.
static bool removes(const struct homie *h, struct str id, struct str path, bool is5)
{
    const struct record *r = map_get(&h->records, id);

    if (is5)
        return str_eq_c(path, "$state");
    return (str_eq_c(path, "$state") || str_eq_c(path, "$homie")) && !(r && speaks5(r));
}

static enum err homie_message(void *self, const struct mqtt_message *m, struct mqtt_sink *sink, struct errmsg *msg)
{
    struct homie *h = self;
    struct str rest, id, path;
    bool is5;

    if (!below(self, m->topic, &rest, &is5) || !str_cut(rest, '/', &id, &path) || !homie_id_good(id))
        return err_set(msg, ERR_UNSUPPORTED, "not a topic of a device");
    if (m->payload.n == 0 && removes(h, id, path, is5)) {
        sink->gone(sink, source_of(h, id, sink->arena));
        drop(h, map_get(&h->records, id));
        return ERR_OK;
    }
    struct record *r = record_of(h, id);
    if (!r)
        return err_set(msg, ERR_LIMIT, "more than %d devices", RECORDS_MAX);
    return is5 ? message5(h, r, path, m, sink, msg) : message4(h, r, path, m, sink, msg);
}

const struct mqtt_convention mqtt_homie = {
    .name = "homie",
    .create = homie_create,
    .destroy = homie_destroy,
    .filter = homie_filter,
    .owns = homie_owns,
    .reserves = homie_reserves,
    .covers = homie_covers,
    .message = homie_message,
    .deadline = homie_deadline,
    .tick = homie_tick,
    .inherit = homie_inherit,
};
