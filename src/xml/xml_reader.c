/* Reads an XMPP stream: xml_frame.c cuts it into whole pieces, expat parses each, and the tree of one stanza at a time
 * is built in an arena.
 *
 * Happy path: a stanza that came in one read is parsed where it lies; one that came in several is collected in `held`
 * first. So expat never sees half a token: its reparse deferral has nothing to defer, nothing is scanned twice however
 * finely the bytes drip in, and no event is raised from inside expat.
 *
 * Failure modes: a piece that expat refuses, or sees otherwise than the frame does, kills the reader. A stanza over its
 * byte bound is never parsed: what was collected of it is dropped but for its head. One over another bound is parsed to
 * its end without building. Either way its head alone is parsed (by a parser that is then thrown away with the open
 * element) and reported. */
#include "xml/xml_reader.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "xml/xml_frame.h"

#include <expat.h>

enum {
    RENEW_BYTES = 1 << 20,
    HEADER_BYTES = 16384,
    TEXT_MIN = 32,   // smallest room for text
    NS_SEPARATOR = 1 // U+0001 cannot occur in XML
};

struct level { // an open element; the stream's root is the first
    struct xml_node *node;
    char *text; // node->text, to be written to
};

struct xml_reader {
    struct xml_limits limits;
    struct xml_reader_events ev;
    void *ud;
    struct xml_frame frame;
    struct strbuf header; // raw: each new parser is given it first
    struct strbuf held;   // the beginning of a piece that is not complete
    XML_Parser parser;    // NULL: to be made for the next piece
    size_t parsed;        // bytes it was given
    struct arena arena;   // of one piece
    struct level *levels; // limits.depth + 1
    size_t depth;         // open elements, those that are not built included
    unsigned nodes;
    bool over; // the stanza is beyond a bound: build no more of it
    bool stopped, dead;
};

static void *expat_alloc(size_t n)
{
    return mem_alloc(n);
}

static void *expat_realloc(void *p, size_t n)
{
    return mem_realloc(p, n, 1);
}

static struct xml_limits with_defaults(const struct xml_limits *in)
{
    struct xml_limits l = in ? *in : (struct xml_limits){0};
    l.stanza_bytes = l.stanza_bytes ? l.stanza_bytes : 262144;
    l.depth = l.depth ? l.depth : 64;
    l.attrs = l.attrs ? l.attrs : 64;
    l.nodes = l.nodes ? l.nodes : 8192;
    return l;
}

struct xml_reader *xml_reader_create(const struct xml_limits *limits, const struct xml_reader_events *ev, void *ud)
{
    struct xml_reader *r = MEM_NEW(struct xml_reader);
    r->limits = with_defaults(limits);
    r->ev = *ev;
    r->ud = ud;
    xml_frame_init(&r->frame, r->limits.stanza_bytes);
    strbuf_init(&r->header, HEADER_BYTES);
    strbuf_init(&r->held, r->limits.stanza_bytes > HEADER_BYTES ? r->limits.stanza_bytes : HEADER_BYTES);
    arena_init(&r->arena, 0);
    r->levels = mem_zalloc(r->limits.depth + 1, sizeof *r->levels);
    return r;
}

static void drop_parser(struct xml_reader *r)
{
    if (r->parser)
        XML_ParserFree(r->parser);
    r->parser = NULL;
}

void xml_reader_destroy(struct xml_reader *r)
{
    if (!r)
        return;
    drop_parser(r);
    strbuf_finish(&r->header);
    strbuf_finish(&r->held);
    arena_finish(&r->arena);
    mem_free(r->levels);
    mem_free(r);
}

/* The tree. Level 0 is the root; elements deeper than the bound are counted in `depth` but have no level. */

// expat gives "namespace\1name", or "name" alone.
static void split_name(struct xml_reader *r, const XML_Char *expat_name, struct str *ns, struct str *name)
{
    struct str full = str_c(expat_name);
    ptrdiff_t at = str_find(full, NS_SEPARATOR);
    *ns = STR("");
    if (at < 0) {
        *name = arena_dup(&r->arena, full);
        return;
    }
    *ns = arena_dup(&r->arena, str_sub(full, 0, (size_t)at));
    *name = arena_dup(&r->arena, str_sub(full, (size_t)at + 1, full.n));
}

