#include "scenario/faults.h"

#include "scenario/broker.h"

static void cut_stream(struct world *w)
{
    world_xmpp_cut(w, STR_NONE);
    world_pass(w, 10000);
}

static void begin_losing(struct world *w)
{
    world_xmpp_lose(w, true);
}

static void end_losing(struct world *w)
{
    world_xmpp_cut(w, STR_NONE);
    world_xmpp_lose(w, false);
    world_pass(w, 10000);
}

static void begin_deafness(struct world *w)
{
    world_xmpp_deaf(w, true);
}

static void end_deafness(struct world *w)
{
    world_xmpp_deaf(w, false);
    world_pass(w, 10000);
}

static void begin_fullness(struct world *w)
{
    world_xmpp_full(w, true);
}

static void end_fullness(struct world *w)
{
    world_xmpp_full(w, false);
    world_pass(w, 10000);
}

static void cut_broker(struct world *w)
{
    world_mqtt_up(w, false);
    world_pass(w, 2000);
    world_mqtt_up(w, true);
}

static void begin_refusal(struct world *w)
{
    (void)w;
    broker_refuse(world_broker(), true);
}

static void end_refusal(struct world *w)
{
    (void)w;
    broker_refuse(world_broker(), false);
}

static void kill_bridge(struct world *w)
{
    world_restart(w);
    world_pass(w, 10000);
}

static void begin_delay(struct world *w)
{
    world_hold_commits(w, true);
}

static void kill_undurable(struct world *w)
{
    world_restart(w);
    world_hold_commits(w, false);
    world_pass(w, 10000);
}

static void all_down(struct world *w)
{
    world_xmpp_accept(w, STR_NONE, false);
    world_mqtt_up(w, false);
    world_pass(w, 20000);
    world_mqtt_up(w, true);
    world_xmpp_accept(w, STR_NONE, true);
    world_pass(w, 10000);
}

static void stall(struct world *w)
{
    world_jump(w, 600 * 1000, 0);
}

static void set_clock_back(struct world *w)
{
    world_jump(w, 0, -86400 * 1000);
}

static void set_clock_ahead(struct world *w)
{
    world_jump(w, 0, 86400 * 1000);
}

const struct fault faults[] = {
    {"stream cut before", 0, cut_stream, NULL},
    {"answers lost at", FAULT_LOSSY, begin_losing, end_losing},
    {"server deaf at", FAULT_LOSSY, begin_deafness, end_deafness},
    {"output full at", FAULT_LOSSY, begin_fullness, end_fullness},
    {"broker cut before", 0, cut_broker, NULL},
    {"publish refused at", 0, begin_refusal, end_refusal},
    {"killed before", 0, kill_bridge, NULL},
    {"killed undurable at", FAULT_DURABLE, begin_delay, kill_undurable},
    {"commits late from", 0, world_commit_late, NULL},
    {"all down before", 0, all_down, NULL},
    {"stalled before", 0, stall, NULL},
    {"clock set back before", 0, set_clock_back, NULL},
    {"clock set ahead before", 0, set_clock_ahead, NULL},
    {NULL, 0, NULL, NULL},
};
