/* What HTTP's client and server share (RFC 9110). */
#ifndef SPANDREL_NET_HTTP_H
#define SPANDREL_NET_HTTP_H

#include "base/str.h"

struct http_header {
    struct str name, value;
};

enum { HTTP_HEADER_MAX = 8192 }; // bytes of one that we send

// A name that is a token (RFC 9110 section 5.6.2) and a value without line breaks, NUL or other controls, both together
// at most HTTP_HEADER_MAX bytes: what may stand in a message of ours.
bool http_header_good(const struct http_header *header);
// tchar of RFC 9110 section 5.6.2.
bool http_token_char(char c);
// One or more of them.
bool http_token(struct str s);
// "Not Found"; "Unknown" for a status that has no name here.
const char *http_status_text(int status);

#endif
