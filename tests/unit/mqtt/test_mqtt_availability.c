/* Verdicts: as a table of facts, and through the model where links, retained messages and restarts come into it. */
#include "model_rig.h"

#include "adapters/mqtt/mqtt_availability.h"

enum { MINUTE = 60 * 1000, EXPIRE = 10 * MINUTE, DELAY = 10 * 1000 };

/* Payloads */

static void payloads(void **state)
{
    static const struct {
        const char *online, *offline, *path, *payload;
        enum mqtt_presence want;
    } cases[] = {
        {"", "", "", "online", MQTT_PRESENCE_ONLINE},
        {"", "", "", "Offline", MQTT_PRESENCE_OFFLINE},
        {"", "", "", "{\"state\":\"online\"}", MQTT_PRESENCE_ONLINE},
        {"", "", "", " {\"state\":\"OFFLINE\"}", MQTT_PRESENCE_OFFLINE},
        {"", "", "", "{\"state\":1}", MQTT_PRESENCE_UNKNOWN},
        {"", "", "", "{", MQTT_PRESENCE_UNKNOWN},
        {"", "", "", "", MQTT_PRESENCE_UNKNOWN},
        {"", "", "", "true", MQTT_PRESENCE_UNKNOWN},
        {"1", "0", "", "1", MQTT_PRESENCE_ONLINE},
        {"1", "0", "", "0", MQTT_PRESENCE_OFFLINE},
        {"1", "0", "", "online", MQTT_PRESENCE_UNKNOWN}, // the words are others
        {"Online", "Offline", "", "online", MQTT_PRESENCE_UNKNOWN},
        {"1", "", "", "", MQTT_PRESENCE_OFFLINE}, // emptied: gone
        {"true", "false", "up", "{\"up\":true}", MQTT_PRESENCE_ONLINE},
        {"true", "false", "up", "{\"up\":false}", MQTT_PRESENCE_OFFLINE},
        {"true", "false", "up", "{}", MQTT_PRESENCE_UNKNOWN},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct mqtt_availability a = {.online = str_c(cases[i].online), .offline = str_c(cases[i].offline)};
        struct mqtt_payload p;
        struct arena scratch;

        arena_init(&scratch, 0);
        mqtt_value_compile(&scratch, str_c(cases[i].path), &a.value);
        mqtt_payload_init(&p, str_c(cases[i].payload), &scratch);
        if (mqtt_availability_read(&a, &p) != cases[i].want)
            fail_msg("case %zu: %s", i, cases[i].payload);
        mqtt_payload_finish(&p);
        arena_finish(&scratch);
    }
}

static enum mqtt_presence read_words(enum mqtt_words words, const char *payload)
{
    const struct mqtt_availability a = {.words = words, .online = STR("online"), .offline = STR("offline")};
    struct mqtt_payload p;
    struct arena scratch;

    arena_init(&scratch, 0);
    mqtt_payload_init(&p, str_c(payload), &scratch);
    enum mqtt_presence presence = mqtt_availability_read(&a, &p);
    mqtt_payload_finish(&p);
    arena_finish(&scratch);
    return presence;
}

static void homie_words(void **state)
{
    static const struct {
        const char *payload;
        enum mqtt_presence own, root;
    } cases[] = {
        {"init", MQTT_PRESENCE_STARTING, MQTT_PRESENCE_UNKNOWN},
        {"ready", MQTT_PRESENCE_ONLINE, MQTT_PRESENCE_UNKNOWN},
        {"disconnected", MQTT_PRESENCE_LEFT, MQTT_PRESENCE_UNKNOWN},
        {"sleeping", MQTT_PRESENCE_SLEEPING, MQTT_PRESENCE_UNKNOWN},
        {"lost", MQTT_PRESENCE_OFFLINE, MQTT_PRESENCE_OFFLINE},
        {"alert", MQTT_PRESENCE_ALERT, MQTT_PRESENCE_UNKNOWN},
        {"READY", MQTT_PRESENCE_UNKNOWN, MQTT_PRESENCE_UNKNOWN},
        {"online", MQTT_PRESENCE_UNKNOWN, MQTT_PRESENCE_UNKNOWN},
        {"{\"state\":\"lost\"}", MQTT_PRESENCE_UNKNOWN, MQTT_PRESENCE_UNKNOWN},
        {"", MQTT_PRESENCE_UNKNOWN, MQTT_PRESENCE_UNKNOWN},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (read_words(MQTT_WORDS_HOMIE, cases[i].payload) != cases[i].own ||
            read_words(MQTT_WORDS_HOMIE_ROOT, cases[i].payload) != cases[i].root)
            fail_msg("%s", cases[i].payload);
    }
}

