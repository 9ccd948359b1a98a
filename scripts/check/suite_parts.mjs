// The test suite in parts that take about as long as each other, to run side by side.
import { runMocha, runMochaSideBySide } from './run_mocha.mjs';

const parts = [
    { title: 'kernels', files: ['test/native/**/*.test.ts', 'test/program/**/*.test.ts'] },
    { title: 'the rest', files: ['test/**/*.test.ts'] },
];
const outside = ['test/package/**', 'test/cuda/**'];

/** Measures time, and wants the processors for itself. */
export const alone = 'serves a 10 ms timer';

/**
 * The runs of the whole suite but the files `ignored` (below test/) and the tests whose title matches `without`, each
 * { title, words, environment } for runMochaSideBySide.
 */
export function suiteRuns({ ignored = [], without = [], words = [], environment = {} } = {}) {
    return parts.map(({ title, files }, index) => {
        const others = parts.slice(0, index).flatMap((part) => part.files);
        const left = [...ignored.map((path) => `test/${path}`), ...outside, ...others];
        return {
            title,
            words: [
                ...files,
                ...left.map((path) => `--ignore=${path}`),
                `--grep=${[alone, ...without].join('|')}`,
                '--invert',
                ...words,
            ],
            environment,
        };
    });
}

/** The test that wants the processors for itself. */
export function runAlone(environment = {}) {
    return runMocha(['test/train/event_loop.test.ts', `--grep=${alone}`], environment);
}

/** Runs them side by side, then what wants to be alone unless `without` leaves it out. Gives 0 when all passed, else 1. */
export async function runSuite(options = {}) {
    const { timed = true, ...rest } = options;
    const code = await runMochaSideBySide(suiteRuns(rest));
    if (!timed) return code;
    console.log('\nby itself');
    return Math.max(code, (await runAlone(rest.environment)) === 0 ? 0 : 1);
}
