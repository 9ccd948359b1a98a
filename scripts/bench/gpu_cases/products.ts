import { randn, type Tensor } from '../../../lib/index.js';
import { run } from '../../../lib/native/call.js';
import { denseFlops, type BenchContext, type Benchmark, type Subject } from '../benchmark.js';
import { layerProducts, type Product } from '../cases/gemm.js';
import type { Precision } from '../cases/training.js';
import { DTYPES, repeatedSubject, torchRepeated } from './repeated.js';
import type { Sizes } from './sizes.js';

// a [M, K] or, transposed, [K, M]; b [K, N] or [N, K] -> c [M, N]
function ours(
    { kind, m, n, k }: Product,
    precision: Precision,
    times: number,
    context: BenchContext,
): Subject {
    const [transposeA, transposeB] = [kind.startsWith('t'), kind.endsWith('t')];
    const [dtype, device] = [DTYPES[precision], context.device ?? 'cpu'];
    const make = (rows: number, columns: number): Tensor => randn([rows, columns], { device }).to(dtype);
    const a = transposeA ? make(k, m) : make(m, k);
    const b = transposeB ? make(n, k) : make(k, n);
    const outs = Array.from({ length: times }, () => make(m, n));
    return repeatedSubject(context, times, (i) => {
        run('matmul', [a, b], [outs[i]], [Number(transposeA), Number(transposeB)]);
    });
}

function productRow(
    group: string,
    name: string,
    product: Product,
    precision: Precision,
    times: number,
): Benchmark {
    const { kind, m, n, k } = product;
    const words = `${m}, ${n}, ${k}, '${kind}', '${precision}', ${times}, DEVICE`;
    return {
        group,
        name,
        unit: times === 1 ? 'us/call' : `us/${times} calls`,
        scale: 1e6,
        flops: times * m * denseFlops(k, n),
        peers: {
            cublas: torchRepeated(`product(${words}, 'cublas')`),
            cublaslt: torchRepeated(`product(${words}, 'cublaslt')`),
        },
        ours: (context) => ours(product, precision, times, context),
    };
}

/** The products of the MLP's steps, and one that shows what the GPU can do at most. */
export const productRows = ({ largest: size, productBatches, repeated }: Sizes): readonly Benchmark[] => [
    productRow('ceilings', `gpu_gemm_bf16_${size}`, { kind: 'nn', m: size, n: size, k: size }, 'bf16', 1),
    ...(['f16', 'f32'] as const).flatMap((precision) =>
        productBatches
            .flatMap(layerProducts)
            .map((product) =>
                productRow(
                    'gemm',
                    `gpu_gemm_${precision}_${product.kind}_${product.m}x${product.n}x${product.k}`,
                    product,
                    precision,
                    repeated,
                ),
            ),
    ),
];