/* Sums */

enum { MAX_TOPICS = 3 };

// A device with so many topics of availability, and no more.
static struct mqtt_spec *spec_with(uint16_t topics, enum mqtt_availability_mode mode)
{
    struct mqtt_spec *s = mqtt_spec_create();

    s->mode = mode;
    s->expire_after = EXPIRE;
    s->offline_delay = DELAY;
    for (uint16_t i = 0; i < topics; i++) {
        struct mqtt_pattern p;
        char name[8];
        (void)snprintf(name, sizeof(name), "t%u", i);
        assert_int_equal(mqtt_pattern_plain(&s->arena, str_c(name), &p, NULL), ERR_OK);
        assert_true(mqtt_spec_topic(s, &p, &mqtt_spec_add_availability(s)->topic));
    }
    mqtt_spec_seal(s);
    return s;
}

static struct mqtt_device *device_with(struct mqtt_spec *s)
{
    const struct mqtt_captures none = {.count = 0};

    return mqtt_device_create(s, STR("k"), &none);
}

static void sums(void **state)
{
    enum { U = MQTT_PRESENCE_UNKNOWN, ON = MQTT_PRESENCE_ONLINE, OFF = MQTT_PRESENCE_OFFLINE };
    enum { LEFT = MQTT_PRESENCE_LEFT, STARTS = MQTT_PRESENCE_STARTING, SLEEPS = MQTT_PRESENCE_SLEEPING };
    enum { ALERT = MQTT_PRESENCE_ALERT };
    enum { ALL = MQTT_AVAILABLE_ALL, ANY = MQTT_AVAILABLE_ANY, LATEST = MQTT_AVAILABLE_LATEST };
    static const struct {
        int mode;
        uint16_t count;
        uint8_t said[MAX_TOPICS], latest;
        int want;
    } cases[] = {
        {ALL, 0, {U}, 0, U},
        {ALL, 1, {ON}, 0, ON},
        {ALL, 3, {ON, ON, ON}, 0, ON},
        {ALL, 3, {ON, U, U}, 0, ON},
        {ALL, 2, {U, U}, 0, U},
        {ALL, 3, {ON, ON, OFF}, 0, OFF},
        {ALL, 2, {OFF, U}, 1, OFF},
        {ANY, 2, {ON, OFF}, 1, ON},
        {ANY, 2, {OFF, U}, 0, U},
        {ANY, 2, {OFF, OFF}, 0, OFF},
        {ANY, 1, {U}, 0, U},
        {LATEST, 2, {ON, OFF}, 0, ON},
        {LATEST, 2, {ON, OFF}, 1, OFF},
        {LATEST, 1, {U}, 0, U},
        {LATEST, 1, {ON}, 9, U},
        {ALL, 3, {ON, SLEEPS, ALERT}, 0, SLEEPS}, // the worst
        {ALL, 3, {STARTS, SLEEPS, LEFT}, 0, LEFT},
        {ALL, 2, {LEFT, OFF}, 0, OFF},
        {ALL, 2, {ALERT, U}, 0, ALERT},
        {ANY, 3, {SLEEPS, ALERT, LEFT}, 0, ALERT}, // the best
        {ANY, 2, {LEFT, STARTS}, 0, STARTS},
        {ANY, 2, {LEFT, OFF}, 0, OFF},
        {LATEST, 2, {ON, SLEEPS}, 1, SLEEPS},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct mqtt_spec *s = spec_with(cases[i].count, (enum mqtt_availability_mode)cases[i].mode);
        struct mqtt_device *d = device_with(s);
        memcpy(mqtt_device_presences(d), cases[i].said, cases[i].count);
        d->latest = cases[i].latest;
        if ((int)mqtt_availability_sum(d) != cases[i].want)
            fail_msg("case %zu", i);
        mqtt_device_destroy(d);
        mqtt_spec_destroy(s);
    }
}

static void hearing_tells_what_is_new(void **state)
{
    struct mqtt_spec *s = spec_with(2, MQTT_AVAILABLE_LATEST);
    struct mqtt_device *d = device_with(s);

    (void)state;
    assert_true(mqtt_availability_hear(d, 0, MQTT_PRESENCE_ONLINE, 100));
    assert_false(mqtt_availability_hear(d, 0, MQTT_PRESENCE_ONLINE, 200));
    assert_true(mqtt_availability_hear(d, 1, MQTT_PRESENCE_ONLINE, 300)); // another one is the latest
    assert_true(mqtt_availability_hear(d, 0, MQTT_PRESENCE_OFFLINE, 400));
    assert_int_equal(d->lost, 400);
    assert_false(mqtt_availability_hear(d, 0, MQTT_PRESENCE_OFFLINE, 500));
    assert_int_equal(d->lost, 400); // since then
    mqtt_device_destroy(d);
    mqtt_spec_destroy(s);
}

