/* One hook of the configuration. */
#ifndef SPANDREL_WEBHOOK_CONF_HOOK_H
#define SPANDREL_WEBHOOK_CONF_HOOK_H

#include "adapters/webhook/webhook_hook.h"

extern const struct conf_item webhook_hook_schema[];

// The hook with one reference, the caller's; NULL when the report got an error.
struct webhook_hook *webhook_conf_hook(const struct conf_value *v, struct conf_report *report);

// webhook_picture.c: the avatar, into the hook's arena; an error at `path` when it is none.
void webhook_picture_read(const struct conf_value *path, struct webhook_hook *h, struct conf_report *report);

#endif
