/* See config.h. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One line while it is read: `why` says what is wrong with it. */
struct line {
    const char *why;
    char *rest;
};

static char *word(struct line *l) { return strtok_r(NULL, " \t\n", &l->rest); }

static bool number(struct line *l, const char *text, uint32_t *value) {
    char *end = NULL;
    errno = 0;
    const unsigned long long n = text == NULL ? 0ull : strtoull(text, &end, 0);
    if (text == NULL || end == text || *end != '\0' || errno != 0 || n > 0xffffffffull || text[0] == '-') {
        l->why = "a number is missing, not a number or too large";
        return false;
    }
    *value = (uint32_t)n;
    return true;
}

static bool copy_name(struct line *l, char *to, size_t bytes) {
    const char *const name = word(l);
    if (name == NULL || strlen(name) >= bytes) {
        l->why = "a name is missing or too long";
        return false;
    }
    strcpy(to, name);
    return true;
}

static bool cache_writes(struct line *l, struct cache *c, const char *value) {
    if (strcmp(value, "none") == 0) c->writes = CACHE_READ_ONLY;
    else if (strcmp(value, "through") == 0) c->writes = CACHE_WRITE_THROUGH;
    else if (strcmp(value, "back") == 0) c->writes = CACHE_WRITE_BACK;
    else l->why = "writes is none, through or back";
    return l->why == NULL;
}

