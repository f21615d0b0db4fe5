#include "net/tls.h"

#include "base/mem.h"
#include "net/net_addr.h"
#include "net/tls_why.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

struct tls {
    SSL *ssl;             // owned, with both BIOs
    BIO *in, *out;        // the wire's bytes, borrowed from ssl
    char *name;           // to be verified
    struct errmsg verify; // why verification failed, "" when it did not
};

// --- set-up ---

static enum err file_failed(const char *what, const char *path, struct errmsg *why)
{
    tls_why_library(why);
    return err_wrap(why, ERR_TLS, "%s %s", what, path);
}

static enum err load_trust(SSL_CTX *ctx, const struct stream_tls *cfg, struct errmsg *why)
{
    if (cfg->insecure)
        return ERR_OK;
    if (!cfg->ca_file)
        SSL_CTX_set_default_verify_paths(ctx);
    else if (SSL_CTX_load_verify_file(ctx, cfg->ca_file) != 1)
        return file_failed("ca_file", cfg->ca_file, why);
    return ERR_OK;
}

static enum err load_identity(SSL_CTX *ctx, const struct stream_tls *cfg, struct errmsg *why)
{
    if (!cfg->cert_file)
        return ERR_OK;
    const char *key = cfg->key_file ? cfg->key_file : cfg->cert_file;
    if (SSL_CTX_use_certificate_chain_file(ctx, cfg->cert_file) != 1)
        return file_failed("cert_file", cfg->cert_file, why);
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        return file_failed("key_file", key, why);
    return ERR_OK;
}

static int on_verify(int ok, X509_STORE_CTX *ctx)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls *t = SSL_get_app_data(ssl);
    if (!ok && !t->verify.text[0])
        tls_why_verify(ctx, t->name, &t->verify);
    return ok;
}

static SSL_CTX *make_context(const struct stream_tls *cfg, struct errmsg *why)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx)
        err_fatal("SSL_CTX_new failed");
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(ctx, cfg->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, on_verify);
    if (load_trust(ctx, cfg, why) == ERR_OK && load_identity(ctx, cfg, why) == ERR_OK)
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

// SNI carries names only (RFC 6066 section 3); an address is verified against the certificate's addresses.
static void set_name(struct tls *t)
{
    struct sockaddr_storage literal;
    if (net_addr_literal(t->name, 0, &literal)) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(t->ssl), t->name);
        return;
    }
    SSL_set_hostflags(t->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    SSL_set_tlsext_host_name(t->ssl, t->name);
    SSL_set1_host(t->ssl, t->name);
}

static void attach(struct tls *t, SSL_CTX *ctx)
{
    t->ssl = SSL_new(ctx);
    t->in = BIO_new(BIO_s_mem());
    t->out = BIO_new(BIO_s_mem());
    if (!t->ssl || !t->in || !t->out)
        err_fatal("SSL_new failed");
    SSL_set_bio(t->ssl, t->in, t->out);
    SSL_set_app_data(t->ssl, t);
}

struct tls *tls_create(const struct stream_tls *cfg, const char *host, struct errmsg *why)
{
    ERR_clear_error();
    SSL_CTX *ctx = make_context(cfg, why);
    if (!ctx)
        return NULL;
    struct tls *t = MEM_NEW(struct tls);
    struct str name = str_c(cfg->name ? cfg->name : host);
    t->name = mem_dup(name.p, str_ends(name, STR(".")) ? name.n - 1 : name.n);
    attach(t, ctx);
    SSL_CTX_free(ctx);
    SSL_set_connect_state(t->ssl);
    set_name(t);
    return t;
}

struct tls *tls_create_server(SSL_CTX *ctx)
{
    struct tls *t = MEM_NEW(struct tls);
    ERR_clear_error();
    attach(t, ctx);
    SSL_set_accept_state(t->ssl);
    return t;
}

void tls_destroy(struct tls *t)
{
    if (!t)
        return;
    SSL_free(t->ssl);
    mem_free(t->name);
    mem_free(t);
}

// --- bytes ---

void tls_feed(struct tls *t, struct str wire)
{
    if (wire.n && BIO_write(t->in, wire.p, (int)wire.n) != (int)wire.n)
        err_fatal("BIO_write failed");
}

// What a call of OpenSSL that returned rc <= 0 means.
static enum err outcome(struct tls *t, int rc, struct errmsg *why)
{
    int e = SSL_get_error(t->ssl, rc);
    if (e == SSL_ERROR_WANT_READ)
        return ERR_AGAIN;
    if (e == SSL_ERROR_ZERO_RETURN)
        return ERR_CLOSED;
    tls_why_library(why);
    return t->verify.text[0] ? err_set(why, ERR_TLS, "%s", t->verify.text) : ERR_TLS;
}

enum err tls_handshake(struct tls *t, struct errmsg *why)
{
    ERR_clear_error();
    int rc = SSL_do_handshake(t->ssl);
    return rc == 1 ? ERR_OK : outcome(t, rc, why);
}

enum err tls_read(struct tls *t, char *buf, size_t cap, size_t *n, struct errmsg *why)
{
    ERR_clear_error();
    int rc = SSL_read_ex(t->ssl, buf, cap, n);
    return rc == 1 ? ERR_OK : outcome(t, rc, why);
}

enum err tls_write(struct tls *t, struct str bytes, struct errmsg *why)
{
    ERR_clear_error();
    size_t n = 0;
    int rc = bytes.n ? SSL_write_ex(t->ssl, bytes.p, bytes.n, &n) : 1;
    assert(rc != 1 || n == bytes.n);
    return rc == 1 ? ERR_OK : outcome(t, rc, why);
}

void tls_close(struct tls *t)
{
    ERR_clear_error();
    if (SSL_is_init_finished(t->ssl))
        SSL_shutdown(t->ssl);
    ERR_clear_error();
}

void tls_take(struct tls *t, struct strbuf *out)
{
    char *bytes = NULL;
    long n = BIO_get_mem_data(t->out, &bytes);
    if (n > 0)
        strbuf_add(out, bytes, (size_t)n);
    BIO_reset(t->out);
}
