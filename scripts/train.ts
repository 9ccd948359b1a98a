import { runCommandLine } from '../lib/cli/program.js';

// `npm run train -- --epochs 3`: the same as `nativegrad train --epochs 3` in an installed package.
const words = ['train', ...process.argv.slice(2)];
process.exitCode = await runCommandLine(words, { out: process.stdout, err: process.stderr });
