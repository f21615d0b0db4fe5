/* md4c reads the Markdown; its events are written as styled text, line by line.
 *
 * A line has a prefix: "> " for each quotation, the marker or the space of each list item. Inline text is collected and
 * written where something else begins, so that it is escaped as a whole. A span is written with its opening directive,
 * and loses it when, at its end, it turns out that it would close too early. */
#include "text/markdown_private.h"

#include "text/shown.h"
#include "text/slack_markup.h"

#include <md4c.h>

enum {
    EVENTS = 400000,            // of md4c: tables of few bytes may have many cells
    BRACKETS = 8 * 1000 * 1000, // times lines of a paragraph
    LINK_DEPTH = 8,
    ATTRIBUTES = 4 * 1024 * 1024, // bytes of URLs and titles: a definition is read at each reference
};

enum leaf {
    LEAF_NONE,
    LEAF_PARAGRAPH,
    LEAF_HEADING,
    LEAF_ITEM, // the text of an item of a tight list
    LEAF_BLOCK,
    LEAF_LIST,
    LEAF_QUOTE,
    LEAF_QUOTATIONS, // one has ended and another begins: without an empty line they would be one
};

struct piece {
    bool quote;
    bool marked; // the marker was written
    char marker[32];
    size_t width;
};

struct list {
    bool ordered;
    unsigned next;
    char delimiter;
};

enum { SPAN_STRONG, SPAN_EMPHASIS, SPAN_STRUCK, SPANS };
static const char span_chars[SPANS] = {'*', '_', '~'};

struct span {
    unsigned open; // how deep in spans of this kind
    struct styling_span written;
};

struct markdown {
    struct arena *a;
    const struct markdown_options *options;
    struct markdown_images *images;
    struct strbuf out;
    struct styling styling;
    struct strbuf text; // inline text, code, HTML or a cell that is not yet written
    struct piece pieces[MARKDOWN_DEPTH];
    size_t piece_count;
    struct list lists[MARKDOWN_DEPTH];
    size_t list_count;
    enum leaf previous;   // what was written last
    size_t common_quotes; // around two quotations
    bool in_leaf;
    unsigned order[SPANS]; // the kinds of the spans that are written, outermost first
    size_t written;
    struct span spans[SPANS];
    struct str links[LINK_DEPTH]; // URLs of links and images that are open
    size_t link_from[LINK_DEPTH];
    size_t link_count, image_depth;
    bool verbatim; // a code block, HTML or a cell: text is collected as it is
    bool in_code;  // a code span
    struct markdown_table table;
    size_t events, attributes;
    bool failed; // too deep or too much
};

static bool full(const struct markdown *m)
{
    return m->out.full;
}

// The quotations that stand before any list item: those a client sees as such.
static size_t quotes_before_items(const struct markdown *m)
{
    size_t n = 0;
    while (n < m->piece_count && m->pieces[n].quote)
        n++;
    return n;
}

static void put_spaces(struct markdown *m, size_t n)
{
    while (n-- > 0)
        (void)strbuf_char(&m->out, ' ');
}

static void put_prefix(struct markdown *m)
{
    for (size_t i = 0; i < m->piece_count; i++) {
        struct piece *p = &m->pieces[i];
        if (p->quote)
            (void)strbuf_c(&m->out, "> ");
        else if (p->marked)
            put_spaces(m, p->width);
        else
            (void)strbuf_c(&m->out, p->marker);
        p->marked = true;
    }
}

static bool marker_waits(const struct markdown *m)
{
    for (size_t i = 0; i < m->piece_count; i++)
        if (!m->pieces[i].quote && !m->pieces[i].marked)
            return true;
    return false;
}

// An empty line between two leaves, or none.
static bool wants_gap(const struct markdown *m, enum leaf next)
{
    if (marker_waits(m))
        return false;
    if (next == LEAF_HEADING)
        return true;
    return next == LEAF_PARAGRAPH && (m->previous == LEAF_PARAGRAPH || m->previous == LEAF_LIST);
}

