import { runProcess } from '../lib/cli/run_process.js';

await runProcess(['train', ...process.argv.slice(2)]);
