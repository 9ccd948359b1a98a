// Runs the whole suite, in parts side by side, or with words for mocha what they name: npm test -- test/ops/matmul.test.ts
import { runMocha } from './run_mocha.mjs';
import { runSuite } from './suite_parts.mjs';

const words = process.argv.slice(2);
process.exitCode = await (words.length > 0 ? runMocha(words, {}) : runSuite());
