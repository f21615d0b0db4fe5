#include "scenario/script.h"

#include "base/clock.h"
#include "base/mem.h"
#include "lib/xml_canon.h"
#include "scenario/broker.h"

#include <stdio.h>
#include <stdlib.h>

enum { ANSWER_MAX = 1 << 20 };

struct run {
    const struct script *script;
    struct str rest; // lines to come
    unsigned line;
    struct world *world;
    struct str session; // of the last command
    struct arena arena;
    struct outcome out;
};

static void fail(struct run *r, const char *what, struct str detail)
{
    r->out.good = false;
    fprintf(stderr, "%s:%u: %s: " STR_FMT "\n", r->script->path, r->line, what, STR_ARG(detail));
    for (size_t i = 0; r->world && i < world_xmpp_count(r->world); i++)
        fprintf(stderr, "    seen: %s\n", world_xmpp_at(r->world, i));
    for (size_t i = 0; r->world && i < broker_count(world_broker()); i++)
        fprintf(stderr, "    seen: %s\n", broker_at(world_broker(), i));
}

// What was seen is something else after a fault, but for what is compared at the end.
static void miss(struct run *r, const char *what, struct str detail)
{
    if (!r->script->fault)
        fail(r, what, detail);
}

/* Words */

static void xmpp_say(struct run *r, struct str rest)
{
    world_xmpp_send(r->world, rest);
}

static void note_session(struct run *r, struct str stanza)
{
    ptrdiff_t at = str_find_str(stanza, STR("sessionid='"));
    struct str rest;
    if (at >= 0 && str_cut(str_sub(stanza, (size_t)at + 11, stanza.n), '\'', &r->session, &rest))
        r->session = arena_dup(&r->arena, r->session);
}

static void xmpp_expect(struct run *r, struct str rest)
{
    char *stanza = world_xmpp_take(r->world, arena_cstr(&r->arena, rest));
    if (stanza)
        note_session(r, str_c(stanza));
    else
        miss(r, "not seen", rest);
    mem_free(stanza);
}

static bool publish_flag(struct mqtt_message *m, struct str word)
{
    m->retain = m->retain || str_eq_c(word, "retain");
    m->qos = str_eq_c(word, "qos1") ? 1 : m->qos;
    return str_eq_c(word, "retain") || str_eq_c(word, "qos1");
}

static void mqtt_say(struct run *r, struct str rest)
{
    struct mqtt_message m = {.qos = 0};
    struct str word;
    while (str_word(&rest, &word) && publish_flag(&m, word))
        continue;
    m.topic = word;
    m.payload = str_trim(rest);
    broker_publish(world_broker(), &m);
    world_settle(r->world);
}

static void mqtt_expect(struct run *r, struct str rest)
{
    if (!broker_take(world_broker(), arena_cstr(&r->arena, rest)))
        miss(r, "not published", rest);
}

static void answer(struct run *r, struct str rest)
{
    if (!broker_answer(world_broker(), rest))
        miss(r, "nowhere to answer to", rest);
    world_settle(r->world);
}

static void ignore_seen(struct run *r, struct str rest)
{
    (void)rest;
    world_xmpp_forget(r->world);
    broker_forget(world_broker());
}

static void expect_nothing(struct run *r, struct str rest)
{
    (void)rest;
    if (!world_xmpp_count(r->world) && !broker_count(world_broker()))
        return;
    miss(r, "more was seen than expected", STR("nothing"));
    ignore_seen(r, rest);
}

static void set_xmpp(struct run *r, struct str rest)
{
    struct str how;
    str_word(&rest, &how);
    if (str_eq_c(how, "cut"))
        world_xmpp_cut(r->world, str_trim(rest));
    else
        world_xmpp_accept(r->world, str_trim(rest), str_eq_c(how, "up"));
}

static void set_mqtt(struct run *r, struct str rest)
{
    if (str_eq_c(rest, "mute") || str_eq_c(rest, "confirm"))
        broker_confirm(world_broker(), str_eq_c(rest, "confirm"));
    else
        broker_up(world_broker(), str_eq_c(rest, "up"));
    world_settle(r->world);
}

static void set_commits(struct run *r, struct str rest)
{
    world_hold_commits(r->world, str_eq_c(rest, "hold"));
}

