#include "xmpp/liveness.h"

#include "text/jid.h"
#include "xml/xml_writer.h"
#include "xmpp/ns.h"

#include <stdio.h>

enum {
    SILENCE_MS = 8000,
    ANYWAY_MS = 30000, // a busy link is asked that often, since it may have lost its echo
    ANSWER_MS = 10000,
    SECOND_MS = 5000, // after that the server's domain is asked too
    RETEST_MS = 60000,
    ALL = (1 << LIVENESS_NONCES) - 1,
    GIVE_UP = 2 // links
};

#define PREFIX "spandrel-live-"

/* Ids: PREFIX tag '-' serial '-' what, where `what` is the number of a nonce of a test, 's' for a ping to ourselves or
 * 'p' for one to the parent. */

void liveness_init(struct liveness *l, struct str domain, struct rng *rng)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
    *l = (struct liveness){.domain = domain};
    l->parent = jid_parent(domain);
    for (size_t i = 0; i < LIVENESS_TAG; i++)
        l->tag[i] = letters[rng_below(rng, 32)];
}

// Output that is full is left to the answer that will not come.
static void send_ping(const struct liveness *l, struct strbuf *out, unsigned serial, char what)
{
    char buf[64];
    struct xml_writer w;
    int n = snprintf(buf, sizeof buf, PREFIX "%s-%u-%c", l->tag, serial, what);
    xml_begin(&w, out);
    xml_open(&w, "iq");
    xml_put_attr_c(&w, "type", "get");
    xml_put_attr(&w, "id", (struct str){buf, (size_t)n});
    xml_put_attr(&w, "from", l->domain);
    xml_put_attr(&w, "to", what == 'p' ? l->parent : l->domain);
    xml_open_ns(&w, "ping", NS_PING);
    xml_shut(&w);
    xml_shut(&w);
    (void)!xml_end(&w);
}

static void start_test(struct liveness *l, struct strbuf *out, int64_t now)
{
    l->ping = 0;
    l->test = ++l->serial;
    l->test_at = now + ANSWER_MS;
    l->returned = 0;
    for (unsigned i = 0; i < LIVENESS_NONCES; i++)
        send_ping(l, out, l->test, (char)('0' + i));
}

static bool may_ping(const struct liveness *l)
{
    bool to_self = l->echoes && !l->twin;
    return to_self || (l->parent.n && l->mute < GIVE_UP);
}

static void ask(struct liveness *l, struct strbuf *out, int64_t now)
{
    if (!may_ping(l))
        return;
    l->ping = ++l->serial;
    l->ping_at = now;
    l->to_self = l->echoes && !l->twin;
    l->second = !l->to_self || !l->parent.n;
    send_ping(l, out, l->ping, l->to_self ? 's' : 'p');
}

static enum liveness_news end_test(struct liveness *l, struct strbuf *out, int64_t now)
{
    bool was_twin = l->twin;
    bool silent = l->heard <= l->test_at - ANSWER_MS;
    l->test = 0;
    l->test_at = INT64_MAX;
    l->ping_at = now;
    if (l->returned == ALL) {
        l->twin = false;
        return was_twin ? LIVENESS_ALONE : LIVENESS_NOTHING;
    }
    bool lost = l->returned || (l->echoes && !silent); // an echo that others got, for we are heard
    if (lost || was_twin) {
        l->twin = true;
        l->test_at = now + RETEST_MS;
    }
    if (silent)
        ask(l, out, now);
    return l->twin && !was_twin ? LIVENESS_TWIN : LIVENESS_NOTHING;
}

void liveness_begin(struct liveness *l, struct strbuf *out, int64_t now)
{
    l->heard = now;
    l->ping_at = now;
    l->echoes = l->answered = l->twin = false;
    start_test(l, out, now);
}

void liveness_heard(struct liveness *l, int64_t now)
{
    l->heard = now;
}

void liveness_extend(struct liveness *l, int64_t now)
{
    l->heard = now;
    if (l->ping)
        l->ping_at = now;
    if (l->test)
        l->test_at = now + ANSWER_MS;
}

static void note_answer(struct liveness *l, bool echo)
{
    l->answered = true;
    l->echoes |= echo;
    l->mute = 0;
}

