#include "xmpp/upload.h"

#include "base/clock.h"
#include "xmpp/ns.h"

static void put_query(struct xml_writer *w, const char *ns)
{
    xml_open_ns(w, "query", ns);
    xml_shut(w);
}

void upload_put_info(struct xml_writer *w)
{
    put_query(w, NS_DISCO_INFO);
}

void upload_put_items(struct xml_writer *w)
{
    put_query(w, NS_DISCO_ITEMS);
}

static bool is_upload_form(const struct xml_node *x)
{
    for (const struct xml_node *f = x->first; f; f = f->next) {
        if (str_eq_c(xml_attr(f, "var"), "FORM_TYPE"))
            return str_eq_c(xml_child_text(f, NS_DATA, "value"), NS_UPLOAD);
    }
    return false;
}

static void read_form(const struct xml_node *x, struct upload_info *out)
{
    uint64_t max;
    for (const struct xml_node *f = x->first; f && is_upload_form(x); f = f->next) {
        struct str value = xml_child_text(f, NS_DATA, "value");
        if (str_eq_c(xml_attr(f, "var"), "max-file-size") && str_to_u64(str_trim(value), &max))
            out->max = max;
    }
}

void upload_read_info(const struct xml_node *iq, struct upload_info *out)
{
    const struct xml_node *query = xml_child(iq, NS_DISCO_INFO, "query");
    *out = (struct upload_info){.max = UINT64_MAX};
    for (const struct xml_node *n = query ? query->first : NULL; n; n = n->next) {
        if (xml_is(n, NS_DISCO_INFO, "feature") && str_eq_c(xml_attr(n, "var"), NS_UPLOAD))
            out->offered = true;
        else if (xml_is(n, NS_DATA, "x"))
            read_form(n, out);
    }
}

size_t upload_read_items(const struct xml_node *iq, struct str out[UPLOAD_ITEMS])
{
    const struct xml_node *query = xml_child(iq, NS_DISCO_ITEMS, "query");
    size_t n = 0;
    for (const struct xml_node *i = query ? query->first : NULL; i && n < UPLOAD_ITEMS; i = i->next) {
        struct str jid = xml_attr(i, "jid");
        if (xml_is(i, NS_DISCO_ITEMS, "item") && jid.n && !xml_attr(i, "node").n)
            out[n++] = jid;
    }
    return n;
}

void upload_put_request(struct xml_writer *w, struct str name, uint64_t size, struct str media)
{
    char digits[24];
    struct strbuf text;
    strbuf_init(&text, sizeof digits);
    strbuf_u64(&text, size);
    xml_open_ns(w, "request", NS_UPLOAD);
    xml_put_attr(w, "filename", name);
    xml_put_attr(w, "size", strbuf_view(&text));
    xml_put_attr(w, "content-type", media);
    xml_shut(w);
    strbuf_finish(&text);
}

static bool may_send(struct str name)
{
    static const char *const names[] = {"Authorization", "Cookie", "Expires"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (str_case_eq(name, str_c(names[i])))
            return true;
    }
    return false;
}

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return true;
    }
    return false;
}

static enum err read_headers(const struct xml_node *put, struct upload_slot *out, const char **why)
{
    for (const struct xml_node *n = put->first; n; n = n->next) {
        struct str name = xml_attr(n, "name"), value = str_trim(n->text);
        if (!xml_is(n, NS_UPLOAD, "header") || !may_send(name))
            continue;
        *why = has_control(value) ? "a header of it has a line break" : "it has too many headers";
        if (has_control(value) || out->header_count == UPLOAD_HEADERS)
            return ERR_PROTO;
        out->headers[out->header_count++] = (struct upload_header){name, value};
    }
    return ERR_OK;
}

// Printable ASCII without blanks: what else a URL may hold is for who fetches it to judge.
static bool is_url(struct str s)
{
    bool web = str_case_eq(str_sub(s, 0, 8), STR("https://")) || str_case_eq(str_sub(s, 0, 7), STR("http://"));
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] <= 0x20 || s.p[i] > 0x7e)
            return false;
    }
    return web && s.n <= 2048;
}

enum err upload_read_slot(const struct xml_node *iq, struct upload_slot *out, const char **why)
{
    const struct xml_node *slot = xml_child(iq, NS_UPLOAD, "slot");
    const struct xml_node *put = slot ? xml_child(slot, NS_UPLOAD, "put") : NULL;
    *out = (struct upload_slot){.put = put ? xml_attr(put, "url") : STR_NONE};
    if (slot)
        out->get = xml_attr(xml_child(slot, NS_UPLOAD, "get"), "url");
    *why = "its URLs are none of http or https";
    if (!is_url(out->put) || !is_url(out->get))
        return ERR_PROTO;
    return read_headers(put, out, why);
}

void upload_read_refusal(const struct xml_node *iq, struct upload_refusal *out)
{
    const struct xml_node *error = iq ? xml_child(iq, NS_COMPONENT, "error") : NULL;
    const struct xml_node *large = error ? xml_child(error, NS_UPLOAD, "file-too-large") : NULL;
    struct str stamp = error ? xml_attr(xml_child(error, NS_UPLOAD, "retry"), "stamp") : STR_NONE;
    int64_t at;
    uint64_t max;
    *out = (struct upload_refusal){.max = UINT64_MAX};
    if (large)
        out->max = str_to_u64(str_trim(xml_child_text(large, NS_UPLOAD, "max-file-size")), &max) ? max : 0;
    if (clock_parse(stamp, &at) && at > 0)
        out->retry = at;
}