static void add_attrs(struct xml_reader *r, struct xml_node *n, const XML_Char **pairs)
{
    struct xml_attr **end = &n->attrs;
    for (unsigned i = 0; pairs[0]; i++, pairs += 2) {
        if (i == r->limits.attrs) {
            r->over = true;
            return;
        }
        struct xml_attr *a = ARENA_NEW(&r->arena, struct xml_attr);
        split_name(r, pairs[0], &a->ns, &a->name);
        a->value = arena_dup(&r->arena, str_c(pairs[1]));
        *end = a;
        end = &a->next;
    }
}

static void link_child(struct xml_node *parent, struct xml_node *n)
{
    n->parent = parent;
    if (parent->last)
        parent->last->next = n;
    else
        parent->first = n;
    parent->last = n;
}

static void on_start(void *ud, const XML_Char *name, const XML_Char **attrs)
{
    struct xml_reader *r = ud;
    size_t depth = r->depth++;
    if (depth > r->limits.depth || r->nodes == r->limits.nodes)
        r->over = true;
    if (r->over)
        return;
    r->nodes++;
    struct xml_node *n = ARENA_NEW(&r->arena, struct xml_node);
    split_name(r, name, &n->ns, &n->name);
    n->text = STR("");
    add_attrs(r, n, attrs);
    r->levels[depth] = (struct level){n, NULL};
    if (depth > 1)
        link_child(r->levels[depth - 1].node, n);
}

static void on_end(void *ud, const XML_Char *name)
{
    struct xml_reader *r = ud;
    (void)name;
    r->depth--;
}

static size_t text_room(size_t n)
{
    size_t room = TEXT_MIN;
    while (room <= n)
        room *= 2;
    return room;
}

// expat gives text in many pieces (each reference and line end is one), so its room doubles.
static void on_text(void *ud, const XML_Char *p, int len)
{
    struct xml_reader *r = ud;
    if (r->over || r->depth < 2)
        return;
    struct level *l = &r->levels[r->depth - 1];
    size_t old = l->node->text.n;
    size_t n = old + (size_t)len;
    if (!l->text || text_room(n) != text_room(old)) {
        char *text = arena_alloc(&r->arena, text_room(n));
        if (old)
            memcpy(text, l->text, old);
        l->text = text;
    }
    memcpy(l->text + old, p, (size_t)len);
    l->text[n] = '\0';
    l->node->text = (struct str){l->text, n};
}

/* Pieces. */

static enum err fail(struct xml_reader *r, struct errmsg *msg, const char *why)
{
    r->dead = true;
    return err_set(msg, ERR_PROTO, "XML stream: %s", why);
}

// Sizes are bounded far below INT_MAX.
static enum err parse(struct xml_reader *r, struct str bytes, struct errmsg *msg)
{
    r->parsed += bytes.n;
    if (XML_Parse(r->parser, bytes.p, (int)bytes.n, XML_FALSE) == XML_STATUS_OK)
        return ERR_OK;
    return fail(r, msg, XML_ErrorString(XML_GetErrorCode(r->parser)));
}

static void begin_piece(struct xml_reader *r)
{
    arena_reset(&r->arena);
    r->nodes = 0;
    r->over = false;
}

static enum err new_parser(struct xml_reader *r, struct errmsg *msg)
{
    static const XML_Memory_Handling_Suite heap = {expat_alloc, expat_realloc, mem_free};
    static const XML_Char separator[] = {NS_SEPARATOR, '\0'};
    drop_parser(r);
    r->parser = XML_ParserCreate_MM("UTF-8", &heap, separator);
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, on_start, on_end);
    XML_SetCharacterDataHandler(r->parser, on_text);
    r->parsed = 0;
    r->depth = 0;
    begin_piece(r);
    enum err e = parse(r, strbuf_view(&r->header), msg);
    return !e && r->depth != 1 ? fail(r, msg, "no stream header") : e;
}

static enum err renew_parser(struct xml_reader *r, struct errmsg *msg)
{
    return r->parser && r->parsed < RENEW_BYTES ? ERR_OK : new_parser(r, msg);
}

static enum err take_header(struct xml_reader *r, struct str piece, struct errmsg *msg)
{
    if (!strbuf_str(&r->header, piece))
        return fail(r, msg, "stream header too long");
    enum err e = new_parser(r, msg);
    if (e)
        return e;
    if (r->over)
        return fail(r, msg, "too many attributes in the stream header");
    r->ev.open(r->ud, r->levels[0].node);
    return ERR_OK;
}

