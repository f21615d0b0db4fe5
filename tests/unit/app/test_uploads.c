// Files on their way to users, with a pretended XMPP server and a pretended web.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/uploads_private.h"
#include "base/mem.h"
#include "lib/xml_canon.h"

#include <stdio.h>

enum { ASKED = 64, PUTS = 16, DONE = 128, NOTICES = 16 };

#define WALL INT64_C(1795000000000)
#define STANZAS "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'"
#define UP "urn:xmpp:http:upload:0"

struct asked { // a request, until it is answered or taken back
    struct gateway_request r;
    char to[64], payload[512];
    bool open;
};

struct put {
    http_done *done;
    void *ud;
    char url[256], headers[512], method[8];
    struct str body;
    int64_t total;
    bool open, cancelled, ca;
};

struct rig {
    struct uploads *u;
    struct xml_reader *reader;
    struct arena kept;
    struct log_ctx log;
    int64_t now;
    struct asked asked[ASKED];
    size_t ask_count;
    struct put puts[PUTS];
    size_t put_count;
    const struct event *done[DONE];
    size_t done_count;
    char notices[NOTICES][1024];
    size_t notice_count;
    enum err ask_err, send_err;
    const struct asked *answering;
    enum err answer_err;
    const char *answer_text;
};

static int64_t rig_now(void *ud)
{
    return ((struct rig *)ud)->now;
}

static int64_t rig_wall(void *ud)
{
    return WALL + ((struct rig *)ud)->now;
}

static enum err rig_ask(void *ud, const struct gateway_request *r)
{
    struct rig *t = ud;
    struct strbuf b;
    struct xml_writer w;
    if (t->ask_err)
        return t->ask_err;
    assert_true(t->ask_count < ASKED);
    struct asked *a = &t->asked[t->ask_count++];
    *a = (struct asked){.r = *r, .open = true};
    (void)snprintf(a->to, sizeof a->to, STR_FMT, STR_ARG(r->to));
    strbuf_init(&b, 4096);
    xml_begin(&w, &b);
    r->payload(&w, r->ud);
    assert_int_equal(xml_end(&w), ERR_OK);
    (void)snprintf(a->payload, sizeof a->payload, STR_FMT, STR_ARG(strbuf_view(&b)));
    strbuf_finish(&b);
    assert_string_equal(r->type == NULL ? "" : "get", "get");
    return ERR_OK;
}

static void rig_unask(void *ud, const void *asker)
{
    struct rig *t = ud;
    for (size_t i = 0; i < t->ask_count; i++) {
        if (t->asked[i].r.ud == asker)
            t->asked[i].open = false;
    }
}

static enum err rig_send(void *ud, const struct http_request *r, http_done *done, void *done_ud, struct http_call **out,
                         struct errmsg *msg)
{
    struct rig *t = ud;
    if (t->send_err)
        return err_set(msg, t->send_err, "a URL that is none");
    assert_true(t->put_count < PUTS);
    struct put *p = &t->puts[t->put_count++];
    *p = (struct put){.done = done, .ud = done_ud, .body = r->body, .total = r->total_ms, .open = true};
    p->ca = r->ca_file != NULL;
    (void)snprintf(p->url, sizeof p->url, STR_FMT, STR_ARG(r->url));
    (void)snprintf(p->method, sizeof p->method, "%s", r->method);
    for (size_t i = 0; i < r->header_count; i++) {
        size_t n = strlen(p->headers);
        (void)snprintf(p->headers + n, sizeof p->headers - n, STR_FMT "=" STR_FMT ";", STR_ARG(r->headers[i].name),
                       STR_ARG(r->headers[i].value));
    }
    *out = (struct http_call *)(void *)p;
    return ERR_OK;
}

static void rig_cancel(void *ud, struct http_call *call)
{
    struct put *p = (struct put *)(void *)call;
    (void)ud;
    assert_true(p->open);
    p->open = false;
    p->cancelled = true;
}

static void rig_done(void *ud, const struct event *ev)
{
    struct rig *t = ud;
    assert_true(t->done_count < DONE);
    assert_int_equal(ev->blob.n, 0);
    assert_int_equal(ev->name.n, 0);
    t->done[t->done_count++] = event_copy(&t->kept, ev);
}

static void rig_notice(void *ud, struct str text)
{
    struct rig *t = ud;
    assert_true(t->notice_count < NOTICES);
    (void)snprintf(t->notices[t->notice_count++], sizeof t->notices[0], STR_FMT, STR_ARG(text));
}

