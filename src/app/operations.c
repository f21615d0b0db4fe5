#include "app/operations.h"

#include "app/op_private.h"
#include "base/utf8.h"

// Sorted by name.
static const struct operation table[] = {
    {"adapters", "Adapters", "state of each adapter", RIGHT_ADMIN, false, {{NULL}}, op_adapters},
    {"add",
     "Add a contact",
     "asks you to add a contact to your roster",
     RIGHT_SEE,
     true,
     {{"contact", "Name or address", true}},
     op_add},
    {"approve",
     "Approve a contact",
     "makes a quarantined contact visible",
     RIGHT_ADMIN,
     false,
     {{"contact", "Name or address", true}},
     op_approve},
    {"dead",
     "Undelivered messages",
     "messages that could not be delivered, or one of them with its text",
     RIGHT_ADMIN,
     false,
     {{"number", "Number of a message", false}},
     op_dead},
    {"discard",
     "Discard undelivered messages",
     "gives up messages that could not be delivered",
     RIGHT_ADMIN,
     false,
     {{"which", "Number, adapter, user, or all", true}},
     op_discard},
    {"explain",
     "Explain",
     "why a contact is as it is, and what a user may do and gets",
     RIGHT_ADMIN,
     false,
     {{"address", "Contact or user", true}, {"user", "Bare JID of a user", false}},
     op_explain},
    {"forget",
     "Forget a contact or a user",
     "removes a contact for everybody, or all that is kept of a user",
     RIGHT_ADMIN,
     false,
     {{"address", "Address of a contact, or bare JID of a user", true}},
     op_forget},
    {"grant",
     "Grant rights",
     "adds an access rule: allow see read to alice@example.org",
     RIGHT_ADMIN,
     false,
     {{"rule", "Rule", true}},
     op_grant},
    {"help", "Help", "this list", 0, false, {{"command", "Command", false}}, op_help},
    {"hook",
     "Webhooks",
     "webhooks: list, add, remove, enable, disable, rotate, test, render",
     RIGHT_ADMIN,
     false,
     {{"action", "list, add, remove, enable, disable, rotate, test or render", true},
      {"hook", "Name of the hook, or ADAPTER/NAME", false},
      {"more", "add: rooms, user=JID, title=, profile=, expires=90d; rotate: 24h; test: text; render: payload", false}},
     op_hook},
    {"links", "Component links", "state of each link to an XMPP server", RIGHT_ADMIN, false, {{NULL}}, op_links},
    {"list",
     "List contacts",
     "the contacts you may see; words narrow it",
     RIGHT_SEE,
     false,
     {{"words", "Words", false}},
     op_list},
    {"log",
     "Log level",
     "sets the log level, of one subsystem or all",
     RIGHT_ADMIN,
     false,
     {{"level", "error, warn, info, debug or trace", true}, {"subsystem", "Subsystem", false}},
     op_log},
    {"mappings",
     "Mapping table",
     "every contact with its adapter and key; words narrow it",
     RIGHT_ADMIN,
     false,
     {{"words", "Words", false}},
     op_mappings},
    {"queue",
     "Messages on their way",
     "what is accepted and not yet delivered, for each adapter",
     RIGHT_ADMIN,
     false,
     {{NULL}},
     op_queue},
    {"register",
     "Register",
     "registers you: you will be asked to add the contacts you may see",
     RIGHT_REGISTER,
     true,
     {{NULL}},
     op_register},
    {"reload", "Reload the configuration", "reads the configuration again", RIGHT_ADMIN, false, {{NULL}}, op_reload},
    {"remove",
     "Remove a contact",
     "ends all between you and a contact",
     RIGHT_SEE,
     true,
     {{"contact", "Name or address", true}},
     op_remove},
    {"replay",
     "Replay undelivered messages",
     "tries again what could not be delivered",
     RIGHT_ADMIN,
     false,
     {{"which", "Number, adapter, user, or all", true}},
     op_replay},
    {"retry",
     "Retry now",
     "tries now what waits for its next try",
     RIGHT_ADMIN,
     false,
     {{"which", "Number, adapter, user, or all", false}},
     op_retry},
    {"revoke",
     "Revoke a rule",
     "removes an access rule that was granted",
     RIGHT_ADMIN,
     false,
     {{"number", "Number of the rule", true}},
     op_revoke},
    {"rooms",
     "Rooms elsewhere",
     "contacts that are in rooms of servers, or cannot enter, and why",
     RIGHT_ADMIN,
     false,
     {{NULL}},
     op_rooms},
    {"rules", "Access rules", "the access rules in force, in order", RIGHT_ADMIN, false, {{NULL}}, op_rules},
    {"status",
     "Status",
     "how things stand, or the state of one contact",
     RIGHT_SEE,
     false,
     {{"contact", "Name or address", false}},
     op_status},
    {"subscriptions",
     "Subscriptions",
     "who subscribes to what, of all users or one",
     RIGHT_ADMIN,
     false,
     {{"user", "Bare JID", false}},
     op_subscriptions},
    {"trace",
     "Trace a message",
     "where the message with this stanza id is",
     RIGHT_ADMIN,
     false,
     {{"id", "Stanza id", true}},
     op_trace},
    {"unregister",
     "Unregister",
     "ends your registration and all your subscriptions",
     RIGHT_REGISTER,
     true,
     {{NULL}},
     op_unregister},
    {NULL},
};

