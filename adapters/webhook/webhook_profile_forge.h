/* What the profiles of code forges (GitHub, Gitea, GitLab) say alike. */
#ifndef SPANDREL_WEBHOOK_PROFILE_FORGE_H
#define SPANDREL_WEBHOOK_PROFILE_FORGE_H

#include "adapters/webhook/webhook_profile_private.h"

struct forge {
    struct reading *r;
    struct arena *a;
    const json_t *json; // the payload
    struct say s;
    struct str action; // "opened"
    struct str event;
    struct str key; // of a run that comes to an end: corrected until `final`
    bool final;
    bool quiet; // nothing to say
};

// What an event says; the table of a profile is sorted by name.
struct forge_event {
    const char *name;
    void (*say)(struct forge *f);
};

// Says the event by its row, or by `other`; then its post, with template and key. A run that cannot be corrected is
// only told of when it is over.
void forge_read(struct reading *r, struct str event, struct str action, const struct forge_event *rows, size_t count,
                void (*other)(struct forge *f));

// "*acme/web*: ann "
void forge_head(struct forge *f, struct str repository, struct str actor);
// "branch main", "tag v1" of refs/heads/main, refs/tags/v1; the name as code.
void forge_ref(struct forge *f, struct str ref);
// "- `abc1234` First line (ann)" for each of an array of {id, message, author.name}; `total` may count more of them.
void forge_commits(struct forge *f, const json_t *commits, size_t total);
// " #12 Title <url>"; what is empty is left out. `sigil` is "#" or "!".
void forge_subject(struct forge *f, const char *sigil, struct str number, struct str title, struct str url);
// "🟢 ", "🔴 ", "🟡 " for what became of a run; "" while it runs.
const char *forge_mark(struct str state);
// "review_requested" as "review requested".
struct str forge_words(struct arena *a, struct str name);
// Markdown quoted, its beginning; nothing for what is blank.
void forge_quote(struct forge *f, struct str markdown);
struct str forge_at(const struct forge *f, const char *path);
// First seven characters of a hash.
struct str forge_short(struct str hash);

#endif
