#include "app/db_check.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "core/bridge.h"
#include "text/json.h"

#include <inttypes.h>

enum { ADAPTER_NAME_MAX = 32, STATE_MAX = 64 * 1024 * 1024 };

struct db_judge {
    struct bridge *bridge;
    struct arena config;  // what the bridge's configuration points to
    struct arena scratch; // of one row
    struct bridge_config cfg;
};

/* The bridge */

static const struct conf_value *member(const struct conf_value *map, const char *name)
{
    size_t at = 0;
    for (const struct conf_value *v; conf_is_map(map) && (v = conf_each(map, &at));) {
        if (str_eq_c(conf_name(v), name))
            return v;
    }
    return NULL;
}

static struct str member_text(const struct conf_value *map, const char *name)
{
    const struct conf_value *v = member(map, name);
    return v && conf_is_text(v) ? conf_str(v) : STR_NONE;
}

static void take_components(struct db_judge *j, const struct conf_value *components)
{
    struct bridge_component *v = arena_zalloc(&j->config, conf_count(components) + 1, sizeof *v);
    size_t n = 0, at = 0;
    for (const struct conf_value *c; (c = conf_each(components, &at)); n++) {
        struct jid jid = {.domain = STR_NONE};
        struct str domain = arena_dup(&j->config, member_text(c, "domain"));
        if (jid_parse(&j->config, domain, &jid))
            jid.domain = domain;
        v[n] = (struct bridge_component){.domain = jid.domain, .name = STR("Spandrel")};
    }
    j->cfg.components = v;
    j->cfg.component_count = n;
}

static uint16_t component_of(const struct conf_value *components, struct str name)
{
    size_t at = 0;
    for (uint16_t n = 1;; n++) {
        const struct conf_value *c = conf_each(components, &at);
        if (!c)
            return 1;
        if (name.n && str_eq(conf_name(c), name))
            return n;
    }
}

static void take_adapters(struct db_judge *j, const struct conf_value *adapters, const struct conf_value *components)
{
    struct bridge_adapter *v = arena_zalloc(&j->config, conf_count(adapters) + 1, sizeof *v);
    size_t n = 0, at = 0;
    for (const struct conf_value *a; (a = conf_each(adapters, &at)); n++)
        v[n] = (struct bridge_adapter){.name = conf_name(a),
                                       .component = component_of(components, member_text(a, "component"))};
    j->cfg.adapters = v;
    j->cfg.adapter_count = n;
}

static void take_groups(struct db_judge *j, const struct conf_value *groups)
{
    struct str *v = arena_zalloc(&j->config, conf_count(groups) + 1, sizeof *v);
    size_t n = 0, at = 0;
    for (const struct conf_value *g; (g = conf_each(groups, &at)); n++) {
        size_t member_at = 0;
        v[n] = arena_printf(&j->config, STR_FMT "=", STR_ARG(conf_name(g)));
        for (const struct conf_value *m; (m = conf_each(g, &member_at));)
            v[n] = arena_printf(&j->config, STR_FMT STR_FMT ",", STR_ARG(v[n]), STR_ARG(conf_str(m)));
    }
    j->cfg.groups = v;
    j->cfg.group_count = n;
}

struct db_judge *db_judge_create(const struct conf_value *config, struct errmsg *msg)
{
    struct db_judge *j = MEM_NEW(struct db_judge);
    const struct conf_value *components = conf_get(config, "components");
    arena_init(&j->config, 0);
    arena_init(&j->scratch, 0);
    j->cfg = (struct bridge_config){.now = clock_mono(), .wall = clock_wall()};
    take_components(j, components);
    take_adapters(j, conf_get(config, "adapters"), components);
    take_groups(j, conf_get(config, "groups"));
    if (!bridge_create(&j->cfg, &j->bridge, msg))
        return j;
    db_judge_destroy(j);
    return NULL;
}

