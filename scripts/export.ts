import { runProcess } from '../lib/cli/run_process.js';

await runProcess(['export', ...process.argv.slice(2)]);
