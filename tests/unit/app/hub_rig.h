/* A hub with null adapters and the store in memory, whose only component link a pretended server holds by hand. */
#ifndef HUB_RIG_H
#define HUB_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/app_conf.h"
#include "app/hub.h"
#include "base/mem.h"

#define RIG_HEADER                                                                                                     \
    "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' "                                             \
    "xmlns:stream='http://etherx.jabber.org/streams' id='abc' from='bridge.example'><handshake/>"
#define RIG_MAIN                                                                                                       \
    "components:\n  main: {domain: bridge.example, server: 10.0.0.1, secret: s}\n"                                     \
    "admins: [admin@example.org]\n"

struct rig {
    struct store *store;
    struct conf_value *config;
    struct hub *hub;
    struct strbuf answer;
    int64_t now;
    bool changed; // the hub has asked for another turn
};

static int64_t rig_now(void *ud)
{
    struct rig *r = ud;
    return r->now;
}

static int64_t rig_wall(void *ud)
{
    struct rig *r = ud;
    return INT64_C(1795000000000) + r->now;
}

static struct loop *rig_loop(void *ud)
{
    (void)ud;
    return NULL;
}

static struct http *rig_http(void *ud)
{
    (void)ud;
    return NULL;
}

static void rig_changed(void *ud)
{
    struct rig *r = ud;
    r->changed = true;
}

static struct conf_value *rig_read(const char *yaml, struct conf_report *report)
{
    struct conf_value *config = conf_parse(str_c(yaml), "test", app_schema, report);
    if (config)
        app_conf_check(config, report);
    assert_string_equal(conf_errors(report) ? conf_report_text(report).p : "", "");
    return config;
}

static void rig_work(struct rig *r)
{
    for (int i = 0; i < 8; i++) { // what one turn begins the next ones end
        assert_int_equal(store_flush(r->store), ERR_OK);
        hub_work(r->hub);
    }
}

static void rig_init(struct rig *r, const char *yaml)
{
    static const struct hub_host host = {rig_now, rig_wall, rig_loop, rig_http, rig_changed, NULL};
    struct conf_report *report = conf_report_create();
    *r = (struct rig){.now = 1000};
    strbuf_init(&r->answer, 1 << 20);
    r->store = store_open_memory();
    r->config = rig_read(yaml, report);
    r->hub = hub_create(r->config, r->store, &host, r, NULL, report);
    assert_non_null(r->hub);
    conf_report_destroy(report);
    hub_start(r->hub);
    rig_work(r);
}

static void rig_finish(struct rig *r)
{
    hub_abandon(r->hub);
    assert_true(hub_adapters_closed(r->hub));
    hub_destroy(r->hub);
    store_close(r->store);
    conf_destroy(r->config);
    strbuf_finish(&r->answer);
}

// Reloads; the text of the errors is in r->answer.
static inline enum err rig_reload(struct rig *r, const char *yaml)
{
    struct conf_report *report = conf_report_create();
    struct conf_value *config = rig_read(yaml, report);
    enum err e = hub_reload(r->hub, config, report);
    strbuf_clear(&r->answer);
    strbuf_str(&r->answer, conf_report_text(report));
    strbuf_c(&r->answer, "");
    assert_int_equal(e != ERR_OK, conf_errors(report) > 0);
    conf_destroy(e ? config : r->config);
    r->config = e ? r->config : config;
    conf_report_destroy(report);
    rig_work(r);
    return e;
}

static inline bool rig_has(const struct rig *r, const char *what)
{
    return r->answer.p && strstr(r->answer.p, what);
}

static inline void rig_ask(struct rig *r, const char *line)
{
    strbuf_clear(&r->answer);
    (void)hub_operate(r->hub, str_c(line), false, &r->answer);
    strbuf_c(&r->answer, "");
    rig_work(r);
}

static inline unsigned rig_count(const struct rig *r, const char *what)
{
    unsigned n = 0;
    for (const char *at = r->answer.p ? r->answer.p : ""; (at = strstr(at, what)); at++)
        n++;
    return n;
}

/* The server's side of the component link. */

static inline struct component *rig_link(struct rig *r)
{
    return hub_component(r->hub, 0);
}

static inline void rig_feed(struct rig *r, const char *bytes)
{
    component_feed(rig_link(r), str_c(bytes), r->now);
    rig_work(r);
}

static inline void rig_connect(struct rig *r)
{
    assert_true(component_wants_connect(rig_link(r)));
    component_dialled(rig_link(r), r->now);
    component_opened(rig_link(r), r->now);
    rig_feed(r, RIG_HEADER);
    assert_int_equal(component_state(rig_link(r)), COMPONENT_UP);
}

// The server goes away, and is there again after that time.
static inline void rig_outage(struct rig *r, int64_t ms)
{
    component_closed(rig_link(r), ERR_CLOSED, "reset", r->now);
    rig_work(r);
    r->now += ms;
    component_tick(rig_link(r), r->now);
}

// Takes what the bridge has said; r->answer holds it.
static inline void rig_listen(struct rig *r)
{
    strbuf_clear(&r->answer);
    strbuf_str(&r->answer, strbuf_view(component_output(rig_link(r))));
    strbuf_c(&r->answer, "");
    strbuf_clear(component_output(rig_link(r)));
}

#endif