void db_judge_destroy(struct db_judge *j)
{
    if (!j)
        return;
    bridge_destroy(j->bridge);
    arena_finish(&j->config);
    arena_finish(&j->scratch);
    mem_free(j);
}

/* A row by itself */

static enum err wrong(struct errmsg *msg, const char *column, struct str value, const char *what)
{
    struct arena a;
    arena_init(&a, 256);
    enum err e = err_set(msg, ERR_CONF, "the %s '" STR_FMT "' %s", column, STR_ARG(utf8_display(&a, value, 80)), what);
    arena_finish(&a);
    return e;
}

static enum err check_user(struct db_judge *j, struct str user, bool full, struct errmsg *msg)
{
    struct jid jid;
    if (jid_parse(&j->scratch, user, &jid))
        return wrong(msg, "user", user, "is no JID");
    if (jid.resource.n && !full)
        return wrong(msg, "user", user, "is no bare JID: it has a resource");
    if (!str_eq(jid_format(&j->scratch, &jid), user))
        return wrong(msg, "user", user, "is not as servers write it (case, forms of characters)");
    return ERR_OK;
}

static enum err check_address(struct db_judge *j, const struct row *row, bool local, struct errmsg *msg)
{
    struct jid jid;
    if (jid_make(&j->scratch, STR_NONE, row->domain, STR_NONE, &jid) || !str_eq(jid.domain, row->domain))
        return wrong(msg, "domain", row->domain, "is no domain, or not as servers write it");
    if (!row->local.n)
        return local ? wrong(msg, "local", row->local, "is empty") : ERR_OK;
    if (jid_make(&j->scratch, row->local, row->domain, STR_NONE, &jid) || !str_eq(jid.local, row->local))
        return wrong(msg, "local", row->local, "is no localpart, or not as servers write it");
    return ERR_OK;
}

static enum err check_adapter(struct str name, struct errmsg *msg)
{
    bool good = name.n >= 1 && name.n <= ADAPTER_NAME_MAX && name.p[0] >= 'a' && name.p[0] <= 'z';
    for (size_t i = 0; i < name.n && good; i++)
        good = (name.p[i] >= 'a' && name.p[i] <= 'z') || (name.p[i] >= '0' && name.p[i] <= '9') || name.p[i] == '-';
    return good ? ERR_OK : wrong(msg, "adapter", name, "is no name of an adapter");
}

static enum err check_text(const char *column, struct str text, size_t max, struct errmsg *msg)
{
    if (text.n > max)
        return err_set(msg, ERR_CONF, "the %s has %zu bytes, at most %zu are possible", column, text.n, max);
    return utf8_valid(text) ? ERR_OK : wrong(msg, column, text, "is no UTF-8");
}

static enum err check_identity(struct db_judge *j, const struct row *row, struct errmsg *msg)
{
    enum err e = check_address(j, row, true, msg);
    if (!e && row->scope.n)
        e = check_user(j, row->scope, false, msg);
    if (!e)
        e = check_adapter(row->adapter, msg);
    if (!e && (!row->key.n || row->key.n > 1024))
        e = err_set(msg, ERR_CONF, "the key has %zu bytes; 1 to 1024 are possible", row->key.n);
    if (!e)
        e = check_text("name", row->name, 256, msg);
    if (!e)
        e = check_text("cls", row->cls, 31, msg);
    return e ? e : check_text("grp", row->group, 96, msg);
}

static enum err check_subscription(struct db_judge *j, const struct row *row, struct errmsg *msg)
{
    enum err e = check_user(j, row->user, false, msg);
    if (!e)
        e = check_address(j, row, false, msg);
    return e || row->state ? e : err_set(msg, ERR_CONF, "the state 0 is none: such a row is not kept");
}

static enum err check_registration(struct db_judge *j, const struct row *row, struct errmsg *msg)
{
    enum err e = check_user(j, row->user, false, msg);
    return e ? e : check_address(j, row, false, msg);
}

