#include "core/policy.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <stdlib.h>

enum {
    RIGHTS_TARGET = RIGHT_SEE | RIGHT_READ | RIGHT_SEND | RIGHT_COMMAND,
    RIGHTS_SELF = RIGHT_REGISTER | RIGHT_ADMIN
};
enum { RULE_MAX = 4096 }; // bytes

struct group {
    struct arena arena; // holds name and members
    struct str name;
    struct jid *members; // sorted; a domain has no local
    size_t count;
};

struct who {
    enum { WHO_ANYBODY, WHO_DOMAIN, WHO_JID, WHO_GROUP } kind;
    struct jid jid;
    size_t group;
};

struct what {
    enum { WHAT_ALL, WHAT_ADAPTER, WHAT_LOCAL, WHAT_PREFIX, WHAT_GROUP } kind;
    struct str adapter, text;
};

struct rule {
    struct arena arena; // holds all the rest
    uint64_t number;
    struct str text;
    bool allow;
    unsigned rights;
    struct who *who;
    struct what *what;
    size_t who_count, what_count;
};

struct policy {
    struct group **groups;
    struct rule **rules;
    size_t group_count, rule_count;
};

struct policy *policy_create(void)
{
    return MEM_NEW(struct policy);
}

static void group_destroy(struct group *g)
{
    arena_finish(&g->arena);
    mem_free(g);
}

static void rule_destroy(struct rule *r)
{
    arena_finish(&r->arena);
    mem_free(r);
}

void policy_destroy(struct policy *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->group_count; i++)
        group_destroy(p->groups[i]);
    for (size_t i = 0; i < p->rule_count; i++)
        rule_destroy(p->rules[i]);
    mem_free(p->groups);
    mem_free(p->rules);
    mem_free(p);
}

/* Groups */

static int compare_jid(const void *a, const void *b)
{
    const struct jid *x = a, *y = b;
    int order = str_cmp(x->domain, y->domain);
    return order ? order : str_cmp(x->local, y->local);
}

// A bare JID or a domain, in the arena.
static enum err parse_bare(struct arena *a, struct str text, struct jid *out, struct errmsg *msg)
{
    if (jid_parse(a, arena_dup(a, text), out) || !str_empty(out->resource))
        return err_set(msg, ERR_CONF, "\"" STR_FMT "\" is no bare address and no domain", STR_ARG(text));
    return ERR_OK;
}

bool policy_word(struct str *rest, struct str *word)
{
    size_t from = 0, to;
    while (from < rest->n && strchr(" \t\r\n,", rest->p[from]))
        from++;
    for (to = from; to < rest->n && !strchr(" \t\r\n,", rest->p[to]);)
        to++;
    *word = str_sub(*rest, from, to);
    *rest = str_sub(*rest, to, rest->n);
    return !str_empty(*word);
}

static size_t count_words(struct str text)
{
    size_t n = 0;
    for (struct str word; policy_word(&text, &word);)
        n++;
    return n;
}

static enum err parse_members(struct group *g, struct str text, struct errmsg *msg)
{
    g->members = arena_zalloc(&g->arena, count_words(text) + 1, sizeof *g->members);
    for (struct str word; policy_word(&text, &word); g->count++) {
        enum err e = parse_bare(&g->arena, word, &g->members[g->count], msg);
        if (e)
            return e;
    }
    qsort(g->members, g->count, sizeof *g->members, compare_jid);
    return ERR_OK;
}

static bool find_group(const struct policy *p, struct str name, size_t *at)
{
    for (*at = 0; *at < p->group_count; (*at)++) {
        if (str_eq(p->groups[*at]->name, name))
            return true;
    }
    return false;
}

static enum err parse_group(struct policy *p, struct group *g, struct str text, struct errmsg *msg)
{
    struct str name, members;
    size_t at;
    if (!str_cut(text, '=', &name, &members) || str_empty(str_trim(name)))
        return err_set(msg, ERR_CONF, "a group is written as name=member,member");
    g->name = arena_dup(&g->arena, str_trim(name));
    if (find_group(p, g->name, &at))
        return err_set(msg, ERR_CONF, "the group \"" STR_FMT "\" is there twice", STR_ARG(g->name));
    enum err e = parse_members(g, members, msg);
    return e ? err_wrap(msg, e, "group \"" STR_FMT "\"", STR_ARG(g->name)) : ERR_OK;
}

