#include "adapters/webhook/webhook_hook.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "text/jid.h"
#include "text/json.h"

#include <inttypes.h>
#include <stdlib.h>

enum { ROW_MAX = 64 * 1024 };

struct webhook_hook *webhook_hook_ref(struct webhook_hook *h)
{
    h->refs++;
    return h;
}

void webhook_hook_unref(struct webhook_hook *h)
{
    if (!h || --h->refs > 0)
        return;
    for (size_t i = 0; i < h->compiled_count; i++)
        mustache_destroy(h->compiled[i]);
    mem_free(h->compiled);
    webhook_auth_destroy(h->auth);
    arena_finish(&h->arena);
    mem_free(h);
}

struct webhook_hook *webhook_hook_create(struct str name)
{
    struct webhook_hook *h = MEM_NEW(struct webhook_hook);
    h->refs = 1;
    arena_init(&h->arena, 1024);
    h->name = arena_dup(&h->arena, name);
    h->title = h->nick = h->name;
    h->cls = STR("bot");
    h->window = INT64_C(86400000);
    h->body_max = WEBHOOK_PAYLOAD_MAX;
    h->per_second = 10;
    h->burst = 50;
    return h;
}

struct str webhook_hook_identity(const struct webhook_hook *h)
{
    return h->shared ? WEBHOOK_SHARED : h->name;
}

