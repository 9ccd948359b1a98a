// What `npm run test:gpu` runs under compute-sanitizer.
import { join } from 'node:path';

const tools = {
    // Tests have CUDA refuse calls, and streams are asked whether they are done: neither is a fault of memory.
    memcheck: ['--report-api-errors', 'no'],
    racecheck: [],
};

/** Mocha in the very process that the sanitizer starts: its own program starts another one, whose end would not be told. */
const mocha = [
    ...['--import', 'tsx', join('node_modules', 'mocha', 'lib', 'cli', 'cli.js')],
    ...['--fail-zero', '--timeout=600000'],
];

const suites = {
    'layers and optimizers': ['test/nn/layers.test.ts', 'test/optim/optimizer.test.ts'],
    'every op': ['test/ops/op_samples.test.ts', '--grep', 'agrees in'],
};

/** [{ name, words }], the words of the sanitizer's command line. */
export function sanitizerRuns(kernelTest) {
    return Object.entries(tools).flatMap(([tool, own]) => {
        const watch = ['--tool', tool, ...own];
        watch.push('--error-exitcode', '9', '--target-processes', 'all', '--print-limit', '5');
        const named = Object.entries(suites).map(([name, tests]) => ({
            name: `${tool} of ${name}`,
            words: [...watch, process.execPath, ...mocha, ...tests],
        }));
        // Launches may wait for their kernels there: times and streams that are held tell nothing.
        const kernels = {
            name: `${tool} of the kernels' own tests`,
            words: [...watch, kernelTest, '--no-clock'],
        };
        return [kernels, ...named];
    });
}