enum err policy_add_group(struct policy *p, struct str group, struct errmsg *msg)
{
    struct group *g = MEM_NEW(struct group);
    arena_init(&g->arena, 256);
    enum err e = parse_group(p, g, group, msg);
    if (e) {
        group_destroy(g);
        return e;
    }
    p->groups = mem_realloc(p->groups, p->group_count + 1, sizeof *p->groups);
    p->groups[p->group_count++] = g;
    return ERR_OK;
}

/* Rules: a line of words is read from left to right by the functions below, each of which takes the words of its part.
 */

static enum err unknown_right(struct str word, struct errmsg *msg)
{
    static const char *const known[] = {"see", "read", "send", "command", "register", "admin", "all", "to"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (str_distance(word, str_c(known[i]), 2) <= 2)
            return err_set(msg, ERR_CONF, "unknown right \"" STR_FMT "\"; did you mean \"%s\"?", STR_ARG(word),
                           known[i]);
    }
    return err_set(msg, ERR_CONF,
                   "unknown right \"" STR_FMT "\"; there are see, read, send, command, register, admin, all",
                   STR_ARG(word));
}

static enum err parse_rights(struct rule *r, struct str *rest, struct errmsg *msg)
{
    struct str word, bad;
    unsigned right;
    while (policy_word(rest, &word) && !str_eq_c(word, "to")) {
        if (str_eq_c(word, "all"))
            right = RIGHTS_TARGET | RIGHT_REGISTER;
        else if (!right_parse(word, &right, &bad))
            return unknown_right(word, msg);
        r->rights |= right;
    }
    if (!str_eq_c(word, "to"))
        return err_set(msg, ERR_CONF, "\"to\" and whom is missing");
    if (!r->rights)
        return err_set(msg, ERR_CONF, "no right is named before \"to\"");
    return ERR_OK;
}

static enum err parse_who(const struct policy *p, struct rule *r, struct str word, struct errmsg *msg)
{
    struct who *w = &r->who[r->who_count++];
    if (str_eq_c(word, "*")) {
        w->kind = WHO_ANYBODY;
        return ERR_OK;
    }
    if (word.p[0] == '@') {
        w->kind = WHO_GROUP;
        if (find_group(p, str_sub(word, 1, word.n), &w->group))
            return ERR_OK;
        return err_set(msg, ERR_CONF, "there is no group \"" STR_FMT "\"", STR_ARG(word));
    }
    enum err e = parse_bare(&r->arena, word, &w->jid, msg);
    w->kind = str_empty(w->jid.local) ? WHO_DOMAIN : WHO_JID;
    return e;
}

static enum err parse_whom(const struct policy *p, struct rule *r, struct str *rest, bool *on, struct errmsg *msg)
{
    struct str word;
    *on = false;
    while (!*on && policy_word(rest, &word)) {
        *on = str_eq_c(word, "on");
        enum err e = *on ? ERR_OK : parse_who(p, r, word, msg);
        if (e)
            return e;
    }
    return r->who_count ? ERR_OK : err_set(msg, ERR_CONF, "whom the rule is about is missing after \"to\"");
}

static enum err parse_what(struct rule *r, struct str word, struct errmsg *msg)
{
    struct what *w = &r->what[r->what_count++];
    if (str_eq_c(word, "*")) {
        w->kind = WHAT_ALL;
        return ERR_OK;
    }
    struct str text = arena_dup(&r->arena, word);
    if (str_cut(text, '#', &w->adapter, &w->text))
        w->kind = WHAT_GROUP;
    else if (!str_cut(text, ':', &w->adapter, &w->text))
        w->kind = WHAT_ADAPTER;
    else if (str_ends(w->text, STR("*")))
        w->kind = WHAT_PREFIX;
    else
        w->kind = WHAT_LOCAL;
    if (w->kind == WHAT_PREFIX)
        w->text.n--;
    bool bare = w->kind == WHAT_ADAPTER || w->kind == WHAT_PREFIX;
    if (str_empty(w->adapter) || str_find(w->adapter, '*') >= 0 || (str_empty(w->text) && !bare))
        return err_set(msg, ERR_CONF, "\"" STR_FMT "\" is no adapter, adapter:name, adapter:prefix* or adapter#area",
                       STR_ARG(word));
    return ERR_OK;
}

