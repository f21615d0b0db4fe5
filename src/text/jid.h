/* JIDs (RFC 7622 addresses, prepared with the nodeprep, nameprep and resourceprep profiles that Prosody and ejabberd
 * use).
 *
 * Servers do not fold alike (Prosody hands us prepared addresses, ejabberd what the client typed), so every incoming
 * address passes jid_parse() before it is looked up, and every outgoing one is built by jid_make(): there is no third
 * way to a JID. Two prepared JIDs are equal when their bytes are. */
#ifndef SPANDREL_TEXT_JID_H
#define SPANDREL_TEXT_JID_H

#include "base/arena.h"
#include "base/err.h"

enum { JID_PART_MAX = 1023, JID_MAX = 3071 }; // bytes

struct jid {
    struct str local;    // empty for a domain
    struct str domain;   // never empty
    struct str resource; // empty for a bare JID
};

// Parses and prepares; the parts live in the arena (or in `text`, when ASCII needs no change). ERR_BADJID otherwise.
enum err jid_parse(struct arena *a, struct str text, struct jid *out) MUST_CHECK;
// The same from parts that are not yet prepared.
enum err jid_make(struct arena *a, struct str local, struct str domain, struct str resource,
                  struct jid *out) MUST_CHECK;
// "local@domain/resource", NUL-terminated.
struct str jid_format(struct arena *a, const struct jid *j);
struct str jid_format_bare(struct arena *a, const struct jid *j);
struct jid jid_bare(struct jid j);
// The domain behind the first label: "example.org" of "bridge.example.org". Empty when there is none.
struct str jid_parent(struct str domain);
bool jid_eq(const struct jid *a, const struct jid *b);
bool jid_bare_eq(const struct jid *a, const struct jid *b);

// XEP-0106: \20 \22 \26 \27 \2f \3a \3c \3e \40 \5c. Escaping takes what a user typed to a localpart, unescaping back.
struct str jid_escape(struct arena *a, struct str typed);
struct str jid_unescape(struct arena *a, struct str local);

// Mints a localpart from foreign text: [a-z0-9-]{1,48}. Other characters become '-' (runs fold to one); *lossy tells
// whether two texts may share the result. Never empty: "x" stands for text without a usable character.
struct str jid_slug(struct arena *a, struct str text, bool *lossy);
// slug with "-" and 8 base32 characters of SHA-256(key) behind, cut so that the whole has at most 48 bytes.
struct str jid_slug_tail(struct arena *a, struct str slug, struct str key);

#endif
