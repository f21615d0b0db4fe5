/* Rows of the adapter's state: how its tables get theirs written, without knowing the bridge. */
#ifndef SPANDREL_WEBHOOK_ROWS_H
#define SPANDREL_WEBHOOK_ROWS_H

#include "base/str.h"

struct webhook_rows {
    void (*put)(void *ud, struct str key, struct str blob); // an empty blob drops the row; both are copied
    void *ud;
};

#endif
