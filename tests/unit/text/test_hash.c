#include "lib/check.h"

#include "base/rng.h"
#include "text/hash.h"

static struct arena a;

static int setup(void **state)
{
    (void)state;
    arena_init(&a, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_finish(&a);
    return 0;
}

// The examples of FIPS 180.
static void test_digests(void **state)
{
    (void)state;
    static const struct {
        struct str in;
        const char *sha1, *sha256;
    } rows[] = {
        {{NULL, 0},
         "da39a3ee5e6b4b0d3255bfef95601890afd80709",
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {{"abc", 3},
         "a9993e364706816aba3e25717850c26c9cd0d89d",
         "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56},
         "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t sha1[20], sha256[32];
        hash_sha1(rows[i].in, sha1);
        hash_sha256(rows[i].in, sha256);
        assert_str(hash_hex(&a, sha1, sizeof sha1), rows[i].sha1);
        assert_str(hash_hex(&a, sha256, sizeof sha256), rows[i].sha256);
    }
}

// RFC 4648 section 10; base32 there is upper case and padded.
static void test_encodings(void **state)
{
    (void)state;
    static const struct {
        const char *in, *base64, *base32, *hex;
    } rows[] = {
        {"", "", "", ""},
        {"f", "Zg==", "my", "66"},
        {"fo", "Zm8=", "mzxq", "666f"},
        {"foo", "Zm9v", "mzxw6", "666f6f"},
        {"foob", "Zm9vYg==", "mzxw6yq", "666f6f62"},
        {"fooba", "Zm9vYmE=", "mzxw6ytb", "666f6f6261"},
        {"foobar", "Zm9vYmFy", "mzxw6ytboi", "666f6f626172"},
        {"\xff\xfe\xfb", "//77", "777pw", "fffefb"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const uint8_t *in = (const uint8_t *)rows[i].in;
        size_t n = strlen(rows[i].in);
        struct str back, text = hash_base64(&a, in, n);
        assert_str(text, rows[i].base64);
        assert_int_equal(text.p[text.n], '\0');
        assert_str(hash_base32(&a, in, n), rows[i].base32);
        assert_str(hash_hex(&a, in, n), rows[i].hex);
        assert_true(hash_base64_decode(&a, text, &back));
        assert_str(back, rows[i].in);
    }
}

static void test_bad_base64(void **state)
{
    (void)state;
    static const char *const bad[] = {"Z",     "Zg",    "Zg=",  "Zm8",  "====",   "=Zg=", "Zg==Zg==", "Zh==",   "Zm9=",
                                      "Zm9v ", " Zm9v", "Zm-v", "Zm_v", "Zm9v\n", "Z===", "Zm9vZg=A", "Zm9\xff"};
    struct str out = STR("untouched");
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(hash_base64_decode(&a, str_c(bad[i]), &out));
    assert_false(hash_base64_decode(&a, STR("Zm9\0"), &out));
    assert_str(out, "untouched");
    assert_true(hash_base64_decode(&a, STR_NONE, &out));
    assert_str(out, "");
}

static void test_base64_round_trip(void **state)
{
    (void)state;
    uint8_t bytes[200];
    rng_bytes(bytes, sizeof bytes);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        struct str back;
        assert_true(hash_base64_decode(&a, hash_base64(&a, bytes, n), &back));
        assert_int_equal(back.n, n);
        assert_memory_equal(back.p, bytes, n);
        assert_int_equal(hash_base32(&a, bytes, n).n, (n * 8 + 4) / 5);
        arena_reset(&a);
    }
}

// RFC 4231, test cases 1, 2 and 6; and nothing at all, by Python's hmac.
static void test_hmac(void **state)
{
    (void)state;
    char long_key[131];
    memset(long_key, 0xaa, sizeof long_key);
    const struct {
        struct str key;
        const char *data, *sha256, *sha512;
    } rows[] = {
        {{"\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b", 20},
         "Hi There",
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
         "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
         "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"},
        {{"Jefe", 4},
         "what do ya want for nothing?",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
         "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
         "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"},
        {{long_key, sizeof long_key},
         "Test Using Larger Than Block-Size Key - Hash Key First",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
         "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
         "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598"},
        {{"", 0},
         "",
         "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad",
         "b936cee86c9f87aa5d3c6f2e84cb5a4239a5fe50480a6ec66b70ab5b1f4ac673"
         "0c6c515421b327ec1d69402e53dfb49ad7381eb067b338fd7b0cb22247225d47"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str data = str_c(rows[i].data);
        for (size_t cut = 0; cut <= data.n; cut++) {
            const struct str parts[] = {str_sub(data, 0, cut), STR_NONE, str_sub(data, cut, data.n)};
            uint8_t out[HASH_HMAC_MAX];
            assert_int_equal(hash_hmac(HASH_HMAC_SHA256, rows[i].key, parts, COUNT(parts), out), 32);
            assert_str(hash_hex(&a, out, 32), rows[i].sha256);
            assert_int_equal(hash_hmac(HASH_HMAC_SHA512, rows[i].key, parts, COUNT(parts), out), 64);
            assert_str(hash_hex(&a, out, 64), rows[i].sha512);
        }
    }
}

static void test_hex(void **state)
{
    (void)state;
    static const char *const bad[] = {"",       "00fFa",  "00fFa55", "00fFaG", "00fFa\x07",
                                      "00fF@5", "00fF`5", "0x0fF5",  " 0fFa5", "00fFa\xe1"};
    uint8_t out[3];
    assert_true(hash_hex_decode(STR("00fFa5"), out, 3));
    assert_memory_equal(out, "\x00\xff\xa5", 3);
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(hash_hex_decode(str_c(bad[i]), out, 3));
    assert_true(hash_hex_decode(STR_NONE, out, 0));
}

static void test_equal(void **state)
{
    (void)state;
    assert_true(hash_equal(STR("secret"), STR("secret")));
    assert_false(hash_equal(STR("secret"), STR("secreT")));
    assert_false(hash_equal(STR("secret"), STR("secre")));
    assert_true(hash_equal(STR_NONE, STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digests),    cmocka_unit_test(test_encodings),
        cmocka_unit_test(test_bad_base64), cmocka_unit_test(test_base64_round_trip),
        cmocka_unit_test(test_equal),      cmocka_unit_test(test_hmac),
        cmocka_unit_test(test_hex),
    };
    return cmocka_run_group_tests_name("hash", tests, setup, teardown);
}
