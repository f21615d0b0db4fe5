#include "xmpp/commands.h"

#include "base/map.h"
#include "xmpp/form.h"
#include "xmpp/iq_handlers.h"
#include "xmpp/ns.h"
#include "xmpp/stanza_error.h"

#include <inttypes.h>

size_t commands_list(const struct iq *iq, const struct command **out)
{
    const struct gateway *g = iq->s->g;
    const struct identity_view *view = iq->target == IQ_COMPONENT ? NULL : &iq->view;
    return g->host->commands(g->ud, g->component, &iq->s->from, view, out);
}

// The component's own were chosen for this user by the host.
bool commands_may(const struct iq *iq, const struct command *c)
{
    return iq->target == IQ_COMPONENT || (iq->view.rights & c->right) == c->right;
}

const struct command *commands_find(const struct iq *iq, struct str node)
{
    const struct command *list;
    size_t n = commands_list(iq, &list);
    for (size_t i = 0; i < n; i++) {
        if (str_eq(list[i].node, node) && commands_may(iq, &list[i]))
            return &list[i];
    }
    return NULL;
}

/* "<run>-<mac>": the run of this process tells a session that a restart ended from one that never was. */
struct str commands_session(const struct gateway *g, struct arena *a, const struct jid *user, const struct jid *to,
                            struct str node)
{
    struct str text = arena_printf(a, "%" PRIx64 " " STR_FMT " " STR_FMT " " STR_FMT, g->key,
                                   STR_ARG(jid_format(a, user)), STR_ARG(jid_format(a, to)), STR_ARG(node));
    return arena_printf(a, "%" PRIx64 "-%016" PRIx64, (uint64_t)g->started, map_hash(text));
}

// True for a session id of an earlier run.
static bool is_expired(struct str session, struct str expected)
{
    struct str run, mac, now, own;
    return str_cut(session, '-', &run, &mac) && str_cut(expected, '-', &now, &own) && !str_eq(run, now) &&
           mac.n == own.n;
}

static void refuse(const struct iq *iq, const struct stanza_error *error)
{
    struct xml_writer w;
    stanza_answer(iq->s, "error", &w);
    stanza_error_put(&w, error);
    stanza_error_close(iq->s->g, &w);
}

static void refuse_app(const struct iq *iq, const char *condition)
{
    refuse(iq, &(struct stanza_error){.err = ERR_BADREQ, .app = condition});
}

struct request { // one <command/>
    const struct iq *iq;
    const struct command *command;
    struct str session; // expected
    const struct xml_node *form;
};

static void open_command(struct xml_writer *w, struct str node, struct str session, const char *status)
{
    xml_open_ns(w, "command", NS_COMMANDS);
    xml_put_attr(w, "node", node);
    xml_put_attr(w, "sessionid", session);
    xml_put_attr_c(w, "status", status);
}

void commands_put_result(struct xml_writer *w, struct str node, struct str session, struct str note)
{
    open_command(w, node, session, "completed");
    if (note.n) {
        xml_open(w, "note");
        xml_put_attr_c(w, "type", "info");
        xml_text(w, note);
        xml_shut(w);
    }
    xml_shut(w);
}

static void show_form(const struct request *r)
{
    const struct command *c = r->command;
    struct xml_writer w;
    iq_open(r->iq, &w);
    open_command(&w, c->node, r->session, "executing");
    xml_open(&w, "actions");
    xml_put_attr_c(&w, "execute", "complete");
    xml_open(&w, "complete");
    xml_shut(&w);
    xml_shut(&w);
    form_open(&w, "form", c->title);
    for (size_t i = 0; i < c->field_count; i++)
        form_put_field(&w, r->iq->s->arena, &c->fields[i]);
    xml_shut(&w);
    xml_shut(&w);
    iq_close(r->iq, &w);
}

static void run(const struct request *r, const struct event_field *fields, size_t count)
{
    struct event ev = {.kind = EV_COMMAND, .command = r->command->node, .fields = fields, .field_count = count};
    stanza_post(r->iq->s, &ev);
}

static void cancel(const struct request *r)
{
    struct xml_writer w;
    iq_open(r->iq, &w);
    open_command(&w, r->command->node, r->session, "canceled");
    xml_shut(&w);
    iq_close(r->iq, &w);
}

static void complete(const struct request *r)
{
    const struct command *c = r->command;
    struct event_field *fields;
    size_t count;
    struct str why = STR_NONE;
    if (r->form && str_eq_c(xml_attr(r->form, "type"), "cancel")) {
        cancel(r);
        return;
    }
    bool submitted = r->form && str_eq_c(xml_attr(r->form, "type"), "submit");
    if (submitted && !form_read(r->form, c->fields, c->field_count, r->iq->s->arena, &fields, &count, &why))
        run(r, fields, count);
    else
        refuse(r->iq, &(struct stanza_error){.err = ERR_BADREQ, .app = "bad-payload", .text = why});
}

// Our forms have one page: there is none before it and none behind it.
static void other_page(const struct request *r)
{
    refuse_app(r->iq, "bad-action");
}

static const struct action {
    const char *name;
    void (*take)(const struct request *r);
} actions[] = {
    {"execute", complete}, {"complete", complete}, {"cancel", cancel}, {"next", other_page}, {"prev", other_page}};

static const struct action *find_action(struct str name)
{
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        if (str_eq_c(name, actions[i].name) || (i == 0 && !name.n))
            return &actions[i];
    }
    return NULL;
}

static void begin(const struct request *r, const struct action *action)
{
    if (action != &actions[0])
        refuse_app(r->iq, "bad-action");
    else if (r->command->field_count)
        show_form(r);
    else
        run(r, NULL, 0);
}

// A command without a form is over with its first answer: nothing can follow.
static void go_on(const struct request *r, const struct action *action, struct str session)
{
    if (is_expired(session, r->session))
        refuse(r->iq, &(struct stanza_error){.err = ERR_NOTALLOWED, .app = "session-expired"});
    else if (!str_eq(session, r->session) || !r->command->field_count)
        refuse_app(r->iq, "bad-sessionid");
    else
        action->take(r);
}

void commands_set(const struct iq *iq)
{
    struct str node = xml_attr(iq->query, "node"), session = xml_attr(iq->query, "sessionid");
    const struct action *action = find_action(xml_attr(iq->query, "action"));
    struct request r = {.iq = iq, .command = commands_find(iq, node), .form = xml_child(iq->query, NS_DATA, "x")};
    if (!r.command) {
        iq_refuse(iq, ERR_NOTFOUND);
        return;
    }
    r.session = commands_session(iq->s->g, iq->s->arena, &iq->s->from, &iq->s->to, node);
    if (!action)
        refuse_app(iq, "malformed-action");
    else if (session.n)
        go_on(&r, action, session);
    else
        begin(&r, action);
}
