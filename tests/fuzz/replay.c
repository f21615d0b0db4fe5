/* Feeds the files of the folders it is given to a fuzz target, once each, and the empty input before them.
 * A folder may be missing, but not all of them: a test that reads nothing shows nothing. */
#include "base/mem.h"
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

enum { INPUT_MAX = 16 * 1024 * 1024 };

// In memory of exactly its size, so that a read beyond the end is seen.
static bool feed(const char *path)
{
    struct stat st;
    FILE *f = fopen(path, "rb");
    if (!f)
        return false;
    bool ok = fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= INPUT_MAX;
    if (ok) {
        size_t size = (size_t)st.st_size;
        uint8_t *data = mem_alloc(size);
        ok = fread(data, 1, size, f) == size;
        if (ok)
            (void)LLVMFuzzerTestOneInput(data, size);
        mem_free(data);
    }
    (void)fclose(f);
    return ok;
}

static unsigned feed_folder(const char *folder)
{
    unsigned count = 0;
    DIR *dir = opendir(folder);
    if (!dir)
        return 0;
    const struct dirent *entry;
    while ((entry = readdir(dir))) {
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (feed(path))
            count++;
        else
            (void)fprintf(stderr, "%s: not read\n", path);
    }
    (void)closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    (void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++)
        count += feed_folder(argv[i]);
    (void)printf("%u inputs\n", count);
    return count == 0;
}
