/* The icon files, as cmake/Icons.cmake builds them in. */
#ifndef SPANDREL_APP_ICONS_H
#define SPANDREL_APP_ICONS_H

#include "xmpp/gateway.h"

struct icon {
    const char *name; // of the file, and of the device class; NULL ends the table
    struct avatar avatar;
};

extern const struct icon icons[];

#endif
