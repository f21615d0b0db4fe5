/* Namespaces of the standards we speak, by XEP. */
#ifndef SPANDREL_XMPP_NS_H
#define SPANDREL_XMPP_NS_H

#define NS_STREAM "http://etherx.jabber.org/streams"              // RFC 6120
#define NS_STREAM_ERRORS "urn:ietf:params:xml:ns:xmpp-streams"    // RFC 6120
#define NS_STANZAS "urn:ietf:params:xml:ns:xmpp-stanzas"          // RFC 6120
#define NS_DISCO_INFO "http://jabber.org/protocol/disco#info"     // 0030
#define NS_DISCO_ITEMS "http://jabber.org/protocol/disco#items"   // 0030
#define NS_MUC "http://jabber.org/protocol/muc"                   // 0045
#define NS_MUC_USER "http://jabber.org/protocol/muc#user"         // 0045
#define NS_MUC_OWNER "http://jabber.org/protocol/muc#owner"       // 0045
#define NS_COMMANDS "http://jabber.org/protocol/commands"         // 0050
#define NS_RSM "http://jabber.org/protocol/rsm"                   // 0059
#define NS_PUBSUB "http://jabber.org/protocol/pubsub"             // 0060
#define NS_PUBSUB_OWNER "http://jabber.org/protocol/pubsub#owner" // 0060
#define NS_CHATSTATES "http://jabber.org/protocol/chatstates"     // 0085
#define NS_CAPS "http://jabber.org/protocol/caps"                 // 0115
#define NS_VALIDATE "http://jabber.org/protocol/xdata-validate"   // 0122
#define NS_NICK "http://jabber.org/protocol/nick"                 // 0172
#define NS_CLIENT "jabber:client"                                 // RFC 6120
#define NS_DATA "jabber:x:data"                                   // 0004
#define NS_LAST "jabber:iq:last"                                  // 0012
#define NS_VCARD "vcard-temp"                                     // 0054
#define NS_OOB "jabber:x:oob"                                     // 0066
#define NS_REGISTER "jabber:iq:register"                          // 0077
#define NS_VERSION "jabber:iq:version"                            // 0092
#define NS_GATEWAY "jabber:iq:gateway"                            // 0100
#define NS_COMPONENT "jabber:component:accept"                    // 0114
#define NS_VCARD_UPDATE "vcard-temp:x:update"                     // 0153
#define NS_RECEIPTS "urn:xmpp:receipts"                           // 0184
#define NS_PING "urn:xmpp:ping"                                   // 0199
#define NS_TIME "urn:xmpp:time"                                   // 0202
#define NS_DELAY "urn:xmpp:delay"                                 // 0203
#define NS_CONFERENCE "jabber:x:conference"                       // 0249
#define NS_CARBONS "urn:xmpp:carbons:2"                           // 0280
#define NS_FORWARD "urn:xmpp:forward:0"                           // 0297
#define NS_CORRECT "urn:xmpp:message-correct:0"                   // 0308
#define NS_MAM "urn:xmpp:mam:2"                                   // 0313
#define NS_HINTS "urn:xmpp:hints"                                 // 0334
#define NS_SID "urn:xmpp:sid:0"                                   // 0359
#define NS_UPLOAD "urn:xmpp:http:upload:0"                        // 0363
#define NS_EME "urn:xmpp:eme:0"                                   // 0380
#define NS_FASTEN "urn:xmpp:fasten:0"                             // 0422
#define NS_RETRACT "urn:xmpp:message-retract:1"                   // 0424
#define NS_RETRACT_0 "urn:xmpp:message-retract:0"                 // 0424 before 0.4
#define NS_FALLBACK "urn:xmpp:fallback:0"                         // 0428
#define NS_REPLY "urn:xmpp:reply:0"                               // 0461

#endif
