/* Operations that came by chat or by form: run at the end of the step, answered to who asked. */
#include "app/operations.h"

static const struct str *value_of(const struct event *ev, const char *name)
{
    for (size_t i = 0; i < ev->field_count; i++) {
        if (str_eq_c(ev->fields[i].name, name))
            return &ev->fields[i].value;
    }
    return NULL;
}

static enum err run_form(struct operation_call *call, const struct event *ev, struct errmsg *msg)
{
    const struct operation *op = operations_find(ev->command);
    if (!op)
        return err_set(msg, ERR_NOTFOUND, "there is no such command");
    for (size_t i = 0; i < OPERATION_ARGS && op->args[i].name; i++) {
        const struct str *v = value_of(ev, op->args[i].name);
        call->args[i] = v ? str_trim(*v) : STR_NONE;
    }
    return operations_run(op, call, msg);
}

static void reply(struct operation_call *call, const struct event *ev, enum err e, struct str text)
{
    bool form = ev->kind == EV_COMMAND;
    struct event out = {
        .kind = !form ? EV_MESSAGE
                : e   ? EV_BOUNCE
                      : EV_RESULT,
        .about = ev->kind,
        .component = ev->component,
        .user = ev->user,
        .to = form ? ev->to : jid_bare(ev->to),
        .id = form ? ev->id : STR_NONE,
        .command = ev->command,
        .type = MESSAGE_CHAT,
        .err = e,
        .body = text,
    };
    hub_stamp(call->hub, &out);
    hub_link_send(call->link, &out);
}

static void run(struct hub *h, struct hub_link *link, const struct event *ev)
{
    struct answer answer;
    answer_init(&answer);
    struct errmsg msg = {""};
    struct operation_call call = {.hub = h,
                                  .link = link,
                                  .user = &ev->user,
                                  .rights = bridge_rights(h->bridge, link->number, &ev->user),
                                  .answer = &answer};
    enum err e = ev->kind == EV_COMMAND ? run_form(&call, ev, &msg) : operations_run_line(&call, ev->body, &msg);
    struct strbuf text;
    strbuf_init(&text, 60000);
    answer_chat(&answer, &text);
    if (e)
        strbuf_c(&text, msg.text[0] ? msg.text : err_text(e));
    reply(&call, ev, e, str_trim(strbuf_view(&text)));
    strbuf_finish(&text);
    answer_finish(&answer);
}

void hub_run_operations(struct hub *h)
{
    for (struct event *ev; (ev = queue_pop(&h->operations));) {
        struct hub_link *link = hub_link_at(h, ev->component);
        if (link)
            run(h, link, ev);
    }
}

enum err hub_operate(struct hub *h, struct str line, bool json, struct strbuf *out)
{
    struct answer answer;
    answer_init(&answer);
    struct errmsg msg = {""};
    struct operation_call call = {.hub = h, .link = &h->links[0], .rights = RIGHT_ADMIN | RIGHT_SEE, .answer = &answer};
    enum err e = operations_run_line(&call, line, &msg);
    if (json && !e)
        answer_json(&answer, out);
    else
        answer_text(&answer, out);
    if (out->full) {
        strbuf_clear(out);
        e = err_set(&msg, ERR_LIMIT, "the answer is too large: narrow it with words");
    }
    if (e)
        strbuf_printf(out, "%s\n", msg.text[0] ? msg.text : err_text(e));
    answer_finish(&answer);
    return e;
}
