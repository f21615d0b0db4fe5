#include "store/store_snapshot.h"

#include "base/mem.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

enum { STEP_PAGES = 128 }; // half a MiB: no commit waits longer than that takes

bool store_snapshot_begin(struct store_snapshot *s, const char *path)
{
    if (s->path)
        return false;
    *s = (struct store_snapshot){.path = mem_dup(path, strlen(path))};
    return true;
}

static bool ended(struct store_snapshot *s, enum err result)
{
    if (result)
        store_copy_abort(s->copy);
    s->copy = NULL;
    s->result = result;
    return true;
}

bool store_snapshot_work(struct store_snapshot *s, struct store_db *db)
{
    bool done = false;
    enum err e = s->copy ? ERR_OK : store_copy_begin(store_db_sql(db), s->path, &s->copy, &s->msg);
    if (e)
        return ended(s, e);
    e = store_copy_step(s->copy, STEP_PAGES, &done, &s->msg);
    if (e)
        return ended(s, e);
    if (!done)
        return false;
    e = store_copy_finish(s->copy, false, &s->msg); // who fetches it verifies it
    s->copy = NULL;
    return ended(s, e);
}

bool store_snapshot_take(struct store_snapshot *s, enum err *result, struct errmsg *msg)
{
    if (!s->path || !s->ended)
        return false;
    *result = s->result;
    *msg = s->msg;
    store_snapshot_finish(s);
    return true;
}

void store_snapshot_finish(struct store_snapshot *s)
{
    store_copy_abort(s->copy);
    mem_free(s->path);
    *s = (struct store_snapshot){.path = NULL};
}

void store_snapshot_sweep(const char *dir)
{
    char path[PATH_MAX];
    DIR *d = opendir(dir);
    for (const struct dirent *e; d && (e = readdir(d));) {
        bool ours = str_starts(str_c(e->d_name), STR("snapshot-")) &&
                    snprintf(path, sizeof path, "%s/%s", dir, e->d_name) < (int)sizeof path;
        if (ours)
            (void)unlink(path);
    }
    if (d)
        (void)closedir(d);
}
