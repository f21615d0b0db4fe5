/* Carries the bytes of one component link: dials when the component asks for it, feeds what comes, writes what stands
 * in its output, keeps its deadline. */
#ifndef SPANDREL_APP_LINK_DRIVER_H
#define SPANDREL_APP_LINK_DRIVER_H

#include "net/stream.h"
#include "xmpp/component.h"

struct link_driver;

struct link_driver_config { // copied
    const char *host;
    uint16_t port;
    struct stream_tls tls;
};

struct link_driver_events {
    void (*work)(void *ud);                              // the component was fed, or its time has come: poke follows
    void (*congested)(void *ud, size_t number, bool is); // the transport takes no more, or takes more again
};

// The component and `log` must outlive it.
struct link_driver *link_driver_create(struct loop *l, struct component *c, const struct link_driver_config *cfg,
                                       const struct link_driver_events *ev, void *ud, size_t number,
                                       const struct log_ctx *log);
// Looks at what the component wants: to be called after anything was done with it.
void link_driver_poke(struct link_driver *d);
// The next connection goes there; the present one stays.
void link_driver_configure(struct link_driver *d, const struct link_driver_config *cfg);
// Drops the transport; the component is not touched any more, also when one of its events has called this. Frees itself
// in the loop, when the transport is gone. NULL is fine.
void link_driver_close(struct link_driver *d);

#endif
