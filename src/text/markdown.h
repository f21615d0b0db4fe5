/* Markdown (GitHub's, and Discord's dialect) to message styling (XEP-0393).
 *
 *   **b** -> *b*      *i* -> _i_        ~~s~~ -> ~s~       `code`, ``` blocks -> the same
 *   # Heading -> *Heading*              [text](url) -> text <url>, or the url alone where the text is the same
 *   ![alt](url) -> alt <url>, and told of apart                > quote -> > quote
 *   - item, 1. item, - [x] task -> the same, nested by two spaces       tables -> a preformatted block with columns
 *   *** -> a rule     &eacute; -> é     raw HTML -> its text; <br> ends a line
 *
 * Short codes of emoji (:fire:) as in slack_markup.h.
 *
 * What has no form in the XEP is left out: emphasis within a word, or that would end too early (**2*3=6**). What is
 * text in the source is text in the result: it is escaped as by styling_value(). */
#ifndef SPANDREL_TEXT_MARKDOWN_H
#define SPANDREL_TEXT_MARKDOWN_H

#include "text/styling.h"

enum {
    MARKDOWN_MAX = 64 * 1024, // bytes of a source; what is longer is cut with a mark
    MARKDOWN_DEPTH = 32,      // blocks within blocks; a source with more, or made to be slow, is shown as it is
    MARKDOWN_IMAGES = 16,     // are told of; the others are links only
};

struct markdown_image {
    struct str url; // http or https
    struct str alt; // may be empty
};

struct markdown_images {
    size_t n;
    struct markdown_image at[MARKDOWN_IMAGES];
};

struct markdown_options {
    size_t max;            // bytes of the result, 0 for 64 KiB; what is longer is cut with a mark (styling_cut)
    bool discord;          // __underline__ ||spoiler|| <@id> <@&id> <#id> <:emoji:id> <t:unix>; every line end counts
    bool lines;            // every line end counts, as in comments on GitHub and in Mattermost
    styling_name_fn *name; // for <@id> and the like; may be NULL
    void *name_ctx;
};

// Never fails: any bytes give clean text. It lives in the arena, as do the images' strings. `options` and `images` may
// be NULL.
struct str markdown_styled(struct arena *a, struct str source, const struct markdown_options *options,
                           struct markdown_images *images);

#endif
