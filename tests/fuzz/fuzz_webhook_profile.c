/* A request as it comes in: the profile, the method, the path, the query and the headers, a line each ("Name: value"),
 * an empty line, the body. There are posts, a handshake or a problem, all of it clean and within bounds, and an answer
 * that may be sent. */
#include "fuzz.h"

#include "adapters/webhook/webhook_profile.h"

#include "base/utf8.h"

enum { HEADERS = 16, SEGMENTS = 4 };

struct request {
    struct http_header headers[HEADERS];
    struct str segments[SEGMENTS];
    struct webhook_input in;
    struct str profile;
};

static void parse_path(struct request *q, struct str path)
{
    struct str one;
    while (path.n > 0 && q->in.segment_count < SEGMENTS) {
        (void)str_cut(path, '/', &one, &path);
        if (utf8_xml_valid(one)) // the server hands out no others
            q->segments[q->in.segment_count++] = one;
    }
}

static void parse(struct request *q, struct str text)
{
    struct str line, path;
    *q = (struct request){.in = {.wall = 1763719200000}};
    (void)str_cut(text, '\n', &q->profile, &text);
    (void)str_cut(text, '\n', &q->in.method, &text);
    (void)str_cut(text, '\n', &path, &text);
    (void)str_cut(text, '\n', &q->in.query, &text);
    parse_path(q, path);
    while (str_cut(text, '\n', &line, &text) && line.n > 0) {
        struct http_header h;
        if (str_cut(line, ':', &h.name, &h.value) && q->in.header_count < HEADERS) {
            h.value = str_trim(h.value);
            if (http_header_good(&h))
                q->headers[q->in.header_count++] = h;
        }
    }
    q->in.headers = q->headers;
    q->in.segments = q->segments;
    q->in.body = text;
}

static void check_post(const struct webhook_post *p)
{
    FUZZ_CHECK(p->body.n <= WEBHOOK_TEXT_MAX && utf8_xml_valid(p->body));
    FUZZ_CHECK(p->body.n > 0 || p->file_count > 0 || p->act == WEBHOOK_RETRACT);
    FUZZ_CHECK(utf8_xml_valid(p->nick) && utf8_length(p->nick) <= WEBHOOK_NICK_MAX);
    FUZZ_CHECK(utf8_xml_valid(p->key) && p->key.n <= WEBHOOK_KEY_MAX);
    FUZZ_CHECK(utf8_xml_valid(p->subject) && utf8_xml_valid(p->thread) && utf8_xml_valid(p->lang));
    FUZZ_CHECK(utf8_xml_valid(p->avatar) && utf8_xml_valid(p->id) && utf8_xml_valid(p->reply_to));
    FUZZ_CHECK(p->to_count <= WEBHOOK_TO_MAX && p->file_count <= WEBHOOK_FILES_MAX);
    for (size_t i = 0; i < p->to_count; i++)
        FUZZ_CHECK(utf8_xml_valid(p->to[i]));
    for (size_t i = 0; i < p->file_count; i++)
        FUZZ_CHECK((p->files[i].url.n > 0) != (p->files[i].data.p != NULL) && utf8_xml_valid(p->files[i].name) &&
                   utf8_xml_valid(p->files[i].url));
}

static void check_answer(const struct webhook_answer *w)
{
    FUZZ_CHECK(w->status >= 200 && w->status < 600);
    FUZZ_CHECK(utf8_valid(w->body));
    for (size_t i = 0; i < w->header_count; i++)
        FUZZ_CHECK(http_header_good(&w->headers[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct str id = {"msg_1", 5};
    struct webhook_accepted ok = {.ids = &id, .self = {"/v1/messages/msg_1", 18}};
    struct webhook_outcome o;
    struct webhook_answer w;
    struct request q;
    struct arena a;

    arena_init(&a, 0);
    parse(&q, fuzz_str(data, size));
    struct webhook_settings settings = {.update = (enum webhook_update)(size % 4), .key_path = STR("id")};
    webhook_profile_read(webhook_profile_find(q.profile), &settings, &q.in, &a, &o);
    FUZZ_CHECK(o.profile && o.count <= WEBHOOK_POSTS_MAX);
    FUZZ_CHECK(utf8_xml_valid(o.event) && utf8_xml_valid(o.delivery) && utf8_xml_valid(o.problem.detail));
    for (size_t i = 0; i < o.count; i++)
        check_post(&o.posts[i]);
    if (o.problem.status != 0) {
        FUZZ_CHECK(o.count == 0 && o.problem.detail.n > 0);
        webhook_profile_refuse(o.profile, &o.problem, 0, &a, &w);
    } else {
        ok.count = o.count > 0;
        webhook_profile_success(&o, &q.in, &ok, &a, &w);
    }
    check_answer(&w);
    arena_finish(&a);
    return 0;
}
