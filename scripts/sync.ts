import { runProcess } from '../lib/cli/run_process.js';

await runProcess(['sync', ...process.argv.slice(2)]);
