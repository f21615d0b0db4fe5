/* Rows that a table has written, as the bridge would keep them. */
#ifndef SPANDREL_TESTS_WEBHOOK_ROWS_H
#define SPANDREL_TESTS_WEBHOOK_ROWS_H

#include "adapters/webhook/webhook_rows.h"

#include <stdio.h>

enum { ROWS_KEPT = 64 };

struct rows {
    struct {
        char key[64], blob[512];
        bool there;
    } at[ROWS_KEPT];
    size_t count, writes;
};

static inline size_t rows_find(const struct rows *r, struct str key)
{
    size_t i = 0;
    while (i < r->count && !str_eq_c(key, r->at[i].key))
        i++;
    return i;
}

static inline void rows_put(void *ud, struct str key, struct str blob)
{
    struct rows *r = ud;
    size_t i = rows_find(r, key);
    r->writes++;
    if (i >= ROWS_KEPT)
        return;
    r->count = i == r->count ? i + 1 : r->count;
    snprintf(r->at[i].key, sizeof r->at[i].key, STR_FMT, STR_ARG(key));
    snprintf(r->at[i].blob, sizeof r->at[i].blob, STR_FMT, STR_ARG(blob));
    r->at[i].there = blob.n > 0;
}

static inline size_t rows_there(const struct rows *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->count; i++)
        n += r->at[i].there;
    return n;
}

#endif