// Ends the line before, and leaves an empty one where there is to be one.
static void put_line_end(struct markdown *m, bool gap, size_t quotes)
{
    (void)strbuf_char(&m->out, '\n');
    for (size_t i = 0; gap && i < quotes; i++)
        (void)strbuf_c(&m->out, i + 1 < quotes ? "> " : ">");
    if (gap)
        (void)strbuf_char(&m->out, '\n');
}

// Ends the line before a leaf.
static void leave_line(struct markdown *m, enum leaf next)
{
    if (m->previous == LEAF_QUOTATIONS)
        put_line_end(m, true, m->common_quotes);
    else if (m->previous != LEAF_NONE)
        put_line_end(m, wants_gap(m, next), quotes_before_items(m));
}

static void start_leaf(struct markdown *m, enum leaf leaf)
{
    leave_line(m, leaf);
    put_prefix(m);
    m->previous = leaf;
    m->in_leaf = true;
}

// Fenced blocks stand at the beginning of their line, so items do not indent them.
static void start_fence(struct markdown *m)
{
    if (marker_waits(m))
        start_leaf(m, LEAF_ITEM);
    leave_line(m, LEAF_BLOCK);
    size_t quotes = quotes_before_items(m);
    for (size_t i = 0; i < quotes; i++)
        (void)strbuf_c(&m->out, "> ");
    m->previous = LEAF_BLOCK;
    m->in_leaf = false;
}

// Writes the text that was collected. `last`: the line ends behind it.
static void flush(struct markdown *m, bool last)
{
    if (m->text.n == 0)
        return;
    struct str text = strbuf_view(&m->text);
    if (m->link_count == 0) // a URL may look as if it had one
        text = slack_markup_emojis(m->a, text);
    (void)(last ? styling_value_end(&m->styling, &m->out, text) : styling_value(&m->styling, &m->out, text));
    strbuf_clear(&m->text);
}

static void open_span(struct markdown *m, unsigned kind)
{
    if (styling_span_open(&m->styling, &m->out, span_chars[kind], &m->spans[kind].written))
        m->order[m->written++] = kind;
}

static void close_span(struct markdown *m, unsigned kind)
{
    if (styling_span_close(&m->styling, &m->out, &m->spans[kind].written))
        m->written--;
}

// Closes the written spans, and remembers in *open which and in which order.
static size_t close_all(struct markdown *m, unsigned open[SPANS])
{
    size_t n = m->written;
    memcpy(open, m->order, sizeof m->order);
    for (size_t i = n; i > 0; i--)
        close_span(m, open[i - 1]);
    return n;
}

// Spans end with their line, and begin again on the next.
static void break_line(struct markdown *m)
{
    unsigned open[SPANS];
    flush(m, m->written == 0);
    size_t n = close_all(m, open);
    put_line_end(m, false, 0);
    put_prefix(m);
    for (size_t i = 0; i < n; i++)
        open_span(m, open[i]);
}

// md4c's ends of spans do not always match their beginnings: what a leaf leaves open ends with it.
static void forget_spans(struct markdown *m)
{
    m->link_count = m->image_depth = 0;
    m->in_code = false;
    for (size_t i = 0; i < SPANS; i++)
        m->spans[i].open = 0;
}

static void end_leaf(struct markdown *m)
{
    unsigned open[SPANS];
    flush(m, m->written == 0);
    (void)close_all(m, open);
    forget_spans(m);
    m->in_leaf = false;
}

static struct str attribute_text(struct markdown *m, const MD_ATTRIBUTE *at)
{
    char c[8];
    struct strbuf b;
    strbuf_init(&b, at->size + 16);
    for (size_t i = 0; at->size > 0 && at->substr_offsets[i] < at->size; i++) {
        struct str part = {at->text + at->substr_offsets[i], at->substr_offsets[i + 1] - at->substr_offsets[i]};
        if (at->substr_types[i] == MD_TEXT_ENTITY)
            part = markdown_entity(part, c);
        (void)strbuf_str(&b, part);
    }
    struct str text = arena_dup(m->a, strbuf_view(&b));
    strbuf_finish(&b);
    return text;
}

