import { runProcess } from '../lib/cli/run_process.js';

await runProcess(['runs', ...process.argv.slice(2)]);
