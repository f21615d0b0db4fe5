/* Waiting for the state directory of another process.
 *
 * Happy path: the lock is tried twice a second -> it is free -> `done`, with the lock. Nothing else is touched
 * meanwhile: no link is made, and the control socket of who serves stays his. The standby listens on one of its own,
 * whose path has ".standby" behind it, and tells there what it waits for. Failures: a socket that cannot be had is said
 * in the log, and the wait goes on without; a directory that cannot be locked for another reason than its holder ends
 * the wait. */
#ifndef SPANDREL_APP_STANDBY_H
#define SPANDREL_APP_STANDBY_H

#include "net/loop.h"
#include "store/store_dir.h"

enum { STANDBY_POLL_MS = 500 };

struct standby;

struct standby_config { // copied
    const char *dir;    // the state directory
    const char *socket; // the control socket of who serves
    unsigned mode;      // of the standby's own
};

// `holder`: who holds it now. `done`: the directory is locked (`takes` is owned by the callee), or, with NULL, cannot
// be: *why tells. At most once, never from inside this call.
struct standby *standby_create(struct loop *l, const struct standby_config *cfg, const struct store_holder *holder,
                               void (*done)(void *ud, struct store_lock *takes, const char *why), void *ud);
void standby_destroy(struct standby *s); // NULL is fine

#endif
