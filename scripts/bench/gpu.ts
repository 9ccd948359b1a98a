// Times operations, training steps and whole searches on a GPU next to PyTorch on the same GPU: npm run bench:gpu
import { availableParallelism } from 'node:os';

import { Command, InvalidArgumentError, Option } from 'commander';

import { DataFileError } from '../../lib/data/data_file_error.js';
import { readMnist } from '../../lib/data/mnist_files.js';
import type { BenchContext, Benchmark } from './benchmark.js';
import { chooseRows, groupsOf, UnknownRowError } from './choose.js';
import { GPU_BENCHMARKS } from './gpu_cases/index.js';
import { currentClocks, describeGpu, NoGpuError } from './gpu_device.js';
import { profileRows } from './gpu_profile.js';
import { describeHost } from './host.js';
import { measureRows, positive, print, runCommand, say } from './measure.js';
import { Peers } from './peers.js';
import { currentCommit, requireWritable, saveRun, UnwritableError } from './save.js';
import type { Row } from './statistics.js';

interface Flags {
    readonly list?: true;
    readonly json?: true;
    readonly save?: string;
    readonly python: string;
    readonly rounds: number;
    readonly data?: string;
    readonly compile: boolean;
    readonly try?: true;
    readonly profile?: true;
}

async function measureAll(
    benchmarks: readonly Benchmark[],
    context: BenchContext,
    flags: Flags,
): Promise<void> {
    const { python, try: isTried, compile } = flags;
    const gpu = describeGpu();
    const commit = currentCommit();
    const idle = currentClocks();
    const peers = await Peers.start(benchmarks, {
        python,
        threads: context.threads,
        device: isTried ? 'cpu' : 'cuda',
        compile: compile && !isTried,
        say,
    });
    try {
        const machine = [gpu, describeHost(), `Node ${process.version}`, ...peers.versions].join(', ');
        print(machine);
        // After each row: a machine may be taken away. The clocks are those of work.
        const save = (rows: readonly Row[]): void => {
            if (flags.save === undefined) return;
            const clocks = [idle, currentClocks()].filter((text) => text !== null).join('; at work ');
            const words = process.argv.slice(2);
            const facts = { script: 'bench:gpu', words, commit };
            saveRun(flags.save, rows, {
                ...facts,
                machine: clocks === '' ? machine : `${machine}; clocks ${clocks}`,
            });
        };
        const { rows } = await measureRows(benchmarks, peers, context, {
            rounds: isTried ? 1 : flags.rounds,
            peak: null,
            onRow: save,
            isSaved: flags.save !== undefined,
            ...(isTried ? { turn: 1 } : {}),
        });
        if (flags.json) print(JSON.stringify(rows));
    } finally {
        peers.close();
    }
}

async function run(words: readonly string[], flags: Flags): Promise<void> {
    const chosen = chooseRows(GPU_BENCHMARKS, words);
    if (flags.list) {
        for (const { name } of chosen) print(name);
        return;
    }
    if (flags.save !== undefined) requireWritable(flags.save);
    const reads = chosen.some(({ needs }) => needs === 'mnist');
    const data = reads ? (await readMnist({ folder: flags.data })).folder : '';
    const context: BenchContext = { threads: availableParallelism(), data, staged: null, device: 'cuda' };
    if (!flags.profile) return measureAll(chosen, context, flags);
    print(describeGpu());
    await profileRows(chosen, context);
}

const command = new Command('bench:gpu')
    .showSuggestionAfterError(false)
    .description(
        'Times products, convolutions, training steps and many models on a GPU next to PyTorch op by op, by torch.compile and as a CUDA graph.',
    )
    .argument(
        '[rows...]',
        `groups (${groupsOf(GPU_BENCHMARKS).join(', ')}) or single rows; all when left out`,
    )
    .option('--list', 'print the names of the rows and measure nothing')
    .option('--json', 'the last line of stdout is an array of rows')
    .option('--save <file>', 'write the rows, the command, the commit and the machine to a JSON file')
    .option('--python <path>', 'a Python that has torch with CUDA', 'python3')
    .option('--rounds <n>', 'rounds that count', positive, 9)
    .option('--data <folder>', 'folder of the MNIST files')
    .option('--no-compile', "leave out torch.compile's variants, which take half a minute to set up")
    .addOption(
        new Option(
            '--profile',
            'time, bytes and share of the memory bandwidth of each call of a training step, and nothing else',
        ).conflicts(['try', 'json', 'save']),
    )
    .option('--try', 'one short turn with PyTorch on the CPU: shows that a row runs, on the simulator, too')
    .addHelpText(
        'after',
        '\nColumns: minimum, median and median distance from it over the rounds; GFLOP/s (GB/s where the work is to move' +
            '\nbytes). Every round gives each side one turn, which ends when the GPU is done. The rows of ceilings show what the' +
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
