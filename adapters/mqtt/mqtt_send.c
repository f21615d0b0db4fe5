/* What users say to devices, and how each of it ends.
 *
 * Happy path: words or a form -> a request -> published with expiry, never retained -> confirmed by the state or an
 * answer, or where the device describes neither, taken by the broker -> DELIVERED. Failures, each one FAILED with a
 * text for the user: no right, a word or value that is none, the device offline, our link down or busy, the broker's
 * refusal, silence. */
#include "adapters/mqtt/mqtt_model_private.h"

#include "adapters/mqtt/mqtt_form.h"

#include "base/utf8.h"

static void outcome(struct mqtt_model *m, const struct mqtt_device *d, uint64_t token, enum err e, struct str body)
{
    struct event ev = {.kind = e == ERR_OK ? EV_DELIVERED : EV_FAILED, .now = m->t.now, .wall = m->t.wall};

    if (!token)
        return;
    ev.token = token;
    ev.err = e;
    ev.body = body;
    ev.key = d ? mqtt_device_key(d) : STR_NONE;
    m->host.post(m->ud, &ev);
}

/* Pending commands */

static struct mqtt_device *device_of(struct mqtt_model *m, const struct mqtt_pending *p)
{
    return mqtt_registry_get(&m->registry, p->device);
}

static const struct mqtt_control *control_of(const struct mqtt_device *d, const struct mqtt_pending *p)
{
    return &d->spec->controls[p->control];
}

static void end(struct mqtt_model *m, struct mqtt_pending *p, enum err e, struct str body)
{
    mqtt_pending_done(p, m->t.now, &m->log);
    outcome(m, device_of(m, p), p->token, e, body);
    mqtt_pendings_remove(&m->pending, p);
}

// "power is on"; or, when the device has only accepted that: "level is going to 80 %"
static struct str now_is(struct mqtt_model *m, const struct mqtt_device *d, const struct mqtt_control *c,
                         uint16_t reading)
{
    return arena_printf(&m->scratch, STR_FMT " %s " STR_FMT, STR_ARG(c->name),
                        reading == c->state ? "is" : "is going to",
                        STR_ARG(mqtt_status_reading(d, reading, &m->scratch)));
}

void mqtt_send_heard(struct mqtt_model *m, struct mqtt_device *d, uint16_t reading)
{
    struct mqtt_pending *p = mqtt_pendings_next(&m->pending, NULL), *next;

    for (; p; p = next) {
        next = mqtt_pendings_next(&m->pending, p);
        const struct mqtt_control *c = p->device == d->handle ? control_of(d, p) : NULL;
        if (!c || (c->state != reading && c->target != reading) ||
            !mqtt_command_reached(d, c, reading, str_c(p->wanted), &m->scratch))
            continue;
        mqtt_tell_soon(d);
        end(m, p, ERR_OK, now_is(m, d, c, reading));
    }
}

static struct str taken_text(struct mqtt_model *m, const struct mqtt_pending *p)
{
    return arena_printf(&m->scratch, STR_FMT ": the device has taken it",
                        STR_ARG(control_of(device_of(m, p), p)->name));
}

// To a command of which the asker has been told already that it was sent, or which waits for its state alone.
static void pass_over(struct mqtt_model *m, struct mqtt_pending *p)
{
    mqtt_pending_answered(p);
    if (!p->confirms && p->fsm.state == MQTT_PENDING_TAKEN)
        end(m, p, ERR_OK, STR_NONE);
}

// What the device answers to a request: it will do it, or why not.
static void accepted(struct mqtt_model *m, struct mqtt_pending *p)
{
    const struct mqtt_device *d = device_of(m, p);
    const struct mqtt_control *c = control_of(d, p);
    bool shown = p->shows && mqtt_command_reached(d, c, c->state, str_c(p->wanted), &m->scratch);

    p->accepted = true;
    if (shown)
        end(m, p, ERR_OK, now_is(m, d, c, c->state));
    else if (!p->shows)
        end(m, p, ERR_OK, taken_text(m, p));
}

static void refused(struct mqtt_model *m, struct mqtt_pending *p, const json_t *error)
{
    struct str why = mqtt_value_text(&m->scratch, json_member_str(error, "message"));
    struct str name = control_of(device_of(m, p), p)->name;
    long long code = (long long)json_integer_value(json_object_get(error, "code"));

    end(m, p, ERR_NOTACCEPTABLE,
        why.n ? arena_printf(&m->scratch, STR_FMT ": the device refuses: " STR_FMT, STR_ARG(name), STR_ARG(why))
              : arena_printf(&m->scratch, STR_FMT ": the device refuses (error %lld)", STR_ARG(name), code));
}

