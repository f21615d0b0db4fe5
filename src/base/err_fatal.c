#include "base/err.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

void err_fatal(const char *fmt, ...)
{
    static const struct log_ctx fatal = {.sub = LOG_SUB_app};
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    log_error(&fatal, LOG_MSG("fatal"), LOG_C("why", text));
    abort();
}
