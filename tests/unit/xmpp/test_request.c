// IQ requests of the component's own, and what is read from the answers of an upload service.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "lib/gateway_harness.h"
#include "xmpp/request.h"
#include "xmpp/upload.h"

struct asker {
    struct harness *h;
    int answers;
    enum err err;
    bool has_iq;
    char text[128];
    struct upload_info info;
    enum err slot_err;
    const char *slot_why;
    char put[64], get[64], headers[256];
    struct upload_refusal refusal;
    size_t items;
    bool again;        // asks once more from inside the answer
    const void *unask; // taken back from inside the answer
    int released;
};

static void put_ping(struct xml_writer *w, void *ud)
{
    (void)ud;
    upload_put_info(w);
}

static void ask(struct asker *a, const char *to, int64_t now);

static void copy(char *out, size_t max, struct str s)
{
    (void)snprintf(out, max, STR_FMT, STR_ARG(s));
}

static void read_answer(struct asker *a, const struct xml_node *iq)
{
    struct upload_slot slot;
    struct str items[UPLOAD_ITEMS];
    upload_read_info(iq, &a->info);
    upload_read_refusal(iq, &a->refusal);
    a->items = upload_read_items(iq, items);
    a->slot_err = upload_read_slot(iq, &slot, &a->slot_why);
    copy(a->put, sizeof a->put, slot.put);
    copy(a->get, sizeof a->get, slot.get);
    a->headers[0] = '\0';
    for (size_t i = 0; i < slot.header_count; i++) {
        size_t n = strlen(a->headers);
        (void)snprintf(a->headers + n, sizeof a->headers - n, STR_FMT "=" STR_FMT ";", STR_ARG(slot.headers[i].name),
                       STR_ARG(slot.headers[i].value));
    }
}

static void on_answer(void *ud, enum err e, struct str text, const struct xml_node *iq)
{
    struct asker *a = ud;
    a->answers++;
    a->err = e;
    a->has_iq = iq != NULL;
    copy(a->text, sizeof a->text, text);
    if (iq)
        read_answer(a, iq);
    if (a->again) {
        a->again = false;
        ask(a, "next.example", 2000);
    }
    if (a->unask)
        gateway_unask(a->h->g, a->unask);
}

static void on_release(void *ud)
{
    ((struct asker *)ud)->released++;
}

static void ask(struct asker *a, const char *to, int64_t now)
{
    struct gateway_request r = {.to = str_c(to), .type = "get", .payload = put_ping, .timeout = 5000};
    r.answer = on_answer;
    r.ud = a;
    assert_int_equal(gateway_ask(a->h->g, &r, &a->h->out, now), ERR_OK);
}

// The id of the request that went out last.
static const char *last_id(struct harness *h)
{
    static char id[32];
    const char *at = NULL;
    strbuf_char(&h->out, '\0');
    for (const char *p = h->out.p; (p = strstr(p, " id='")); p++)
        at = p + 5;
    assert_non_null(at);
    (void)snprintf(id, sizeof id, "%.20s", at);
    return id;
}

static void feed(struct harness *h, const char *head, const char *id, const char *rest)
{
    char text[4096];
    (void)snprintf(text, sizeof text, "<iq %s id='%s'%s", head, id, rest);
    assert_true(harness_feed(h, str_c(text)));
}

static int setup(void **state)
{
    struct asker *a = mem_zalloc(1, sizeof *a);
    a->h = mem_zalloc(1, sizeof *a->h);
    harness_init(a->h);
    *state = a;
    return 0;
}

static int teardown(void **state)
{
    struct asker *a = *state;
    harness_finish(a->h);
    mem_free(a->h);
    mem_free(a);
    return 0;
}

#define FROM "type='result' from='upload.example' to='bridge.example'"

// Asks, and answers with this payload.
static void answered(struct asker *a, const char *payload)
{
    ask(a, "upload.example", 1000);
    feed(a->h, FROM, last_id(a->h), payload);
    assert_int_equal(a->answers, 1);
}

