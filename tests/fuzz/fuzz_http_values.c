/* What handlers read with, fed with anything: forms, media types, Authorization, Prefer, multipart bodies, blocks of
 * addresses. What is accepted keeps its promises. */
#include "base/utf8.h"
#include "fuzz.h"
#include "net/http_field.h"
#include "net/http_form.h"
#include "net/http_multipart.h"
#include "net/net_cidr.h"

static void try_form(struct arena *a, struct str s)
{
    const struct http_pair *pairs;
    size_t n;
    if (!http_form_parse(a, s, 20, &pairs, &n))
        return;
    FUZZ_CHECK(n <= 20);
    for (size_t i = 0; i < n; i++)
        FUZZ_CHECK(utf8_valid(pairs[i].name) && utf8_valid(pairs[i].value));
}

static void try_fields(struct arena *a, struct str s)
{
    struct http_media m;
    struct http_prefer p = {0};
    struct str user, password;
    if (http_media_parse(a, s, &m)) {
        FUZZ_CHECK(m.type.n > 0 && m.count <= HTTP_PARAMS_MAX);
        for (size_t i = 0; i < m.count; i++)
            FUZZ_CHECK(m.params[i].name.n > 0 && m.params[i].value.n <= s.n);
    }
    if (http_auth_basic(a, s, &user, &password))
        FUZZ_CHECK(str_find(user, ':') < 0);
    if (http_auth_bearer(s, &user))
        FUZZ_CHECK(user.n > 0 && str_find(user, ' ') < 0);
    http_prefer_add(&p, s);
    FUZZ_CHECK(p.wait_s >= 0 && p.wait_s <= 86400);
}

static void try_multipart(struct arena *a, struct str s)
{
    const struct http_part *parts;
    struct errmsg msg;
    size_t n, total = 0;
    if (http_multipart_parse(a, STR("b"), s, &parts, &n, &msg))
        return;
    FUZZ_CHECK(n <= HTTP_PARTS_MAX);
    for (size_t i = 0; i < n; i++) {
        FUZZ_CHECK(parts[i].name.p && str_find_str(parts[i].data, STR("\r\n--b")) < 0);
        total += parts[i].data.n;
    }
    FUZZ_CHECK(total <= s.n);
}

static void try_cidr(struct str s)
{
    struct net_cidr c;
    struct net_ip ip;
    struct errmsg msg;
    char text[NET_IP_TEXT];
    if (net_cidr_parse(s, &c, &msg) == ERR_OK) {
        memcpy(ip.b, c.b, sizeof ip.b);
        ip.known = true;
        FUZZ_CHECK(net_cidr_has(&c, &ip));
    }
    if (net_ip_parse(s, &ip)) {
        struct net_ip again;
        FUZZ_CHECK(net_ip_parse(str_c(net_ip_format(&ip, text)), &again) && net_ip_equal(&ip, &again));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct str s = fuzz_str(data, size);
    arena_init(&a, 0);
    try_form(&a, s);
    try_fields(&a, s);
    try_multipart(&a, s);
    try_cidr(s);
    arena_finish(&a);
    return 0;
}
