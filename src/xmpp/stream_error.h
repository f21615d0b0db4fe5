/* What a stream error (RFC 6120 section 4.9) means to a component: when to try again, and what an operator should
 * change on which server. */
#ifndef SPANDREL_XMPP_STREAM_ERROR_H
#define SPANDREL_XMPP_STREAM_ERROR_H

#include "xmpp/component.h"

struct stream_ending {
    enum component_retry retry;
    enum err err;
    struct str condition; // "host-unknown"; of the error's node
    struct str text;      // the server's own words, or empty; of the error's node
    const char *advice;   // "" where there is none
};

bool stream_error_is(const struct xml_node *n);
// `up`: the handshake was done before.
struct stream_ending stream_error_read(const struct xml_node *error, bool up);

#endif