/* Verdicts: times are in ms before now; AGAIN in ms from now, NEVER for none */

#define NEVER INT64_MAX

static void verdicts(void **state)
{
    enum { U = MQTT_PRESENCE_UNKNOWN, ON = MQTT_PRESENCE_ONLINE, OFF = MQTT_PRESENCE_OFFLINE };
    enum {
        NONE = MQTT_VERDICT_NONE,
        NEW = MQTT_VERDICT_NEW,
        ONLINE = MQTT_VERDICT_ONLINE,
        STALE = MQTT_VERDICT_STALE,
        SILENT = MQTT_VERDICT_SILENT,
        LOST = MQTT_VERDICT_LOST,
        LINK = MQTT_VERDICT_LINK
    };
    static const struct {
        const char *what;
        bool up;
        int64_t link;  // changed so long ago
        int presence;  // what its topic says
        int64_t heard; // so long ago, NEVER
        int silence, said;
        int64_t lost, last_loss; // so long ago
        int want;
        int64_t again;
    } cases[] = {
        {"never heard", true, 500, U, NEVER, NONE, NONE, 0, NEVER, NEW, NEVER},
        {"said to be there", true, 500, ON, NEVER, NONE, NONE, 0, NEVER, ONLINE, NEVER},
        {"heard", true, 5 * EXPIRE, U, 0, NONE, NONE, 0, NEVER, ONLINE, EXPIRE},
        {"nearly stale", true, 5 * EXPIRE, ON, EXPIRE - 1, NONE, ONLINE, 0, NEVER, ONLINE, 1},
        {"stale", true, 5 * EXPIRE, ON, EXPIRE, NONE, ONLINE, 0, NEVER, STALE, EXPIRE},
        {"nearly silent", true, 5 * EXPIRE, ON, 2 * EXPIRE - 1, STALE, STALE, 0, NEVER, STALE, 1},
        {"silent", true, 5 * EXPIRE, ON, 2 * EXPIRE, STALE, STALE, 0, NEVER, SILENT, NEVER},
        {"long ago, but we have just come", true, 500, U, 90 * EXPIRE, NONE, ONLINE, 0, NEVER, ONLINE, EXPIRE - 500},
        {"stale before we came", true, 500, U, 90 * EXPIRE, STALE, STALE, 0, NEVER, STALE, EXPIRE - 500},
        {"silent before we came", true, 500, U, 90 * EXPIRE, SILENT, NONE, 0, NEVER, SILENT, EXPIRE - 500},
        {"stale, then our outage", true, EXPIRE, U, 9 * EXPIRE, STALE, LINK, 0, NEVER, STALE, EXPIRE},
        {"lost", true, 5 * EXPIRE, OFF, 0, NONE, ONLINE, 0, NEVER, LOST, NEVER},
        {"lost, and never told of", true, 5 * EXPIRE, OFF, NEVER, NONE, NONE, 0, NEVER, LOST, NEVER},
        {"lost again", true, 5 * EXPIRE, OFF, 0, NONE, ONLINE, 0, MINUTE, ONLINE, DELAY},
        {"lost again, stale", true, 5 * EXPIRE, OFF, 0, NONE, STALE, 4000, MINUTE, STALE, DELAY - 4000},
        {"lost again for long", true, 5 * EXPIRE, OFF, 0, NONE, ONLINE, DELAY, MINUTE, LOST, NEVER},
        {"lost again much later", true, 5 * EXPIRE, OFF, 0, NONE, ONLINE, 0, 5 * MINUTE, LOST, NEVER},
        {"still lost", true, 5 * EXPIRE, OFF, 0, NONE, LOST, 0, MINUTE, LOST, NEVER},
        {"our outage begins", false, 0, U, 0, NONE, ONLINE, 0, NEVER, ONLINE, 30000},
        {"our outage", false, 29999, U, MINUTE, NONE, ONLINE, 0, NEVER, ONLINE, 1},
        {"our outage is long", false, 30000, U, MINUTE, NONE, ONLINE, 0, NEVER, LINK, NEVER},
        {"of a stale one", false, 1000, U, 9 * EXPIRE, STALE, STALE, 0, NEVER, STALE, 29000},
        {"of a silent one", false, 9 * EXPIRE, U, 99 * EXPIRE, SILENT, SILENT, 0, NEVER, SILENT, NEVER},
        {"of a lost one", false, 9 * EXPIRE, OFF, 0, NONE, LOST, 9 * EXPIRE, NEVER, LOST, NEVER},
        {"makes nobody stale", false, 9 * EXPIRE, U, 9 * EXPIRE, NONE, LINK, 0, NEVER, LINK, NEVER},
        {"nothing known at the start", false, 0, U, NEVER, NONE, NONE, 0, NEVER, NEW, 30000},
        {"restored at the start", false, 0, U, 99 * EXPIRE, NONE, NONE, 0, NEVER, ONLINE, 30000},
        {"restored as silent", false, 0, ON, 99 * EXPIRE, SILENT, NONE, 0, NEVER, SILENT, NEVER},
    };
    const int64_t now = 1000000000;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct mqtt_spec *s = spec_with(1, MQTT_AVAILABLE_ALL);
        struct mqtt_device *d = device_with(s);
        const struct mqtt_link_state link = {cases[i].up, now - cases[i].link};
        int64_t again;
        mqtt_device_presences(d)[0] = (uint8_t)cases[i].presence;
        d->heard = cases[i].heard == NEVER ? INT64_MIN : now - cases[i].heard;
        d->silence = (uint8_t)cases[i].silence;
        d->said = (uint8_t)cases[i].said;
        d->lost = now - cases[i].lost;
        d->last_loss = cases[i].last_loss == NEVER ? INT64_MIN : now - cases[i].last_loss;
        int got = (int)mqtt_availability_judge(d, &link, now, &again);
        if (got != cases[i].want || again != (cases[i].again == NEVER ? NEVER : now + cases[i].again))
            fail_msg("%s: verdict %d, again in %lld", cases[i].what, got, (long long)(again - now));
        mqtt_device_destroy(d);
        mqtt_spec_destroy(s);
    }
}

