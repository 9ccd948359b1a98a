import { writeFileAtomic } from '../io/atomic_file.js';
import { decodeNpy, encodeNpy } from '../io/npy.js';
import { NpyError } from '../io/npy_error.js';
import { decodeNpz, encodeNpz } from '../io/npz.js';
import { readWholeFile } from '../io/read_whole_file.js';
import { requireOptionNames } from '../support/option_names.js';
import { deviceCode } from './device.js';
import { requireTensor } from './require_tensor.js';
import { fromStorage, type Tensor } from './tensor.js';
import { entriesOf, pairsOf, type LoadOptions, type NamedTensors, type TensorFile } from './tensor_file.js';

/** What `loadNpy` and `loadNpz` take besides the path. */
export interface NumpyLoadOptions extends LoadOptions {
    /** The most bytes that the arrays may take, unpacked. Default: 4 GiB. */
    readonly maxBytes?: number;
}

export interface SaveNpzOptions {
    /** Deflate, as np.savez_compressed. Default: false. */
    readonly compressed?: boolean;
}

function readOptions(op: string, options: NumpyLoadOptions): number {
    requireOptionNames(`[${op}]`, options, ['device', 'maxBytes']);
    const { device, maxBytes = 2 ** 32 } = options;
    if (device !== undefined) deviceCode(op, device);
    if (Number.isSafeInteger(maxBytes) && maxBytes >= 0) return maxBytes;
    throw new RangeError(`[${op}] maxBytes must be a number of bytes, got ${String(maxBytes)}`);
}

/**
 * Writes one tensor as a NumPy .npy file (`np.load` reads it), atomically, in row-major order.
 *
 * @throws {NpyError} for bfloat16, which NumPy lacks; {TypeError} for what is no tensor; {Error} where the file cannot be written.
 * @example
 * ```ts
 * import { tmpdir } from 'node:os';
 * import { join } from 'node:path';
 * import { loadNpy, saveNpy, tensor } from 'nativegrad';
 * const path = join(tmpdir(), 'x.npy');
 * await saveNpy(path, tensor([[1, 2]]));
 * console.log((await loadNpy(path)).toArray()); // [[1, 2]]
 * ```
 */
export async function saveNpy(path: string, x: Tensor): Promise<void> {
    requireTensor('saveNpy', x);
    const [entry] = await entriesOf([['x', x]]);
    if (entry) await writeFileAtomic(path, encodeNpy(entry, path));
}

/**
 * Reads a NumPy .npy file: our dtypes but bfloat16, either byte order, C or Fortran order, versions 1 to 3. Arrays of Python objects
 * are refused, since a pickle may run any code.
 *
 * @throws {NpyError} naming the file, what is wrong, and how to save it in Python so that it can be read.
 */
export async function loadNpy(path: string, options: NumpyLoadOptions = {}): Promise<Tensor> {
    const maxBytes = readOptions('loadNpy', options);
    const bytes = await readWholeFile(path, maxBytes, refusal(path));
    if (bytes[0] === 0x50 && bytes[1] === 0x4b)
        throw new NpyError(path, 'is a ZIP archive, expected a .npy file; read a .npz file with loadNpz');
    const array = decodeNpy(bytes, path);
    if ('text' in array) throw new NpyError(path, 'holds a text, expected numbers');
    return fromStorage(array.data, array.shape, array.dtype, options.device);
}

/**
 * Writes tensors as a NumPy .npz archive (`np.load` reads it), atomically; the same content gives the same bytes. The elements are
 * copied before the function returns its promise.
 *
 * @param metadata - texts, written as 0-d arrays of text under their names.
 * @throws {NpyError} for bfloat16, for names that lead elsewhere, and above 4 GB; {TypeError} where what comes is not tensors under
 * names; {Error} where the file cannot be written.
 * @example
 * ```ts
 * import { tmpdir } from 'node:os';
 * import { join } from 'node:path';
 * import { loadNpz, nn, saveNpz } from 'nativegrad';
 * const path = join(tmpdir(), 'weights.npz');
 * await saveNpz(path, new nn.Linear(3, 2).stateDict(), { note: 'mine' });
 * const { tensors, metadata } = await loadNpz(path);
 * console.log([...tensors.keys()], metadata.get('note')); // ['weight', 'bias'] mine
 * ```
 */
export async function saveNpz(
    path: string,
    tensors: NamedTensors,
    metadata: Readonly<Record<string, string>> = {},
    options: SaveNpzOptions = {},
): Promise<void> {
    requireOptionNames('[saveNpz]', options, ['compressed']);
    const entries = await entriesOf(pairsOf('saveNpz', tensors));
    await writeFileAtomic(path, [await encodeNpz(entries, metadata, options.compressed ?? false, path)]);
}

/**
 * Reads all arrays of a NumPy .npz archive; 0-d arrays of text become `metadata`. Archives that unpack to more than `maxBytes`, names
 * that lead elsewhere, wrong checksums and pickles are refused.
 *
 * @throws {NpyError} naming the file and the array; nothing is loaded then.
 */
export async function loadNpz(path: string, options: NumpyLoadOptions = {}): Promise<TensorFile> {
    const maxBytes = readOptions('loadNpz', options);
    const bytes = await readWholeFile(path, maxBytes, refusal(path));
    if (bytes[0] === 0x93)
        throw new NpyError(path, 'is a single array, expected a .npz archive; read a .npy file with loadNpy');
    const { entries, texts } = decodeNpz(bytes, path, maxBytes);
    const tensors = new Map(
        entries.map(({ name, data, shape, dtype }) => [
            name,
            fromStorage(data, shape, dtype, options.device),
        ]),
    );
    return { tensors, metadata: texts };
}

function refusal(path: string): (reason: string, cause?: unknown) => NpyError {
    return (reason, cause) => new NpyError(path, reason, { cause });
}
