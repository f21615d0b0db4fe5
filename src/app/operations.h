/* The operations table: name, arguments, right, handler, written once. From it come chat with the component, ad-hoc
 * commands (XEP-0050) and `spandrel ctl`. */
#ifndef SPANDREL_APP_OPERATIONS_H
#define SPANDREL_APP_OPERATIONS_H

#include "app/answer.h"
#include "app/hub_private.h"

enum { OPERATION_ARGS = 3 };

struct operation_call {
    struct hub *hub;
    struct hub_link *link;           // the component that was addressed; of the control socket the first
    const struct jid *user;          // NULL: the control socket
    unsigned rights;                 // on the component
    struct str args[OPERATION_ARGS]; // in order of the table; empty when not given
    struct answer *answer;
};

struct operation_arg {
    const char *name, *label;
    bool required;
};

struct operation {
    const char *name;
    const char *title;                         // of the ad-hoc command
    const char *doc;                           // one line of help
    unsigned right;                            // RIGHT_SEE: any right at all; RIGHT_REGISTER, RIGHT_ADMIN
    bool needs_user;                           // makes no sense from the control socket
    struct operation_arg args[OPERATION_ARGS]; // the last given takes the rest of a line
    // An error says in *msg what was wrong; else the answer holds what is to be shown.
    enum err (*run)(struct operation_call *call, struct errmsg *msg);
};

// NULL when there is none of that name.
const struct operation *operations_find(struct str name);
// The ad-hoc commands of those who have `rights`, in the arena.
size_t operations_commands(struct arena *a, unsigned rights, bool registered, const struct command **out);
// Runs one, after checking right and arguments.
enum err operations_run(const struct operation *op, struct operation_call *call, struct errmsg *msg);
// Runs a line of words; an unknown word is answered with the nearest one.
enum err operations_run_line(struct operation_call *call, struct str line, struct errmsg *msg);
// Sorted by name, ended by one without a name.
const struct operation *operations_all(void);

#endif
