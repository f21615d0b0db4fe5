/* Shelly devices as a convention; what is said there is read in mqtt_shelly_gen1.c and mqtt_shelly_gen2.c.
 *
 * Happy path, generation 1: an announcement (asked for when the link is up) -> the device -> each topic it publishes
 * adds what it is good for. Generations 2 to 4: <prefix>/online says true -> three requests to <prefix>/rpc -> their
 * answers on <source>/rpc -> the device, and its state.
 * Failures: no answer in 5 s, which the log is told; an announcement or a component of no use; many at once, who wait
 * for their turn. An emptied announce or online topic takes the device away. */
#include "adapters/mqtt/mqtt_shelly.h"

#include "adapters/mqtt/mqtt_topic.h"

#include "base/map.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    ANNOUNCED_MAX = 4096,
    TALKS_MAX = 1024,     // devices that are or will be asked
    TALKS_AT_ONCE = 5,    // of them
    TALK_TIME = 5 * 1000, // ms for all answers
    ID_BYTES = 16,
    LEARNED = 4096,          // topics of which it is remembered that they were looked at
    LEARN_AGAIN = 60 * 1000, // ms
    LEARN_REFUSED = 3600 * 1000,
    ASK_AGAIN = 60 * 1000,
    RETRY = 1000, // ms until the broker has taken what it was sent
};

enum part { PART_INFO, PART_CONFIG, PART_STATUS, PARTS };

static const char *const methods[PARTS] = {"Shelly.GetDeviceInfo", "Shelly.GetConfig", "Shelly.GetStatus"};

struct talk {     // with one device
    char *prefix; // owned
    bool running;
    char id[ID_BYTES + 1];
    json_t *result[PARTS]; // owned
    bool answered[PARTS];
    int64_t deadline; // of one that runs
};

struct unit { // of generation 1
    char *id; // owned
    bool announced;
    int64_t asked;
};

struct learned {
    uint64_t topic; // its hash
    int64_t until;
};

struct shelly {
    char *source;       // owned
    struct str *prefix; // owned: filters, without '#'
    size_t prefix_count;
    int64_t expire_after;
    struct map units;   // id -> struct unit
    struct talk *talks; // owned, in the order in which they came
    size_t talk_count;
    int64_t retry; // when there may be room to ask again
    int64_t greet; // when all of generation 1 are asked to announce themselves
    uint64_t last_id;
    struct learned learned[LEARNED];
};

/* Configuration */

const struct conf_item mqtt_shelly_schema[] = {
    {.name = "enabled", .type = CONF_BOOL, .dflt = "false", .doc = "Whether Shelly devices become contacts."},
    {.name = "prefixes",
     .type = CONF_LIST,
     .of = CONF_STR,
     .doc = "Topic prefixes of devices of generation 2 or later that have one of their own; `+` stands for one level. "
            "Those named `shelly...` need not be named.",
     .example = "[\"house/+\"]"},
    {.name = "source",
     .type = CONF_STR,
     .dflt = "spandrel",
     .doc =
         "Who asks: devices of generation 2 or later answer on the topic `SOURCE/rpc`. Each bridge at a broker needs "
         "its own."},
    {.name = "expire_after",
     .type = CONF_SPAN,
     .dflt = "1d",
     .min = 60e3,
     .max = 366 * 86400e3,
     .doc = "Silence after which a device of generation 1 that sleeps (on a battery) is shown as away."},
    {.name = NULL},
};

static bool source_valid(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && !strchr("-_./", c))
            return false;
    }
    return s.n <= 64 && mqtt_topic_publishable(s) && !str_ends(s, STR("/"));
}

static void read_prefixes(struct shelly *s, const struct conf_value *list, struct conf_report *report)
{
    const struct conf_value *v;

    s->prefix = mem_zalloc(conf_count(list) + 1, sizeof(*s->prefix));
    for (size_t at = 0; (v = conf_each(list, &at));) {
        struct str text = conf_str(v);
        if (!mqtt_topic_filter_valid(text) || str_find(text, '#') >= 0 || str_starts(text, STR("$")) ||
            str_ends(text, STR("/")))
            conf_fail(report, v, "not the begin of topics: '+' stands for one level, as in \"house/+\"");
        else
            s->prefix[s->prefix_count++] = (struct str){mem_dup(text.p, text.n), text.n};
    }
}

