/* The webhook adapter: services post by HTTP, rooms and people read it. */
#ifndef SPANDREL_WEBHOOK_H
#define SPANDREL_WEBHOOK_H

#include "adapters/adapter.h"

extern const struct adapter_ops webhook_adapter_ops;

#endif