// Where text goes that stands outside of any block that md4c tells of: an item of a tight list.
static void need_leaf(struct markdown *m)
{
    if (!m->in_leaf)
        start_leaf(m, LEAF_ITEM);
}

static int on_text(MD_TEXTTYPE type, const MD_CHAR *text, MD_SIZE size, void *ctx)
{
    struct markdown *m = ctx;
    char c[8];
    struct str s = {text, size};
    if (++m->events > EVENTS)
        m->failed = true;
    if (!m->verbatim)
        need_leaf(m);
    if (type == MD_TEXT_ENTITY && !m->in_code)
        s = markdown_entity(s, c);
    else if (type == MD_TEXT_NULLCHAR)
        s = STR("\xEF\xBF\xBD");
    else if (type == MD_TEXT_HTML && !m->verbatim)
        s = markdown_is_break(s) ? STR("\n") : STR_NONE;
    else if (type == MD_TEXT_BR || type == MD_TEXT_SOFTBR)
        s = type == MD_TEXT_BR || m->options->lines || m->options->discord ? STR("\n") : STR(" ");
    if (str_eq(s, STR("\n")) && !m->verbatim && type != MD_TEXT_CODE)
        break_line(m);
    else
        (void)strbuf_str(&m->text, s);
    return m->failed || full(m);
}

static void enter_code_span(struct markdown *m)
{
    if (m->verbatim)
        return;
    flush(m, false);
    m->in_code = true;
}

static void leave_code_span(struct markdown *m)
{
    struct str code = strbuf_view(&m->text);
    if (m->verbatim)
        return;
    m->in_code = false;
    if (str_find(code, '`') >= 0)
        (void)styling_value(&m->styling, &m->out, code);
    else
        (void)styling_code(&m->styling, &m->out, code);
    strbuf_clear(&m->text);
}

static void push_link(struct markdown *m, const MD_ATTRIBUTE *url, const MD_ATTRIBUTE *title)
{
    m->attributes += url->size + title->size;
    if (m->attributes > ATTRIBUTES || m->link_count == LINK_DEPTH) {
        m->failed = true;
        return;
    }
    if (!m->verbatim)
        flush(m, false);
    m->links[m->link_count] = shown_url(m->a, attribute_text(m, url));
    m->link_from[m->link_count++] = m->verbatim ? m->text.n : m->out.n;
}

// What stands between a link's ends, where it is written.
static struct str link_text(struct markdown *m, size_t from)
{
    return str_trim(str_sub(strbuf_view(m->verbatim ? &m->text : &m->out), from, SIZE_MAX));
}

static void put_url(struct markdown *m, struct str text, struct str url)
{
    struct strbuf *b = m->verbatim ? &m->text : &m->out;
    if (str_empty(url) || shown_same(text, url))
        return;
    (void)strbuf_c(b, str_empty(text) ? "" : " <");
    (void)strbuf_str(b, url);
    (void)strbuf_c(b, str_empty(text) ? "" : ">");
}

static void leave_link(struct markdown *m)
{
    if (!m->verbatim)
        flush(m, false);
    struct str url = m->links[--m->link_count];
    put_url(m, link_text(m, m->link_from[m->link_count]), url);
}

// An image within a link is a badge or a thumbnail: the link is what matters.
static void leave_image(struct markdown *m)
{
    if (!m->verbatim)
        flush(m, false);
    struct str url = m->links[--m->link_count], text = link_text(m, m->link_from[m->link_count]);
    m->image_depth--;
    if (m->link_count > 0)
        return;
    struct markdown_images *list = m->images;
    bool remote = str_starts(url, STR("http://")) || str_starts(url, STR("https://"));
    if (list && remote && list->n < MARKDOWN_IMAGES)
        list->at[list->n++] = (struct markdown_image){url, arena_dup(m->a, text)};
    put_url(m, text, url);
}

