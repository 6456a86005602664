/** Writes firmware-rpc/include/microtune_protocol.h from the one table (a test compares them). */
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { protocolHeader } from '../firmware-rpc/protocol.ts';

writeFileSync(join(resolve(import.meta.dirname, '..'), 'firmware-rpc/include/microtune_protocol.h'), protocolHeader());
