/* Runs a scenario script (script.h tells its language).
 *
 * With --faults it is run again, once for every step and kind of fault (faults.c): what is seen is then not compared,
 * but when all is well again for two minutes the clients must show what they show at the end of the undisturbed run,
 * and each question of a user must have had its one answer. With --record FILE the run is recorded there, and the
 * recording replayed: the core must do the same. */
#include "app/record.h"
#include "base/log.h"
#include "base/mem.h"
#include "scenario/script.h"

#include <stdio.h>
#include <stdlib.h>

enum { SCRIPT_MAX = 1 << 20, SHOWN_MAX = 1 << 20 };

static bool run_fault(struct script s, const struct fault *f, unsigned at, struct str expected)
{
    struct strbuf shown;
    strbuf_init(&shown, SHOWN_MAX);
    s.fault = f;
    s.at = at;
    struct outcome o = script_run(&s, &shown);
    bool same = str_eq(strbuf_view(&shown), expected) || o.untold;
    if (!o.good || !same)
        fprintf(stderr, "%s: %s step %u: the clients show\n" STR_FMT "instead of\n" STR_FMT "\n", s.path, f->name, at,
                STR_ARG(strbuf_view(&shown)), STR_ARG(expected));
    strbuf_finish(&shown);
    return o.good && same;
}

static bool run_faults(const struct script *s, unsigned steps, struct str expected)
{
    bool good = true;
    for (const struct fault *f = faults; f->name; f++) {
        for (unsigned at = 0; at < steps; at++)
            good = run_fault(*s, f, at, expected) && good;
    }
    return good;
}

static bool run_script(const struct script *s, bool with_faults)
{
    struct strbuf shown;
    strbuf_init(&shown, SHOWN_MAX);
    struct outcome o = script_run(s, &shown);
    bool good = o.good;
    if (good && with_faults)
        good = run_faults(s, o.steps, strbuf_view(&shown));
    strbuf_finish(&shown);
    return good;
}

static bool run_file(const char *path, struct record *record, bool with_faults)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        return false;
    }
    char *bytes = mem_alloc(SCRIPT_MAX);
    struct script s = {.path = path, .text = {bytes, fread(bytes, 1, SCRIPT_MAX, f)}, .record = record};
    fclose(f);
    bool good = run_script(&s, with_faults);
    mem_free(bytes);
    return good;
}

// Runs the script, recorded, and gives the recording to a new core.
static bool run_replay(const char *path, const char *file)
{
    struct errmsg msg = {""};
    (void)remove(file);
    struct record *record = record_create(file, &msg);
    bool good = record && run_file(path, record, false);
    record_destroy(record);
    if (good && record_replay(file, false, &msg))
        good = false;
    if (!good)
        fprintf(stderr, "%s: %s\n", path, msg.text);
    return good;
}

int main(int argc, char **argv)
{
    log_set_level(getenv("SCENARIO_LOG") ? LOG_DEBUG : LOG_ERROR);
    if (argc == 4 && strcmp(argv[1], "--record") == 0)
        return run_replay(argv[3], argv[2]) ? 0 : 1;
    bool with_faults = argc == 3 && strcmp(argv[1], "--faults") == 0;
    if (argc != 2 && !with_faults) {
        fprintf(stderr, "usage: scenario [--faults | --record FILE] SCRIPT\n");
        return 2;
    }
    return run_file(argv[argc - 1], NULL, with_faults) ? 0 : 1;
}
