/* What the files of this layer share of the loop. */
#ifndef SPANDREL_NET_LOOP_PRIVATE_H
#define SPANDREL_NET_LOOP_PRIVATE_H

#include "net/loop.h"

enum { LOOP_BUFFER = 65536 };

// One buffer of LOOP_BUFFER bytes for whoever reads right now: its content lasts until the loop's next callback.
char *loop_buffer(struct loop *l);

#endif
