// What a row must be to be taken at the start, and what a check of a whole database tells.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/app_conf.h"
#include "app/db_check.h"
#include "base/log.h"
#include "store/store_db.h"
#include "unit/store/store_fixture.h"

static const char config_text[] = "components:\n"
                                  "  main: {domain: B.example, server: \"127.0.0.1:1\", secret: \"file:/no/such\"}\n"
                                  "  second: {domain: c.example, secret: s}\n"
                                  "adapters:\n  home: {type: mqtt, component: second, broker: x}\n  irc: {type: irc}\n"
                                  "groups: {family: [alice@example.org]}\n";

static struct conf_value *config_ok(const char *text)
{
    struct conf_report *report = conf_report_create();
    struct conf_value *config = conf_parse(str_c(text), "test.yaml", app_control_schema, report);
    if (!config)
        print_error(STR_FMT "\n", STR_ARG(conf_report_text(report)));
    conf_report_destroy(report);
    assert_non_null(config);
    return config;
}

static struct db_judge *judge_ok(void)
{
    struct conf_value *config = config_ok(config_text);
    struct errmsg msg = {""};
    struct db_judge *j = db_judge_create(config, &msg);
    if (!j)
        print_error("%s\n", msg.text);
    assert_non_null(j);
    conf_destroy(config);
    return j;
}

static struct row identity(const char *domain, const char *local, const char *adapter, const char *key)
{
    return (struct row){.kind = ROW_IDENTITY,
                        .domain = str_c(domain),
                        .local = str_c(local),
                        .adapter = str_c(adapter),
                        .key = str_c(key)};
}

static struct row subscription(const char *user, const char *domain, const char *local, unsigned state)
{
    return (struct row){
        .kind = ROW_SUBSCRIPTION, .user = str_c(user), .domain = str_c(domain), .local = str_c(local), .state = state};
}

static struct row rule(uint64_t number, const char *text)
{
    return (struct row){.kind = ROW_ACCESS, .number = number, .text = str_c(text)};
}

static void judged(struct db_judge *j, struct row row, enum err expected, const char *part)
{
    struct errmsg msg = {""};
    enum err e = db_judge_row(j, &row, &msg);
    if (e != expected || !strstr(msg.text, part))
        print_error("%s: %s (%s)\n", err_name(e), msg.text, part);
    assert_int_equal(e, expected);
    assert_non_null(strstr(msg.text, part));
}

static void test_rows_in_order(void **state)
{
    (void)state;
    struct db_judge *j = judge_ok();
    judged(j, identity("b.example", "lamp", "home", "k1"), ERR_OK, "");
    judged(j, identity("c.example", "lamp", "irc", "k1"), ERR_OK, "");
    judged(j, identity("b.example", "lamp", "home", "k2"), ERR_CONF, "another row has the same address");
    judged(j, identity("b.example", "other", "home", "k1"), ERR_CONF, "the same adapter and key");
    judged(j, identity("old.example", "lamp", "home", "k3"), ERR_NOTFOUND, "no component of the configuration");
    judged(j, (struct row){.kind = ROW_REGISTRATION, .user = STR("alice@example.org"), .domain = STR("b.example")},
           ERR_OK, "");
    judged(j, (struct row){.kind = ROW_REGISTRATION, .user = STR("alice@example.org"), .domain = STR("b.example")},
           ERR_CONF, "the same key");
    judged(j, subscription("alice@example.org", "b.example", "lamp", 1), ERR_OK, "");
    judged(j, subscription("alice@example.org", "b.example", "", 3), ERR_OK, "");
    judged(j, subscription("alice@example.org", "b.example", "lamp", 1), ERR_CONF, "the same key");
    judged(j, subscription("alice@example.org", "b.example", "none", 1), ERR_CONF, "a contact that is not there");
    judged(j, subscription("alice@example.org", "old.example", "none", 1), ERR_NOTFOUND, "");
    judged(j, rule(1, "allow see to @family"), ERR_OK, "");
    judged(j, rule(2, "allow see to @gone"), ERR_CONF, "there is no group");
    judged(j, rule(0, "allow see to *"), ERR_CONF, "no number 0");
    judged(j, rule(UINT64_MAX, "allow see to *"), ERR_CONF, "no number");
    judged(j, rule(3, "allow everything"), ERR_CONF, "unknown right");
    db_judge_destroy(j);
    db_judge_destroy(NULL);
}

