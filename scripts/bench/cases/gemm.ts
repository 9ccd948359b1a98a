import { randn, Tensor, type DType } from '../../../lib/index.js';
import { run } from '../../../lib/native/call.js';
import { denseFlops, type Benchmark } from '../benchmark.js';
import { callSubject, torchKernel } from './calls.js';

/** Whether the first and the second operand are taken transposed (T) or as they lie (N). */
type Transposes = 'nn' | 'nt' | 'tn';

export interface Product {
    readonly kind: Transposes;
    readonly m: number;
    readonly n: number;
    readonly k: number;
}

const LAYERS = [
    [784, 256],
    [256, 128],
    [128, 10],
] as const;
export const LAYER_BATCHES = [64, 128, 256, 512, 1024];

/** The products of a training step of the MLP: y = x W^T, dx = dy W (not for the first layer), dW = dy^T x. */
export function layerProducts(batch: number): Product[] {
    return LAYERS.flatMap(([inputs, outputs], layer): Product[] => [
        { kind: 'nt', m: batch, n: outputs, k: inputs },
        ...(layer === 0 ? [] : [{ kind: 'nn', m: batch, n: inputs, k: outputs } as const]),
        { kind: 'tn', m: outputs, n: inputs, k: batch },
    ]);
}

// a [M, K] or, transposed, [K, M]; b [K, N] or [N, K] -> c [M, N], written in place on both sides
function product(name: string, { kind, m, n, k }: Product, dtype: DType = 'float32'): Benchmark {
    const [transposeA, transposeB] = [kind.startsWith('t'), kind.endsWith('t')];
    const [shapeA, shapeB] = [transposeA ? [k, m] : [m, k], transposeB ? [n, k] : [k, n]];
    const inDtype = `, dtype=torch.${dtype})`;
    const operands = [
        `a = torch.randn(${shapeA.join()}${inDtype}`,
        `b = torch.randn(${shapeB.join()}${inDtype}`,
    ];
    if (transposeA) operands.push('a = a.t()');
    if (transposeB) operands.push('b = b.t()');
    return {
        group: 'gemm',
        name,
        unit: 'us/call',
        scale: 1e6,
        flops: m * denseFlops(k, n),
        peers: {
            pytorch: torchKernel(
                [...operands, `out = torch.empty(${m}, ${n}${inDtype}`],
                'torch.mm(a, b, out=out)',
            ),
        },
        ours: (context) => {
            const [a, b] = [randn(shapeA).to(dtype), randn(shapeB).to(dtype)];
            const out = new Tensor([m, n], dtype);
            const parameters = [Number(transposeA), Number(transposeB)];
            return callSubject(context, () => run('matmul', [a, b], [out], parameters));
        },
    };
}

export const gemm: readonly Benchmark[] = [
    ...[512, 1024, 2048].map((size) =>
        product(`gemm_f32_${size}`, { kind: 'nn', m: size, n: size, k: size }),
    ),
    ...[512, 1024, 2048].map((size) =>
        product(`gemm_bf16_${size}`, { kind: 'nn', m: size, n: size, k: size }, 'bfloat16'),
    ),
    ...LAYER_BATCHES.flatMap(layerProducts).map((shape) =>
        product(`gemm_f32_${shape.kind}_${shape.m}x${shape.n}x${shape.k}`, shape),
    ),
];
