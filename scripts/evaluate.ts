import { runCommandLine } from '../lib/cli/program.js';

// `npm run evaluate -- --model_path FILE`: the same as `nativegrad evaluate` in an installed package.
const words = ['evaluate', ...process.argv.slice(2)];
process.exitCode = await runCommandLine(words, { out: process.stdout, err: process.stderr });
