import { readSafetensorsFile, writeSafetensorsFile } from '../io/safetensors_file.js';
import type { SafetensorsEntry } from '../io/safetensors.js';
import { readInto, readIntoLater, run } from '../native/call.js';
import { describeValue } from '../support/describe_value.js';
import { requireOptionNames } from '../support/option_names.js';
import { deviceCode, type Device } from './device.js';
import { itemSize } from './dtype.js';
import { fromStorage, Tensor } from './tensor.js';

/** Tensors by name, as `stateDict()` gives them. */
export type NamedTensors = ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>;

export interface TensorFile {
    readonly tensors: Map<string, Tensor>;
    readonly metadata: ReadonlyMap<string, string>;
}

/**
 * Writes tensors of any dtype and layout to a safetensors file, atomically. The elements are copied before the function
 * returns its promise, so a training loop may go on at once.
 *
 * @param metadata - texts that travel in the file's header.
 * @throws {TypeError} where what comes is not tensors under names.
 * @throws {SafetensorsError} where a name cannot be stored.
 * @throws {Error} where the file cannot be written; the old file stands then.
 * @example
 * ```ts
 * import { tmpdir } from 'node:os';
 * import { join } from 'node:path';
 * import { loadTensors, saveTensors, tensor } from 'nativegrad';
 * const path = join(tmpdir(), 'weights.safetensors');
 * await saveTensors(path, { w: tensor([1, 2]) }, { note: 'mine' });
 * const { tensors, metadata } = await loadTensors(path);
 * console.log(tensors.get('w')?.toArray(), metadata.get('note')); // [ 1, 2 ] mine
 * ```
 */
export async function saveTensors(
    path: string,
    tensors: NamedTensors,
    metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
    await writeSafetensorsFile(path, await entriesOf(pairsOf('saveTensors', tensors)), metadata);
}

/** What `loadTensors` and `nn.loadModel` take besides the path. */
export interface LoadOptions {
    /** Where the elements come to lie, as PyTorch's `map_location`; default: that of `setDefaultDevice`, the CPU at first. */
    readonly device?: Device;
}

/** @internal Refuses other options, and a device that is not there, before anything is read. */
export function requireLoadOptions(op: string, options: LoadOptions): void {
    requireOptionNames(`[${op}]`, options, ['device']);
    if (options.device !== undefined) deviceCode(op, options.device);
}

/**
 * Reads all tensors of a safetensors file, onto the device that `options` name.
 *
 * @throws {TypeError} for other options, {CudaError} or {RangeError} for a device that is not there.
 * @throws {SafetensorsError} naming the file, the rule that is broken and the place; nothing is loaded then.
 */
export async function loadTensors(path: string, options: LoadOptions = {}): Promise<TensorFile> {
    requireLoadOptions('loadTensors', options);
    const { entries, metadata } = await readSafetensorsFile(path);
    const tensors = new Map<string, Tensor>();
    for (const { name, dtype, shape, data } of entries)
        tensors.set(name, fromStorage(data, shape, dtype, options.device));
    return { tensors, metadata };
}

/** @internal Refuses what is not tensors under names: a model, a list, a single tensor. */
export function pairsOf(op: string, tensors: NamedTensors): [string, Tensor][] {
    const isNamed = typeof tensors === 'object' && !(tensors instanceof Tensor) && !Array.isArray(tensors);
    const pairs = !isNamed ? [] : isMap(tensors) ? [...tensors] : Object.entries(tensors);
    const stranger = pairs.find(([, x]: [string, unknown]) => !(x instanceof Tensor));
    if (isNamed && !stranger) return pairs;
    const got = stranger ? `${describeValue(stranger[1])} under '${stranger[0]}'` : describeValue(tensors);
    throw new TypeError(
        `[${op}] expected tensors under names, a Map or an object, got ${got}; of a model, pass model.stateDict()`,
    );
}

function isMap(tensors: NamedTensors): tensors is ReadonlyMap<string, Tensor> {
    return tensors instanceof Map;
}

/** What reads under way may hold: each needs memory of the device for its elements, or page-locked memory. */
const underWay = { reads: 64, bytes: 256 << 20 };

/**
 * Copies of the tensors as they are now. So many reads as may be under way leave the event loop free; the others are waited
 * for here, since the tensors may be changed as soon as this returns.
 */
export function entriesOf(
    pairs: readonly (readonly [string, Tensor])[],
    limit: typeof underWay = underWay,
): Promise<SafetensorsEntry[]> {
    let [reads, bytes] = [0, 0];
    return Promise.all(
        pairs.map(([name, x]) => {
            const size = x.size * itemSize(x.dtype);
            const isLater = x.deviceCode !== 0 && reads < limit.reads && bytes + size <= limit.bytes;
            if (isLater) [reads, bytes] = [reads + 1, bytes + size];
            return toEntry(name, x, isLater);
        }),
    );
}

async function toEntry(name: string, x: Tensor, isLater: boolean): Promise<SafetensorsEntry> {
    const source = x.isContiguous ? x : new Tensor(x.shape, x.dtype);
    if (source !== x) run('contiguous', [x], [source]);
    const data = new Uint8Array(x.size * itemSize(x.dtype));
    const done = isLater ? readIntoLater(source, data) : undefined;
    if (!done) readInto(source, data);
    if (source !== x) source.dispose();
    await done;
    return { name, dtype: x.dtype, shape: x.shape, data };
}
