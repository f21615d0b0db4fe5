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
        cmocka_unit_test(test_digests),           cmocka_unit_test(test_encodings), cmocka_unit_test(test_bad_base64),
        cmocka_unit_test(test_base64_round_trip), cmocka_unit_test(test_equal),
    };
    return cmocka_run_group_tests_name("hash", tests, setup, teardown);
}
