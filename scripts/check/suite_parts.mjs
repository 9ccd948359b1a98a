// The test suite in parts that take about as long as each other, to run side by side.
import { runMocha, runMochaSideBySide } from './run_mocha.mjs';

// What takes longest comes first. The last part is what the others leave.
const parts = [
    { title: 'from end to end', folders: ['e2e'] },
    { title: 'trainings that go on', folders: ['resume'] },
    { title: 'captured steps', folders: ['program'] },
    { title: 'the addon', folders: ['native'] },
    {
        title: 'around it',
        folders: ['bench', 'cli', 'docs', 'examples', 'io', 'report', 'scripts', 'track'],
    },
    { title: 'the rest', folders: [] },
];
const outside = ['package/**', 'cuda/**'];

/** Measures time, and wants the processors for itself. */
export const alone = 'serves a 10 ms timer';

/**
 * The runs of the whole suite but the files `ignored` (below test/) and the tests whose title matches `without`, each
 * { title, words, environment } for runMochaSideBySide.
 */
export function suiteRuns({ ignored = [], without = [], words = [], environment = {} } = {}) {
    const named = parts.flatMap(({ folders }) => folders).map((folder) => `${folder}/**`);
    const runs = parts.filter(
        ({ folders }) => folders.length === 0 || folders.some((folder) => !ignored.includes(`${folder}/**`)),
    );
    return runs.map(({ title, folders }) => {
        const isRest = folders.length === 0;
        const files = isRest ? ['test/**/*.test.ts'] : folders.map((folder) => `test/${folder}/**/*.test.ts`);
        const left = [...ignored, ...outside, ...(isRest ? named : [])].map((path) => `test/${path}`);
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
