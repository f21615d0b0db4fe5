/* Looking for the upload service.
 *
 * Happy path: the items of the domain above -> each, and that domain itself, is asked what it does, all at once -> the
 * first that offers uploads is it. One that is named in the configuration is asked alone. Failures: none offers it, or
 * none answers: said, and tried again after a minute, or when the link is up again. */
#include "app/uploads_private.h"

#include "base/mem.h"

static void replace(char **text, struct str by)
{
    mem_free(*text);
    *text = by.n ? mem_dup(by.p, by.n) : NULL;
}

void uploads_blame(struct uploads *u, struct str why)
{
    replace(&u->why, why);
}

const char *uploads_service(const struct uploads *u)
{
    return u->service ? u->service : "the upload service";
}

static void drop_candidates(struct uploads *u)
{
    u->host.unask(u->ud, u);
    for (size_t i = 0; i < u->candidate_count; i++) {
        u->host.unask(u->ud, &u->candidates[i]);
        mem_free(u->candidates[i].jid);
    }
    u->candidate_count = u->unanswered = 0;
}

void uploads_lose(struct uploads *u)
{
    drop_candidates(u);
    replace(&u->service, STR_NONE);
    u->state = SERVICE_UNKNOWN;
}

void uploads_find_finish(struct uploads *u)
{
    drop_candidates(u);
    mem_free(u->service);
    mem_free(u->why);
}

static void found_none(struct uploads *u, struct str text)
{
    struct arena a;
    struct str parent = jid_parent(str_c(u->domain));
    arena_init(&a, 512);
    drop_candidates(u);
    u->state = SERVICE_NONE;
    u->find_at = u->host.now(u->ud) + UPLOADS_FIND_MS;
    if (u->wanted)
        uploads_blame(u, arena_printf(&a, "the upload service %s does not offer uploads%s" STR_FMT, u->wanted,
                                      text.n ? ": " : "", STR_ARG(text)));
    else
        uploads_blame(u, arena_printf(&a,
                                      "no upload service was found at " STR_FMT
                                      ": load mod_http_file_share (Prosody) or mod_http_upload (ejabberd), or name the "
                                      "service by `upload.service` of the component",
                                      STR_ARG(parent)));
    arena_finish(&a);
    u->host.changed(u->ud);
}

static void found(struct uploads *u, struct str service, uint64_t max)
{
    replace(&u->service, service);
    u->max = max;
    u->state = SERVICE_FOUND;
    if (u->told == UPLOAD_NOWHERE) {
        u->told = UPLOAD_FAILURES;
        uploads_blame(u, STR_NONE);
    }
    log_info(u->log, LOG_MSG("upload service found"), LOG_S("service", service));
    drop_candidates(u);
    u->host.changed(u->ud);
}

static void put_info(struct xml_writer *w, void *ud)
{
    (void)ud;
    upload_put_info(w);
}

static void put_items(struct xml_writer *w, void *ud)
{
    (void)ud;
    upload_put_items(w);
}

static void on_info(void *ud, enum err e, struct str text, const struct xml_node *iq)
{
    struct upload_candidate *c = ud;
    struct uploads *u = c->uploads;
    struct upload_info info = {.offered = false};
    u->unanswered--;
    if (!e)
        upload_read_info(iq, &info);
    if (info.offered)
        found(u, str_c(c->jid), info.max);
    else if (!u->unanswered)
        found_none(u, text.n ? text : str_c(e ? err_text(e) : ""));
}

static void add_candidate(struct uploads *u, struct str jid)
{
    for (size_t i = 0; i < u->candidate_count; i++) {
        if (str_eq_c(jid, u->candidates[i].jid))
            return;
    }
    if (str_eq_c(jid, u->domain) || u->candidate_count == UPLOAD_ITEMS + 1)
        return;
    u->candidates[u->candidate_count++] = (struct upload_candidate){u, mem_dup(jid.p, jid.n)};
}

static void ask_candidates(struct uploads *u)
{
    size_t asked = 0;
    u->state = SERVICE_FINDING;
    for (size_t i = 0; i < u->candidate_count; i++) {
        struct gateway_request r = {.to = str_c(u->candidates[i].jid), .type = "get", .timeout = UPLOADS_ASK_MS};
        r.payload = put_info;
        r.answer = on_info;
        r.ud = &u->candidates[i];
        if (!u->host.ask(u->ud, &r))
            asked++;
    }
    u->unanswered = asked;
    if (!asked)
        found_none(u, STR("it could not be asked"));
}

static void on_items(void *ud, enum err e, struct str text, const struct xml_node *iq)
{
    struct uploads *u = ud;
    struct str items[UPLOAD_ITEMS];
    size_t n = e ? 0 : upload_read_items(iq, items);
    (void)text;
    add_candidate(u, jid_parent(str_c(u->domain)));
    for (size_t i = 0; i < n; i++)
        add_candidate(u, items[i]);
    ask_candidates(u);
}

void uploads_find(struct uploads *u)
{
    struct gateway_request r = {.to = jid_parent(str_c(u->domain)), .type = "get", .timeout = UPLOADS_ASK_MS};
    r.payload = put_items;
    r.answer = on_items;
    r.ud = u;
    uploads_lose(u);
    if (u->wanted) {
        add_candidate(u, str_c(u->wanted));
        ask_candidates(u);
        return;
    }
    u->state = SERVICE_ITEMS;
    if (!r.to.n || u->host.ask(u->ud, &r))
        found_none(u, STR_NONE);
}