static void shows(void **state)
{
    static const struct {
        enum mqtt_verdict v;
        enum show show;
        bool offline, silence;
    } cases[] = {
        {MQTT_VERDICT_NEW, SHOW_XA, false, false},          {MQTT_VERDICT_ONLINE, SHOW_ONLINE, false, false},
        {MQTT_VERDICT_STALE, SHOW_AWAY, false, true},       {MQTT_VERDICT_SILENT, SHOW_OFFLINE, true, true},
        {MQTT_VERDICT_LOST, SHOW_OFFLINE, true, false},     {MQTT_VERDICT_LINK, SHOW_XA, false, false},
        {MQTT_VERDICT_LEFT, SHOW_OFFLINE, true, false},     {MQTT_VERDICT_STARTING, SHOW_XA, false, false},
        {MQTT_VERDICT_SLEEPING, SHOW_XA, false, false},     {MQTT_VERDICT_ALERT, SHOW_DND, false, false},
        {MQTT_VERDICT_DISABLED, SHOW_OFFLINE, true, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(mqtt_verdict_show(cases[i].v), cases[i].show);
        assert_int_equal(mqtt_verdict_offline(cases[i].v), cases[i].offline);
        assert_int_equal(mqtt_verdict_silence(cases[i].v), cases[i].silence);
    }
}

/* Through the model: what is silent is not brought to life by our own coming and going */

static const char expiring[] = "devices: {d: {topic: d/+, expire_after: 10m, readings: {v: {}}}}";

static void come_back(struct rig *r)
{
    mqtt_model_link(r->m, false, r->now, r->wall);
    rig_pass(r, MINUTE);
    mqtt_model_link(r->m, true, r->now, r->wall);
}

static void silence_outlasts_our_outage(void **state)
{
    static const struct {
        int64_t silent;
        enum show before, during;
    } cases[] = {{EXPIRE, SHOW_AWAY, SHOW_XA}, {2 * EXPIRE, SHOW_OFFLINE, SHOW_OFFLINE}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig r;
        rig_init(&r, expiring);
        rig_up(&r);
        rig_hear(&r, "d/x", "1");
        rig_pass(&r, cases[i].silent);
        come_back(&r);
        rig_clear(&r);
        rig_pass(&r, MINUTE);
        assert_null(rig_last(&r, EV_UNAVAILABLE, "d/x"));
        if (cases[i].before == cases[i].during)
            assert_null(rig_last(&r, EV_AVAILABLE, "d/x"));
        else
            assert_presence(&r, "d/x", cases[i].before, "stale since 21 Nov 09:20 UTC: v 1");
        rig_hear(&r, "d/x", "1");
        assert_presence(&r, "d/x", SHOW_ONLINE, "v 1");
        rig_finish(&r);
    }
}

// The broker repeats what it has retained at each connect: that is no sign of life, unless it is news.
static void retained_is_no_sign_of_life(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, expiring);
    rig_up(&r);
    rig_retained(&r, "d/x", "1"); // the first that is known of it: its clock begins
    assert_presence(&r, "d/x", SHOW_ONLINE, "v 1");
    rig_pass(&r, 2 * EXPIRE);
    assert_presence(&r, "d/x", SHOW_OFFLINE, "silent since 21 Nov 09:20 UTC: v 1");
    rig_clear(&r);
    come_back(&r);
    rig_retained(&r, "d/x", "1");
    rig_pass(&r, MINUTE);
    assert_int_equal(rig_count(&r, EV_AVAILABLE), 0);
    come_back(&r);
    rig_retained(&r, "d/x", "2"); // it has spoken while we were away
    rig_pass(&r, MINUTE);
    assert_presence(&r, "d/x", SHOW_ONLINE, "v 2");
    rig_finish(&r);
}

