#include "adapters/null/null.h"

#include "base/mem.h"

struct null_adapter {
    struct adapter base;
    bool started;
    uint64_t in, out;
    char *greeting; // owned: first word of the answer of `greet`
    char *state;    // owned: the word that chose the presence of `echo`, kept over restarts; NULL at first
};

static const struct conf_item schema[] = {
    {.name = "greeting", .type = CONF_STR, .dflt = "Hello", .doc = "What the command `greet` says before the name."},
    {.name = NULL},
};

static struct null_adapter *null_of(struct adapter *a)
{
    return CONTAINER_OF(a, struct null_adapter, base);
}

static void post(struct null_adapter *n, const struct event *ev)
{
    n->in++;
    n->base.env->post(n->base.env, ev);
}

static enum err null_create(struct adapter_env *env, const struct conf_value *section, struct conf_report *report,
                            struct adapter **out)
{
    (void)report;
    struct null_adapter *n = MEM_NEW(struct null_adapter);
    n->base = (struct adapter){&null_adapter_ops, env};
    struct str greeting = conf_str(conf_get(section, "greeting"));
    n->greeting = mem_dup(greeting.p, greeting.n);
    *out = &n->base;
    return ERR_OK;
}

static void set_state(struct null_adapter *n, struct str state)
{
    mem_free(n->state);
    n->state = mem_dup(state.p, state.n);
}

static void null_restore(struct adapter *a, struct str key, struct str blob)
{
    if (str_eq_c(key, "echo"))
        set_state(null_of(a), blob);
}

// Says the presence that a word of the user (or of the last run) asks for; false for any other word.
static bool say_presence(struct null_adapter *n, struct str word)
{
    static const struct {
        const char *word;
        enum show show;
    } words[] = {{"up", SHOW_ONLINE}, {"away", SHOW_AWAY}, {"dnd", SHOW_DND}, {"down", SHOW_OFFLINE}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!str_eq_c(word, words[i].word))
            continue;
        enum show show = words[i].show;
        post(n, &(struct event){.kind = show == SHOW_OFFLINE ? EV_UNAVAILABLE : EV_AVAILABLE,
                                .key = STR("echo"),
                                .show = show,
                                .body = show == SHOW_ONLINE ? STR("listening") : STR_NONE});
        return true;
    }
    return false;
}

static void null_start(struct adapter *a)
{
    struct null_adapter *n = null_of(a);
    n->started = true;
    post(n, &(struct event){.kind = EV_LINK_UP});
    post(n, &(struct event){.kind = EV_IDENTITY,
                            .identity = IDENTITY_CONTACT,
                            .key = STR("echo"),
                            .name = STR("Echo"),
                            .wish = STR("echo"),
                            .cls = STR("bot")});
    post(n, &(struct event){.kind = EV_IDENTITY,
                            .identity = IDENTITY_ROOM,
                            .key = STR("lounge"),
                            .name = STR("Lounge"),
                            .wish = STR("lounge")});
    post(n, &(struct event){.kind = EV_JOIN, .key = STR("lounge"), .nick = STR("null")});
    if (!say_presence(n, str_c(n->state)))
        say_presence(n, STR("up"));
}

static void outcome(struct null_adapter *n, const struct event *ev, enum err e, struct str body)
{
    if (ev->token)
        post(n, &(struct event){
                    .kind = e ? EV_FAILED : EV_DELIVERED, .token = ev->token, .err = e, .key = ev->key, .body = body});
}

// "tell ROOM TEXT": the contact says so in a room elsewhere, under the id of what asked for it.
static bool tell_room(struct null_adapter *n, const struct event *ev)
{
    struct str room, text = ev->body, tell = STR("tell ");
    if (!str_starts(text, tell) || !str_cut(str_sub(text, tell.n, text.n), ' ', &room, &text))
        return false;
    struct arena scratch;
    arena_init(&scratch, 256);
    struct event said = {.kind = EV_MESSAGE, .type = MESSAGE_GROUPCHAT, .key = ev->key, .id = ev->id, .body = text};
    enum err e = jid_parse(&scratch, room, &said.user);
    if (!e)
        post(n, &said);
    outcome(n, ev, e, STR_NONE);
    arena_finish(&scratch);
    return true;
}

static void talk_to_contact(struct null_adapter *n, const struct event *ev)
{
    if (say_presence(n, ev->body)) {
        set_state(n, ev->body);
        post(n, &(struct event){.kind = EV_STATE, .key = STR("echo"), .blob = ev->body});
        outcome(n, ev, ERR_OK, STR("done"));
    } else if (str_eq_c(ev->body, "fail")) {
        outcome(n, ev, ERR_TIMEOUT, STR("asked to fail"));
    } else if (!tell_room(n, ev)) {
        outcome(n, ev, ERR_OK, ev->body);
    }
}