static void rig_changed(void *ud)
{
    (void)ud;
}

static const struct uploads_host rig_host = {rig_now,    rig_wall, rig_ask,    rig_unask,  rig_send,
                                             rig_cancel, rig_done, rig_notice, rig_changed};

static const struct uploads_config rig_config = {
    .domain = {"bridge.example.org", 18}, .ca_file = "/ca.pem", .reuse = 3600000};

/* Answers of the server */

static void on_stanza(void *ud, const struct xml_node *iq)
{
    struct rig *t = ud;
    t->answering->r.answer(t->answering->r.ud, t->answer_err, str_c(t->answer_text), iq);
}

static void open_reader(struct rig *t)
{
    static const struct xml_reader_events events = {canon_ignore_node, on_stanza, canon_ignore_node, canon_ignore};
    t->reader = xml_reader_create(&(struct xml_limits){0}, &events, t);
    assert_int_equal(xml_reader_feed(t->reader, STR(CANON_HEADER), NULL), ERR_OK);
}

static void uploads_turn(struct rig *t)
{
    for (int i = 0; i < 3; i++)
        uploads_work(t->u);
}

static struct asked *last_open(struct rig *t, const char *to)
{
    for (size_t i = t->ask_count; i > 0; i--) {
        if (t->asked[i - 1].open && strcmp(t->asked[i - 1].to, to) == 0)
            return &t->asked[i - 1];
    }
    return NULL;
}

// Answers the request to `to` with this payload, as a result or as this error.
static void answer(struct rig *t, const char *to, enum err e, const char *payload)
{
    char text[8192];
    struct asked *a = last_open(t, to);
    assert_non_null(a);
    a->open = false;
    t->answering = a;
    t->answer_err = e;
    (void)snprintf(text, sizeof text, "<iq type='%s'>%s</iq>", e ? "error" : "result", payload);
    assert_int_equal(xml_reader_feed(t->reader, str_c(text), NULL), ERR_OK);
    uploads_turn(t);
}

// No answer came.
static void silence(struct rig *t, const char *to, enum err e)
{
    struct asked *a = last_open(t, to);
    assert_non_null(a);
    a->open = false;
    a->r.answer(a->r.ud, e, str_c(err_text(e)), NULL);
    uploads_turn(t);
}

#define ITEMS(items) "<query xmlns='http://jabber.org/protocol/disco#items'>" items "</query>"
#define INFO(rest) "<query xmlns='http://jabber.org/protocol/disco#info'>" rest "</query>"
#define OFFERS INFO("<feature var='" UP "'/>")
#define SLOT(n)                                                                                                        \
    "<slot xmlns='" UP "'><put url='https://up.example.org/p" n "'/><get url='https://up.example.org/g" n "'/></slot>"

static int setup(void **state)
{
    struct rig *t = MEM_NEW(struct rig);
    t->now = 1000;
    t->log = (struct log_ctx){.sub = LOG_SUB_app};
    log_set_level(LOG_ERROR);
    arena_init(&t->kept, 0);
    open_reader(t);
    t->u = uploads_create(&rig_config, &rig_host, t, &t->log);
    uploads_link(t->u, true);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct rig *t = *state;
    uploads_destroy(t->u);
    for (size_t i = 0; i < t->ask_count; i++)
        assert_false(t->asked[i].open); // who is no more hears nothing
    for (size_t i = 0; i < t->put_count; i++)
        assert_false(t->puts[i].open);
    xml_reader_destroy(t->reader);
    arena_finish(&t->kept);
    mem_free(t);
    return 0;
}

// A picture to the subscribers of `key`, or for the token of who asked.
static struct event picture(const char *key, struct str bytes, uint64_t token)
{
    struct event ev = {.kind = token ? EV_DELIVERED : EV_MESSAGE, .token = token, .blob = bytes};
    ev.key = str_c(key);
    ev.body = STR("snapshot");
    ev.media = STR("image/jpeg");
    ev.name = STR("snapshot.jpg");
    if (token)
        ev.user = (struct jid){STR("alice"), STR("example.org"), STR("phone")};
    return ev;
}

static void take(struct rig *t, const char *key, const char *bytes, uint64_t token)
{
    struct event ev = picture(key, str_c(bytes), token);
    uploads_take(t->u, &ev);
    uploads_turn(t);
}

// The service is known from then on.
static void find(struct rig *t)
{
    answer(t, "example.org", ERR_OK, ITEMS("<item jid='up.example.org'/>"));
    answer(t, "up.example.org", ERR_OK, OFFERS);
}