// One reading that never changes, and a row written when it was first heard.
static void restart_of_bridge(struct rig *r, struct rig *again, const char *yaml, const char *key)
{
    const struct event *row = rig_last(r, EV_STATE, key);

    assert_non_null(row);
    rig_init(again, yaml);
    again->wall = r->wall + MINUTE;
    mqtt_model_restore(again->m, row->key, row->blob);
    rig_up(again);
}

static void restart_keeps_what_is_alive_alive(void **state)
{
    struct rig r, again;

    (void)state;
    rig_init(&r, expiring);
    rig_up(&r);
    for (int i = 0; i < 60; i++) {
        rig_hear(&r, "d/x", "1");
        rig_pass(&r, MINUTE);
    }
    restart_of_bridge(&r, &again, expiring, "d/x");
    assert_int_equal(rig_count(&again, EV_UNAVAILABLE), 0);
    assert_presence(&again, "d/x", SHOW_ONLINE, "v 1");
    rig_pass(&again, EXPIRE);
    assert_int_equal(rig_last(&again, EV_AVAILABLE, "d/x")->show, SHOW_AWAY);
    rig_finish(&r);
    rig_finish(&again);
}

static void restart_keeps_what_is_silent_silent(void **state)
{
    struct rig r, again;

    (void)state;
    rig_init(&r, expiring);
    rig_up(&r);
    rig_hear(&r, "d/x", "1");
    rig_pass(&r, 2 * EXPIRE + MINUTE);
    restart_of_bridge(&r, &again, expiring, "d/x");
    assert_presence(&again, "d/x", SHOW_OFFLINE, "silent since 21 Nov 09:20 UTC: v 1");
    rig_retained(&again, "d/x", "1");
    rig_pass(&again, MINUTE);
    assert_int_equal(rig_count(&again, EV_AVAILABLE), 0);
    rig_hear(&again, "d/x", "1");
    assert_presence(&again, "d/x", SHOW_ONLINE, "v 1");
    rig_finish(&r);
    rig_finish(&again);
}

// Where the last word decides, it still does after a restart.
static void restart_keeps_the_last_word(void **state)
{
    static const char latest[] = "devices:\n  d:\n    topic: d/+/s\n    availability_mode: latest\n"
                                 "    availability: [{topic: 'd/{1}/a'}, {topic: 'd/{1}/b'}]\n";
    struct rig r, again;

    (void)state;
    rig_init(&r, latest);
    rig_up(&r);
    rig_hear(&r, "d/x/b", "online");
    rig_hear(&r, "d/x/a", "offline");
    rig_pass(&r, MINUTE);
    restart_of_bridge(&r, &again, latest, "d/x");
    assert_int_equal(rig_count(&again, EV_AVAILABLE), 0);
    assert_non_null(rig_last(&again, EV_UNAVAILABLE, "d/x"));
    rig_finish(&r);
    rig_finish(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(payloads),
        cmocka_unit_test(homie_words),
        cmocka_unit_test(sums),
        cmocka_unit_test(hearing_tells_what_is_new),
        cmocka_unit_test(verdicts),
        cmocka_unit_test(shows),
        cmocka_unit_test(silence_outlasts_our_outage),
        cmocka_unit_test(retained_is_no_sign_of_life),
        cmocka_unit_test(restart_keeps_what_is_alive_alive),
        cmocka_unit_test(restart_keeps_what_is_silent_silent),
        cmocka_unit_test(restart_keeps_the_last_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
