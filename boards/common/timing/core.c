/* Every core model. To add one: a file core-NAME.c, its line in core.h, its line here. */
#include "core.h"

#include <string.h>

static const struct core *const cores[] = {&core_cortex_m0plus, &core_cortex_m3, &core_cortex_m4,
                                          &core_cortex_m7,     &core_cortex_m33, &core_cortex_m55};

const struct core *core_find(const char *name) {
    for (size_t i = 0; i < sizeof cores / sizeof cores[0]; i++)
        if (strcmp(cores[i]->name, name) == 0) return cores[i];
    return NULL;
}
