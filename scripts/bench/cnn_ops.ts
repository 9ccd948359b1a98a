/**
 * Times every op of the MNIST CNN's training step (batch 128) alone, at its shapes, through the native call that the
 * library makes, into outputs that exist already: `npx tsx scripts/bench/cnn_ops.ts [threads] [rounds] [name part]`.
 *
 * Operands are channels last, as a convolution leaves them. Columns: minimum and median over the rounds, then what the
 * minimum means in GFLOP/s (convolutions and products) or GB/s (bytes read and written once).
 */
import { fullLike, randn, setThreads, Tensor, zeros } from '../../lib/index.js';
import { binaryCode, run, unaryCode } from '../../lib/native/call.js';
import { measurePeak } from './peak.js';

const BATCH = 128;
const threads = Number(process.argv[2] ?? 2);
const rounds = Number(process.argv[3] ?? 15);
const wanted = process.argv[4] ?? '';

interface OpCase {
    readonly name: string;
    /** Floating-point operations, or bytes read and written once. */
    readonly flops?: number;
    readonly bytes?: number;
    readonly call: () => void;
}

const pair = (value: number): number[] => [2, value, value];
const convolution = [...pair(1), 4, 1, 1, 1, 1, ...pair(1), 1];
const pooling = [...pair(2), ...pair(2), ...pair(0), ...pair(1)];
const normalisation = [0.1, 1e-5, 1, 1];
const FLOAT = 4;

/** [N, C, H, W] with C fastest: what a pointwise convolution makes. */
function images(channels: number, side: number): Tensor {
    const out = new Tensor([BATCH, channels, side, side], 'float32');
    run(
        'conv2d',
        [randn([BATCH, 1, side, side]), randn([channels, 1, 1, 1])],
        [out],
        [...pair(1), 4, 0, 0, 0, 0, ...pair(1), 1],
    );
    return out;
}

const like = (x: Tensor): Tensor => fullLike(x, 0);

function convolutionCases(channels: number, outs: number, side: number): OpCase[] {
    const x = images(channels, side);
    const w = randn([outs, channels, 3, 3]);
    const bias = randn([outs]);
    const y = images(outs, side);
    const [dx, dw, db] = [like(x), like(w), like(bias)];
    const statistics = [0, 1].map(() => zeros([outs], { dtype: 'float64' }));
    const flops = 2 * 9 * channels * outs * side * side * BATCH;
    const name = `conv ${channels}-${outs} ${side}x${side}`;
    return [
        { name: `${name} forward`, flops, call: () => run('conv2d', [x, w, bias], [y], convolution) },
        {
            name: `${name} and statistics`,
            flops,
            call: () => run('conv2d_statistics', [x, w, bias], [y, ...statistics], convolution),
        },
        {
            name: `${name} dw, db`,
            flops,
            call: () => run('conv2d_backward_weight', [x, y], [dw, db], convolution),
        },
        { name: `${name} dx`, flops, call: () => run('conv2d_backward_input', [y, w], [dx], convolution) },
    ].filter((_, i) => channels > 1 || i < 3);
}

/** Batch norm, ReLU and pooling behind a convolution. */
function surroundingCases(channels: number, side: number): OpCase[] {
    const [x, y, z, dy, dx] = [0, 0, 0, 0, 0].map(() => images(channels, side)) as [
        Tensor,
        Tensor,
        Tensor,
        Tensor,
        Tensor,
    ];
    const pooled = images(channels, side / 2);
    const dpooled = images(channels, side / 2);
    const index = new Tensor(pooled.shape, 'uint8');
    run('max_pool2d', [x], [pooled, index], pooling);
    const [mean, inverse, weight, bias, runningMean, runningVar, dweight, dbias] = Array.from(
        { length: 8 },
        () => zeros([channels]).add(1),
    ) as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
    const statistics = [mean, inverse, runningMean, runningVar];
    const big = x.size * FLOAT;
    const at = `${channels} x ${side}x${side}`;
    const relu = [unaryCode('relu'), 0, 0];
    const reluBackward = [binaryCode('relu_backward'), 0, 0];
    return [
        { name: `copy ${at}`, bytes: 2 * big, call: () => run('copy', [x], [y]) },
        {
            name: `batch_norm ${at}`,
            bytes: 2 * big,
            call: () =>
                run(
                    'batch_norm',
                    [x, weight, bias],
                    [y, mean, inverse, runningMean, runningVar],
                    normalisation,
                ),
        },
        {
            name: `batch_norm_backward ${at}`,
            bytes: 3 * big,
            call: () =>
                run(
                    'batch_norm_backward',
                    [dy, x, mean, inverse, weight],
                    [dx, dweight, dbias],
                    normalisation,
                ),
        },
        { name: `relu ${at}`, bytes: 2 * big, call: () => run('unary', [y], [z], relu) },
        {
            name: `relu_backward ${at}`,
            bytes: 3 * big,
            call: () => run('binary', [z, dy], [dx], reluBackward),
        },
        {
            name: `max_pool2d ${at}`,
            bytes: big + 1.25 * pooled.size * FLOAT,
            call: () => run('max_pool2d', [z], [pooled, index], pooling),
        },
        {
            name: `max_pool2d_backward ${at}`,
            bytes: big + 1.25 * pooled.size * FLOAT,
            call: () => run('max_pool2d_backward', [dpooled, index], [dx], pooling),
        },
        {
            name: `batch_norm_relu ${at}`,
            bytes: 2 * big,
            call: () => run('batch_norm_relu', [x, weight, bias], [z, ...statistics], normalisation),
        },
        {
            name: `  and pool ${at}`,
            bytes: big + 1.25 * pooled.size * FLOAT,
            call: () =>
                run('batch_norm_relu_pool', [x, weight, bias], [pooled, index, ...statistics], normalisation),
        },
        {
            name: `  and pool, backward ${at}`,
            bytes: 2 * big + 2.25 * pooled.size * FLOAT,
            call: () =>
                run(
                    'batch_norm_relu_pool_backward',
                    [dpooled, pooled, index, x, mean, inverse, weight],
                    [dx, dweight, dbias],
                    normalisation,
                ),
        },
    ];
}

