/* Letters: what could not be delivered to one user, though it was accepted. A letter is tried again, with the same id,
 * while the reason may pass (a remote server that does not answer), and waits for a person when it does not. The text
 * stays in the journal. Bounded; at the bound the oldest that nobody tries any more makes room. */
#ifndef SPANDREL_CORE_LETTER_H
#define SPANDREL_CORE_LETTER_H

#include "base/list.h"
#include "base/map.h"
#include "core/bridge.h"

enum {
    LETTERS_MAX = 1000,
    LETTER_ANSWER_MS = 600000, // an error may come back so long after a try
    LETTER_WAIT_MAX = 7200000, // the longest wait for a try
    LETTERS_FLYING = 16,       // tried at once
};

struct letter {
    struct list_node node;
    uint64_t number;
    uint64_t record; // its number in its lane
    uint16_t source;
    struct guest *guest; // whose record it is, in a room elsewhere; NULL: it is of the lane of `source`
    enum letter_state state;
    unsigned attempts;
    int64_t since;     // wall ms: of the first error
    int64_t next;      // monotonic ms: the next try, or when it counts as delivered; INT64_MAX: none
    uint64_t question; // its text was asked for, of the lane; 0: it was not
    uint64_t fence;    // said behind its try; 0: none yet
    int64_t held;      // monotonic ms until which the server may lose it; INT64_MAX: no fence is back
    int64_t doubt;     // wall ms of its try, if that was before this process; 0: else
    bool row_due;      // its row is to be written
    bool told;         // its adapter is told what becomes of it
    struct str about;  // source, record and user as a key
    struct str user, id, why,
        local; // user: a bare JID, of a room with the contact behind a slash; local: of the contact
    char bytes[];
};

struct letters {
    struct list_node all; // in order of numbers
    size_t count;
    uint64_t last; // number
    int64_t next;  // no letter is due before
    uint64_t dropped;
    size_t flying;       // whose text was asked for, or which no fence has confirmed
    bool row_due;        // one of them has a row to be written
    struct map by_about; // source, record, user
};

void letters_init(struct letters *t);
void letters_finish(struct letters *t);
// Copies the strings; number 0: the next one. NULL when that number is taken, there is no room at all, or one about the
// same is there.
struct letter *letter_add(struct letters *t, const struct letter *what);
void letter_remove(struct letters *t, struct letter *l);
struct letter *letter_about(const struct letters *t, uint16_t source, uint64_t record, struct str user);
// By the id of the stanza, though the lane does not know its record any more.
struct letter *letter_under(const struct letters *t, uint16_t source, struct str id, struct str user);
// The oldest that nobody tries any more, NULL: none.
struct letter *letter_oldest(const struct letters *t);
// Replaces `why`; the letter moves.
struct letter *letter_explain(struct letters *t, struct letter *l, struct str why);
// Milliseconds after which a letter is tried once more that was tried so often.
int64_t letter_delay(unsigned attempts);
// So long at least has it been tried then.
int64_t letter_tried_for(unsigned attempts);
bool letter_flies(const struct letter *l);

#endif
