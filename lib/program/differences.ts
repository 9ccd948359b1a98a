import { binaryCode, reduceCode, run, type ReduceName } from '../native/call.js';
import { scope } from '../autograd/scope.js';
import { Tensor, type TensorData } from '../tensor/tensor.js';

/** 0 where both are the same, or NaN; Infinity where only one is. */
export function distance(a: number, b: number): number {
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return 0;
    const result = Math.abs(a - b);
    return Number.isNaN(result) ? Infinity : result;
}

function bytesOf(data: TensorData): Buffer {
    return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

/** int64 is subtracted before it is rounded. */
function elementDistance(a: number | bigint, b: number | bigint): number {
    const isWhole = typeof a === 'bigint' && typeof b === 'bigint';
    return isWhole ? Math.abs(Number(a - b)) : distance(Number(a), Number(b));
}

/** The largest difference between two lists of numbers; 0 for 0 and -0 and where both are NaN, Infinity where one is. */
export function largestDifference(a: TensorData, b: TensorData): number {
    if (bytesOf(a).equals(bytesOf(b))) return 0;
    let largest = 0;
    for (let i = 0; i < a.length; i++) largest = Math.max(largest, elementDistance(a[i] ?? NaN, b[i] ?? NaN));
    return largest;
}

function reduced(name: ReduceName, x: Tensor): number {
    const out = new Tensor([], x.dtype);
    run('reduce', [x], [out], [reduceCode(name), 0, x.rank, ...x.shape.map((_, axis) => axis)]);
    return out.item();
}

function minus(a: Tensor, b: Tensor): Tensor {
    const out = new Tensor(a.shape, a.dtype);
    run('binary', [a, b], [out], [binaryCode('sub'), 0, 0]);
    return out;
}

const isWide = ({ dtype, size }: Tensor): boolean => size > 0 && (dtype === 'float32' || dtype === 'float64');

/** One by one: for values that are not finite, and dtypes that the ops would round. */
function countedNorm(x: Tensor, y: Tensor | undefined): number {
    const [a, b] = [x.dataSync(), y?.dataSync()];
    let sum = 0;
    for (let i = 0; i < a.length; i++) sum += distance(Number(a[i]), b ? Number(b[i]) : 0) ** 2;
    return Math.sqrt(sum);
}

/** The root of the sum of squares of x, or of x - y. */
export function normOf(x: Tensor, y?: Tensor): number {
    const quick = isWide(x) ? scope(() => reduced('norm2', y ? minus(x, y) : x)) : NaN;
    return Number.isFinite(quick) ? quick : countedNorm(x, y);
}

/** The largest finite magnitude of an element of x, or of x - y; 0 where there is none. */
export function magnitudeOf(x: Tensor, y?: Tensor): number {
    const quick = isWide(x) ? scope(() => reduced('abs_max', y ? minus(x, y) : x)) : NaN;
    if (Number.isFinite(quick)) return quick;
    const [a, b] = [x.dataSync(), y?.dataSync()];
    let largest = 0;
    for (let i = 0; i < a.length; i++) {
        const magnitude = b ? distance(Number(a[i]), Number(b[i])) : Math.abs(Number(a[i]));
        if (magnitude > largest && magnitude < Infinity) largest = magnitude;
    }
    return largest;
}
