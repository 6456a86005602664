/* A CPU without an MPU: nothing is guarded, and the server looks after its memory itself (firmware-rpc/SPEC.md, DAMAGED). */
#include "cortex-m.h"

uint16_t mt_guard_memory(void) { return 0u; }