static bool cache_key(struct line *l, struct cache *c, const char *key, const char *value) {
    const struct {
        const char *key;
        uint32_t *to;
    } numbers[] = {
        {"lines", &c->lines}, {"ways", &c->ways}, {"line-bytes", &c->line_bytes}, {"sector-bytes", &c->sector_bytes}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (strcmp(key, numbers[i].key) == 0) return number(l, value, numbers[i].to);
    if (strcmp(key, "writes") == 0) return cache_writes(l, c, value);
    l->why = "a cache has no such key";
    return false;
}

static bool cache_named(struct line *l, struct memory *m, const char *name, struct cache **to) {
    for (unsigned i = 0; i < m->caches; i++)
        if (strcmp(m->cache[i].name, name) == 0) {
            *to = &m->cache[i];
            return true;
        }
    l->why = "no cache before this line has that name";
    return false;
}

static bool region_key(struct line *l, struct memory *m, struct region *r, const char *key, const char *value) {
    const struct {
        const char *key;
        uint32_t *to;
    } numbers[] = {{"base", &r->base},
                   {"bytes", &r->bytes},
                   {"read-wait", &r->read_wait},
                   {"write-wait", &r->write_wait},
                   {"fetch-wait", &r->fetch_wait},
                   {"unit", &r->unit},
                   {"banks", &r->banks},
                   {"bus", &r->shared_bus}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (strcmp(key, numbers[i].key) == 0) return number(l, value, numbers[i].to);
    if (strcmp(key, "instructions") == 0) return cache_named(l, m, value, &r->instructions);
    if (strcmp(key, "data") == 0) return cache_named(l, m, value, &r->data);
    uint32_t on = 0;
    if (strcmp(key, "prefetch") == 0 && number(l, value, &on) && on <= 1u) {
        r->prefetch = on == 1u;
        return true;
    }
    l->why = "a region has no such key, or the key no such value";
    return false;
}

/* key=value …, up to the end of the line. */
static bool pairs(struct line *l, struct memory *m, struct cache *c, struct region *r) {
    for (char *pair = word(l); pair != NULL; pair = word(l)) {
        char *const value = strchr(pair, '=');
        if (value == NULL) {
            l->why = "key=value is expected";
            return false;
        }
        *value = '\0';
        if (!(c != NULL ? cache_key(l, c, pair, value + 1) : region_key(l, m, r, pair, value + 1))) return false;
    }
    return true;
}

static bool cache_line(struct line *l, struct memory *m) {
    if (m->caches == MAX_CACHES) {
        l->why = "too many caches";
        return false;
    }
    struct cache *const c = &m->cache[m->caches];
    if (!copy_name(l, c->name, sizeof c->name) || !pairs(l, m, c, NULL)) return false;
    m->caches++;
    return true;
}

static bool region_line(struct line *l, struct memory *m) {
    if (m->regions == MAX_REGIONS) {
        l->why = "too many regions";
        return false;
    }
    struct region *const r = &m->region[m->regions];
    if (!copy_name(l, r->name, sizeof r->name) || !pairs(l, m, NULL, r)) return false;
    m->regions++;
    return true;
}

static bool core_line(struct line *l, struct config *c) {
    const char *const name = word(l);
    c->model->core = name == NULL ? NULL : core_find(name);
    if (c->model->core == NULL) l->why = "no core model has this name";
    return c->model->core != NULL;
}

/* BASE BYTES PATH; a path may have blanks. NULL where one is missing. */
static const char *file_line(struct line *l, uint32_t *base, uint32_t *bytes) {
    if (!number(l, word(l), base) || !number(l, word(l), bytes)) return NULL;
    const char *const path = strtok_r(NULL, "\n", &l->rest);
    if (path == NULL || strlen(path) >= MAX_PATH) l->why = "a path is missing or too long";
    return l->why == NULL ? path : NULL;
}

static bool ram_line(struct line *l, struct config *c) {
    const char *const path = file_line(l, &c->ram_base, &c->ram_bytes);
    if (path != NULL) strcpy(c->ram_path, path);
    return path != NULL;
}

static bool profile_line(struct line *l, struct config *c) {
    uint32_t base = 0, bytes = 0;
    const char *const path = file_line(l, &base, &bytes);
    return path != NULL && profile_add(&c->model->profile, base, bytes, path, &l->why);
}

static bool read_line(struct line *l, struct config *c) {
    const char *const what = word(l);
    if (what == NULL || what[0] == '#') return true;
    if (strcmp(what, "core") == 0) return core_line(l, c);
    if (strcmp(what, "cache") == 0) return cache_line(l, &c->model->memory);
    if (strcmp(what, "region") == 0) return region_line(l, &c->model->memory);
    if (strcmp(what, "ram") == 0) return ram_line(l, c);
    if (strcmp(what, "mailbox") == 0) return c->has_mailbox = number(l, word(l), &c->mailbox);
    if (strcmp(what, "profile") == 0) return profile_line(l, c);
    l->why = "core, cache, region, ram, mailbox or profile is expected";
    return false;
}

static const char *missing(const struct config *c) {
    const uint32_t offset = c->mailbox - c->ram_base;
    if (c->model->core == NULL) return "no core is named";
    if (c->ram_path[0] == '\0' || !c->has_mailbox) return "ram and mailbox must be given";
    if (offset >= c->ram_bytes || c->ram_bytes - offset < sizeof(struct mt_mailbox)) return "the mailbox is not in the ram";
    if (c->mailbox % 8u != 0u) return "the mailbox is not aligned to 8 bytes";
    return NULL;
}

bool config_read(struct config *c, const char *path) {
    char text[1024];
    FILE *const file = fopen(path, "r");
    if (file == NULL) {
        fprintf(stderr, "timing: cannot read %s\n", path);
        return false;
    }
    unsigned n = 0;
    const char *why = NULL;
    while (why == NULL && fgets(text, sizeof text, file) != NULL) {
        struct line l = {NULL, text};
        n++;
        if (!read_line(&l, c)) why = l.why;
    }
    fclose(file);
    if (why != NULL) {
        fprintf(stderr, "timing: %s:%u: %s\n", path, n, why);
        return false;
    }
    why = missing(c);
    if (why == NULL && memory_prepare(&c->model->memory, &why)) return true;
    fprintf(stderr, "timing: %s: %s\n", path, why);
    return false;
}
