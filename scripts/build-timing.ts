/** Compiles the timing model of the emulated boards, if it is not there: the last step of scripts/setup.js. */
import { existsSync } from 'node:fs';
import { buildPlugin, pluginFile } from '../boards/common/timing/build.ts';

if (!existsSync(pluginFile())) {
  console.log('setup: compiling the timing model of the emulated boards');
  const built = await buildPlugin('qemu-system-arm');
  if (!built.ok) {
    console.error(`setup: ${built.error.code}: ${built.error.detail}`);
    // Boards that count instructions work with any emulator.
    if (built.error.code !== 'EMULATOR_UNSUITABLE') process.exit(1);
  }
}