static int span_kind(MD_SPANTYPE type)
{
    return type == MD_SPAN_STRONG ? SPAN_STRONG
           : type == MD_SPAN_EM   ? SPAN_EMPHASIS
           : type == MD_SPAN_DEL  ? SPAN_STRUCK
                                  : -1;
}

static int on_enter_span(MD_SPANTYPE type, void *detail, void *ctx)
{
    struct markdown *m = ctx;
    int kind = span_kind(type);
    if (++m->events > EVENTS)
        m->failed = true;
    if (!m->verbatim)
        need_leaf(m);
    if (type == MD_SPAN_CODE) {
        enter_code_span(m);
    } else if (type == MD_SPAN_A) {
        const MD_SPAN_A_DETAIL *d = detail;
        push_link(m, &d->href, &d->title);
    } else if (type == MD_SPAN_IMG) {
        const MD_SPAN_IMG_DETAIL *d = detail;
        push_link(m, &d->src, &d->title);
        m->image_depth++;
    } else if (kind >= 0 && !m->verbatim && m->image_depth == 0 && m->spans[kind].open++ == 0) {
        flush(m, false);
        open_span(m, (unsigned)kind);
    }
    return m->failed || full(m);
}

static int on_leave_span(MD_SPANTYPE type, void *detail, void *ctx)
{
    struct markdown *m = ctx;
    int kind = span_kind(type);
    (void)detail;
    if (type == MD_SPAN_CODE)
        leave_code_span(m);
    else if (type == MD_SPAN_A && m->link_count > 0)
        leave_link(m);
    else if (type == MD_SPAN_IMG && m->link_count > 0 && m->image_depth > 0)
        leave_image(m);
    else if (kind >= 0 && !m->verbatim && m->image_depth == 0 && m->spans[kind].open > 0 &&
             --m->spans[kind].open == 0) {
        flush(m, false);
        close_span(m, (unsigned)kind);
    }
    return m->failed || full(m);
}

static void push_piece(struct markdown *m, bool quote)
{
    if (m->piece_count == MARKDOWN_DEPTH) {
        m->failed = true;
        return;
    }
    m->pieces[m->piece_count++] = (struct piece){.quote = quote, .marked = quote};
}

static void enter_quote(struct markdown *m)
{
    m->common_quotes = quotes_before_items(m);
    if (m->previous == LEAF_QUOTE && m->piece_count == m->common_quotes)
        m->previous = LEAF_QUOTATIONS;
    else if (m->previous != LEAF_NONE && m->previous != LEAF_QUOTATIONS)
        m->previous = LEAF_BLOCK;
    push_piece(m, true);
}

static void enter_list(struct markdown *m, bool ordered, unsigned start, char delimiter)
{
    m->in_leaf = false;
    if (m->list_count == MARKDOWN_DEPTH)
        m->failed = true;
    else
        m->lists[m->list_count++] = (struct list){ordered, start, delimiter};
}

static void enter_item(struct markdown *m, const MD_BLOCK_LI_DETAIL *d)
{
    struct list *l = &m->lists[m->list_count - 1];
    struct strbuf b;
    push_piece(m, false);
    if (m->failed)
        return;
    struct piece *p = &m->pieces[m->piece_count - 1];
    strbuf_init(&b, sizeof p->marker - 1);
    if (l->ordered)
        (void)strbuf_printf(&b, "%u%c ", l->next++, l->delimiter);
    else
        (void)strbuf_c(&b, "- ");
    p->width = l->ordered ? b.n : 2;
    if (d->is_task)
        (void)strbuf_c(&b, d->task_mark == ' ' ? "[ ] " : "[x] ");
    memcpy(p->marker, b.p, b.n + 1);
    strbuf_finish(&b);
}

static void leave_item(struct markdown *m)
{
    if (m->in_leaf)
        end_leaf(m);
    if (marker_waits(m)) {
        start_leaf(m, LEAF_ITEM);
        end_leaf(m);
    }
    m->piece_count--;
    m->previous = LEAF_ITEM;
}