static void a_request_is_answered_once(void **state)
{
    struct asker *a = *state;
    ask(a, "upload.example", 1000);
    harness_assert_match(harness_output(a->h), "<iq type='get' id='*' from='bridge.example' to='upload.example'>"
                                               "<query xmlns='http://jabber.org/protocol/disco#info'/></iq>");
    const char *id = last_id(a->h);
    feed(a->h, FROM, id, "/>");
    assert_int_equal(a->answers, 1);
    assert_int_equal(a->err, ERR_OK);
    assert_true(a->has_iq);
    feed(a->h, FROM, id, "/>");
    assert_int_equal(a->answers, 1);
    assert_int_equal(gateway_deadline(a->h->g), INT64_MAX);
    assert_string_equal(harness_output(a->h), "");
}

static void only_who_was_asked_answers(void **state)
{
    struct asker *a = *state;
    ask(a, "upload.example", 1000);
    const char *id = last_id(a->h);
    feed(a->h, "type='result' from='evil.example' to='bridge.example'", id, "/>");
    feed(a->h, "type='result' from='upload.example/x' to='bridge.example'", id, "/>");
    feed(a->h, "type='result' from='upload.example' to='lamp@bridge.example'", id, "/>");
    feed(a->h, FROM, "another", "/>");
    feed(a->h, FROM, "", "/>");
    assert_int_equal(a->answers, 0);
    feed(a->h, "type='result' from='UPLOAD.example' to='bridge.example'", id, "/>");
    assert_int_equal(a->answers, 1);
}

static void an_error_comes_back(void **state)
{
    struct asker *a = *state;
    ask(a, "upload.example", 1000);
    feed(a->h, "type='error' from='upload.example' to='bridge.example'", last_id(a->h),
         "><error type='auth'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
         "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>not you</text></error></iq>");
    assert_int_equal(a->err, ERR_FORBIDDEN);
    assert_string_equal(a->text, "not you");
    assert_true(a->has_iq);
}

static void silence_ends(void **state)
{
    struct asker *a = *state;
    ask(a, "upload.example", 1000);
    assert_int_equal(gateway_deadline(a->h->g), 6000);
    gateway_tick(a->h->g, 5999);
    assert_int_equal(a->answers, 0);
    gateway_tick(a->h->g, 6000);
    assert_int_equal(a->answers, 1);
    assert_int_equal(a->err, ERR_TIMEOUT);
    assert_false(a->has_iq);
}

static void an_outage_ends_all(void **state)
{
    struct asker *a = *state;
    ask(a, "upload.example", 1000);
    ask(a, "other.example", 1000);
    gateway_down(a->h->g);
    assert_int_equal(a->answers, 2);
    assert_int_equal(a->err, ERR_OFFLINE);
}

static void who_takes_it_back_hears_nothing(void **state)
{
    struct asker *a = *state;
    ask(a, "upload.example", 1000);
    const char *id = last_id(a->h);
    gateway_unask(a->h->g, a);
    feed(a->h, FROM, id, "/>");
    gateway_down(a->h->g);
    assert_int_equal(a->answers, 0);
}

static void an_answer_may_ask_anew(void **state)
{
    struct asker *a = *state;
    a->again = true;
    answered(a, "/>");
    harness_assert_match(harness_output(a->h), "<iq type='get' id='*' from='bridge.example' to='next.example'>"
                                               "<query xmlns='http://jabber.org/protocol/disco#info'/></iq>");
}

static void there_are_so_many(void **state)
{
    struct asker *a = *state;
    for (size_t i = 0; i < REQUESTS_MAX; i++)
        ask(a, "upload.example", 1000);
    struct gateway_request r = {.to = STR("upload.example"), .type = "get", .payload = put_ping, .answer = on_answer};
    assert_int_equal(gateway_ask(a->h->g, &r, &a->h->out, 1000), ERR_AGAIN);
    gateway_tick(a->h->g, 6000);
    assert_int_equal(a->answers, REQUESTS_MAX);
    r.to = STR("@");
    assert_int_equal(gateway_ask(a->h->g, &r, &a->h->out, 1000), ERR_BADJID);
}

