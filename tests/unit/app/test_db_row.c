// Rows as JSON and CSV: every byte comes back, and what is no such text is told with its line.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/db_row.h"
#include "base/rng.h"
#include "unit/store/store_fixture.h"

static FILE *file_of(struct str text)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(fwrite(text.p, 1, text.n, file), text.n);
    rewind(file);
    return file;
}

static void assert_same(const struct row *a, const struct row *b)
{
    const struct store_table *t = &store_tables[a->kind];
    assert_int_equal(a->kind, b->kind);
    for (unsigned i = 0; i < t->columns; i++) {
        const struct store_column *c = &t->column[i];
        const struct str *s = store_table_str(a, c);
        if (s)
            assert_true(str_eq(*s, *store_table_str(b, c)));
        else
            assert_int_equal(store_table_number(a, c), store_table_number(b, c));
    }
}

static void round_trip(const struct row *row, bool csv)
{
    struct strbuf text;
    struct db_reader r;
    struct row back;
    struct errmsg msg = {""};
    bool end;
    strbuf_init(&text, 1 << 20);
    if (csv)
        db_csv_head(&text, row->kind);
    else
        db_json_head(&text, 2, 1u << row->kind);
    for (int i = 0; i < 2; i++)
        (csv ? db_csv_row : db_json_row)(&text, row);
    if (!csv)
        db_json_end(&text, 2);
    FILE *file = file_of(strbuf_view(&text));
    if (csv)
        db_reader_init_csv(&r, file, row->kind);
    else
        db_reader_init(&r, file);
    assert_int_equal(db_reader_head(&r, &msg), ERR_OK);
    assert_int_equal(r.tables, 1u << row->kind);
    for (int i = 0; i < 2; i++) {
        enum err e = db_reader_next(&r, &back, &end, &msg);
        if (e)
            print_error("line %zu: %s\n" STR_FMT, r.line, msg.text, STR_ARG(strbuf_view(&text)));
        assert_int_equal(e, ERR_OK);
        assert_false(end);
        assert_same(row, &back);
    }
    assert_int_equal(db_reader_next(&r, &back, &end, &msg), ERR_OK);
    assert_true(end);
    assert_int_equal(r.rows, 2);
    db_reader_finish(&r);
    assert_int_equal(fclose(file), 0);
    strbuf_finish(&text);
}

// What is hard to keep: empty, quotes, line ends, commas, no UTF-8, NUL.
static const struct str texts[] = {
    {"", 0},
    {"plain", 5},
    {"\"", 1},
    {"\"\"", 2},
    {"a,b", 3},
    {"\r\n", 2},
    {"x\r", 2},
    {"\n", 1},
    {",", 1},
    {" blank ", 7},
    {"\xff\xfe", 2},
    {"\0", 1},
    {"a\0b", 3},
    {"\\u0000", 6},
    {"L\xc3\xa4mp\xf0\x9f\x92\xa1", 10},
    {"\t\x1f", 2},
    {"{\"base64\"", 9},
    {"\xef\xbb\xbf", 3},
    {"\xed\xa0\x80", 3},
    {"=1+1", 4},
};

enum { TEXTS = sizeof texts / sizeof *texts };

static void test_every_byte_comes_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < TEXTS; i++) {
        for (int kind = 0; kind < ROW_KINDS; kind++) {
            struct row row = {
                .kind = (enum row_kind)kind, .number = 7, .since = INT64_MIN, .state = 1, .next = INT64_MAX};
            const struct store_table *t = &store_tables[kind];
            for (unsigned at = 0; at < t->columns; at++) {
                struct str *s = store_table_str_of(&row, &t->column[at]);
                if (s)
                    *s = texts[(i + at) % TEXTS];
            }
            round_trip(&row, false);
            round_trip(&row, true);
        }
    }
}

static void test_random_bytes_come_back(void **state)
{
    (void)state;
    struct rng rng;
    char bytes[300];
    rng_init(&rng, 3);
    for (int i = 0; i < 300; i++) {
        size_t n = rng_below(&rng, sizeof bytes);
        for (size_t k = 0; k < n; k++) // letters that mean something more often than others
            bytes[k] = rng_below(&rng, 2) ? "\",\r\n\\{}a"[rng_below(&rng, 8)] : (char)rng_below(&rng, 256);
        struct row row = {.kind = ROW_STATE, .adapter = STR("a"), .key = {bytes, n / 2}, .text = {bytes, n}};
        round_trip(&row, false);
        round_trip(&row, true);
    }
}

static void assert_wrong(const char *text, enum row_kind csv, size_t line, const char *part)
{
    struct db_reader r;
    struct row row;
    struct errmsg msg = {""};
    bool end = false;
    FILE *file = file_of(str_c(text));
    if (csv == ROW_KINDS)
        db_reader_init(&r, file);
    else
        db_reader_init_csv(&r, file, csv);
    enum err e = db_reader_head(&r, &msg);
    while (!e && !end)
        e = db_reader_next(&r, &row, &end, &msg);
    if (!e || r.line != line || !strstr(msg.text, part))
        print_error("%s\n%zu: %s\n", text, r.line, msg.text);
    assert_int_equal(e, ERR_CONF);
    assert_int_equal(r.line, line);
    assert_non_null(strstr(msg.text, part));
    db_reader_finish(&r);
    assert_int_equal(fclose(file), 0);
}

