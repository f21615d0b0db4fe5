/* Payloads that mean harm: whatever comes, there are posts, a handshake or a problem, clean text, bounds and time kept.
 */
#include "profile_rig.h"

#include "text/json.h"

static const char *const headers[][2] = {
    {"X-GitHub-Event", "push"},      {"X-Gitea-Event", "pull_request_approved"},
    {"X-Gitlab-Event", "Note Hook"}, {"ce-specversion", "1.0"},
    {"Title", "=?UTF-8?Q?=FF=00?="},
};

// What holds for each outcome.
static void check_outcome(struct profile_rig *r)
{
    const struct webhook_outcome *o = &r->out;
    struct webhook_answer w;
    assert_true(o->count <= WEBHOOK_POSTS_MAX);
    assert_true(utf8_xml_valid(o->event) && utf8_xml_valid(o->delivery));
    assert_true(utf8_xml_valid(o->problem.detail));
    if (o->problem.status != 0) {
        assert_int_equal(o->count, 0);
        assert_true(o->problem.status >= 400 && o->problem.status < 500);
        webhook_profile_refuse(o->profile, &o->problem, 1, &r->a, &w);
        assert_true(w.status >= 400);
        return;
    }
    for (size_t i = 0; i < o->count; i++) {
        const struct webhook_post *p = &o->posts[i];
        assert_true(p->body.n <= WEBHOOK_TEXT_MAX);
        assert_true(utf8_xml_valid(p->body));
        assert_true(p->body.n > 0 || p->file_count > 0 || p->act == WEBHOOK_RETRACT);
        assert_true(utf8_xml_valid(p->nick) && utf8_length(p->nick) <= WEBHOOK_NICK_MAX);
        assert_true(utf8_xml_valid(p->key) && p->key.n <= WEBHOOK_KEY_MAX);
        assert_true(utf8_xml_valid(p->thread) && utf8_xml_valid(p->subject));
        assert_true(p->file_count <= WEBHOOK_FILES_MAX && p->to_count <= WEBHOOK_TO_MAX);
    }
    struct str id = STR("msg_1");
    struct webhook_accepted ok = {.ids = &id, .count = o->count > 0};
    webhook_profile_success(o, &r->in, &ok, &r->a, &w);
    assert_true(w.status >= 200 && w.status < 300);
}

// By every profile, without and with the headers that lead it somewhere; `type` may be NULL.
static void everywhere(struct str body, const char *type)
{
    const struct webhook_profile *p;
    for (size_t i = 0; (p = webhook_profile_at(i)); i++)
        for (size_t h = 0; h <= COUNT(headers); h++) {
            struct profile_rig r;
            rig_init(&r);
            if (type)
                rig_header(&r, "Content-Type", type);
            if (h < COUNT(headers))
                rig_header(&r, headers[h][0], headers[h][1]);
            r.settings.update = (enum webhook_update)(h % 4);
            r.settings.key_path = STR("a.b");
            rig_read(&r, webhook_profile_name(p), body);
            check_outcome(&r);
            rig_finish(&r);
        }
}

// The same once by each profile: for what is large.
static void by_each(struct str body, const char *type)
{
    const struct webhook_profile *p;
    for (size_t i = 0; (p = webhook_profile_at(i)); i++) {
        struct profile_rig r;
        rig_init(&r);
        rig_header(&r, "Content-Type", type);
        rig_header(&r, "X-GitHub-Event", "push");
        r.settings.update = i % 2 == 0 ? WEBHOOK_UPDATE_FINGERPRINT : WEBHOOK_UPDATE_GROUP;
        rig_read(&r, webhook_profile_name(p), body);
        check_outcome(&r);
        rig_finish(&r);
    }
}

static void test_bytes(void **state)
{
    (void)state;
    everywhere(STR_NONE, NULL);
    everywhere(STR("\0\0\0"), NULL);
    everywhere(STR("\xff\xfe{\"a\":1}"), "application/json");
    everywhere(STR("{\"text\":\"\\u0000\"}"), "application/json");
    everywhere(STR("{\"text\":\"\\ud800\"}"), "application/json");
    everywhere(STR("{\"text\":\"\\u202e\\u0007\\u001b[31m\"}"), "application/json");
    everywhere(STR("a=\0&\xff=%00%ff"), "application/x-www-form-urlencoded");
    everywhere(STR("payload=%7B"), "application/x-www-form-urlencoded");
    everywhere(STR("--x\r\n\r\n--x--"), "multipart/form-data; boundary=x");
    everywhere(STR("--x\r\nContent-Disposition: form-data; name=payload_json\r\n\r\n[1,2]\r\n--x--"),
               "multipart/form-data; boundary=x");
}

