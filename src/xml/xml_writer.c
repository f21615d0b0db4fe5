#include "xml/xml_writer.h"

#include "base/utf8.h"

#include <assert.h>

/* The bytes below 64 that do not stand for themselves, as bits; of the others those of the ASCII do. White space that a
 * parser would normalise is among them. */
#define BIT(c) (UINT64_C(1) << (c))
#define IN_TEXT (((BIT(32) - 1) & ~BIT('\t') & ~BIT('\n')) | BIT('&') | BIT('<') | BIT('>'))
#define IN_ATTR (IN_TEXT | BIT('\t') | BIT('\n') | BIT('\'') | BIT('"'))

#define REPLACEMENT STR("\xEF\xBF\xBD")

static bool is_special(unsigned char c, uint64_t special)
{
    return c >= 0x80 || (c < 64 && (special >> c & 1));
}

// The reference for an ASCII character that needs one; empty when it is none that XML allows.
static struct str reference(char c)
{
    switch (c) {
    case '&':
        return STR("&amp;");
    case '<':
        return STR("&lt;");
    case '>':
        return STR("&gt;");
    case '\'':
        return STR("&apos;");
    case '"':
        return STR("&quot;");
    case '\t':
        return STR("&#9;");
    case '\n':
        return STR("&#10;");
    case '\r':
        return STR("&#13;");
    default:
        return STR_NONE;
    }
}

// Writes the character at *at, which is special, and moves behind it.
static void put_special(struct strbuf *out, struct str s, size_t *at)
{
    size_t from = *at;
    uint32_t c = utf8_next(s, at);
    if (!utf8_xml_char(c)) // UINT32_MAX, what is malformed, is none either
        strbuf_str(out, REPLACEMENT);
    else if (c < 0x80)
        strbuf_str(out, reference((char)c));
    else
        strbuf_str(out, str_sub(s, from, *at));
}

static void escape(struct strbuf *out, struct str s, uint64_t special)
{
    size_t at = 0;
    while (at < s.n) {
        size_t run = at;
        while (at < s.n && !is_special((unsigned char)s.p[at], special))
            at++;
        if (at > run)
            strbuf_add(out, s.p + run, at - run);
        if (at < s.n)
            put_special(out, s, &at);
    }
}

void xml_escape(struct strbuf *out, struct str s)
{
    escape(out, s, IN_ATTR);
}

void xml_begin(struct xml_writer *w, struct strbuf *out)
{
    w->out = out;
    w->start = out->n;
    w->depth = 0;
    w->tag_open = false;
    w->failed = false;
}

static void end_tag(struct xml_writer *w)
{
    if (w->tag_open)
        strbuf_char(w->out, '>');
    w->tag_open = false;
}

// False once nothing more need be written, since xml_end() will take all back.
static bool going(struct xml_writer *w, size_t more)
{
    if (more > XML_STANZA_MAX || w->out->n - w->start > XML_STANZA_MAX)
        w->failed = true;
    return !w->failed;
}

void xml_open(struct xml_writer *w, const char *name)
{
    end_tag(w);
    if (w->depth == XML_WRITER_DEPTH)
        w->failed = true;
    if (!going(w, 0)) {
        w->depth++;
        return;
    }
    w->open[w->depth++] = name;
    strbuf_char(w->out, '<');
    strbuf_c(w->out, name);
    w->tag_open = true;
}

void xml_open_ns(struct xml_writer *w, const char *name, const char *ns)
{
    xml_open(w, name);
    xml_put_attr_c(w, "xmlns", ns);
}

void xml_put_attr(struct xml_writer *w, const char *name, struct str value)
{
    if (!going(w, value.n))
        return;
    assert(w->tag_open);
    strbuf_char(w->out, ' ');
    strbuf_c(w->out, name);
    strbuf_add(w->out, "='", 2);
    escape(w->out, value, IN_ATTR);
    strbuf_char(w->out, '\'');
}

void xml_put_attr_c(struct xml_writer *w, const char *name, const char *value)
{
    if (value)
        xml_put_attr(w, name, str_c(value));
}

void xml_text(struct xml_writer *w, struct str text)
{
    if (text.n == 0 || !going(w, text.n))
        return;
    end_tag(w);
    escape(w->out, text, IN_TEXT);
}

void xml_shut(struct xml_writer *w)
{
    assert(w->depth > 0);
    w->depth--;
    if (!going(w, 0))
        return;
    if (w->tag_open) {
        strbuf_add(w->out, "/>", 2);
        w->tag_open = false;
        return;
    }
    strbuf_add(w->out, "</", 2);
    strbuf_c(w->out, w->open[w->depth]);
    strbuf_char(w->out, '>');
}

void xml_leaf(struct xml_writer *w, const char *name, struct str text)
{
    xml_open(w, name);
    xml_text(w, text);
    xml_shut(w);
}

enum err xml_end(struct xml_writer *w)
{
    assert(w->depth == 0);
    if (going(w, 0) && !w->out->full)
        return ERR_OK;
    strbuf_truncate(w->out, w->start);
    return ERR_LIMIT;
}
