#include "base/ratelimit.h"

// Refills are sums of fractions: a token that lacks less than this is whole.
static const double WHOLE = 1.0 - 1e-6;

void ratelimit_init(struct ratelimit *r, double per_sec, double burst, int64_t now)
{
    *r = (struct ratelimit){.at = now, .tokens = burst, .per_sec = per_sec, .burst = burst};
}

static double tokens_at(const struct ratelimit *r, int64_t now)
{
    if (now <= r->at)
        return r->tokens;
    double tokens = r->tokens + (double)(now - r->at) * r->per_sec / 1000.0;
    return tokens < r->burst ? tokens : r->burst;
}

bool ratelimit_take(struct ratelimit *r, int64_t now)
{
    double tokens = tokens_at(r, now);
    if (now > r->at)
        r->at = now;
    bool ok = tokens >= WHOLE;
    r->tokens = ok ? tokens - 1.0 : tokens;
    return ok;
}

int64_t ratelimit_wait(const struct ratelimit *r, int64_t now)
{
    double lacking = 1.0 - tokens_at(r, now);
    if (lacking <= 1.0 - WHOLE)
        return 0;
    double ms = r->per_sec > 0 ? lacking * 1000.0 / r->per_sec : (double)INT64_MAX;
    return ms < 9e15 ? (int64_t)ms + 1 : INT64_MAX;
}
