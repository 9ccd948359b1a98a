/**
 * Times products, convolutions and conversions in bfloat16 against the same in float32, in turn and on one thread:
 * `npx tsx scripts/bench/bf16_ops.ts [name part] [rounds]`.
 *
 * Columns: GFLOP/s in float32 and bfloat16 (conversions: GB/s read and written once), from the least processor time of the
 * rounds; the shares of the float32 peak of the run and of twice that, which `vdpbf16ps` can reach; the ratio.
 */
import { randn, setThreads, Tensor } from '../../lib/index.js';
import { run } from '../../lib/native/call.js';
import type { DType } from '../../lib/index.js';
import { measurePeak } from './peak.js';

const wanted = process.argv[2] ?? '';
const rounds = Number(process.argv[3] ?? 15);
const BATCH = 128;

interface Case {
    readonly name: string;
    readonly flops: number;
    /** The call on operands of that dtype. */
    readonly prepare: (dtype: DType) => () => void;
}

function product(kind: string, m: number, n: number, k: number): Case {
    const [ta, tb] = [kind.startsWith('T'), kind[1] === 'T'];
    return {
        name: `${kind} ${m}x${n}x${k}`,
        flops: 2 * m * n * k,
        prepare: (dtype) => {
            const a = randn(ta ? [k, m] : [m, k]).to(dtype);
            const b = randn(tb ? [n, k] : [k, n]).to(dtype);
            const out = new Tensor([m, n], dtype);
            return () => run('matmul', [a, b], [out], [Number(ta), Number(tb)]);
        },
    };
}

/** The products of the MLP 784-256-128-10: forward, then the gradients of the input and of the weights. */
function mlp(batch: number): Case[] {
    const layers = [
        [784, 256],
        [256, 128],
        [128, 10],
    ] as const;
    return layers.flatMap(([ins, outs]) => [
        product('NT', batch, outs, ins),
        product('NN', batch, ins, outs),
        product('TN', outs, ins, batch),
    ]);
}

const pair = (value: number): number[] => [2, value, value];
const geometry = [...pair(1), 4, 1, 1, 1, 1, ...pair(1), 1];

/** [N, C, H, W] with C fastest: what a pointwise convolution makes. */
function images(channels: number, side: number, dtype: DType): Tensor {
    const out = new Tensor([BATCH, channels, side, side], dtype);
    const operands = [randn([BATCH, 1, side, side]).to(dtype), randn([channels, 1, 1, 1]).to(dtype)];
    run('conv2d', operands, [out], [...pair(1), 4, 0, 0, 0, 0, ...pair(1), 1]);
    return out;
}

function convolutions(channels: number, outs: number, side: number): Case[] {
    const flops = 2 * 9 * channels * outs * side * side * BATCH;
    const passes = ['forward', 'dx', 'dw'].map((pass) => ({
        name: `conv ${channels}-${outs} ${side}x${side} ${pass}`,
        flops,
        prepare: (dtype: DType) => {
            const [x, y] = [images(channels, side, dtype), images(outs, side, dtype)];
            const w = randn([outs, channels, 3, 3]).to(dtype);
            if (pass === 'forward') return () => run('conv2d', [x, w], [y], geometry);
            if (pass === 'dx') return () => run('conv2d_backward_input', [y, w], [x], geometry);
            const dw = new Tensor(w.shape, 'float32');
            return () => run('conv2d_backward_weight', [x, y], [dw], geometry);
        },
    }));
    return passes.filter(({ name }) => channels > 1 || !name.endsWith('dx'));
}

/** Nanoseconds of the processor for one call. */
function time(call: () => void, repeats: number): number {
    const before = process.cpuUsage();
    for (let i = 0; i < repeats; i++) call();
    const { user, system } = process.cpuUsage(before);
    return ((user + system) * 1000) / repeats;
}

/** The least times of calls made in turn. */
function inTurn(calls: readonly (() => void)[], repeats: number): number[] {
    const least = calls.map(() => Infinity);
    for (let round = -1; round < rounds; round++) {
        calls.forEach((call, i) => {
            const taken = time(call, repeats);
            if (round >= 0) least[i] = Math.min(least[i] ?? Infinity, taken);
        });
    }
    return least;
}

function conversions(size: number): void {
    const wide = randn([size]);
    const [narrow, back] = [new Tensor([size], 'bfloat16'), new Tensor([size], 'float32')];
    const calls = [
        () => run('copy', [wide], [narrow]),
        () => run('copy', [narrow], [back]),
        () => run('copy', [wide], [back]),
    ];
    const [down = 0, up = 0, copy = 0] = inTurn(calls, Math.ceil(4e6 / size));
    const rate = (bytes: number, taken: number): string => `${((bytes * size) / taken).toFixed(0)} GB/s`;
    console.log(
        `convert ${size}: to bfloat16 ${rate(6, down)}, to float32 ${rate(6, up)}, copy of float32 ${rate(8, copy)}`,
    );
}

setThreads(1);
const peak = measurePeak(1);
console.log(`peak ${peak.toFixed(0)} GFLOP/s`);
const cases = [
    ...[256, 512, 1024, 2048].map((side) => product('NN', side, side, side)),
    ...['NT', 'TN'].map((kind) => product(kind, 1024, 1024, 1024)),
    ...[64, 256, 1024].flatMap(mlp),
    ...convolutions(32, 64, 14),
    ...convolutions(1, 32, 28),
];
for (const { name, flops, prepare } of cases.filter((one) => one.name.includes(wanted))) {
    const repeats = Math.ceil(3e8 / flops);
    const [wide = 0, narrow = 0] = inTurn([prepare('float32'), prepare('bfloat16')], repeats).map(
        (taken) => flops / taken,
    );
    const share = (rate: number, of: number): string => `${((100 * rate) / of).toFixed(0)} %`.padStart(5);
    console.log(
        `${name.padEnd(26)} ${wide.toFixed(0).padStart(4)} ${narrow.toFixed(0).padStart(4)} ` +
            `${share(wide, peak)} ${share(narrow, 2 * peak)}  ${(narrow / wide).toFixed(2)}`,
    );
}
if ('convert'.includes(wanted)) [65_536, 1_048_576, 16_777_216].forEach(conversions);
