// Files of devices: their types, the last of each, who is sent which.
#include "model_rig.h"

#include "adapters/mqtt/mqtt_conf.h"
#include "adapters/mqtt/mqtt_files.h"
#include "adapters/mqtt/mqtt_settings.h"

static const char cameras[] = "devices:\n"
                              "  cam:\n"
                              "    topic: cam/+/jpeg\n"
                              "    name: 'Camera {1}'\n"
                              "    readings:\n"
                              "      motion: {topic: 'cam/{1}/motion'}\n"
                              "    files:\n"
                              "      snapshot: {topic: 'cam/{1}/jpeg', every: 30s, name: Picture}\n"
                              "      clip: {topic: 'cam/{1}/clip', max_size: 1kB}\n"
                              "      strict: {topic: 'cam/{1}/strict', unknown: refuse, every: 1s}\n"
                              "      text: {topic: 'cam/{1}/text', media_type: text/plain}\n"
                              "      coded: {topic: 'cam/{1}/coded', encoding: base64}\n";

#define JPEG "\xff\xd8\xff\xe0"
#define PNG "\x89PNG\r\n\x1a\n"
#define DOOR "cam/door"

static void start(struct rig *r, const char *yaml)
{
    rig_init(r, yaml);
    rig_up(r);
    rig_clear(r);
}

static struct mqtt_model_stat stat_of(const struct rig *r)
{
    struct mqtt_model_stat s;

    mqtt_model_stat(r->m, &s);
    return s;
}

// What `get NAME` gives; NULL for an error, whose text is in *why.
static const struct event *get(struct rig *r, const char *words, struct str *why)
{
    rig_clear(r);
    assert_int_equal(rig_say(r, DOOR, words, 7), ERR_OK);
    const struct event *failed = rig_last(r, EV_FAILED, NULL), *done = rig_last(r, EV_DELIVERED, NULL);
    assert_true(!failed != !done);
    *why = failed ? failed->body : STR_NONE;
    return done;
}

/* Types */

