import { readFileSync } from 'node:fs';

/** A tensor of test/golden/ops.json; the schema is at the head of scripts/reference/golden_ops.py. */
export interface GoldenTensor {
    readonly dtype: string;
    readonly shape: readonly number[];
    readonly data: readonly (number | string)[];
}

export interface GoldenScalar {
    readonly scalar: number;
}

export type GoldenOptions = Readonly<Record<string, unknown>>;

export interface GoldenRow {
    readonly op: string;
    readonly case: string;
    readonly inputs: readonly (GoldenTensor | GoldenScalar | null)[];
    readonly options?: GoldenOptions;
    readonly outputs?: readonly GoldenTensor[];
    readonly grads?: readonly (GoldenTensor | null)[];
    readonly error?: true;
}

export interface GoldenGradient {
    readonly name: string;
    readonly shape: readonly number[];
    readonly l2: number;
    readonly sum: number;
    readonly max: number;
    readonly indices: readonly number[];
    readonly values: readonly number[];
    readonly gap: number;
}

interface BothTypes<T> {
    readonly float32: T;
    readonly float64: T;
}

/** What PyTorch computed for one network; the schema is at the head of scripts/reference/golden_losses.py. */
export interface GoldenNet {
    readonly batch_size: number;
    readonly learning_rate: number;
    readonly steps: number;
    readonly losses: BothTypes<readonly number[]>;
    readonly eval_loss: BothTypes<number>;
    readonly gradients: readonly GoldenGradient[];
    readonly buffers: Readonly<Record<string, BothTypes<number | readonly number[]>>>;
}

export interface GoldenLosses {
    readonly hash_check: readonly number[];
    readonly nets: { readonly mlp: GoldenNet; readonly cnn: GoldenNet };
}

function readJson(name: string): unknown {
    return JSON.parse(readFileSync(new URL(`../golden/${name}`, import.meta.url), 'utf8'));
}

export function readGoldenOps(): readonly GoldenRow[] {
    return (readJson('ops.json') as { rows: GoldenRow[] }).rows;
}

export function readGoldenLosses(): GoldenLosses {
    return readJson('losses.json') as GoldenLosses;
}

/** The file writes NaN and infinities as words. */
export function goldenNumbers(tensor: GoldenTensor): number[] {
    return tensor.data.map(Number);
}