static void what_does_not_fit_was_not_asked(void **state)
{
    struct asker *a = *state;
    struct strbuf small;
    strbuf_init(&small, 16);
    struct gateway_request r = {.to = STR("upload.example"), .type = "get", .payload = put_ping, .answer = on_answer};
    assert_int_equal(gateway_ask(a->h->g, &r, &small, 1000), ERR_LIMIT);
    assert_int_equal(small.n, 0);
    assert_int_equal(gateway_deadline(a->h->g), INT64_MAX);
    strbuf_finish(&small);
}

/* Requests from other addresses of ours. */

#define GUEST "lamp@bridge.example/r1"

static void ask_as(struct asker *a, const char *from, enum err expected)
{
    struct gateway_request r = {.from = str_c(from), .to = STR("den@rooms.example/lamp"), .type = "get"};
    r.payload = put_ping;
    r.timeout = 5000;
    r.answer = on_answer;
    r.release = on_release;
    r.ud = a;
    assert_int_equal(gateway_ask(a->h->g, &r, &a->h->out, 1000), expected);
}

static void a_guest_of_ours_asks(void **state)
{
    struct asker *a = *state;
    ask_as(a, GUEST, ERR_OK);
    harness_assert_match(harness_output(a->h), "<iq type='get' id='*' from='" GUEST "' to='den@rooms.example/lamp'>"
                                               "<query xmlns='http://jabber.org/protocol/disco#info'/></iq>");
    const char *id = last_id(a->h);
    feed(a->h, "type='result' from='den@rooms.example/lamp' to='bridge.example'", id, "/>");
    feed(a->h, "type='result' from='den@rooms.example/lamp' to='lamp@bridge.example'", id, "/>");
    feed(a->h, "type='result' from='den@rooms.example/other' to='" GUEST "'", id, "/>");
    feed(a->h, "type='get' from='den@rooms.example/lamp' to='" GUEST "'", id, "/>");
    assert_int_equal(a->answers + a->released, 0);
    feed(a->h, "type='result' from='den@rooms.example/lamp' to='" GUEST "'", id, "/>");
    assert_int_equal(a->answers, 1);
    assert_int_equal(a->released, 1);
}

static void nobody_else_asks(void **state)
{
    struct asker *a = *state;
    ask_as(a, "lamp@other.example/r1", ERR_BADJID);
    ask_as(a, "@bridge.example", ERR_BADJID);
    assert_int_equal(a->h->out.n, 0);
    assert_int_equal(a->released, 0);
}

static void each_request_is_released_once(void **state)
{
    struct asker *a = *state;
    ask_as(a, GUEST, ERR_OK);
    gateway_tick(a->h->g, 6000);
    assert_int_equal(a->released, 1);
    ask_as(a, GUEST, ERR_OK);
    gateway_down(a->h->g);
    assert_int_equal(a->released, 2);
    ask_as(a, GUEST, ERR_OK);
    gateway_unask(a->h->g, a);
    assert_int_equal(a->released, 3);
    ask_as(a, GUEST, ERR_OK);
    harness_create_gateway(a->h, HARNESS_STARTED, 1); // the old one is destroyed
    assert_int_equal(a->released, 4);
    assert_int_equal(a->answers, 2);
}

static void guests_and_the_component_do_not_wait_for_each_other(void **state)
{
    struct asker *a = *state;
    for (size_t i = 0; i < REQUESTS_MAX; i++)
        ask(a, "upload.example", 1000);
    for (size_t i = 0; i < REQUESTS_GUESTS_MAX; i++)
        ask_as(a, GUEST, ERR_OK);
    ask_as(a, GUEST, ERR_AGAIN);
    gateway_tick(a->h->g, 6000);
    assert_int_equal(a->answers, REQUESTS_MAX + REQUESTS_GUESTS_MAX);
    assert_int_equal(a->released, REQUESTS_GUESTS_MAX);
    ask(a, "upload.example", 1000);
    ask_as(a, GUEST, ERR_OK);
}

// All are due at once; the first that is told takes the rest back.
static void what_is_taken_back_while_all_end(void **state)
{
    struct asker *a = *state;
    for (size_t i = 0; i < 5; i++)
        ask_as(a, GUEST, ERR_OK);
    a->unask = a;
    gateway_tick(a->h->g, 6000);
    assert_int_equal(a->answers, 1);
    assert_int_equal(a->released, 5);
    assert_int_equal(gateway_deadline(a->h->g), INT64_MAX);
}

