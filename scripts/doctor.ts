import { runProcess } from '../lib/cli/run_process.js';

// `npm run doctor`: the same as `nativegrad doctor` in an installed package.
await runProcess(['doctor', ...process.argv.slice(2)]);
