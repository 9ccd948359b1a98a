import { runCommandLine } from '../lib/cli/program.js';

// `npm run doctor`: the same as `nativegrad doctor` in an installed package.
const words = ['doctor', ...process.argv.slice(2)];
process.exitCode = await runCommandLine(words, { out: process.stdout, err: process.stderr });
