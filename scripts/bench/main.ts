import { availableParallelism } from 'node:os';

import { Command, InvalidArgumentError } from 'commander';

import { DataFileError } from '../../lib/data/data_file_error.js';
import { readMnist } from '../../lib/data/mnist_files.js';
import type { BenchContext, Benchmark } from './benchmark.js';
import { BENCHMARKS } from './cases/index.js';
import { describeHost } from './host.js';
import { measurePeak } from './peak.js';
import type { PeerProcess } from './peer_process.js';
import { peerSubjects, startPyTorch } from './peers.js';
import { describeRow } from './report.js';
import { runRounds } from './rounds.js';
import { makeRow } from './statistics.js';
import type { Row } from './statistics.js';

interface Flags {
    readonly json?: true;
    readonly python: string;
    readonly rounds: number;
    readonly threads: number;
    readonly data?: string;
    readonly compile: boolean;
}

function positive(text: string): number {
    const value = Number(text);
    if (!Number.isInteger(value) || value < 1)
        throw new InvalidArgumentError('expected a whole number above 0');
    return value;
}

function chosen(keys: readonly string[]): Benchmark[] {
    const known = BENCHMARKS.map(({ key }) => key);
    const unknown = keys.find((key) => !known.includes(key));
    if (unknown !== undefined)
        throw new InvalidArgumentError(`no benchmark ${unknown}; there are ${known.join(', ')}`);
    return keys.length === 0 ? [...BENCHMARKS] : BENCHMARKS.filter(({ key }) => keys.includes(key));
}

const say = (text: string): void => void process.stderr.write(`${text}\n`);
const print = (text: string): void => void process.stdout.write(`${text}\n`);

async function measure(
    benchmark: Benchmark,
    peer: PeerProcess | null,
    context: BenchContext,
    flags: Flags,
): Promise<Row> {
    const ours = await benchmark.ours(context);
    try {
        const peers = await peerSubjects(peer, benchmark, context, { compile: flags.compile, say });
        const found = await runRounds([ours, ...peers], {
            rounds: flags.rounds,
            turn: benchmark.turn,
            peak: () => measurePeak(context.threads),
        });
        const row = makeRow(benchmark, found.seconds, found.peaks);
        print(`${describeRow(benchmark, row, found)}\n`);
        return row;
    } finally {
        ours.close?.();
    }
}

async function run(keys: readonly string[], flags: Flags): Promise<void> {
    const benchmarks = chosen(keys);
    const mnist = await readMnist({ folder: flags.data });
    const peer = await startPyTorch(flags.python, say);
    try {
        const versions = peer ? `, PyTorch ${peer.version}` : '';
        print(`${describeHost()}, ${flags.threads} threads, Node ${process.version}${versions}\n`);
        const rows: Row[] = [];
        for (const benchmark of benchmarks) {
            rows.push(await measure(benchmark, peer, { threads: flags.threads, mnist }, flags));
        }
        if (flags.json) print(JSON.stringify(rows));
    } finally {
        peer?.close();
    }
}

const command = new Command('bench')
    .description('Times our training steps and those of PyTorch in alternating turns.')
    .argument('[benchmarks...]', `any of ${BENCHMARKS.map(({ key }) => key).join(', ')}; all when left out`)
    .option('--json', 'the last line of stdout is an array of rows')
    .option('--python <path>', 'a Python that has torch', 'python3')
    .option('--rounds <n>', 'rounds that count, at least 9 for a figure to report', positive, 9)
    .option('--threads <n>', 'threads on both sides', positive, availableParallelism())
    .option('--data <folder>', 'folder of the MNIST files')
    .option('--no-compile', "leave out torch.compile's variants, which take half a minute to set up")
    .action(async (keys: string[], flags: Flags) => run(keys, flags));

try {
    await command.exitOverride().parseAsync();
} catch (error) {
    const word = error as { code?: string; exitCode?: number };
    if (word.code === 'commander.helpDisplayed') process.exitCode = 0;
    else if (error instanceof InvalidArgumentError || error instanceof DataFileError) {
        say(`bench: ${error.message}`);
        process.exitCode = 2;
    } else if (word.code?.startsWith('commander.')) process.exitCode = 2;
    else throw error;
}