static enum err parse_targets(struct rule *r, struct str *rest, unsigned named, struct errmsg *msg)
{
    struct str word;
    bool all = false;
    while (policy_word(rest, &word)) {
        enum err e = parse_what(r, word, msg);
        if (e)
            return e;
        all = all || str_eq_c(word, "*");
    }
    if (!r->what_count)
        return err_set(msg, ERR_CONF, "what the rule is about is missing after \"on\"");
    if ((named & RIGHTS_SELF) && !all)
        return err_set(msg, ERR_CONF,
                       "register and admin are rights on the whole bridge: give them a rule without \"on\"");
    return ERR_OK;
}

// `all` names register too, which no one misses where the rule is about an adapter.
static bool says_all(struct str rights)
{
    for (struct str word; policy_word(&rights, &word) && !str_eq_c(word, "to");) {
        if (str_eq_c(word, "all"))
            return true;
    }
    return false;
}

static enum err parse_rule(const struct policy *p, struct rule *r, struct errmsg *msg)
{
    struct str rest = r->text, word;
    policy_word(&rest, &word);
    r->allow = str_eq_c(word, "allow");
    if (!r->allow && !str_eq_c(word, "deny"))
        return err_set(msg, ERR_CONF, "a rule begins with allow or deny, not with \"" STR_FMT "\"", STR_ARG(word));
    size_t words = count_words(rest);
    r->who = arena_zalloc(&r->arena, words + 1, sizeof *r->who);
    r->what = arena_zalloc(&r->arena, words + 1, sizeof *r->what);
    unsigned implied = says_all(rest) ? RIGHT_REGISTER : 0;
    bool on = false;
    enum err e = parse_rights(r, &rest, msg);
    if (!e)
        e = parse_whom(p, r, &rest, &on, msg);
    if (!e && on)
        e = parse_targets(r, &rest, r->rights & ~implied, msg);
    if (!e && !on)
        r->what[r->what_count++].kind = WHAT_ALL;
    return e;
}

static enum err make_rule(const struct policy *p, uint64_t number, struct str text, struct rule **out,
                          struct errmsg *msg)
{
    if (text.n > RULE_MAX)
        return err_set(msg, ERR_CONF, "a rule has at most %d bytes", RULE_MAX);
    struct rule *r = MEM_NEW(struct rule);
    arena_init(&r->arena, 256);
    r->number = number;
    r->text = arena_dup(&r->arena, text);
    enum err e = parse_rule(p, r, msg);
    if (e) {
        rule_destroy(r);
        return err_wrap(msg, e, "rule \"" STR_FMT "\"", STR_ARG(utf8_cut(text, 80)));
    }
    *out = r;
    return ERR_OK;
}

enum err policy_check_rule(const struct policy *p, struct str rule, struct errmsg *msg)
{
    struct rule *r;
    enum err e = make_rule(p, 0, rule, &r, msg);
    if (!e)
        rule_destroy(r);
    return e;
}

enum err policy_add_rule(struct policy *p, uint64_t number, struct str rule, struct errmsg *msg)
{
    struct rule *r;
    enum err e = make_rule(p, number, rule, &r, msg);
    if (e)
        return e;
    p->rules = mem_realloc(p->rules, p->rule_count + 1, sizeof(struct rule *));
    p->rules[p->rule_count++] = r;
    return ERR_OK;
}