static void put_ends(struct rig *t, size_t n, int status)
{
    struct http_answer a = {.status = status};
    assert_true(n < t->put_count && t->puts[n].open);
    t->puts[n].open = false;
    t->puts[n].done(t->puts[n].ud, ERR_OK, "", &a);
    uploads_turn(t);
}

static void put_fails(struct rig *t, size_t n, enum err e, const char *why)
{
    assert_true(n < t->put_count && t->puts[n].open);
    t->puts[n].open = false;
    t->puts[n].done(t->puts[n].ud, e, why, NULL);
    uploads_turn(t);
}

// One file from begin to end.
static void upload(struct rig *t, const char *key, const char *bytes, uint64_t token)
{
    take(t, key, bytes, token);
    if (t->u->state != SERVICE_FOUND)
        find(t);
    answer(t, "up.example.org", ERR_OK, SLOT("1"));
    put_ends(t, t->put_count - 1, 201);
}

static bool told(const struct rig *t, size_t n, const char *text)
{
    assert_true(n < t->done_count);
    const struct event *ev = t->done[n];
    return ev->url.n == 0 && str_find_str(ev->body, str_c(text)) >= 0;
}

/* The way that all goes */

static void a_file_becomes_a_url(void **state)
{
    struct rig *t = *state;
    take(t, "cam", "the bytes", 7);
    assert_int_equal(t->ask_count, 1);
    assert_string_equal(t->asked[0].payload, "<query xmlns='http://jabber.org/protocol/disco#items'/>");
    find(t);
    assert_string_equal(t->asked[t->ask_count - 1].payload,
                        "<request xmlns='" UP "' filename='snapshot.jpg' size='9' content-type='image/jpeg'/>");
    answer(t, "up.example.org", ERR_OK,
           "<slot xmlns='" UP "'><put url='https://up.example.org/p'><header name='Authorization'>x</header></put>"
           "<get url='https://up.example.org/g'/></slot>");
    assert_int_equal(t->put_count, 1);
    assert_string_equal(t->puts[0].method, "PUT");
    assert_string_equal(t->puts[0].url, "https://up.example.org/p");
    assert_string_equal(t->puts[0].headers, "Content-Type=image/jpeg;Authorization=x;");
    assert_true(str_eq_c(t->puts[0].body, "the bytes"));
    assert_true(t->puts[0].ca);
    assert_int_equal(t->puts[0].total, UPLOADS_PUT_MS);
    assert_int_equal(t->done_count, 0);
    put_ends(t, 0, 201);
    assert_int_equal(t->done_count, 1);
    assert_int_equal(t->done[0]->kind, EV_DELIVERED);
    assert_int_equal(t->done[0]->token, 7);
    assert_true(str_eq_c(t->done[0]->url, "https://up.example.org/g"));
    assert_int_equal(uploads_deadline(t->u), INT64_MAX);
    assert_int_equal(t->notice_count, 0);
}

static void same_bytes_use_the_same_url(void **state)
{
    struct rig *t = *state;
    upload(t, "cam", "a", 1);
    take(t, "other", "a", 0);
    assert_int_equal(t->done_count, 2);
    assert_true(str_eq_c(t->done[1]->url, "https://up.example.org/g1"));
    assert_int_equal(t->put_count, 1);
    t->now += 3599999;
    take(t, "cam", "a", 2);
    assert_int_equal(t->done_count, 3);
    t->now += 1;
    take(t, "cam", "a", 3); // no longer
    assert_int_equal(t->done_count, 3);
    answer(t, "up.example.org", ERR_OK, SLOT("2"));
    put_ends(t, 1, 200);
    assert_true(str_eq_c(t->done[3]->url, "https://up.example.org/g2"));
}

static void the_same_bytes_of_another_type_are_another_file(void **state)
{
    struct rig *t = *state;
    upload(t, "cam", "a", 1);
    struct event ev = picture("cam", STR("a"), 2);
    ev.media = STR("image/png");
    uploads_take(t->u, &ev);
    uploads_turn(t);
    assert_int_equal(t->done_count, 1);
}

static void who_asks_meanwhile_waits_for_the_same(void **state)
{
    struct rig *t = *state;
    take(t, "cam", "a", 1);
    take(t, "cam", "a", 2);
    take(t, "cam", "a", 0);
    find(t);
    answer(t, "up.example.org", ERR_OK, SLOT("1"));
    assert_int_equal(t->put_count, 1);
    put_ends(t, 0, 201);
    assert_int_equal(t->done_count, 3);
    struct uploads_stat s;
    uploads_stat(t->u, &s);
    assert_int_equal(s.sent, 1);
    assert_int_equal(s.waiting, 0);
    assert_int_equal(s.bytes, 0);
}

