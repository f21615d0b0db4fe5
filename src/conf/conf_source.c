/* The text of a configuration file: read within a bound, kept for messages, secrets in it hidden.
 *
 * A hidden character becomes '*'. The further bytes of a character that had several become HIDDEN, which looks like the
 * inside of a character: so offsets, lines and columns stay what they were, and printing leaves these bytes out. */
#include "conf/conf_value.h"

#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HIDDEN = 0x80, SHOWN_MAX = 120, SHOWN_BEFORE = 60 };

static bool inside_char(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

static enum err read_all(int fd, const char *path, size_t max, struct strbuf *out, struct errmsg *msg)
{
    for (;;) {
        char *room = strbuf_reserve(out, 4096);
        ssize_t n = room ? read(fd, room, 4096) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(msg, ERR_IO, "cannot read %s: %s", path, strerror(errno));
        strbuf_grew(out, (size_t)n);
        if (!room || out->n > max)
            return err_set(msg, ERR_LIMIT, "%s is larger than %zu bytes", path, max);
        if (n == 0)
            return ERR_OK;
    }
}

static enum err check_file(int fd, const char *path, bool regular, bool *exposed, struct errmsg *msg)
{
    struct stat st;
    if (fstat(fd, &st))
        return err_set(msg, ERR_IO, "cannot read %s: %s", path, strerror(errno));
    if (regular && !S_ISREG(st.st_mode))
        return err_set(msg, ERR_IO, "%s is not a regular file", path);
    *exposed = (st.st_mode & S_IROTH) != 0;
    return ERR_OK;
}

enum err conf_source_slurp(const char *path, size_t max, bool regular, struct strbuf *out, bool *exposed,
                           struct errmsg *msg)
{
    // Not to hang on a pipe or a terminal before it is known to be one.
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | (regular ? O_NONBLOCK : 0));
    if (fd < 0)
        return err_set(msg, ERR_IO, "cannot read %s: %s", path, strerror(errno));
    enum err e = check_file(fd, path, regular, exposed, msg);
    if (!e)
        e = read_all(fd, path, max, out, msg);
    (void)close(fd);
    return e;
}

