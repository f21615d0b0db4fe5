/* The control socket: `spandrel ctl` on one side, the operations table on the other.
 *
 * A client sends one line, "text LINE" or "json LINE" (LINE alone is text), and gets "ok\n" or "error\n" followed by
 * the answer; then the server closes. Who may open the socket operates the bridge: its mode and owner are the access
 * control. */
#ifndef SPANDREL_APP_CONTROL_H
#define SPANDREL_APP_CONTROL_H

#include "base/arena.h"
#include "base/strbuf.h"
#include "net/stream.h"

struct control;

// Runs one line of a client and appends its answer, as text or JSON; an error makes it an error answer. ERR_AGAIN: it
// takes a while, and is run again at the next control_poke(), unless the client has gone.
typedef enum err control_operate(void *ud, uint64_t client, struct str line, bool json, struct strbuf *out);

// Listens; NULL with *msg when the socket cannot be had.
struct control *control_create(struct loop *l, const char *path, unsigned mode, control_operate *operate, void *ud,
                               struct errmsg *msg);
// What takes a while may be done.
void control_poke(struct control *c); // NULL is fine
// Asynchronous: its streams close by themselves.
void control_close(struct control *c);

// Where a standby of who listens at `path` does.
const char *control_standby_path(struct arena *a, const char *path);

// The client: connects, asks, prints the answer to stdout or stderr; of a standby, where nobody serves. Blocking.
// Returns the exit code: 0, 1 (error answer), 2 (no connection).
int control_ask(const char *path, bool json, struct str line);
// The same of who serves alone, with the answer, or why there is none, appended to `out`.
int control_call(const char *path, struct str line, struct strbuf *out);

#endif
