import {
    disposeRecord,
    makeFromData,
    makeView,
    readInto,
    readIntoLater,
    readStrides,
    run,
    type TensorRecord,
} from '../native/call.js';
import { programsAtRest, programsRun } from '../native/program.js';
import { activeTracer } from '../native/tracer.js';
import { defaultDevice, deviceCode, deviceName, type Device } from './device.js';
import { dtypeCode, type DType } from './dtype.js';
import { formatTensor } from './format.js';
import { track, untrack } from './lifetime.js';
import { isRowMajor, rowMajorStrides, sameShape, shapeText, sizeOf, type Shape } from './shape.js';

/** Counts writes into a storage; shared by all views of it, so that the tape notices a change of what it saved. */
export interface VersionCounter {
    value: number;
}

/** The tape's end of a tensor; `lib/autograd` knows what stands behind it. */
export interface TapeLink {
    readonly op: string;
}

/** What `data()` gives: int64 as BigInt, the two-byte floats widened to float32. */
export type TensorData = Float32Array | Float64Array | BigInt64Array | Int32Array | Uint8Array;

/** Nested arrays of numbers, as `toArray()` gives and `tensor()` takes. */
export type NestedArray = number | boolean | readonly NestedArray[];

export type NestedNumbers = number | NestedNumbers[];

/** The newest tensor's, frozen: loops make many of one shape, and asking whether an array is frozen takes a call into V8. */
let lastShape: Shape = Object.freeze([]);

/**
 * An n-dimensional array of one dtype, on one device.
 *
 * A tensor is a handle: shape and dtype live in JavaScript, elements in native memory. Views (`reshape`, `transpose`,
 * `slice`, …) share storage. Memory comes back by itself once the object is unreachable; `dispose()`, `using` and
 * `scope()` give it back at once.
 *
 * Arithmetic lives in `lib/ops` and is attached to this class there.
 */
export class Tensor implements TensorRecord {
    /** Native handle: 0 before the first kernel, -1 after `dispose()`. */
    id = 0;
    readonly shape: Shape;
    readonly dtype: DType;
    /** @internal The gradient, for those who must not count as readers of it. */
    storedGrad: Tensor | null = null;
    /** @internal */
    tapeLink: TapeLink | null = null;
    /** @internal Which output of its op this tensor is. */
    outputIndex = 0;
    /** @internal */
    version: VersionCounter;
    /** @internal */
    needsGrad = false;
    /** @internal -1 before the first kernel, where the inputs decide. */
    deviceCode: number;
    /** @internal True when it was made to share another tensor's storage. */
    readonly isView: boolean;
    /** @internal */
    isRowMajor = false;
    private knownStrides: readonly number[] | null;

    /** @internal Use `tensor()`, `zeros()` and their relatives. */
    constructor(
        shape: Shape,
        dtype: DType,
        options: { strides?: readonly number[]; version?: VersionCounter; device?: Device | undefined } = {},
    ) {
        // A frozen copy: a caller that changes its array must not change what kernels were told.
        if (shape !== lastShape) lastShape = Object.isFrozen(shape) ? shape : Object.freeze(shape.slice());
        this.shape = lastShape;
        this.dtype = dtype;
        this.deviceCode = options.device === undefined ? -1 : deviceCode('tensor', options.device);
        this.version = options.version ?? { value: 0 };
        this.isView = options.version !== undefined;
        this.knownStrides = options.strides ?? null;
        track(this);
    }

    /** Gradient accumulated by `backward()`; only on leaves, or after `retainGrad()`. */
    get grad(): Tensor | null {
        activeTracer()?.onGradientRead(this);
        return this.storedGrad;
    }

    set grad(gradient: Tensor | null) {
        activeTracer()?.onGradientSet(this);
        this.storedGrad = gradient;
    }

    /** @internal */
    get dtypeCode(): number {
        return dtypeCode(this.dtype);
    }

    /** Where the elements lie: `cpu`, or `cuda:0` for the first GPU. */
    get device(): Device {
        return deviceName(Math.max(this.deviceCode, 0));
    }

    /** Number of dimensions. */
    get rank(): number {
        return this.shape.length;
    }

    /** Number of elements. */
    get size(): number {
        return sizeOf(this.shape);
    }

    /** Distance, in elements, between neighbours along each dimension. */
    get strides(): readonly number[] {
        this.knownStrides ??= this.isRowMajor ? rowMajorStrides(this.shape) : readStrides(this);
        return this.knownStrides;
    }

    /** True when the elements lie densely in row-major order. */
    get isContiguous(): boolean {
        return this.isRowMajor || isRowMajor(this.shape, this.strides);
    }

    get isDisposed(): boolean {
        return this.id < 0;
    }

    /** Frees the memory now (unless a view still uses it). Using the tensor afterwards is an error that names the op. */
    dispose(): void {
        untrack(this);
        disposeRecord(this);
    }

