/* What may go wrong at any step. Each fault comes before a step, and the worst of it is over after the step; in the end
 * the clients must show what they show without it. */
#ifndef SPANDREL_TESTS_FAULTS_H
#define SPANDREL_TESTS_FAULTS_H

#include "scenario/world.h"

enum {
    FAULT_LOSSY = 1,   // what the bridge said is lost: who asked may go without an answer, and has to log in again
    FAULT_DURABLE = 2, // only where a device publishes with QoS 1: nothing else is acknowledged
};

struct fault {
    const char *name;
    unsigned flags;
    void (*before)(struct world *w);
    void (*after)(struct world *w); // NULL: nothing
};

extern const struct fault faults[]; // ended by one without a name

#endif
