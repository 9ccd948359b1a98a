// Kills a training at random moments, again and again, until it gets to its end; then the next one. After each death the next
// process must go on from the last checkpoint that was told to be safe, or a newer one, and whoever gets to the end must have
// the bits of a training that was never killed. Usage: npm run test:kills -- [--kills 200] [--seed 1] [--beside 2]
import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { clearTimeout, setTimeout } from 'node:timers';
import { parseArgs } from 'node:util';

const script = resolve('scripts/check/kills/train.mjs');
/** Each has a seed of its own, which says what is trained (kills/train.mjs). */
const trainings = 6;
/** Three deaths without a word: by the system (too little memory), by an abort and by a wrong pointer. */
const deaths = ['SIGKILL', 'SIGABRT', 'SIGSEGV'];

/** Mulberry32: the moments of one seed are the same everywhere. */
function randomNumbers(seed) {
    let state = seed >>> 0;
    return () => {
        state = (state + 0x6d2b79f5) >>> 0;
        let x = Math.imul(state ^ (state >>> 15), 1 | state);
        x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
        return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
    };
}

/** One process; killed after so many milliseconds, if it lives so long. */
function run(folder, seed, milliseconds, death = deaths[0]) {
    return new Promise((fulfil, reject) => {
        const child = spawn(process.execPath, [script, folder, String(seed)], { timeout: 120_000 });
        let [out, err] = ['', ''];
        child.stdout.on('data', (text) => (out += text));
        child.stderr.on('data', (text) => (err += text));
        const timer =
            milliseconds === undefined ? undefined : setTimeout(() => child.kill(death), milliseconds);
        child.on('error', reject);
        child.on('close', (code, signal) => {
            clearTimeout(timer);
            const told = (word) => [...out.matchAll(new RegExp(`^${word} (\\w+)$`, 'gm'))].map(([, x]) => x);
            fulfil({
                code,
                signal,
                err,
                resumed: told('resumed')[0],
                saved: told('saved'),
                done: told('done')[0],
            });
        });
    });
}

/** What an undisturbed training ends with, and how long it takes. */
async function whole(seed) {
    const folder = mkdtempSync(join(tmpdir(), 'nativegrad-kills-'));
    const start = performance.now();
    const { done, err } = await run(folder, seed);
    rmSync(folder, { recursive: true });
    if (done === undefined) throw new Error(`the training does not end by itself: ${err}`);
    return { hash: done, milliseconds: performance.now() - start };
}

/** Kills until the counter is used up; each training that ends is compared. */
async function work(count, golden, random, say) {
    while (count.kills < count.wanted) {
        const seed = 1 + Math.floor(random() * trainings);
        const folder = mkdtempSync(join(tmpdir(), 'nativegrad-kills-'));
        let [safe, ended] = [0, false];
        while (!ended) {
            const { hash, milliseconds } = golden.get(seed);
            const { code, signal, err, resumed, saved, done } = await run(
                folder,
                seed,
                count.kills < count.wanted ? random() * milliseconds * 1.1 : undefined,
                deaths[Math.floor(random() * deaths.length)],
            );
            const problem =
                resumed !== undefined && Number(resumed) < safe
                    ? `went on from ${resumed}, ${safe} was safe`
                    : done !== undefined && done !== hash
                      ? 'ended with other bits'
                      : !deaths.includes(signal) && code !== 0
                        ? `exit code ${code}: ${err}`
                        : err !== ''
                          ? `said: ${err}`
                          : undefined;
            if (problem) say(`FAILED: training ${seed}: ${problem}`);
            count.bad += problem ? 1 : 0;
            if (deaths.includes(signal)) count.kills++;
            safe = Math.max(safe, ...saved.map(Number));
            ended = done !== undefined || problem !== undefined;
            count.ended += done === hash ? 1 : 0;
        }
        rmSync(folder, { recursive: true, force: true });
    }
}

const { values } = parseArgs({
    options: {
        kills: { type: 'string', default: '200' },
        seed: { type: 'string', default: '1' },
        beside: { type: 'string', default: '2' },
    },
});
const [wanted, seed, beside] = [Number(values.kills), Number(values.seed), Number(values.beside)];
if (![wanted, seed, beside].every((x) => Number.isInteger(x) && x > 0)) {
    console.error('--kills, --seed and --beside take positive integers');
    process.exit(2);
}
if (!existsSync('dist/js/index.js')) {
    console.error('dist/ is missing: npm run build:all');
    process.exit(2);
}
const counts = process.env.NATIVEGRAD_TEST_COUNTS;
const note = (entry) => {
    if (counts) appendFileSync(counts, `${JSON.stringify({ pid: process.pid, ...entry })}\n`);
};
note({ event: 'start' });
const golden = new Map();
for (let training = 1; training <= trainings; training++) golden.set(training, await whole(training));
const count = { wanted, kills: 0, ended: 0, bad: 0 };
await Promise.all(
    Array.from({ length: beside }, (_, i) =>
        work(count, golden, randomNumbers(seed * 1000 + i), console.log),
    ),
);
console.log(`${count.kills} kills of seed ${seed}: ${count.ended} trainings ended, ${count.bad} wrong`);
note({ event: 'end', passed: count.ended, failed: count.bad, pending: 0 });
process.exitCode = count.bad > 0 || count.ended === 0 ? 1 : 0;
