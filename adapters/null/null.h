/* The null adapter: a contact, a room and a form, without a far side. It proves the contract, serves scenarios and
 * shows how small an adapter can be.
 *
 * The contact `echo` answers what it is told; the words "up", "down", "away" change its presence, "fail" makes the
 * delivery fail, "busy" is refused at once, "tell ROOM TEXT" is said in that room elsewhere. Its command `greet` takes
 * a name. The room `lounge` has one foreign occupant, `null`, who repeats what is said to it by name. */
#ifndef SPANDREL_NULL_H
#define SPANDREL_NULL_H

#include "adapters/adapter.h"

extern const struct adapter_ops null_adapter_ops;

#endif
