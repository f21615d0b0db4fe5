#include "text/hash.h"

#include "base/err.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

/* An algorithm, and what works with it: OpenSSL looks it up by name each time it is not handed over, which takes longer
 * than the digest of a token. They live as long as their thread. */
struct digest {
    const char *name;
    EVP_MD *md;
    EVP_MD_CTX *ctx;
};

static void digest(struct digest *d, struct str data, uint8_t *out)
{
    if (!d->ctx) {
        d->md = EVP_MD_fetch(NULL, d->name, NULL);
        d->ctx = EVP_MD_CTX_new();
    }
    bool ok = d->md && d->ctx && EVP_DigestInit_ex2(d->ctx, d->md, NULL) &&
              (data.n == 0 || EVP_DigestUpdate(d->ctx, data.p, data.n)) && EVP_DigestFinal_ex(d->ctx, out, NULL);
    if (!ok)
        err_fatal("OpenSSL has no %s", d->name);
}

void hash_sha1(struct str data, uint8_t out[20])
{
    static _Thread_local struct digest sha1 = {"SHA1", NULL, NULL};
    digest(&sha1, data, out);
}

void hash_sha256(struct str data, uint8_t out[32])
{
    static _Thread_local struct digest sha256 = {"SHA256", NULL, NULL};
    digest(&sha256, data, out);
}

size_t hash_hmac(enum hash_hmac algorithm, struct str key, const struct str *parts, size_t count,
                 uint8_t out[HASH_HMAC_MAX])
{
    char sha256[] = "SHA256", sha512[] = "SHA512";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, algorithm == HASH_HMAC_SHA512 ? sha512 : sha256, 0),
        OSSL_PARAM_construct_end()};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
    size_t len = 0;
    // A NULL key would stand for the one before.
    bool ok = ctx && EVP_MAC_init(ctx, (const uint8_t *)(key.n ? key.p : ""), key.n, params);
    for (size_t i = 0; i < count && ok; i++)
        ok = parts[i].n == 0 || EVP_MAC_update(ctx, (const uint8_t *)parts[i].p, parts[i].n);
    if (!ok || !EVP_MAC_final(ctx, out, &len, HASH_HMAC_MAX))
        err_fatal("OpenSSL has no HMAC with %s", algorithm == HASH_HMAC_SHA512 ? sha512 : sha256);
    EVP_MAC_CTX_free(ctx);
    EVP_MAC_free(mac);
    return len;
}

/* The encodings write so many bits a character, the highest first, and pad to a multiple of so many characters. */

struct code {
    unsigned bits, group;
    const char *alphabet;
};

static const struct code hex = {4, 1, "0123456789abcdef"};
static const struct code base32 = {5, 1, "abcdefghijklmnopqrstuvwxyz234567"};
static const struct code base64 = {6, 4, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"};

static struct str encode(struct arena *a, const struct code *code, const uint8_t *bytes, size_t n)
{
    char *p = arena_alloc(a, n * 8 / code->bits + 4); // a begun character, two of padding and the NUL
    size_t len = 0;
    unsigned held = 0, have = 0, mask = (1u << code->bits) - 1;
    for (size_t i = 0; i < n; i++) {
        held = (held << 8 | bytes[i]) & 0xFFFF;
        for (have += 8; have >= code->bits; have -= code->bits)
            p[len++] = code->alphabet[held >> (have - code->bits) & mask];
    }
    if (have > 0)
        p[len++] = code->alphabet[held << (code->bits - have) & mask];
    while (len % code->group != 0)
        p[len++] = '=';
    p[len] = '\0';
    return (struct str){p, len};
}

struct str hash_hex(struct arena *a, const uint8_t *bytes, size_t n)
{
    return encode(a, &hex, bytes, n);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hash_hex_decode(struct str text, uint8_t *out, size_t n)
{
    if (text.n != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        int high = hex_digit(text.p[2 * i]), low = hex_digit(text.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

struct str hash_base32(struct arena *a, const uint8_t *bytes, size_t n)
{
    return encode(a, &base32, bytes, n);
}

struct str hash_base64(struct arena *a, const uint8_t *bytes, size_t n)
{
    return encode(a, &base64, bytes, n);
}

// The text without its padding; false when that is not what the length asks for.
static bool base64_body(struct str *text)
{
    if (text->n % 4 != 0)
        return false;
    for (int i = 0; i < 2 && text->n > 0 && text->p[text->n - 1] == '='; i++)
        text->n--;
    return text->n % 4 != 1;
}

bool hash_base64_decode(struct arena *a, struct str text, struct str *out)
{
    if (!base64_body(&text))
        return false;
    char *p = arena_alloc(a, text.n / 4 * 3 + 3);
    size_t len = 0;
    unsigned held = 0, have = 0;
    for (size_t i = 0; i < text.n; i++) {
        const char *hit = text.p[i] ? strchr(base64.alphabet, text.p[i]) : NULL;
        if (!hit)
            return false;
        held = (held << 6 | (unsigned)(hit - base64.alphabet)) & 0xFFFF;
        have += 6;
        if (have >= 8)
            p[len++] = (char)(held >> (have -= 8) & 0xFF);
    }
    if ((held & ((1u << have) - 1)) != 0)
        return false;
    p[len] = '\0';
    *out = (struct str){p, len};
    return true;
}

bool hash_equal(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}