enum err policy_remove_rule(struct policy *p, uint64_t number)
{
    for (size_t i = 0; i < p->rule_count; i++) {
        if (p->rules[i]->number != number)
            continue;
        rule_destroy(p->rules[i]);
        p->rule_count--;
        memmove(p->rules + i, p->rules + i + 1, (p->rule_count - i) * sizeof *p->rules);
        return ERR_OK;
    }
    return ERR_NOTFOUND;
}

size_t policy_rule_count(const struct policy *p)
{
    return p->rule_count;
}

void policy_rule(const struct policy *p, size_t at, uint64_t *number, struct str *rule)
{
    *number = p->rules[at]->number;
    *rule = p->rules[at]->text;
}

/* Questions */

static bool in_group(const struct group *g, const struct jid *user)
{
    struct jid domain = {.domain = user->domain};
    return bsearch(user, g->members, g->count, sizeof *g->members, compare_jid) ||
           bsearch(&domain, g->members, g->count, sizeof *g->members, compare_jid);
}

static bool is_who(const struct policy *p, const struct who *w, const struct jid *user)
{
    switch (w->kind) {
    case WHO_ANYBODY:
        return true;
    case WHO_DOMAIN:
        return str_eq(w->jid.domain, user->domain);
    case WHO_JID:
        return jid_bare_eq(&w->jid, user);
    case WHO_GROUP:
        return in_group(p->groups[w->group], user);
    }
    return false;
}

static bool is_what(const struct what *w, const struct policy_target *t)
{
    if (w->kind == WHAT_ALL)
        return true;
    if (!str_eq(w->adapter, t->adapter))
        return false;
    switch (w->kind) {
    case WHAT_LOCAL:
        return str_eq(w->text, t->local);
    case WHAT_PREFIX:
        return str_starts(t->local, w->text);
    case WHAT_GROUP:
        return str_eq(w->text, t->group);
    default:
        return true;
    }
}

static bool about_user(const struct policy *p, const struct rule *r, const struct jid *user)
{
    for (size_t i = 0; i < r->who_count; i++) {
        if (is_who(p, &r->who[i], user))
            return true;
    }
    return false;
}

static bool about_target(const struct rule *r, const struct policy_target *t)
{
    for (size_t i = 0; i < r->what_count; i++) {
        if (is_what(&r->what[i], t))
            return true;
    }
    return false;
}

unsigned policy_rights(const struct policy *p, const struct jid *user, const struct policy_target *target)
{
    unsigned allowed = 0, open = RIGHTS_TARGET | RIGHTS_SELF;
    for (size_t i = 0; open && i < p->rule_count; i++) {
        const struct rule *r = p->rules[i];
        if (!(r->rights & open) || !about_target(r, target) || !about_user(p, r, user))
            continue;
        if (r->allow)
            allowed |= r->rights & open;
        open &= ~r->rights;
    }
    return allowed & RIGHT_SEE ? allowed : allowed & RIGHTS_SELF;
}

// Whether some rule lets the user see something: one that allows it, before any that denies it everywhere.
static bool may_see_something(const struct policy *p, const struct jid *user)
{
    static const struct policy_target nothing; // only what is about everything is about it
    for (size_t i = 0; i < p->rule_count; i++) {
        const struct rule *r = p->rules[i];
        if (!(r->rights & RIGHT_SEE) || !about_user(p, r, user))
            continue;
        if (r->allow)
            return true;
        if (about_target(r, &nothing))
            return false;
    }
    return false;
}

unsigned policy_component_rights(const struct policy *p, const struct jid *user)
{
    static const struct policy_target self;
    unsigned rights = policy_rights(p, user, &self) & RIGHTS_SELF;
    return may_see_something(p, user) ? rights | RIGHT_SEE : rights;
}

/* Order: which rule before another one decides what that names. What a rule names is taken apart into single users,
 * domains, or anybody (NULL), each with one target. */

static bool names_all(const struct policy *p, const struct who *w, const struct jid *who)
{
    return who ? is_who(p, w, who) : w->kind == WHO_ANYBODY; // a domain is a member, too
}

