/* Any bytes as a stream: no crash, bounded memory, and the same events whether they come at once or in portions. */
#include "base/strbuf.h"
#include "fuzz.h"
#include "xml/xml_reader.h"

static void dump(struct strbuf *out, const struct xml_node *top)
{
    const struct xml_node *n = top;
    while (n) {
        strbuf_printf(out, "<{" STR_FMT "}" STR_FMT, STR_ARG(n->ns), STR_ARG(n->name));
        for (const struct xml_attr *a = n->attrs; a; a = a->next)
            strbuf_printf(out, " {" STR_FMT "}" STR_FMT "='" STR_FMT "'", STR_ARG(a->ns), STR_ARG(a->name),
                          STR_ARG(a->value));
        strbuf_printf(out, ">" STR_FMT, STR_ARG(n->text));
        if (n->first) {
            n = n->first;
            continue;
        }
        while (n && n != top && !n->next)
            n = n->parent;
        n = n == top ? NULL : n ? n->next : NULL;
    }
    strbuf_char(out, '\n');
}

static void on_open(void *ud, const struct xml_node *n)
{
    strbuf_c(ud, "open ");
    dump(ud, n);
}

static void on_stanza(void *ud, const struct xml_node *n)
{
    strbuf_c(ud, "stanza ");
    dump(ud, n);
}

static void on_oversize(void *ud, const struct xml_node *n)
{
    strbuf_c(ud, "over ");
    dump(ud, n);
}

static void on_close(void *ud)
{
    strbuf_c(ud, "close\n");
}

static void read_all(const uint8_t *data, size_t size, size_t portion, struct strbuf *out)
{
    static const struct xml_reader_events ev = {on_open, on_stanza, on_oversize, on_close};
    static const struct xml_limits limits = {.stanza_bytes = 300, .depth = 5, .attrs = 4, .nodes = 10};
    struct xml_reader *r = xml_reader_create(&limits, &ev, out);
    enum err e = ERR_OK;
    for (size_t at = 0; at < size && !e; at += portion) {
        struct str bytes = {(const char *)data + at, portion < size - at ? portion : size - at};
        e = xml_reader_feed(r, bytes, NULL);
    }
    FUZZ_CHECK(xml_reader_memory(r) < 200000);
    strbuf_c(out, err_name(e));
    xml_reader_destroy(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct strbuf whole, parts;
    strbuf_init(&whole, 1 << 24);
    strbuf_init(&parts, 1 << 24);
    read_all(data + 1, size - 1, size, &whole);
    read_all(data + 1, size - 1, 1 + data[0] % 16, &parts);
    FUZZ_CHECK(str_eq(strbuf_view(&whole), strbuf_view(&parts)));
    strbuf_finish(&whole);
    strbuf_finish(&parts);
    return 0;
}
