/* What people say to a hook where it is in a room, to it alone. The room's owners and admins may look after the hooks
 * of that room; the affiliation is the room's word. All others are told that nobody reads there.
 *
 * An owner has power over hooks that post to his room and nowhere else, and makes no others. */
#include "adapters/webhook/webhook_private.h"

#include "base/mem.h"

enum {
    OWNED_MAX = 10, // hooks of a room that its owners may have made
    LINE_MAX_N = 1000,
    ANSWER_MAX = 8192,
};

#define HELP                                                                                                           \
    "I look after the webhooks of this room. Say to me: list; add NAME [title=...] [profile=...] [expires=90d]; "      \
    "rotate, disable, enable, remove or test [NAME]. Without NAME I am meant."
#define NOBODY "This is a webhook: nobody reads what is said to it. The owners of this room may say: help."

struct owner_call {
    struct webhook_adapter *a;
    struct str room; // bare
    struct str self; // the hook that was spoken to
    struct arena *arena;
    struct strbuf *out;
};

static bool is_room(const struct webhook_places *places, struct str room)
{
    return places->n == 1 && str_eq(places->at[0], room);
}

static bool posts_here(const struct webhook_hook *h, struct str room)
{
    for (size_t i = 0; i < h->rooms.n; i++) {
        if (str_eq(h->rooms.at[i], room))
            return true;
    }
    return false;
}

static bool posts_here_alone(const struct webhook_hook *h, struct str room)
{
    return is_room(&h->rooms, room) && !h->people.n && !h->others.n;
}

static void operate(struct owner_call *c, struct str line)
{
    struct errmsg msg = {""};
    if (webhook_operate(&c->a->base, line, c->out, &msg))
        strbuf_c(c->out, msg.text);
}

static void list(struct owner_call *c)
{
    struct webhook_hook **all;
    size_t n = webhook_hooks_all(&c->a->hooks, c->arena, &all);
    for (size_t i = 0; i < n; i++) {
        const struct webhook_hook *h = all[i];
        if (posts_here(h, c->room))
            strbuf_printf(c->out, STR_FMT ": " STR_FMT "%s%s\n", STR_ARG(h->name), STR_ARG(h->title),
                          h->disabled ? ", disabled" : "",
                          posts_here_alone(h, c->room) ? "" : ", posts elsewhere too: its operator looks after it");
    }
}

static size_t made_here(struct owner_call *c)
{
    struct webhook_hook **all;
    size_t n = webhook_hooks_all(&c->a->hooks, c->arena, &all), made = 0;
    for (size_t i = 0; i < n; i++)
        made += all[i]->run_time && posts_here(all[i], c->room);
    return made;
}

// Only words that name no other place.
static bool harmless(struct str words)
{
    static const char *const allowed[] = {"title=", "profile=", "expires="};
    struct str word;
    while (str_word(&words, &word)) {
        bool known = false;
        for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
            known = known || str_starts(word, str_c(allowed[i]));
        if (!known)
            return false;
    }
    return true;
}

static void add(struct owner_call *c, struct str words)
{
    struct str name = STR_NONE;
    (void)str_word(&words, &name);
    if (!name.n || !harmless(words))
        strbuf_c(c->out, "add NAME [title=...] [profile=...] [expires=90d]: it posts to this room.");
    else if (made_here(c) >= OWNED_MAX)
        strbuf_printf(c->out, "This room has %d hooks that were added already: remove one first.", OWNED_MAX);
    else
        operate(c, arena_printf(c->arena, "add " STR_FMT " " STR_FMT " " STR_FMT, STR_ARG(name), STR_ARG(c->room),
                                STR_ARG(words)));
}

static void change(struct owner_call *c, struct str verb, struct str words)
{
    struct str name = STR_NONE, rest = words;
    bool more = str_eq_c(verb, "rotate") || str_eq_c(verb, "test"); // which take more than a name
    (void)str_word(&rest, &name);
    const struct webhook_hook *h = webhook_hooks_find(&c->a->hooks, name);
    if (!h && (more || !name.n)) { // what follows is no name
        h = webhook_hooks_find(&c->a->hooks, c->self);
        rest = words;
    }
    if (!h || !posts_here(h, c->room))
        strbuf_c(c->out, "No such hook posts to this room; 'list' lists them.");
    else if (!posts_here_alone(h, c->room))
        strbuf_c(c->out, "It posts elsewhere too: who operates the bridge looks after it.");
    else
        operate(
            c, arena_printf(c->arena, STR_FMT " " STR_FMT " " STR_FMT, STR_ARG(verb), STR_ARG(h->name), STR_ARG(rest)));
}

static void obey(struct owner_call *c, struct str line)
{
    static const char *const verbs[] = {"disable", "enable", "remove", "rotate", "test", NULL};
    struct str verb = STR_NONE;
    (void)str_word(&line, &verb);
    if (str_eq_c(verb, "list"))
        list(c);
    else if (str_eq_c(verb, "add"))
        add(c, line);
    for (size_t i = 0; verbs[i]; i++) {
        if (str_eq_c(verb, verbs[i]))
            change(c, verb, line);
    }
    if (!strbuf_view(c->out).n)
        strbuf_c(c->out, HELP);
}

static struct str hook_of(struct str key)
{
    struct str hook, rest; // of a puppet: "hook/name"
    (void)str_cut(key, '/', &hook, &rest);
    return hook;
}

void webhook_owner_said(struct webhook_adapter *a, const struct event *ev)
{
    struct arena arena;
    struct strbuf out;
    arena_init(&arena, 1024);
    strbuf_init(&out, ANSWER_MAX);
    struct owner_call c = {.a = a, .self = hook_of(ev->key), .arena = &arena, .out = &out};
    c.room = jid_format_bare(&arena, &ev->user);
    bool owner = ev->affiliation == AFFILIATION_OWNER || ev->affiliation == AFFILIATION_ADMIN;
    if (owner && a->conf.owners && ev->body.n <= LINE_MAX_N)
        obey(&c, ev->body);
    else
        strbuf_c(&out, NOBODY);
    struct event answer = {
        .kind = EV_DELIVERED, .token = ev->token, .key = ev->key, .body = str_trim(strbuf_view(&out))};
    a->base.env->post(a->base.env, &answer);
    mem_wipe(out.p, out.n);
    strbuf_finish(&out);
    arena_finish(&arena);
}