// Of contacts in rooms elsewhere: their lanes, what these hold, and who is in.
static void test_rows_of_guests(void **state)
{
    (void)state;
    static const enum row_kind kinds[] = {ROW_LANE, ROW_RECORD, ROW_LETTER};
    struct db_judge *j = judge_ok();
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct row row = {.kind = kinds[i], .adapter = STR("home ops@conf.example a key")};
        judged(j, row, ERR_OK, "");
        row.user = STR("ops@conf.example/lamp");
        judged(j, row, ERR_OK, "");
        row.adapter = STR("home Ops@conf.example a");
        judged(j, row, ERR_CONF, "is not as servers write it");
        row.adapter = STR("home ops@conf.example/x a");
        judged(j, row, ERR_CONF, "it has a resource");
        row.adapter = STR("Home ops@conf.example a");
        judged(j, row, ERR_CONF, "is no name of an adapter");
        row.adapter = STR("home ops@conf.example");
        judged(j, row, ERR_CONF, "with a room and a key");
        row.adapter = STR("home ops@conf.example ");
        judged(j, row, ERR_CONF, "with a room and a key");
    }
    struct row row = {.kind = ROW_GUEST, .domain = STR("b.example"), .local = STR("lamp"), .name = STR("Lamp")};
    row.user = STR("ops@conf.example");
    judged(j, row, ERR_OK, "");
    row.user = STR("ops@conf.example/x");
    judged(j, row, ERR_CONF, "it has a resource");
    row.domain = STR("B.example");
    judged(j, row, ERR_CONF, "is no domain");
    db_judge_destroy(j);
}

static void test_rows_by_themselves(void **state)
{
    (void)state;
    char long_text[2000];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    struct db_judge *j = judge_ok();
    judged(j, identity("B.example", "lamp", "home", "k"), ERR_CONF, "the domain 'B.example' is no domain, or not as");
    judged(j, identity("b.example", "Lamp", "home", "k"), ERR_CONF, "the local 'Lamp' is no localpart, or not as");
    judged(j, identity("b.example", "a b", "home", "k"), ERR_CONF, "is no localpart");
    judged(j, identity("b.example", "", "home", "k"), ERR_CONF, "is empty");
    judged(j, identity("b.example", long_text, "home", "k"), ERR_CONF, "is no localpart");
    judged(j, identity("b.example", "l", "Home", "k"), ERR_CONF, "is no name of an adapter");
    judged(j, identity("b.example", "l", "", "k"), ERR_CONF, "is no name of an adapter");
    judged(j, identity("b.example", "l", "home", ""), ERR_CONF, "the key has 0 bytes");
    judged(j, identity("b.example", "l", "home", long_text), ERR_CONF, "the key has 1999 bytes");
    struct row row = identity("b.example", "l", "home", "k");
    row.name = str_c(long_text);
    judged(j, row, ERR_CONF, "the name has 1999 bytes, at most 256");
    row.name = (struct str){"\xff", 1};
    judged(j, row, ERR_CONF, "is no UTF-8");
    row.name = STR_NONE;
    row.scope = STR("alice@example.org/phone");
    judged(j, row, ERR_CONF, "it has a resource");
    row.scope = STR("alice@example.org");
    judged(j, row, ERR_OK, "");
    judged(j, subscription("Alice@example.org", "b.example", "l", 1), ERR_CONF, "is not as servers write it");
    judged(j, subscription("@", "b.example", "l", 1), ERR_CONF, "is no JID");
    judged(j, subscription("a@b/c", "b.example", "l", 1), ERR_CONF, "has a resource");
    judged(j, subscription("a@b", "b.example", "l", 0), ERR_CONF, "the state 0 is none");
    judged(j, (struct row){.kind = ROW_STATE, .adapter = STR("x y")}, ERR_CONF, "is no name of an adapter");
    judged(j, (struct row){.kind = ROW_STATE, .adapter = STR("home"), .text = {"\0\xff", 2}}, ERR_OK, "");
    judged(j, (struct row){.kind = ROW_RECORD, .adapter = STR("home"), .user = STR("a@b/c")}, ERR_OK, "");
    judged(j, (struct row){.kind = ROW_RECORD, .adapter = STR("home"), .user = STR("@@")}, ERR_CONF, "is no JID");
    judged(j, (struct row){.kind = ROW_LANE, .adapter = STR("")}, ERR_CONF, "is no name of an adapter");
    judged(j, (struct row){.kind = ROW_ASK, .domain = STR("b.example"), .local = STR("x"), .user = STR("a@b")}, ERR_OK,
           "");
    db_judge_destroy(j);
}