static void first_bytes_decide(void **state)
{
    static const struct {
        struct str bytes;
        const char *media, *ending;
    } cases[] = {
        {{JPEG, 4}, "image/jpeg", "jpg"},
        {{PNG "rest", 12}, "image/png", "png"},
        {{"GIF87a..", 8}, "image/gif", "gif"},
        {{"GIF89a..", 8}, "image/gif", "gif"},
        {{"RIFF\1\2\3\4WEBPVP8 ", 16}, "image/webp", "webp"},
        {{"RIFF\1\2\3\4WAVEfmt ", 16}, "audio/wav", "wav"},
        {{"\0\0\0\x1c"
          "ftypavif",
          12},
         "image/avif",
         "avif"},
        {{"\0\0\0\x1c"
          "ftypheic",
          12},
         "image/heic",
         "heic"},
        {{"\0\0\0\x1c"
          "ftypisom",
          12},
         "video/mp4",
         "mp4"},
        {{"\x1a\x45\xdf\xa3....", 8}, "video/webm", "webm"},
        {{"OggS....", 8}, "audio/ogg", "ogg"},
        {{"ID3.....", 8}, "audio/mpeg", "mp3"},
        {{"%PDF-1.7", 8}, "application/pdf", "pdf"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct mqtt_file_type *type = mqtt_file_type_of(cases[i].bytes);
        assert_non_null(type);
        assert_string_equal(type->media, cases[i].media);
        assert_string_equal(mqtt_file_ending(str_c(cases[i].media)), cases[i].ending);
        assert_null(mqtt_file_type_of(str_sub(cases[i].bytes, 0, 2)));
    }
    assert_null(mqtt_file_type_of(STR("RIFF....AVI ")));
    assert_null(mqtt_file_type_of(STR("hello, world")));
    assert_null(mqtt_file_type_of(STR_NONE));
    assert_string_equal(mqtt_file_ending(STR("IMAGE/JPEG")), "jpg");
    assert_string_equal(mqtt_file_ending(STR("text/plain")), "bin");
}

/* The last of each */

static void the_last_is_kept(void **state)
{
    struct mqtt_files f;
    (void)state;
    mqtt_files_init(&f);
    struct mqtt_stored *e = mqtt_files_entry(&f, 3, STR("a"));
    assert_int_equal(e->n, 0);
    assert_true(mqtt_files_put(&f, e, STR("one"), STR("image/png"), 10));
    assert_ptr_equal(mqtt_files_entry(&f, 3, STR("a")), e);
    assert_null(mqtt_files_find(&f, 3, STR("b")));
    assert_null(mqtt_files_find(&f, 4, STR("a")));
    assert_true(mqtt_files_put(&f, e, STR("three"), STR("image/jpeg"), 11));
    assert_str(e->media, "image/jpeg");
    assert_int_equal(f.bytes, 5);
    assert_true(mqtt_files_put(&f, e, STR_NONE, STR_NONE, 12));
    assert_int_equal(f.bytes, 0);
    mqtt_files_drop(&f, 3);
    assert_null(mqtt_files_find(&f, 3, STR("a")));
    mqtt_files_finish(&f);
}

static void the_oldest_gives_way(void **state)
{
    enum { BIG = 12 * 1024 * 1024 };
    struct mqtt_files f;
    char *bytes = mem_zalloc(MQTT_FILES_BYTES + 1, 1);
    (void)state;
    mqtt_files_init(&f);
    for (uint32_t i = 0; i < 3; i++)
        assert_true(
            mqtt_files_put(&f, mqtt_files_entry(&f, i, STR("a")), (struct str){bytes, BIG}, STR("x/y"), 10 + i));
    assert_int_equal(f.bytes, 2 * BIG);
    assert_int_equal(mqtt_files_find(&f, 0, STR("a"))->n, 0);
    assert_int_equal(mqtt_files_find(&f, 2, STR("a"))->n, BIG);
    struct mqtt_stored *e = mqtt_files_entry(&f, 2, STR("a"));
    assert_false(mqtt_files_put(&f, e, (struct str){bytes, MQTT_FILES_BYTES + 1}, STR("x/y"), 20));
    assert_int_equal(e->n, BIG); // what there was stays
    assert_true(mqtt_files_put(&f, e, (struct str){bytes, MQTT_FILES_BYTES}, STR("x/y"), 21));
    assert_int_equal(f.bytes, MQTT_FILES_BYTES);
    mqtt_files_finish(&f);
    mem_free(bytes);
}

static void so_many_are_kept(void **state)
{
    struct mqtt_files f;
    (void)state;
    mqtt_files_init(&f);
    for (uint32_t i = 0; i < MQTT_FILES_MAX + 2; i++)
        assert_true(mqtt_files_put(&f, mqtt_files_entry(&f, i, STR("a")), STR("x"), STR("x/y"), 10 + i));
    assert_int_equal(f.count, MQTT_FILES_MAX);
    assert_null(mqtt_files_find(&f, 1, STR("a")));
    assert_non_null(mqtt_files_find(&f, MQTT_FILES_MAX + 1, STR("a")));
    assert_int_equal(f.bytes, MQTT_FILES_MAX);
    for (uint32_t i = 0; i < MQTT_FILES_MAX + 2; i++)
        mqtt_files_drop(&f, i);
    assert_int_equal(f.count, 0);
    assert_int_equal(f.bytes, 0);
    mqtt_files_finish(&f);
}

/* Devices */

static void a_picture_makes_the_device_and_is_sent(void **state)
{
    struct rig r;
    (void)state;
    start(&r, cameras);
    rig_message(&r, "cam/door/jpeg", JPEG "one", 1, false);
    const struct event *ev = rig_last(&r, EV_MESSAGE, DOOR);
    assert_non_null(ev);
    assert_str(ev->blob, JPEG "one");
    assert_str(ev->media, "image/jpeg");
    assert_str(ev->name, "snapshot.jpg");
    assert_str(ev->body, "Picture");
    assert_int_equal(ev->token, 0);
    assert_non_null(rig_last(&r, EV_IDENTITY, DOOR));
    assert_presence(&r, DOOR, SHOW_ONLINE, "");
    rig_finish(&r);
}

static void it_is_sent_so_often(void **state)
{
    struct rig r;
    struct str why;
    (void)state;
    start(&r, cameras);
    rig_hear(&r, "cam/door/jpeg", JPEG "1");
    rig_pass(&r, 29999);
    rig_hear(&r, "cam/door/jpeg", JPEG "2");
    assert_int_equal(rig_count(&r, EV_MESSAGE), 1);
    assert_str(get(&r, "get snapshot", &why)->blob, JPEG "2"); // but it is the last one
    rig_pass(&r, 1);
    rig_hear(&r, "cam/door/jpeg", JPEG "3");
    assert_int_equal(rig_count(&r, EV_MESSAGE), 1);
    assert_str(rig_last(&r, EV_MESSAGE, DOOR)->blob, JPEG "3");
    rig_finish(&r);
}

// What was retained is what was, and not news.
static void what_is_retained_is_not_sent(void **state)
{
    struct rig r;
    struct str why;
    (void)state;
    start(&r, cameras);
    rig_retained(&r, "cam/door/jpeg", PNG "old");
    assert_int_equal(rig_count(&r, EV_MESSAGE), 0);
    const struct event *ev = get(&r, "snapshot", &why);
    assert_str(ev->blob, PNG "old");
    assert_str(ev->name, "snapshot.png");
    assert_int_equal(ev->token, 7);
    assert_str(ev->key, DOOR);
    rig_finish(&r);
}

static void without_every_it_is_for_who_asks(void **state)
{
    struct rig r;
    struct str why;
    (void)state;
    start(&r, cameras);
    rig_hear(&r, "cam/door/clip", "no known type");
    assert_int_equal(rig_count(&r, EV_MESSAGE), 0);
    const struct event *ev = get(&r, "get clip", &why);
    assert_str(ev->media, "application/octet-stream");
    assert_str(ev->name, "clip.bin");
    assert_str(ev->body, "clip");
    rig_hear(&r, "cam/door/text", "words");
    assert_str(get(&r, "text", &why)->media, "text/plain");
    rig_finish(&r);
}

static void what_is_refused_leaves_the_last_one(void **state)
{
    struct rig r;
    struct str why;
    char large[1100];
    (void)state;
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    start(&r, cameras);
    rig_hear(&r, "cam/door/strict", JPEG "good");
    rig_clear(&r);
    rig_pass(&r, 5000);
    rig_hear(&r, "cam/door/strict", "what is this");
    rig_hear(&r, "cam/door/strict", "and this");
    rig_hear(&r, "cam/door/clip", large);
    assert_int_equal(stat_of(&r).invalid, 3);
    assert_int_equal(rig_count(&r, EV_MESSAGE), 0);
    assert_str(get(&r, "get strict", &why)->blob, JPEG "good");
    assert_null(get(&r, "get clip", &why));
    assert_str(why, "clip has not come yet");
    rig_finish(&r);
}

static void base64_is_decoded(void **state)
{
    struct rig r;
    struct str why;
    (void)state;
    start(&r, cameras);
    rig_hear(&r, "cam/door/coded", "iVBORw0K\r\nGgo=\n");
    const struct event *ev = get(&r, "get coded", &why);
    assert_str(ev->blob, PNG);
    assert_str(ev->media, "image/png");
    rig_hear(&r, "cam/door/coded", "not base64!");
    rig_hear(&r, "cam/door/coded", "\n");
    assert_int_equal(stat_of(&r).invalid, 2);
    assert_str(get(&r, "get coded", &why)->blob, PNG);
    rig_finish(&r);
}

static void an_empty_message_takes_it_away(void **state)
{
    struct rig r;
    struct str why;
    (void)state;
    start(&r, cameras);
    rig_hear(&r, "cam/door/jpeg", JPEG "x");
    assert_true(stat_of(&r).bytes > 5);
    rig_hear(&r, "cam/door/jpeg", "");
    assert_null(get(&r, "get snapshot", &why));
    assert_str(why, "snapshot has not come yet");
    rig_finish(&r);
}

static void a_device_that_goes_takes_its_files(void **state)
{
    struct rig r;
    struct str why;
    (void)state;
    start(&r, cameras);
    rig_hear(&r, "cam/door/jpeg", JPEG "x");
    mqtt_model_forget(r.m, STR(DOOR), r.now, r.wall);
    rig_hear(&r, "cam/door/motion", "yes"); // the same handle again
    assert_null(get(&r, "get snapshot", &why));
    rig_finish(&r);
}

static void rights_and_words(void **state)
{
    struct rig r;
    struct str why;
    (void)state;
    start(&r, cameras);
    rig_hear(&r, "cam/door/jpeg", JPEG "x");
    assert_int_equal(rig_say_as(&r, DOOR, "get snapshot", RIGHT_SEE | RIGHT_SEND, 9), ERR_OK);
    assert_str(rig_last(&r, EV_FAILED, NULL)->body, "you may not read anything here");
    assert_null(get(&r, "get snapshto", &why));
    assert_str(why, "I do not know 'snapshto'; did you mean 'snapshot'?");
    const struct event *help = get(&r, "help", &why);
    assert_true(str_find_str(help->body, STR("get NAME: one of motion, snapshot, clip, strict, text, coded")) >= 0);
    rig_clear(&r);
    assert_int_equal(rig_say(&r, DOOR, "get snapshot", 0), ERR_OK); // nobody waits for it
    assert_int_equal(r.count, 0);
    rig_finish(&r);
}

static void by_form(void **state)
{
    const struct command *v;
    struct rig r;
    (void)state;
    start(&r, cameras);
    rig_hear(&r, "cam/door/jpeg", JPEG "x");
    assert_int_equal(mqtt_model_commands(r.m, STR(DOOR), &v), 6);
    assert_str(v[1].node, "get_snapshot");
    assert_str(v[1].title, "Get Picture");
    assert_int_equal(v[1].right, RIGHT_READ);
    assert_int_equal(v[1].field_count, 0);
    struct event ev = {.kind = EV_COMMAND, .now = r.now, .wall = r.wall, .token = 4, .rights = RIGHT_READ};
    ev.key = STR(DOOR);
    ev.command = STR("get_snapshot");
    assert_int_equal(mqtt_model_send(r.m, &ev), ERR_OK);
    assert_str(rig_last(&r, EV_DELIVERED, NULL)->blob, JPEG "x");
    ev.command = STR("get_nothing");
    assert_int_equal(mqtt_model_send(r.m, &ev), ERR_OK);
    assert_str(rig_last(&r, EV_FAILED, NULL)->body, "no such command");
    rig_finish(&r);
}

static void who_asked_is_told_to_the_bridge(void **state)
{
    struct rig r;
    (void)state;
    start(&r, cameras);
    rig_hear(&r, "cam/door/jpeg", JPEG "x");
    struct event ev = {.kind = EV_MESSAGE, .now = r.now, .wall = r.wall, .token = 4, .rights = RIGHT_READ};
    ev.key = STR(DOOR);
    ev.body = STR("get snapshot");
    ev.user = (struct jid){STR("alice"), STR("example.org"), STR("phone")};
    assert_int_equal(mqtt_model_send(r.m, &ev), ERR_OK);
    assert_str(rig_last(&r, EV_DELIVERED, NULL)->user.local, "alice");
    rig_finish(&r);
}

/* Discovery */

#define CAM1 "ha:cam1"
#define DEV ",\"dev\":{\"ids\":\"cam1\",\"name\":\"Porch\"}}"

static const char discovery[] = "discovery: {enabled: true, allow: ['porch/#'], quarantine: false}\n";

static void discovered_cameras_and_images(void **state)
{
    struct rig r;
    (void)state;
    start(&r, discovery);
    rig_retained(&r, "homeassistant/camera/porch/config", "{\"name\":\"Live\",\"t\":\"porch/live\"" DEV);
    rig_retained(&r, "homeassistant/image/porch/config",
                 "{\"name\":\"Live\",\"image_topic\":\"porch/person\",\"img_e\":\"b64\"" DEV);
    assert_true(rig_listens(&r, "porch/live") && rig_listens(&r, "porch/person"));
    rig_hear(&r, "porch/live", JPEG "x");
    rig_hear(&r, "porch/person", "iVBORw0KGgo=");
    assert_int_equal(rig_count(&r, EV_MESSAGE), 0); // that is for who asks
    assert_int_equal(rig_say(&r, CAM1, "get live", 1), ERR_OK);
    assert_str(rig_last(&r, EV_DELIVERED, CAM1)->blob, JPEG "x");
    assert_int_equal(rig_say(&r, CAM1, "get live_2", 2), ERR_OK);
    assert_str(rig_last(&r, EV_DELIVERED, CAM1)->media, "image/png");
    assert_str(rig_last(&r, EV_IDENTITY, CAM1)->cls, "camera");
    rig_finish(&r);
}

static void what_is_not_allowed_is_no_camera(void **state)
{
    static const char *const cases[] = {
        "{\"name\":\"Live\",\"t\":\"elsewhere/live\"" DEV,
        "{\"name\":\"Live\"" DEV,
        "{\"name\":\"Live\",\"t\":\"porch/#\"" DEV,
    };
    struct rig r;
    (void)state;
    start(&r, discovery);
    for (size_t i = 0; i < COUNT(cases); i++) {
        rig_retained(&r, "homeassistant/camera/porch/config", cases[i]);
        assert_int_equal(stat_of(&r).refused_discoveries, i + 1);
    }
    rig_retained(&r, "homeassistant/image/porch/config", "{\"name\":\"P\",\"url_topic\":\"porch/url\"" DEV);
    assert_int_equal(stat_of(&r).devices, 0);
    assert_int_equal(stat_of(&r).refused_discoveries, 3); // the last is only of no use
    rig_finish(&r);
}

/* Configurations that are none */

static void check(const char *files, const char *said)
{
    struct conf_report *report = conf_report_create();
    char yaml[512];
    (void)snprintf(
        yaml, sizeof yaml,
        "packet_maximum: 256kB\ndevices:\n  cam:\n    topic: cam/+\n    readings: {a: {value: a}}\n    files: {%s}\n",
        files);
    struct conf_value *section = conf_parse(str_c(yaml), "test.yaml", mqtt_schema, report);
    struct mqtt_link_config cfg;
    if (section && !mqtt_conf_read(section, "home", report, &cfg))
        mqtt_settings_finish(&cfg);
    if (section)
        mqtt_model_destroy(mqtt_model_create(section, report, &rig_host, NULL, NULL));
    if (!said)
        assert_string_equal(conf_errors(report) ? conf_report_text(report).p : "", "");
    else
        assert_true(str_find_str(conf_report_text(report), str_c(said)) >= 0);
    conf_destroy(section);
    conf_report_destroy(report);
}

static void wrong_configurations(void **state)
{
    (void)state;
    check("b: {topic: 'cam/{1}'}", NULL);
    check("b: {topic: 'cam/{1}', max_size: 200kB}", NULL);
    check("b: {topic: 'cam/{1}', max_size: 256kB}", "packet_maximum");
    check("a: {topic: 'cam/{1}'}", "has the name 'a' too");
    check("b: {topic: 'cam/{2}'}", "{2} stands for nothing");
    check("b: {topic: 'cam/{1}', media_type: jpeg}", "is no media type");
    check("b: {topic: 'cam/{1}', media_type: 'image/jp eg'}", "is no media type");
    check("b: {}", "topic");
}

// What a file needs is let through, unless something else is said.
static void packets_are_large_enough(void **state)
{
    static const struct {
        const char *yaml;
        size_t packet;
    } cases[] = {
        {"files: {b: {topic: 'cam/{1}'}}", 256000},
        {"files: {b: {topic: 'cam/{1}', max_size: 100kB}}", 256000},
        {"files: {b: {topic: 'cam/{1}', max_size: 2MB}, c: {topic: 'c/{1}', max_size: 1MB}}", 2001024},
        {"files: {b: {topic: 'cam/{1}', max_size: 1MB}}\npacket_maximum: 3MB", 3000000},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct conf_report *report = conf_report_create();
        struct mqtt_link_config cfg;
        char yaml[512];
        (void)snprintf(yaml, sizeof yaml, "devices:\n  cam:\n    topic: cam/+\n    %s\n", cases[i].yaml);
        struct conf_value *section = conf_parse(str_c(yaml), "test.yaml", mqtt_schema, report);
        assert_int_equal(mqtt_conf_read(section, "home", report, &cfg), ERR_OK);
        assert_int_equal(cfg.packet_maximum, cases[i].packet);
        mqtt_settings_finish(&cfg);
        conf_destroy(section);
        conf_report_destroy(report);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_bytes_decide),
        cmocka_unit_test(the_last_is_kept),
        cmocka_unit_test(the_oldest_gives_way),
        cmocka_unit_test(so_many_are_kept),
        cmocka_unit_test(a_picture_makes_the_device_and_is_sent),
        cmocka_unit_test(it_is_sent_so_often),
        cmocka_unit_test(what_is_retained_is_not_sent),
        cmocka_unit_test(without_every_it_is_for_who_asks),
        cmocka_unit_test(what_is_refused_leaves_the_last_one),
        cmocka_unit_test(base64_is_decoded),
        cmocka_unit_test(an_empty_message_takes_it_away),
        cmocka_unit_test(a_device_that_goes_takes_its_files),
        cmocka_unit_test(rights_and_words),
        cmocka_unit_test(by_form),
        cmocka_unit_test(who_asked_is_told_to_the_bridge),
        cmocka_unit_test(discovered_cameras_and_images),
        cmocka_unit_test(what_is_not_allowed_is_no_camera),
        cmocka_unit_test(wrong_configurations),
        cmocka_unit_test(packets_are_large_enough),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
