/* Recording and replay of the core. As the core reads no clock and does no I/O, its configuration, the rows it was
 * restored from and the events it was given decide all it did: `spandrel run --record FILE` writes these, one JSON
 * object a line, with a digest of the effects of each event; `spandrel replay FILE` gives them to a new core, prints
 * what it does, and tells the first event at which it does something else.
 *
 * A recording holds addresses and bodies: treat it as the messages themselves. */
#ifndef SPANDREL_APP_RECORD_H
#define SPANDREL_APP_RECORD_H

#include "core/bridge.h"

struct record;

// Creates the file (mode 0600; it must not exist). NULL with *msg.
struct record *record_create(const char *path, struct errmsg *msg);
void record_destroy(struct record *r); // NULL is fine
// In the order in which the core got them; each is written at once. NULL is fine.
// `fresh`: the core is made with it, rather than reconfigured.
void record_config(struct record *r, const struct bridge_config *cfg, bool fresh);
void record_row(struct record *r, const struct row *row);
void record_step(struct record *r, const struct event *ev, const struct effects *effects);

// Replays; `print` shows each event and its effects on standard output. ERR_PROTO when the effects differ from the
// recorded ones (*msg names the line), ERR_BADREQ when the file is none of ours, ERR_IO.
enum err record_replay(const char *path, bool print, struct errmsg *msg) MUST_CHECK;

#endif
