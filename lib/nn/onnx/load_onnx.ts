import { decodeOnnx, type OnnxContent } from '../../io/onnx/decode_onnx.js';
import { OnnxError } from '../../io/onnx/onnx_error.js';
import { loadWire } from '../../io/onnx/wire.js';
import { readWholeFile } from '../../io/read_whole_file.js';
import { decodeSafetensors, type SafetensorsEntry } from '../../io/safetensors.js';
import type { Device } from '../../tensor/device.js';
import { fromStorage, type Tensor } from '../../tensor/tensor.js';
import { requireLoadOptions, type LoadOptions } from '../../tensor/tensor_file.js';
import type { Sequential } from '../containers.js';
import type { SavedModel } from '../model_file.js';
import { modelKeys, modelOfTexts } from '../model_texts.js';
import { unusedKey } from './unused_key.js';

/** Protocol Buffers allow no more. */
const maxBytes = 2 ** 31;

/**
 * Loads a model that `exportOnnx` wrote, from a file that may come from anyone: nothing in it is run, and no layer is made that its
 * weights do not fill. ONNX files of other programs hold operators, not layers, and are refused; run those with ONNX Runtime.
 *
 * @throws OnnxError where the file is missing, damaged, or not of `exportOnnx`; TypeError for other options, CudaError or RangeError
 * for a device that is not there.
 * @example
 * ```ts
 * import { tmpdir } from 'node:os';
 * import { join } from 'node:path';
 * import { nn, ones } from 'nativegrad';
 * const path = join(tmpdir(), 'copy.onnx');
 * await nn.exportOnnx(new nn.Sequential(new nn.Linear(4, 2)), path, { info: { inputShape: [4] } });
 * const { model, info } = await nn.loadOnnx(path);
 * console.log(model.forward(ones([3, 4])).shape, info.inputShape); // [3, 2] [4]
 * ```
 */
export async function loadOnnx(path: string, options: LoadOptions = {}): Promise<SavedModel> {
    requireLoadOptions('loadOnnx', options);
    const bytes = await readWholeFile(
        path,
        maxBytes,
        (reason, cause) => new OnnxError(`${path}: ${reason}`, { cause }),
    );
    const content = decodeOnnx(bytes, path, await loadWire());
    let model: SavedModel | null;
    try {
        model = readModel(content, options);
    } catch (cause) {
        const text = cause instanceof Error ? cause.message : String(cause);
        throw new OnnxError(`${path}: ${text}`, { cause });
    }
    if (model) return model;
    if (content.metadata.has(modelKeys.info))
        throw new OnnxError(
            `${path}: does not say which layers it has, since it was exported from modules of its own, or was cut short; run it with ` +
                'ONNX Runtime, or keep such models with saveTensors(path, model.stateDict())',
        );
    throw new OnnxError(
        `${path}: this ONNX file was not exported by nativegrad: it holds no ${modelKeys.architecture} in its metadata; run it ` +
            'with ONNX Runtime, or build the layers in your program and fill them with its weights',
    );
}

function readModel(content: OnnxContent, { device }: LoadOptions): SavedModel | null {
    const { metadata, initializers } = content;
    const unused = Buffer.from(metadata.get(unusedKey) ?? '', 'base64');
    const others = unused.length > 0 ? decodeSafetensors(new Uint8Array(unused)).entries : [];
    const entries = [...initializers.values(), ...others];
    const held = entries.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
    const described = modelOfTexts(metadata, held);
    if (!described) return null;
    const { model, info } = described;
    if (device !== undefined) model.to(device);
    fill(model, entries, device);
    return { model: model.eval(), info };
}

/** A layer at several places has its weights in the file once, under the first of its names. */
function fill(model: Sequential, entries: readonly SafetensorsEntry[], device: Device | undefined): void {
    const names = [...model.namedParameters(), ...model.namedBuffers()].map(([name]) => name);
    const given = new Set(entries.map(({ name }) => name));
    const missing = names.filter((name) => !given.has(name));
    if (missing.length > 0)
        throw new Error(`its weights do not fit its layers; missing: ${missing.join(', ')}`);
    const tensors = new Map<string, Tensor>();
    try {
        for (const { name, dtype, shape, data } of entries)
            tensors.set(name, fromStorage(data, shape, dtype, device));
        const { unexpected } = model.loadStateDict(tensors, { strict: false });
        if (unexpected.length > 0)
            throw new Error(`its weights do not fit its layers; unexpected: ${unexpected.join(', ')}`);
    } finally {
        for (const tensor of tensors.values()) tensor.dispose();
    }
}
