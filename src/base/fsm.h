/* State machines as tables of allowed edges. Every object has one set_state that calls fsm_move(). */
#ifndef SPANDREL_BASE_FSM_H
#define SPANDREL_BASE_FSM_H

#include "base/log.h"

struct fsm_state {
    const char *name;
    uint32_t next; // bit i: state i may follow
};

struct fsm_def {
    const char *name;
    const struct fsm_state *states;
    unsigned count; // at most 32
};

struct fsm {
    const struct fsm_def *def;
    unsigned state;
    int64_t since; // monotonic ms of the last move
};

#define FSM_TO(state) (UINT32_C(1) << (state))

void fsm_init(struct fsm *f, const struct fsm_def *def, unsigned initial, int64_t now);
// Moves along an allowed edge and logs it at debug; any other edge is a fault of ours: it is logged with both names and
// aborts.
void fsm_move(struct fsm *f, unsigned to, int64_t now, const struct log_ctx *log);
bool fsm_may(const struct fsm *f, unsigned to);
const char *fsm_name(const struct fsm *f); // of the present state

#endif
