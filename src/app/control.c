/* Happy path: accept -> one line -> `operate` -> answer -> close. Failures: a line over LINE_LIMIT or silence for
 * IDLE_MS ends the connection; at most CLIENTS at once, further ones are told so and
 * closed. */
#include "app/control.h"

#include "base/list.h"
#include "base/mem.h"

#include <stdio.h>

enum { LINE_LIMIT = 600 * 1024, CLIENTS = 16, IDLE_MS = 10000, ANSWER_MAX = 64 * 1024 * 1024 };

struct control {
    struct loop *loop;
    struct listener *listener;
    control_operate *operate;
    void *ud;
    struct list_node clients; // control_client::link
    size_t count;
    uint64_t numbers; // of clients so far
    struct log_ctx log;
    bool closing;
};

struct control_client {
    struct control *control;
    struct stream *stream;
    struct strbuf line;
    struct timer idle;
    struct list_node link;
    uint64_t number;
    bool waiting, over; // for an operation that takes a while; answered
};

static void free_when_last(struct control *c)
{
    if (c->closing && !c->count)
        mem_free(c);
}

static void client_closed(void *ud, enum err e, const char *why)
{
    (void)e;
    (void)why;
    struct control_client *cl = ud;
    struct control *c = cl->control;
    list_remove(&cl->link);
    timer_finish(&cl->idle);
    strbuf_finish(&cl->line);
    mem_free(cl);
    c->count--;
    free_when_last(c);
}

static void answer(struct control_client *cl, struct str line)
{
    struct str rest = line, form;
    bool json = str_word(&rest, &form) && str_eq_c(form, "json");
    if (!json && !str_eq_c(form, "text")) // typed by hand: the operation alone
        rest = line;
    struct strbuf out;
    strbuf_init(&out, ANSWER_MAX);
    enum err e = cl->control->operate(cl->control->ud, cl->number, rest, json, &out);
    cl->waiting = e == ERR_AGAIN;
    cl->over = !cl->waiting;
    timer_set(&cl->idle, cl->waiting ? INT64_MAX : loop_now(cl->control->loop) + IDLE_MS);
    if (cl->over) {
        stream_write(cl->stream, e ? STR("error\n") : STR("ok\n"));
        stream_write(cl->stream, strbuf_view(&out));
        stream_close(cl->stream);
    }
    strbuf_finish(&out);
}

void control_poke(struct control *c)
{
    struct list_node *it, *safe;
    if (!c || c->closing)
        return;
    LIST_EACH (it, safe, &c->clients) {
        struct control_client *cl = CONTAINER_OF(it, struct control_client, link);
        if (cl->waiting)
            answer(cl, strbuf_view(&cl->line));
    }
}

static void refuse(struct control_client *cl)
{
    char text[80];
    int n = snprintf(text, sizeof text, "error\nspandrel: busy: %d connections to the control socket\n", CLIENTS);
    stream_write(cl->stream, (struct str){text, (size_t)n});
    stream_close(cl->stream);
}

static void client_data(void *ud, struct str bytes)
{
    struct control_client *cl = ud;
    ptrdiff_t end = str_find(bytes, '\n');
    if (cl->waiting || cl->over)
        return;
    if (!strbuf_str(&cl->line, str_sub(bytes, 0, end < 0 ? bytes.n : (size_t)end))) {
        stream_reset(cl->stream);
        return;
    }
    if (end >= 0)
        answer(cl, strbuf_view(&cl->line));
}

static void client_idle(void *ud)
{
    struct control_client *cl = ud;
    stream_reset(cl->stream);
}

static void ignore(void *ud)
{
    (void)ud;
}

static const struct stream_events client_events = {
    .open = ignore, .data = client_data, .drained = ignore, .closed = client_closed};
static const struct stream_limits client_limits = {.high = ANSWER_MAX, .low = 0};

static void accepted(void *ud, struct stream *s)
{
    struct control *c = ud;
    struct control_client *cl = MEM_NEW(struct control_client);
    cl->control = c;
    cl->stream = s;
    cl->number = ++c->numbers;
    strbuf_init(&cl->line, LINE_LIMIT);
    timer_init(&cl->idle, c->loop, client_idle, cl);
    timer_set(&cl->idle, loop_now(c->loop) + IDLE_MS);
    list_push(&c->clients, &cl->link);
    c->count++;
    stream_serve(s, &client_limits, &client_events, cl, &c->log);
    if (c->count > 2 * CLIENTS)
        stream_reset(s);
    else if (c->count > CLIENTS)
        refuse(cl);
}

struct control *control_create(struct loop *l, const char *path, unsigned mode, control_operate *operate, void *ud,
                               struct errmsg *msg)
{
    struct control *c = MEM_NEW(struct control);
    c->loop = l;
    c->operate = operate;
    c->ud = ud;
    c->log = (struct log_ctx){NULL, LOG_SUB_app, "control", "socket"};
    list_init(&c->clients);
    c->listener = listener_unix(l, path, mode, accepted, c, msg);
    if (c->listener)
        return c;
    mem_free(c);
    return NULL;
}

void control_close(struct control *c)
{
    if (!c)
        return;
    listener_close(c->listener);
    c->closing = true;
    struct list_node *it, *safe;
    LIST_EACH (it, safe, &c->clients)
        stream_reset(CONTAINER_OF(it, struct control_client, link)->stream);
    free_when_last(c);
}
