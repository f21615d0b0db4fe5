/* A gateway between text and a small world: XML in, XML and events out.
 *
 * The domain is bridge.example. alice@example.org may do everything, bob@example.org all but command, root@example.org
 * is admin, and anybody else sees nothing. Of the identities lamp and lounge are seen by the first two, secret by root.
 *
 * lamp is a guest in the rooms den@rooms.example, where it listens, and quiet@rooms.example, where it does not; whoever
 * is in them sees it. */
#ifndef SPANDREL_TESTS_GATEWAY_HARNESS_H
#define SPANDREL_TESTS_GATEWAY_HARNESS_H

#include "lib/xml_canon.h"
#include "xmpp/gateway.h"

#include <stdio.h>

enum { HARNESS_EVENTS = 64 };

struct harness {
    struct gateway *g;
    struct xml_reader *reader;
    struct arena arena; // of the stanza
    struct arena kept;  // of the events
    struct strbuf out, canon;
    const struct event *events[HARNESS_EVENTS];
    size_t event_count; // may be larger than what was kept
    bool registered;    // all users
    uint32_t many;      // so many more contacts: dev1, dev2, ...; every third is hidden
    size_t gateway_types;
    bool occupant;
    bool answering;              // commands and registrations are answered at once
    size_t finds, nexts, guests; // calls of the host
    struct str name;             // of those contacts
    struct log_ctx log;
};

enum { HARNESS_ALL = RIGHT_SEE | RIGHT_READ | RIGHT_SEND | RIGHT_COMMAND | RIGHT_REGISTER };

#define HARNESS_WALL INT64_C(1795000000000) // 2026-11-18T10:26:40Z
#define HARNESS_STARTED (HARNESS_WALL - 3600000)

static unsigned harness_user_rights(const struct jid *user)
{
    if (str_eq_c(user->domain, "example.org") && str_eq_c(user->local, "alice"))
        return HARNESS_ALL;
    if (str_eq_c(user->domain, "example.org") && str_eq_c(user->local, "bob"))
        return RIGHT_SEE | RIGHT_READ | RIGHT_SEND;
    if (str_eq_c(user->domain, "example.org") && str_eq_c(user->local, "root"))
        return HARNESS_ALL | RIGHT_ADMIN;
    return str_eq_c(user->domain, "rooms.example") ? RIGHT_SEE : 0;
}

static const struct identity_view harness_identities[] = {
    {.handle = 1,
     .kind = IDENTITY_CONTACT,
     .local = {"lamp", 4},
     .domain = {"bridge.example", 14},
     .key = {"lamp", 4},
     .name = {"Kitchen <lamp>", 14},
     .cls = {"light", 5},
     .group = {"Kitchen", 7},
     .resource = {"home", 4},
     .show = SHOW_ONLINE,
     .changed = HARNESS_WALL - 90500,
     .since = HARNESS_WALL - 1000000000},
    {.handle = 2,
     .kind = IDENTITY_ROOM,
     .local = {"lounge", 6},
     .domain = {"bridge.example", 14},
     .key = {"lounge", 6},
     .name = {"Lounge", 6},
     .since = HARNESS_WALL - 5000},
    {.handle = 3,
     .kind = IDENTITY_CONTACT,
     .local = {"secret", 6},
     .domain = {"bridge.example", 14},
     .key = {"secret", 6},
     .name = {"Secret", 6},
     .since = HARNESS_WALL - 5000},
};

enum { HARNESS_IDENTITIES = sizeof harness_identities / sizeof *harness_identities };

static bool harness_sees(const struct jid *user, const struct identity_view *id)
{
    unsigned rights = harness_user_rights(user);
    return id->handle == 3 ? rights & RIGHT_ADMIN : rights & RIGHT_SEE;
}