static void expect_held(struct run *r, struct str rest)
{
    uint64_t n = 0;
    size_t held = broker_unacked(world_broker());
    if (!str_to_u64(rest, &n) || held != n)
        miss(r, "messages held back", arena_printf(&r->arena, "%zu", held));
}

static void pass_time(struct run *r, struct str rest)
{
    int64_t ms = 0;
    if (!clock_parse_span(rest, &ms))
        fail(r, "no time", rest);
    world_pass(r->world, ms);
}

static bool matches(struct run *r, struct str pattern, struct str text)
{
    return canon_match(arena_cstr(&r->arena, pattern), arena_cstr(&r->arena, str_trim(text)));
}

static void operate(struct run *r, struct str rest)
{
    struct str line = rest, pattern = STR("*");
    ptrdiff_t split = str_find_str(rest, STR(" = "));
    if (split >= 0) {
        line = str_sub(rest, 0, (size_t)split);
        pattern = str_sub(rest, (size_t)split + 3, rest.n);
    }
    struct strbuf out;
    strbuf_init(&out, ANSWER_MAX);
    world_operate(r->world, arena_cstr(&r->arena, line), &out);
    if (!matches(r, pattern, strbuf_view(&out)))
        miss(r, "answered otherwise", strbuf_view(&out));
    strbuf_finish(&out);
}

static void restart(struct run *r, struct str rest)
{
    (void)rest;
    world_restart(r->world);
}

static void shut_down(struct run *r, struct str rest)
{
    (void)rest;
    world_shutdown(r->world);
    r->out.ended = true;
    if (!world_done(r->world))
        fail(r, "the bridge did not end", STR("shutdown"));
}

static void expect_roster(struct run *r, struct str rest)
{
    struct strbuf out;
    if (r->script->fault)
        return;
    strbuf_init(&out, ANSWER_MAX);
    world_roster(r->world, true, &out);
    bool none = str_starts(rest, STR("none "));
    struct str line = none ? arena_printf(&r->arena, STR_FMT " ", STR_ARG(str_sub(rest, 5, rest.n)))
                           : arena_printf(&r->arena, STR_FMT "\n", STR_ARG(rest));
    if ((str_find_str(strbuf_view(&out), line) < 0) != none)
        miss(r, "the clients show", strbuf_view(&out));
    strbuf_finish(&out);
}

// The lines up to `end`, NUL-terminated in the arena.
static const char *take_block(struct run *r)
{
    struct str line = STR_NONE, rest = r->rest;
    const char *from = rest.p;
    while (rest.n && !str_eq_c(line, "end")) {
        str_cut(rest, '\n', &line, &rest);
        r->line++;
    }
    size_t n = (size_t)(line.p - from);
    r->rest = rest;
    return arena_cstr(&r->arena, (struct str){from, n});
}

static void reload(struct run *r, struct str rest)
{
    bool refused = str_starts(rest, STR("refused"));
    struct str pattern = refused ? str_trim(str_sub(rest, 7, rest.n)) : STR("*");
    struct strbuf out;
    strbuf_init(&out, ANSWER_MAX);
    if (world_reload(r->world, take_block(r), &out) == refused || !matches(r, pattern, strbuf_view(&out)))
        fail(r, "reloaded otherwise", strbuf_view(&out));
    strbuf_finish(&out);
}

static void repeat(struct run *r, struct str rest);

static const struct word {
    const char *name;
    void (*run)(struct run *r, struct str rest);
    bool step; // a fault may strike here
} words[] = {
    {"xmpp>", xmpp_say, true},       {"xmpp<", xmpp_expect, false},    {"mqtt>", mqtt_say, true},
    {"mqtt<", mqtt_expect, false},   {"answer", answer, true},         {"nothing", expect_nothing, false},
    {"ignore", ignore_seen, false},  {"xmpp", set_xmpp, true},         {"mqtt", set_mqtt, true},
    {"commits", set_commits, false}, {"held", expect_held, false},     {"time", pass_time, true},
    {"ctl", operate, true},          {"reload", reload, true},         {"restart", restart, true},
    {"shutdown", shut_down, true},   {"roster", expect_roster, false}, {"repeat", repeat, true},
};

static const struct word *find_word(struct str name)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (str_eq_c(name, words[i].name))
            return &words[i];
    }
    return NULL;
}

