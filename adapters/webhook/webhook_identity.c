/* Who speaks for a hook: its own identity, the one that all share, or a puppet named as the sender wishes.
 *
 * Puppets are bounded for each hook. When there are too many, the one that was silent for longest makes room, if
 * nothing of it is on its way; else the name stands before the text. */
#include "adapters/webhook/webhook_private.h"

#include "base/mem.h"
#include "base/utf8.h"

enum { NICK_CHARACTERS = 64 };

static void say(struct webhook_adapter *a, struct str key, struct str name, struct str wish, struct str cls)
{
    webhook_post(
        a, &(struct event){
               .kind = EV_IDENTITY, .identity = IDENTITY_CONTACT, .key = key, .name = name, .wish = wish, .cls = cls});
}

static void say_presence(struct webhook_adapter *a, struct str key, bool up)
{
    webhook_post(a, up ? &(struct event){.kind = EV_AVAILABLE, .key = key, .show = SHOW_ONLINE}
                       : &(struct event){.kind = EV_UNAVAILABLE, .key = key});
}

static bool works(const struct webhook_adapter *a, const struct webhook_hook *h)
{
    return !h->disabled && (!h->expires || h->expires > webhook_wall(a));
}

void webhook_identity_hook(struct webhook_adapter *a, struct webhook_hook *h)
{
    if (h->shared)
        return;
    h->did.told = true;
    if (h->picture.n)
        a->base.env->picture(a->base.env, h->cls, h->picture_media, h->picture);
    say(a, h->name, h->title, h->name, h->cls);
    say_presence(a, h->name, works(a, h));
}

void webhook_identity_shared(struct webhook_adapter *a)
{
    size_t at = 0;
    struct str name;
    void *value;
    while (map_next(&a->hooks.by_name, &at, &name, &value)) {
        const struct webhook_hook *h = value;
        if (!h->shared)
            continue;
        a->shared_told = true;
        say(a, WEBHOOK_SHARED, a->conf.name, a->conf.name, STR("bot"));
        say_presence(a, WEBHOOK_SHARED, true);
        return;
    }
}

/* Puppets. */

static bool is_of(const struct webhook_puppet *p, struct str hook)
{
    struct str key = str_c(p->key);
    return key.n > hook.n && str_starts(key, hook) && key.p[hook.n] == '/';
}

static void puppet_free(struct webhook_adapter *a, struct webhook_puppet *p)
{
    map_remove(&a->puppets, str_c(p->key));
    list_remove(&p->node);
    mem_free(p->key);
    mem_free(p);
}

void webhook_puppets_drop(struct webhook_adapter *a)
{
    while (!list_empty(&a->puppet_age))
        puppet_free(a, LIST_FIRST(&a->puppet_age, struct webhook_puppet, node));
    map_finish(&a->puppets);
}

static void puppet_add(struct webhook_adapter *a, struct str key, int64_t until)
{
    struct webhook_puppet *p = MEM_NEW(struct webhook_puppet);
    p->until = until;
    p->key = mem_dup(key.p, key.n);
    list_push(&a->puppet_age, &p->node);
    map_put(&a->puppets, str_c(p->key), p);
}

void webhook_identity_known(struct webhook_adapter *a, struct str key)
{
    struct str hook, name;
    bool puppet = str_cut(key, '/', &hook, &name);
    if (!webhook_hooks_find(&a->hooks, hook))
        say_presence(a, key, false); // until its row tells of it, if there is one
    if (puppet && !map_get(&a->puppets, key))
        puppet_add(a, key, webhook_now(a) + WEBHOOK_MESSAGE_MS);
}

void webhook_identity_gone(struct webhook_adapter *a, struct str hook)
{
    for (struct list_node *it = a->puppet_age.next; it != &a->puppet_age; it = it->next) {
        struct webhook_puppet *p = CONTAINER_OF(it, struct webhook_puppet, node);
        if (!is_of(p, hook))
            continue;
        p->up = false;
        say_presence(a, str_c(p->key), false);
    }
    say_presence(a, hook, false);
}

