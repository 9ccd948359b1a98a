import { contract, native } from './addon.js';

/** What the native side needs to know of a tensor. `id`: 0 = not made yet, -1 = disposed, else the handle. */
export interface TensorRecord {
    id: number;
    readonly shape: readonly number[];
    readonly dtypeCode: number;
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
        if (code === undefined) throw new Error(`the native addon has no ${kind} function '${name}'; rebuild it`);
        return code;
    };
}

export const unaryCode = codeIn(contract.unary, 'unary');
export const binaryCode = codeIn(contract.binary, 'binary');
export const compareCode = codeIn(contract.compare, 'compare');

const none: readonly number[] = [];

function writeShape(position: number, record: TensorRecord): number {
    block[position++] = record.dtypeCode;
    block[position++] = record.shape.length;
    for (const size of record.shape) block[position++] = size;
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
 * `label` is the name of the op in error messages.
 */
export function run(
    op: string,
    inputs: readonly (TensorRecord | number)[],
    outputs: readonly TensorRecord[],
    parameters: readonly number[] = none,
    label = op,
): void {
    const code = opCodes.get(op);
    if (code === undefined) throw new Error(`the native addon has no op '${op}'; rebuild it`);
    // No closures on this path: under a loader that keeps function names, each costs as much as the kernel.
    let position = 1;
    block[0] = inputs.length;
    for (const input of inputs) {
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
    for (const output of outputs) {
        if (output.id === 0) {
            block[position++] = 0;
            position = writeShape(position, output);
            created++;
        } else {
            if (output.id < 0) refuseDisposed(label, output, outputs.indexOf(output));
            block[position++] = output.id;
        }
    }
    for (const parameter of parameters) block[position++] = parameter;
    cross(op, label, code, created, outputs);
    if (created === 0) return;
    position = 0;
    for (const output of outputs) {
        if (output.id === 0) {
            output.id = block[position] ?? 0;
            output.isRowMajor = block[position + 1] === 1;
        }
        position += 2;
    }
}

/** Gives `record` a handle to part of the storage of `base`; `offset` counts elements from the first one of `base`. */
export function makeView(record: TensorRecord, base: TensorRecord, offset: number, strides: readonly number[]): void {
    requireAlive('view', base, 0);
    block[0] = base.id;
    block[1] = offset;
    block[2] = record.shape.length;
    block.set(record.shape, 3);
    block.set(strides, 3 + record.shape.length);
    native.view(record);
    record.id = block[0];
}

/** Element strides of a tensor, as the backend laid it out. */
export function readStrides(record: TensorRecord): number[] {
    requireAlive('strides', record, 0);
    native.strides(record.id);
    return Array.from(block.subarray(0, record.shape.length));
}

/** Gives `record` new storage with the elements of `data` in row-major order. */
export function makeFromData(record: TensorRecord, data: NodeJS.TypedArray): void {
    writeShape(0, record);
    native.fromData(record, data);
    record.id = block[0] ?? 0;
}

/** Copies the elements of a row-major tensor into `target`. */
export function readInto(record: TensorRecord, target: NodeJS.TypedArray): void {
    requireAlive('data', record, 0);
    native.read(record.id, target);
}

/** Frees the tensor's handle now; false when it was free already. */
export function disposeRecord(record: TensorRecord): boolean {
    if (record.id <= 0) return false;
    const wasAlive = native.dispose(record.id);
    record.id = -1;
    return wasAlive;
}
