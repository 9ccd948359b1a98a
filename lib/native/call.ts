import { contract, native } from './addon.js';
import { CaptureError, currentCallerLine } from './capture_error.js';
import { activeTracer, exchangeTracer, type Scalar, type Tracer } from './tracer.js';
import { activeWatcher } from './watcher.js';

/** What the native side needs to know of a tensor. `id`: 0 = not made yet, -1 = disposed, else the handle. */
export interface TensorRecord {
    id: number;
    readonly shape: readonly number[];
    readonly dtypeCode: number;
    /** 0 = the CPU, 1 + i = the i-th device of the plugin, -1 = not known yet: that of the inputs. */
    deviceCode: number;
    /** True when the elements are known to lie densely in row-major order. */
    isRowMajor: boolean;
}

/** The argument block: everything that an op call passes, without a crossing per value. */
const block = native.block();

const opCodes = new Map(contract.ops.map((name, code) => [name, code]));

function codeIn(names: readonly string[], kind: string): (name: string) => number {
    const codes = new Map(names.map((name, code) => [name, code]));
    return (name) => {
        const code = codes.get(name);
        if (code === undefined)
            throw new Error(`the native addon has no ${kind} function '${name}'; rebuild it`);
        return code;
    };
}

export const unaryCode = codeIn(contract.unary, 'unary');
export const binaryCode = codeIn(contract.binary, 'binary');
export const compareCode = codeIn(contract.compare, 'compare');

const reduceNames = [
    'sum',
    'mean',
    'prod',
    'max',
    'min',
    'var',
    'std',
    'logsumexp',
    'any',
    'all',
    'norm1',
    'norm2',
    'norm_p',
    'abs_max',
    'abs_min',
    'count_nonzero',
] as const;
export type ReduceName = (typeof reduceNames)[number];
export const reduceCode = (name: ReduceName): number => reduceNames.indexOf(name);

/** What `run` leaves in the block for each output: handle, whether it is row-major, device. */
const valuesPerOutput = 3;

const none: readonly Scalar[] = [];

function writeShape(position: number, record: TensorRecord): number {
    block[position++] = record.deviceCode;
    block[position++] = record.dtypeCode;
    const { shape } = record;
    block[position++] = shape.length;
    for (let axis = 0; axis < shape.length; axis++) block[position++] = shape[axis] ?? 0;
    return position;
}

/** The one crossing of a call: the JavaScript objects of new outputs follow the op code. */
function cross(
    op: string,
    label: string,
    code: number,
    created: number,
    outputs: readonly TensorRecord[],
): void {
    const [first] = outputs;
    try {
        if (created === 0) native.run(code);
        else if (outputs.length === 1 && first) native.run(code, first);
        else native.run(code, ...outputs.filter(isNew));
    } catch (error) {
        if (error instanceof Error) error.message = error.message.replace(`[${op}]`, `[${label}]`);
        throw error;
    }
}

const noRecords: readonly TensorRecord[] = [];

function isWritten(record: TensorRecord): boolean {
    return record.id !== 0;
}

/** Ties the parameters that change from step to step to their slots, which the recorder lists at `position`. */
function bindSlots(tracer: Tracer, label: string, parameters: readonly Scalar[], position: number): void {
    const slots = new Map<number, number>();
    const count = block[position++] ?? 0;
    for (let i = 0; i < count; i++) slots.set(block[position++] ?? 0, block[position++] ?? 0);
    parameters.forEach((parameter, i) => {
        if (typeof parameter === 'number') return;
        const index = slots.get(i);
        if (index === undefined) throw new Error(`[${label}] parameter ${i} cannot change from step to step`);
        tracer.bindSlot(parameter, index);
    });
}

function isNew(record: TensorRecord): boolean {
    return record.id === 0;
}

function requireAlive(op: string, record: TensorRecord, index: number): void {
    if (record.id <= 0) refuseDisposed(op, record, index);
}

function refuseDisposed(op: string, record: TensorRecord, index: number): never {
    throw new Error(
        `[${op}] input ${index} of shape [${record.shape.join(', ')}] was used after it was disposed; ` +
            'keep it with keep(), or return it from its scope()',
    );
}

/**
 * Runs one op of `op_table.def`. Inputs are tensors or numbers; an output without a handle is allocated and gets one,
 * an output with a handle is written in place. Parameters follow the order of `op_params.h`, lists as count and values.
 * `label` is the name of the op in error messages. While a step is captured, the call is recorded instead.
 */