bool webhook_hook_name_good(struct str name)
{
    if (!name.n || name.n > WEBHOOK_HOOK_NAME_MAX || name.p[0] < 'a' || name.p[0] > 'z')
        return false;
    for (size_t i = 1; i < name.n; i++) {
        char c = name.p[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
            return false;
    }
    return true;
}

bool webhook_hook_line_good(struct str line)
{
    bool good = utf8_xml_valid(line) && line.n <= 200;
    for (size_t i = 0; i < line.n; i++)
        good = good && (unsigned char)line.p[i] >= ' ' && line.p[i] != 127;
    return good;
}

bool webhook_hook_address(struct arena *a, struct str text, struct str *out)
{
    struct jid jid;
    if (jid_parse(a, text, &jid) || !jid.local.n || jid.resource.n)
        return false;
    *out = jid_format_bare(a, &jid);
    return true;
}

static struct str local_of(struct str address)
{
    struct str local, domain;
    (void)str_cut(address, '@', &local, &domain);
    return local;
}

static bool place_find(const struct webhook_places *places, struct str wish, struct str *to)
{
    bool channel = wish.n && (wish.p[0] == '#' || wish.p[0] == '@');
    struct str name = channel ? str_sub(wish, 1, wish.n) : wish;
    for (size_t i = 0; i < places->n; i++) {
        if (!str_case_eq(places->at[i], name) && !str_case_eq(local_of(places->at[i]), name))
            continue;
        *to = places->at[i];
        return true;
    }
    return false;
}

bool webhook_hook_finds(const struct webhook_hook *h, struct str wish, struct str *to, bool *room)
{
    // What else may be addressed are rooms: people are named one by one.
    *room = place_find(&h->rooms, wish, to) || place_find(&h->others, wish, to);
    return *room || place_find(&h->people, wish, to);
}

/* Rows. */

static void write_list(struct strbuf *out, const char *name, const struct webhook_places *places)
{
    strbuf_printf(out, ",\"%s\":[", name);
    for (size_t i = 0; i < places->n; i++) {
        if (i)
            strbuf_char(out, ',');
        json_write_str(out, places->at[i]);
    }
    strbuf_char(out, ']');
}

struct str webhook_hook_write(const struct webhook_hook *h, struct arena *a)
{
    struct strbuf out;
    strbuf_init(&out, ROW_MAX);
    strbuf_c(&out, "{\"title\":");
    json_write_str(&out, h->title);
    write_list(&out, "rooms", &h->rooms);
    write_list(&out, "people", &h->people);
    strbuf_printf(&out, ",\"profile\":\"%s\"", h->profile ? webhook_profile_name(h->profile) : "auto");
    strbuf_printf(&out, ",\"disabled\":%s,\"expires\":%" PRId64 ",\"tokens\":[", h->disabled ? "true" : "false",
                  h->expires);
    for (size_t i = 0; i < h->token_count; i++)
        strbuf_printf(&out, "%s{\"sha256\":\"%s\",\"until\":%" PRId64 "}", i ? "," : "", h->tokens[i].sha256,
                      h->tokens[i].until);
    strbuf_c(&out, "]}");
    struct str row = arena_dup(a, strbuf_view(&out));
    strbuf_finish(&out);
    return row;
}

static struct webhook_places read_list(struct webhook_hook *h, const json_t *list)
{
    struct str *at = arena_zalloc(&h->arena, WEBHOOK_PLACES_MAX, sizeof *at);
    struct webhook_places places = {at, 0};
    size_t i;
    json_t *v;
    json_array_foreach(list, i, v)
    {
        struct str text = str_c(json_string_value(v));
        if (places.n < WEBHOOK_PLACES_MAX && webhook_hook_address(&h->arena, text, &at[places.n]))
            places.n++;
    }
    return places;
}

static void read_tokens(struct webhook_hook *h, const json_t *list)
{
    size_t i;
    json_t *v;
    json_array_foreach(list, i, v)
    {
        struct str sum = json_member_str(v, "sha256");
        if (h->token_count == WEBHOOK_ROTATE_TOKENS || sum.n != WEBHOOK_TOKEN_HASH - 1)
            continue;
        struct webhook_token *t = &h->tokens[h->token_count++];
        memcpy(t->sha256, sum.p, sum.n);
        t->until = json_integer_value(json_object_get(v, "until"));
    }
}

struct webhook_hook *webhook_hook_read(struct str name, struct str blob, int64_t wall)
{
    struct errmsg msg;
    json_t *row = webhook_hook_name_good(name) ? json_read(blob, ROW_MAX, &msg) : NULL;
    if (!json_is_object(row)) {
        json_decref(row);
        return NULL;
    }
    struct webhook_hook *h = webhook_hook_create(name);
    h->run_time = true;
    h->title = h->nick = arena_dup(&h->arena, json_member_str(row, "title"));
    h->rooms = read_list(h, json_object_get(row, "rooms"));
    h->people = read_list(h, json_object_get(row, "people"));
    h->profile = webhook_profile_find(json_member_str(row, "profile"));
    h->disabled = json_is_true(json_object_get(row, "disabled"));
    h->expires = json_integer_value(json_object_get(row, "expires"));
    read_tokens(h, json_object_get(row, "tokens"));
    json_decref(row);
    (void)webhook_hook_renew(h, wall);
    return h;
}

bool webhook_hook_stale(const struct webhook_hook *h, int64_t wall)
{
    for (size_t i = 0; i < h->token_count; i++) {
        if (h->tokens[i].until && h->tokens[i].until <= wall)
            return true;
    }
    return false;
}

bool webhook_hook_renew(struct webhook_hook *h, int64_t wall)
{
    size_t kept = 0;
    struct webhook_auth *auth = webhook_auth_create();
    for (size_t i = 0; i < h->token_count; i++) {
        if (h->tokens[i].until && h->tokens[i].until <= wall)
            continue;
        h->tokens[kept] = h->tokens[i];
        if (!webhook_auth_add_token(auth, str_c(h->tokens[kept].sha256)))
            kept++;
    }
    bool dropped = kept < h->token_count;
    h->token_count = kept;
    webhook_auth_destroy(h->auth);
    h->auth = auth;
    return dropped;
}

void webhook_hook_rotate(struct webhook_hook *h, const char *sha256, int64_t overlap, int64_t wall)
{
    // The oldest goes at once when there are two already.
    for (size_t i = h->token_count < WEBHOOK_ROTATE_TOKENS ? h->token_count : WEBHOOK_ROTATE_TOKENS - 1; i > 0; i--) {
        h->tokens[i] = h->tokens[i - 1];
        if (!h->tokens[i].until || h->tokens[i].until > wall + overlap)
            h->tokens[i].until = wall + overlap;
    }
    if (h->token_count < WEBHOOK_ROTATE_TOKENS)
        h->token_count++;
    memcpy(h->tokens[0].sha256, sha256, WEBHOOK_TOKEN_HASH);
    h->tokens[0].until = 0;
    (void)webhook_hook_renew(h, wall);
}

/* The table. */

void webhook_hooks_init(struct webhook_hooks *t)
{
    map_init(&t->by_name);
}

void webhook_hooks_finish(struct webhook_hooks *t)
{
    size_t at = 0;
    struct str name;
    void *h;
    while (map_next(&t->by_name, &at, &name, &h))
        webhook_hook_unref(h);
    map_finish(&t->by_name);
}

struct webhook_hook *webhook_hooks_find(const struct webhook_hooks *t, struct str name)
{
    return map_get(&t->by_name, name);
}

void webhook_hooks_put(struct webhook_hooks *t, struct webhook_hook *h)
{
    struct webhook_hook *old = map_put(&t->by_name, h->name, h);
    if (old) {
        h->did = old->did;
        h->did.rate.per_sec = h->per_second;
        h->did.rate.burst = h->burst;
        webhook_hook_unref(old);
    }
}

void webhook_hooks_remove(struct webhook_hooks *t, struct str name)
{
    webhook_hook_unref(map_remove(&t->by_name, name));
}

static int by_name(const void *a, const void *b)
{
    struct webhook_hook *const *x = a, *const *y = b;
    return str_cmp((*x)->name, (*y)->name);
}

size_t webhook_hooks_all(const struct webhook_hooks *t, struct arena *a, struct webhook_hook ***out)
{
    size_t at = 0, n = 0;
    struct str name;
    void *h;
    struct webhook_hook **all = arena_zalloc(a, t->by_name.count + 1, sizeof(struct webhook_hook *));
    while (map_next(&t->by_name, &at, &name, &h))
        all[n++] = h;
    qsort(all, n, sizeof(struct webhook_hook *), by_name);
    *out = all;
    return n;
}
