#include "xmpp_peer.h"

#include <inttypes.h>
#include <stdlib.h>

// 100 bytes with the number before it: a stanza of 230.
#define PAD "-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef01234567890"

static struct str attr(struct str head, const char *name)
{
    ptrdiff_t at = str_find_str(head, str_c(name));
    struct str value, rest;
    if (at < 0)
        return STR_NONE;
    (void)str_cut(str_sub(head, (size_t)at + strlen(name), head.n), '\'', &value, &rest);
    return value;
}

// A room lets in who comes.
static void enter(struct xmpp_peer *x, struct str room, struct str who)
{
    strbuf_printf(&x->peer.out,
                  "<presence from='" STR_FMT "' to='" STR_FMT "'><x xmlns='http://jabber.org/protocol/muc#user'>"
                  "<item affiliation='none' role='participant'/><status code='110'/></x></presence>"
                  "<message type='groupchat' from='" STR_FMT "' to='" STR_FMT "'><subject/></message>",
                  STR_ARG(room), STR_ARG(who), STR_ARG(room), STR_ARG(who));
}

static bool is_room(struct str to)
{
    return str_find_str(to, STR("@rooms.bench")) > 0;
}

// What is said in a room comes back, as of the nick that all have there.
static void reflect(struct xmpp_peer *x, struct str all, struct str head)
{
    struct str room = attr(head, " to='"), who = attr(head, " from='");
    x->reflected++;
    strbuf_printf(&x->peer.out, "<message type='groupchat' from='" STR_FMT "/bench' to='" STR_FMT "' id='" STR_FMT "'>",
                  STR_ARG(room), STR_ARG(who), STR_ARG(attr(head, " id='")));
    strbuf_str(&x->peer.out, str_sub(all, head.n + 1, all.n));
}

// Whoever asks is in the room; its archive knows nothing.
static void answer(struct xmpp_peer *x, struct str head)
{
    strbuf_printf(
        &x->peer.out,
        "<iq type='result' from='" STR_FMT "' to='" STR_FMT "' id='" STR_FMT "'>"
        "<fin xmlns='urn:xmpp:mam:2' complete='true'><set xmlns='http://jabber.org/protocol/rsm'/></fin></iq>",
        STR_ARG(attr(head, " to='")), STR_ARG(attr(head, " from='")), STR_ARG(attr(head, " id='")));
}

static void presence(struct xmpp_peer *x, struct str head)
{
    struct str type = attr(head, " type='"), from = attr(head, " from='"), to = attr(head, " to='");
    if (!type.n && is_room(to))
        enter(x, to, from);
    else if (!type.n)
        x->available++;
    else if (!str_eq_c(type, "unavailable"))
        x->others++;
    else {
        x->unavailable++;
        if (x->gone && from.n > 1)
            x->gone(x->ud, (unsigned)strtoul(from.p + 1, NULL, 10));
    }
}

static void stanza(struct xmpp_peer *x, struct str all)
{
    ptrdiff_t end = str_find(all, '>');
    struct str head = str_sub(all, 0, (size_t)end);
    if (str_eq_c(attr(head, " type='"), "error"))
        x->errors++;
    else if (str_starts(head, STR("<message")) && is_room(attr(head, " to='")))
        reflect(x, all, head);
    else if (str_starts(head, STR("<message")))
        x->messages++;
    else if (str_starts(head, STR("<presence")))
        presence(x, head);
    else if (is_room(attr(head, " to='")))
        answer(x, head);
    else if (str_eq_c(attr(head, " to='"), BENCH_DOMAIN))
        strbuf_str(&x->peer.out, all);
    else
        x->results++;
}

// One tag more; false when it is not all there.
static bool next_tag(struct xmpp_peer *x)
{
    const struct strbuf *in = &x->peer.in;
    const char *from = in->p + x->scanned, *end = in->p + in->n;
    const char *open = from < end ? memchr(from, '<', (size_t)(end - from)) : NULL;
    const char *close = open ? memchr(open, '>', (size_t)(end - open)) : NULL;
    if (!close)
        return false;
    x->scanned = (size_t)(close + 1 - in->p);
    if (open[1] == '/')
        x->depth--;
    else if (close[-1] != '/')
        x->depth++;
    return true;
}

static void stanzas(struct xmpp_peer *x)
{
    size_t done = 0;
    while (x->peer.fd >= 0 && next_tag(x)) {
        if (x->depth > 0)
            continue;
        if (x->depth < 0) { // </stream:stream>
            peer_drop(&x->peer);
            return;
        }
        stanza(x, (struct str){x->peer.in.p + done, x->scanned - done});
        done = x->scanned;
    }
    strbuf_consume(&x->peer.in, done);
    x->scanned -= done;
}

// Everything up to and with `mark` is taken; false when it has not come.
static bool take_through(struct xmpp_peer *x, const char *mark)
{
    ptrdiff_t at = str_find_str(strbuf_view(&x->peer.in), str_c(mark));
    if (at < 0)
        return false;
    strbuf_consume(&x->peer.in, (size_t)at + strlen(mark));
    return true;
}

static void greet(struct xmpp_peer *x)
{
    if (x->state == XMPP_CLOSED && take_through(x, "to='" BENCH_DOMAIN "'>")) {
        strbuf_c(&x->peer.out, "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' "
                               "xmlns:stream='http://etherx.jabber.org/streams' from='" BENCH_DOMAIN "' id='1'>");
        x->state = XMPP_HANDSHAKE;
    }
    if (x->state == XMPP_HANDSHAKE && take_through(x, "</handshake>")) {
        strbuf_c(&x->peer.out, "<handshake/>");
        x->state = XMPP_UP;
        x->connections++;
        x->scanned = 0;
        x->depth = 0;
    }
}

void xmpp_peer_work(struct xmpp_peer *x, const struct pollfd fds[2])
{
    switch (peer_work(&x->peer, fds)) {
    case PEER_READ:
        if (x->state != XMPP_UP)
            greet(x);
        if (x->state == XMPP_UP)
            stanzas(x);
        break;
    case PEER_CONNECTED:
    case PEER_CLOSED:
        x->state = XMPP_CLOSED;
        break;
    case PEER_NOTHING:
        break;
    }
}

void xmpp_peer_chat(struct xmpp_peer *x, unsigned user, unsigned device, uint64_t serial)
{
    strbuf_printf(&x->peer.out,
                  "<message type='chat' from='u%u@bench/r' to='d%u@" BENCH_DOMAIN "' id='m%" PRIu64
                  "'><body>set note %08" PRIu64 PAD "</body></message>",
                  user, device, serial, serial);
}

void xmpp_peer_ping(struct xmpp_peer *x, unsigned user, uint64_t serial)
{
    strbuf_printf(&x->peer.out,
                  "<iq type='get' from='u%u@bench/r' to='" BENCH_DOMAIN "' id='p%" PRIu64
                  "'><ping xmlns='urn:xmpp:ping'/></iq>",
                  user, serial);
}

void xmpp_peer_disco(struct xmpp_peer *x, unsigned user, unsigned device, uint64_t serial)
{
    strbuf_printf(&x->peer.out,
                  "<iq type='get' from='u%u@bench/r' to='d%u@" BENCH_DOMAIN "' id='i%" PRIu64
                  "'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
                  user, device, serial);
}
