// Who may not see a thing is answered, to the byte, as if it did not exist.
#include "unit/app/hub_rig.h"

#define IQ(type, payload) "<iq type='" type "' id='q' from='$U/x' to='$L@bridge.example'>" payload "</iq>"
#define IQ_TO(resource, type, payload)                                                                                 \
    "<iq type='" type "' id='q' from='$U/x' to='$L@bridge.example/" resource "'>" payload "</iq>"
#define PRESENCE(attrs, payload) "<presence " attrs " id='p' from='$U/x' to='$L@bridge.example'>" payload "</presence>"
#define PRESENCE_TO(resource, attrs, payload)                                                                          \
    "<presence " attrs " id='p' from='$U/x' to='$L@bridge.example/" resource "'>" payload "</presence>"
#define MESSAGE(attrs, payload) "<message " attrs " id='m' from='$U/x' to='$L@bridge.example'>" payload "</message>"
#define CHAT(text) "<message type='chat' id='m' from='$U/x' to='bridge.example'><body>" text "</body></message>"
#define FORM(node, name)                                                                                               \
    "<iq type='set' id='q' from='$U/x' to='bridge.example'><command xmlns='http://jabber.org/protocol/commands' "      \
    "node='" node "'><x xmlns='jabber:x:data' type='submit'><field var='" name "'><value>$L</value></field></x>"       \
    "</command></iq>"

#define PROMPT                                                                                                         \
    "<iq type='set' id='q' from='$U/x' to='bridge.example'><query xmlns='jabber:iq:gateway'><prompt>$L</prompt>"       \
    "</query></iq>"

static const char *const stanzas[] = {
    IQ("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>"),
    IQ("get", "<query xmlns='http://jabber.org/protocol/disco#items'/>"),
    IQ("get", "<query xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/commands'/>"),
    IQ("get", "<query xmlns='http://jabber.org/protocol/disco#info' node='greet'/>"),
    IQ("set", "<command xmlns='http://jabber.org/protocol/commands' node='greet' action='execute'/>"),
    IQ("set", "<command xmlns='http://jabber.org/protocol/commands' node='none' action='execute'/>"),
    IQ("get", "<vCard xmlns='vcard-temp'/>"),
    IQ("set", "<vCard xmlns='vcard-temp'/>"),
    IQ("get", "<ping xmlns='urn:xmpp:ping'/>"),
    IQ_TO("nothing", "get", "<ping xmlns='urn:xmpp:ping'/>"),
    IQ_TO("null", "get", "<ping xmlns='urn:xmpp:ping'/>"),
    IQ("get", "<query xmlns='jabber:iq:version'/>"),
    IQ("get", "<query xmlns='jabber:iq:last'/>"),
    IQ("get", "<query xmlns='jabber:iq:register'/>"),
    IQ("set", "<query xmlns='jabber:iq:register'><remove/></query>"),
    IQ("get", "<query xmlns='jabber:iq:gateway'/>"),
    IQ("get", "<time xmlns='urn:xmpp:time'/>"),
    IQ("get", "<query xmlns='urn:xmpp:mam:2'/>"),
    IQ("get", "<query xmlns='http://jabber.org/protocol/muc#owner'/>"),
    IQ("get", "<unheard xmlns='of'/>"),
    PRESENCE("", ""),
    PRESENCE("type='probe'", ""),
    PRESENCE("type='subscribe'", ""),
    PRESENCE("type='subscribed'", ""),
    PRESENCE("type='unsubscribe'", ""),
    PRESENCE("type='unsubscribed'", ""),
    PRESENCE("type='unavailable'", ""),
    PRESENCE("", "<x xmlns='http://jabber.org/protocol/muc'/>"),
    PRESENCE_TO("nick", "", "<x xmlns='http://jabber.org/protocol/muc'/>"),
    PRESENCE_TO("nick", "type='unavailable'", ""),
    MESSAGE("type='chat'", "<body>hello</body>"),
    MESSAGE("", "<body>hello</body><request xmlns='urn:xmpp:receipts'/>"),
    MESSAGE("type='groupchat'", "<body>hello</body>"),
    MESSAGE("type='groupchat'", "<subject>hello</subject>"),
    MESSAGE("type='headline'", "<body>hello</body>"),
    MESSAGE("type='chat'", "<composing xmlns='http://jabber.org/protocol/chatstates'/>"),
    MESSAGE("type='chat'", "<encryption xmlns='urn:xmpp:eme:0' namespace='eu.siacs.conversations.axolotl'/>"),
    MESSAGE("type='chat'", "<body>?OTR:AAA</body>"),
    MESSAGE("type='groupchat'", "<body>?OTR:AAA</body>"),
    MESSAGE("type='error'", "<body>hello</body><error type='cancel'/>"),
    CHAT("status $L"),
    CHAT("status $L@bridge.example"),
    CHAT("add $L"),
    CHAT("add $L@bridge.example"),
    CHAT("remove $L"),
    CHAT("remove $L@bridge.example"),
    CHAT("list $L"),
    CHAT("approve $L"),
    CHAT("forget $L@bridge.example"),
    FORM("status", "contact"),
    FORM("add", "contact"),
    PROMPT,
};

