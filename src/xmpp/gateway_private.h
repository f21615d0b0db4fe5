/* What the files of the gateway share. */
#ifndef SPANDREL_XMPP_GATEWAY_PRIVATE_H
#define SPANDREL_XMPP_GATEWAY_PRIVATE_H

#include "xmpp/gateway.h"
#include "xmpp/request.h"

enum {
    GATEWAY_ID_MAX = 1023,     // bytes of a stanza id
    GATEWAY_STATUS_MAX = 1024, // bytes of a presence status or an error text
    GATEWAY_NAME_MAX = 256,    // bytes of a display name
};

struct gateway {
    char *domain; // owned
    char *name;   // owned
    uint16_t component;
    int64_t started; // wall ms
    uint64_t key;    // of session ids, page positions and fences: of this run alone
    uint64_t fence;  // the last that was sent
    const struct gateway_host *host;
    void *ud;
    const struct log_ctx *log;
    struct rng rng;
    struct requests requests;  // our own, not yet answered
    struct list_node catchups; // under way (muc_ask.h)
    struct gateway_stat stat;
    char *contact_ver; // owned: XEP-0115 verification strings of what never changes
    char *room_ver;    // owned
};

#endif