#define HEAD "{\"spandrel\":\"export\",\"version\":1,\"schema\":2,\"tables\":[\"access\",\"state\"]}\n"
#define RULE(n, rule) "{\"table\":\"access\",\"row\":{\"number\":" n ",\"rule\":" rule "}}\n"

static void test_wrong_json(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t line;
        const char *part;
    } wrong[] = {
        {"", 1, "is no export"},
        {"nonsense\n", 1, "is no export"},
        {"{\"a\":1}\n", 1, "does not say"},
        {"{\"spandrel\":\"export\",\"version\":2,\"tables\":[]}\n", 1, "version 2; this program knows version 1"},
        {"{\"spandrel\":\"export\",\"version\":1,\"tables\":[\"none\"]}\n", 1, "there is no table \"none\""},
        {HEAD, 2, "it was cut short"},
        {HEAD RULE("1", "\"x\""), 3, "it was cut short"},
        {HEAD RULE("1", "\"x\"") "{\"table\":\"acc", 3, "no JSON: "},
        {HEAD RULE("1.5", "\"x\""), 2, "\"number\" is no whole number"},
        {HEAD RULE("99999999999999999999", "\"x\""), 2, "no JSON: "},
        {HEAD RULE("1", "5"), 2, "\"rule\" is no text"},
        {HEAD RULE("1", "{\"base64\":\"!\"}"), 2, "\"rule\" is no text"},
        {HEAD RULE("1", "{\"base64\":\"AA==\",\"b\":1}"), 2, "\"rule\" is no text"},
        {HEAD "{\"table\":\"access\",\"row\":{\"number\":1}}\n", 2, "\"rule\" is missing"},
        {HEAD "{\"table\":\"access\",\"row\":{\"number\":1,\"rule\":\"\",\"more\":1}}\n", 2,
         "members that the table access"},
        {HEAD "{\"table\":\"access\",\"row\":[]}\n", 2, "\"row\" is no object"},
        {HEAD "{\"table\":\"identity\",\"row\":{}}\n", 2, "none of those that the first line names"},
        {HEAD "{}\n", 2, "none of those that the first line names"},
        {HEAD "{\"table\":\"state\",\"row\":{\"adapter\":\"a\",\"key\":\"k\",\"value\":\"!\"}}\n", 2,
         "\"value\" is no base64"},
        {HEAD RULE("1", "\"x\"") "{\"end\":true,\"rows\":2}\n", 3, "tells of 2 rows; there are 1"},
        {HEAD RULE("1", "\"x\"") "{\"end\":true,\"rows\":1}\nmore\n", 4, "something follows"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_wrong(wrong[i].text, ROW_KINDS, wrong[i].line, wrong[i].part);
}

static void test_wrong_csv(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum row_kind kind;
        size_t line;
        const char *part;
    } wrong[] = {
        {"", ROW_ACCESS, 1, "the file is empty"},
        {"number\n", ROW_ACCESS, 1, "the column \"rule\" is missing"},
        {"number,rule,more\n", ROW_ACCESS, 1, "has no column \"more\""},
        {"number,number\n", ROW_ACCESS, 1, "it is there twice"},
        {"number,rule\n1\n", ROW_ACCESS, 2, "1 fields; the first line has 2"},
        {"number,rule\n1,a\n2,b,c\n", ROW_ACCESS, 3, "3 fields"},
        {"number,rule\n1,a\n\n", ROW_ACCESS, 3, "1 fields"},
        {"number,rule\nx,a\n", ROW_ACCESS, 2, "\"number\" is no whole number"},
        {"number,rule\n1,\"a\nb\"\n2,\"open\n", ROW_ACCESS, 4, "a quote that is opened here is not closed"},
        {"number,rule\n1,\"a\"b\n", ROW_ACCESS, 2, "field 2: a quote in the wrong place"},
        {"number,rule\n1,a\"b\"\n", ROW_ACCESS, 2, "field 2: a quote in the wrong place"},
        {"user,domain,local,state\nu@d,d,l,99\n", ROW_SUBSCRIPTION, 2, "\"state\" cannot be 99"},
        {"adapter,key,value\na,k,!\n", ROW_STATE, 2, "\"value\" is no base64"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_wrong(wrong[i].text, wrong[i].kind, wrong[i].line, wrong[i].part);
}

// As a spreadsheet may write it: other line ends, other order, needless quotes, no end of the last line.
static void test_csv_of_others(void **state)
{
    (void)state;
    struct db_reader r;
    struct row row;
    bool end;
    FILE *file = file_of(STR("\"rule\",\"number\"\n\"allow, \"\"x\"\"\",7\r\nplain,8"));
    db_reader_init_csv(&r, file, ROW_ACCESS);
    assert_int_equal(db_reader_head(&r, NULL), ERR_OK);
    assert_int_equal(db_reader_next(&r, &row, &end, NULL), ERR_OK);
    assert_true(str_eq_c(row.text, "allow, \"x\"") && row.number == 7);
    assert_int_equal(db_reader_next(&r, &row, &end, NULL), ERR_OK);
    assert_true(str_eq_c(row.text, "plain") && row.number == 8 && !end);
    assert_int_equal(db_reader_next(&r, &row, &end, NULL), ERR_OK);
    assert_true(end);
    db_reader_finish(&r);
    assert_int_equal(fclose(file), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_byte_comes_back),
        cmocka_unit_test(test_random_bytes_come_back),
        cmocka_unit_test(test_wrong_json),
        cmocka_unit_test(test_wrong_csv),
        cmocka_unit_test(test_csv_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
