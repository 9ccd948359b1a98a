// Times operations, training steps and whole searches on a GPU next to PyTorch on the same GPU: npm run bench:gpu
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Command, InvalidArgumentError, Option } from 'commander';

import { DataFileError } from '../../lib/data/data_file_error.js';
import { readMnist } from '../../lib/data/mnist_files.js';
import { ACCURACY_NAMES, BEST_RECIPES, compareAccuracy, Comparison } from './accuracy_rows.js';
import type { BenchContext, Benchmark } from './benchmark.js';
import { chooseRows, groupsOf, UnknownRowError, type Named } from './choose.js';
import { GPU_BENCHMARKS, gpuBenchmarks } from './gpu_cases/index.js';
import { SMALL } from './gpu_cases/sizes.js';
import { ClockWatch } from './gpu_clocks.js';
import { describeGpu, NoGpuError } from './gpu_device.js';
import { profileRows } from './gpu_profile.js';
import { describeHost } from './host.js';
import { measureRows, positive, print, runCommand, say } from './measure.js';
import { Peers } from './peers.js';
import { currentCommit, requireWritable, saveRun, UnwritableError } from './save.js';
interface Flags {
    readonly list?: true;
    readonly json?: true;
    readonly save?: string;
    readonly python: string;
    readonly rounds: number;
    readonly data?: string;
    readonly compile: boolean;
    readonly try?: true;
    readonly small?: true;
    readonly commit?: string;
    readonly profile?: true;
}

const TRAIN = fileURLToPath(new URL('../train.ts', import.meta.url));
/** Of each row of the accuracy. */
const SEEDS = 10;

/** Rows that bench:accuracy has, too: whole trainings, each a process of its own. */
const ACCURACY: readonly Named[] = ACCURACY_NAMES.map((name) => ({ group: 'accuracy', name: `gpu_${name}` }));
const ALL: readonly Named[] = [...GPU_BENCHMARKS, ...ACCURACY];
const SMALL_ROWS = gpuBenchmarks(SMALL);

interface Chosen {
    readonly benchmarks: readonly Benchmark[];
    /** As bench:accuracy calls them. */
    readonly accuracies: readonly string[];
}

/** Trains seed by seed on the GPU; `hasTorch` says whether PyTorch does so, too. */
async function measureAccuracies(
    names: readonly string[],
    { threads, data }: BenchContext,
    { python, try: isTried }: Flags,
    hasTorch: boolean,
    onRow: (rows: readonly object[]) => void,
): Promise<readonly object[]> {
    const output = mkdtempSync(join(tmpdir(), 'nativegrad-bench-'));
    const comparison = new Comparison({
        threads: String(threads),
        device: 'cuda',
        python: hasTorch && !isTried ? python : null,
        data,
        program: ['--import', 'tsx', TRAIN],
        output,
        flags: isTried ? ['--max_steps', '2'] : [],
    });
    const named = (rows: readonly object[]): object[] =>
        rows.map((row) => ('name' in row ? { ...row, name: `gpu_${String(row.name)}` } : row));
    try {
        const rows = await compareAccuracy(comparison, names, {
            seeds: isTried ? 1 : SEEDS,
            best: BEST_RECIPES,
            print,
            onRow: (found) => onRow(named(found)),
        });
        return named(rows);
    } finally {
        rmSync(output, { recursive: true, force: true });
    }
}

