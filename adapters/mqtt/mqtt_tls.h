/* The TLS settings of a connection to a broker, as an OpenSSL context that the library is given.
 *
 * The library's own settings cannot check another name than the host dialled, nor say why a certificate was refused. */
#ifndef SPANDREL_MQTT_TLS_H
#define SPANDREL_MQTT_TLS_H

#include "adapters/mqtt/mqtt_link.h"

#include <openssl/ssl.h>

struct mqtt_tls_note {
    struct errmsg why; // why a file cannot be used, or the broker's certificate was refused; "" before
    const char *name;  // that the certificate must be for
};

// TLS 1.2 or newer; verifies chain and name (cfg->tls_name, else cfg->host) unless tls_insecure. Reads files: not for
// the loop's thread. NULL: the note says why. The note must outlive the context, and is written to while a handshake
// runs; so must the configuration.
SSL_CTX *mqtt_tls_create(const struct mqtt_link_config *cfg, struct mqtt_tls_note *note);

#endif
