/* Digests and HMAC (OpenSSL EVP) and their encodings. */
#ifndef SPANDREL_TEXT_HASH_H
#define SPANDREL_TEXT_HASH_H

#include "base/arena.h"

void hash_sha1(struct str data, uint8_t out[20]);
void hash_sha256(struct str data, uint8_t out[32]);

enum hash_hmac { HASH_HMAC_SHA256, HASH_HMAC_SHA512 };
enum { HASH_HMAC_MAX = 64 };
// HMAC (RFC 2104) of the parts, one behind the other. The bytes of `out` that it takes: 32 or 64.
size_t hash_hmac(enum hash_hmac algorithm, struct str key, const struct str *parts, size_t count,
                 uint8_t out[HASH_HMAC_MAX]);

struct str hash_hex(struct arena *a, const uint8_t *bytes, size_t n); // lower case
// Exactly n bytes in 2n digits of either case; else false, and *out holds anything.
bool hash_hex_decode(struct str text, uint8_t *out, size_t n);
struct str hash_base64(struct arena *a, const uint8_t *bytes, size_t n); // RFC 4648 section 4, padded
struct str hash_base32(struct arena *a, const uint8_t *bytes, size_t n); // [a-z2-7], no padding
// RFC 4648 section 4; false on any other character, wrong padding or trailing bits.
bool hash_base64_decode(struct arena *a, struct str text, struct str *out);
// True in constant time for the length.
bool hash_equal(struct str a, struct str b);

#endif
