/* The command line. The only file that ends the process. */
#include "app/app_conf.h"
#include "app/control.h"
#include "app/daemon.h"
#include "app/db.h"
#include "app/record.h"
#include "store/store_table.h"
#include "text/hash.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>

enum { DONE = 0, FAILED = 1, MISUSED = 2, LINE_MAX_BYTES = 512 * 1024 };

static const char default_config[] = "/etc/spandrel/spandrel.yaml";

struct options {
    const char *config, *socket, *record, *table;
    bool json, quiet, help, standby, csv;
    unsigned given; // bits of the letters below
};

static const struct option longs[] = {
    {"config", required_argument, NULL, 'c'},
    {"csv", no_argument, NULL, 'x'},
    {"help", no_argument, NULL, 'h'},
    {"json", no_argument, NULL, 'j'},
    {"quiet", no_argument, NULL, 'q'},
    {"record", required_argument, NULL, 'r'},
    {"socket", required_argument, NULL, 's'},
    {"standby", no_argument, NULL, 'b'},
    {"table", required_argument, NULL, 't'},
    {"version", no_argument, NULL, 'v'},
    {NULL, 0, NULL, 0},
};

struct verb {
    const char *name, *word; // "config", "example"
    const char *arguments, *doc;
    const char *options; // letters that it takes, beside c and h
    int words;           // at most, behind the name (and the word)
    int (*run)(const struct options *o, char **words);
};

static void print(struct str text, FILE *to)
{
    fprintf(to, STR_FMT, STR_ARG(text));
}

// The configuration by a schema, or NULL after the errors were printed.
static struct conf_value *load(const char *path, const struct conf_item *schema)
{
    struct conf_report *report = conf_report_create();
    struct conf_value *config = conf_load(path, schema, report);
    print(conf_report_text(report), stderr);
    conf_report_destroy(report);
    return config;
}

static int run(const struct options *o, char **words)
{
    (void)words;
    return daemon_run(o->config, o->record, o->standby);
}

static int check(const struct options *o, char **words)
{
    (void)words;
    return daemon_check(o->config);
}

static int replay(const struct options *o, char **words)
{
    struct errmsg msg;
    if (!words[0]) {
        fprintf(stderr, "spandrel: replay what? Name a file that `run --record` has written\n");
        return MISUSED;
    }
    enum err e = record_replay(words[0], !o->quiet, &msg);
    if (e)
        fprintf(stderr, "spandrel: %s\n", msg.text);
    return e ? FAILED : DONE;
}

// What a `db` command was given, told when it cannot be. `needs`: a file.
static bool db_options(const struct options *o, char **words, const char *needs, struct db_options *out)
{
    *out = (struct db_options){o->config, o->table, o->csv, o->json};
    const char *wrong = NULL;
    if (needs && !words[0])
        wrong = needs;
    else if (o->table && store_table_find(str_c(o->table)) == ROW_KINDS)
        wrong = "there is no such table: identity, subscription, registration, access, ...";
    else if (o->table && o->csv)
        wrong = "--csv is for all tables, --table for one: give one of the two";
    else if (o->csv && !words[0])
        wrong = "--csv needs a directory, which gets a file for each table";
    if (wrong)
        fprintf(stderr, "spandrel: %s\n", wrong);
    return !wrong;
}

static int backup(const struct options *o, char **words)
{
    struct db_options db;
    return db_options(o, words, "back up to where? Name a file", &db) ? db_backup(&db, words[0]) : MISUSED;
}

static int restore(const struct options *o, char **words)
{
    struct db_options db;
    return db_options(o, words, "restore what? Name a file of `db backup`", &db) ? db_restore(&db, words[0]) : MISUSED;
}

static int check_db(const struct options *o, char **words)
{
    struct db_options db;
    return db_options(o, words, NULL, &db) ? db_check(&db) : MISUSED;
}

static int export(const struct options *o, char **words)
{
    struct db_options db;
    return db_options(o, words, NULL, &db) ? db_export(&db, words[0]) : MISUSED;
}

static int import(const struct options *o, char **words)
{
    struct db_options db;
    return db_options(o, words, "import what? Name a file of `db export`", &db) ? db_import(&db, words[0]) : MISUSED;
}

static int write_out(void (*writer)(const struct conf_item *, struct strbuf *))
{
    struct strbuf out;
    strbuf_init(&out, 1 << 22);
    writer(app_schema, &out);
    print(strbuf_view(&out), stdout);
    strbuf_finish(&out);
    return DONE;
}

static int config_docs(const struct options *o, char **words)
{
    (void)o, (void)words;
    return write_out(conf_write_markdown);
}