static enum err harness_find(void *ud, const struct jid *user, const struct jid *to, struct identity_view *out)
{
    struct harness *h = ud;
    h->finds++;
    for (size_t i = 0; i < HARNESS_IDENTITIES; i++) {
        if (str_eq(harness_identities[i].local, to->local) && harness_sees(user, &harness_identities[i])) {
            *out = harness_identities[i];
            out->rights = harness_user_rights(user);
            return ERR_OK;
        }
    }
    return ERR_NOTFOUND;
}

static bool harness_next(void *ud, uint16_t component, const struct jid *user, uint32_t *at, struct identity_view *out)
{
    struct harness *h = ud;
    static char local[16];
    (void)component;
    h->nexts++;
    for (; *at < HARNESS_IDENTITIES; (*at)++) {
        if (harness_sees(user, &harness_identities[*at])) {
            *out = harness_identities[(*at)++];
            return true;
        }
    }
    while (*at < HARNESS_IDENTITIES + h->many) {
        uint32_t number = *at - HARNESS_IDENTITIES + 1;
        (*at)++;
        if (number % 3 == 0)
            continue;
        int n = snprintf(local, sizeof local, "dev%u", number);
        *out = (struct identity_view){.local = {local, (size_t)n}, .domain = STR("bridge.example"), .name = h->name};
        return true;
    }
    return false;
}

static unsigned harness_rights(void *ud, uint16_t component, const struct jid *user)
{
    (void)ud;
    (void)component;
    return harness_user_rights(user);
}

static bool harness_registered(void *ud, uint16_t component, const struct jid *user)
{
    (void)component;
    (void)user;
    return ((struct harness *)ud)->registered;
}

static enum err harness_describe(void *ud, const struct identity_view *id, struct description *out)
{
    (void)ud;
    if (!str_eq_c(id->key, "lamp"))
        return ERR_UNAVAILABLE;
    *out = (struct description){.name = STR("Lamp"),
                                .model = STR("L-1"),
                                .manufacturer = STR("Acme & Sons"),
                                .version = STR("2.0"),
                                .url = STR("http://lamp.example/"),
                                .note = STR("Above the table"),
                                .area = STR("Kitchen")};
    return ERR_OK;
}

static const struct str harness_choices[] = {{"red", 3}, {"green", 5}};
static const struct field harness_fields[] = {
    {.name = {"hint", 4}, .label = {"What to do", 10}, .type = FIELD_FIXED},
    {.name = {"on", 2}, .label = {"On", 2}, .value = {"true", 4}, .type = FIELD_BOOL, .required = true},
    {.name = {"level", 5},
     .label = {"Level", 5},
     .value = {"7", 1},
     .type = FIELD_NUMBER,
     .min = 0,
     .max = 10,
     .step = 1},
    {.name = {"offset", 6}, .type = FIELD_NUMBER, .min = 1, .max = 0},
    {.name = {"colour", 6}, .value = {"red", 3}, .type = FIELD_CHOICE, .choices = harness_choices, .choice_count = 2},
    {.name = {"modes", 5}, .value = {"red", 3}, .type = FIELD_MULTI, .choices = harness_choices, .choice_count = 2},
    {.name = {"note", 4}, .label = {"Note", 4}, .value = {"a\nb", 3}, .type = FIELD_MULTI},
    {.name = {"title", 5}, .label = {"Title", 5}, .type = FIELD_TEXT},
};
static const struct command harness_lamp_commands[] = {
    {.node = {"set", 3},
     .title = {"Set", 3},
     .right = RIGHT_COMMAND,
     .fields = harness_fields,
     .field_count = sizeof harness_fields / sizeof *harness_fields},
    {.node = {"status", 6}, .title = {"Status", 6}, .right = RIGHT_SEND},
};
static const struct command harness_own_commands[] = {
    {.node = {"list", 4}, .title = {"List", 4}},
    {.node = {"grant", 5}, .title = {"Grant", 5}, .right = RIGHT_ADMIN},
};