static const char *const users[] = {"eve@example.org", "bob@example.org", "example.com"};
static const struct {
    const char *there, *nowhere; // as long as each other
} things[] = {{"echo", "ecno"}, {"lounge", "lounjo"}};

// $U is the user, $L the local part.
static void fill_in(struct strbuf *out, const char *stanza, const char *user, const char *local)
{
    for (const char *at = stanza; *at; at++) {
        if (*at == '$')
            strbuf_c(out, *++at == 'U' ? user : local);
        else
            strbuf_char(out, *at);
    }
}

// All that is answered, the names made one and the ids left out.
static void answers(struct rig *r, const char *stanza, const char *user, const char *local, char *out, size_t room)
{
    struct strbuf text;
    strbuf_init(&text, 4096);
    fill_in(&text, stanza, user, local);
    rig_feed(r, text.p);
    strbuf_finish(&text);
    r->now += 1000; // nobody asks too often
    rig_work(r);
    rig_listen(r);
    char *at = r->answer.p ? r->answer.p : (char[]){""};
    size_t n = 0;
    while (*at && n + 1 < room) {
        if (strncmp(at, local, strlen(local)) == 0) {
            at += strlen(local);
            out[n++] = '@';
        } else if (strncmp(at, " id='", 5) == 0) {
            at = strchr(at + 5, '\'') + 1;
        } else {
            out[n++] = *at++;
        }
    }
    out[n] = '\0';
}

static void compare(struct rig *r, const char *stanza, const char *user, size_t thing)
{
    static char there[20000], nowhere[20000];
    answers(r, stanza, user, things[thing].nowhere, nowhere, sizeof nowhere);
    answers(r, stanza, user, things[thing].there, there, sizeof there);
    if (strcmp(there, nowhere) != 0)
        fail_msg("%s\nas %s\n%s: %s\n%s: %s", stanza, user, things[thing].there, there, things[thing].nowhere, nowhere);
}

static void the_invisible_is_as_the_absent(void **state)
{
    (void)state;
    struct rig r;
    rig_init(
        &r, RIG_MAIN
        "adapters:\n  nothing: {type: \"null\"}\n"
        "access: [allow see read send command to bob@example.org on another, allow register to bob@example.org]\n");
    rig_connect(&r);
    rig_listen(&r);
    for (size_t u = 0; u < sizeof users / sizeof *users; u++) {
        for (size_t i = 0; i < sizeof stanzas / sizeof *stanzas; i++) {
            for (size_t t = 0; t < sizeof things / sizeof *things; t++)
                compare(&r, stanzas[i], users[u], t);
        }
    }
    rig_finish(&r);
}

// The comparison would see a difference: to an admin they are not the same.
static void the_visible_is_not(void **state)
{
    (void)state;
    static char there[20000], nowhere[20000];
    struct rig r;
    rig_init(&r, RIG_MAIN "adapters: {nothing: {type: \"null\"}}\n");
    rig_connect(&r);
    rig_listen(&r);
    unsigned different = 0;
    for (size_t i = 0; i < sizeof stanzas / sizeof *stanzas; i++) {
        answers(&r, stanzas[i], "admin@example.org", "ecno", nowhere, sizeof nowhere);
        answers(&r, stanzas[i], "admin@example.org", "echo", there, sizeof there);
        different += strcmp(there, nowhere) != 0;
    }
    assert_true(different > 20);
    rig_finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_invisible_is_as_the_absent),
        cmocka_unit_test(the_visible_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