static int config_example(const struct options *o, char **words)
{
    (void)o, (void)words;
    return write_out(conf_write_example);
}

static int config_schema(const struct options *o, char **words)
{
    (void)o, (void)words;
    return write_out(conf_write_json_schema);
}

// Of the configuration only what names the socket is read: the secrets need not be readable, nor all else be right.
static int ask(const struct options *o, struct str line)
{
    if (o->socket)
        return control_ask(o->socket, o->json, line);
    struct conf_value *c = load(o->config, app_control_schema);
    if (!c)
        return MISUSED;
    struct arena a;
    arena_init(&a, 0);
    int code = control_ask(app_conf_control(c, &a), o->json, line);
    arena_finish(&a);
    conf_destroy(c);
    return code;
}

// The bytes of a file as one word; false, after it was told, when it cannot be read.
static bool add_file(struct strbuf *line, const char *path)
{
    struct strbuf bytes;
    struct arena a;
    char *to;
    size_t got = 0;
    FILE *f = fopen(path, "rb");
    arena_init(&a, 0);
    strbuf_init(&bytes, LINE_MAX_BYTES);
    while (f && (to = strbuf_reserve(&bytes, 4096)) && (got = fread(to, 1, 4096, f)) > 0)
        strbuf_grew(&bytes, got);
    bool good = f && !ferror(f);
    if (good) {
        strbuf_c(line, "base64:");
        strbuf_str(line, hash_base64(&a, (const uint8_t *)bytes.p, bytes.n));
        line->full = line->full || bytes.full;
    } else {
        fprintf(stderr, "spandrel: %s: %s\n", path, strerror(errno));
    }
    if (f)
        (void)fclose(f);
    strbuf_finish(&bytes);
    arena_finish(&a);
    return good;
}

// `hook render NAME @FILE`: the file is read here, for what runs may see others than who asks.
static bool is_payload(char **words, size_t at)
{
    return at > 1 && strcmp(words[0], "hook") == 0 && strcmp(words[1], "render") == 0 && words[at][0] == '@' &&
           words[at][1];
}

static int ctl(const struct options *o, char **words)
{
    struct strbuf line;
    bool good = true;
    strbuf_init(&line, LINE_MAX_BYTES);
    for (size_t i = 0; words[i] && good; i++) {
        strbuf_c(&line, line.n ? " " : "");
        if (is_payload(words, i))
            good = add_file(&line, words[i] + 1);
        else
            strbuf_c(&line, words[i]);
    }
    int code = MISUSED;
    if (good && line.full)
        fprintf(stderr, "spandrel: that is more than %d bytes\n", LINE_MAX_BYTES);
    else if (good)
        code = ask(o, strbuf_view(&line));
    strbuf_finish(&line);
    return code;
}

static int version(const struct options *o, char **words)
{
    (void)o, (void)words;
    printf("spandrel %s\n", SPANDREL_VERSION);
    return DONE;
}

static int help(const struct options *o, char **words);

static const struct verb verbs[] = {
    {"run", NULL, "[--standby] [--record FILE]",
     "run the bridge (SIGHUP reads the configuration again, SIGTERM stops); with --standby, wait while another process "
     "serves the same state, and take over when it ends",
     "br", 0, run},
    {"check", NULL, "", "check the configuration; connects to nothing", "", 0, check},
    {"ctl", NULL, "[--json] [COMMAND]", "operate the running bridge; `ctl help` lists what it can do", "js", INT_MAX,
     ctl},
    {"db", "backup", "FILE", "write a checked copy of the database, also while the bridge runs", "", 1, backup},
    {"db", "restore", "FILE", "put such a copy in the place of the database, which is kept aside", "", 1, restore},
    {"db", "check", "[--json]", "look for faults in the database (exit code 3: there are some)", "j", 0, check_db},
    {"db", "export", "[FILE]",
     "write all tables as JSON; with --table NAME one as CSV, with --csv all into directory FILE", "tx", 1, export},
    {"db", "import", "FILE", "replace the tables that an export has, all or nothing; --table and --csv as for export",
     "tx", 1, import},
    {"config", "example", "", "print a commented example of the configuration", "", 0, config_example},
    {"config", "schema", "", "print the JSON Schema of the configuration", "", 0, config_schema},
    {"config", "docs", "", "print the reference of the configuration (Markdown)", "", 0, config_docs},
    {"replay", NULL, "[--quiet] FILE", "give a recording to the core again, and compare what it does", "q", 1, replay},
    {"help", NULL, "[COMMAND]", "this text", "", 1, help},
    {"version", NULL, "", "print the version", "", 0, version},
};

enum { VERBS = sizeof verbs / sizeof *verbs };