static void talk_in_room(struct null_adapter *n, const struct event *ev)
{
    outcome(n, ev, ERR_OK, STR_NONE);
    struct str called = STR("null: ");
    if (str_starts(ev->body, called))
        post(n, &(struct event){.kind = EV_MESSAGE,
                                .type = MESSAGE_GROUPCHAT,
                                .key = ev->key,
                                .nick = STR("null"),
                                .body = str_sub(ev->body, called.n, ev->body.n)});
}

static enum err null_message(struct null_adapter *n, const struct event *ev)
{
    if (str_eq_c(ev->body, "busy"))
        return ERR_AGAIN;
    if (str_eq_c(ev->key, "lounge"))
        talk_in_room(n, ev);
    else
        talk_to_contact(n, ev);
    return ERR_OK;
}

static enum err null_command(struct null_adapter *n, const struct event *ev)
{
    if (!str_eq_c(ev->command, "greet"))
        return ERR_NOTFOUND;
    struct str name = STR("stranger");
    for (size_t i = 0; i < ev->field_count; i++) {
        if (str_eq_c(ev->fields[i].name, "name"))
            name = ev->fields[i].value;
    }
    struct arena scratch;
    arena_init(&scratch, 256);
    outcome(n, ev, ERR_OK, arena_printf(&scratch, "%s, " STR_FMT "!", n->greeting, STR_ARG(name)));
    arena_finish(&scratch);
    return ERR_OK;
}

static enum err null_send(struct adapter *a, const struct event *ev)
{
    struct null_adapter *n = null_of(a);
    n->out++;
    if (ev->kind == EV_MESSAGE)
        return null_message(n, ev);
    if (ev->kind == EV_COMMAND)
        return null_command(n, ev);
    outcome(n, ev, ERR_OK, STR_NONE);
    return ERR_OK;
}

static enum err null_resolve(struct adapter *a, struct str text, struct candidate *out)
{
    (void)a;
    if (str_case_eq(text, STR("echo")))
        *out = (struct candidate){STR("echo"), STR("Echo")};
    else if (str_case_eq(text, STR("lounge")))
        *out = (struct candidate){STR("lounge"), STR("Lounge")};
    else
        return ERR_NOTFOUND;
    return ERR_OK;
}

static enum err null_describe(struct adapter *a, struct str key, struct description *out)
{
    (void)a;
    if (!str_eq_c(key, "echo") && !str_eq_c(key, "lounge"))
        return ERR_NOTFOUND;
    *out = (struct description){.name = str_eq_c(key, "echo") ? STR("Echo") : STR("Lounge"),
                                .model = STR("null"),
                                .note = STR("Answers what it is told"),
                                .cls = STR("bot")};
    return ERR_OK;
}

static size_t null_commands(struct adapter *a, struct str key, const struct command **out)
{
    (void)a;
    static const struct field fields[] = {
        {.name = {"name", 4}, .label = {"Whom to greet", 13}, .type = FIELD_TEXT, .required = true, .min = 1}};
    static const struct command commands[] = {{.node = {"greet", 5},
                                               .title = {"Greet somebody", 14},
                                               .right = RIGHT_SEND,
                                               .fields = fields,
                                               .field_count = 1}};
    *out = commands;
    return str_eq_c(key, "echo") ? 1 : 0;
}

static enum err null_reload(struct adapter *a, const struct conf_value *section, struct conf_report *report)
{
    (void)report;
    struct null_adapter *n = null_of(a);
    mem_free(n->greeting);
    struct str greeting = conf_str(conf_get(section, "greeting"));
    n->greeting = mem_dup(greeting.p, greeting.n);
    return ERR_OK;
}

static void null_wake(struct adapter *a)
{
    (void)a;
}

static void null_close(struct adapter *a, void (*closed)(void *ud), void *ud)
{
    struct null_adapter *n = null_of(a);
    mem_free(n->greeting);
    mem_free(n->state);
    mem_free(n);
    closed(ud);
}

static void null_stat(const struct adapter *a, struct adapter_stat *out)
{
    const struct null_adapter *n = (const struct null_adapter *)(const void *)a;
    *out = (struct adapter_stat){
        .up = n->started, .state = n->started ? STR("up") : STR("not started"), .in = n->in, .out = n->out};
}

const struct adapter_ops null_adapter_ops = {
    .type = "null",
    .gateway = "null",
    .prompt = "Name of the contact",
    .schema = schema,
    .create = null_create,
    .restore = null_restore,
    .start = null_start,
    .send = null_send,
    .resolve = null_resolve,
    .describe = null_describe,
    .commands = null_commands,
    .reload = null_reload,
    .wake = null_wake,
    .close = null_close,
    .stat = null_stat,
};