static size_t harness_commands(void *ud, uint16_t component, const struct jid *user, const struct identity_view *id,
                               const struct command **out)
{
    (void)ud;
    (void)component;
    if (id) {
        *out = harness_lamp_commands;
        return str_eq_c(id->key, "lamp") ? 2 : 0;
    }
    *out = harness_own_commands;
    return harness_user_rights(user) & RIGHT_ADMIN ? 2 : 1;
}

static struct str harness_prompt(void *ud, uint16_t component)
{
    (void)ud;
    (void)component;
    return STR("Name of the device");
}

static enum err harness_resolve(void *ud, uint16_t component, const struct jid *user, struct str typed, struct arena *a,
                                struct jid *out)
{
    (void)ud;
    (void)component;
    if (!str_case_eq(typed, STR("kitchen lamp")) || !harness_sees(user, &harness_identities[0]))
        return ERR_NOTFOUND;
    return jid_make(a, STR("lamp"), STR("bridge.example"), STR_NONE, out);
}

static const struct avatar *harness_avatar(void *ud, struct str cls)
{
    static const struct avatar light = {{"image/svg+xml", 13}, {"<svg/>", 6}, {"5f1d", 4}};
    static const struct avatar other = {{"image/svg+xml", 13}, {"<svg></svg>", 11}, {"77aa", 4}};
    (void)ud;
    return str_eq_c(cls, "light") ? &light : &other;
}

static bool harness_gateway_type(void *ud, uint16_t component, size_t at, struct str *type)
{
    static const char *const types[] = {"mqtt", "irc", "mqtt", "http"};
    (void)component;
    if (at >= ((struct harness *)ud)->gateway_types)
        return false;
    *type = str_c(types[at % 4]);
    return true;
}

static bool harness_occupant(void *ud, const struct jid *user, const struct jid *room)
{
    (void)user;
    return ((struct harness *)ud)->occupant && str_eq_c(room->resource, "me");
}

static enum guest_ear harness_guest(void *ud, const struct jid *to, const struct jid *from)
{
    ((struct harness *)ud)->guests++;
    if (!str_eq_c(to->local, "lamp") || !str_eq_c(from->domain, "rooms.example"))
        return GUEST_NONE;
    if (str_eq_c(from->local, "den"))
        return GUEST_LISTENS;
    return str_eq_c(from->local, "quiet") ? GUEST_SILENT : GUEST_NONE;
}

static bool harness_is_request(const struct event *ev)
{
    return ev->kind == EV_COMMAND || ev->kind == EV_REGISTER || ev->kind == EV_UNREGISTER;
}

static void harness_event(void *ud, const struct event *ev)
{
    struct harness *h = ud;
    if (h->event_count < HARNESS_EVENTS)
        h->events[h->event_count] = event_copy(&h->kept, ev);
    h->event_count++;
    if (!h->answering || !harness_is_request(ev))
        return;
    struct event answer = *ev;
    answer.kind = EV_RESULT;
    answer.about = ev->kind;
    answer.body = STR("done");
    if (gateway_send(h->g, &answer, &h->arena, &h->out))
        h->event_count = SIZE_MAX; // seen by every test
}

static const struct gateway_host harness_host = {
    .event = harness_event,
    .find = harness_find,
    .next = harness_next,
    .rights = harness_rights,
    .registered = harness_registered,
    .describe = harness_describe,
    .commands = harness_commands,
    .prompt = harness_prompt,
    .resolve = harness_resolve,
    .avatar = harness_avatar,
    .gateway_type = harness_gateway_type,
    .occupant = harness_occupant,
    .guest = harness_guest,
};

static void harness_stanza(void *ud, const struct xml_node *stanza)
{
    struct harness *h = ud;
    gateway_stanza(h->g, stanza, &h->arena, &h->out, 1000, HARNESS_WALL);
    arena_reset(&h->arena);
}

static void harness_oversize(void *ud, const struct xml_node *head)
{
    struct harness *h = ud;
    gateway_oversize(h->g, head, &h->arena, &h->out);
    arena_reset(&h->arena);
}

