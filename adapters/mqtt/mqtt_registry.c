#include "adapters/mqtt/mqtt_registry.h"

#include "base/map.h"
#include "base/mem.h"

struct mqtt_binding {
    uint32_t device; // MQTT_NONE: free
    uint32_t next;   // of the same topic, or the next free one
    uint32_t prev;   // MQTT_NONE: first, and in the index
    uint16_t topic;  // offset in the device's spec
};

void mqtt_registry_init(struct mqtt_registry *r)
{
    *r = (struct mqtt_registry){.binding_free = MQTT_NONE};
    index_init(&r->keys);
    index_init(&r->topics);
}

void mqtt_registry_finish(struct mqtt_registry *r)
{
    for (uint32_t i = 0; i < r->device_end; i++)
        mqtt_device_destroy(r->devices[i]);
    mem_free(r->devices);
    mem_free(r->free_devices);
    mem_free(r->bindings);
    mem_free(r->heap);
    index_finish(&r->keys);
    index_finish(&r->topics);
}

static uint32_t grown(uint32_t cap)
{
    return cap ? cap + cap / 2 : 16;
}

/* Topics */

static struct str device_topic(const struct mqtt_device *d, struct arena *a, uint16_t topic)
{
    struct mqtt_captures c;

    mqtt_device_captures(d, &c);
    return mqtt_pattern_topic(a, &d->spec->topics[topic].pattern, &c);
}

static bool binding_is(const struct mqtt_registry *r, uint32_t binding, struct str topic)
{
    const struct mqtt_binding *b = &r->bindings[binding];
    const struct mqtt_device *d = r->devices[b->device];
    struct mqtt_captures c;

    mqtt_device_captures(d, &c);
    return mqtt_pattern_is(&d->spec->topics[b->topic].pattern, &c, topic);
}

static uint32_t find_topic(const struct mqtt_registry *r, struct str topic, uint64_t hash)
{
    size_t at = SIZE_MAX;
    uint32_t b;

    while ((b = index_next(&r->topics, hash, &at)) != INDEX_NONE)
        if (binding_is(r, b, topic))
            return b;
    return MQTT_NONE;
}

uint32_t mqtt_registry_topic(const struct mqtt_registry *r, struct str topic)
{
    return find_topic(r, topic, map_hash(topic));
}

uint32_t mqtt_registry_binding(const struct mqtt_registry *r, uint32_t binding, struct mqtt_device **d, uint16_t *topic)
{
    *d = r->devices[r->bindings[binding].device];
    *topic = r->bindings[binding].topic;
    return r->bindings[binding].next;
}

static uint32_t take_binding(struct mqtt_registry *r)
{
    uint32_t b = r->binding_free;

    r->binding_count++;
    if (b != MQTT_NONE) {
        r->binding_free = r->bindings[b].next;
        return b;
    }
    if (r->binding_end == r->binding_cap) {
        r->binding_cap = grown(r->binding_cap);
        r->bindings = mem_realloc(r->bindings, r->binding_cap, sizeof(*r->bindings));
    }
    return r->binding_end++;
}

static void free_binding(struct mqtt_registry *r, uint32_t b)
{
    r->bindings[b] = (struct mqtt_binding){.device = MQTT_NONE, .next = r->binding_free, .prev = MQTT_NONE};
    r->binding_free = b;
    r->binding_count--;
}

// Behind the first of the same topic, or as the first.
static void bind_topic(struct mqtt_registry *r, struct mqtt_device *d, uint16_t i, struct str topic)
{
    uint64_t hash = map_hash(topic);
    uint32_t head = find_topic(r, topic, hash);
    uint32_t b = take_binding(r);

    r->bindings[b] = (struct mqtt_binding){d->handle, MQTT_NONE, head, i};
    if (head == MQTT_NONE) {
        index_add(&r->topics, hash, b);
    } else {
        uint32_t next = r->bindings[head].next;
        r->bindings[b].next = next;
        r->bindings[head].next = b;
        if (next != MQTT_NONE)
            r->bindings[next].prev = b;
    }
    mqtt_device_bindings(d)[i] = b;
}

static void unbind_topic(struct mqtt_registry *r, uint32_t binding, struct str topic)
{
    const struct mqtt_binding *b = &r->bindings[binding];

    if (b->next != MQTT_NONE)
        r->bindings[b->next].prev = b->prev;
    if (b->prev != MQTT_NONE) {
        r->bindings[b->prev].next = b->next;
    } else {
        uint64_t hash = map_hash(topic);
        (void)index_remove(&r->topics, hash, binding);
        if (b->next != MQTT_NONE)
            index_add(&r->topics, hash, b->next);
    }
    free_binding(r, binding);
}

static void bind_all(struct mqtt_registry *r, struct mqtt_device *d)
{
    struct arena scratch;

    arena_init(&scratch, 0);
    for (uint16_t i = 0; i < d->spec->topic_count; i++)
        bind_topic(r, d, i, device_topic(d, &scratch, i));
    arena_finish(&scratch);
}

static void unbind_all(struct mqtt_registry *r, struct mqtt_device *d)
{
    struct arena scratch;

    arena_init(&scratch, 0);
    for (uint16_t i = 0; i < d->spec->topic_count; i++)
        unbind_topic(r, mqtt_device_bindings(d)[i], device_topic(d, &scratch, i));
    arena_finish(&scratch);
}