// JSON-RPC: the id tells to which command this is the answer.
static bool answered_by_id(struct mqtt_model *m, const struct mqtt_message *msg)
{
    json_t *root = json_read(msg->payload, MQTT_JSON_MAX, NULL);
    struct str id = json_member_str(root, "id");
    const json_t *error = json_object_get(root, "error");
    struct mqtt_pending *p = id.n ? mqtt_pendings_by_reply(&m->pending, msg->topic, id) : NULL;

    if (p && !p->accepted && error && !json_is_null(error))
        refused(m, p, error);
    else if (p && !p->accepted)
        accepted(m, p);
    json_decref(root);
    return p != NULL;
}

bool mqtt_send_answered(struct mqtt_model *m, const struct mqtt_message *msg)
{
    struct mqtt_pending *p = mqtt_pendings_by_reply(&m->pending, msg->topic, msg->correlation);

    if (!p || msg->retain)
        return false;
    if (p->known == MQTT_KNOWN_BY_ID)
        return answered_by_id(m, msg);
    if (!msg->correlation.n && p->known != MQTT_KNOWN_BY_TOPIC) {
        if (p->known == MQTT_KNOWN_NOT)
            pass_over(m, p);
        else
            mqtt_pendings_doubt(&m->pending, msg->topic);
        return true;
    }
    const struct mqtt_control *c = control_of(device_of(m, p), p);
    struct str text = mqtt_value_text(&m->scratch, msg->payload), name = c->name;
    end(m, p, ERR_OK,
        c->terse ? taken_text(m, p)
        : text.n ? arena_printf(&m->scratch, STR_FMT ": " STR_FMT, STR_ARG(name), STR_ARG(text))
                 : arena_printf(&m->scratch, STR_FMT ": done", STR_ARG(name)));
    return true;
}

void mqtt_send_abandon(struct mqtt_model *m, const struct mqtt_device *d, const char *why)
{
    struct mqtt_pending *p;

    while ((p = mqtt_pendings_by_device(&m->pending, d->handle)))
        end(m, p, ERR_UNAVAILABLE, str_c(why));
}

// Without the broker's word it may have got through all the same.
static struct str not_published(struct mqtt_model *m, enum err e, const char *why)
{
    return arena_printf(&m->scratch,
                        e == ERR_OFFLINE ? "the MQTT link was lost (%s); it is not known whether this was done"
                                         : "the broker did not take it: %s",
                        why);
}

static struct str sent_text(struct mqtt_model *m, const struct mqtt_pending *p)
{
    const char *but = !p->unsure    ? "this device does not confirm"
                      : p->confirms ? "its answer cannot be told from others"
                                    : "over MQTT 3.1.1 its answer cannot be told from others";

    return arena_printf(&m->scratch, STR_FMT ": sent; %s", STR_ARG(control_of(device_of(m, p), p)->name), but);
}

// All that will be known of it.
static void sent(struct mqtt_model *m, struct mqtt_pending *p)
{
    outcome(m, device_of(m, p), p->token, ERR_OK, sent_text(m, p));
    p->token = 0;
    mqtt_pending_taken(&m->pending, p, m->t.now, &m->log);
    if (!p->reply)
        mqtt_pendings_remove(&m->pending, p);
}

void mqtt_model_published(struct mqtt_model *m, uint64_t token, enum err e, const char *why, int64_t now, int64_t wall)
{
    mqtt_model_enter(m, now, wall);
    struct mqtt_pending *p = mqtt_pendings_by_id(&m->pending, token);
    if (!p)
        return; // the echo was faster
    if (e != ERR_OK) {
        end(m, p, e, not_published(m, e, why ? why : err_text(e)));
    } else if (p->confirms) {
        if (p->fsm.state == MQTT_PENDING_SENT)
            mqtt_pending_taken(&m->pending, p, now, &m->log);
    } else {
        sent(m, p);
    }
}

static struct str silence(struct mqtt_model *m, const struct mqtt_pending *p)
{
    const struct mqtt_device *d = device_of(m, p);
    const struct mqtt_control *c = control_of(d, p);

    if (!p->confirms)
        return STR("the broker has not taken it within 30 s");
    if (c->state == MQTT_NO_READING || mqtt_status_value(d, c->state, &m->scratch).n == 0)
        return STR("no confirmation from the device in 5 s");
    return arena_printf(&m->scratch, "no confirmation from the device in 5 s; as far as is known " STR_FMT,
                        STR_ARG(now_is(m, d, c, c->state)));
}