static enum err check_access(struct db_judge *j, const struct row *row, struct errmsg *msg)
{
    if (!row->number || row->number > INT64_MAX)
        return err_set(msg, ERR_CONF, "a rule has no number %" PRIu64, row->number);
    return bridge_check_rule(j->bridge, row->text, msg) ? ERR_CONF : ERR_OK;
}

static enum err check_state(struct db_judge *j, const struct row *row, struct errmsg *msg)
{
    (void)j;
    enum err e = check_adapter(row->adapter, msg);
    if (!e && row->text.n > STATE_MAX)
        e = err_set(msg, ERR_CONF, "the value has %zu bytes, at most %d are possible", row->text.n, STATE_MAX);
    return e;
}

// Of an adapter, by its name; of an identity in a room elsewhere: adapter, room and key.
static enum err check_lane(struct db_judge *j, struct str name, struct errmsg *msg)
{
    struct str adapter, room, rest, key;
    if (!str_cut(name, ' ', &adapter, &rest))
        return check_adapter(name, msg);
    enum err e = check_adapter(adapter, msg);
    if (!e && (!str_cut(rest, ' ', &room, &key) || !key.n))
        e = wrong(msg, "adapter", name, "is no name of an adapter, with a room and a key");
    return e ? e : check_user(j, room, false, msg);
}

// Of the journal: who it is about, where it says.
static enum err check_record(struct db_judge *j, const struct row *row, struct errmsg *msg)
{
    enum err e = row->kind == ROW_ASK ? check_address(j, row, false, msg) : check_lane(j, row->adapter, msg);
    return e || !row->user.n ? e : check_user(j, row->user, true, msg);
}

// Of a guest: who it is, and the room.
static enum err check_guest(struct db_judge *j, const struct row *row, struct errmsg *msg)
{
    enum err e = check_address(j, row, false, msg);
    return e ? e : check_user(j, row->user, false, msg);
}

static enum err check_alone(struct db_judge *j, const struct row *row, struct errmsg *msg)
{
    switch (row->kind) {
    case ROW_IDENTITY:
        return check_identity(j, row, msg);
    case ROW_SUBSCRIPTION:
        return check_subscription(j, row, msg);
    case ROW_REGISTRATION:
        return check_registration(j, row, msg);
    case ROW_ACCESS:
        return check_access(j, row, msg);
    case ROW_STATE:
        return check_state(j, row, msg);
    case ROW_GUEST:
        return check_guest(j, row, msg);
    default:
        return check_record(j, row, msg);
    }
}

/* A row among the others */

static bool has_domain(const struct db_judge *j, struct str domain)
{
    for (size_t i = 0; i < j->cfg.component_count; i++) {
        if (str_eq(j->cfg.components[i].domain, domain))
            return true;
    }
    return false;
}

static enum err take_in(struct db_judge *j, const struct row *row, struct errmsg *msg)
{
    switch (bridge_restore(j->bridge, row)) {
    case ERR_OK:
        return ERR_OK;
    case ERR_NOTFOUND:
        return err_set(msg, ERR_CONF, "a subscription to a contact that is not there");
    case ERR_EXISTS:
        return err_set(msg, ERR_CONF, "another row has the same %s",
                       row->kind == ROW_IDENTITY ? "address, or the same adapter and key" : "key");
    default:
        return err_set(msg, ERR_CONF, "the start would skip it");
    }
}

enum err db_judge_row(struct db_judge *j, const struct row *row, struct errmsg *msg)
{
    bool addressed = row->kind == ROW_IDENTITY || row->kind == ROW_SUBSCRIPTION || row->kind == ROW_REGISTRATION;
    enum err e = check_alone(j, row, msg);
    arena_reset(&j->scratch);
    if (e)
        return e;
    if (addressed && !has_domain(j, row->domain))
        return err_set(msg, ERR_NOTFOUND, "no component of the configuration has the domain");
    return addressed || row->kind == ROW_ACCESS ? take_in(j, row, msg) : ERR_OK;
}

