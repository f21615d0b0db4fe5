/* A certificate authority for tests, made anew for each run, in a directory of its own. */
#ifndef SPANDREL_TESTS_UNIT_NET_CERTS_H
#define SPANDREL_TESTS_UNIT_NET_CERTS_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct cert {
    EVP_PKEY *key;
    X509 *x509;
};

struct cert_spec {
    const char *name; // common name
    const char *san;  // "DNS:a.example,IP:127.0.0.1", or NULL
    int from, to;     // days from now
};

enum { DAY_S = 86400 };

static inline void cert_extend(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(ext);
    X509_add_ext(cert, ext, -1);
    X509_EXTENSION_free(ext);
}

// Signed by `issuer`, or by itself when that is NULL.
static inline void cert_make(struct cert *c, const struct cert_spec *spec, const struct cert *issuer, bool authority)
{
    static long serial = 1;
    c->key = EVP_EC_gen("P-256");
    c->x509 = X509_new();
    assert_non_null(c->key);
    X509_set_version(c->x509, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(c->x509), serial++);
    X509_gmtime_adj(X509_getm_notBefore(c->x509), (long)spec->from * DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(c->x509), (long)spec->to * DAY_S);
    X509_NAME *name = X509_get_subject_name(c->x509);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)spec->name, -1, -1, 0);
    X509_set_issuer_name(c->x509, issuer ? X509_get_subject_name(issuer->x509) : name);
    X509_set_pubkey(c->x509, c->key);
    cert_extend(c->x509, NID_basic_constraints, authority ? "critical,CA:TRUE" : "CA:FALSE");
    if (spec->san)
        cert_extend(c->x509, NID_subject_alt_name, spec->san);
    assert_true(X509_sign(c->x509, issuer ? issuer->key : c->key, EVP_sha256()) > 0);
}

static inline void cert_free(struct cert *c)
{
    EVP_PKEY_free(c->key);
    X509_free(c->x509);
}

// Both in one PEM file, or the certificate alone.
static inline void cert_write(const struct cert *c, const char *path, bool with_key)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    PEM_write_X509(f, c->x509);
    if (with_key)
        PEM_write_PrivateKey(f, c->key, NULL, NULL, 0, NULL, NULL);
    fclose(f);
}

#endif