// The head's node, or one without a name: where not one attribute is within the bounds, or a prefix is declared beyond
// them.
static const struct xml_node *parse_head(struct xml_reader *r, struct str head)
{
    static const struct xml_node unknown;
    if (head.n && head.p[head.n - 1] != '>')
        head = arena_concat(&r->arena, (const struct str[]){head, STR(">")}, 2);
    bool good = head.n && XML_Parse(r->parser, head.p, (int)head.n, XML_FALSE) == XML_STATUS_OK && r->nodes;
    return good ? r->levels[1].node : &unknown;
}

// `head`: the first tag, or its beginning up to the end of an attribute; empty when not even that is within the bounds.
static enum err report_oversize(struct xml_reader *r, struct str head, struct errmsg *msg)
{
    enum err e = new_parser(r, msg);
    begin_piece(r);
    if (!e)
        r->ev.oversize(r->ud, parse_head(r, head));
    drop_parser(r);
    return e;
}

// Of `piece` at least the first limits.stanza_bytes are there.
static enum err take_stanza(struct xml_reader *r, struct str piece, struct errmsg *msg)
{
    const struct xml_frame *f = &r->frame;
    if (f->size > r->limits.stanza_bytes)
        return report_oversize(r, str_sub(piece, 0, f->head <= r->limits.stanza_bytes ? f->head : f->attrs), msg);
    enum err e = renew_parser(r, msg);
    begin_piece(r);
    if (!e)
        e = parse(r, piece, msg);
    if (!e && (r->depth != 1 || r->nodes == 0)) // expat waits for the rest of a character
        e = fail(r, msg, "unclear where a stanza ends");
    if (e)
        return e;
    if (r->over)
        return report_oversize(r, str_sub(piece, 0, f->head), msg);
    r->ev.stanza(r->ud, r->levels[1].node);
    return ERR_OK;
}

static enum err take_close(struct xml_reader *r, struct str piece, struct errmsg *msg)
{
    enum err e = renew_parser(r, msg);
    if (!e)
        e = parse(r, piece, msg);
    if (!e && r->depth != 0)
        e = fail(r, msg, "unclear where the stream ends");
    if (!e)
        r->ev.close(r->ud);
    return e;
}

static enum err take_bad(struct xml_reader *r, struct str piece, struct errmsg *msg)
{
    (void)piece;
    return fail(r, msg, "not allowed in XMPP, or not XML");
}

static enum err hold(struct xml_reader *r, struct str part, struct errmsg *msg)
{
    strbuf_str(&r->held, str_sub(part, 0, r->held.max - r->held.n));
    if (r->frame.depth == 0 && r->frame.inside && r->frame.size > HEADER_BYTES)
        return fail(r, msg, "stream header too long");
    return ERR_OK;
}

typedef enum err take_fn(struct xml_reader *r, struct str piece, struct errmsg *msg);

static take_fn *const takers[] = {
    [XML_PIECE_MORE] = hold,        [XML_PIECE_HEADER] = take_header, [XML_PIECE_STANZA] = take_stanza,
    [XML_PIECE_CLOSE] = take_close, [XML_PIECE_BAD] = take_bad,
};

static enum err take(struct xml_reader *r, enum xml_piece kind, struct str part, struct errmsg *msg)
{
    if (kind == XML_PIECE_MORE || r->held.n == 0)
        return takers[kind](r, part, msg);
    enum err e = hold(r, part, msg);
    if (!e)
        e = takers[kind](r, strbuf_view(&r->held), msg);
    strbuf_clear(&r->held);
    strbuf_shrink(&r->held, HEADER_BYTES);
    return e;
}

enum err xml_reader_feed(struct xml_reader *r, struct str bytes, struct errmsg *msg)
{
    enum err e = r->dead ? fail(r, msg, "it has failed before") : ERR_OK;
    while (!e && !r->stopped && bytes.n) {
        struct str part;
        enum xml_piece kind = xml_frame_next(&r->frame, &bytes, &part);
        e = take(r, kind, part, msg);
    }
    return e;
}

void xml_reader_stop(struct xml_reader *r)
{
    r->stopped = true;
}

size_t xml_reader_memory(const struct xml_reader *r)
{
    return sizeof *r + (r->limits.depth + 1) * sizeof *r->levels + r->header.cap + r->held.cap + r->arena.total;
}
