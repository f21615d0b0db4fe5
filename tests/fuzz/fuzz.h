/* What a fuzz target shares with its driver, libFuzzer or replay.c. */
#ifndef SPANDREL_TESTS_FUZZ_H
#define SPANDREL_TESTS_FUZZ_H

#include "base/str.h"

#include <stdlib.h>

// One input; returns 0. What must hold is said with FUZZ_CHECK.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(condition) ((condition) ? (void)0 : abort())

static inline struct str fuzz_str(const uint8_t *data, size_t size)
{
    return (struct str){(const char *)data, size};
}

#endif
