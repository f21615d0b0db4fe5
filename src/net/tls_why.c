#include "net/tls_why.h"

#include "base/strbuf.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <time.h>
#include <uv.h>

enum { NAMES_MAX = 120, NAME_MAX_LEN = 64, TIME_MAX = 32 };

// A certificate is written by a stranger: what is shown of it is cut and kept to visible ASCII.
static void add_visible(struct strbuf *out, struct str s)
{
    for (size_t i = 0; i < s.n && i < NAME_MAX_LEN; i++)
        strbuf_char(out, s.p[i] > ' ' && s.p[i] < 0x7f ? s.p[i] : s.p[i] == ' ' ? ' ' : '?');
}

static struct str asn1_str(const ASN1_STRING *s)
{
    return (struct str){(const char *)ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s)};
}

static void add_ip(struct strbuf *out, struct str raw)
{
    char text[INET6_ADDRSTRLEN] = "";
    if (raw.n == 4 || raw.n == 16)
        uv_inet_ntop(raw.n == 4 ? AF_INET : AF_INET6, raw.p, text, sizeof text);
    strbuf_c(out, text);
}

static void add_common_name(struct strbuf *out, const X509_NAME *name)
{
    int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    if (at >= 0)
        add_visible(out, asn1_str(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at))));
}

// The names a certificate is good for: its DNS names and addresses, else its common name.
static void add_names(struct strbuf *out, const X509 *cert)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS && name->type != GEN_IPADD)
            continue;
        strbuf_c(out, out->n ? ", " : "");
        if (name->type == GEN_DNS)
            add_visible(out, asn1_str(name->d.dNSName));
        else
            add_ip(out, asn1_str(name->d.iPAddress));
    }
    GENERAL_NAMES_free(names);
    if (out->n == 0)
        add_common_name(out, X509_get_subject_name(cert));
}

static void format_time(const ASN1_TIME *t, char out[TIME_MAX])
{
    struct tm tm;
    if (!ASN1_TIME_to_tm(t, &tm) || !strftime(out, TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm))
        out[0] = '\0';
}

static void why_expired(const X509 *cert, const char *name, struct errmsg *why)
{
    (void)name;
    char when[TIME_MAX];
    format_time(X509_get0_notAfter(cert), when);
    err_set(why, ERR_TLS, "certificate has expired (notAfter %s)", when);
}

static void why_not_yet(const X509 *cert, const char *name, struct errmsg *why)
{
    (void)name;
    char when[TIME_MAX];
    format_time(X509_get0_notBefore(cert), when);
    err_set(why, ERR_TLS, "certificate is not valid yet (notBefore %s)", when);
}

static void why_name(const X509 *cert, const char *name, struct errmsg *why)
{
    struct strbuf names;
    strbuf_init(&names, NAMES_MAX);
    add_names(&names, cert);
    err_set(why, ERR_TLS, "certificate is for %s, not %s", names.n ? names.p : "nobody", name);
    strbuf_finish(&names);
}

static void why_self_signed(const X509 *cert, const char *name, struct errmsg *why)
{
    (void)cert;
    (void)name;
    err_set(why, ERR_TLS, "certificate is self-signed and not among the trusted ones");
}

static void why_issuer(const X509 *cert, const char *name, struct errmsg *why)
{
    (void)name;
    struct strbuf issuer;
    strbuf_init(&issuer, NAMES_MAX);
    add_common_name(&issuer, X509_get_issuer_name(cert));
    err_set(why, ERR_TLS, "certificate was issued by '%s', which is not trusted", issuer.n ? issuer.p : "");
    strbuf_finish(&issuer);
}

static const struct {
    int code;
    void (*describe)(const X509 *cert, const char *name, struct errmsg *why);
} verdicts[] = {
    {X509_V_ERR_CERT_HAS_EXPIRED, why_expired},
    {X509_V_ERR_CERT_NOT_YET_VALID, why_not_yet},
    {X509_V_ERR_HOSTNAME_MISMATCH, why_name},
    {X509_V_ERR_IP_ADDRESS_MISMATCH, why_name},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, why_self_signed},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, why_issuer},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, why_issuer},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, why_issuer},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, why_issuer},
};

void tls_why_verify(X509_STORE_CTX *ctx, const char *name, struct errmsg *why)
{
    int code = X509_STORE_CTX_get_error(ctx);
    const X509 *cert = X509_STORE_CTX_get_current_cert(ctx);
    for (size_t i = 0; cert && i < sizeof verdicts / sizeof *verdicts; i++) {
        if (verdicts[i].code == code) {
            verdicts[i].describe(cert, name, why);
            return;
        }
    }
    err_set(why, ERR_TLS, "certificate: %s", X509_verify_cert_error_string(code));
}

static const char no_tls[] = "the peer does not speak TLS on this port";
static const char old_tls[] = "the peer offers nothing newer than TLS 1.1";

static const struct {
    int reason;
    const char *text;
} reasons[] = {
    {SSL_R_WRONG_VERSION_NUMBER, no_tls},   {SSL_R_HTTP_REQUEST, no_tls},
    {SSL_R_PACKET_LENGTH_TOO_LONG, no_tls}, {SSL_R_UNKNOWN_PROTOCOL, old_tls},
    {SSL_R_UNSUPPORTED_PROTOCOL, old_tls},  {SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, old_tls},
};

static const char *reason_text(unsigned long code)
{
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        if (ERR_GET_REASON(code) == reasons[i].reason)
            return reasons[i].text;
    }
    const char *text = ERR_reason_error_string(code);
    return text ? text : "TLS failed";
}

void tls_why_library(struct errmsg *why)
{
    err_set(why, ERR_TLS, "%s", reason_text(ERR_get_error()));
    ERR_clear_error();
}