enum { TABLE_COUNT = sizeof table / sizeof *table - 1 };

const struct operation *operations_all(void)
{
    return table;
}

const struct operation *operations_find(struct str name)
{
    for (const struct operation *op = table; op->name; op++) {
        if (str_case_eq(name, str_c(op->name)))
            return op;
    }
    return NULL;
}

static bool may(const struct operation *op, unsigned rights)
{
    return !op->right || (rights & (op->right | RIGHT_ADMIN));
}

static struct command form_of(struct arena *a, const struct operation *op)
{
    struct field *fields = arena_zalloc(a, OPERATION_ARGS, sizeof *fields);
    size_t n = 0;
    for (; n < OPERATION_ARGS && op->args[n].name; n++) {
        fields[n] = (struct field){.name = str_c(op->args[n].name),
                                   .label = str_c(op->args[n].label),
                                   .type = FIELD_TEXT,
                                   .required = op->args[n].required,
                                   .min = 1};
    }
    return (struct command){
        .node = str_c(op->name), .title = str_c(op->title), .right = op->right, .fields = fields, .field_count = n};
}

size_t operations_commands(struct arena *a, unsigned rights, bool registered, const struct command **out)
{
    struct command *commands = arena_zalloc(a, TABLE_COUNT, sizeof *commands);
    size_t n = 0;
    for (const struct operation *op = table; op->name; op++) {
        bool pointless = (registered && op->run == op_register) || (!registered && op->run == op_unregister);
        if (may(op, rights) && !pointless)
            commands[n++] = form_of(a, op);
    }
    *out = commands;
    return n;
}

static enum err check_args(const struct operation *op, const struct operation_call *call, struct errmsg *msg)
{
    for (size_t i = 0; i < OPERATION_ARGS && op->args[i].name; i++) {
        if (op->args[i].required && !call->args[i].n)
            return err_set(msg, ERR_BADREQ, "%s: %s is missing (%s)", op->name, op->args[i].name, op->args[i].label);
    }
    return ERR_OK;
}

enum err operations_run(const struct operation *op, struct operation_call *call, struct errmsg *msg)
{
    if (!may(op, call->rights))
        return err_set(msg, ERR_FORBIDDEN, "you may not use '%s'", op->name);
    if (op->needs_user && !call->user)
        return err_set(msg, ERR_NOTALLOWED, "'%s' is for users: say it by XMPP", op->name);
    enum err e = check_args(op, call, msg);
    return e ? e : op->run(call, msg);
}

static enum err unknown(struct operation_call *call, struct str word, struct errmsg *msg)
{
    const char *nearest = NULL;
    size_t best = 3;
    for (const struct operation *op = table; op->name; op++) {
        size_t d = may(op, call->rights) ? str_distance(word, str_c(op->name), best) : best;
        if (d < best) {
            best = d;
            nearest = op->name;
        }
    }
    struct str shown = utf8_cut(word, 32);
    if (nearest)
        return err_set(msg, ERR_NOTFOUND, "unknown command '" STR_FMT "'; did you mean '%s'?", STR_ARG(shown), nearest);
    return err_set(msg, ERR_NOTFOUND, "unknown command '" STR_FMT "'; 'help' lists them", STR_ARG(shown));
}

enum err operations_run_line(struct operation_call *call, struct str line, struct errmsg *msg)
{
    struct str rest = str_trim(line), word;
    if (!str_word(&rest, &word))
        word = STR("help");
    const struct operation *op = operations_find(word);
    if (!op || !may(op, call->rights))
        return unknown(call, word, msg);
    for (size_t i = 0; i < OPERATION_ARGS && op->args[i].name; i++) {
        bool last = i + 1 == OPERATION_ARGS || !op->args[i + 1].name;
        if (last)
            call->args[i] = str_trim(rest);
        else if (!str_word(&rest, &call->args[i]))
            break;
    }
    return operations_run(op, call, msg);
}