static void so_many_at_once(void **state)
{
    struct rig *t = *state;
    take(t, "cam", "a", 0);
    find(t);
    take(t, "cam", "b", 0);
    take(t, "cam", "c", 0);
    size_t asked = t->ask_count;
    answer(t, "up.example.org", ERR_OK, SLOT("2"));
    assert_int_equal(t->ask_count, asked); // the third waits
    put_ends(t, 0, 201);
    assert_int_equal(t->ask_count, asked + 1);
}

static void names_are_made_fit(void **state)
{
    struct rig *t = *state;
    static const char *const cases[][2] = {
        {"a b/c\"<>.jpg", "a-b-c---.jpg"}, {"..", "-."}, {"", "file"}, {"Tür.png", "T--r.png"}};
    take(t, "cam", "x", 0);
    find(t);
    answer(t, "up.example.org", ERR_OK, SLOT("1"));
    put_ends(t, 0, 201);
    for (size_t i = 0; i < 4; i++) {
        char bytes[8], want[64];
        (void)snprintf(bytes, sizeof bytes, "%zu", i);
        struct event ev = picture("cam", str_c(bytes), 0);
        ev.name = str_c(cases[i][0]);
        ev.media = i ? STR("image/jpeg") : STR("not a type\n");
        uploads_take(t->u, &ev);
        uploads_turn(t);
        (void)snprintf(want, sizeof want, "filename='%s'", cases[i][1]);
        assert_non_null(strstr(t->asked[t->ask_count - 1].payload, want));
        assert_true(i || strstr(t->asked[t->ask_count - 1].payload, "content-type='application/octet-stream'"));
        answer(t, "up.example.org", ERR_OK, SLOT("1"));
        put_ends(t, t->put_count - 1, 201);
    }
}

/* Finding the service */

static void the_first_that_offers_is_it(void **state)
{
    struct rig *t = *state;
    take(t, "cam", "a", 1);
    answer(t, "example.org", ERR_OK,
           ITEMS("<item jid='rooms.example.org'/><item jid='bridge.example.org'/><item jid='up.example.org'/>"
                 "<item jid='rooms.example.org'/>"));
    assert_int_equal(t->ask_count, 4); // not ourselves, and none twice
    silence(t, "example.org", ERR_TIMEOUT);
    answer(t, "rooms.example.org", ERR_OK, INFO("<feature var='http://jabber.org/protocol/muc'/>"));
    answer(t, "up.example.org", ERR_OK, OFFERS);
    assert_non_null(last_open(t, "up.example.org"));
    assert_string_equal(t->u->service, "up.example.org");
}

static void the_domain_itself_may_offer_it(void **state)
{
    struct rig *t = *state;
    take(t, "cam", "a", 1);
    answer(t, "example.org", ERR_NOTFOUND, "<error type='cancel'/>");
    answer(t, "example.org", ERR_OK, OFFERS);
    assert_string_equal(t->u->service, "example.org");
}

static void none_offers(void **state)
{
    struct rig *t = *state;
    take(t, "cam", "a", 1);
    take(t, "cam", "b", 0);
    answer(t, "example.org", ERR_OK, ITEMS(""));
    answer(t, "example.org", ERR_OK, INFO(""));
    assert_int_equal(t->done_count, 2);
    assert_true(told(t, 0, "snapshot: the picture cannot be shown: the server has no upload service"));
    assert_int_equal(t->notice_count, 1);
    assert_non_null(strstr(t->notices[0], "mod_http_file_share"));
    size_t asked = t->ask_count;
    take(t, "cam", "c", 2); // at once, and without asking
    assert_int_equal(t->done_count, 3);
    assert_int_equal(t->ask_count, asked);
    assert_int_equal(t->notice_count, 1);
    t->now += UPLOADS_FIND_MS;
    take(t, "cam", "d", 3);
    assert_int_equal(t->ask_count, asked + 1); // it is looked for again
    find(t);
    answer(t, "up.example.org", ERR_OK, SLOT("1"));
    put_ends(t, 0, 201);
    assert_int_equal(t->done_count, 4);
}