static void test_scalars_and_empties(void **state)
{
    (void)state;
    static const char *const bodies[] = {"null", "true", "0",      "-1e308", "\"\"", "\"text\"",
                                         "[]",   "{}",   "[null]", "[[]]",   "[{}]", "{\"\":\"\"}"};
    for (size_t i = 0; i < COUNT(bodies); i++)
        everywhere(str_c(bodies[i]), "application/json");
}

/* Every member of every payload of ours in turn replaced by what it is not */

static const char *const payloads[] = {
    "alertmanager",
    "cloudevents",
    "cloudevents_batch",
    "discord",
    "gitea_approved",
    "gitea_push",
    "github_issue",
    "github_push",
    "github_release",
    "github_review",
    "github_workflow_run",
    "github_pull_request",
    "gitlab_job",
    "gitlab_note",
    "gitlab_pipeline",
    "gitlab_push",
    "gotify",
    "grafana",
    "grafana_legacy",
    "mattermost",
    "native",
    "ntfy",
    "slack_blocks",
    "slack_grafana",
    "slack_uptime_kuma",
};

static const char *event_of(const char *name)
{
    static const char *const names[][2] = {
        {"issue", "issues"},
        {"pull_request", "pull_request"},
        {"push", "push"},
        {"release", "release"},
        {"review", "pull_request_review"},
        {"workflow_run", "workflow_run"},
        {"approved", "pull_request_approved"},
    };
    for (size_t i = 0; i < COUNT(names); i++)
        if (str_ends(str_c(name), str_c(names[i][0])))
            return names[i][1];
    return "";
}

static const char *profile_of(const char *name)
{
    static char text[40];
    size_t n = strcspn(name, "_");
    (void)snprintf(text, sizeof(text), "%.*s", (int)n, name);
    return text;
}

static void read_changed(const char *name, const json_t *payload)
{
    struct profile_rig r;
    char *text = json_dumps(payload, JSON_ENCODE_ANY);
    rig_init(&r);
    rig_header(&r, "Content-Type", "application/json");
    rig_header(&r, str_starts(str_c(name), STR("gitea")) ? "X-Gitea-Event" : "X-GitHub-Event", event_of(name));
    rig_read(&r, profile_of(name), str_c(text));
    check_outcome(&r);
    // Only what has nothing to say, or our own JSON, is refused.
    if (r.out.problem.status != 0 && strcmp(profile_of(name), "native") != 0 && r.out.problem.status != 400 &&
        r.out.problem.status != 422)
        fail_msg("%s: %d " STR_FMT "\n%s", name, r.out.problem.status, STR_ARG(r.out.problem.detail), text);
    rig_finish(&r);
    free(text);
}

static json_t *wrong_value(size_t i)
{
    switch (i) {
    case 0:
        return json_null();
    case 1:
        return json_integer(-7);
    case 2:
        return json_pack("[s,{s:s}]", "*x*", "y", "z");
    case 3:
        return json_pack("{s:{s:i}}", "a", "b", 1);
    case 4:
        return json_string("\n> ```\n*_~`@everyone <b> \xe2\x80\xae");
    default:
        return json_true();
    }
}

static void spoil(const char *name, json_t *root, json_t *value);

static void spoil_member(const char *name, json_t *root, json_t *object, const char *member)
{
    json_t *kept = json_incref(json_object_get(object, member));
    for (size_t i = 0; i < 6; i++) {
        (void)json_object_set_new(object, member, wrong_value(i));
        read_changed(name, root);
    }
    (void)json_object_set(object, member, kept);
    json_decref(kept);
}

static void spoil(const char *name, json_t *root, json_t *value)
{
    void *at;
    json_t *one;
    size_t i;
    for (at = json_object_iter(value); at; at = json_object_iter_next(value, at)) {
        spoil_member(name, root, value, json_object_iter_key(at));
        spoil(name, root, json_object_iter_value(at));
    }
    json_array_foreach(value, i, one) spoil(name, root, one);
}

static void test_wrong_types(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(payloads); i++) {
        struct profile_rig r;
        rig_init(&r);
        json_t *root = json_read(rig_file(&r, payloads[i], "json"), RIG_FILE, NULL);
        assert_non_null(root);
        spoil(payloads[i], root, root);
        json_decref(root);
        rig_finish(&r);
    }
}

