#include "adapters/mqtt/mqtt_raised.h"

#include "base/mem.h"
#include "base/ratelimit.h"

struct one {
    char *id, *text; // owned
    bool doubtful;   // not said again since we came back
};

struct mqtt_raised {
    struct one v[MQTT_RAISED_MAX];
    size_t count;
    int64_t spoke; // monotonic ms, INT64_MIN for never
    struct ratelimit telling;
    bool rated;
};

static void one_free(struct one *o)
{
    mem_free(o->id);
    mem_free(o->text);
}

void mqtt_raised_destroy(struct mqtt_raised *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->count; i++)
        one_free(&r->v[i]);
    mem_free(r);
}

void mqtt_raised_move(struct mqtt_entities *from, struct mqtt_entities *to)
{
    *mqtt_entities_raised(to) = *mqtt_entities_raised(from);
    *mqtt_entities_raised(from) = NULL;
}

static struct mqtt_raised *raised(const struct mqtt_device *d)
{
    return d->entities ? *mqtt_entities_raised(d->entities) : NULL;
}

static struct mqtt_raised *make(struct mqtt_device *d)
{
    struct mqtt_raised *r = raised(d);

    if (r || !d->entities)
        return r;
    r = MEM_NEW(struct mqtt_raised);
    r->spoke = INT64_MIN;
    *mqtt_entities_raised(d->entities) = r;
    return r;
}

bool mqtt_raised_may_speak(struct mqtt_device *d, int64_t now, int64_t every)
{
    struct mqtt_raised *r = make(d);

    if (!r || (r->spoke != INT64_MIN && now - r->spoke < every))
        return false;
    r->spoke = now;
    return true;
}

bool mqtt_raised_may_tell(struct mqtt_device *d, int64_t now)
{
    struct mqtt_raised *r = make(d);

    if (!r)
        return false;
    if (!r->rated)
        ratelimit_init(&r->telling, 1.0 / MQTT_RAISED_RATE_S, MQTT_RAISED_BURST, now);
    r->rated = true;
    return ratelimit_take(&r->telling, now);
}

static void take_out(struct mqtt_raised *r, size_t at)
{
    one_free(&r->v[at]);
    r->count--;
    memmove(&r->v[at], &r->v[at + 1], (r->count - at) * sizeof(r->v[0]));
}

static size_t find(const struct mqtt_raised *r, struct str id)
{
    size_t at = 0;

    while (at < r->count && !str_eq_c(id, r->v[at].id))
        at++;
    return at;
}

bool mqtt_raised_set(struct mqtt_device *d, struct str id, struct str text, struct arena *a, struct str *before)
{
    struct mqtt_raised *r = make(d);
    size_t at = r ? find(r, id) : 0;
    bool known = r && at < r->count;

    *before = STR_NONE;
    if (known) {
        r->v[at].doubtful = false;
        if (str_eq_c(text, r->v[at].text))
            return false;
        *before = arena_dup(a, str_c(r->v[at].text));
        take_out(r, at);
    }
    if (text.n == 0)
        return known;
    if (!r || r->count == MQTT_RAISED_MAX || id.n > MQTT_RAISED_ID || text.n > MQTT_RAISED_TEXT)
        return false;
    r->v[r->count++] = (struct one){.id = mem_dup(id.p, id.n), .text = mem_dup(text.p, text.n)};
    return true;
}

bool mqtt_raised_nth(const struct mqtt_device *d, size_t n, struct str *id, struct str *text)
{
    const struct mqtt_raised *r = raised(d);

    if (!r || n >= r->count)
        return false;
    *id = str_c(r->v[n].id);
    *text = str_c(r->v[n].text);
    return true;
}

struct str mqtt_raised_text(const struct mqtt_device *d)
{
    const struct mqtt_raised *r = raised(d);

    return r && r->count ? str_c(r->v[r->count - 1].text) : STR_NONE;
}

void mqtt_raised_doubt(struct mqtt_device *d)
{
    struct mqtt_raised *r = raised(d);

    for (size_t i = 0; r && i < r->count; i++)
        r->v[i].doubtful = true;
}

bool mqtt_raised_settle(struct mqtt_device *d)
{
    struct mqtt_raised *r = raised(d);
    bool any = false;

    for (size_t i = 0; r && i < r->count;)
        if (r->v[i].doubtful) {
            any = true;
            take_out(r, i);
        } else {
            i++;
        }
    return any;
}
