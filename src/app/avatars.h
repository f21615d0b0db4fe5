/* The avatars of contacts: a small icon set by device class, built into the program from src/app/icons. */
#ifndef SPANDREL_APP_AVATARS_H
#define SPANDREL_APP_AVATARS_H

#include "xmpp/gateway.h"

// The icon of a class ("temperature", "light", ...), or the default one; never NULL.
const struct avatar *avatars_find(struct str cls);

#endif
