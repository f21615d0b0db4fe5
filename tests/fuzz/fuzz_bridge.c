/* Any bytes as a sequence of events: each byte chooses from small sets of kinds, users, addresses, keys, tokens and
 * flags, so that events meet. What must hold: a step stays within its bound, nothing goes north over a link that is
 * down, each posted token is answered once, and ticks come to an end. */
#include "core/bridge.h"
#include "fuzz.h"

struct input {
    const uint8_t *p;
    size_t n;
};

static unsigned take(struct input *in, unsigned bound)
{
    if (!in->n)
        return 0;
    in->n--;
    return *in->p++ % bound;
}

static struct str pick(struct input *in, const char *const *set, unsigned count)
{
    return str_c(set[take(in, count)]);
}

#define PICK(in, set) pick((in), (set), sizeof(set) / sizeof *(set))

static struct bridge *make_bridge(void)
{
    static const struct bridge_component components[] = {{{"gw", 2}, {"G", 1}}, {{"two", 3}, {"T", 1}}};
    static const struct bridge_adapter adapters[] = {{{"home", 4}, 1, true}, {{"far", 3}, 2, false}};
    static const struct str rules[] = {{"allow all to @f", 15}, {"allow see to x", 14}, {"allow admin to a@f", 18}};
    static const struct str groups[] = {{"f=f", 3}};
    static const struct bridge_config cfg = {components, 2, adapters, 2, rules, 3, groups, 1, 1};
    struct bridge *b;
    struct errmsg msg;
    FUZZ_CHECK(bridge_create(&cfg, &b, &msg) == ERR_OK);
    return b;
}

static struct jid take_user(struct input *in)
{
    static const char *const locals[] = {"a", "b", "c", ""}, *const domains[] = {"f", "x", "y", "f"},
                             *const resources[] = {"r", "s", ""};
    struct jid j;
    j.local = PICK(in, locals);
    j.domain = PICK(in, domains);
    j.resource = PICK(in, resources);
    return j;
}

static struct jid take_to(struct input *in)
{
    static const char *const locals[] = {"k1", "k2", "k3", "room", "", "nix"}, *const domains[] = {"gw", "two", "no"},
                             *const resources[] = {"", "n1", "n2", "home"};
    struct jid j;
    j.local = PICK(in, locals);
    j.domain = PICK(in, domains);
    j.resource = PICK(in, resources);
    return j;
}

static void take_event(struct input *in, struct event *ev)
{
    static const char *const keys[] = {"k1", "k2", "k3", "room", ""}, *const nicks[] = {"n1", "n2", "", "\x01"},
                             *const texts[] = {"hello", "", "warm", "a longer text of several words"},
                             *const rules[] = {"allow see read to x", "deny see to a@f", "nonsense", "allow all to *"};
    *ev = (struct event){.kind = (enum event_kind)take(in, EV_COUNT)};
    unsigned where = take(in, 8);
    ev->adapter = (uint16_t)(where & 3);
    ev->component = (uint16_t)(where < 6 ? 1 : 2);
    ev->user = take_user(in);
    ev->to = take_to(in);
    ev->key = PICK(in, keys);
    ev->wish = ev->name = ev->key;
    ev->nick = PICK(in, nicks);
    ev->body = PICK(in, texts);
    ev->rule = PICK(in, rules);
    ev->id = STR("i");
    ev->flags = take(in, 256);
    ev->token = take(in, 8);
    ev->number = take(in, 4);
    ev->show = (enum show)take(in, SHOW_DND + 1);
    ev->type = (enum message_type)take(in, MESSAGE_HEADLINE + 1);
    ev->identity = (enum identity_kind)(str_eq_c(ev->key, "room") ? IDENTITY_ROOM : take(in, IDENTITY_KINDS));
    ev->err = (enum err)take(in, ERR_COUNT);
    if (ev->kind == EV_IDENTITY && take(in, 2))
        ev->to.local = STR_NONE; // minted
    if (ev->kind == EV_IDENTITY && take(in, 4))
        ev->user = (struct jid){.local = STR_NONE}; // of no user's own
}

static unsigned check_effects(const struct effects *out, const bool up[3], const struct event *ev)
{
    unsigned answers = 0;
    FUZZ_CHECK(out->count <= BRIDGE_EFFECTS);
    for (size_t i = 0; i < out->count; i++) {
        const struct effect *e = &out->v[i];
        FUZZ_CHECK(e->kind == EFFECT_STORE ? e->row != NULL : e->ev != NULL);
        if (e->kind == EFFECT_NORTH) {
            FUZZ_CHECK(e->ev->component && e->ev->component < 3 && up[e->ev->component]);
            FUZZ_CHECK(!str_empty(e->ev->user.domain) && !str_empty(e->ev->to.domain));
        }
        bool answer = e->kind == EFFECT_GATED ||
                      (e->kind == EFFECT_SOUTH && (e->ev->kind == EV_REFUSED || e->ev->kind == EV_JOURNALED));
        answers += answer && e->ev->token == ev->token;
    }
    return answers;
}

static void step(struct bridge *b, const struct event *ev, bool up[3])
{
    struct arena a;
    struct effects out;
    arena_init(&a, 0);
    effects_init(&out, &a);
    if (!ev->adapter && ev->component < 3 && (ev->kind == EV_LINK_UP || ev->kind == EV_LINK_DOWN))
        up[ev->component] = ev->kind == EV_LINK_UP;
    bridge_step(b, ev, &out);
    FUZZ_CHECK(check_effects(&out, up, ev) <= 1);
    arena_finish(&a);
}

static void drain(struct bridge *b, bool up[3], int64_t now)
{
    bool more = true;
    for (unsigned ticks = 0; more; ticks++) {
        FUZZ_CHECK(ticks < 10000);
        struct arena a;
        struct effects out;
        struct event tick = {.kind = EV_TICK, .now = now};
        arena_init(&a, 0);
        effects_init(&out, &a);
        bridge_step(b, &tick, &out);
        check_effects(&out, up, &tick);
        more = out.more;
        arena_finish(&a);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct bridge *b = make_bridge();
    bool up[3] = {false, true, false};
    step(b, &(struct event){.kind = EV_LINK_UP, .component = 1}, up);
    int64_t now = 0;
    while (in.n) {
        struct event ev;
        take_event(&in, &ev);
        now += take(&in, 64) * 100;
        ev.now = ev.wall = now;
        step(b, &ev, up);
        if (take(&in, 4) == 0)
            drain(b, up, now);
    }
    drain(b, up, now + 100000);
    FUZZ_CHECK(bridge_deadline(b) == INT64_MAX);
    struct bridge_stat s;
    bridge_stat(b, &s);
    FUZZ_CHECK(s.pending == 0);
    bridge_destroy(b);
    return 0;
}