/* Size */

static void test_depth(void **state)
{
    (void)state;
    static char text[200000];
    for (size_t i = 0; i < 64; i++)
        text[i] = '[';
    (void)memset(text + 64, ']', 64);
    struct profile_rig r;
    rig_init(&r);
    rig_header(&r, "Content-Type", "application/json");
    rig_read(&r, "native", (struct str){text, 128});
    assert_int_equal(r.out.problem.status, 0);
    (void)memset(text, '[', 65);
    (void)memset(text + 65, ']', 65);
    rig_read(&r, "native", (struct str){text, 130});
    assert_int_equal(r.out.problem.status, 413);
    rig_finish(&r);
    (void)memset(text, '[', sizeof(text));
    everywhere((struct str){text, sizeof(text)}, "application/json");
    everywhere((struct str){text, sizeof(text)}, NULL);
    for (size_t i = 0; i + 5 <= sizeof(text); i += 5)
        (void)memcpy(text + i, "{\"a\":", 5);
    everywhere((struct str){text, sizeof(text)}, "application/json");
}

// "$" becomes the text.
static void read_filled(const char *shape, struct str text)
{
    struct strbuf b;
    strbuf_init(&b, WEBHOOK_PAYLOAD_MAX);
    for (; *shape; shape++)
        (void)(*shape == '$' ? strbuf_str(&b, text) : strbuf_char(&b, *shape));
    assert_false(b.full);
    by_each(strbuf_view(&b), "application/json");
    strbuf_finish(&b);
}

// Two members of 450 KiB, of each name that a profile reads.
static void test_huge_strings(void **state)
{
    (void)state;
    static const char *const shapes[] = {
        "{\"text\":\"$\",\"body\":\"$\"}",
        "{\"content\":\"$\",\"message\":\"$\"}",
        "{\"attachments\":[{\"title\":\"$\",\"text\":\"$\"}]}",
        "{\"key\":\"$\",\"body\":\"$\"}",
        "{\"alerts\":[{\"labels\":{\"alertname\":\"$\",\"instance\":\"$\"}}]}",
        "{\"commits\":[{\"id\":\"$\",\"message\":\"$\"}]}",
        "{\"username\":\"$\",\"channel\":\"$\"}",
        "{\"object_kind\":\"$\",\"object_attributes\":{\"note\":\"$\"}}",
        "{\"title\":\"$\",\"message\":\"$\"}",
    };
    enum { HALF = 450 * 1024 };
    static const char *const fills[] = {"*a* ", "> ", "`", "\xf0\x9f\x94\xa5", "<", "a&"};
    char *fill = mem_alloc(HALF);
    for (size_t f = 0; f < COUNT(fills); f++) {
        size_t n = strlen(fills[f]);
        for (size_t i = 0; i < HALF; i++)
            fill[i] = fills[f][i % n];
        for (size_t s = 0; s < COUNT(shapes); s++) {
            size_t size = s == f ? HALF : HALF / 8;
            read_filled(shapes[s], (struct str){fill, size - size % n});
        }
    }
    mem_free(fill);
}

// What is too long is cut, with a mark, not lost.
static void test_long_texts_are_cut(void **state)
{
    (void)state;
    static const char *const shapes[][2] = {
        {"native", "{\"body\":\"$\"}"},
        {"native", "{\"body\":\"$\",\"format\":\"markdown\"}"},
        {"native", "{\"body\":\"$\",\"format\":\"plain\"}"},
        {"slack", "{\"text\":\"$\"}"},
        {"mattermost", "{\"text\":\"$\"}"},
        {"discord", "{\"content\":\"$\"}"},
        {"discord", "{\"embeds\":[{\"title\":\"x\",\"description\":\"$\"}]}"},
        {"gotify", "{\"title\":\"x\",\"message\":\"$\"}"},
        {"ntfy", "{\"topic\":\"x\",\"message\":\"$\"}"},
        {"cloudevents", "{\"specversion\":\"1.0\",\"type\":\"t\",\"data\":\"$\"}"},
        {"text", "$"},
    };
    enum { LONG = 200 * 1024 };
    char *fill = mem_alloc(LONG);
    (void)memset(fill, 'a', LONG);
    for (size_t i = 0; i < COUNT(shapes); i++) {
        struct profile_rig r;
        struct strbuf b;
        rig_init(&r);
        strbuf_init(&b, WEBHOOK_PAYLOAD_MAX);
        for (const char *c = shapes[i][1]; *c; c++)
            (void)(*c == '$' ? strbuf_add(&b, fill, LONG) : strbuf_char(&b, *c));
        rig_read(&r, shapes[i][0], strbuf_view(&b));
        check_outcome(&r);
        assert_int_equal(r.out.count, 1);
        if (r.out.posts[0].body.n < 60000 || !str_ends(r.out.posts[0].body, STR(" […]")))
            fail_msg("%s: %zu bytes", shapes[i][1], r.out.posts[0].body.n);
        strbuf_finish(&b);
        rig_finish(&r);
    }
    mem_free(fill);
}

