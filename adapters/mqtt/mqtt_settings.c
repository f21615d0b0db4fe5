#include "adapters/mqtt/mqtt_settings.h"

#include "base/mem.h"

static char *dup_or_null(const char *cstr)
{
    return cstr ? mem_dup(cstr, strlen(cstr)) : NULL;
}

static void free_const(const char *owned)
{
    mem_free((char *)(uintptr_t)owned);
}

void mqtt_settings_copy(struct mqtt_link_config *to, const struct mqtt_link_config *from)
{
    *to = *from;
    to->host = dup_or_null(from->host);
    to->client_id = dup_or_null(from->client_id);
    to->username = dup_or_null(from->username);
    to->password = dup_or_null(from->password);
    to->ca_file = dup_or_null(from->ca_file);
    to->cert_file = dup_or_null(from->cert_file);
    to->key_file = dup_or_null(from->key_file);
    to->tls_name = dup_or_null(from->tls_name);
    to->birth_topic = dup_or_null(from->birth_topic);
    to->birth_payload = dup_or_null(from->birth_payload);
    to->will_payload = dup_or_null(from->will_payload);
}

void mqtt_settings_finish(struct mqtt_link_config *cfg)
{
    if (cfg->password)
        mem_wipe((char *)(uintptr_t)cfg->password, strlen(cfg->password));
    const char *const strings[] = {cfg->host,        cfg->client_id,     cfg->username,    cfg->password,
                                   cfg->ca_file,     cfg->cert_file,     cfg->key_file,    cfg->tls_name,
                                   cfg->birth_topic, cfg->birth_payload, cfg->will_payload};
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
        free_const(strings[i]);
    *cfg = (struct mqtt_link_config){0};
}

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_tls(const struct mqtt_link_config *a, const struct mqtt_link_config *b)
{
    return a->tls == b->tls && a->tls_insecure == b->tls_insecure && same(a->ca_file, b->ca_file) &&
           same(a->cert_file, b->cert_file) && same(a->key_file, b->key_file) && same(a->tls_name, b->tls_name);
}

static bool same_numbers(const struct mqtt_link_config *a, const struct mqtt_link_config *b)
{
    return a->port == b->port && a->protocol == b->protocol && a->connect_ms == b->connect_ms &&
           a->keepalive_s == b->keepalive_s && a->session_expiry_s == b->session_expiry_s &&
           a->receive_maximum == b->receive_maximum && a->packet_maximum == b->packet_maximum;
}

bool mqtt_settings_equal(const struct mqtt_link_config *a, const struct mqtt_link_config *b)
{
    return same_numbers(a, b) && same_tls(a, b) && same(a->host, b->host) && same(a->client_id, b->client_id) &&
           same(a->username, b->username) && same(a->password, b->password) && same(a->birth_topic, b->birth_topic) &&
           same(a->birth_payload, b->birth_payload) && same(a->will_payload, b->will_payload);
}