static void a_named_service_is_asked_alone(void **state)
{
    struct rig *t = *state;
    struct uploads_config cfg = rig_config;
    cfg.service = STR("files.example.net");
    uploads_configure(t->u, &cfg);
    take(t, "cam", "a", 1);
    assert_int_equal(t->ask_count, 1);
    answer(t, "files.example.net", ERR_NOTFOUND, "<error type='cancel'/>");
    assert_int_equal(t->done_count, 1);
    assert_non_null(strstr(t->notices[0], "files.example.net does not offer uploads"));
    uploads_configure(t->u, &rig_config); // and is forgotten with the configuration
    take(t, "cam", "b", 2);
    find(t);
    assert_int_equal(t->done_count, 1);
}

static void a_link_that_comes_back_begins_anew(void **state)
{
    struct rig *t = *state;
    upload(t, "cam", "a", 1);
    take(t, "cam", "b", 2);
    answer(t, "up.example.org", ERR_OK, SLOT("2"));
    take(t, "cam", "c", 0);
    silence(t, "up.example.org", ERR_OFFLINE);
    uploads_link(t->u, false);
    uploads_turn(t);
    assert_int_equal(t->done_count, 2); // who subscribes is behind that link
    assert_true(told(t, 1, "the link to the XMPP server is down"));
    assert_true(t->puts[1].cancelled);
    assert_int_equal(t->notice_count, 0); // which is told as such
    uploads_link(t->u, true);
    take(t, "cam", "c", 3);
    assert_non_null(last_open(t, "example.org"));
}

static void nothing_can_be_asked(void **state)
{
    struct rig *t = *state;
    t->ask_err = ERR_AGAIN;
    take(t, "cam", "a", 1);
    assert_true(told(t, 0, "no upload service"));
    t->ask_err = ERR_OK;
    t->now += UPLOADS_FIND_MS;
    take(t, "cam", "b", 2);
    answer(t, "example.org", ERR_OK, ITEMS("<item jid='up.example.org'/>"));
    t->ask_err = ERR_AGAIN;
    answer(t, "up.example.org", ERR_OK, OFFERS);
    assert_true(told(t, 1, "the bridge is busy"));
}

/* Refusals of a slot */

static void refused(struct rig *t, enum err e, const char *error)
{
    answer(t, "up.example.org", e, error);
}

