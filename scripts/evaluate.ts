import { runProcess } from '../lib/cli/run_process.js';

await runProcess(['evaluate', ...process.argv.slice(2)]);
