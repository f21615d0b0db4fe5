/* UTF-8 and the characters XML 1.0 allows. What comes from outside is repaired once, at the border. */
#ifndef SPANDREL_BASE_UTF8_H
#define SPANDREL_BASE_UTF8_H

#include "base/arena.h"

#include <stdint.h>

// Decodes one character of s at *at and moves *at behind it; UINT32_MAX and one byte forward where it is malformed
// (overlong, surrogate, above U+10FFFF, cut short).
uint32_t utf8_next(struct str s, size_t *at);
// Writes 1 to 4 bytes and returns their number; 0 for what is no scalar value.
size_t utf8_put(char out[4], uint32_t c);
bool utf8_valid(struct str s);
// XML 1.0 Char: #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF], and no U+FFFE/U+FFFF.
bool utf8_xml_char(uint32_t c);
// White space and line separators (the White_Space property and category Z).
bool utf8_blank(uint32_t c);
// True when s is valid UTF-8 of XML characters only: fast for ASCII.
bool utf8_xml_valid(struct str s);
// s itself when valid; else a copy with each malformed byte or forbidden character replaced by U+FFFD.
struct str utf8_repair(struct arena *a, struct str s);
// The longest prefix of at most n bytes that ends at a character boundary.
struct str utf8_cut(struct str s, size_t n);
// Number of characters (malformed bytes count one each).
size_t utf8_length(struct str s);
// A name for display: repaired, controls, bidi overrides and isolates, zero-width and line separators taken out, white
// space folded to one space, at most `max` characters. From MQTT discovery, IRC realnames and the like.
struct str utf8_display(struct arena *a, struct str s, size_t max);

#endif