static void shelly_destroy(void *self);

static void *shelly_create(const struct conf_value *discovery, struct conf_report *report)
{
    const struct conf_value *conf = conf_get(discovery, "shelly"), *source = conf_get(conf, "source");
    size_t errors = conf_errors(report);

    if (!conf_bool(conf_get(conf, "enabled")))
        return NULL;
    struct shelly *s = MEM_NEW(struct shelly);
    s->source = mem_dup(conf_str(source).p, conf_str(source).n);
    s->expire_after = conf_int(conf_get(conf, "expire_after"));
    s->talks = mem_zalloc(TALKS_MAX, sizeof(*s->talks));
    s->retry = s->greet = INT64_MAX;
    map_init(&s->units);
    if (!source_valid(conf_str(source)))
        conf_fail(report, source, "not a topic of letters, digits, '-', '_', '.' and '/', of at most 64 characters");
    read_prefixes(s, conf_get(conf, "prefixes"), report);
    if (conf_errors(report) == errors)
        return s;
    shelly_destroy(s);
    return NULL;
}

static void unit_free(struct unit *u)
{
    mem_free(u->id);
    mem_free(u);
}

static void units_finish(struct shelly *s)
{
    void *u;

    for (size_t at = 0; map_next(&s->units, &at, NULL, &u);)
        unit_free(u);
    map_finish(&s->units);
}

static void talk_finish(struct talk *t)
{
    for (size_t i = 0; i < PARTS; i++)
        json_decref(t->result[i]);
    mem_free(t->prefix);
    *t = (struct talk){0};
}

static void shelly_destroy(void *self)
{
    struct shelly *s = self;

    if (!s)
        return;
    for (size_t i = 0; i < s->talk_count; i++)
        talk_finish(&s->talks[i]);
    for (size_t i = 0; i < s->prefix_count; i++)
        mem_free((char *)(uintptr_t)s->prefix[i].p);
    units_finish(s);
    mem_free(s->talks);
    mem_free(s->prefix);
    mem_free(s->source);
    mem_free(s);
}

/* Topics */

static struct str shelly_filter(const void *self, size_t n, struct arena *a)
{
    const struct shelly *s = self;

    if (n == 0)
        return STR("shellies/#");
    if (n == 1)
        return STR("+/online");
    if (n == 2)
        return arena_printf(a, "%s/rpc", s->source);
    return n - 3 < s->prefix_count ? arena_printf(a, STR_FMT "/online", STR_ARG(s->prefix[n - 3])) : STR_NONE;
}

// The prefix of a device of generation 2 or later, given by the configuration or, at one level, by the firmware
// ("shellyplus1-a8032ab12345").
static bool is_prefix(const struct shelly *s, struct str prefix)
{
    if (str_find(prefix, '/') < 0 && str_case_eq(str_sub(prefix, 0, 6), STR("shelly")) && !str_eq_c(prefix, "shellies"))
        return true;
    for (size_t i = 0; i < s->prefix_count; i++)
        if (mqtt_topic_match(s->prefix[i], prefix, NULL))
            return true;
    return false;
}

// What stands before `last`, where that is such a prefix.
static bool prefix_of(const struct shelly *s, struct str topic, const char *last, struct str *prefix)
{
    size_t n = strlen(last);

    if (topic.n <= n || topic.n - n > MQTT_SHELLY_PREFIX || !str_ends(topic, str_c(last)))
        return false;
    *prefix = str_sub(topic, 0, topic.n - n);
    return is_prefix(s, *prefix);
}

static bool is_answer(const struct shelly *s, struct str topic)
{
    return str_ends(topic, STR("/rpc")) && str_eq_c(str_sub(topic, 0, topic.n - strlen("/rpc")), s->source);
}

static bool shelly_owns(const void *self, struct str topic)
{
    struct str prefix;

    return str_starts(topic, STR("shellies/")) || is_answer(self, topic) || prefix_of(self, topic, "/online", &prefix);
}