static void harness_open_reader(struct harness *h)
{
    static const struct xml_reader_events events = {canon_ignore_node, harness_stanza, harness_oversize, canon_ignore};
    xml_reader_destroy(h->reader);
    h->reader = xml_reader_create(&(struct xml_limits){0}, &events, h);
    enum err e = xml_reader_feed(h->reader, STR(CANON_HEADER), NULL);
    if (e)
        h->event_count = SIZE_MAX;
}

static void harness_create_gateway(struct harness *h, int64_t started, uint64_t seed)
{
    gateway_destroy(h->g);
    h->g = gateway_create(&(struct gateway_config){.domain = STR("bridge.example"),
                                                   .name = STR("The <bridge>"),
                                                   .component = 7,
                                                   .seed = seed,
                                                   .started = started},
                          &harness_host, h, &h->log);
}

static CANON_UNUSED void harness_init(struct harness *h)
{
    *h = (struct harness){.gateway_types = 3, .name = STR("Device"), .log = {.sub = LOG_SUB_xmpp}};
    log_set_level(LOG_ERROR);
    arena_init(&h->arena, 0);
    arena_init(&h->kept, 0);
    strbuf_init(&h->out, 1 << 20);
    strbuf_init(&h->canon, 1 << 20);
    harness_open_reader(h);
    harness_create_gateway(h, HARNESS_STARTED, 1);
}

static CANON_UNUSED void harness_finish(struct harness *h)
{
    gateway_destroy(h->g);
    xml_reader_destroy(h->reader);
    arena_finish(&h->arena);
    arena_finish(&h->kept);
    strbuf_finish(&h->out);
    strbuf_finish(&h->canon);
}

static CANON_UNUSED void harness_clear(struct harness *h)
{
    strbuf_clear(&h->out);
    strbuf_clear(&h->canon);
    arena_reset(&h->kept);
    h->event_count = 0;
}

// What the gateway wrote, in one form; NULL when our own reader would not take it. Until the next call.
static CANON_UNUSED const char *harness_output(struct harness *h)
{
    strbuf_clear(&h->canon);
    bool ok = canon_text(strbuf_view(&h->out), &h->canon);
    return ok ? (h->canon.p ? h->canon.p : "") : NULL;
}

// Feeds the stanzas in `text`; false when they are no XML, and the reader is a new one then.
static CANON_UNUSED bool harness_feed(struct harness *h, struct str text)
{
    harness_clear(h);
    if (!xml_reader_feed(h->reader, text, NULL))
        return true;
    harness_open_reader(h);
    return false;
}

// What the gateway answers to the stanzas in `text`.
static CANON_UNUSED const char *harness_ask(struct harness *h, const char *text)
{
    return harness_feed(h, str_c(text)) ? harness_output(h) : NULL;
}

static CANON_UNUSED const char *harness_send(struct harness *h, const struct event *ev)
{
    harness_clear(h);
    enum err e = gateway_send(h->g, ev, &h->arena, &h->out);
    const char *text = e ? err_name(e) : harness_output(h);
    arena_reset(&h->arena);
    return text;
}

static CANON_UNUSED struct jid harness_jid(struct harness *h, const char *text)
{
    struct jid j = {0};
    if (jid_parse(&h->kept, str_c(text), &j))
        h->event_count = SIZE_MAX;
    return j;
}

#ifdef assert_string_equal // with cmocka: compares in one form, and shows both when they differ
static CANON_UNUSED void harness_assert_match(const char *got, const char *expected)
{
    struct strbuf b;
    strbuf_init(&b, 1 << 20);
    assert_non_null(got);
    assert_true(canon_text(str_c(expected), &b));
    if (!canon_match(b.p ? b.p : "", got))
        assert_string_equal(got, b.p ? b.p : "");
    strbuf_finish(&b);
}
#endif

#endif
