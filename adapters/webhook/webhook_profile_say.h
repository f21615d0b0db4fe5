/* Text of a post while it is written: our own words and marks as they are, values of others escaped (XEP-0393). */
#ifndef SPANDREL_WEBHOOK_PROFILE_SAY_H
#define SPANDREL_WEBHOOK_PROFILE_SAY_H

#include "text/json.h"
#include "text/styling.h"

enum {
    SAY_ITEMS = 20,  // of a list that are shown
    SAY_TITLE = 200, // characters of a title
    SAY_QUOTE = 700, // characters of a text that is only quoted
};

struct say {
    struct strbuf out;
    struct styling styling;
    struct arena *a;
};

void say_begin(struct say *s, struct arena *a);
// What was written, in the arena, without blank lines at both ends, at most WEBHOOK_TEXT_MAX bytes; `s` is finished.
struct str say_end(struct say *s);

void say_raw(struct say *s, const char *text);
// Text that is message styling already, as it is.
void say_styled(struct say *s, struct str text);
void say_value(struct say *s, struct str value);
// On one line, at most `max` characters.
void say_line(struct say *s, struct str value, size_t max);
// The same in bold; nothing for what is empty.
void say_bold(struct say *s, struct str value);
void say_code(struct say *s, struct str value);
// Quoted on lines of its own, at most SAY_QUOTE characters; nothing for what is blank.
void say_quote(struct say *s, struct str text);
// Styled text, each line quoted.
void say_quote_styled(struct say *s, struct str text);
// " <url>"; nothing for what is no http(s) URL.
void say_link(struct say *s, struct str url);
// Ends the line that is begun, if one is.
void say_break(struct say *s);
// "... and 14 more" on a line of its own; nothing for 0.
void say_more(struct say *s, size_t more);
// "1 commit", "2 commits".
void say_count(struct say *s, size_t n, const char *noun);
// JSON of any shape: title, text and link where it has members of such names, else the JSON itself, short.
void say_json(struct say *s, const json_t *value);

// At most `max` characters on one line, "…" in place of the rest; in the arena, or the text itself.
struct str say_oneline(struct arena *a, struct str text, size_t max);
// At most `max` characters, " […]" in place of the rest.
struct str say_cut(struct arena *a, struct str text, size_t max);
// http or https, printable, without blanks, '<' and '>', at most 2048 bytes.
bool say_url_good(struct str url);

// The text of a scalar at a path (json_at), "" for anything else; borrowed from the value, or in the arena.
struct str say_at(struct arena *a, const json_t *value, const char *path);
// The same for the first of several paths, NULL at the end, that has a text.
struct str say_any(struct arena *a, const json_t *value, const char *const *paths);
// The value at a path, NULL where there is none.
json_t *say_get(const json_t *value, const char *path);

#endif
