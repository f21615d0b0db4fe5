#include "adapters/webhook/webhook_profile_forge.h"

#include "text/markdown.h"

struct str forge_at(const struct forge *f, const char *path)
{
    return say_at(f->a, f->json, path);
}

struct str forge_short(struct str hash)
{
    return str_sub(hash, 0, 7);
}

struct str forge_words(struct arena *a, struct str name)
{
    struct str line = say_oneline(a, name, 60);
    char *words = arena_cstr(a, line);
    for (char *p = words; *p; p++)
        *p = (char)(*p == '_' ? ' ' : *p);
    return str_c(words);
}

void forge_head(struct forge *f, struct str repository, struct str actor)
{
    say_bold(&f->s, repository);
    say_raw(&f->s, str_empty(repository) ? "" : ": ");
    say_line(&f->s, actor, 60);
    say_raw(&f->s, str_empty(actor) ? "" : " ");
}

void forge_ref(struct forge *f, struct str ref)
{
    bool tag = str_starts(ref, STR("refs/tags/"));
    if (tag)
        ref = str_sub(ref, 10, ref.n);
    else if (str_starts(ref, STR("refs/heads/")))
        ref = str_sub(ref, 11, ref.n);
    say_raw(&f->s, tag ? "tag " : "branch ");
    say_code(&f->s, ref);
}

static void say_commit(struct forge *f, const json_t *commit)
{
    static const char *const authors[] = {"author.name", "author.username", "committer.name", NULL};
    static const char *const hashes[] = {"id", "sha", NULL};
    struct str first, rest, author = say_any(f->a, commit, authors);
    (void)str_cut(str_trim(say_at(f->a, commit, "message")), '\n', &first, &rest);
    say_break(&f->s);
    say_raw(&f->s, "- ");
    say_code(&f->s, forge_short(say_any(f->a, commit, hashes)));
    say_raw(&f->s, " ");
    say_line(&f->s, first, 120);
    if (!str_empty(author)) {
        say_raw(&f->s, " (");
        say_line(&f->s, author, 60);
        say_raw(&f->s, ")");
    }
}

void forge_commits(struct forge *f, const json_t *commits, size_t total)
{
    json_t *one;
    size_t i, n = json_array_size(commits);
    total = total > n ? total : n;
    json_array_foreach(commits, i, one)
    {
        if (i >= SAY_ITEMS)
            break;
        say_commit(f, one);
    }
    say_more(&f->s, total - (n < SAY_ITEMS ? n : SAY_ITEMS));
}

void forge_subject(struct forge *f, const char *sigil, struct str number, struct str title, struct str url)
{
    if (!str_empty(number)) {
        say_raw(&f->s, " ");
        say_raw(&f->s, sigil);
        say_line(&f->s, number, 20);
    }
    if (!str_empty(str_trim(title))) {
        say_raw(&f->s, str_empty(number) ? " " : ": ");
        say_line(&f->s, title, SAY_TITLE);
    }
    say_link(&f->s, url);
}

void forge_quote(struct forge *f, struct str markdown)
{
    static const struct markdown_options options = {.lines = true};
    struct str part = say_cut(f->a, str_trim(markdown), SAY_QUOTE);
    if (!str_empty(part))
        say_quote_styled(&f->s, markdown_styled(f->a, part, &options, NULL));
}

const char *forge_mark(struct str state)
{
    static const struct {
        const char *state, *mark;
    } rows[] = {
        {"success", "🟢 "},  {"failure", "🔴 "},
        {"failed", "🔴 "},      {"error", "🔴 "},
        {"timed_out", "🔴 "},   {"cancelled", "🟡 "},
        {"canceled", "🟡 "}, {"skipped", "🟡 "},
        {"neutral", "🟡 "},  {"action_required", "🟡 "},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (str_eq_c(state, rows[i].state))
            return rows[i].mark;
    return "";
}

void forge_read(struct reading *r, struct str event, struct str action, const struct forge_event *rows, size_t count,
                void (*other)(struct forge *f))
{
    struct forge f = {.r = r, .a = r->a, .json = r->json, .action = action, .event = event};
    const struct forge_event *row = reading_find(rows, count, sizeof(*rows), event);

    r->out->event = arena_dup(r->a, say_oneline(r->a, event, 64));
    say_begin(&f.s, r->a);
    if (row)
        row->say(&f);
    else
        other(&f);
    bool running = !str_empty(f.key) && !f.final && r->settings->update == WEBHOOK_UPDATE_OFF;
    if (f.quiet || running) {
        (void)say_end(&f.s);
        return;
    }
    struct webhook_post *post = reading_say(r, &f.s);
    reading_key(r, post, f.key, f.final);
}
