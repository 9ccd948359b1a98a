import { availableParallelism } from 'node:os';

import { Command, InvalidArgumentError } from 'commander';

import { DataFileError } from '../../lib/data/data_file_error.js';
import { readMnist } from '../../lib/data/mnist_files.js';
import type { BenchContext, Benchmark } from './benchmark.js';
import { BENCHMARKS } from './cases/index.js';
import { chooseRows, groupsOf, UnknownRowError } from './choose.js';
import { describeHost } from './host.js';
import { measureRows, positive, print, runCommand, say } from './measure.js';
import { measurePeak } from './peak.js';
import { Peers } from './peers.js';
import { currentCommit, requireWritable, saveRun, UnwritableError } from './save.js';
import { NotBuiltError, stagePackage } from './staged_package.js';
import type { StagedPackage } from './staged_package.js';

interface Flags {
    readonly json?: true;
    readonly list?: true;
    readonly save?: string;
    readonly python: string;
    readonly tfjs?: string;
    readonly rounds: number;
    readonly threads: number;
    readonly data?: string;
    readonly compile: boolean;
}

async function measureAll(
    benchmarks: readonly Benchmark[],
    context: BenchContext,
    flags: Flags,
): Promise<void> {
    const { python, tfjs, threads, compile } = flags;
    const commit = currentCommit();
    const peers = await Peers.start(benchmarks, { python, tfjs, threads, compile, say });
    try {
        const host = [describeHost(), `${threads} threads`, `Node ${process.version}`, ...peers.versions];
        const machine = host.join(', ');
        print(`${machine}\n`);
        const { rows, peaks } = await measureRows(benchmarks, peers, context, {
            rounds: flags.rounds,
            peak: () => measurePeak(threads),
            isSaved: flags.save !== undefined,
        });
        if (flags.save !== undefined)
            saveRun(flags.save, rows, {
                script: 'bench',
                words: process.argv.slice(2),
                machine,
                commit,
                peaks,
            });
        if (flags.json) print(JSON.stringify(rows));
    } finally {
        peers.close();
    }
}

/** Who asks for everything gets what there is. */
function stageOrLeaveOut(words: readonly string[]): StagedPackage | null {
    try {
        return stagePackage();
    } catch (error) {
        if (words.length > 0 || !(error instanceof NotBuiltError)) throw error;
        say(`bench: ${error.message}`);
        return null;
    }
}

async function run(words: readonly string[], flags: Flags): Promise<void> {
    const chosen = chooseRows(BENCHMARKS, words);
    if (flags.list) {
        for (const { name } of chosen) print(name);
        return;
    }
    if (flags.save !== undefined) requireWritable(flags.save);
    const needs = new Set(chosen.map((benchmark) => benchmark.needs));
    const reads = needs.has('mnist') || needs.has('package');
    const data = reads ? (await readMnist({ folder: flags.data })).folder : '';
    const staged = needs.has('package') ? stageOrLeaveOut(words) : null;
    try {
        const possible = chosen.filter((benchmark) => staged !== null || benchmark.needs !== 'package');
        await measureAll(possible, { threads: flags.threads, data, staged }, flags);
    } finally {
        staged?.remove();
    }
}

const command = new Command('bench')
    .showSuggestionAfterError(false)
    .description(
        'Times our operations, training steps and start next to those of PyTorch and JAX, in alternating turns.',
    )
    .argument('[rows...]', `groups (${groupsOf(BENCHMARKS).join(', ')}) or single rows; all when left out`)
    .option('--list', 'print the names of the rows and measure nothing')
    .option('--json', 'the last line of stdout is an array of rows')
    .option('--save <file>', 'write the rows, the command, the commit and the machine to a JSON file')
    .option('--python <path>', 'a Python that has torch, and jax if that is wanted', 'python3')
    .option('--tfjs <folder>', 'a project that has @tensorflow/tfjs and @tensorflow/tfjs-backend-wasm')
    .option('--rounds <n>', 'rounds that count, at least 9 for a figure to report', positive, 9)
    .option('--threads <n>', 'threads on both sides', positive, availableParallelism())
    .option('--data <folder>', 'folder of the MNIST files')
    .option('--no-compile', "leave out torch.compile's variants, which take half a minute to set up")
    .addHelpText(
        'after',
        '\nColumns: minimum, median and median distance from it over the rounds; GFLOP/s (GB/s where the work is to move' +
            '\nbytes); the share of the multiply-add peak that was measured in the same round. Every round gives each side one' +
            '\nturn. startup needs the built package: npm run prebuild && npm run build:dist. Other rows run lib/ with' +
            '\nbuild/Release, or with the addon that NATIVEGRAD_BINARY names, such as the prebuilt one.',
    )
    .action(async (words: string[], flags: Flags) => run(words, flags));

await runCommand(command, [
    InvalidArgumentError,
    DataFileError,
    UnknownRowError,
    NotBuiltError,
    UnwritableError,
]);