static bool shelly_reserves(const void *self, struct str topic)
{
    struct str prefix;

    return is_answer(self, topic) || prefix_of(self, topic, "/online", &prefix) ||
           mqtt_topic_match(STR("shellies/announce"), topic, NULL) ||
           mqtt_topic_match(STR("shellies/+/announce"), topic, NULL) ||
           mqtt_topic_match(STR("shellies/+/online"), topic, NULL);
}

static bool covers_command(const struct shelly *s, struct str topic)
{
    static const char *const commands[] = {"shellies/command", "shellies/+/command", "shellies/+/+/+/command",
                                           "shellies/+/+/+/command/pos", "shellies/+/+/+/set"};
    struct str prefix;

    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (mqtt_topic_match(str_c(commands[i]), topic, NULL))
            return true;
    return prefix_of(s, topic, "/rpc", &prefix);
}

static bool shelly_covers(const void *self, struct str topic, bool command)
{
    static const char *const lasts[] = {"/online", "/events/rpc"};
    struct str prefix, head, last;

    if (command)
        return covers_command(self, topic);
    if (str_starts(topic, STR("shellies/")))
        return true;
    for (size_t i = 0; i < sizeof(lasts) / sizeof(lasts[0]); i++)
        if (prefix_of(self, topic, lasts[i], &prefix))
            return true;
    return str_rcut(topic, '/', &head, &last) && str_ends(head, STR("/status")) &&
           prefix_of(self, head, "/status", &prefix);
}

// Who was announced need not be asked again. Who has not answered yet is asked anew, since the broker does not repeat
// that it is online.
static void shelly_inherit(void *self, void *from)
{
    struct shelly *s = self, *old = from;

    units_finish(s);
    s->units = old->units;
    map_init(&old->units);
    for (size_t i = 0; i < old->talk_count; i++) {
        struct str prefix = str_c(old->talks[i].prefix);
        if (is_prefix(s, prefix))
            s->talks[s->talk_count++] = (struct talk){.prefix = mem_dup(prefix.p, prefix.n)};
    }
    s->retry = s->talk_count ? INT64_MIN : INT64_MAX; // at once
}

static struct str key_of(struct str prefix, struct arena *a)
{
    return mqtt_convention_key(mqtt_shelly.name, prefix, a);
}

/* Generation 1 */

static struct str unit_prefix(struct str id, struct arena *a)
{
    return arena_printf(a, "shellies/" STR_FMT, STR_ARG(id));
}

static struct unit *unit_make(struct shelly *s, struct str id)
{
    struct unit *u = map_get(&s->units, id);

    if (u || s->units.count >= ANNOUNCED_MAX)
        return u;
    u = MEM_NEW(struct unit);
    u->id = mem_dup(id.p, id.n);
    u->asked = INT64_MIN;
    (void)map_put(&s->units, str_c(u->id), u);
    return u;
}

static enum err too_many(struct errmsg *msg)
{
    return err_set(msg, ERR_LIMIT, "more than %d devices", ANNOUNCED_MAX);
}

static enum err announced(struct shelly *s, struct str id, struct str payload, struct mqtt_sink *sink,
                          struct errmsg *msg)
{
    struct mqtt_shelly_announced who;
    struct mqtt_describe d;
    struct mqtt_found found;

    mqtt_describe_begin(&d, sink->arena, &found, STR_NONE, STR_NONE);
    enum err e = mqtt_shelly_announce(id, payload, s->expire_after, sink->arena, &who, &d, msg);
    if (e != ERR_OK)
        return e;
    if (who.gen2)
        return err_set(msg, ERR_UNSUPPORTED, "a device of generation 2 is found by its topic 'online'");
    struct str prefix = unit_prefix(who.id, sink->arena);
    found.key = key_of(prefix, sink->arena);
    found.source = arena_printf(sink->arena, STR_FMT "/announce", STR_ARG(prefix));
    if (sink->found(sink, &found) != ERR_OK)
        return ERR_OK;
    struct unit *u = unit_make(s, who.id);
    if (!u)
        return too_many(msg);
    if (!u->announced) // what it has, it says at once
        (void)sink->ask(sink, arena_printf(sink->arena, STR_FMT "/command", STR_ARG(prefix)), STR("update"));
    u->announced = true;
    return ERR_OK;
}

static struct learned *slot_of(struct shelly *s, uint64_t hash)
{
    return &s->learned[hash % LEARNED];
}

