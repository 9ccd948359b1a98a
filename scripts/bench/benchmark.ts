import type { MnistData } from '../../lib/data/mnist_files.js';

/** One side of a comparison: it can run its work again and again and says how long that took. */
export interface Subject {
    /** `nativegrad` for ours; the key of the row's `peers` else. */
    readonly key: string;
    /** Runs `count` units of work (steps, calls) and resolves to the seconds they took. */
    run(count: number): Promise<number>;
    close?(): void;
}

/** What our side needs to set itself up. */
export interface BenchContext {
    readonly threads: number;
    readonly mnist: MnistData;
}

/** One row of the bench. The peers' variants are those of `pytorch_peer.py`. */
export interface Benchmark {
    /** What is typed on the command line, and the peer's name for it. */
    readonly key: string;
    readonly name: string;
    readonly unit: string;
    /** What one unit of `count` is worth in `unit`: 1000 gives milliseconds a step. */
    readonly scale: number;
    /** Units of work in one turn. */
    readonly turn: number;
    /** Floating-point operations of one unit of work; null where no fraction of the peak makes sense. */
    readonly flops: number | null;
    /** Units in an epoch, where there is one. */
    readonly epoch?: number;
    /** Peer key -> variant of the peer. */
    readonly variants: Readonly<Record<string, string>>;
    ours(context: BenchContext): Promise<Subject>;
}

/** A layer's forward operations per sample, 2 a multiply-add. */
export const denseFlops = (inputs: number, outputs: number): number => 2 * inputs * outputs;

/** A convolution's forward operations per sample with a square kernel. */
export const convFlops = (inputs: number, outputs: number, kernel: number, pixels: number): number =>
    2 * kernel * kernel * inputs * outputs * pixels;

/** Forward, weight gradient and input gradient of every layer; the first has no input gradient. */
export function trainFlops(batch: number, layers: readonly number[]): number {
    const forward = layers.reduce((sum, flops) => sum + flops, 0);
    return batch * (3 * forward - (layers[0] ?? 0));
}