// The broker took it, and something was answered.
static bool answered_perhaps(const struct mqtt_pending *p)
{
    return p->unsure && p->confirms && !p->shows && p->fsm.state == MQTT_PENDING_TAKEN;
}

void mqtt_send_tick(struct mqtt_model *m)
{
    struct mqtt_pending *p;

    while ((p = mqtt_pendings_due(&m->pending, m->t.now))) {
        if (p->accepted)
            end(m, p, ERR_OK, taken_text(m, p));
        else if (answered_perhaps(p))
            end(m, p, ERR_OK, sent_text(m, p));
        else
            end(m, p, ERR_TIMEOUT, silence(m, p));
    }
}

/* Requests */

struct asked { // by one event
    struct mqtt_device *device;
    const struct event *ev;
    struct mqtt_request request;
    struct errmsg msg;
};

// The first "{id}" is the request's own: it stands before what a user has said.
static struct str with_id(struct mqtt_model *m, struct str payload, const struct mqtt_pending *p)
{
    static const struct str mark = {"{id}", 4};
    ptrdiff_t at = str_find_str(payload, mark);

    if (at < 0)
        return payload;
    return arena_concat(&m->scratch,
                        (const struct str[]){str_sub(payload, 0, (size_t)at), str_c(p->correlation),
                                             str_sub(payload, (size_t)at + mark.n, payload.n)},
                        3);
}

static enum err publish(struct mqtt_model *m, struct asked *q, struct mqtt_pending *p)
{
    const struct mqtt_control *c = q->request.control;
    struct mqtt_captures captures;

    mqtt_device_captures(q->device, &captures);
    struct mqtt_publish out = {
        .topic = mqtt_pattern_topic(&m->scratch, &c->topic, &captures),
        .payload = c->rpc ? with_id(m, q->request.payload, p) : q->request.payload,
        .qos = c->qos,
        .retain = false,
        .expiry_s = MQTT_COMMAND_EXPIRY,
        .response_topic = c->rpc ? STR_NONE : str_c(p->reply),
        .correlation = p->reply && !c->rpc ? str_c(p->correlation) : STR_NONE,
        .token = p->id,
    };
    return m->host.publish(m->ud, &out);
}

// By what its answer can be known as such. Without a correlation (the device or our link speaks MQTT 3.1.1) it must
// come to a topic that is the device's alone, as of one that answers there whether it is asked to or not, and no other
// may be awaited there. That our link correlates says nothing about the device.
static enum mqtt_known known_by(struct mqtt_model *m, const struct asked *q, struct str reply)
{
    const struct mqtt_control *c = q->request.control;

    if (c->rpc)
        return MQTT_KNOWN_BY_ID;
    if ((q->device->spec->captures & ~c->response.captures) == 0 &&
        !mqtt_pendings_by_reply(&m->pending, reply, STR_NONE))
        return MQTT_KNOWN_BY_TOPIC;
    return m->correlates ? MQTT_KNOWN_BY_CORRELATION : MQTT_KNOWN_NOT;
}

static enum err command(struct mqtt_model *m, struct asked *q)
{
    const struct mqtt_control *c = q->request.control;
    struct mqtt_captures captures;

    mqtt_device_captures(q->device, &captures);
    struct str reply = mqtt_pattern_topic(&m->scratch, &c->response, &captures);
    enum mqtt_known known = known_by(m, q, reply);
    struct mqtt_pending *p = mqtt_pendings_add(&m->pending, q->device, &q->request, reply, known, m->t.now);
    if (!p)
        return err_set(&q->msg, ERR_AGAIN, "too many commands are on their way");
    p->token = q->ev->token;
    enum err e = publish(m, q, p);
    if (e == ERR_OK)
        return ERR_OK;
    mqtt_pending_done(p, m->t.now, &m->log);
    mqtt_pendings_remove(&m->pending, p);
    if (e == ERR_OFFLINE)
        return err_set(&q->msg, e, "the MQTT link is down; nothing was sent");
    return err_set(&q->msg, e, "it could not be sent: %s", err_text(e));
}

static enum err request_set(struct mqtt_model *m, struct asked *q)
{
    const struct mqtt_device *d = q->device;

