#include "app/standby.h"

#include "app/control.h"
#include "base/clock.h"
#include "base/mem.h"
#include "text/json.h"

#include <inttypes.h>

struct standby {
    struct loop *loop;
    char *dir;
    struct control *control; // NULL when it cannot be had
    struct store_holder holder;
    int64_t since; // wall ms
    struct timer poll;
    struct log_ctx log;
    void (*done)(void *ud, struct store_lock *takes, const char *why);
    void *ud;
};

static void write_text(const struct standby *s, struct strbuf *out)
{
    char since[CLOCK_TEXT], held[CLOCK_TEXT];
    strbuf_printf(out, "standby since " STR_FMT ": process %" PRId64 " serves %s", STR_ARG(clock_put(since, s->since)),
                  s->holder.pid, s->dir);
    if (s->holder.since)
        strbuf_printf(out, " since " STR_FMT, STR_ARG(clock_put(held, s->holder.since)));
    strbuf_c(out, s->holder.displaced ? ", which was moved, removed or replaced under it\n" : "\n");
}

static void write_json(const struct standby *s, struct strbuf *out)
{
    char since[CLOCK_TEXT], held[CLOCK_TEXT];
    strbuf_c(out, "{\"standby\":true,\"since\":");
    json_write_str(out, clock_put(since, s->since));
    strbuf_c(out, ",\"state\":");
    json_write_str(out, str_c(s->dir));
    strbuf_printf(out, ",\"holder\":{\"pid\":%" PRId64 ",\"since\":", s->holder.pid);
    json_write_str(out, s->holder.since ? clock_put(held, s->holder.since) : STR_NONE);
    strbuf_printf(out, ",\"displaced\":%s}}\n", s->holder.displaced ? "true" : "false");
}

static enum err operate(void *ud, uint64_t client, struct str line, bool json, struct strbuf *out)
{
    (void)client;
    const struct standby *s = ud;
    struct str rest = line, word = STR_NONE;
    if (!str_word(&rest, &word) || str_case_eq(word, STR("status"))) {
        (json ? write_json : write_text)(s, out);
        return ERR_OK;
    }
    write_text(s, out);
    strbuf_printf(out, "'" STR_FMT "' is for who serves; a standby only tells its 'status'\n", STR_ARG(word));
    return ERR_UNAVAILABLE;
}

static void say(const struct standby *s, enum log_level level)
{
    char held[CLOCK_TEXT];
    struct str since = s->holder.since ? clock_put(held, s->holder.since) : STR("unknown");
    if (s->holder.displaced)
        log_at(level, &s->log,
               LOG_MSG("standby: another process still serves what was in this place, and has been moved or removed"),
               LOG_C("directory", s->dir), LOG_INT("pid", s->holder.pid));
    else
        log_at(level, &s->log, LOG_MSG("standby: another process serves this state"), LOG_C("directory", s->dir),
               LOG_INT("pid", s->holder.pid), LOG_S("since", since));
}

static bool same_holder(const struct store_holder *a, const struct store_holder *b)
{
    return a->pid == b->pid && a->since == b->since && a->displaced == b->displaced;
}

static void poll(void *ud)
{
    struct standby *s = ud;
    struct store_lock *lock = NULL;
    struct store_holder holder = {.pid = 0};
    struct errmsg msg = {""};
    enum err e = store_dir_lock(s->dir, &lock, &holder, &msg);
    if (e != ERR_EXISTS) {
        s->done(s->ud, e ? NULL : lock, msg.text);
        return;
    }
    // One that has just locked it writes its number a moment later.
    if (holder.pid && !same_holder(&holder, &s->holder)) {
        s->holder = holder;
        say(s, holder.displaced ? LOG_ERROR : LOG_INFO);
    }
    timer_set(&s->poll, loop_now(s->loop) + STANDBY_POLL_MS);
}

static void listen_beside(struct standby *s, const struct standby_config *cfg)
{
    struct arena a;
    struct errmsg msg;
    arena_init(&a, 256);
    s->control = control_create(s->loop, control_standby_path(&a, cfg->socket), cfg->mode, operate, s, &msg);
    if (!s->control)
        log_warn(&s->log, LOG_MSG("the standby cannot be asked for its state"), LOG_C("why", msg.text));
    arena_finish(&a);
}

struct standby *standby_create(struct loop *l, const struct standby_config *cfg, const struct store_holder *holder,
                               void (*done)(void *ud, struct store_lock *takes, const char *why), void *ud)
{
    struct standby *s = MEM_NEW(struct standby);
    s->loop = l;
    s->dir = mem_dup(cfg->dir, strlen(cfg->dir));
    s->holder = *holder;
    s->since = loop_wall(l);
    s->log = (struct log_ctx){.sub = LOG_SUB_app};
    s->done = done;
    s->ud = ud;
    timer_init(&s->poll, l, poll, s);
    timer_set(&s->poll, loop_now(l) + STANDBY_POLL_MS);
    say(s, holder->displaced ? LOG_ERROR : LOG_INFO);
    listen_beside(s, cfg);
    return s;
}

void standby_destroy(struct standby *s)
{
    if (!s)
        return;
    control_close(s->control);
    timer_finish(&s->poll);
    mem_free(s->dir);
    mem_free(s);
}
