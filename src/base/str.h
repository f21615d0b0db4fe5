/* String slices: a pointer and a length, borrowed unless the holder says otherwise.
 *
 * A slice need not be NUL-terminated. What arena_dup() and strbuf hand out is, so that it can go to a C library;
 * a function that needs a C string says `cstr` in its name or takes `const char *`. */
#ifndef SPANDREL_BASE_STR_H
#define SPANDREL_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *p; // may be NULL when n is 0
    size_t n;      // bytes
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
#define STR_NONE ((struct str){NULL, 0})
#define STR_FMT "%.*s"
#define STR_ARG(s) (int)(s).n, (s).n ? (s).p : ""

// The slice of a C string; NULL gives the empty slice.
static inline struct str str_c(const char *cstr)
{
    return (struct str){cstr, cstr ? strlen(cstr) : 0};
}

static inline bool str_empty(struct str s)
{
    return s.n == 0;
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool str_eq_c(struct str a, const char *cstr)
{
    return str_eq(a, str_c(cstr));
}

// Copies s to *to, which is moved behind it: for records that hold their strings in one block. The copy.
struct str str_keep(char **to, struct str s);

// Byte order; a prefix sorts before what it begins.
int str_cmp(struct str a, struct str b);
// ASCII case is ignored; other bytes must be equal.
bool str_case_eq(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
// The bytes [from, to) of s, both clamped to its length.
struct str str_sub(struct str s, size_t from, size_t to);
// Offset of the first (last) `c`, or -1.
ptrdiff_t str_find(struct str s, char c);
ptrdiff_t str_rfind(struct str s, char c);
// Offset of the first `needle`, or -1; an empty needle is found at 0.
ptrdiff_t str_find_str(struct str s, struct str needle);
// Splits at the first `sep`: *head gets what is before it, *tail what is after. Without `sep`: false, *head = s, *tail
// empty.
bool str_cut(struct str s, char sep, struct str *head, struct str *tail);
// The same at the last `sep`.
bool str_rcut(struct str s, char sep, struct str *head, struct str *tail);
// Takes the next word of *rest, separated by ASCII white space; false when there is none left.
bool str_word(struct str *rest, struct str *word);
// Without ASCII white space (space, \t, \r, \n) at both ends.
struct str str_trim(struct str s);

// Strict decimal conversions: the whole of s, no white space, false on overflow or anything else; *out untouched then.
bool str_to_i64(struct str s, int64_t *out);
bool str_to_u64(struct str s, uint64_t *out);
enum { STR_REAL_MAX = 128 };
// Locale-independent, finite numbers of at most STR_REAL_MAX bytes; a sign, a point and an exponent are fine.
bool str_to_double(struct str s, double *out);

// Damerau-Levenshtein distance, at most `limit` + 1, for "did you mean"; ASCII case is ignored. Both at most 64 bytes,
// else limit + 1.
size_t str_distance(struct str a, struct str b, size_t limit);

#endif
