#include "app/avatars.h"

#include "app/icons.h"

// Home Assistant device classes and the like that share an icon with another.
static const struct {
    const char *cls, *icon;
} aliases[] = {
    {"button", "button"},   {"carbon_monoxide", "smoke"}, {"climate", "climate"},  {"cold", "temperature"},
    {"contact", "opening"}, {"current", "power"},         {"door", "opening"},     {"energy", "power"},
    {"gas", "smoke"},       {"garage_door", "opening"},   {"heat", "temperature"}, {"moisture", "humidity"},
    {"moving", "motion"},   {"occupancy", "motion"},      {"outlet", "switch"},    {"plug", "switch"},
    {"presence", "motion"}, {"thermostat", "climate"},    {"vibration", "motion"}, {"voltage", "power"},
    {"window", "opening"},
};

static const struct icon *icon_named(struct str name)
{
    for (const struct icon *i = icons; i->name; i++) {
        if (str_eq_c(name, i->name))
            return i;
    }
    return NULL;
}

static const struct icon *icon_of(struct str cls)
{
    const struct icon *icon = icon_named(cls);
    for (size_t i = 0; !icon && i < sizeof aliases / sizeof *aliases; i++) {
        if (str_eq_c(cls, aliases[i].cls))
            icon = icon_named(str_c(aliases[i].icon));
    }
    return icon ? icon : icon_named(STR("default"));
}

const struct avatar *avatars_find(struct str cls)
{
    return &icon_of(cls)->avatar;
}