void conf_check_file(const struct conf_value *path, struct conf_report *r)
{
    struct stat st;
    int fd = open(conf_cstr(path), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    int error = fd < 0 || fstat(fd, &st) ? errno : S_ISDIR(st.st_mode) ? EISDIR : 0;
    if (fd >= 0)
        (void)close(fd);
    if (error)
        conf_fail(r, path, "'" STR_FMT "': cannot read %s: %s", STR_ARG(conf_name(path)), conf_cstr(path),
                  strerror(error));
}

// The directory of the file `name`, absolute; owned.
static char *absolute_dir(const char *name)
{
    struct str dir, base;
    char cwd[PATH_MAX];
    struct strbuf b;
    strbuf_init(&b, 2 * PATH_MAX);
    bool nested = str_rcut(str_c(name), '/', &dir, &base);
    if (!nested || name[0] != '/')
        strbuf_c(&b, getcwd(cwd, sizeof cwd) ? cwd : ".");
    if (nested && name[0] != '/')
        strbuf_char(&b, '/');
    if (nested)
        strbuf_str(&b, dir);
    char *out = mem_dup(b.n ? b.p : "", b.n);
    strbuf_finish(&b);
    return out;
}

struct conf_source *conf_source_create(const char *name, struct str text)
{
    struct conf_source *s = MEM_NEW(struct conf_source);
    if (str_starts(text, STR("\xef\xbb\xbf")))
        text = str_sub(text, 3, text.n);
    s->refs = 1;
    s->name = mem_dup(name, strlen(name));
    s->dir = absolute_dir(name);
    s->text = mem_dup(text.n ? text.p : "", text.n);
    s->n = text.n;
    return s;
}

struct conf_source *conf_source_ref(struct conf_source *s)
{
    s->refs++;
    return s;
}

void conf_source_unref(struct conf_source *s)
{
    if (!s || --s->refs)
        return;
    mem_wipe(s->text, s->n);
    mem_free(s->text);
    mem_free(s->dir);
    mem_free(s->name);
    mem_free(s);
}

struct str conf_source_path(const struct conf_source *s, struct arena *a, struct str path)
{
    if (path.n && path.p[0] == '/')
        return arena_dup(a, path);
    const struct str parts[] = {str_c(s->dir), STR("/"), path};
    return arena_concat(a, parts, 3);
}

void conf_source_mask(struct conf_source *s, struct conf_place place)
{
    if (place.at >= s->n)
        return;
    size_t end = place.n < s->n - place.at ? place.at + place.n : s->n;
    for (size_t i = place.at; i < end; i++) {
        char c = s->text[i];
        if (inside_char(c))
            s->text[i] = (char)HIDDEN;
        else if (c != '\n' && c != '\r')
            s->text[i] = '*';
    }
}

// Behind the line that begins at `from`, without its end ("\n", "\r\n" or "\r").
static size_t line_end(const struct conf_source *s, size_t from)
{
    while (from < s->n && s->text[from] != '\n' && s->text[from] != '\r')
        from++;
    return from;
}

static size_t line_next(const struct conf_source *s, size_t end)
{
    bool crlf = end + 1 < s->n && s->text[end] == '\r' && s->text[end + 1] == '\n';
    return end + (crlf ? 2 : 1);
}

static size_t count_chars(const char *p, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += !inside_char(p[i]);
    return count;
}

// The beginning of the line that holds `at`, and its number.
static size_t line_of(const struct conf_source *s, size_t at, size_t *line)
{
    size_t begin = 0;
    *line = 1;
    for (;;) {
        size_t end = line_end(s, begin);
        if (end >= s->n || at <= end)
            return begin;
        size_t next = line_next(s, end);
        if (at < next)
            return begin;
        begin = next;
        ++*line;
    }
}

void conf_source_locate(const struct conf_source *s, size_t at, size_t *line, size_t *column)
{
    at = at < s->n ? at : s->n;
    size_t begin = line_of(s, at, line);
    *column = count_chars(s->text + begin, at - begin) + 1;
}

size_t conf_source_offset(const struct conf_source *s, size_t line, size_t column)
{
    size_t at = 0;
    for (size_t i = 1; i < line; i++) {
        size_t end = line_end(s, at);
        if (end >= s->n)
            return s->n;
        at = line_next(s, end);
    }
    size_t end = line_end(s, at);
    for (size_t i = 1; i < column && at < end; i++) {
        at++;
        while (at < end && inside_char(s->text[at]))
            at++;
    }
    return at;
}

// A printable form of the line: what a terminal could act on is shown as '?'.
static void show_text(const char *p, size_t n, struct strbuf *out)
{
    struct str s = {p, n};
    for (size_t at = 0; at < n;) {
        size_t from = at;
        uint32_t c = utf8_next(s, &at);
        if (c == UINT32_MAX && (unsigned char)p[from] == HIDDEN)
            continue;
        bool plain = c != UINT32_MAX && (c >= 0x20 || c == '\t') && !(c >= 0x7f && c < 0xa0);
        if (plain)
            strbuf_add(out, p + from, at - from);
        else
            strbuf_char(out, '?');
    }
}

static void show_caret(const char *p, size_t before, size_t marked, struct strbuf *out)
{
    for (size_t i = 0; i < before; i++) {
        if (!inside_char(p[i]))
            strbuf_char(out, p[i] == '\t' ? '\t' : ' ');
    }
    strbuf_char(out, '^');
    for (size_t i = count_chars(p + before, marked); i > 1; i--)
        strbuf_char(out, '~');
    strbuf_char(out, '\n');
}

// `at` moved by up to `chars` characters towards `limit`.
static size_t step_back(const struct conf_source *s, size_t at, size_t limit, size_t chars)
{
    while (at > limit && (chars || inside_char(s->text[at]))) {
        at--;
        chars -= !inside_char(s->text[at]) && chars;
    }
    return at;
}

static size_t step_on(const struct conf_source *s, size_t at, size_t limit, size_t chars)
{
    while (at < limit && (chars || inside_char(s->text[at]))) {
        chars -= !inside_char(s->text[at]) && chars;
        at++;
    }
    return at;
}

void conf_source_show(const struct conf_source *s, struct conf_place place, struct strbuf *out)
{
    size_t line;
    size_t at = place.at < s->n ? place.at : s->n;
    size_t begin = line_of(s, at, &line);
    size_t end = line_end(s, begin);
    if (begin == end) // of an empty file there is nothing to show
        return;
    at = at < end ? at : end;
    size_t from = step_back(s, at, begin, SHOWN_BEFORE);
    size_t to = step_on(s, from, end, SHOWN_MAX);
    show_text(s->text + from, to - from, out);
    strbuf_char(out, '\n');
    show_caret(s->text + from, at - from, place.n < to - at ? place.n : to - at, out);
}
