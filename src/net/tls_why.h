/* Why TLS failed, in words for the operator (private to this layer). */
#ifndef SPANDREL_NET_TLS_WHY_H
#define SPANDREL_NET_TLS_WHY_H

#include "base/err.h"

#include <openssl/x509.h>

// Of a verification that has just failed; `name` is the name that was to be verified.
void tls_why_verify(X509_STORE_CTX *ctx, const char *name, struct errmsg *why);
// Of the oldest error in OpenSSL's queue, which is emptied.
void tls_why_library(struct errmsg *why);

#endif