    if (!(q->ev->rights & RIGHT_COMMAND))
        return err_set(&q->msg, ERR_FORBIDDEN, "you may not set anything here");
    if (mqtt_presence_offline(mqtt_availability_sum(d)) || mqtt_verdict_offline(d->said)) {
        enum mqtt_verdict v = mqtt_verdict_offline(d->said) ? d->said : MQTT_VERDICT_LOST;
        return err_set(&q->msg, ERR_OFFLINE, STR_FMT " is offline (" STR_FMT "); nothing was sent",
                       STR_ARG(mqtt_device_name(d, &m->scratch)), STR_ARG(mqtt_status_words(d, v, &m->t, &m->scratch)));
    }
    return command(m, q);
}

// Values, which who may only write to it is not told, by form or by words.
static enum err may_read(struct asked *q)
{
    return q->ev->rights & RIGHT_READ ? ERR_OK : err_set(&q->msg, ERR_FORBIDDEN, "you may not read anything here");
}

static enum err request_get(struct mqtt_model *m, struct asked *q)
{
    const struct mqtt_reading *r = &q->device->spec->readings[q->request.reading];
    struct str value = mqtt_status_reading(q->device, q->request.reading, &m->scratch);
    enum err e = may_read(q);

    if (e != ERR_OK)
        return e;
    if (value.n == 0)
        return err_set(&q->msg, ERR_NOTFOUND, STR_FMT " has no value yet", STR_ARG(r->name));
    outcome(m, q->device, q->ev->token, ERR_OK,
            arena_printf(&m->scratch, STR_FMT ": " STR_FMT, STR_ARG(r->name), STR_ARG(value)));
    return ERR_OK;
}

// The last one, by the way that files take.
static enum err request_file(struct mqtt_model *m, struct asked *q)
{
    const struct mqtt_file *file = q->request.file;
    const struct mqtt_stored *e = mqtt_files_find(&m->files, q->device->handle, file->name);
    struct event ev = {.kind = EV_DELIVERED, .now = m->t.now, .wall = m->t.wall, .token = q->ev->token};
    enum err err = may_read(q);

    if (err != ERR_OK)
        return err;
    if (!e || e->n == 0)
        return err_set(&q->msg, ERR_NOTFOUND, STR_FMT " has not come yet", STR_ARG(file->name));
    mqtt_picture_fill(m, file, e, &ev);
    ev.key = mqtt_device_key(q->device);
    ev.user = q->ev->user;
    if (ev.token)
        m->host.post(m->ud, &ev);
    return ERR_OK;
}

static enum err request_status(struct mqtt_model *m, struct asked *q)
{
    enum err e = may_read(q);

    if (e != ERR_OK)
        return e;
    outcome(m, q->device, q->ev->token, ERR_OK, mqtt_status_full(q->device, &m->t, &m->scratch));
    return ERR_OK;
}

static enum err request_help(struct mqtt_model *m, struct asked *q)
{
    outcome(m, q->device, q->ev->token, ERR_OK,
            mqtt_command_help(q->device, (q->ev->rights & RIGHT_COMMAND) != 0, &m->scratch));
    return ERR_OK;
}

static enum err understand(struct mqtt_model *m, struct asked *q)
{
    if (!(q->ev->rights & (RIGHT_SEND | RIGHT_READ | RIGHT_COMMAND)))
        return err_set(&q->msg, ERR_FORBIDDEN, "you may not ask anything here");
    if (q->ev->kind == EV_COMMAND)
        return mqtt_form_parse(q->device, q->ev, &m->scratch, &q->request, &q->msg);
    return mqtt_command_parse(q->device, q->ev->body, &m->scratch, &q->request, &q->msg);
}

enum err mqtt_model_send(struct mqtt_model *m, const struct event *ev)
{
    static enum err (*const requests[])(struct mqtt_model *, struct asked *) = {
        [MQTT_REQUEST_HELP] = request_help, [MQTT_REQUEST_STATUS] = request_status, [MQTT_REQUEST_GET] = request_get,
        [MQTT_REQUEST_FILE] = request_file, [MQTT_REQUEST_SET] = request_set,
    };
    struct asked q = {.ev = ev};

    if (ev->kind != EV_MESSAGE && ev->kind != EV_COMMAND)
        return ev->kind == EV_TYPING ? ERR_OK : ERR_UNSUPPORTED;
    mqtt_model_enter(m, ev->now, ev->wall);
    q.device = mqtt_registry_find(&m->registry, ev->key);
    if (!q.device)
        return ERR_NOTFOUND;
    enum err e = understand(m, &q);
    if (e == ERR_OK)
        e = requests[q.request.kind](m, &q);
    if (e == ERR_AGAIN)
        return e;
    if (e != ERR_OK)
        outcome(m, q.device, ev->token, e, str_c(q.msg.text));
    return ERR_OK;
}
