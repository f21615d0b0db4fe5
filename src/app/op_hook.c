/* Hooks, by the adapters that have them. */
#include "app/op_private.h"

#include "base/mem.h"

enum { ANSWER_MAX = 256 * 1024 };

static struct hub_adapter *operable(struct operation_call *c, size_t i)
{
    struct hub_adapter *a = hub_adapter_at(c->hub, (uint16_t)(i + 1));
    return a && a->ops->operate ? a : NULL;
}

// The adapter that is meant: the one before the "/" in the name, or the only one there is.
static enum err adapter_of(struct operation_call *c, struct str *name, struct hub_adapter **out, struct errmsg *msg)
{
    struct str adapter = STR_NONE, hook = *name;
    bool named = str_cut(*name, '/', &adapter, &hook);
    size_t count = 0;
    for (size_t i = 0; i < c->hub->adapter_count; i++) {
        struct hub_adapter *a = operable(c, i);
        if (!a || (named && !str_eq_c(adapter, a->name)))
            continue;
        *out = a;
        count++;
    }
    if (named)
        *name = hook;
    if (count == 1)
        return ERR_OK;
    if (count)
        return err_set(msg, ERR_BADREQ, "several adapters have hooks: say which, as ADAPTER/HOOK");
    if (named)
        return err_set(msg, ERR_NOTFOUND, "no adapter '" STR_FMT "' has hooks", STR_ARG(adapter));
    return err_set(msg, ERR_NOTFOUND, "no adapter has hooks: one of type webhook is needed");
}

static void say_lines(struct operation_call *c, struct str text)
{
    struct str line, rest = str_trim(text);
    while (rest.n) {
        (void)str_cut(rest, '\n', &line, &rest);
        answer_say(c->answer, STR_FMT, STR_ARG(line));
    }
}

static enum err operate(struct operation_call *c, struct hub_adapter *a, struct str name, struct errmsg *msg)
{
    struct strbuf out;
    strbuf_init(&out, ANSWER_MAX);
    struct str line = arena_printf(&c->answer->arena, STR_FMT " " STR_FMT " " STR_FMT, STR_ARG(c->args[0]),
                                   STR_ARG(name), STR_ARG(c->args[2]));
    enum err e = a->ops->operate(a->adapter, line, &out, msg);
    say_lines(c, strbuf_view(&out));
    mem_wipe(out.p, out.n);
    strbuf_finish(&out);
    return e;
}

static enum err list_all(struct operation_call *c, struct errmsg *msg)
{
    enum err e = ERR_OK;
    size_t count = 0;
    for (size_t i = 0; i < c->hub->adapter_count && !e; i++) {
        struct hub_adapter *a = operable(c, i);
        if (!a)
            continue;
        count++;
        e = operate(c, a, STR_NONE, msg);
    }
    return count ? e : err_set(msg, ERR_NOTFOUND, "no adapter has hooks: one of type webhook is needed");
}

enum err op_hook(struct operation_call *c, struct errmsg *msg)
{
    struct hub_adapter *a = NULL;
    struct str name = c->args[1];
    if (str_eq_c(c->args[0], "list") && !name.n)
        return list_all(c, msg);
    enum err e = adapter_of(c, &name, &a, msg);
    return e ? e : operate(c, a, name, msg);
}