static bool names_some(const struct policy *p, const struct who *w, const struct jid *who)
{
    if (names_all(p, w, who))
        return true;
    if (who && !str_empty(who->local))
        return false;
    if (w->kind != WHO_GROUP)
        return !who || str_eq(w->jid.domain, who->domain);
    const struct group *g = p->groups[w->group];
    for (size_t i = 0; i < g->count; i++) {
        if (!who || str_eq(g->members[i].domain, who->domain))
            return true;
    }
    return false;
}

static bool holds_all(const struct what *w, const struct what *what)
{
    if (w->kind == WHAT_ALL)
        return true;
    if (what->kind == WHAT_ALL || !str_eq(w->adapter, what->adapter))
        return false;
    if (str_empty(w->text)) // all of the adapter
        return true;
    if (w->kind == WHAT_PREFIX)
        return what->kind != WHAT_GROUP && str_starts(what->text, w->text);
    return w->kind == what->kind && str_eq(w->text, what->text);
}

static bool holds_some(const struct what *w, const struct what *what)
{
    if (holds_all(w, what) || holds_all(what, w))
        return true;
    bool area = (w->kind == WHAT_GROUP) != (what->kind == WHAT_GROUP); // it may have contacts of any name
    return area && str_eq(w->adapter, what->adapter);
}

static bool rule_meets(const struct policy *p, const struct rule *r, const struct jid *who, const struct what *what,
                       bool wholly)
{
    bool met = false, held = false;
    for (size_t i = 0; !met && i < r->who_count; i++)
        met = wholly ? names_all(p, &r->who[i], who) : names_some(p, &r->who[i], who);
    for (size_t i = 0; met && !held && i < r->what_count; i++)
        held = wholly ? holds_all(&r->what[i], what) : holds_some(&r->what[i], what);
    return held;
}

// Those on the whole bridge are not about an adapter.
static unsigned rights_about(const struct rule *r, const struct what *what)
{
    bool whole = what->kind == WHAT_ALL;
    for (size_t i = 0; whole && i < r->what_count; i++) {
        if (r->what[i].kind == WHAT_ALL)
            return r->rights;
    }
    return r->rights & RIGHTS_TARGET;
}

// Whether all of it is decided before the rule at `at`; *by becomes the first that decides otherwise, if that is before
// what it was.
static bool decided_before(const struct policy *p, size_t at, const struct jid *who, const struct what *what,
                           size_t *by)
{
    const struct rule *r = p->rules[at];
    unsigned named = rights_about(r, what), open = named | RIGHT_SEE;
    bool some_see = false;
    for (size_t i = 0; (open & named) && i < at; i++) {
        const struct rule *before = p->rules[i];
        unsigned rights = rights_about(before, what) & open;
        unsigned hidden = !before->allow && (rights & RIGHT_SEE) ? open & RIGHTS_TARGET : 0; // all others go with it
        if (!rights || !rule_meets(p, before, who, what, false))
            continue;
        if (((rights | hidden) & named) && before->allow != r->allow && i < *by)
            *by = i;
        if (rule_meets(p, before, who, what, true))
            open &= ~(some_see ? rights : rights | hidden);
        some_see = some_see || (before->allow && (rights & RIGHT_SEE));
    }
    return !(open & named);
}

static bool who_before(const struct policy *p, size_t at, const struct who *w, const struct what *what, size_t *by)
{
    if (w->kind != WHO_GROUP)
        return decided_before(p, at, w->kind == WHO_ANYBODY ? NULL : &w->jid, what, by);
    const struct group *g = p->groups[w->group];
    bool all = true;
    for (size_t i = 0; i < g->count; i++)
        all &= decided_before(p, at, &g->members[i], what, by);
    return all;
}

bool policy_rule_before(const struct policy *p, size_t at, size_t *by, bool *all)
{
    const struct rule *r = p->rules[at];
    *by = at;
    *all = true;
    for (size_t i = 0; i < r->who_count; i++) {
        for (size_t j = 0; j < r->what_count; j++)
            *all &= who_before(p, at, &r->who[i], &r->what[j], by);
    }
    return *by < at;
}