static void forbidden_says_what_to_change(void **state)
{
    struct rig *t = *state;
    take(t, "cam", "a", 1);
    find(t);
    refused(t, ERR_FORBIDDEN, "<error type='auth'><forbidden " STANZAS "/></error>");
    assert_true(told(t, 0, "the server does not let this bridge upload files"));
    assert_int_equal(t->notice_count, 1);
    static const char *const parts[] = {"up.example.org does not let bridge.example.org upload",
                                        "acl: {spandrel: {server: bridge.example.org}}", "access: upload",
                                        "http_file_share_access", "docs/servers.md"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        assert_non_null(strstr(t->notices[0], parts[i]));
    take(t, "cam", "b", 2);
    refused(t, ERR_FORBIDDEN, "<error type='auth'><forbidden " STANZAS "/></error>");
    assert_int_equal(t->done_count, 2);
    assert_int_equal(t->notice_count, 1); // once an outage
    struct str status = uploads_status(t->u, &t->kept);
    assert_true(str_find_str(status, STR("0 sent, 0 used again, 2 failed")) >= 0);
    assert_true(str_find_str(status, STR("http_file_share_access")) >= 0);
    take(t, "cam", "c", 3);
    answer(t, "up.example.org", ERR_OK, SLOT("1"));
    put_ends(t, 0, 201);
    status = uploads_status(t->u, &t->kept);
    assert_true(str_find_str(status, STR("http_file_share_access")) < 0); // it is over
    take(t, "cam", "d", 4);
    refused(t, ERR_FORBIDDEN, "<error type='auth'><forbidden " STANZAS "/></error>");
    assert_int_equal(t->notice_count, 2); // the next one
}

static void too_large_is_learned(void **state)
{
    struct rig *t = *state;
    take(t, "cam", "twelve bytes", 1);
    find(t);
    refused(t, ERR_NOTACCEPTABLE,
            "<error type='modify'><not-acceptable " STANZAS "/><file-too-large xmlns='" UP
            "'><max-file-size>10</max-file-size></file-too-large></error>");
    assert_true(told(t, 0, "it has 0.0 kB, the server takes 0.0 kB"));
    size_t asked = t->ask_count;
    take(t, "cam", "eleven byte", 2);
    assert_int_equal(t->ask_count, asked); // it need not be asked
    assert_int_equal(t->done_count, 2);
    assert_int_equal(t->notice_count, 1);
    take(t, "cam", "ten bytes!", 3);
    assert_int_equal(t->ask_count, asked + 1);
}

static void a_service_that_says_what_it_takes(void **state)
{
    struct rig *t = *state;
    take(t, "cam", "twelve bytes", 1);
    answer(t, "example.org", ERR_OK, ITEMS("<item jid='up.example.org'/>"));
    answer(t, "up.example.org", ERR_OK,
           INFO("<feature var='" UP "'/><x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE'><value>" UP
                "</value></field><field var='max-file-size'><value>10</value></field></x>"));
    assert_true(told(t, 0, "the server takes"));
    assert_int_equal(t->ask_count, 3);
}

#define QUOTA(stamp)                                                                                                   \
    "<error type='wait'><resource-constraint " STANZAS "/><retry xmlns='" UP "' stamp='" stamp "'/></error>"

static void a_quota_is_waited_for(void **state)
{
    struct rig *t = *state;
    t->now = 0;
    uploads_link(t->u, true);
    take(t, "cam", "a", 1);
    find(t);
    refused(t, ERR_AGAIN, QUOTA("2026-11-18T11:06:50Z")); // 10 s later
    assert_int_equal(t->done_count, 0);
    assert_int_equal(uploads_deadline(t->u), 10000);
    size_t asked = t->ask_count;
    t->now = 9999;
    uploads_turn(t);
    assert_int_equal(t->ask_count, asked);
    t->now = 10000;
    uploads_turn(t);
    assert_int_equal(t->ask_count, asked + 1);
    answer(t, "up.example.org", ERR_OK, SLOT("1"));
    put_ends(t, 0, 201);
    assert_true(t->done[0]->url.n > 0);
}

static void a_quota_that_lasts(void **state)
{
    struct rig *t = *state;
    t->now = 0;
    uploads_link(t->u, true);
    take(t, "cam", "a", 1);
    find(t);
    refused(t, ERR_AGAIN, QUOTA("2026-11-18T12:06:40Z"));
    assert_true(told(t, 0, "the server takes no more files for now; try again in 1 h"));
    assert_non_null(strstr(t->notices[0], "its quota is used up"));
    take(t, "cam", "b", 2);
    refused(t, ERR_AGAIN, "<error type='wait'><resource-constraint " STANZAS "/></error>"); // it does not say when
    assert_true(told(t, 1, "try again in 1 min"));
}

static void a_service_that_is_gone_is_looked_for_anew(void **state)
{
    struct rig *t = *state;
    take(t, "cam", "a", 1);
    find(t);
    silence(t, "up.example.org", ERR_TIMEOUT);
    assert_true(told(t, 0, "the upload service refused it (timed out)"));
    take(t, "cam", "b", 2);
    assert_non_null(last_open(t, "example.org"));
}

static void a_slot_that_is_none(void **state)
{
    struct rig *t = *state;
    take(t, "cam", "a", 1);
    find(t);
    answer(t, "up.example.org", ERR_OK, "<slot xmlns='" UP "'><put url='ftp://x/'/><get url='https://x/'/></slot>");
    assert_true(told(t, 0, "no usable place"));
    take(t, "cam", "b", 2);
    t->send_err = ERR_BADREQ;
    answer(t, "up.example.org", ERR_OK, SLOT("1"));
    assert_true(told(t, 1, "a URL that cannot be used"));
}

/* The web */

static void a_put_that_fails(void **state)
{
    struct rig *t = *state;
    take(t, "cam", "a", 1);
    find(t);
    answer(t, "up.example.org", ERR_OK, SLOT("1"));
    put_ends(t, 0, 500);
    assert_true(told(t, 0, "the upload server answered 500"));
    take(t, "cam", "b", 2);
    answer(t, "up.example.org", ERR_OK, SLOT("1"));
    put_fails(t, 1, ERR_REFUSED, "Failed to connect to up.example.org port 443");
    assert_true(told(t, 1, "the upload server could not be used (connection refused)"));
    assert_true(str_find_str(t->done[1]->body, STR("port 443")) < 0); // that is for the admins
    assert_int_equal(t->notice_count, 1);
    take(t, "cam", "b", 3); // what failed is no URL to be used again
    assert_int_equal(t->done_count, 2);
    answer(t, "up.example.org", ERR_OK, SLOT("1"));
    put_ends(t, 2, 302);
    assert_true(told(t, 2, "answered 302"));
}

static void a_file_waits_so_long(void **state)
{
    struct rig *t = *state;
    take(t, "cam", "a", 1);
    find(t);
    answer(t, "up.example.org", ERR_OK, SLOT("1"));
    assert_int_equal(uploads_deadline(t->u), 1000 + UPLOADS_MS);
    t->now += UPLOADS_MS;
    uploads_turn(t);
    assert_true(told(t, 0, "it took too long"));
    assert_true(t->puts[0].cancelled);
}

static void little_time_is_left_for_a_put(void **state)
{
    struct rig *t = *state;
    take(t, "cam", "a", 1);
    t->now += 40000;
    find(t);
    answer(t, "up.example.org", ERR_OK, SLOT("1"));
    assert_int_equal(t->puts[0].total, UPLOADS_MS - 40000);
}

/* Bounds, and who is told */

static void so_many_may_wait(void **state)
{
    struct rig *t = *state;
    for (int i = 0; i < UPLOADS_WAITING + 1; i++) {
        char bytes[16];
        (void)snprintf(bytes, sizeof bytes, "file %d", i);
        take(t, "cam", bytes, 0);
    }
    assert_int_equal(t->done_count, 1);
    assert_true(told(t, 0, "too many files wait already"));
}

static void so_many_bytes_may_wait(void **state)
{
    struct rig *t = *state;
    char *large = mem_zalloc(UPLOADS_BYTES, 1);
    struct event ev = picture("cam", (struct str){large, UPLOADS_BYTES}, 0);
    uploads_take(t->u, &ev);
    uploads_turn(t);
    assert_int_equal(t->done_count, 0);
    take(t, "cam", "a", 1);
    assert_true(told(t, 0, "too many files wait already"));
    mem_free(large);
    large = mem_zalloc(UPLOADS_BYTES + 1, 1);
    ev = picture("cam", (struct str){large, UPLOADS_BYTES + 1}, 2);
    uploads_take(t->u, &ev);
    assert_true(told(t, 1, "it is larger than what the bridge can hold"));
    mem_free(large);
}

static void a_user_may_ask_so_often(void **state)
{
    struct rig *t = *state;
    for (uint64_t i = 0; i < UPLOADS_BURST + 1; i++) {
        char bytes[16];
        (void)snprintf(bytes, sizeof bytes, "file %d", (int)i);
        take(t, "cam", bytes, i + 1);
    }
    assert_int_equal(t->done_count, 1);
    assert_true(told(t, 0, "you have asked for too many at once"));
    struct event ev = picture("cam", STR("of another"), 99);
    ev.user.local = STR("bob");
    uploads_take(t->u, &ev);
    uploads_turn(t);
    assert_int_equal(t->done_count, 1);
    t->now += UPLOADS_RATE_S * 1000;
    take(t, "cam", "a little later", 100);
    assert_int_equal(t->done_count, 1);
}

static void nothing_is_kept_of_a_user(void **state)
{
    struct rig *t = *state;
    struct jid eve = {STR("eve"), STR("example.org"), STR("x")}, bob = {STR("bob"), STR("example.org"), STR("x")};
    for (int i = 0; i < UPLOADS_BURST; i++)
        assert_true(uploads_may(t->u, &eve) && uploads_may(t->u, &bob));
    uploads_forget(t->u, STR("eve@example.org"));
    for (size_t i = 0; i < UPLOADS_USERS; i++)
        assert_true(!t->u->users[i].bare || strcmp(t->u->users[i].bare, "bob@example.org") == 0);
    assert_false(uploads_may(t->u, &bob));
    assert_true(uploads_may(t->u, &eve));
}

// What an earlier service has may be gone with it.
static void another_service_gets_all_anew(void **state)
{
    struct rig *t = *state;
    struct uploads_config cfg = rig_config;
    upload(t, "cam", "a", 1);
    cfg.service = STR("files.example.net");
    uploads_configure(t->u, &cfg);
    take(t, "cam", "a", 2);
    assert_int_equal(t->done_count, 1);
    answer(t, "files.example.net", ERR_OK, OFFERS);
    answer(t, "files.example.net", ERR_OK, SLOT("2"));
    put_ends(t, 1, 201);
    assert_true(str_eq_c(t->done[1]->url, "https://up.example.org/g2"));
}

// The table of users has its end; who comes then is no worse off.
static void many_users_may_ask(void **state)
{
    struct rig *t = *state;
    upload(t, "cam", "a", 1);
    for (int i = 0; i < UPLOADS_USERS + 10; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "user%d", i);
        struct jid user = {str_c(name), STR("example.org"), STR("x")};
        t->now++;
        assert_true(uploads_may(t->u, &user));
    }
    struct jid user = {STR("user300"), STR("example.org"), STR_NONE};
    for (int i = 0; i < UPLOADS_BURST; i++)
        (void)uploads_may(t->u, &user);
    assert_false(uploads_may(t->u, &user));
}

