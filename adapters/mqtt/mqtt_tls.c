#include "adapters/mqtt/mqtt_tls.h"

#include "net/tls_why.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/x509v3.h>
#include <unistd.h>

// Called for each certificate of the chain; says why the first bad one is refused.
static int on_verify(int ok, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct mqtt_tls_note *note = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    if (!ok && !note->why.text[0])
        tls_why_verify(store, note->name, &note->why);
    return ok;
}

static bool failed(struct mqtt_tls_note *note, const char *what, const char *path)
{
    tls_why_library(&note->why);
    err_wrap(&note->why, ERR_TLS, "%s %s", what, path);
    return false;
}

// OpenSSL does not say why it cannot open a file.
static bool readable(struct mqtt_tls_note *note, const char *what, const char *path)
{
    char why[96];
    if (access(path, R_OK) == 0)
        return true;
    if (strerror_r(errno, why, sizeof why))
        why[0] = '\0';
    err_set(&note->why, ERR_TLS, "%s %s: %s", what, path, why);
    return false;
}

static bool load_trust(SSL_CTX *ctx, const struct mqtt_link_config *cfg, struct mqtt_tls_note *note)
{
    if (!cfg->ca_file)
        return SSL_CTX_set_default_verify_paths(ctx) == 1 || failed(note, "CA certificates of", "the system");
    if (!readable(note, "tls.ca", cfg->ca_file))
        return false;
    return SSL_CTX_load_verify_file(ctx, cfg->ca_file) == 1 || failed(note, "tls.ca", cfg->ca_file);
}

static bool load_identity(SSL_CTX *ctx, const struct mqtt_link_config *cfg, struct mqtt_tls_note *note)
{
    if (!cfg->cert_file)
        return true;
    const char *key = cfg->key_file ? cfg->key_file : cfg->cert_file;
    if (!readable(note, "tls.cert", cfg->cert_file) || !readable(note, "tls.key", key))
        return false;
    if (SSL_CTX_use_certificate_chain_file(ctx, cfg->cert_file) != 1)
        return failed(note, "tls.cert", cfg->cert_file);
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        return failed(note, "tls.key", key);
    return SSL_CTX_check_private_key(ctx) == 1 || failed(note, "tls.key does not belong to tls.cert", key);
}

static bool expect_name(SSL_CTX *ctx, struct mqtt_tls_note *note)
{
    unsigned char address[16];
    const char *name = note->name;
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ctx);
    bool is_address = inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    int rc = is_address ? X509_VERIFY_PARAM_set1_ip_asc(param, name) : X509_VERIFY_PARAM_set1_host(param, name, 0);
    return rc == 1 || failed(note, "tls.name", name);
}

SSL_CTX *mqtt_tls_create(const struct mqtt_link_config *cfg, struct mqtt_tls_note *note)
{
    *note = (struct mqtt_tls_note){.name = cfg->tls_name ? cfg->tls_name : cfg->host};
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx) {
        failed(note, "TLS", "context");
        return NULL;
    }
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_app_data(ctx, note);
    SSL_CTX_set_verify(ctx, cfg->tls_insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, on_verify);
    bool trust = cfg->tls_insecure || (load_trust(ctx, cfg, note) && expect_name(ctx, note));
    if (trust && load_identity(ctx, cfg, note))
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}
