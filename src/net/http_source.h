/* Who asks, behind trusted proxies (private to this layer). */
#ifndef SPANDREL_NET_HTTP_SOURCE_H
#define SPANDREL_NET_HTTP_SOURCE_H

#include "net/http_server.h"

// Sets the head's source and tls. `peer` is the connection's address, unknown on a unix socket.
void http_source_find(const struct http_server_config *config, const struct net_ip *peer, bool tls,
                      struct http_head *h);
// Whether the peer's word counts.
bool http_source_trusts(const struct http_server_config *config, const struct net_ip *peer);

#endif
