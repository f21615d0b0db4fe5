/* Any bytes as a configuration file: it is taken or it is refused with a place, and what is taken can be walked. */
#include "unit/conf/conf_fixture.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t walk(const struct conf_value *v)
{
    size_t at = 0, n = conf_str(v).n + conf_name(v).n;
    for (const struct conf_value *member; (member = conf_each(v, &at));)
        n += walk(member);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conf_report *r = conf_report_create();
    struct conf_value *root = conf_parse((struct str){(const char *)data, size}, "fuzz.yaml", fixture_schema, r);
    if ((root != NULL) != (conf_errors(r) == 0))
        __builtin_trap();
    if (root && (walk(root) == 0 || !conf_equal(root, root)))
        __builtin_trap();
    if ((conf_report_text(r).n > 0) != (conf_errors(r) + conf_warnings(r) > 0))
        __builtin_trap();
    conf_destroy(root);
    conf_report_destroy(r);
    return 0;
}