static void subscribers_are_told_once(void **state)
{
    struct rig *t = *state;
    upload(t, "cam", "a", 0);
    for (int i = 0; i < 3; i++) {
        char bytes[8];
        (void)snprintf(bytes, sizeof bytes, "b%d", i);
        take(t, "cam", bytes, 0);
        answer(t, "up.example.org", ERR_OK, SLOT("1"));
        put_ends(t, t->put_count - 1, 500);
    }
    assert_int_equal(t->done_count, 2);
    assert_true(told(t, 1, "answered 500"));
    take(t, "other", "c", 0); // those of another contact do not know yet
    answer(t, "up.example.org", ERR_OK, SLOT("1"));
    put_ends(t, t->put_count - 1, 500);
    assert_int_equal(t->done_count, 3);
    upload(t, "cam", "d", 0);
    take(t, "cam", "e", 0);
    answer(t, "up.example.org", ERR_OK, SLOT("1"));
    put_ends(t, t->put_count - 1, 500);
    assert_int_equal(t->done_count, 5); // it worked meanwhile
}

static void the_oldest_url_gives_way(void **state)
{
    struct rig *t = *state;
    uint8_t sum[SHA256_BYTES] = {0};
    for (unsigned i = 0; i < UPLOADS_URLS + 1; i++) {
        sum[0] = (uint8_t)i;
        sum[1] = (uint8_t)(i >> 8);
        t->now++;
        uploads_remember(t->u, sum, STR("https://up.example.org/x"));
        assert_non_null(uploads_known(t->u, sum));
    }
    memset(sum, 0, sizeof sum);
    assert_null(uploads_known(t->u, sum));
    sum[0] = 1;
    assert_non_null(uploads_known(t->u, sum));
    uploads_remember(t->u, sum, STR("https://up.example.org/y"));
    assert_string_equal(uploads_known(t->u, sum), "https://up.example.org/y");
}

