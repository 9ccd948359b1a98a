import type { Device, ProgramCall } from '../../lib/index.js';
import type { StagedPackage } from './staged_package.js';

/** One side of a comparison: it can run its work again and again and says what that took. */
export interface Subject {
    /** `nativegrad` for ours; the key of the row's `variants` or `peers` else. */
    readonly key: string;
    /** Runs `count` units of work (steps, calls, processes); resolves to their seconds, or to bytes where those are measured. */
    run(count: number): Promise<number>;
    /** What each call of one unit of work takes, where that is a captured step: the mean over so many of them. */
    profile?(steps: number): readonly ProgramCall[];
    close?(): Promise<void> | void;
}

export type Framework = 'torch' | 'jax' | 'tfjs';

/** Work for a long-lived peer, in the manner of `timeit`. */
export interface PeerCalls {
    readonly framework: Framework;
    /** Runs once; its variables are seen by the rest. `THREADS`, `DATA` (folder of MNIST) and `DEVICE` are there already. */
    readonly setup: string;
    /** Runs once for each unit of work. It must not assign a variable of `setup`. */
    readonly statement: string;
    /** Runs at the end of each turn, within the time: waits for what is still under way. */
    readonly finish?: string;
    /** A context manager around the turn, such as `torch.inference_mode()`. */
    readonly within?: string;
    /** Needs half a minute to set up: left out with --no-compile. */
    readonly compiles?: true;
}

/** Work for a Python process of its own, started anew each time: a file of `fresh/`. */
export interface PeerScript {
    readonly framework: Framework;
    readonly script: string;
}

export type PeerWork = PeerCalls | PeerScript;

/** What our side needs to set itself up. */
export interface BenchContext {
    readonly threads: number;
    /** Folder of the MNIST files; empty unless a chosen row `needs` it. */
    readonly data: string;
    /** The package as a user has it; null unless a chosen row `needs` it. */
    readonly staged: StagedPackage | null;
    /** Where our side computes. Default: cpu. */
    readonly device?: Device;
}

/** One row of the bench. */
export interface Benchmark {
    /** What is typed on the command line to get this row and those like it. */
    readonly group: string;
    readonly name: string;
    readonly unit: string;
    /** What one second (or byte) for one unit of work is in `unit`: 1000 gives milliseconds a step. */
    readonly scale: number;
    /** Units of work in one turn; left out, as many as take our side 40 ms. */
    readonly turn?: number;
    /** Rounds where one more would show nothing new. */
    readonly rounds?: number;
    /** Floating-point operations of one unit of work; null where no fraction of the peak makes sense. */
    readonly flops: number | null;
    /** Bytes that one unit of work has to read and write, each once. */
    readonly bytes?: number;
    /** Units in an epoch, where there is one. */
    readonly epoch?: number;
    readonly needs?: 'mnist' | 'package';
    /** Peer key -> its work. */
    readonly peers: Readonly<Record<string, PeerWork>>;
    /** Other ways of ours to the same end, which take their turns beside it. */
    readonly variants?: Readonly<Record<string, (context: BenchContext) => Promise<Subject> | Subject>>;
    ours(context: BenchContext): Promise<Subject> | Subject;
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
