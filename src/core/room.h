/* Rooms that the gateway hosts: their occupants, and the clients (full JIDs) through which users are there.
 *
 * An occupant is a nick. A foreign one belongs to the adapter; a user's has one client or more, all of the same user.
 * Lists are in order of entry. */
#ifndef SPANDREL_CORE_ROOM_H
#define SPANDREL_CORE_ROOM_H

#include "base/list.h"
#include "base/map.h"
#include "core/identity.h"
#include "core/user.h"

enum { ROOM_CLIENTS_MAX = 2000, ROOM_FOREIGN_MAX = 20000, ROOM_OCCUPANT_CLIENTS_MAX = 16, ROOM_SUBJECT_MAX = 2048 };

struct occupant {
    struct list_node node;    // room.occupants
    struct list_node clients; // client.of_occupant; empty for a foreign one
    char *nick;               // owned
    uint32_t user;            // handle, held; 0 for a foreign one
    unsigned client_count;
};

struct client {
    struct list_node node;        // room.clients
    struct list_node of_occupant; // occupant.clients
    struct occupant *occupant;
    char *text;     // owned: the full JID
    struct jid jid; // its parts
    bool told;      // that what is encrypted is not passed on
};

struct room {
    uint32_t handle;
    uint32_t identity;
    struct list_node occupants, clients;
    struct map by_nick, by_jid; // to occupants, to clients
    size_t client_count, foreign_count;
    char *subject; // owned, NULL when empty
};

struct rooms {
    struct pool pool;
    struct users *users;
};

void rooms_init(struct rooms *t, struct users *users);
void rooms_finish(struct rooms *t);
struct room *room_of(const struct rooms *t, const struct identity *id); // NULL when there is none
struct room *room_take(struct rooms *t, struct identity *id);           // finds or makes
void room_remove(struct rooms *t, struct room *r, struct identity *id); // with all who are in it

struct occupant *room_occupant(const struct room *r, struct str nick);    // NULL when there is none
struct client *room_client(const struct room *r, const struct jid *full); // NULL when not there
// The nick must be free. `u` NULL for a foreign one.
struct occupant *room_enter(struct rooms *t, struct room *r, struct str nick, struct user *u);
struct client *room_connect(struct room *r, struct occupant *o, const struct jid *full); // not there yet
void room_disconnect(struct room *r, struct client *c);                                  // the occupant stays
void room_leave(struct rooms *t, struct room *r, struct occupant *o);                    // with all its clients
void room_rename(struct room *r, struct occupant *o, struct str nick);                   // the nick must be free
void room_set_subject(struct room *r, struct str subject);
struct str room_nick(const struct occupant *o);

#endif