    [Symbol.dispose](): void {
        this.dispose();
    }

    /**
     * @internal Becomes a handle to the storage of `source`, in its dtype, layout and device, so that whoever holds this tensor (an
     * optimizer, a second module) sees the change. Counts as a write.
     */
    adopt(source: Tensor): void {
        if (!sameShape(source.shape, this.shape)) {
            throw new RangeError(
                `[adopt] shapes differ: ${shapeText(this.shape)} and ${shapeText(source.shape)}`,
            );
        }
        const { id, shape, dtypeCode, deviceCode, isRowMajor } = this;
        const before: TensorRecord = { id, shape, dtypeCode, deviceCode, isRowMajor };
        makeView(this, source, 0, source.strides);
        disposeRecord(before);
        (this as { dtype: DType }).dtype = source.dtype;
        this.knownStrides = source.strides;
        this.isRowMajor = source.isRowMajor;
        source.version.value = Math.max(source.version.value, this.version.value) + 1;
        this.version = source.version;
    }

    /**
     * Copies the elements, in row-major order, into a typed array. While a GPU still computes them, the event loop goes on; the
     * tensor may be changed or disposed of as soon as the promise is there. Only while a captured step runs in the background
     * (`async`, `run`, `fit`) is the tensor read after that: leave it as it is until the promise settles.
     */
    async data(): Promise<TensorData> {
        if (programsRun()) await programsAtRest();
        if (this.deviceCode === 0) return this.dataSync();
        const source = readable(this);
        const target = emptyData(source.dtype, source.size);
        const done = readIntoLater(source, target);
        if (source !== this) source.dispose();
        await done;
        return target;
    }

    /** Like `data()`, without a promise: waits for the device if it is still computing. */
    dataSync(): TensorData {
        const source = readable(this);
        const target = emptyData(source.dtype, source.size);
        readInto(source, target);
        if (source !== this) source.dispose();
        return target;
    }

    /** The only element, as a number (int64 beyond 2^53 loses digits; read those with `data()`). */
    item(): number {
        if (this.size !== 1) {
            throw new RangeError(
                `[item] needs one element, got shape ${shapeText(this.shape)}; use data() or toArray()`,
            );
        }
        return Number(this.dataSync()[0]);
    }

    /** Elements as nested arrays of numbers (bool: 0 and 1). */
    toArray(): NestedNumbers {
        const values = Array.from(this.dataSync(), Number);
        return nest(values, this.shape);
    }

    /** What `JSON.stringify` makes text of: the elements as nested arrays. */
    toJSON(): NestedNumbers {
        return this.toArray();
    }

    /** `Number(x)` and `x > 1` take the only element, as `item()` does; everything else is `toString()`. */
    [Symbol.toPrimitive](hint: string): number | string {
        return hint === 'number' ? this.item() : this.toString();
    }

    toString(): string {
        return formatTensor(this);
    }

    [Symbol.for('nodejs.util.inspect.custom')](): string {
        return formatTensor(this);
    }
}

function emptyData(dtype: DType, size: number): TensorData {
    switch (dtype) {
        case 'float64':
            return new Float64Array(size);
        case 'int64':
            return new BigInt64Array(size);
        case 'int32':
            return new Int32Array(size);
        case 'uint8':
        case 'bool':
            return new Uint8Array(size);
        default:
            return new Float32Array(size);
    }
}

/** The tensor itself when its bytes can be copied out, else a row-major copy in a dtype that JavaScript has. */
function readable(x: Tensor): Tensor {
    const target = x.dtype === 'float16' || x.dtype === 'bfloat16' ? 'float32' : x.dtype;
    if (target === x.dtype && x.isContiguous) return x;
    const copy = new Tensor(x.shape, target);
    run('contiguous', [x], [copy]);
    return copy;
}

function nest(values: readonly number[], shape: Shape): NestedNumbers {
    const [first, ...rest] = shape;
    if (first === undefined) return values[0] ?? 0;
    const step = sizeOf(rest);
    return Array.from({ length: first }, (_, i) => nest(values.slice(i * step, (i + 1) * step), rest));
}

/** @internal A tensor that shares the storage of `base`. */
export function viewOf(base: Tensor, shape: Shape, strides: readonly number[], offset = 0): Tensor {
    const view = new Tensor(shape, base.dtype, { strides, version: base.version });
    makeView(view, base, offset, strides);
    return view;
}

/** @internal A tensor with the elements of a typed array whose type is that of the dtype's storage. */
export function fromStorage(
    data: NodeJS.TypedArray,
    shape: Shape,
    dtype: DType,
    device: Device = defaultDevice(),
): Tensor {
    const result = new Tensor(shape, dtype, { strides: rowMajorStrides(shape), device });
    makeFromData(result, data);
    return result;
}
