/* Answers as bytes (RFC 9112 section 4, RFC 9457). */
#include "net/http_private.h"

#include "base/utf8.h"
#include "text/json.h"

static bool has_content(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

static bool is_own(struct str name)
{
    static const char *const own[] = {"Connection", "Content-Length", "Date", "Keep-Alive", "Transfer-Encoding"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        if (str_case_eq(name, str_c(own[i])))
            return true;
    }
    return false;
}

bool http_answer_headers_good(const struct http_header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!http_header_good(&headers[i]) || is_own(headers[i].name))
            return false;
    }
    return true;
}

static void write_line(struct strbuf *out, struct str name, struct str value)
{
    strbuf_str(out, name);
    strbuf_str(out, STR(": "));
    strbuf_str(out, value);
    strbuf_str(out, STR("\r\n"));
}

static void write_status(struct strbuf *out, int status)
{
    strbuf_str(out, STR("HTTP/1.1 "));
    strbuf_u64(out, (uint64_t)status);
    strbuf_char(out, ' ');
    strbuf_c(out, http_status_text(status));
    strbuf_str(out, STR("\r\n"));
}

void http_answer_write(struct strbuf *out, const char *date, const struct http_answer_form *form)
{
    write_status(out, form->status);
    write_line(out, STR("Date"), str_c(date));
    for (size_t i = 0; i < form->count; i++)
        write_line(out, form->headers[i].name, form->headers[i].value);
    if (form->close)
        write_line(out, STR("Connection"), STR("close"));
    else if (form->keep_alive)
        write_line(out, STR("Connection"), STR("keep-alive"));
    if (has_content(form->status)) {
        strbuf_str(out, STR("Content-Length: "));
        strbuf_u64(out, form->body.n);
        strbuf_str(out, STR("\r\n"));
    }
    strbuf_str(out, STR("\r\n"));
    if (has_content(form->status) && !form->head_only)
        strbuf_str(out, form->body);
}

void http_problem_body(struct strbuf *out, int status, const char *type, struct str detail)
{
    strbuf_str(out, STR("{\"type\":"));
    json_write_str(out, str_c(type ? type : "about:blank"));
    strbuf_str(out, STR(",\"title\":"));
    json_write_str(out, str_c(http_status_text(status)));
    strbuf_str(out, STR(",\"status\":"));
    strbuf_u64(out, (uint64_t)status);
    if (!str_empty(detail)) {
        strbuf_str(out, STR(",\"detail\":"));
        json_write_str(out, detail);
    }
    strbuf_str(out, STR("}"));
}
