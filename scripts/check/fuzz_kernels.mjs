// Builds the kernel fuzz beside the addon and runs it, on all processors: npm run fuzz:kernels -- --cases 1000000 --seed 7
// A case that fails is printed with the words that run it alone: --seed S --first I --cases 1.
import { spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { withBuildLock } from '../build/build_lock.mjs';
import { ensureNative } from '../build/ensure_native.mjs';
import { notReached, reachedTable, sumReached } from './fuzz_reached.mjs';

function run(command, words, stdio) {
    return new Promise((done, failed) => {
        const child = spawn(command, words, { stdio });
        const pieces = [];
        child.stdout?.on('data', (piece) => pieces.push(piece));
        child.on('error', failed);
        child.on('close', (code, signal) => done({ code, signal, output: Buffer.concat(pieces).toString() }));
    });
}

async function buildFuzz(root) {
    await ensureNative({ root });
    const buildDir = join(root, 'build');
    const words = ['--build', buildDir, '--target', 'kernel_fuzz', '--parallel', '2'];
    const { code } = await withBuildLock(
        join(buildDir, 'native_lock'),
        () => run('cmake', words, ['ignore', 'ignore', 'inherit']),
        () => console.log('waiting for another build ...'),
    );
    if (code !== 0)
        throw new Error('building the kernel fuzz failed: cmake --build build --target kernel_fuzz');
    return join(buildDir, 'kernel_fuzz');
}

/**
 * Sums what the processes said. A family (or a process that ended without a word) that failed anywhere counts as one
 * failure, one that passed everywhere as one pass.
 */
export function summarize(results) {
    const cases = new Map();
    const failed = new Set();
    let leftOut = 0;
    for (const [index, { code, output }] of results.entries()) {
        for (const line of output.split('\n')) {
            const passed = /^passed (\d+) (.+)$/.exec(line);
            if (passed) cases.set(passed[2], (cases.get(passed[2]) ?? 0) + Number(passed[1]));
            leftOut += Number(/^left out (\d+)$/.exec(line)?.[1] ?? 0);
            const failure = /^FAILED [^,]*, ([^,]+),/.exec(line);
            if (failure) failed.add(failure[1]);
        }
        if (code !== 0 && !/^FAILED /m.test(output)) failed.add(`process ${index}`);
    }
    const passed = [...cases.keys()].filter((family) => !failed.has(family));
    return { cases, leftOut, passed: passed.length, failed: failed.size };
}

async function main() {
    const { values } = parseArgs({
        options: {
            cases: { type: 'string', default: '100000' },
            seed: { type: 'string', default: '1' },
            first: { type: 'string', default: '0' },
        },
    });
    const [cases, first] = [Number(values.cases), Number(values.first)];
    if (
        !Number.isSafeInteger(cases) ||
        cases < 1 ||
        !Number.isSafeInteger(first) ||
        !/^\d+$/.test(values.seed)
    ) {
        throw new Error('--cases, --seed and --first take whole numbers');
    }
    const counts = process.env.NATIVEGRAD_TEST_COUNTS;
    const note = (entry) => {
        if (counts) appendFileSync(counts, `${JSON.stringify({ pid: process.pid, ...entry })}\n`);
    };
    note({ event: 'start' });
    const program = await buildFuzz(resolve('.'));
    const processes = Math.min(availableParallelism(), cases);
    const start = Date.now();
    const results = await Promise.all(
        Array.from({ length: processes }, (_, i) =>
            run(
                program,
                [
                    ['--seed', values.seed],
                    ['--first', String(first + i)],
                    ['--cases', String(cases - i)],
                    ['--every', String(processes)],
                ].flat(),
                ['ignore', 'pipe', 'inherit'],
            ),
        ),
    );
    for (const { output } of results) {
        const failures = output
            .split('\n')
            .filter((line) => line !== '' && !/^(passed|left out|reached) /.test(line));
        if (failures.length > 0) console.log(failures.join('\n'));
    }
    const sum = summarize(results);
    const reached = sumReached(results.map(({ output }) => output));
    for (const line of reachedTable(reached)) console.log(line);
    const missing = notReached(reached, cases);
    if (missing.length > 0) console.log(`NOT REACHED\n${missing.map((name) => `  ${name}`).join('\n')}`);
    for (const [family, count] of sum.cases) console.log(`${String(count).padStart(9)} ${family}`);
    const total = [...sum.cases.values()].reduce((a, b) => a + b, 0);
    const seconds = ((Date.now() - start) / 1000).toFixed(0);
    console.log(
        `kernel fuzz, seed ${values.seed}: ${total} of ${cases} cases passed, ${sum.leftOut} left out as too large, ` +
            `${sum.passed} families passed, ${sum.failed} failed, ${seconds} s`,
    );
    const failed = sum.failed + missing.length;
    note({ event: 'end', passed: sum.passed, failed, pending: 0 });
    process.exitCode = failed > 0 || total + sum.leftOut !== cases ? 1 : 0;
}

if (process.argv[1] && import.meta.url === pathToFileURL(resolve(process.argv[1])).href) {
    try {
        await main();
    } catch (error) {
        console.error(error.message);
        process.exitCode = 2;
    }
}
