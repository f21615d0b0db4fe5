#include "net/http_fault.h"

static const struct {
    int status;
    const char *text;
} faults[] = {
#define HTTP_FAULT_ROW(name, status, text) {status, text},
    HTTP_FAULT_LIST(HTTP_FAULT_ROW)
#undef HTTP_FAULT_ROW
};

int http_fault_status(enum http_fault f)
{
    return faults[f].status;
}

const char *http_fault_text(enum http_fault f)
{
    return faults[f].text;
}
