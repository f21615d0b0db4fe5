/* Slack's mrkdwn to message styling (XEP-0393).
 *
 *   *b* _i_ ~s~ `code` ``` blocks, > quote -> the same, where the XEP has them so; else they are text
 *   <url|text> -> text <url>     <url> -> url      <mailto:a@b|a@b> -> a@b
 *   <!here> <!channel> <!everyone> -> @here ..     <!subteam^S1|@ops> -> @ops     <@U1|ann> -> @ann     <#C1|dev> ->
 * #dev
 *   <!date^1392734382^{date}|Feb 18> -> Feb 18, or the date in UTC     &lt; &gt; &amp; -> < > &
 *   :fire: -> its character, for the short codes that alerts have; others stay */
#ifndef SPANDREL_TEXT_SLACK_MARKUP_H
#define SPANDREL_TEXT_SLACK_MARKUP_H

#include "text/styling.h"

enum { SLACK_MARKUP_MAX = 64 * 1024 }; // bytes of a source; what is longer is cut with a mark

struct slack_markup_options {
    size_t max; // bytes of the result, 0 for 64 KiB; what is longer is cut with a mark (styling_cut)
    bool plain; // *b* and the like are text (type plain_text, mrkdwn: false); references and short codes are read
    styling_name_fn *name; // for <@U1> without a name; may be NULL
    void *name_ctx;
};

// Never fails: any bytes give clean text. It lives in the arena. `options` may be NULL.
struct str slack_markup_styled(struct arena *a, struct str source, const struct slack_markup_options *options);
// The characters for a short code without its colons ("fire"); empty for one that is not known.
struct str slack_markup_emoji(struct str code);
// The text with the characters for those of its short codes that are known and stand behind no word: GitHub, Mattermost
// and others have them too. In the arena, or `text` itself.
struct str slack_markup_emojis(struct arena *a, struct str text);

#endif
