/* The schema of the configuration file, joined from the tables of the layers and adapters. */
#ifndef SPANDREL_APP_CONF_H
#define SPANDREL_APP_CONF_H

#include "adapters/adapter.h"

extern const struct conf_item app_schema[];
// The same file with nothing looked at but what app_conf_control() needs: no secret is read.
extern const struct conf_item app_control_schema[];

// The adapter types this program was built with, ended by NULL.
extern const struct adapter_ops *const app_adapters[];
// NULL when there is none of that type.
const struct adapter_ops *app_adapter_find(struct str type);

// Applies the `log` section to the logger.
void app_conf_log(const struct conf_value *config);

// Checks what no single value shows: an adapter's `component` exists, domains are distinct, rules and groups parse.
// Errors go to the report.
void app_conf_check(const struct conf_value *config, struct conf_report *report);

// The section of the component an adapter is bound to: the named one, or the only one. NULL when neither.
const struct conf_value *app_conf_component(const struct conf_value *config, const struct conf_value *adapter);

// Path of the control socket: `control.socket`, or `control` in the state directory.
const char *app_conf_control(const struct conf_value *config, struct arena *a);

#endif