// Lists of 10^5 elements and more, objects of as many members.
static void test_many(void **state)
{
    (void)state;
    static const char *const shapes[][3] = {
        {"{\"attachments\":[", "1", "]}"},
        {"{\"attachments\":[", "{}", "]}"},
        {"{\"blocks\":[", "{\"type\":\"divider\"}", "]}"},
        {"{\"blocks\":[{\"type\":\"rich_text\",\"elements\":[", "{\"type\":\"rich_text_list\"}", "]}]}"},
        {"{\"embeds\":[", "{}", "]}"},
        {"{\"groupKey\":\"k\",\"alerts\":[", "{}", "]}"},
        {"{\"groupKey\":\"k\",\"alerts\":[", "[]", "]}"},
        {"{\"commits\":[", "{}", "]}"},
        {"{\"object_kind\":\"pipeline\",\"builds\":[", "{\"status\":\"failed\"}", "]}"},
        {"{\"text\":\"x\",\"attachments\":[{\"fields\":[", "{}", "]}]}"},
        {"{\"body\":\"x\",\"to\":[", "\"a\"", "]}"},
        {"[", "{\"body\":\"x\"}", "]"},
        {"[", "{\"specversion\":\"1.0\"}", "]"},
        {"[", "0", "]"},
    };
    enum { ELEMENTS = 100000 };
    for (size_t i = 0; i < COUNT(shapes); i++) {
        struct strbuf b;
        size_t n = 0;
        strbuf_init(&b, WEBHOOK_PAYLOAD_MAX);
        (void)strbuf_c(&b, shapes[i][0]);
        while (n++ < ELEMENTS && b.n + 100 < WEBHOOK_PAYLOAD_MAX && strbuf_c(&b, shapes[i][1]))
            (void)strbuf_char(&b, ',');
        strbuf_truncate(&b, b.n - 1);
        (void)strbuf_c(&b, shapes[i][2]);
        by_each(strbuf_view(&b), "application/json");
        strbuf_finish(&b);
    }
}

static void test_many_members(void **state)
{
    (void)state;
    struct strbuf b;
    strbuf_init(&b, WEBHOOK_PAYLOAD_MAX);
    (void)strbuf_c(&b, "{\"text\":\"x\"");
    for (int i = 0; b.n + 30 < WEBHOOK_PAYLOAD_MAX; i++)
        (void)strbuf_printf(&b, ",\"%d\":1", i);
    (void)strbuf_c(&b, "}");
    by_each(strbuf_view(&b), "application/json");
    strbuf_clear(&b);
    while (b.n + 10 < WEBHOOK_PAYLOAD_MAX)
        (void)strbuf_c(&b, "a=1&");
    by_each(strbuf_view(&b), "application/x-www-form-urlencoded");
    strbuf_finish(&b);
}

// A body beyond the bound is no work at all.
static void test_too_large(void **state)
{
    (void)state;
    struct profile_rig r;
    size_t n = WEBHOOK_PAYLOAD_MAX + 1;
    char *text = mem_zalloc(n, 1);
    rig_init(&r);
    (void)memset(text, ' ', n);
    rig_read(&r, "slack", (struct str){text, n});
    assert_int_equal(r.out.problem.status, 413);
    mem_free(text);
    rig_finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),        cmocka_unit_test(test_scalars_and_empties),
        cmocka_unit_test(test_wrong_types),  cmocka_unit_test(test_depth),
        cmocka_unit_test(test_huge_strings), cmocka_unit_test(test_long_texts_are_cut),
        cmocka_unit_test(test_many),         cmocka_unit_test(test_many_members),
        cmocka_unit_test(test_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
