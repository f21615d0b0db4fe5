/* The avatar of a hook from a file of the operator's: read with the configuration, and shown under a class of its own,
 * which its bytes name. */
#include "adapters/webhook/webhook_conf_hook.h"

#include "adapters/adapter.h"
#include "text/hash.h"

#include <errno.h>
#include <stdio.h>

// What a file begins with tells what it is, whatever its name says.
static struct str media_of(struct str bytes)
{
    static const struct {
        struct str magic;
        size_t at;
        struct str media;
    } kinds[] = {
        {{"\x89PNG\r\n\x1a\n", 8}, 0, {"image/png", 9}},
        {{"\xff\xd8\xff", 3}, 0, {"image/jpeg", 10}},
        {{"GIF8", 4}, 0, {"image/gif", 9}},
        {{"WEBP", 4}, 8, {"image/webp", 10}},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (str_eq(str_sub(bytes, kinds[i].at, kinds[i].at + kinds[i].magic.n), kinds[i].magic))
            return kinds[i].media;
    }
    return STR_NONE;
}

// The class: a word that is another one for another picture.
static struct str class_of(struct arena *a, struct str bytes)
{
    uint8_t sum[20];
    hash_sha1(bytes, sum);
    return arena_printf(a, "pic_" STR_FMT, STR_ARG(str_sub(hash_base32(a, sum, sizeof sum), 0, 24)));
}

void webhook_picture_read(const struct conf_value *path, struct webhook_hook *h, struct conf_report *report)
{
    if (!conf_is_set(path))
        return;
    FILE *f = fopen(arena_dup(&h->arena, conf_str(path)).p, "rbe");
    if (!f) {
        conf_fail(report, path, "the avatar cannot be read: %s", strerror(errno));
        return;
    }
    char *bytes = arena_alloc(&h->arena, ADAPTER_PICTURE_MAX + 1);
    struct str picture = {bytes, fread(bytes, 1, ADAPTER_PICTURE_MAX + 1, f)};
    (void)fclose(f);
    if (picture.n > ADAPTER_PICTURE_MAX) {
        conf_fail(report, path, "the avatar has more than %d bytes: clients are sent it as it is", ADAPTER_PICTURE_MAX);
        return;
    }
    h->picture_media = media_of(picture);
    if (!h->picture_media.n) {
        conf_fail(report, path, "the avatar is no picture: PNG, JPEG, GIF and WebP are known");
        return;
    }
    h->picture = picture;
    h->cls = class_of(&h->arena, picture);
}
