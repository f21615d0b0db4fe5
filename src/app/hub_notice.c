/* Notices to the admins, over the component link that they are about. One that comes while the link is down is kept,
 * and said with all others in one message when it is up again; so an outage of the link itself makes one. */
#include "app/hub_private.h"

#include "base/clock.h"

static void tell_admin(struct hub_link *l, const char *admin, struct str text)
{
    struct event ev = {.kind = EV_MESSAGE, .component = l->number, .type = MESSAGE_CHAT, .body = text};
    struct arena a;
    arena_init(&a, 512);
    if (!jid_parse(&a, str_c(admin), &ev.user) && !jid_parse(&a, str_c(l->domain), &ev.to)) {
        hub_stamp(l->hub, &ev);
        hub_link_send(l, &ev);
    }
    arena_finish(&a);
}

static void tell(struct hub_link *l, struct str text)
{
    for (size_t i = 0; i < l->hub->admin_count; i++)
        tell_admin(l, l->hub->admins[i], text);
}

void hub_notice_keep(struct hub_link *l, struct str text)
{
    if (l->notices.n)
        strbuf_char(&l->notices, '\n');
    strbuf_str(&l->notices, text); // what is too much is in the log
}

void hub_notice(struct hub_link *l, enum log_level level, struct str text)
{
    log_at(level, &l->log, LOG_MSG("notice"), LOG_S("text", text));
    if (component_state(l->component) == COMPONENT_UP)
        tell(l, text);
    else
        hub_notice_keep(l, text);
}

void hub_notice_kept(struct hub_link *l)
{
    struct arena a;
    arena_init(&a, 4096);
    struct str text = strbuf_view(&l->notices);
    if (l->outage) {
        struct str span = clock_span(&a, l->hub->host->now(l->hub->ud) - l->lost);
        text = arena_printf(&a, "The link of %s was down for " STR_FMT ":\n" STR_FMT, l->domain, STR_ARG(span),
                            STR_ARG(text));
    }
    if (text.n)
        tell(l, text);
    l->outage = false;
    strbuf_clear(&l->notices);
    arena_finish(&a);
}
