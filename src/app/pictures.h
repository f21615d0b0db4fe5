/* Avatars that adapters bring, by class, beside those that are built in (avatars.h). */
#ifndef SPANDREL_APP_PICTURES_H
#define SPANDREL_APP_PICTURES_H

#include "base/map.h"
#include "xmpp/gateway.h"

enum { PICTURES_MAX = 1000 };

struct pictures {
    struct map by_class; // struct picture
};

void pictures_init(struct pictures *p);
void pictures_finish(struct pictures *p);
// Copies; what is there under this class stays as it is. ERR_LIMIT: there are too many.
enum err pictures_add(struct pictures *p, struct str cls, struct str media, struct str bytes) MUST_CHECK;
const struct avatar *pictures_find(const struct pictures *p, struct str cls); // NULL when there is none

#endif