// The line with `with` for each `what`.
static struct str filled(struct run *r, struct str line, struct str what, struct str with)
{
    struct strbuf out;
    strbuf_init(&out, 1 << 16);
    for (ptrdiff_t at; (at = str_find_str(line, what)) >= 0; line = str_sub(line, (size_t)at + what.n, line.n)) {
        strbuf_str(&out, str_sub(line, 0, (size_t)at));
        strbuf_str(&out, with);
    }
    strbuf_str(&out, line);
    struct str result = arena_dup(&r->arena, strbuf_view(&out));
    strbuf_finish(&out);
    return result;
}

static void repeat(struct run *r, struct str rest)
{
    struct str count, name;
    uint64_t n = 0;
    str_word(&rest, &count);
    if (!str_to_u64(count, &n))
        fail(r, "not a number", count);
    str_word(&rest, &name);
    const struct word *w = find_word(name);
    if (!w)
        fail(r, "unknown word", name);
    if (w && !w->step && r->script->fault)
        return; // what is expected is not compared
    for (uint64_t i = 1; w && i <= n; i++)
        w->run(r, filled(r, str_trim(rest), STR("{n}"), arena_printf(&r->arena, "%u", (unsigned)i)));
}

/* Running */

static bool is_durable(const struct word *w, struct str rest)
{
    return w->run == mqtt_say && str_find_str(str_sub(rest, 0, 12), STR("qos1 ")) >= 0;
}

static bool is_step(const struct word *w, struct str rest)
{
    struct str count, name;
    if (w->run != repeat)
        return w->step;
    w = str_word(&rest, &count) && str_word(&rest, &name) ? find_word(name) : NULL;
    return w && w->step;
}

static bool strikes(struct run *r, const struct word *w, struct str rest)
{
    const struct fault *f = r->script->fault;
    if (r->out.ended || !is_step(w, rest) || r->out.steps++ != r->script->at || !f)
        return false;
    return !(f->flags & FAULT_DURABLE) || is_durable(w, rest);
}

static void step(struct run *r, const struct word *w, struct str rest)
{
    const struct fault *f = r->script->fault;
    if (!strikes(r, w, rest)) {
        w->run(r, rest);
        return;
    }
    r->out.struck = true;
    f->before(r->world);
    w->run(r, rest);
    r->out.untold = r->out.ended && (f->flags & FAULT_LOSSY);
    if (f->after && !r->out.ended)
        f->after(r->world);
    if (f->flags & FAULT_LOSSY)
        world_excuse(r->world);
}

static void run_line(struct run *r, struct str line)
{
    struct str name;
    if (!str_word(&line, &name) || name.p[0] == '#')
        return;
    const struct word *w = find_word(name);
    if (str_eq_c(name, "config") && !r->world)
        r->world = world_create(take_block(r), r->script->path, r->script->record);
    else if (w && r->world)
        step(r, w, filled(r, str_trim(line), STR("{session}"), r->session));
    else
        fail(r, "unknown word, or no config before it", name);
    if (!r->world)
        r->out.good = false;
}

// All works again for two minutes; then what the clients show counts, and that all have their answers.
static void conclude(struct run *r, struct strbuf *shown)
{
    struct strbuf wrong;
    strbuf_init(&wrong, ANSWER_MAX);
    if (!r->out.ended)
        world_heal(r->world);
    if (!r->out.ended && r->out.struck && (r->script->fault->flags & FAULT_LOSSY))
        world_log_in(r->world);
    world_roster(r->world, false, shown);
    if (!world_satisfied(r->world, &wrong))
        fail(r, "questions and answers", strbuf_view(&wrong));
    strbuf_finish(&wrong);
}

struct outcome script_run(const struct script *s, struct strbuf *shown)
{
    struct run r = {.script = s, .rest = s->text, .out.good = true};
    arena_init(&r.arena, 65536);
    while (r.rest.n && (r.world || r.out.good)) {
        struct str line;
        str_cut(r.rest, '\n', &line, &r.rest);
        r.line++;
        run_line(&r, str_trim(line));
    }
    if (r.world)
        conclude(&r, shown);
    world_destroy(r.world);
    arena_finish(&r.arena);
    return r.out;
}