// Of one command, by its name, or of all.
static int usage(FILE *to, const char *only, int code)
{
    char left[64];
    fprintf(to, "usage: spandrel [-c FILE] %s\n\n", only ? only : "COMMAND");
    for (size_t i = 0; i < VERBS; i++) {
        const struct verb *c = &verbs[i];
        if (only && !str_eq_c(str_c(only), c->name))
            continue;
        snprintf(left, sizeof left, "%s%s%s%s%s", c->name, c->word ? " " : "", c->word ? c->word : "",
                 *c->arguments ? " " : "", c->arguments);
        fprintf(to, "  %-24s %s\n", left, c->doc);
    }
    fprintf(to, "\n  -c, --config FILE        the configuration, else %s\n", default_config);
    if (!only || str_eq_c(str_c(only), "ctl"))
        fprintf(to, "  --socket FILE            with ctl: the control socket, in place of a configuration\n");
    return code;
}

static const char *nearest(struct str word)
{
    const char *names[VERBS + 1] = {NULL};
    for (size_t i = 0; i < VERBS; i++)
        names[i] = verbs[i].name;
    return conf_nearest(word, names);
}

static int unknown(const char *word)
{
    const char *near = nearest(str_c(word));
    fprintf(stderr, "spandrel: unknown command '%s'%s%s%s\n", word, near ? "; did you mean '" : "", near ? near : "",
            near ? "'?" : "; 'spandrel help' lists them");
    return MISUSED;
}

// The first of the name where the word is none of its words; NULL where nothing has the name.
static const struct verb *find(const char *name, const char *word)
{
    const struct verb *found = NULL;
    for (size_t i = 0; i < VERBS; i++) {
        if (!str_eq_c(str_c(name), verbs[i].name))
            continue;
        if (!verbs[i].word || (word && str_eq_c(str_c(word), verbs[i].word)))
            return &verbs[i];
        found = found ? found : &verbs[i];
    }
    return found;
}

static int help(const struct options *o, char **words)
{
    (void)o;
    if (words[0] && !find(words[0], NULL))
        return unknown(words[0]);
    return usage(stdout, words[0], DONE);
}

// Whether the command takes these options and words; says why not.
static bool suits(const struct verb *c, const struct options *o, char **words)
{
    for (const struct option *l = longs; l->name; l++) {
        bool general = l->val == 'c' || l->val == 'h' || l->val == 'v';
        if (!(o->given & 1u << (l->val - 'a')) || general || strchr(c->options, l->val))
            continue;
        fprintf(stderr, "spandrel: %s takes no option --%s\n", c->name, l->name);
        return false;
    }
    for (int n = 0; words[n]; n++) {
        if (n < c->words)
            continue;
        fprintf(stderr, "spandrel: '%s' is one word too many for %s\n", words[n], c->name);
        return false;
    }
    return true;
}

static int dispatch(const struct options *o, char **words)
{
    const struct verb *c = find(words[0], words[1]);
    if (!c)
        return unknown(words[0]);
    if (o->help)
        return usage(stdout, c->name, DONE);
    bool named = c->word && words[1] && str_eq_c(str_c(words[1]), c->word);
    if (c->word && !named)
        return usage(stderr, c->name, MISUSED);
    words += named ? 2 : 1;
    return suits(c, o, words) ? c->run(o, words) : MISUSED;
}

static bool take(struct options *o, int letter)
{
    o->given |= letter >= 'a' && letter <= 'z' ? 1u << (letter - 'a') : 0;
    o->config = letter == 'c' ? optarg : o->config;
    o->socket = letter == 's' ? optarg : o->socket;
    o->record = letter == 'r' ? optarg : o->record;
    o->table = letter == 't' ? optarg : o->table;
    o->json = o->json || letter == 'j';
    o->quiet = o->quiet || letter == 'q';
    o->standby = o->standby || letter == 'b';
    o->csv = o->csv || letter == 'x';
    o->help = o->help || letter == 'h';
    return letter != '?' && letter != ':';
}

int main(int argc, char **argv)
{
    struct options o = {.config = default_config};
    opterr = 0;
    for (int letter; (letter = getopt_long(argc, argv, ":c:h", longs, NULL)) != -1;) {
        if (take(&o, letter))
            continue;
        fprintf(stderr, letter == ':' ? "spandrel: '%s' needs a value\n" : "spandrel: unknown option '%s'\n",
                argv[optind - 1]);
        return MISUSED;
    }
    if (o.given & 1u << ('v' - 'a'))
        return version(&o, NULL);
    if (optind < argc)
        return dispatch(&o, argv + optind);
    return o.help ? usage(stdout, NULL, DONE) : usage(stderr, NULL, MISUSED);
}
