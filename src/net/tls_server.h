/* The server's side of TLS: a certificate with its key, reloadable. TLS 1.2 or newer, ALPN "http/1.1". */
#ifndef SPANDREL_NET_TLS_SERVER_H
#define SPANDREL_NET_TLS_SERVER_H

#include "base/err.h"

struct tls_server;

// PEM: the chain, leaf first, and its key; key_file NULL: in the same file. NULL with a text when a file cannot be
// used.
struct tls_server *tls_server_create(const char *cert_file, const char *key_file, struct errmsg *msg);
// Reads the files again: new connections get what they hold now. On an error all stays as it is.
enum err tls_server_reload(struct tls_server *s, struct errmsg *msg) MUST_CHECK;
// Connections that have begun live on; NULL is fine.
void tls_server_destroy(struct tls_server *s);

#endif
