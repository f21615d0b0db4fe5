#include "base/fsm.h"

#include <assert.h>

void fsm_init(struct fsm *f, const struct fsm_def *def, unsigned initial, int64_t now)
{
    assert(def->count <= 32 && initial < def->count);
    *f = (struct fsm){.def = def, .state = initial, .since = now};
}

bool fsm_may(const struct fsm *f, unsigned to)
{
    return to < f->def->count && (f->def->states[f->state].next & FSM_TO(to)) != 0;
}

const char *fsm_name(const struct fsm *f)
{
    return f->def->states[f->state].name;
}

void fsm_move(struct fsm *f, unsigned to, int64_t now, const struct log_ctx *log)
{
    const char *next = to < f->def->count ? f->def->states[to].name : "?";
    if (!fsm_may(f, to))
        err_fatal("%s: no edge from %s to %s", f->def->name, fsm_name(f), next);
    log_debug(log, LOG_MSG("state"), LOG_C("machine", f->def->name), LOG_C("from", fsm_name(f)), LOG_C("to", next),
              LOG_INT("ms", now - f->since));
    f->state = to;
    f->since = now;
}