void webhook_identity_forget(struct webhook_adapter *a, struct str hook)
{
    struct list_node *it, *safe;
    LIST_EACH (it, safe, &a->puppet_age) {
        struct webhook_puppet *p = CONTAINER_OF(it, struct webhook_puppet, node);
        if (!is_of(p, hook))
            continue;
        webhook_post(a, &(struct event){.kind = EV_FORGET, .key = str_c(p->key)});
        puppet_free(a, p);
    }
    webhook_post(a, &(struct event){.kind = EV_FORGET, .key = hook});
}

// Whether there is room for another one of the hook, or was made: who is forgotten says nothing more, so one of whom
// something may still wait stays.
static bool puppet_room(struct webhook_adapter *a, struct str hook)
{
    size_t count = 0;
    int64_t now = webhook_now(a);
    struct webhook_puppet *oldest = NULL;
    struct list_node *it, *safe;
    LIST_EACH (it, safe, &a->puppet_age) {
        struct webhook_puppet *p = CONTAINER_OF(it, struct webhook_puppet, node);
        if (!is_of(p, hook))
            continue;
        count++;
        if (!oldest && p->until <= now && !webhook_messages_busy(a->messages, str_c(p->key)))
            oldest = p;
    }
    if (count < WEBHOOK_PUPPETS_MAX)
        return true;
    if (!oldest)
        return false;
    webhook_post(a, &(struct event){.kind = EV_FORGET, .key = str_c(oldest->key)});
    puppet_free(a, oldest);
    return true;
}

static void puppet_up(struct webhook_adapter *a, struct webhook_puppet *p)
{
    if (!p->up)
        say_presence(a, str_c(p->key), true);
    p->up = true;
}

// False when there are too many.
static bool puppet_use(struct webhook_adapter *a, const struct webhook_hook *h, struct str key, struct str name)
{
    struct webhook_puppet *p = map_get(&a->puppets, key);
    if (p) {
        list_remove(&p->node);
        list_push(&a->puppet_age, &p->node);
        puppet_up(a, p);
        return true;
    }
    if (!puppet_room(a, h->name))
        return false;
    puppet_add(a, key, 0);
    say(a, key, name, name, h->cls);
    puppet_up(a, map_get(&a->puppets, key));
    return true;
}

// A name that a sender gives: one line, without what can only deceive.
static struct str clean(struct arena *arena, struct str wish)
{
    return str_trim(utf8_display(arena, str_trim(wish), NICK_CHARACTERS));
}

void webhook_identity_forgotten(struct webhook_adapter *a, struct str key)
{
    struct webhook_puppet *p = map_get(&a->puppets, key);
    struct webhook_hook *h = webhook_hooks_find(&a->hooks, key);
    if (p)
        puppet_free(a, p);
    if (h)
        h->did.told = false;
    if (str_eq(key, WEBHOOK_SHARED))
        a->shared_told = false;
}

void webhook_identity_of(struct webhook_adapter *a, struct webhook_hook *h, struct str wish, struct arena *arena,
                         struct str *key, struct str *nick, struct str *prefix)
{
    struct str name = h->username == WEBHOOK_USERNAME_IGNORE ? STR_NONE : clean(arena, wish);
    *key = webhook_hook_identity(h);
    *prefix = STR_NONE;
    *nick = arena_concat(arena, (struct str[]){h->nick, h->suffix}, 2);
    if (h->shared && !a->shared_told)
        webhook_identity_shared(a);
    if (!h->shared && !h->did.told)
        webhook_identity_hook(a, h);
    if (!name.n || str_eq(name, h->nick))
        return;
    struct str puppet = arena_concat(arena, (struct str[]){h->name, STR("/"), name}, 3);
    if (h->username == WEBHOOK_USERNAME_PUPPET && puppet_use(a, h, puppet, name)) {
        *key = puppet;
        *nick = arena_concat(arena, (struct str[]){name, h->suffix}, 2);
        return;
    }
    *prefix = name;
}
