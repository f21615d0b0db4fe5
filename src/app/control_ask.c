/* The client of the control socket: a short blocking conversation. */
#include "app/control.h"

#include "base/strbuf.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_MAX = 64 * 1024 * 1024 };

static int dial(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    size_t n = strlen(path);
    if (n >= sizeof addr.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(addr.sun_path, path, n + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&addr, sizeof addr)) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static bool send_all(int fd, struct str s)
{
    while (s.n) {
        ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        s = str_sub(s, (size_t)n, s.n);
    }
    return true;
}

static bool receive_all(int fd, struct strbuf *out)
{
    enum { CHUNK = 65536 };
    for (;;) {
        char *room = strbuf_reserve(out, CHUNK);
        if (!room)
            return false;
        ssize_t n = read(fd, room, CHUNK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0;
        strbuf_grew(out, (size_t)n);
    }
}

static int show(struct str answer)
{
    struct str head, rest;
    if (!str_cut(answer, '\n', &head, &rest)) {
        fprintf(stderr, "spandrel: the bridge ended the conversation\n");
        return 2;
    }
    bool good = str_eq_c(head, "ok");
    fprintf(good ? stdout : stderr, STR_FMT, STR_ARG(rest));
    return good ? 0 : 1;
}

static void explain(const char *path)
{
    const char *hint = "";
    if (errno == ENOENT || errno == ECONNREFUSED)
        hint = " (is the bridge running? is the same configuration given with -c?)";
    else if (errno == EACCES)
        hint = " (you may not open it: see `control.mode`, or be root)";
    fprintf(stderr, "spandrel: cannot connect to %s: %s%s\n", path, strerror(errno), hint);
}

const char *control_standby_path(struct arena *a, const char *path)
{
    return arena_printf(a, "%s.standby", path).p;
}

// Who serves; when nobody does, a standby, which tells so.
static int dial_either(const char *path)
{
    struct arena a;
    int fd = dial(path);
    if (fd >= 0 || (errno != ENOENT && errno != ECONNREFUSED))
        return fd;
    int error = errno;
    arena_init(&a, 256);
    fd = dial(control_standby_path(&a, path));
    arena_finish(&a);
    errno = error;
    return fd;
}

// 0 when an answer has come, whatever it says.
static int converse(int fd, struct str form, struct str line, struct strbuf *answer)
{
    // A bridge that is busy answers before it is asked, and does not read: the answer is there all the same.
    bool sent = send_all(fd, form) && send_all(fd, line) && send_all(fd, STR("\n"));
    int error = errno;
    bool good = receive_all(fd, answer) && sent;
    errno = sent ? errno : error;
    return good || answer->n ? 0 : 2;
}

int control_ask(const char *path, bool json, struct str line)
{
    int fd = dial_either(path);
    if (fd < 0) {
        explain(path);
        return 2;
    }
    struct strbuf answer;
    strbuf_init(&answer, ANSWER_MAX);
    int code = converse(fd, json ? STR("json ") : STR("text "), line, &answer);
    if (code)
        explain(path);
    else
        code = show(strbuf_view(&answer));
    strbuf_finish(&answer);
    close(fd);
    return code;
}

int control_call(const char *path, struct str line, struct strbuf *out)
{
    struct str head, rest;
    struct strbuf answer;
    int fd = dial(path), code = 2;
    strbuf_init(&answer, ANSWER_MAX);
    if (fd >= 0)
        code = converse(fd, STR("text "), line, &answer);
    if (code)
        strbuf_printf(out, "cannot connect to %s: %s", path, strerror(errno));
    else if (str_cut(strbuf_view(&answer), '\n', &head, &rest)) {
        code = str_eq_c(head, "ok") ? 0 : 1;
        strbuf_str(out, str_trim(rest));
    } else {
        code = 2;
        strbuf_c(out, "the bridge ended the conversation");
    }
    if (fd >= 0)
        close(fd);
    strbuf_finish(&answer);
    return code;
}