static void lost(struct shelly *s, struct str id, struct mqtt_sink *sink)
{
    struct unit *u = map_remove(&s->units, id);

    if (u)
        unit_free(u);
    sink->lost(sink, key_of(unit_prefix(id, sink->arena), sink->arena));
}

// A device that nobody has announced since we are here, or since it was forgotten.
static enum err ask_who(struct shelly *s, struct str id, struct mqtt_sink *sink, struct errmsg *msg)
{
    struct unit *u = unit_make(s, id);

    if (!u)
        return too_many(msg);
    if (u->asked != INT64_MIN && sink->now - u->asked < ASK_AGAIN)
        return ERR_OK;
    u->asked = sink->now;
    u->announced = false;
    (void)sink->ask(sink, arena_printf(sink->arena, "shellies/" STR_FMT "/command", STR_ARG(id)), STR("announce"));
    return ERR_OK;
}

static enum err learn(struct shelly *s, struct str id, struct str tail, const struct mqtt_message *m,
                      struct mqtt_sink *sink, struct errmsg *msg)
{
    uint64_t hash = map_hash(m->topic);
    struct learned *slot = slot_of(s, hash);
    struct mqtt_describe d;
    struct mqtt_found found;

    if (slot->topic == hash && slot->until > sink->now)
        return ERR_OK;
    struct str prefix = unit_prefix(id, sink->arena), key = key_of(prefix, sink->arena);
    if (!sink->known(sink, key)) // it was forgotten: what it is must be said first
        return ask_who(s, id, sink, msg);
    *slot = (struct learned){hash, sink->now + LEARN_AGAIN};
    mqtt_describe_begin(&d, sink->arena, &found, key, m->topic);
    enum err e = mqtt_shelly_learn(arena_printf(sink->arena, STR_FMT "/", STR_ARG(prefix)), tail, m->payload, &d);
    if (e == ERR_OK)
        e = sink->found(sink, &found);
    if (e == ERR_FORBIDDEN || e == ERR_EXISTS) // that will not change soon, and the log need not be told each minute
        slot->until = sink->now + LEARN_REFUSED;
    return ERR_OK;
}

// shellies/<id>/<tail>
static enum err unit_message(struct shelly *s, struct str id, struct str tail, const struct mqtt_message *m,
                             struct mqtt_sink *sink, struct errmsg *msg)
{
    const struct unit *u = map_get(&s->units, id);
    bool presence = str_eq_c(tail, "announce") || str_eq_c(tail, "online");
    struct mqtt_describe d;
    struct mqtt_found none;

    if (!mqtt_topic_level_valid(id))
        return err_set(msg, ERR_BADREQ, "not the id of a device");
    if (m->payload.n == 0 && presence)
        lost(s, id, sink);
    else if (m->payload.n == 0)
        sink->gone(sink, m->topic);
    else if (str_eq_c(tail, "announce"))
        return announced(s, id, m->payload, sink, msg);
    else if (u && u->announced)
        return learn(s, id, tail, m, sink, msg);
    else {
        mqtt_describe_begin(&d, sink->arena, &none, STR_NONE, STR_NONE);
        if (presence || mqtt_shelly_learn(STR_NONE, tail, m->payload, &d) == ERR_OK)
            return ask_who(s, id, sink, msg);
    }
    return ERR_OK;
}

/* Generations 2 to 4 */

// Those that run are among the first.
static size_t running(const struct shelly *s)
{
    return s->talk_count < TALKS_AT_ONCE ? s->talk_count : TALKS_AT_ONCE;
}

static struct talk *talk_with(struct shelly *s, struct str prefix)
{
    for (size_t i = 0; i < s->talk_count; i++)
        if (str_eq_c(prefix, s->talks[i].prefix))
            return &s->talks[i];
    return NULL;
}

static void talk_drop(struct shelly *s, struct talk *t)
{
    size_t at = (size_t)(t - s->talks);

    talk_finish(t);
    memmove(t, t + 1, (s->talk_count - at - 1) * sizeof(*t));
    s->talks[--s->talk_count] = (struct talk){0};
}

