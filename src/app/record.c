#include "app/record.h"

#include "app/record_form.h"
#include "base/mem.h"
#include "text/hash.h"
#include "text/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 64 * 1024 * 1024, DIGEST = 16 };

struct record {
    FILE *file;
    struct strbuf line;
    struct arena arena;
};

struct record *record_create(const char *path, struct errmsg *msg)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!file) {
        (void)err_set(msg, ERR_IO, "cannot record to %s: %s", path, strerror(errno));
        return NULL;
    }
    struct record *r = MEM_NEW(struct record);
    r->file = file;
    strbuf_init(&r->line, LINE_MAX_BYTES);
    arena_init(&r->arena, 0);
    return r;
}

void record_destroy(struct record *r)
{
    if (!r)
        return;
    fclose(r->file);
    strbuf_finish(&r->line);
    arena_finish(&r->arena);
    mem_free(r);
}

static void put_line(struct record *r)
{
    strbuf_c(&r->line, "}\n");
    fprintf(r->file, STR_FMT, STR_ARG(strbuf_view(&r->line)));
    fflush(r->file);
    strbuf_clear(&r->line);
    arena_reset(&r->arena);
}

void record_config(struct record *r, const struct bridge_config *cfg, bool fresh)
{
    if (!r)
        return;
    strbuf_c(&r->line, fresh ? "{\"config\":" : "{\"reconfigure\":");
    record_write_config(cfg, &r->line);
    put_line(r);
}

void record_row(struct record *r, const struct row *row)
{
    if (!r)
        return;
    strbuf_c(&r->line, "{\"row\":");
    record_write(&record_row_form, row, &r->line);
    put_line(r);
}

// What an effect is, as text; the same effects give the same text.
static void write_effect(const struct effect *e, struct strbuf *out)
{
    static const char *const kinds[] = {
        [EFFECT_NORTH] = "north", [EFFECT_SOUTH] = "south",     [EFFECT_GATED] = "gated",  [EFFECT_STORE] = "store",
        [EFFECT_LOAD] = "load",   [EFFECT_OPERATE] = "operate", [EFFECT_NOTICE] = "notice"};
    strbuf_printf(out, "%s ", kinds[e->kind]);
    if (e->row)
        record_write(&record_row_form, e->row, out);
    else
        record_write(&record_event_form, e->ev, out);
    strbuf_char(out, '\n');
}

static void write_effects(const struct effects *effects, struct strbuf *out)
{
    for (size_t i = 0; i < effects->count; i++)
        write_effect(&effects->v[i], out);
    if (effects->more)
        strbuf_c(out, "more\n");
}

static struct str digest(struct arena *a, struct str text)
{
    uint8_t sha[32];
    hash_sha256(text, sha);
    return str_sub(hash_hex(a, sha, sizeof sha), 0, DIGEST);
}

void record_step(struct record *r, const struct event *ev, const struct effects *effects)
{
    if (!r)
        return;
    struct strbuf text;
    strbuf_init(&text, LINE_MAX_BYTES);
    write_effects(effects, &text);
    strbuf_c(&r->line, "{\"event\":");
    record_write(&record_event_form, ev, &r->line);
    strbuf_c(&r->line, ",\"effects\":");
    json_write_str(&r->line, digest(&r->arena, strbuf_view(&text)));
    put_line(r);
    strbuf_finish(&text);
}

/* Replay */

struct replay {
    struct bridge *bridge;
    struct arena arena, step;
    struct strbuf text;
    bool print;
};

static enum err replay_config(struct replay *p, json_t *json, bool fresh, struct errmsg *msg)
{
    struct bridge_config cfg;
    record_read_config(json, &p->arena, &cfg);
    if (!fresh)
        return bridge_reconfigure(p->bridge, &cfg, msg);
    bridge_destroy(p->bridge);
    p->bridge = NULL;
    return bridge_create(&cfg, &p->bridge, msg);
}

static enum err replay_row(struct replay *p, json_t *json)
{
    struct row row = {.kind = ROW_IDENTITY};
    record_read(&record_row_form, json, &p->arena, &row);
    enum err skipped = bridge_restore(p->bridge, &row); // one that was skipped then is skipped now
    (void)skipped;
    return ERR_OK;
}

static enum err replay_step(struct replay *p, json_t *json, struct str expected, struct errmsg *msg)
{
    struct event ev = {.kind = EV_MESSAGE};
    struct effects out;
    record_read(&record_event_form, json, &p->arena, &ev);
    effects_init(&out, &p->step);
    bridge_step(p->bridge, &ev, &out);
    strbuf_clear(&p->text);
    write_effects(&out, &p->text);
    if (p->print)
        printf("%s at %lld\n" STR_FMT, event_name(ev.kind), (long long)ev.now, STR_ARG(strbuf_view(&p->text)));
    arena_reset(&p->step);
    if (!str_eq(digest(&p->arena, strbuf_view(&p->text)), expected))
        return err_set(msg, ERR_PROTO, "the core does something else now at this %s", event_name(ev.kind));
    return ERR_OK;
}

static enum err replay_line(struct replay *p, struct str line, struct errmsg *msg)
{
    json_t *json = json_read(line, LINE_MAX_BYTES, msg);
    if (!json)
        return ERR_BADREQ;
    json_t *config = json_object_get(json, "config"), *again = json_object_get(json, "reconfigure"),
           *row = json_object_get(json, "row"), *event = json_object_get(json, "event");
    enum err e = ERR_OK;
    if (config)
        e = replay_config(p, config, true, msg);
    else if (!p->bridge)
        e = err_set(msg, ERR_BADREQ, "this is no recording");
    else if (again)
        e = replay_config(p, again, false, msg);
    else if (row)
        e = replay_row(p, row);
    else if (event)
        e = replay_step(p, event, json_member_str(json, "effects"), msg);
    json_decref(json);
    arena_reset(&p->arena);
    return e;
}

static enum err replay_file(struct replay *p, FILE *file, const char *path, struct errmsg *msg)
{
    struct strbuf line;
    strbuf_init(&line, LINE_MAX_BYTES);
    unsigned number = 1;
    enum err e = ERR_OK;
    for (int c; !e && (c = getc(file)) != EOF;) {
        if (c != '\n') {
            strbuf_char(&line, (char)c);
            continue;
        }
        e = replay_line(p, strbuf_view(&line), msg);
        if (e)
            (void)err_wrap(msg, e, "%s:%u", path, number);
        strbuf_clear(&line);
        number++;
    }
    strbuf_finish(&line);
    return e;
}

enum err record_replay(const char *path, bool print, struct errmsg *msg)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return err_set(msg, ERR_IO, "cannot read %s: %s", path, strerror(errno));
    struct replay p = {.print = print};
    arena_init(&p.arena, 0);
    arena_init(&p.step, 65536);
    strbuf_init(&p.text, LINE_MAX_BYTES);
    enum err e = replay_file(&p, file, path, msg);
    bridge_destroy(p.bridge);
    strbuf_finish(&p.text);
    arena_finish(&p.arena);
    arena_finish(&p.step);
    fclose(file);
    return e;
}