static void the_next_deadline_is_that_of_who_is_left(void **state)
{
    struct asker *a = *state;
    ask(a, "upload.example", 1000);
    ask(a, "upload.example", 3000);
    gateway_tick(a->h->g, 6000);
    assert_int_equal(a->answers, 1);
    assert_int_equal(gateway_deadline(a->h->g), 8000);
    gateway_tick(a->h->g, 8000);
    assert_int_equal(a->answers, 2);
}

/* Upload services */

#define DISCO "><query xmlns='http://jabber.org/protocol/disco#info'>"
#define FORM(type, value)                                                                                              \
    "<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE'><value>" type "</value></field>"                    \
    "<field var='max-file-size'><value>" value "</value></field></x>"

static void a_service_says_what_it_takes(void **state)
{
    struct asker *a = *state;
    answered(a, DISCO
             "<feature var='urn:xmpp:http:upload:0'/>" FORM("urn:xmpp:http:upload:0", "10485760") "</query></iq>");
    assert_true(a->info.offered);
    assert_int_equal(a->info.max, 10485760);
}

static void a_service_that_says_little(void **state)
{
    struct asker *a = *state;
    answered(a, DISCO FORM("urn:xmpp:other", "5") "<feature var='urn:xmpp:http:upload:0'/>" FORM(
                    "urn:xmpp:http:upload:0", "-1") "</query></iq>");
    assert_true(a->info.offered);
    assert_true(a->info.max == UINT64_MAX);
}

static void what_is_no_service(void **state)
{
    struct asker *a = *state;
    answered(a, DISCO "<feature var='urn:xmpp:http:upload'/></query></iq>");
    assert_false(a->info.offered);
}

static void items_are_bounded(void **state)
{
    struct asker *a = *state;
    char text[4096] = "><query xmlns='http://jabber.org/protocol/disco#items'><item jid='a.example' node='x'/><item/>";
    for (int i = 0; i < UPLOAD_ITEMS + 5; i++) {
        size_t n = strlen(text);
        (void)snprintf(text + n, sizeof text - n, "<item jid='i%d.example'/>", i);
    }
    (void)snprintf(text + strlen(text), sizeof text - strlen(text), "</query></iq>");
    answered(a, text);
    assert_int_equal(a->items, UPLOAD_ITEMS);
}

#define SLOT(put, get) "><slot xmlns='urn:xmpp:http:upload:0'><put url='" put "</put><get url='" get "'/></slot></iq>"

static void a_slot(void **state)
{
    struct asker *a = *state;
    answered(a, SLOT("https://up.example/1?a=b&amp;c=d'><header name='Authorization'>Bearer x</header>"
                     "<header name='cookie'>a=b</header><header name='Host'>evil</header>"
                     "<header name='Content-Length'>1</header>",
                     "https://up.example/1"));
    assert_int_equal(a->slot_err, ERR_OK);
    assert_string_equal(a->put, "https://up.example/1?a=b&c=d");
    assert_string_equal(a->get, "https://up.example/1");
    assert_string_equal(a->headers, "Authorization=Bearer x;cookie=a=b;");
}

static void slots_that_are_none(void **state)
{
    struct asker *a = *state;
    static const char *const cases[] = {
        "/>",
        "><slot xmlns='urn:xmpp:http:upload:0'/></iq>",
        SLOT("https://up.example/1'>", ""),
        SLOT("ftp://up.example/1'>", "https://up.example/1"),
        SLOT("https://up.example/1'>", "javascript:alert(1)"),
        SLOT("https://up.example/a b'>", "https://up.example/1"),
        SLOT("https://up.example/1'>", "https://up.example/&#10;1"),
        SLOT("https://up.example/1'><header name='Cookie'>a&#10;Host: evil</header>", "https://up.example/1"),
        SLOT("https://up.example/1'><header name='Cookie'>a&#13;b</header>", "https://up.example/1"),
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        a->answers = 0;
        answered(a, cases[i]);
        assert_int_equal(a->slot_err, ERR_PROTO);
        assert_true(strlen(a->slot_why) > 0);
    }
}

