/* What is generated from the schema: the example passes by itself, as it is and with every option uncommented; the JSON
 * Schema accepts both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "text/json.h"
#include "unit/conf/conf_fixture.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void assert_passes(struct str text)
{
    struct conf_report *r = conf_report_create();
    struct conf_value *root = conf_parse(text, "example.yaml", fixture_schema, r);
    if (!root || conf_warnings(r))
        print_error(STR_FMT "\n" STR_FMT, STR_ARG(text), STR_ARG(conf_report_text(r)));
    assert_non_null(root);
    assert_int_equal(conf_warnings(r), 0);
    conf_destroy(root);
    conf_report_destroy(r);
}

// Takes the '#' from every line that is an option and no remark: a remark has one blank behind it.
static void uncomment(struct str text, struct strbuf *out)
{
    for (struct str line, rest = text; rest.n; text = rest) {
        (void)str_cut(text, '\n', &line, &rest);
        size_t at = 0;
        while (at < line.n && line.p[at] == ' ')
            at++;
        bool comment = at < line.n && line.p[at] == '#';
        bool remark = comment && at + 2 < line.n && line.p[at + 1] == ' ' && line.p[at + 2] != ' ';
        strbuf_str(out, str_sub(line, 0, at));
        strbuf_str(out, str_sub(line, comment && !remark ? at + 1 : at, line.n));
        strbuf_char(out, '\n');
    }
}

static void write_files(struct strbuf *example, struct strbuf *full)
{
    strbuf_init(example, 1 << 20);
    strbuf_init(full, 1 << 20);
    conf_write_example(fixture_schema, example);
    uncomment(strbuf_view(example), full);
}

static void test_example(void **state)
{
    (void)state;
    struct strbuf example, full;
    write_files(&example, &full);
    assert_passes(strbuf_view(&example));
    assert_passes(strbuf_view(&full));
    static const char *const parts[] = {
        "# State directory. A change takes effect at a restart.\n#state: /var/lib/x\n",
        "# Patience. It is a time such as 250ms, 10s, 5m or 2h, from 1s to 1h.\n#idle: 10s\n",
        "#mode: \"0660\"\n",
        "components:\n  main:\n    # Domain | name.\n    domain: bridge.example.org\n",
        "    secret: change-me\n    # TLS, if any.\n    #tls:\n    #  # Certificate.\n    #  cert: cert.pem\n",
        "#adapters:\n#  mqtt:\n#    # Kind of adapter. One of mqtt or irc.\n#    type: mqtt\n",
        "#  irc:\n",
        "#    flood: 2.5\n",
        "log:\n  # How much is told. One of error, warn, info, debug or trace.\n  #level: info\n",
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (str_find_str(strbuf_view(&example), str_c(parts[i])) < 0)
            print_error("%s\nis not in\n%s", parts[i], example.p);
        assert_true(str_find_str(strbuf_view(&example), str_c(parts[i])) >= 0);
    }
    assert_true(str_find_str(strbuf_view(&example), STR("debug:")) < 0); // hidden
    strbuf_finish(&example);
    strbuf_finish(&full);
}

static void test_json_schema(void **state)
{
    (void)state;
    struct strbuf out;
    struct errmsg msg;
    strbuf_init(&out, 1 << 20);
    conf_write_json_schema(fixture_schema, &out);
    json_t *schema = json_read(strbuf_view(&out), out.n, &msg);
    if (!schema)
        print_error("%s\n%s", msg.text, out.p);
    assert_non_null(schema);
    static const struct {
        const char *path, *text;
    } cases[] = {
        {"$schema", "https://json-schema.org/draft/2020-12/schema"},
        {"required[0]", "components"},
        {"additionalProperties", "false"},
        {"properties.components.additionalProperties.properties.port.maximum", "65535"},
        {"properties.components.additionalProperties.properties.port.type", "integer"},
        {"properties.components.additionalProperties.properties.port.default", "5347"},
        {"properties.components.additionalProperties.required[1]", "secret"},
        {"properties.adapters.additionalProperties.oneOf[0].properties.type.const", "mqtt"},
        {"properties.adapters.additionalProperties.oneOf[0].properties.topics.items.properties.qos.minimum", "0"},
        {"properties.adapters.additionalProperties.oneOf[1].properties.nick.default", "bridge"},
        {"properties.log.properties.level.enum[4]", "trace"},
        {"properties.debug", ""},
    };
    struct arena a;
    arena_init(&a, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *found = json_at(schema, str_c(cases[i].path));
        struct str text = found ? json_text(&a, found) : STR("");
        if (!str_eq_c(text, cases[i].text))
            print_error("%s: " STR_FMT "\n", cases[i].path, STR_ARG(text));
        assert_true(str_eq_c(text, cases[i].text));
    }
    arena_finish(&a);
    json_decref(schema);
    strbuf_finish(&out);
}

static void put_file(const char *path, const struct strbuf *b)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(b->p, 1, b->n, f), b->n);
    assert_int_equal(fclose(f), 0);
}

// 0 all is valid, 1 something is not, 2 the modules are not installed.
static const char script[] =
    "import sys, json\n"
    "try:\n    import yaml\n    from jsonschema import Draft202012Validator as V\n"
    "except ImportError:\n    sys.exit(2)\n"
    "schema = json.load(open(sys.argv[1]))\nV.check_schema(schema)\nbad = 0\n"
    "for name in sys.argv[2:]:\n    for e in V(schema).iter_errors(yaml.safe_load(open(name))):\n"
    "        print(name, list(e.path), e.message); bad = 1\n"
    "wrong = {'components': {'main': {'domain': 'd', 'secret': 's', 'prot': 1}}}\n"
    "sys.exit(bad or V(schema).is_valid(wrong))\n";

static int run_python(const char *schema, const char *example, const char *full)
{
    char *const argv[] = {(char *)(uintptr_t) "python3",
                          (char *)(uintptr_t) "-c",
                          (char *)(uintptr_t)script,
                          (char *)(uintptr_t)schema,
                          (char *)(uintptr_t)example,
                          (char *)(uintptr_t)full,
                          NULL};
    pid_t pid;
    int status;
    if (posix_spawn(&pid, "/usr/bin/python3", NULL, NULL, argv, environ))
        return 2;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static void test_schema_accepts_example(void **state)
{
    (void)state;
    char dir[] = "/tmp/spandrel-schema-XXXXXX", paths[3][64];
    struct strbuf files[3];
    strbuf_init(&files[0], 1 << 20);
    conf_write_json_schema(fixture_schema, &files[0]);
    write_files(&files[1], &files[2]);
    assert_non_null(mkdtemp(dir));
    for (int i = 0; i < 3; i++) {
        (void)snprintf(paths[i], sizeof paths[i], "%s/%d", dir, i);
        put_file(paths[i], &files[i]);
        strbuf_finish(&files[i]);
    }
    int outcome = run_python(paths[0], paths[1], paths[2]);
    for (int i = 0; i < 3; i++)
        assert_int_equal(unlink(paths[i]), 0);
    assert_int_equal(rmdir(dir), 0);
    if (outcome == 2)
        skip();
    assert_int_equal(outcome, 0);
}

static void test_markdown(void **state)
{
    (void)state;
    struct strbuf out;
    strbuf_init(&out, 1 << 20);
    conf_write_markdown(fixture_schema, &out);
    static const char *const parts[] = {
        "# Configuration\n",
        "| `state` | a path | `/var/lib/x` | State directory. A change takes effect at a restart. |\n",
        "| `components` | maps by name, below | **needed** | Links. |\n",
        "\n## `components.NAME`\n\nLinks.\n\n",
        "| `domain` | text | **needed** | Domain \\| name. |\n",
        "\n## `components.NAME.tls`\n",
        "\n## `adapters.NAME` with `type: mqtt`\n",
        "| `topics` | a list of maps, below |  | What to listen to. |\n",
        "\n## `adapters.NAME.topics[]`\n",
        "| `ports` | a list, each a number from 1 to 65535 |  | Ports. |\n",
        "| `level` | error, warn, info, debug or trace | `info` | How much is told. |\n",
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (str_find_str(strbuf_view(&out), str_c(parts[i])) < 0)
            print_error("%s\nis not in\n%s", parts[i], out.p);
        assert_true(str_find_str(strbuf_view(&out), str_c(parts[i])) >= 0);
    }
    assert_true(str_find_str(strbuf_view(&out), STR("`debug`")) < 0);
    strbuf_finish(&out);
}

// Texts that another reader of YAML would take for something else stand in quotes.
static void test_quoting(void **state)
{
    (void)state;
    static const char *const texts[] = {"0660", "yes", "null", "~",  "1:30", "2026-01-01", "1e3", "a: b",
                                        "a #b", "- a", "*a",   "&a", "!a",   "%a",         "@a",  "`a",
                                        "'a",   "\"a", "a\\b", "",   " a",   "a ",         "a:",  "{a}",
                                        "[a]",  "<<",  "?",    "#",  "a\tb", "|"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const struct conf_item schema[] = {
            {.name = "text", .type = CONF_STR, .flags = CONF_REQUIRED, .doc = "A text.", .example = texts[i]},
            {.name = NULL},
        };
        struct strbuf out;
        strbuf_init(&out, 4096);
        conf_write_example(schema, &out);
        assert_true(str_find(strbuf_view(&out), '"') > 0);
        struct conf_report *r = conf_report_create();
        struct conf_value *root = conf_parse(strbuf_view(&out), "x", schema, r);
        assert_non_null(root);
        assert_true(str_eq_c(conf_str(conf_get(root, "text")), texts[i]));
        conf_destroy(root);
        conf_report_destroy(r);
        strbuf_finish(&out);
    }
}

static void test_names_that_look_typed(void **state)
{
    (void)state;
    const struct conf_item schema[] = {
        {.name = "null", .type = CONF_INT, .flags = CONF_REQUIRED, .doc = "A number.", .example = "3"},
        {.name = "on", .type = CONF_INT, .flags = CONF_REQUIRED, .doc = "A number.", .example = "4"},
        {.name = NULL},
    };
    struct strbuf out;
    strbuf_init(&out, 4096);
    conf_write_example(schema, &out);
    assert_string_equal(out.p, "# A number.\n\"null\": 3\n\n# A number.\n\"on\": 4\n\n");
    struct conf_report *r = conf_report_create();
    struct conf_value *root = conf_parse(strbuf_view(&out), "x", schema, r);
    assert_non_null(root);
    assert_int_equal(conf_int(conf_get(root, "null")), 3);
    assert_int_equal(conf_int(conf_get(root, "on")), 4);
    conf_destroy(root);
    conf_report_destroy(r);
    strbuf_finish(&out);
}

// What excludes another option of its block stays a remark when the block is made live.
static void test_alternatives(void **state)
{
    (void)state;
    static const struct conf_item members[] = {
        {.name = "above", .type = CONF_INT, .doc = "A limit.", .example = "3"},
        {.name = "below", .type = CONF_INT, .flags = CONF_OTHER, .doc = "Another.", .example = "4"},
        {.name = NULL},
    };
    static const struct conf_item schema[] = {
        {.name = "alerts", .type = CONF_LIST, .of = CONF_MAP, .sub = members, .doc = "Alerts."},
        {.name = "below", .type = CONF_INT, .flags = CONF_OTHER, .doc = "Outside of a block.", .example = "5"},
        {.name = NULL},
    };
    struct strbuf out, full;
    strbuf_init(&out, 4096);
    strbuf_init(&full, 4096);
    conf_write_example(schema, &out);
    uncomment(strbuf_view(&out), &full);
    assert_string_equal(full.p,
                        "# Alerts.\nalerts:\n  -\n    # A limit.\n    above: 3\n    # Another.\n    #below: 4\n\n"
                        "# Outside of a block.\nbelow: 5\n\n");
    strbuf_finish(&out);
    strbuf_finish(&full);
}

// A remark may fill its line to the last column.
static void test_remark_of_full_width(void **state)
{
    (void)state;
    char doc[121];
    for (size_t n = 90; n < sizeof doc; n++) {
        memset(doc, 'x', n);
        doc[4] = ' ';
        doc[n] = '\0';
        const struct conf_item schema[] = {
            {.name = "a", .type = CONF_INT, .flags = CONF_REQUIRED, .doc = doc, .example = "3"},
            {.name = NULL},
        };
        struct strbuf out;
        strbuf_init(&out, 4096);
        conf_write_example(schema, &out);
        assert_true(str_find_str(strbuf_view(&out), STR("\na: 3\n")) > 0);
        assert_int_equal(str_find_str(strbuf_view(&out), STR("# xxxx")), 0);
        strbuf_finish(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_example),
        cmocka_unit_test(test_json_schema),
        cmocka_unit_test(test_schema_accepts_example),
        cmocka_unit_test(test_markdown),
        cmocka_unit_test(test_quoting),
        cmocka_unit_test(test_names_that_look_typed),
        cmocka_unit_test(test_alternatives),
        cmocka_unit_test(test_remark_of_full_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
