/* What unit tests share: cmocka with its prerequisites, slices compared with C strings, and functions that are meant to
 * abort. */
#ifndef SPANDREL_TESTS_CHECK_H
#define SPANDREL_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static inline void check_str_at(struct str got, const char *want, const char *file, int line)
{
    if (str_eq_c(got, want))
        return;
    print_error("got \"" STR_FMT "\" (%zu bytes), want \"%s\"\n", STR_ARG(got), got.n, want);
    _fail(file, line);
}

// The slice has exactly these bytes.
#define assert_str(got, want) check_str_at((got), (want), __FILE__, __LINE__)

static inline void silence(void)
{
    int null = open("/dev/null", O_WRONLY);
    if (null >= 0)
        (void)dup2(null, STDERR_FILENO);
}

// True when the call ends its process by SIGABRT.
static inline bool aborts(void (*call)(void))
{
    pid_t child = fork();
    if (child == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        silence();
        call();
        _exit(0);
    }
    int status = 0;
    return child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

#endif