static void enter_heading(struct markdown *m)
{
    start_leaf(m, LEAF_HEADING);
    m->spans[SPAN_STRONG].open++;
    open_span(m, SPAN_STRONG);
}

static void enter_verbatim(struct markdown *m)
{
    m->verbatim = true;
    strbuf_clear(&m->text);
}

static void leave_code(struct markdown *m, const MD_BLOCK_CODE_DETAIL *d)
{
    m->verbatim = false;
    start_fence(m);
    (void)styling_fenced(&m->styling, &m->out, attribute_text(m, &d->lang), strbuf_view(&m->text));
    strbuf_clear(&m->text);
}

static void leave_html(struct markdown *m)
{
    struct str text = markdown_html_text(m->a, strbuf_view(&m->text)), line;
    m->verbatim = false;
    strbuf_clear(&m->text);
    if (str_empty(text))
        return;
    start_leaf(m, LEAF_PARAGRAPH);
    for (bool more = true; more && !full(m);) {
        more = str_cut(text, '\n', &line, &text);
        (void)strbuf_str(&m->text, line);
        if (more)
            break_line(m);
    }
    end_leaf(m);
}

static void leave_table(struct markdown *m)
{
    m->verbatim = false;
    strbuf_clear(&m->text);
    start_fence(m);
    struct str text = markdown_table_text(m->a, &m->table, m->out.max);
    (void)styling_fenced(&m->styling, &m->out, STR_NONE, text);
}

static void leave_cell(struct markdown *m, const MD_BLOCK_TD_DETAIL *d)
{
    enum markdown_align align = d->align == MD_ALIGN_RIGHT    ? CELL_RIGHT
                                : d->align == MD_ALIGN_CENTER ? CELL_CENTER
                                                              : CELL_LEFT;
    markdown_table_cell(m->a, &m->table, strbuf_view(&m->text), align);
    forget_spans(m);
    strbuf_clear(&m->text);
}

static void put_rule(struct markdown *m)
{
    start_leaf(m, LEAF_BLOCK);
    (void)strbuf_c(&m->out, "———");
    m->in_leaf = false;
}

static int on_enter_block(MD_BLOCKTYPE type, void *detail, void *ctx)
{
    struct markdown *m = ctx;
    if (++m->events > EVENTS)
        m->failed = true;
    if (type != MD_BLOCK_DOC && m->in_leaf && !m->verbatim)
        end_leaf(m);
    switch (type) {
    case MD_BLOCK_QUOTE:
        enter_quote(m);
        break;
    case MD_BLOCK_UL:
        enter_list(m, false, 0, ' ');
        break;
    case MD_BLOCK_OL:
        enter_list(m, true, ((MD_BLOCK_OL_DETAIL *)detail)->start, ((MD_BLOCK_OL_DETAIL *)detail)->mark_delimiter);
        break;
    case MD_BLOCK_LI:
        enter_item(m, detail);
        break;
    case MD_BLOCK_HR:
        put_rule(m);
        break;
    case MD_BLOCK_H:
        enter_heading(m);
        break;
    case MD_BLOCK_P:
        start_leaf(m, LEAF_PARAGRAPH);
        break;
    case MD_BLOCK_TABLE:
        m->table = (struct markdown_table){NULL, NULL};
        enter_verbatim(m);
        break;
    case MD_BLOCK_CODE:
    case MD_BLOCK_HTML:
        enter_verbatim(m);
        break;
    case MD_BLOCK_TR:
        markdown_table_row(m->a, &m->table);
        break;
    case MD_BLOCK_DOC:
    case MD_BLOCK_THEAD:
    case MD_BLOCK_TBODY:
    case MD_BLOCK_TH:
    case MD_BLOCK_TD:
        break;
    }
    return m->failed || full(m);
}