static void refused(struct asker *a, const char *inside)
{
    char text[1024];
    a->answers = 0;
    ask(a, "upload.example", 1000);
    (void)snprintf(text, sizeof text, "><error type='wait'>%s</error></iq>", inside);
    feed(a->h, "type='error' from='upload.example' to='bridge.example'", last_id(a->h), text);
    assert_int_equal(a->answers, 1);
}

static void refusals_say_why(void **state)
{
    struct asker *a = *state;
    refused(a, "<not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
               "<file-too-large xmlns='urn:xmpp:http:upload:0'><max-file-size>20000</max-file-size></file-too-large>");
    assert_int_equal(a->err, ERR_NOTACCEPTABLE);
    assert_int_equal(a->refusal.max, 20000);
    refused(a, "<resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
               "<retry xmlns='urn:xmpp:http:upload:0' stamp='2026-11-18T11:07:40Z'/>");
    assert_int_equal(a->err, ERR_AGAIN);
    assert_true(a->refusal.max == UINT64_MAX);
    assert_int_equal(a->refusal.retry, HARNESS_WALL + 60000);
    refused(a, "<forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>");
    assert_int_equal(a->refusal.retry, 0);
}

static void put_slot(struct xml_writer *w, void *ud)
{
    (void)ud;
    upload_put_request(w, STR("a<b>.jpg"), 12345, STR("image/jpeg"));
}

static void a_slot_is_asked_for(void **state)
{
    struct asker *a = *state;
    struct gateway_request r = {.to = STR("upload.example"), .type = "get", .payload = put_slot, .answer = on_answer};
    assert_int_equal(gateway_ask(a->h->g, &r, &a->h->out, 1000), ERR_OK);
    harness_assert_match(harness_output(a->h),
                         "<iq type='get' id='*' from='bridge.example' to='upload.example'>"
                         "<request xmlns='urn:xmpp:http:upload:0' filename='a&lt;b&gt;.jpg' size='12345' "
                         "content-type='image/jpeg'/></iq>");
}

// What a user is told of a file: its URL, twice, and nothing else.
static void a_message_with_a_file(void **state)
{
    struct asker *a = *state;
    struct event ev = {.kind = EV_MESSAGE, .id = STR("m1"), .type = MESSAGE_CHAT, .body = STR("snapshot")};
    ev.url = STR("https://up.example/1?a=b&c");
    ev.user = harness_jid(a->h, "alice@example.org");
    ev.to = harness_jid(a->h, "lamp@bridge.example/home");
    harness_assert_match(harness_send(a->h, &ev),
                         "<message type='chat' id='m1' from='lamp@bridge.example/home' to='alice@example.org'>"
                         "<body>https://up.example/1?a=b&amp;c</body>"
                         "<x xmlns='jabber:x:oob'><url>https://up.example/1?a=b&amp;c</url></x>"
                         "<origin-id xmlns='urn:xmpp:sid:0' id='m1'/></message>");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_answered_once),
        TEST(only_who_was_asked_answers),
        TEST(an_error_comes_back),
        TEST(silence_ends),
        TEST(an_outage_ends_all),
        TEST(who_takes_it_back_hears_nothing),
        TEST(an_answer_may_ask_anew),
        TEST(there_are_so_many),
        TEST(what_does_not_fit_was_not_asked),
        TEST(a_guest_of_ours_asks),
        TEST(nobody_else_asks),
        TEST(each_request_is_released_once),
        TEST(guests_and_the_component_do_not_wait_for_each_other),
        TEST(what_is_taken_back_while_all_end),
        TEST(the_next_deadline_is_that_of_who_is_left),
        TEST(a_service_says_what_it_takes),
        TEST(a_service_that_says_little),
        TEST(what_is_no_service),
        TEST(items_are_bounded),
        TEST(a_slot),
        TEST(slots_that_are_none),
        TEST(refusals_say_why),
        TEST(a_slot_is_asked_for),
        TEST(a_message_with_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
