#include "net/tls_server.h"

#include "base/mem.h"
#include "base/str.h"
#include "net/tls.h"
#include "net/tls_why.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

struct tls_server {
    SSL_CTX *ctx; // owned; connections hold it too
    char *cert_file, *key_file;
};

static enum err file_failed(const char *what, const char *path, struct errmsg *msg)
{
    tls_why_library(msg);
    return err_wrap(msg, ERR_TLS, "%s %s", what, path);
}

static enum err load(SSL_CTX *ctx, const struct tls_server *s, struct errmsg *msg)
{
    if (SSL_CTX_use_certificate_chain_file(ctx, s->cert_file) != 1)
        return file_failed("certificate", s->cert_file, msg);
    if (SSL_CTX_use_PrivateKey_file(ctx, s->key_file, SSL_FILETYPE_PEM) != 1)
        return file_failed("key", s->key_file, msg); // also one that is not the certificate's
    return ERR_OK;
}

// RFC 7301: what else is offered (h2) is not spoken here.
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in, unsigned in_n,
                   void *ud)
{
    static const char http[] = "http/1.1";
    (void)ssl;
    (void)ud;
    for (unsigned i = 0; i + 1U + in[i] <= in_n; i += 1U + in[i]) {
        if (str_eq((struct str){(const char *)in + i + 1, in[i]}, str_c(http))) {
            *out = in + i + 1;
            *out_n = in[i];
            return SSL_TLSEXT_ERR_OK;
        }
        if (i + 1U + in[i] == in_n)
            break;
    }
    return SSL_TLSEXT_ERR_NOACK;
}

static SSL_CTX *make_context(const struct tls_server *s, struct errmsg *msg)
{
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx)
        err_fatal("SSL_CTX_new failed");
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); // tickets do, and cost no memory here
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    if (load(ctx, s, msg) == ERR_OK)
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

struct tls_server *tls_server_create(const char *cert_file, const char *key_file, struct errmsg *msg)
{
    struct tls_server *s = MEM_NEW(struct tls_server);
    const char *key = key_file ? key_file : cert_file;
    s->cert_file = mem_dup(cert_file, strlen(cert_file));
    s->key_file = mem_dup(key, strlen(key));
    s->ctx = make_context(s, msg);
    if (s->ctx)
        return s;
    tls_server_destroy(s);
    return NULL;
}

enum err tls_server_reload(struct tls_server *s, struct errmsg *msg)
{
    SSL_CTX *fresh = make_context(s, msg);
    if (!fresh)
        return ERR_TLS;
    SSL_CTX_free(s->ctx);
    s->ctx = fresh;
    return ERR_OK;
}

void tls_server_destroy(struct tls_server *s)
{
    if (!s)
        return;
    SSL_CTX_free(s->ctx);
    mem_free(s->cert_file);
    mem_free(s->key_file);
    mem_free(s);
}

struct tls *tls_accept(struct tls_server *s)
{
    return tls_create_server(s->ctx);
}
