/* `spandrel run`: the loop, the store and the sockets around a hub. */
#ifndef SPANDREL_APP_DAEMON_H
#define SPANDREL_APP_DAEMON_H

#include <stdbool.h>

// Runs until SIGTERM or SIGINT. Returns the exit code: 0 after a clean stop, 1 when the configuration is wrong or the
// state cannot be opened.
// `record_path`: file to record to (record.h), or NULL. `standby`: while another process serves the state, wait for its
// end and take over (standby.h); else that is an error.
int daemon_run(const char *config_path, const char *record_path, bool standby);

// `spandrel check`: reads and validates as run does, with all adapters, and connects to nothing. 0 when it would start,
// else 1; the report goes to stderr.
int daemon_check(const char *config_path);

#endif