async function measureAll(
    { benchmarks, accuracies }: Chosen,
    context: BenchContext,
    flags: Flags,
): Promise<void> {
    const { python, try: isTried, compile } = flags;
    const gpu = describeGpu();
    const commit = flags.commit ?? currentCommit();
    const peers = await Peers.start(benchmarks, {
        python,
        threads: context.threads,
        device: isTried ? 'cpu' : 'cuda',
        compile: compile && !isTried,
        frameworks: accuracies.length > 0 ? ['torch'] : [],
        say,
    });
    const clocks = new ClockWatch();
    try {
        const machine = [gpu, describeHost(), `Node ${process.version}`, ...peers.versions].join(', ');
        print(machine);
        // After each row: a machine may be taken away.
        const save = (rows: readonly object[]): void => {
            if (flags.save === undefined) return;
            const words = process.argv.slice(2);
            saveRun(flags.save, rows, { script: 'bench:gpu', words, commit, machine });
        };
        const { rows } = await measureRows(benchmarks, peers, context, {
            rounds: isTried ? 1 : flags.rounds,
            peak: null,
            clocks,
            onRow: save,
            isSaved: flags.save !== undefined,
            ...(isTried ? { turn: 1 } : {}),
        });
        const trained = await measureAccuracies(accuracies, context, flags, peers.has('torch'), (found) => {
            save([...rows, ...found]);
        });
        if (flags.json) print(JSON.stringify([...rows, ...trained]));
    } finally {
        clocks.close();
        peers.close();
    }
}

async function run(words: readonly string[], flags: Flags): Promise<void> {
    const timed = flags.small ? SMALL_ROWS : GPU_BENCHMARKS;
    const chosen = chooseRows(flags.small ? timed : ALL, words);
    if (flags.list) {
        for (const { name } of chosen) print(name);
        return;
    }
    if (flags.save !== undefined) requireWritable(flags.save);
    const names = new Set(chosen.map(({ name }) => name));
    const benchmarks = timed.filter(({ name }) => names.has(name));
    const accuracies = ACCURACY_NAMES.filter((name) => names.has(`gpu_${name}`));
    const reads = accuracies.length > 0 || benchmarks.some(({ needs }) => needs === 'mnist');
    const data = reads ? (await readMnist({ folder: flags.data })).folder : '';
    const context: BenchContext = { threads: availableParallelism(), data, staged: null, device: 'cuda' };
    if (!flags.profile) return measureAll({ benchmarks, accuracies }, context, flags);
    print(describeGpu());
    await profileRows(benchmarks, context);
}

const command = new Command('bench:gpu')
    .showSuggestionAfterError(false)
    .description(
        'Times products, convolutions, training steps, many models and whole trainings on a GPU next to PyTorch op by op, by torch.compile and as a CUDA graph.',
    )
    .argument('[rows...]', `groups (${groupsOf(ALL).join(', ')}) or single rows; all when left out`)
    .option('--list', 'print the names of the rows and measure nothing')
    .option('--json', 'the last line of stdout is an array of rows')
    .option('--save <file>', 'write the rows, the command, the commit and the machine to a JSON file')
    .option('--python <path>', 'a Python that has torch with CUDA', 'python3')
    .option('--rounds <n>', 'rounds that count', positive, 9)
    .option('--data <folder>', 'folder of the MNIST files')
    .option(
        '--commit <hash>',
        'what is measured, where git does not say (else a file COMMIT beside package.json)',
    )
    .option('--no-compile', "leave out torch.compile's variants, which take half a minute to set up")
    .addOption(
        new Option(
            '--profile',
            'time, bytes and share of the memory bandwidth of each call of a step, and nothing else',
        ).conflicts(['json', 'save']),
    )
    .option('--try', 'one short turn with PyTorch on the CPU: shows that a row runs, on the simulator, too')
    .addOption(
        new Option('--small', 'the same rows in small sizes, which their names tell, with --try').implies({
            try: true,
        }),
    )
    .addHelpText(
        'after',
        '\nColumns: minimum, median and median distance from it over the rounds; GFLOP/s (GB/s where the work is to move' +
            '\nbytes). Every round gives each side one turn, which ends when the GPU is done; its\nclocks are read meanwhile. The rows of ceilings show what the' +
            '\nGPU itself can do. NATIVEGRAD_CUDA names another plugin than the one of npm run build:cuda.',
    )
    .action(async (words: string[], flags: Flags) => run(words, flags));

await runCommand(command, [
    InvalidArgumentError,
    DataFileError,
    UnknownRowError,
    NoGpuError,
    UnwritableError,
]);
