/*
 * The door to QEMU: turns its callbacks into calls of the model, and shows the counters to the guest. Started with
 *   -plugin FILE.so,config=FILE
 * Must stay true: one CPU, one thread; nothing here knows a core or a rule.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config.h"
#include "plugin-api.h"

QEMU_EXPORT int qemu_plugin_version = 1;

/* QEMU's callbacks for blocks and instructions carry no data of ours but a pointer to one thing: so one model, here. */
static struct model model;
static struct mt_mailbox *mailbox;
static struct block *blocks;

static void show(void) {
    memcpy(mailbox, model_counts(&model), sizeof *mailbox);
}

static void on_marker(unsigned vcpu, void *userdata) {
    (void)vcpu;
    const struct insn *const i = userdata;
    switch (i->code & 15u) {
    case MT_MARKER_SETTLE: model_settle(&model); break;
    case MT_MARKER_BEGIN: model_begin(&model); break;
    case MT_MARKER_END:
        model_end(&model, i);
        show();
        break;
    case MT_MARKER_READ: show(); break;
    default: break;
    }
}

static void on_block(unsigned vcpu, void *userdata) {
    (void)vcpu;
    model_enter(&model, userdata);
}

static void on_access(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *userdata) {
    (void)vcpu;
    struct accessor *const a = userdata;
    if (!model_needs(&model, a, (uint32_t)address)) return;
    model_keep(&model, a, (uint32_t)address, 1u << qemu_plugin_mem_size_shift(info), qemu_plugin_mem_is_store(info));
}

static struct block *new_block(size_t capacity) {
    struct block *const b = block_new((uint32_t)capacity);
    b->next = blocks;
    blocks = b;
    return b;
}

/* A marker is no part of the code that is timed: it stands between two blocks. */
static void add_marker(struct qemu_plugin_insn *handle, struct insn i) {
    struct block *const b = new_block(1u);
    block_add(b, i);
    qemu_plugin_register_vcpu_insn_exec_cb(handle, on_marker, QEMU_PLUGIN_CB_NO_REGS, &b->insn[0]);
}

/*
 * QEMU looks ahead from the last halfword of a page and takes what it sees for a part of the instruction before: the size is
 * what the first halfword says, not what QEMU says.
 */
static struct insn decoded(const struct qemu_plugin_insn *handle) {
    uint16_t code[2] = {0, 0};
    const size_t size = qemu_plugin_insn_size(handle);
    memcpy(code, qemu_plugin_insn_data(handle), size < sizeof code ? size : sizeof code);
    return decode((uint32_t)qemu_plugin_insn_vaddr(handle), code, code[0] >= 0xe800u ? 4u : 2u);
}

/* The block is complete: its accesses that matter are watched. `first`: its place in the translation. */
static void finish(struct qemu_plugin_tb *tb, size_t first, struct block *b) {
    block_prepare(&model, b);
    for (uint32_t k = 0; k < b->insns; k++)
        if (block_watches(&model, b, k))
            qemu_plugin_register_vcpu_mem_cb(qemu_plugin_tb_get_insn(tb, first + k), on_access, QEMU_PLUGIN_CB_NO_REGS,
                                             QEMU_PLUGIN_MEM_RW, &b->accessor[k]);
}

/* Cuts what QEMU translates into blocks at the markers. */
static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
    (void)id;
    const size_t n = qemu_plugin_tb_n_insns(tb);
    struct block *b = NULL;
    for (size_t k = 0; k < n; k++) {
        struct qemu_plugin_insn *const handle = qemu_plugin_tb_get_insn(tb, k);
        const struct insn i = decoded(handle);
        if (i.kind == INSN_MARKER) {
            if (b != NULL) finish(tb, k - b->insns, b);
            b = NULL;
            add_marker(handle, i);
            continue;
        }
        if (b == NULL) {
            b = new_block(n - k);
            qemu_plugin_register_vcpu_insn_exec_cb(handle, on_block, QEMU_PLUGIN_CB_NO_REGS, b);
        }
        block_add(b, i);
    }
    if (b != NULL) finish(tb, n - b->insns, b);
}

/* QEMU throws all its translations away: nothing points to our blocks any more, but for the one that runs. */
static void on_flush(qemu_plugin_id_t id) {
    (void)id;
    struct block *kept = NULL;
    while (blocks != NULL) {
        struct block *const b = blocks;
        blocks = b->next;
        if (b == model.pending) {
            b->next = NULL;
            kept = b;
        } else {
            block_free(b);
        }
    }
    blocks = kept;
}

static bool map_mailbox(const struct config *c) {
    const int file = open(c->ram_path, O_RDWR);
    void *const ram = file < 0 ? MAP_FAILED : mmap(NULL, c->ram_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (file >= 0) close(file);
    if (ram == MAP_FAILED) {
        fprintf(stderr, "timing: cannot map %s\n", c->ram_path);
        return false;
    }
    mailbox = (struct mt_mailbox *)(void *)((char *)ram + (c->mailbox - c->ram_base));
    return true;
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv) {
    static struct config config = {.model = &model};
    if (info->version.min > qemu_plugin_version || info->version.cur < qemu_plugin_version || !info->system_emulation ||
        strcmp(info->target_name, "arm") != 0) {
        fprintf(stderr, "timing: made for qemu-system-arm with plugin interface %d\n", qemu_plugin_version);
        return 1;
    }
    if (argc != 1 || strncmp(argv[0], "config=", 7) != 0) {
        fprintf(stderr, "timing: one option is expected, config=FILE\n");
        return 1;
    }
    if (!config_read(&config, argv[0] + 7) || !map_mailbox(&config)) return 1;
    if (model.core->history_bytes != 0u) model.history = calloc(1u, model.core->history_bytes);
    model_settle(&model);
    show();
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_flush_cb(id, on_flush);
    return 0;
}