// With all kinds of work under way: teardown sees that nothing is left open.
static void an_end_at_any_time(void **state)
{
    struct rig *t = *state;
    take(t, "cam", "a", 1);
    find(t);
    answer(t, "up.example.org", ERR_OK, SLOT("1"));
    take(t, "cam", "b", 2);
    take(t, "cam", "c", 3);
    assert_int_equal(t->u->count, 3);
}

static void an_end_while_looking(void **state)
{
    struct rig *t = *state;
    take(t, "cam", "a", 1);
    answer(t, "example.org", ERR_OK, ITEMS("<item jid='up.example.org'/><item jid='rooms.example.org'/>"));
    assert_int_equal(t->u->state, SERVICE_FINDING);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_becomes_a_url),
        TEST(same_bytes_use_the_same_url),
        TEST(the_same_bytes_of_another_type_are_another_file),
        TEST(who_asks_meanwhile_waits_for_the_same),
        TEST(so_many_at_once),
        TEST(names_are_made_fit),
        TEST(the_first_that_offers_is_it),
        TEST(the_domain_itself_may_offer_it),
        TEST(none_offers),
        TEST(a_named_service_is_asked_alone),
        TEST(a_link_that_comes_back_begins_anew),
        TEST(nothing_can_be_asked),
        TEST(forbidden_says_what_to_change),
        TEST(too_large_is_learned),
        TEST(a_service_that_says_what_it_takes),
        TEST(a_quota_is_waited_for),
        TEST(a_quota_that_lasts),
        TEST(a_service_that_is_gone_is_looked_for_anew),
        TEST(a_slot_that_is_none),
        TEST(a_put_that_fails),
        TEST(a_file_waits_so_long),
        TEST(little_time_is_left_for_a_put),
        TEST(so_many_may_wait),
        TEST(so_many_bytes_may_wait),
        TEST(a_user_may_ask_so_often),
        TEST(nothing_is_kept_of_a_user),
        TEST(another_service_gets_all_anew),
        TEST(many_users_may_ask),
        TEST(subscribers_are_told_once),
        TEST(the_oldest_url_gives_way),
        TEST(an_end_at_any_time),
        TEST(an_end_while_looking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
