/* TLS as a filter without I/O (private to this layer): bytes of the wire in and out through
 * memory.
 *
 * Any call may leave bytes for the wire: tls_take() them afterwards, also after an error (the alert tells the peer
 * why). */
#ifndef SPANDREL_NET_TLS_H
#define SPANDREL_NET_TLS_H

#include "base/strbuf.h"
#include "net/stream.h"
#include "net/tls_server.h"

#include <openssl/types.h>

struct tls;

// `host` is what was dialled. NULL when a file of `cfg` cannot be used: `why` says which. Files are read here, once.
struct tls *tls_create(const struct stream_tls *cfg, const char *host, struct errmsg *why);
struct tls *tls_accept(struct tls_server *s); // the server's side of a new connection
struct tls *tls_create_server(SSL_CTX *ctx);  // the same; the context is borrowed for the call
void tls_destroy(struct tls *t);

void tls_feed(struct tls *t, struct str wire); // copies
// ERR_OK: done; ERR_AGAIN: more bytes of the wire are wanted; ERR_TLS with the reason.
enum err tls_handshake(struct tls *t, struct errmsg *why);
// ERR_OK: *n > 0 bytes are in buf; ERR_AGAIN: more bytes of the wire are wanted; ERR_CLOSED: close_notify; ERR_TLS.
enum err tls_read(struct tls *t, char *buf, size_t cap, size_t *n, struct errmsg *why);
enum err tls_write(struct tls *t, struct str bytes, struct errmsg *why); // takes all of it
void tls_close(struct tls *t);                                           // close_notify
void tls_take(struct tls *t, struct strbuf *out);                        // appends what is for the wire

#endif
