/* Generated from firmware-rpc/protocol.ts by `npm run generate:protocol`. Do not edit. */
#ifndef MICROTUNE_PROTOCOL_H
#define MICROTUNE_PROTOCOL_H

#define MT_PROTOCOL              2u
#define MT_MAX_BODY              512u
#define MT_MAX_REPEATS           60u

#define MT_CMD_HELLO             1u
#define MT_CMD_LOAD              2u
#define MT_CMD_FILL              3u
#define MT_CMD_CRC               4u
#define MT_CMD_FETCH             5u
#define MT_CMD_CALL              6u
#define MT_CMD_COPY              7u
#define MT_CMD_RESET             8u

#define MT_STATUS_OK             0u
#define MT_STATUS_BAD_REQUEST    1u
#define MT_STATUS_BAD_ADDRESS    2u
#define MT_STATUS_FAULT          3u
#define MT_STATUS_DEADLINE       4u
#define MT_STATUS_NO_SESSION     5u
#define MT_STATUS_DAMAGED        6u

#define MT_FLAG_GUARDED          1u

#define MT_MODE_SETTLED          0u
#define MT_MODE_CONTINUED        1u

#endif