static int on_leave_block(MD_BLOCKTYPE type, void *detail, void *ctx)
{
    struct markdown *m = ctx;
    switch (type) {
    case MD_BLOCK_QUOTE:
        m->piece_count--;
        m->previous = LEAF_QUOTE;
        break;
    case MD_BLOCK_UL:
    case MD_BLOCK_OL:
        m->list_count--;
        m->previous = LEAF_LIST;
        break;
    case MD_BLOCK_LI:
        leave_item(m);
        break;
    case MD_BLOCK_H:
    case MD_BLOCK_P:
        end_leaf(m);
        break;
    case MD_BLOCK_CODE:
        leave_code(m, detail);
        break;
    case MD_BLOCK_HTML:
        leave_html(m);
        break;
    case MD_BLOCK_TABLE:
        leave_table(m);
        break;
    case MD_BLOCK_TH:
    case MD_BLOCK_TD:
        leave_cell(m, detail);
        break;
    case MD_BLOCK_DOC:
    case MD_BLOCK_HR:
    case MD_BLOCK_THEAD:
    case MD_BLOCK_TBODY:
    case MD_BLOCK_TR:
        break;
    }
    return m->failed || full(m);
}

static bool is_blank(struct str s, size_t at)
{
    return at >= s.n || s.p[at] == ' ' || s.p[at] == '\t' || s.p[at] == '\n';
}

// True when a line begins with more marks of quotations and lists than are rendered: md4c would take its time with
// them.
static bool too_deep(struct str source)
{
    size_t marks = 0;
    bool start = true;
    for (size_t i = 0; i < source.n; i++) {
        char c = source.p[i];
        bool mark = c == '>' || (c != '\0' && strchr("-+*.)", c) && is_blank(source, i + 1));
        if (c == '\n')
            marks = 0;
        start = c == '\n' || (start && (mark || is_blank(source, i) || (c >= '0' && c <= '9')));
        marks += start && mark;
        if (marks > 2 * MARKDOWN_DEPTH)
            return true;
    }
    return false;
}

// True for a paragraph of so many lines and brackets that md4c, which seeks each bracket's line, would take its time
// too.
static bool too_many_brackets(struct str source)
{
    size_t lines = 0, brackets = 0;
    for (size_t i = 0; i < source.n; i++) {
        char c = source.p[i];
        if (c == '\n' && i > 0 && source.p[i - 1] == '\n')
            lines = brackets = 0;
        lines += c == '\n';
        brackets += c == '[';
        if (lines * brackets > BRACKETS)
            return true;
    }
    return false;
}

static int parse(struct markdown *m, struct str source)
{
    bool discord = m->options->discord;
    MD_PARSER parser = {
        .flags = MD_FLAG_STRIKETHROUGH | MD_FLAG_PERMISSIVEAUTOLINKS |
                 (discord ? MD_FLAG_NOHTML | MD_FLAG_NOINDENTEDCODEBLOCKS : MD_FLAG_TABLES | MD_FLAG_TASKLISTS),
        .enter_block = on_enter_block,
        .leave_block = on_leave_block,
        .enter_span = on_enter_span,
        .leave_span = on_leave_span,
        .text = on_text,
    };
    return md_parse(source.n ? source.p : "", (MD_SIZE)source.n, &parser, m);
}

struct str markdown_styled(struct arena *a, struct str source, const struct markdown_options *options,
                           struct markdown_images *images)
{
    static const struct markdown_options usual = {0};
    struct markdown m = {.a = a, .options = options ? options : &usual, .images = images};
    size_t max = m.options->max ? m.options->max : (size_t)64 * 1024;
    max = max < 64 ? 64 : max;
    if (images)
        images->n = 0;
    source = styling_source(a, source, MARKDOWN_MAX);
    struct str marked = m.options->discord ? markdown_from_discord(a, source, m.options) : source;
    strbuf_init(&m.out, max + 1024);
    strbuf_init(&m.text, 4 * MARKDOWN_MAX);
    if (too_deep(source) || too_many_brackets(marked) || (parse(&m, marked) != 0 && !full(&m)))
        m.failed = true;
    struct str text = m.failed ? styling_cut(a, styling_escape(a, source), max) : styling_finish(a, &m.out, max);
    if (m.failed && images)
        images->n = 0;
    strbuf_finish(&m.out);
    strbuf_finish(&m.text);
    return text;
}