function linearCases(ins: number, outs: number): OpCase[] {
    const [x, w, bias, y] = [randn([BATCH, ins]), randn([outs, ins]), randn([outs]), randn([BATCH, outs])];
    const [dx, dw, db] = [like(x), like(w), like(bias)];
    const flops = 2 * BATCH * ins * outs;
    const name = `linear ${ins}-${outs}`;
    return [
        { name: `${name} forward`, flops, call: () => run('linear', [x, w, bias], [y]) },
        { name: `${name} dx`, flops, call: () => run('matmul', [y, w], [dx], [0, 0]) },
        { name: `${name} dw`, flops, call: () => run('matmul', [y, x], [dw], [1, 0]) },
        { name: `${name} db`, bytes: y.size * FLOAT, call: () => run('reduce', [y], [db], [0, 0, 1, 0]) },
    ];
}

function endCases(): OpCase[] {
    const [p, g, m, v] = [0, 0, 0, 0].map(() => randn([421_834])) as [Tensor, Tensor, Tensor, Tensor];
    const scores = randn([BATCH, 10]);
    const loss = scores.logSoftmax(1);
    const rows = zeros([BATCH, 64, 7, 7]);
    const nhwc = images(64, 7);
    return [
        {
            name: 'adam_step 421834',
            bytes: 7 * p.size * FLOAT,
            call: () => run('adam_step', [], [p, g, m, v], [1e-3, 0.9, 0.999, 1e-8, 0, 1, 0, 0, 0]),
        },
        {
            name: 'softmax 128x10',
            bytes: 2 * scores.size * FLOAT,
            call: () => run('softmax', [scores], [loss], [1, 1]),
        },
        {
            name: 'flatten 64 x 7x7',
            bytes: 2 * rows.size * FLOAT,
            call: () => run('contiguous', [nhwc], [rows]),
        },
    ];
}

/** Milliseconds: of the processor on one thread, so that other work on the machine counts less; else of the clock. */
function time(call: () => void): number {
    if (threads > 1) {
        const start = performance.now();
        call();
        return performance.now() - start;
    }
    const before = process.cpuUsage();
    call();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
}

setThreads(threads);
const cases = [
    ...convolutionCases(1, 32, 28),
    ...surroundingCases(32, 28),
    ...convolutionCases(32, 64, 14),
    ...surroundingCases(64, 14),
    ...linearCases(3136, 128),
    ...linearCases(128, 10),
    ...endCases(),
].filter(({ name }) => name.includes(wanted));
const times = cases.map((): number[] => []);
const peaks: number[] = [];
for (let round = -2; round < rounds; round++) {
    if (round >= 0 && round % 5 === 0) peaks.push(measurePeak(threads));
    cases.forEach(({ call }, i) => {
        // The second call finds its operands where a step would have left them: in the last-level cache.
        call();
        for (let again = 0; again < 3; again++) {
            const taken = time(call);
            if (round >= 0) times[i]?.push(taken);
        }
    });
}
console.log(`${threads} threads, peak ${Math.max(...peaks).toFixed(0)} GFLOP/s`);
let [least, typical] = [0, 0];
cases.forEach(({ name, flops, bytes }, i) => {
    const sorted = (times[i] ?? []).sort((a, b) => a - b);
    const first = sorted[0] ?? 0;
    const middle = sorted[sorted.length >> 1] ?? 0;
    least += first;
    typical += middle;
    const rate =
        flops === undefined
            ? `${((bytes ?? 0) / first / 1e6).toFixed(1)} GB/s`
            : `${(flops / first / 1e6).toFixed(0)} GFLOP/s`;
    console.log(
        `${name.padEnd(34)} ${first.toFixed(3).padStart(8)} ${middle.toFixed(3).padStart(8)} ms ${rate.padStart(14)}`,
    );
});
console.log(`${'all'.padEnd(34)} ${least.toFixed(3).padStart(8)} ${typical.toFixed(3).padStart(8)} ms`);
