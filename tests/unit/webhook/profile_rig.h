/* Requests for the profiles: payloads of payloads/NAME.json with headers, and what came of them as text, to be compared
 * with payloads/NAME.txt or a text in the test. */
#ifndef SPANDREL_TESTS_PROFILE_RIG_H
#define SPANDREL_TESTS_PROFILE_RIG_H

#include "lib/check.h"

#include "adapters/webhook/webhook_profile.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <stdio.h>

enum { RIG_HEADERS = 8, RIG_FILE = 1 << 18 };

struct profile_rig {
    struct arena a;
    struct http_header headers[RIG_HEADERS];
    struct str segments[4];
    struct webhook_input in;
    struct webhook_settings settings;
    struct webhook_outcome out;
};

static inline void rig_init(struct profile_rig *r)
{
    *r = (struct profile_rig){.in = {.method = STR("POST"), .wall = 1763719200000}};
    arena_init(&r->a, 0);
    r->in.headers = r->headers;
    r->in.segments = r->segments;
}

static inline void rig_finish(struct profile_rig *r)
{
    arena_finish(&r->a);
}

static inline void rig_header(struct profile_rig *r, const char *name, const char *value)
{
    assert_true(r->in.header_count < RIG_HEADERS);
    r->headers[r->in.header_count++] = (struct http_header){str_c(name), str_c(value)};
}

static inline void rig_path(struct profile_rig *r, const char *segment)
{
    r->segments[r->in.segment_count++] = str_c(segment);
}

static inline struct str rig_file(struct profile_rig *r, const char *name, const char *ending)
{
    char path[512], *text = arena_alloc(&r->a, RIG_FILE);
    (void)snprintf(path, sizeof(path), TESTS_DIR "/unit/webhook/payloads/%s.%s", name, ending);
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("%s is not there", path);
    size_t n = fread(text, 1, RIG_FILE, f);
    assert_int_equal(fclose(f), 0);
    return (struct str){text, n};
}

static inline void rig_read(struct profile_rig *r, const char *profile, struct str body)
{
    const struct webhook_profile *p = profile ? webhook_profile_find(str_c(profile)) : NULL;
    assert_true(!profile || p);
    r->in.body = body;
    webhook_profile_read(p, &r->settings, &r->in, &r->a, &r->out);
    assert_non_null(r->out.profile);
}

static inline void rig_line(struct strbuf *b, const char *name, struct str value)
{
    if (value.n > 0)
        (void)strbuf_printf(b, "%s: " STR_FMT "\n", name, STR_ARG(value));
}

static inline void rig_post(struct strbuf *b, const struct webhook_post *p)
{
    static const char *const acts[] = {"say", "replace", "retract"};
    static const char *const modes[] = {"post", "upsert", "reply", "thread"};
    (void)strbuf_printf(b, "--- %s %s%s%s\n", acts[p->act], modes[p->mode], p->final ? " final" : "",
                        p->transient ? " transient" : "");
    rig_line(b, "key", p->key);
    rig_line(b, "id", p->id);
    rig_line(b, "nick", p->nick);
    rig_line(b, "avatar", p->avatar);
    rig_line(b, "subject", p->subject);
    rig_line(b, "lang", p->lang);
    rig_line(b, "thread", p->thread);
    rig_line(b, "reply to", p->reply_to);
    for (size_t i = 0; i < p->to_count; i++)
        rig_line(b, "to", p->to[i]);
    for (size_t i = 0; i < p->mention_count; i++)
        rig_line(b, "mention", p->mentions[i]);
    if (p->ttl > 0)
        (void)strbuf_printf(b, "ttl: %" PRId64 "\n", p->ttl);
    for (size_t i = 0; i < p->file_count; i++) {
        const struct webhook_file *f = &p->files[i];
        (void)strbuf_printf(b, "file: " STR_FMT " " STR_FMT " " STR_FMT " %zu\n", STR_ARG(f->url), STR_ARG(f->name),
                            STR_ARG(f->type), f->data.n);
    }
    (void)strbuf_printf(b, STR_FMT "\n", STR_ARG(p->body));
}

// All that came of it.
static inline struct str rig_told(struct profile_rig *r)
{
    struct strbuf b;
    const struct webhook_outcome *o = &r->out;
    strbuf_init(&b, RIG_FILE * 4);
    (void)strbuf_printf(&b, "%s%s%s%s\n", webhook_profile_name(o->profile), o->handshake ? " handshake" : "",
                        o->generic ? " generic" : "", o->wait ? " wait" : "");
    rig_line(&b, "event", o->event);
    rig_line(&b, "delivery", o->delivery);
    rig_line(&b, "warning", o->warning);
    if (o->problem.status != 0)
        (void)strbuf_printf(&b, "problem %d " STR_FMT " " STR_FMT "\n", o->problem.status, STR_ARG(o->problem.pointer),
                            STR_ARG(o->problem.detail));
    for (size_t i = 0; i < o->count; i++)
        rig_post(&b, &o->posts[i]);
    struct str text = arena_dup(&r->a, strbuf_view(&b));
    strbuf_finish(&b);
    return text;
}

// U+2060, which keeps values from being markup, is shown as "^" in the files.
static inline struct str rig_shown(struct arena *a, struct str text)
{
    char *out = arena_alloc(a, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        bool joiner = str_starts(str_sub(text, i, text.n), STR("\xe2\x81\xa0"));
        out[n++] = (char)(joiner ? '^' : text.p[i]);
        i += joiner ? 2 : 0;
    }
    return (struct str){out, n};
}

static inline void rig_compare(struct profile_rig *r, const char *name, struct str want)
{
    struct str got = rig_shown(&r->a, rig_told(r));
    if (str_eq(got, want))
        return;
    print_error("==== %s: got\n" STR_FMT "==== end\n", name, STR_ARG(got));
    fail();
}

// The payload of that name gives what stands beside it.
static inline void rig_expect(struct profile_rig *r, const char *profile, const char *name)
{
    rig_read(r, profile, rig_file(r, name, "json"));
    rig_compare(r, name, rig_file(r, name, "txt"));
}

#endif