static enum liveness_news note_nonce(struct liveness *l, unsigned nonce, struct strbuf *out, int64_t now)
{
    l->returned |= 1U << nonce;
    return l->returned == ALL ? end_test(l, out, now) : LIVENESS_NOTHING;
}

// The server lives, but has not given us our echo: has somebody else got it?
static void note_second(struct liveness *l, struct strbuf *out, int64_t now)
{
    l->ping = 0;
    if (l->to_self)
        start_test(l, out, now);
}

static enum liveness_news take_own(struct liveness *l, struct str rest, bool echo, struct strbuf *out, int64_t now)
{
    struct str serial_text, what;
    uint64_t serial;
    if (!str_cut(rest, '-', &serial_text, &what) || !str_to_u64(serial_text, &serial) || what.n != 1)
        return LIVENESS_NOTHING;
    note_answer(l, echo);
    char c = what.p[0];
    if (echo && l->test && serial == l->test && c >= '0' && c < '0' + LIVENESS_NONCES)
        return note_nonce(l, (unsigned)(c - '0'), out, now);
    if (l->ping && serial == l->ping && c == 's' && echo)
        l->ping = 0;
    else if (l->ping && serial == l->ping && c == 'p' && !echo)
        note_second(l, out, now);
    return LIVENESS_NOTHING;
}

bool liveness_take(struct liveness *l, const struct xml_node *stanza, struct strbuf *out, int64_t now,
                   enum liveness_news *news)
{
    *news = LIVENESS_NOTHING;
    struct str from = xml_attr(stanza, "from"), id = xml_attr(stanza, "id"), type = xml_attr(stanza, "type");
    bool from_self = str_eq(from, l->domain), from_parent = l->parent.n && str_eq(from, l->parent);
    if (!str_eq_c(stanza->name, "iq") || !(from_self || from_parent) || !str_starts(id, STR(PREFIX)))
        return false;
    struct str tag, rest;
    str_cut(str_sub(id, sizeof PREFIX - 1, id.n), '-', &tag, &rest);
    bool result = str_eq_c(type, "result");
    if (str_eq_c(tag, l->tag)) {
        if (from_parent || !result) // a result from ourselves is another's: we do not answer these
            *news = take_own(l, rest, from_self, out, now);
    } else if (from_self && !result && !l->test && !l->twin) {
        start_test(l, out, now); // a ping of another instance
    }
    return true;
}

static enum liveness_news wait_for_ping(struct liveness *l, struct strbuf *out, int64_t now)
{
    bool silent = l->heard <= l->ping_at;
    if (now >= l->ping_at + ANSWER_MS) {
        l->ping = 0;
        if (silent && !l->answered)
            l->mute++;
        if (silent)
            return LIVENESS_DEAD;
        if (l->to_self)
            start_test(l, out, now);
        return LIVENESS_NOTHING;
    }
    if (!l->second && now >= l->ping_at + SECOND_MS) {
        l->second = true;
        if (silent)
            send_ping(l, out, l->ping, 'p');
    }
    return LIVENESS_NOTHING;
}

static int64_t next_ping(const struct liveness *l)
{
    if (!may_ping(l))
        return INT64_MAX;
    int64_t silence = l->heard + SILENCE_MS, anyway = l->ping_at + ANYWAY_MS;
    return silence < anyway ? silence : anyway;
}

enum liveness_news liveness_tick(struct liveness *l, struct strbuf *out, int64_t now)
{
    if (l->test)
        return now >= l->test_at ? end_test(l, out, now) : LIVENESS_NOTHING;
    if (now >= l->test_at)
        start_test(l, out, now);
    else if (l->ping)
        return wait_for_ping(l, out, now);
    else if (now >= next_ping(l))
        ask(l, out, now);
    return LIVENESS_NOTHING;
}

int64_t liveness_deadline(const struct liveness *l)
{
    if (l->test)
        return l->test_at;
    int64_t ping = l->ping ? l->ping_at + (l->second ? ANSWER_MS : SECOND_MS) : next_ping(l);
    return ping < l->test_at ? ping : l->test_at;
}

unsigned liveness_returned(const struct liveness *l)
{
    unsigned n = 0;
    for (unsigned bits = l->returned; bits; bits >>= 1)
        n += bits & 1;
    return n;
}