void db_row_key(const struct row *row, struct strbuf *out)
{
    const struct store_table *t = &store_tables[row->kind];
    struct arena a;
    arena_init(&a, 256);
    for (unsigned i = 0; i < t->keys; i++) {
        const struct str *s = store_table_str(row, &t->column[i]);
        strbuf_printf(out, "%s" STR_FMT "=", i ? " " : "", STR_ARG(store_table_column(row->kind, i)));
        if (s)
            strbuf_printf(out, "'" STR_FMT "'", STR_ARG(utf8_display(&a, *s, 120)));
        else
            strbuf_i64(out, store_table_number(row, &t->column[i]));
    }
    arena_finish(&a);
}

/* The whole database */

struct checking {
    struct db_judge *judge;
    struct db_findings *findings;
    enum row_kind kind;
};

static void tell(struct db_findings *f, bool fault, const char *table, struct str key, struct str text)
{
    *(fault ? &f->faults : &f->notes) += 1;
    struct strbuf line;
    strbuf_init(&line, 16384);
    if (f->json) {
        strbuf_printf(&line, "{\"finding\":\"%s\",\"table\":", fault ? "fault" : "note");
        json_write_str(&line, str_c(table));
        strbuf_c(&line, ",\"row\":");
        json_write_str(&line, key);
        strbuf_c(&line, ",\"text\":");
        json_write_str(&line, text);
        strbuf_c(&line, "}");
    } else {
        strbuf_printf(&line, "%s: ", fault ? "fault" : "note");
        if (*table)
            strbuf_printf(&line, "table %s%s" STR_FMT ": ", table, key.n ? ", row " : "", STR_ARG(key));
        strbuf_str(&line, text);
    }
    fprintf(f->out, STR_FMT "\n", STR_ARG(strbuf_view(&line)));
    strbuf_finish(&line);
}

static void found(void *ud, struct str text)
{
    const struct checking *c = ud;
    tell(c->findings, true, "", STR_NONE, text);
}

static void strange(void *ud, const char *why)
{
    const struct checking *c = ud;
    c->findings->rows[c->kind]++;
    tell(c->findings, true, store_tables[c->kind].name, STR_NONE, str_c(why));
}

static enum err judge(void *ud, const struct row *row)
{
    const struct checking *c = ud;
    struct errmsg msg = {""};
    c->findings->rows[c->kind]++;
    enum err e = db_judge_row(c->judge, row, &msg);
    if (!e)
        return ERR_OK;
    struct strbuf key;
    strbuf_init(&key, 4096);
    db_row_key(row, &key);
    tell(c->findings, e != ERR_NOTFOUND, store_tables[c->kind].name, strbuf_view(&key), str_c(msg.text));
    strbuf_finish(&key);
    return ERR_OK;
}

enum err db_check_file(struct store_file *f, struct db_judge *j, struct db_findings *findings, struct errmsg *msg)
{
    static const enum row_kind first[] = {ROW_IDENTITY, ROW_REGISTRATION};
    struct checking c = {j, findings, ROW_IDENTITY};
    enum err e = store_file_check(f, found, &c, msg);
    bool done[ROW_KINDS] = {false};
    for (size_t i = 0; !e && i < sizeof first / sizeof *first; i++) {
        c.kind = first[i];
        done[c.kind] = true;
        e = store_file_each(f, c.kind, judge, strange, &c, msg);
    }
    for (unsigned kind = 0; !e && kind < ROW_KINDS; kind++) {
        c.kind = (enum row_kind)kind;
        if (!done[kind])
            e = store_file_each(f, c.kind, judge, strange, &c, msg);
    }
    if (e == ERR_CONF) { // it cannot be read any further
        found(&c, str_c(msg->text));
        e = ERR_OK;
    }
    return e;
}
