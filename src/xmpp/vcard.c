#include "text/hash.h"
#include "xmpp/iq_handlers.h"
#include "xmpp/ns.h"

static struct str join(struct arena *a, struct str s, struct str label, struct str text)
{
    if (!text.n)
        return s;
    const struct str parts[] = {s, s.n ? STR("\n") : STR_NONE, label, text};
    return arena_concat(a, parts, sizeof parts / sizeof *parts);
}

// What people want to know and vcard-temp has no place for.
static struct str describe(struct arena *a, const struct description *d)
{
    struct str s = join(a, STR_NONE, STR("Model: "), d->model);
    s = join(a, s, STR("Manufacturer: "), d->manufacturer);
    s = join(a, s, STR("Version: "), d->version);
    s = join(a, s, STR("Serial: "), d->serial);
    return join(a, s, STR_NONE, d->note);
}

static void put_photo(struct xml_writer *w, struct arena *a, const struct avatar *avatar)
{
    xml_open(w, "PHOTO");
    xml_leaf(w, "TYPE", avatar->mime);
    xml_leaf(w, "BINVAL", hash_base64(a, (const uint8_t *)avatar->bytes.p, avatar->bytes.n));
    xml_shut(w);
}

static void put_area(struct xml_writer *w, struct str area)
{
    if (!area.n)
        return;
    xml_open(w, "CATEGORIES");
    xml_leaf(w, "KEYWORD", area);
    xml_shut(w);
}

static void put_contact(const struct iq *iq, struct xml_writer *w)
{
    const struct gateway *g = iq->s->g;
    struct description d;
    if (g->host->describe(g->ud, &iq->view, &d))
        d = (struct description){0};
    iq_leaf(w, "URL", d.url);
    iq_leaf(w, "DESC", describe(iq->s->arena, &d));
    put_area(w, d.area.n ? d.area : iq->view.group);
    if (iq->target == IQ_CONTACT)
        put_photo(w, iq->s->arena, g->host->avatar(g->ud, iq->view.cls));
}

void vcard_get(const struct iq *iq)
{
    struct xml_writer w;
    iq_open(iq, &w);
    xml_open_ns(&w, "vCard", NS_VCARD);
    iq_leaf(&w, "FN", iq_name(iq));
    iq_leaf(&w, "NICKNAME", iq_name(iq));
    if (iq->target != IQ_COMPONENT)
        put_contact(iq, &w);
    xml_shut(&w);
    iq_close(iq, &w);
}

// Nobody sets the vCard of another.
void vcard_set(const struct iq *iq)
{
    iq_refuse(iq, ERR_FORBIDDEN);
}