/* Wake-ups: a binary heap whose members know their place. */

static void heap_set(struct mqtt_registry *r, uint32_t at, uint32_t handle)
{
    r->heap[at] = handle;
    r->devices[handle]->heap = at;
}

static int64_t heap_time(const struct mqtt_registry *r, uint32_t at)
{
    return r->devices[r->heap[at]]->wake;
}

static void heap_up(struct mqtt_registry *r, uint32_t at)
{
    uint32_t handle = r->heap[at];

    while (at > 0 && heap_time(r, (at - 1) / 2) > r->devices[handle]->wake) {
        heap_set(r, at, r->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    heap_set(r, at, handle);
}

static void heap_down(struct mqtt_registry *r, uint32_t at)
{
    uint32_t handle = r->heap[at];

    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= r->heap_count)
            break;
        if (child + 1 < r->heap_count && heap_time(r, child + 1) < heap_time(r, child))
            child++;
        if (heap_time(r, child) >= r->devices[handle]->wake)
            break;
        heap_set(r, at, r->heap[child]);
        at = child;
    }
    heap_set(r, at, handle);
}

static void heap_remove(struct mqtt_registry *r, struct mqtt_device *d)
{
    uint32_t at = d->heap;

    if (at == MQTT_NONE)
        return;
    d->heap = MQTT_NONE;
    uint32_t last = r->heap[--r->heap_count];
    if (at == r->heap_count)
        return;
    heap_set(r, at, last);
    heap_up(r, at);
    heap_down(r, r->devices[last]->heap);
}

void mqtt_registry_wake(struct mqtt_registry *r, struct mqtt_device *d, int64_t at)
{
    if (at == INT64_MAX || (d->heap != MQTT_NONE && d->wake <= at))
        return;
    d->wake = at;
    if (d->heap == MQTT_NONE) {
        d->heap = r->heap_count++;
        r->heap[d->heap] = d->handle;
    }
    heap_up(r, d->heap);
}

int64_t mqtt_registry_deadline(const struct mqtt_registry *r)
{
    return r->heap_count ? heap_time(r, 0) : INT64_MAX;
}

struct mqtt_device *mqtt_registry_due(struct mqtt_registry *r, int64_t now)
{
    if (mqtt_registry_deadline(r) > now)
        return NULL;
    struct mqtt_device *d = r->devices[r->heap[0]];
    heap_remove(r, d);
    return d;
}

/* Devices */

static uint32_t take_handle(struct mqtt_registry *r)
{
    if (r->free_count)
        return r->free_devices[--r->free_count];
    if (r->device_end == r->device_cap) {
        r->device_cap = grown(r->device_cap);
        r->devices = mem_realloc(r->devices, r->device_cap, sizeof(struct mqtt_device *));
        r->free_devices = mem_realloc(r->free_devices, r->device_cap, sizeof(uint32_t));
        r->heap = mem_realloc(r->heap, r->device_cap, sizeof(uint32_t));
    }
    return r->device_end++;
}

void mqtt_registry_add(struct mqtt_registry *r, struct mqtt_device *d)
{
    d->handle = take_handle(r);
    r->devices[d->handle] = d;
    r->device_count++;
    r->bytes += mqtt_device_size(d);
    index_add(&r->keys, map_hash(mqtt_device_key(d)), d->handle);
    bind_all(r, d);
}

void mqtt_registry_remove(struct mqtt_registry *r, struct mqtt_device *d)
{
    heap_remove(r, d);
    unbind_all(r, d);
    (void)index_remove(&r->keys, map_hash(mqtt_device_key(d)), d->handle);
    r->bytes -= mqtt_device_size(d);
    r->device_count--;
    r->devices[d->handle] = NULL;
    r->free_devices[r->free_count++] = d->handle;
    d->handle = MQTT_NONE;
}

struct mqtt_spec *mqtt_registry_respec(struct mqtt_registry *r, struct mqtt_device *d, struct mqtt_spec *spec)
{
    struct mqtt_spec *old = d->spec;

    unbind_all(r, d);
    r->bytes -= mqtt_device_size(d);
    mqtt_device_respec(d, spec);
    r->bytes += mqtt_device_size(d);
    bind_all(r, d);
    return old;
}

struct mqtt_device *mqtt_registry_get(const struct mqtt_registry *r, uint32_t handle)
{
    return handle < r->device_end ? r->devices[handle] : NULL;
}

struct mqtt_device *mqtt_registry_find(const struct mqtt_registry *r, struct str key)
{
    size_t at = SIZE_MAX;
    uint32_t handle;

    while ((handle = index_next(&r->keys, map_hash(key), &at)) != INDEX_NONE)
        if (str_eq(mqtt_device_key(r->devices[handle]), key))
            return r->devices[handle];
    return NULL;
}

struct mqtt_device *mqtt_registry_next(const struct mqtt_registry *r, uint32_t *at)
{
    while (*at < r->device_end) {
        struct mqtt_device *d = r->devices[(*at)++];
        if (d)
            return d;
    }
    return NULL;
}

size_t mqtt_registry_size(const struct mqtt_registry *r)
{
    enum { SLOT = 8 }; // of an index
    size_t per_device = sizeof(struct mqtt_device *) + 2 * sizeof(uint32_t);

    return r->bytes + r->device_cap * per_device + r->binding_cap * sizeof(struct mqtt_binding) +
           (r->keys.cap + r->topics.cap) * SLOT;
}
