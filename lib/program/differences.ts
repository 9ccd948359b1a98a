import { binaryCode, compareCode, reduceCode, run, type ReduceName } from '../native/call.js';
import { scope } from '../autograd/scope.js';
import { dtypeCode, type DType } from '../tensor/dtype.js';
import { Tensor } from '../tensor/tensor.js';

/** Elements of two tensors of one shape and dtype that differ. */
export interface Differences {
    /** The largest one. */
    readonly largest: number;
    /** How many are larger than `allowed`. */
    readonly beyond: number;
    /** The largest difference between `exact` and `before`, or 0. */
    readonly move: number;
}

export interface Compared {
    readonly exact: Tensor;
    readonly fused: Tensor;
    readonly before?: Tensor | undefined;
}

/** 0 where both are the same, or NaN; Infinity where only one is. */
function distance(a: number, b: number): number {
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return 0;
    const result = Math.abs(a - b);
    return Number.isNaN(result) ? Infinity : result;
}

/** One by one: for values that are not finite, and dtypes that the ops would round. */
function countedDifferences({ exact, fused, before }: Compared, allowed: number): Differences {
    const [wanted, got, old] = [exact.dataSync(), fused.dataSync(), before?.dataSync()];
    let [largest, beyond, move] = [0, 0, 0];
    for (let i = 0; i < wanted.length; i++) {
        const off = distance(Number(wanted[i]), Number(got[i]));
        if (off > allowed) beyond++;
        largest = Math.max(largest, off);
        if (old) move = Math.max(move, distance(Number(wanted[i]), Number(old[i])));
    }
    return { largest, beyond, move };
}

function reduced(name: ReduceName, x: Tensor, dtype: DType): number {
    const out = new Tensor([], dtype);
    run('reduce', [x], [out], [reduceCode(name), 0, x.rank, ...x.shape.map((_, axis) => axis)]);
    return out.item();
}

function minus(a: Tensor, b: Tensor): Tensor {
    const out = new Tensor(a.shape, a.dtype);
    run('binary', [a, b], [out], [binaryCode('sub'), 0, 0]);
    return out;
}

function countBeyond(off: Tensor, allowed: number): number {
    let count = 0;
    for (const [name, limit] of [
        ['gt', allowed],
        ['lt', -allowed],
    ] as const) {
        const isBeyond = new Tensor(off.shape, 'bool');
        run('compare', [off, limit], [isBeyond], [compareCode(name), dtypeCode(off.dtype)]);
        count += reduced('count_nonzero', isBeyond, 'int64');
    }
    return count;
}

const isWide = ({ dtype, size }: Tensor): boolean => size > 0 && (dtype === 'float32' || dtype === 'float64');

/** How far `fused` is from `exact`. */
export function differencesOf(compared: Compared, allowed: number): Differences {
    const { exact, fused, before } = compared;
    if (!isWide(exact)) return countedDifferences(compared, allowed);
    return scope(() => {
        const off = minus(exact, fused);
        const largest = reduced('abs_max', off, off.dtype);
        const move = before ? reduced('abs_max', minus(exact, before), exact.dtype) : 0;
        if (!Number.isFinite(largest) || !Number.isFinite(move)) return countedDifferences(compared, allowed);
        return { largest, beyond: largest > allowed ? countBeyond(off, allowed) : 0, move };
    });
}

/** The largest finite magnitude of an element; 0 where there is none. */
export function magnitudeOf(x: Tensor): number {
    const quick = isWide(x) ? scope(() => reduced('abs_max', x, x.dtype)) : NaN;
    if (Number.isFinite(quick)) return quick;
    const data = x.dataSync();
    let largest = 0;
    for (let i = 0; i < data.length; i++) {
        const magnitude = Math.abs(Number(data[i]));
        if (magnitude > largest && magnitude < Infinity) largest = magnitude;
    }
    return largest;
}