export function run(
    op: string,
    inputs: readonly (TensorRecord | number)[],
    outputs: readonly TensorRecord[],
    parameters: readonly Scalar[] = none,
    label = op,
): void {
    const code = opCodes.get(op);
    if (code === undefined) throw new Error(`the native addon has no op '${op}'; rebuild it`);
    // No closures on this path: under a loader that keeps function names, each costs as much as the kernel. Nor iterators, which
    // are not compiled away for arrays that may be frozen.
    let position = 1;
    block[0] = inputs.length;
    for (let i = 0; i < inputs.length; i++) {
        const input = inputs[i];
        if (typeof input === 'number') {
            block[position++] = 0;
            block[position++] = input;
        } else {
            if (input.id <= 0) refuseDisposed(label, input, inputs.indexOf(input));
            block[position++] = input.id;
        }
    }
    block[position++] = outputs.length;
    let created = 0;
    for (let i = 0; i < outputs.length; i++) {
        const output = outputs[i];
        if (output.id === 0) {
            block[position++] = 0;
            position = writeShape(position, output);
            created++;
        } else {
            if (output.id < 0) refuseDisposed(label, output, outputs.indexOf(output));
            block[position++] = output.id;
        }
    }
    for (let i = 0; i < parameters.length; i++) {
        const parameter = parameters[i];
        block[position++] = typeof parameter === 'number' ? parameter : 0;
    }
    const watcher = activeWatcher();
    const begin = watcher === null ? 0 : watcher.now();
    cross(op, label, code, created, outputs);
    if (watcher !== null) watcher.onCall(label, inputs, outputs, begin);
    const tracer = activeTracer();
    if (tracer) {
        bindSlots(tracer, label, parameters, valuesPerOutput * outputs.length);
        tracer.onCall(inputs, created === outputs.length ? noRecords : outputs.filter(isWritten));
    }
    if (created === 0) return;
    position = 0;
    for (let i = 0; i < outputs.length; i++) {
        const output = outputs[i];
        if (output.id === 0) {
            output.id = block[position] ?? 0;
            output.isRowMajor = block[position + 1] === 1;
            output.deviceCode = block[position + 2] ?? 0;
            tracer?.onCreated(output);
        }
        position += valuesPerOutput;
    }
}

/** Gives `record` a handle to part of the storage of `base`; `offset` counts elements from the first one of `base`. */
export function makeView(
    record: TensorRecord,
    base: TensorRecord,
    offset: number,
    strides: readonly number[],
): void {
    requireAlive('view', base, 0);
    block[0] = base.id;
    block[1] = offset;
    block[2] = record.shape.length;
    block.set(record.shape, 3);
    block.set(strides, 3 + record.shape.length);
    native.view(record);
    record.id = block[0];
    record.deviceCode = base.deviceCode;
    const tracer = activeTracer();
    if (tracer) {
        tracer.onCall([base], noRecords);
        tracer.onCreated(record);
    }
}

/** Element strides of a tensor, as the backend laid it out. */
export function readStrides(record: TensorRecord): number[] {
    requireAlive('strides', record, 0);
    native.strides(record.id);
    return Array.from(block.subarray(0, record.shape.length));
}

/** Gives `record` new storage with the elements of `data` in row-major order. */
export function makeFromData(record: TensorRecord, data: NodeJS.TypedArray): void {
    if (record.deviceCode < 0) record.deviceCode = 0;
    writeShape(0, record);
    native.fromData(record, data);
    record.id = block[0] ?? 0;
    activeTracer()?.onCreated(record);
}

/** Gives `record` a copy of the elements of a dense tensor, with the same strides, on the device that it names. */
export function moveTo(record: TensorRecord, source: TensorRecord): void {
    requireAlive('to', source, 0);
    block[0] = source.id;
    block[1] = record.deviceCode;
    const watcher = activeWatcher();
    const begin = watcher?.now() ?? 0;
    native.move(record);
    watcher?.onCall('to', [source], [record], begin);
    record.id = block[0];
    record.isRowMajor = source.isRowMajor;
}

function requireReadable(record: TensorRecord): void {
    requireAlive('data', record, 0);
    if (activeTracer()) {
        const line = currentCallerLine();
        throw new CaptureError(
            `[capture] the step reads the values of a tensor of shape [${record.shape.join(', ')}]${line && ` at ${line}`}; ` +
                'while it is captured nothing is computed yet: return the tensor and read it outside, ' +
                'or keep to ops (where, mul) in place of JavaScript that depends on values',
        );
    }
}

/** Throws while a step is being captured: the shape that `op` gives depends on values, and nothing is computed yet. */
export function requireValues(op: string): void {
    if (!activeTracer()) return;
    const line = currentCallerLine();
    throw new CaptureError(
        `[capture] the step calls ${op}${line && ` at ${line}`}, whose shape depends on values; while it is captured nothing is ` +
            'computed yet: call it outside, or keep to ops of fixed shapes (where, mul with a mask)',
    );
}

/** Copies the elements of a row-major tensor into `target`. */
export function readInto(record: TensorRecord, target: NodeJS.TypedArray): void {
    requireReadable(record);
    const watcher = activeWatcher();
    const begin = watcher?.now() ?? 0;
    native.read(record.id, target);
    watcher?.onCall('read', [record], noRecords, begin);
}

/** The same without waiting for the device; the elements are those of now, whatever becomes of the tensor. */
export function readIntoLater(record: TensorRecord, target: NodeJS.TypedArray): Promise<void> {
    requireReadable(record);
    return native.readLater(record.id, target);
}

/** Frees the tensor's handle now; false when it was free already. */
export function disposeRecord(record: TensorRecord): boolean {
    if (record.id <= 0) return false;
    const wasAlive = native.dispose(record.id);
    record.id = -1;
    return wasAlive;
}

/** Runs `body` at once in the middle of a step that is being captured: what it makes exists before the first replay. */
export function untraced<T>(body: () => T): T {
    const tracer = exchangeTracer(null);
    if (tracer === null) return body();
    native.capturePause(true);
    try {
        return body();
    } finally {
        native.capturePause(false);
        exchangeTracer(tracer);
    }
}