// Not to be guessed by a device that would answer for another.
static void make_id(struct shelly *s, struct talk *t)
{
    const struct {
        const void *owner;
        uint64_t n;
    } seed = {s, ++s->last_id};

    (void)snprintf(t->id, sizeof(t->id), "%016" PRIx64, map_hash((struct str){(const char *)&seed, sizeof(seed)}));
}

static enum err talk_start(struct shelly *s, struct talk *t, struct mqtt_sink *sink)
{
    struct str topic = arena_printf(sink->arena, "%s/rpc", t->prefix);

    enum err e = ERR_OK;

    make_id(s, t);
    t->deadline = sink->now + TALK_TIME;
    for (size_t i = 0; i < PARTS && e == ERR_OK; i++) {
        struct str id = arena_printf(sink->arena, "%s%zu", t->id, i);
        e = sink->ask(sink, topic, mqtt_shelly_request(sink->arena, str_c(s->source), id, methods[i]));
    }
    t->running = e == ERR_OK;
    return e;
}

static void cannot_ask(struct shelly *s, struct talk *t, enum err e, struct mqtt_sink *sink)
{
    sink->refused(sink, arena_printf(sink->arena, "%s/rpc", t->prefix), e,
                  e == ERR_FORBIDDEN ? "it cannot be asked what it is: the topic is not allowed (command_topics)"
                                     : "it cannot be asked what it is: there is no link to the broker");
    talk_drop(s, t);
}

// Whose turn it is. What cannot be asked is not, until it says again that it is online.
static void talk_next(struct shelly *s, struct mqtt_sink *sink)
{
    size_t i = 0;

    s->retry = INT64_MAX;
    while (i < running(s)) {
        struct talk *t = &s->talks[i];
        enum err e = t->running ? ERR_OK : talk_start(s, t, sink);
        if (e == ERR_AGAIN) {
            s->retry = sink->now + RETRY;
            return;
        }
        if (e == ERR_OK)
            i++;
        else
            cannot_ask(s, t, e, sink);
    }
}

static enum err online(struct shelly *s, struct str prefix, const struct mqtt_message *m, struct mqtt_sink *sink,
                       struct errmsg *msg)
{
    if (m->payload.n == 0) {
        struct talk *t = talk_with(s, prefix);
        sink->lost(sink, key_of(prefix, sink->arena));
        if (t)
            talk_drop(s, t);
        talk_next(s, sink); // in its place
        return ERR_OK;
    }
    if (!str_eq_c(m->payload, "true") || talk_with(s, prefix))
        return ERR_OK;
    if (s->talk_count == TALKS_MAX)
        return err_set(msg, ERR_LIMIT, "%d devices are being asked already", TALKS_MAX);
    s->talks[s->talk_count++] = (struct talk){.prefix = mem_dup(prefix.p, prefix.n)};
    talk_next(s, sink);
    return ERR_OK;
}

// Its state, as if it had said so by itself: the arena is reset by each.
static void tell_state(const struct talk *t, struct mqtt_sink *sink)
{
    const char *key;
    json_t *v;

    json_object_foreach(t->result[PART_STATUS], key, v)
    {
        struct str text = mqtt_convention_dump(v, sink->arena);
        if (text.n && strlen(key) < 32)
            sink->heard(sink, arena_printf(sink->arena, "%s/status/%s", t->prefix, key), text);
    }
}

static void talk_end(struct shelly *s, struct talk *t, struct mqtt_sink *sink)
{
    const struct mqtt_shelly_answers answers = {t->result[PART_INFO], t->result[PART_CONFIG], t->result[PART_STATUS]};
    const struct mqtt_shelly_conf conf = {str_c(t->prefix), str_c(s->source)};
    struct str source = arena_printf(sink->arena, "%s/online", t->prefix);
    struct mqtt_describe d;
    struct mqtt_found found;
    struct errmsg msg = {""};

    mqtt_describe_begin(&d, sink->arena, &found, key_of(conf.prefix, sink->arena), source);
    enum err e = mqtt_shelly_describe(&conf, &answers, &d, &msg);
    if (e != ERR_OK)
        sink->refused(sink, source, e, msg.text);
    else if (sink->found(sink, &found) == ERR_OK)
        tell_state(t, sink);
    talk_drop(s, t);
    talk_next(s, sink);
}

static struct talk *talk_of(struct shelly *s, struct str id, size_t *part)
{
    uint64_t n;

