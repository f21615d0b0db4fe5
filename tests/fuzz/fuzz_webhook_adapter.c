// link: webhook
/* An instance with two hooks, told in lines what comes: requests, what the bridge says, time, operations, rows,
 * reloads. Whatever the order, each request is answered at most once, and all is given back at the end. */
#include "fuzz.h"

// What the rig checks ends the run.
#define SPANDREL_TESTS_CHECK_H
#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define assert_true(c) FUZZ_CHECK(c)
#define assert_false(c) FUZZ_CHECK(!(c))
#define assert_null(p) FUZZ_CHECK(!(p))
#define assert_non_null(p) FUZZ_CHECK(p)
#define assert_int_equal(a, b) FUZZ_CHECK((a) == (b))
#define assert_in_range(v, from, to) FUZZ_CHECK((v) >= (from) && (v) <= (to))
#define fail_msg(...) abort()
#include "unit/webhook/webhook_rig.h"

enum { LINES = 48, EVENTS = 600 };

static const char config[] =
    "limits: {per_room: 0, per_source: 0}\n"
    "hooks: {a: {rooms: [ops@rooms.x], users: [ann@x], username: puppet, idempotency_path: id, auth: [{type: none}]}, "
    "b: {rooms: [ops@rooms.x, dev@rooms.x], identity: shared, may_address: [qa@rooms.x], auth: [{type: token, "
    "secret: " RIG_TOKEN "}], update: {by: path, path: k}}}";
static const char other[] = "hooks: {a: {rooms: [dev@rooms.x], auth: [{type: none}]}}";

// "POST /h/a wait=5 key {...}"
static void request(struct rig *g, struct str rest)
{
    static const char *const names[HTTP_METHODS] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
    struct str method, target, prefer, key;
    if (g->exchange_count == RIG_EXCHANGES || !str_word(&rest, &method) || !str_word(&rest, &target) ||
        target.n > 200 || target.p[0] != '/' || !str_word(&rest, &prefer) || !str_word(&rest, &key))
        return;
    size_t m = 0, slashes = 0;
    while (m < HTTP_METHODS && !str_eq_c(method, names[m]))
        m++;
    for (size_t i = 0; i < target.n; i++)
        slashes += target.p[i] == '/';
    if (m == HTTP_METHODS || slashes > HTTP_SEGMENTS_MAX)
        return;
    char path[256], wait[64], idem[64], body[2048];
    snprintf(path, sizeof path, STR_FMT, STR_ARG(target));
    struct http_exchange *x = rig_exchange(g, (enum http_method)m, names[m], path, NULL);
    snprintf(wait, sizeof wait, STR_FMT, STR_ARG(prefer));
    snprintf(idem, sizeof idem, STR_FMT, STR_ARG(key));
    snprintf(body, sizeof body, STR_FMT, STR_ARG(str_trim(rest)));
    snprintf(x->body, sizeof x->body, "%s", body);
    x->body_given = str_c(x->body);
    char *kept = x->path + strlen(x->path) + 1; // headers live as long as the exchange
    size_t room = sizeof x->path - (size_t)(kept - x->path);
    if (strlen(wait) + strlen(idem) + 2 <= room) {
        memcpy(kept, wait, strlen(wait) + 1);
        memcpy(kept + strlen(wait) + 1, idem, strlen(idem) + 1);
        rig_header(x, "Prefer", kept);
        if (strcmp(idem, "-") != 0)
            rig_header(x, "Idempotency-Key", kept + strlen(wait) + 1);
    }
    rig_run(g, x);
}

static void answer(struct rig *g, struct str rest)
{
    while (g->answered < g->count && !g->posts[g->answered].token)
        g->answered++;
    if (g->answered < g->count)
        rig_answer(g, str_eq_c(rest, "no") ? ERR_AGAIN : ERR_OK);
}

static void settle(struct rig *g, struct str rest)
{
    for (size_t i = g->count; i > 0; i--) {
        if (g->posts[i - 1].kind != EV_MESSAGE)
            continue;
        rig_settle(g, g->posts[i - 1].id, "stanza", str_eq_c(rest, "no") ? ERR_FORBIDDEN : ERR_OK);
        return;
    }
}

static void park(struct rig *g, struct str rest)
{
    rig_park(g, "a", str_eq_c(rest, "no") ? ERR_OK : ERR_REGISTRATION);
}

static void gone(struct rig *g, struct str rest)
{
    (void)rest;
    for (size_t i = 0; i < g->exchange_count; i++) {
        struct http_exchange *x = g->exchanges[i];
        if (!x->answers && !x->gone) {
            rig_gone(g, x);
            return;
        }
    }
}

static void pass(struct rig *g, struct str rest)
{
    int64_t ms;
    rig_pass(g, str_to_i64(rest, &ms) && ms > 0 && ms < 200000 ? ms : 1000);
}

static void operate(struct rig *g, struct str rest)
{
    struct strbuf out;
    struct errmsg msg;
    strbuf_init(&out, 65536);
    (void)g->a->ops->operate(g->a, rest, &out, &msg);
    strbuf_finish(&out);
}

static void restore(struct rig *g, struct str rest)
{
    struct str key;
    if (str_word(&rest, &key))
        g->a->ops->restore(g->a, key, str_trim(rest));
}

static void reload(struct rig *g, struct str rest)
{
    if (g->server_count < COUNT(g->servers))
        (void)rig_reload(g, str_eq_c(rest, "other") ? other : config);
}

static const struct {
    const char *word;
    void (*run)(struct rig *g, struct str rest);
} words[] = {{"ask", request}, {"journal", answer}, {"settle", settle},   {"park", park},    {"gone", gone},
             {"pass", pass},   {"hook", operate},   {"restore", restore}, {"reload", reload}};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rig *g = rig_start(config);
    struct str rest = fuzz_str(data, size), line, word;
    log_set_level(LOG_ERROR);
    for (unsigned n = 0; n < LINES && rest.n && g->count + EVENTS < RIG_POSTS; n++) {
        (void)str_cut(rest, '\n', &line, &rest);
        for (size_t i = 0; str_word(&line, &word) && i < COUNT(words); i++) {
            if (!str_eq_c(word, words[i].word))
                continue;
            words[i].run(g, str_trim(line));
            line = STR_NONE;
        }
    }
    rig_free(g);
    return 0;
}
