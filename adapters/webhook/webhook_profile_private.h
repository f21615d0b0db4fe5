/* What the files of the profiles share. */
#ifndef SPANDREL_WEBHOOK_PROFILE_PRIVATE_H
#define SPANDREL_WEBHOOK_PROFILE_PRIVATE_H

#include "adapters/webhook/webhook_profile.h"
#include "adapters/webhook/webhook_profile_say.h"

#include "net/http_field.h"
#include "net/http_form.h"
#include "net/http_multipart.h"

enum { WEBHOOK_FIELDS_MAX = 1024 }; // of a form or a query

enum webhook_dialect { // of answers
    DIALECT_NATIVE,
    DIALECT_SLACK,
    DIALECT_MATTERMOST,
    DIALECT_DISCORD,
    DIALECT_GOTIFY,
    DIALECT_NTFY,
};

struct reading;

struct webhook_profile {
    const char *name;
    const char *methods; // "POST, PUT"
    void (*read)(struct reading *r);
    enum webhook_dialect dialect;
    bool patient; // comes again after a 429
    bool files;   // bytes may come with it
    bool raw;     // reads the body itself, whatever its type
};

// A request while it is read.
struct reading {
    const struct webhook_profile *p;
    const struct webhook_settings *settings;
    const struct webhook_input *in;
    struct arena *a;
    struct webhook_outcome *out;
    const struct str *segments; // behind the one that named the profile
    size_t segment_count;
    const struct http_pair *query;
    size_t query_count;
    struct http_media type;         // of the body; type.type may be empty
    struct str body;                // without a byte order mark
    json_t *json;                   // owned: the payload; NULL when it is none
    json_t *context;                // owned: the form's fields as JSON, or other things to read; may be NULL
    const struct http_pair *fields; // of a form, also a multipart one
    size_t field_count;
    const struct http_part *parts;
    size_t part_count;
    bool template_failed;
};

// --- webhook_profile_body.c ---

// The value of the first header of that name; p is NULL when there is none.
struct str reading_header(const struct webhook_input *in, const char *name);
// Content-Type and, by it, json, fields or parts. False with a problem.
bool reading_decode(struct reading *r);
// Reads a JSON text as the payload. False with a problem.
bool reading_json(struct reading *r, struct str text);
// Files of a multipart body: at most WEBHOOK_FILES_MAX, into the post.
void reading_files(struct reading *r, struct webhook_post *post);
// Object of the fields, or of the text as {"text": ...}: a context for templates. Borrowed.
json_t *reading_context(struct reading *r);
// "photo.png" of "../a/photo.png", one line, in the arena.
struct str reading_filename(struct arena *a, struct str name);

// --- webhook_profile_read.c ---

void reading_fail(struct reading *r, int status, const char *code, const char *pointer, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
void reading_warn(struct reading *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// Another post; NULL when there are WEBHOOK_POSTS_MAX.
struct webhook_post *reading_post(struct reading *r);
// Its body: the template that fits the outcome's event rendered on `context` (an object; others stand for none), or the
// fallback; a payload that gives neither is said generically.
void reading_body(struct reading *r, struct webhook_post *post, const json_t *context, struct str fallback);
// A single post of the payload whose body is what `s` has.
struct webhook_post *reading_say(struct reading *r, struct say *s);
// The key of the profile, or by the hook's path; mode and final with it.
void reading_key(struct reading *r, struct webhook_post *post, struct str key, bool final);
// The payload as it is; says so in the outcome.
void reading_generic(struct reading *r);
// Wishes; what cannot be one is none.
void reading_nick(struct reading *r, struct webhook_post *post, struct str nick);
void reading_avatar(struct reading *r, struct webhook_post *post, struct str url);
void reading_to(struct reading *r, struct webhook_post *post, struct str to);
void reading_file_url(struct reading *r, struct webhook_post *post, struct str url, struct str name, struct str type);
void reading_delivery(struct reading *r, struct str id);
// Behind the hook's path stands nothing, or messages/{id} with PATCH: true. With DELETE that is a retraction; it and
// anything else are done with (false).
bool reading_earlier(struct reading *r);
// With PATCH: the post that was read replaces that message.
void reading_corrected(struct reading *r);
// For profiles of JSON at the hook's own path: there is JSON. What is not is said as text or a form, or a problem.
bool reading_ready(struct reading *r);
// An element of a sorted table of names: NULL when there is none. Each begins with its name, a `const char *`.
const void *reading_find(const void *table, size_t count, size_t size, struct str name);

// --- the profiles ---

void webhook_read_native(struct reading *r);
void webhook_read_text(struct reading *r);
void webhook_read_form(struct reading *r);
void webhook_read_auto(struct reading *r);
void webhook_read_slack(struct reading *r);
void webhook_read_mattermost(struct reading *r);
void webhook_read_discord(struct reading *r);
void webhook_read_alertmanager(struct reading *r);
void webhook_read_grafana(struct reading *r);
void webhook_read_github(struct reading *r);
void webhook_read_gitea(struct reading *r);
void webhook_read_gitlab(struct reading *r);
void webhook_read_gotify(struct reading *r);
void webhook_read_ntfy(struct reading *r);
void webhook_read_cloudevents(struct reading *r);

// Slack's blocks and rich text, each block on lines of its own; images become files of the post.
void webhook_slack_blocks(struct reading *r, struct say *s, struct webhook_post *post, const json_t *blocks);
// By headers alone; NULL when they tell nothing.
const struct webhook_profile *webhook_auto_headers(const struct webhook_input *in);

// Whether this profile has the request's method; *allow: those it has.
bool webhook_profile_takes(const struct webhook_profile *p, const struct webhook_input *in, const char **allow);

#endif
