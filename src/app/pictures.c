#include "app/pictures.h"

#include "base/mem.h"
#include "text/hash.h"

struct picture {
    struct avatar avatar;
    struct str cls;
    char sha1[40];
    char bytes[];
};

void pictures_init(struct pictures *p)
{
    map_init(&p->by_class);
}

void pictures_finish(struct pictures *p)
{
    size_t at = 0;
    struct str key;
    void *value;
    while (map_next(&p->by_class, &at, &key, &value))
        mem_free(value);
    map_finish(&p->by_class);
}

static void sum(struct picture *one, struct str bytes)
{
    struct arena a;
    uint8_t digest[20];
    arena_init(&a, 64);
    hash_sha1(bytes, digest);
    memcpy(one->sha1, hash_hex(&a, digest, sizeof digest).p, sizeof one->sha1);
    arena_finish(&a);
}

enum err pictures_add(struct pictures *p, struct str cls, struct str media, struct str bytes)
{
    if (map_get(&p->by_class, cls))
        return ERR_OK;
    if (p->by_class.count >= PICTURES_MAX)
        return ERR_LIMIT;
    struct picture *one = mem_alloc(sizeof *one + cls.n + media.n + bytes.n);
    char *to = one->bytes;
    one->cls = str_keep(&to, cls);
    one->avatar.mime = str_keep(&to, media);
    one->avatar.bytes = str_keep(&to, bytes);
    sum(one, bytes);
    one->avatar.sha1 = (struct str){one->sha1, sizeof one->sha1};
    (void)map_put(&p->by_class, one->cls, one);
    return ERR_OK;
}

const struct avatar *pictures_find(const struct pictures *p, struct str cls)
{
    const struct picture *one = map_get(&p->by_class, cls);
    return one ? &one->avatar : NULL;
}