static void test_configurations(void **state)
{
    (void)state;
    struct conf_value *config = config_ok("state: /tmp/x\n");
    struct errmsg msg = {""};
    assert_null(db_judge_create(config, &msg)); // no component
    assert_non_null(strstr(msg.text, "at least one component"));
    conf_destroy(config);
    config = config_ok("components:\n  main: [not, a, map]\n");
    assert_null(db_judge_create(config, &msg));
    conf_destroy(config);
}

static void run_sql(const struct fixture *f, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->db, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static struct str checked(const struct fixture *f, bool json, struct db_findings *out, struct strbuf *text)
{
    struct store_file *file;
    struct errmsg msg = {""};
    struct db_judge *j = judge_ok();
    *out = (struct db_findings){.json = json, .out = tmpfile()};
    assert_int_equal(store_file_open(f->db, &file, &msg), ERR_OK);
    assert_int_equal(db_check_file(file, j, out, &msg), ERR_OK);
    store_file_close(file);
    db_judge_destroy(j);
    rewind(out->out);
    strbuf_clear(text);
    for (int c; (c = getc(out->out)) != EOF;)
        strbuf_char(text, (char)c);
    assert_int_equal(fclose(out->out), 0);
    return strbuf_view(text);
}

static void test_whole_database(void **state)
{
    const struct fixture *f = *state;
    struct db_findings found;
    struct strbuf text;
    strbuf_init(&text, 1 << 20);
    store_close(open_ok(f));
    run_sql(f, "INSERT INTO identity VALUES ('b.example', 'lamp', '', 'home', 'k', 0, 0, 'L', '', '', 1, NULL)");
    run_sql(f, "INSERT INTO subscription VALUES ('a@x', 'b.example', 'lamp', 1, NULL)");
    assert_int_equal(checked(f, false, &found, &text).n, 0);
    assert_int_equal(found.faults + found.notes, 0);
    assert_int_equal(found.rows[ROW_IDENTITY], 1);
    run_sql(f, "INSERT INTO identity VALUES ('b.example', 'twin', '', 'home', 'k', 0, 0, 'L', '', '', 1, NULL),"
               " ('b.example', 'odd', '', 'home', 'k2', 9, 0, 'L', '', '', 1, NULL),"
               " ('old.example', 'far', '', 'home', 'k3', 0, 0, 'L', '', '', 1, NULL)");
    run_sql(f, "INSERT INTO subscription VALUES ('a@x', 'b.example', 'none', 1, NULL)");
    struct str out = checked(f, false, &found, &text);
    assert_int_equal(found.faults, 3);
    assert_int_equal(found.notes, 1);
    assert_int_equal(found.rows[ROW_IDENTITY], 4);
    static const char *const parts[] = {
        "fault: table identity, row domain='b.example' local='twin' scope='': another row has the same address, or",
        "has a kind that was never written there, 9",
        "note: table identity, row domain='old.example'",
        "fault: table subscription, row user='a@x' domain='b.example' local='none': a subscription to a contact",
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        assert_true(str_find_str(out, str_c(parts[i])) >= 0);
    out = checked(f, true, &found, &text);
    assert_int_equal(found.faults, 3);
    assert_true(str_find_str(out, STR("{\"finding\":\"fault\",\"table\":\"subscription\",\"row\":\"user='a@x'")) >= 0);
    strbuf_finish(&text);
}

static int setup(void **state)
{
    log_set_level(LOG_WARN);
    return fixture_setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_in_order),
        cmocka_unit_test(test_rows_of_guests),
        cmocka_unit_test(test_rows_by_themselves),
        cmocka_unit_test(test_configurations),
        cmocka_unit_test_setup_teardown(test_whole_database, setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