    if (id.n != ID_BYTES + 1 || !str_to_u64(str_sub(id, ID_BYTES, id.n), &n) || n >= PARTS)
        return NULL;
    *part = (size_t)n;
    for (size_t i = 0; i < running(s); i++)
        if (s->talks[i].running && str_eq_c(str_sub(id, 0, ID_BYTES), s->talks[i].id))
            return &s->talks[i];
    return NULL;
}

static enum err answered(struct shelly *s, const struct mqtt_message *m, struct mqtt_sink *sink, struct errmsg *msg)
{
    json_t *root = mqtt_shelly_json(m->payload, msg);
    size_t part;
    struct talk *t = talk_of(s, json_member_str(root, "id"), &part);

    if (t && !t->answered[part]) {
        json_t *result = json_object_get(root, "result");
        t->result[part] = json_is_object(result) ? json_incref(result) : NULL;
        t->answered[part] = true;
    }
    json_decref(root);
    if (!t)
        return root ? err_set(msg, ERR_UNSUPPORTED, "an answer to nothing that was asked") : ERR_BADREQ;
    if (t->answered[PART_INFO] && t->answered[PART_CONFIG] && t->answered[PART_STATUS])
        talk_end(s, t, sink);
    return ERR_OK;
}

static int64_t shelly_deadline(const void *self)
{
    const struct shelly *s = self;
    int64_t first = s->retry < s->greet ? s->retry : s->greet;

    for (size_t i = 0; i < running(s); i++)
        if (s->talks[i].running && s->talks[i].deadline < first)
            first = s->talks[i].deadline;
    return first;
}

static struct talk *talk_due(struct shelly *s, int64_t now)
{
    for (size_t i = 0; i < running(s); i++)
        if (s->talks[i].running && s->talks[i].deadline <= now)
            return &s->talks[i];
    return NULL;
}

static void greet(struct shelly *s, struct mqtt_sink *sink)
{
    enum err e = sink->ask(sink, STR("shellies/command"), STR("announce"));

    if (e == ERR_OK)
        e = sink->ask(sink, STR("shellies/command"), STR("update"));
    s->greet = e == ERR_AGAIN ? sink->now + RETRY : INT64_MAX;
}

static void shelly_tick(void *self, struct mqtt_sink *sink)
{
    struct shelly *s = self;
    struct talk *t;

    while ((t = talk_due(s, sink->now))) // with the answers that have come
        talk_end(s, t, sink);
    if (s->retry <= sink->now)
        talk_next(s, sink);
    if (s->greet <= sink->now)
        greet(s, sink);
}

/* Both */

static enum err shelly_message(void *self, const struct mqtt_message *m, struct mqtt_sink *sink, struct errmsg *msg)
{
    struct shelly *s = self;
    struct str prefix, rest, id, tail;

    if (is_answer(s, m->topic))
        return m->retain ? err_set(msg, ERR_BADREQ, "a retained answer") : answered(s, m, sink, msg);
    if (prefix_of(s, m->topic, "/online", &prefix)) {
        enum err e = online(s, prefix, m, sink, msg);
        if (e != ERR_OK || !str_starts(m->topic, STR("shellies/")))
            return e;
    }
    rest = str_sub(m->topic, strlen("shellies/"), m->topic.n);
    if (str_eq_c(rest, "announce"))
        return m->payload.n ? announced(s, STR_NONE, m->payload, sink, msg) : ERR_OK;
    return str_cut(rest, '/', &id, &tail) ? unit_message(s, id, tail, m, sink, msg) : ERR_OK;
}

// Once the broker has had the time to take the subscriptions that the answers need.
static void shelly_up(void *self, struct mqtt_sink *sink)
{
    ((struct shelly *)self)->greet = sink->now + RETRY;
}

const struct mqtt_convention mqtt_shelly = {
    .name = "shelly",
    .create = shelly_create,
    .destroy = shelly_destroy,
    .filter = shelly_filter,
    .owns = shelly_owns,
    .reserves = shelly_reserves,
    .covers = shelly_covers,
    .message = shelly_message,
    .deadline = shelly_deadline,
    .tick = shelly_tick,
    .up = shelly_up,
    .inherit = shelly_inherit,
};
