import { extname } from 'node:path';

import type * as nn from '../nn/index.js';
import { ModelFileError, type SavedModel } from '../nn/model_file.js';
import { modelOfTexts } from '../nn/model_texts.js';
import { loadOnnx } from '../nn/onnx/load_onnx.js';
import { loadNpz } from '../tensor/numpy_file.js';
import type { Tensor } from '../tensor/tensor.js';
import { loadTensors, type TensorFile } from '../tensor/tensor_file.js';
import { buildClassifier, type ClassifierOptions } from '../train/classifier.js';

/** A model from a file of any format. */
export interface LoadedModel extends SavedModel {
    /** The file holds weights alone; the layers come from the flags. */
    readonly byFlags: boolean;
}

/**
 * Loads a model by the end of its file's name: `.onnx` of `exportOnnx`, `.npz` of arrays under the names of `stateDict()`, all others
 * as safetensors. One that does not say which layers it has (of NumPy, PyTorch, `saveTensors`) is for those of `layers`, with digits as
 * input.
 *
 * @throws {SafetensorsError | OnnxError | NpyError} where the file is missing, damaged or of another kind.
 * @throws {ModelFileError} where its weights do not fit, with every missing and unexpected name.
 */
export async function loadModelFile(
    path: string,
    layers: ClassifierOptions,
    digits: nn.ModelInfo,
): Promise<LoadedModel> {
    switch (extname(path).toLowerCase()) {
        case '.onnx':
            return { ...(await loadOnnx(path)), byFlags: false };
        case '.npz':
            return fromTensors(path, await loadNpz(path), layers, digits);
        default:
            return fromTensors(path, await loadTensors(path), layers, digits);
    }
}

function fromTensors(
    path: string,
    { tensors, metadata }: TensorFile,
    layers: ClassifierOptions,
    digits: nn.ModelInfo,
): LoadedModel {
    try {
        const held = [...tensors.values()].reduce((sum, { size }) => sum + size, 0);
        const described = modelOfTexts(metadata, held);
        const byFlags = described === null;
        const { model, info } = described ?? { model: buildClassifier(layers), info: digits };
        fill(model, tensors, byFlags);
        return { model: model.eval(), info, byFlags };
    } catch (cause) {
        throw new ModelFileError(path, cause instanceof Error ? cause.message : String(cause), { cause });
    } finally {
        for (const tensor of tensors.values()) tensor.dispose();
    }
}

/** Counts of batches may be missing: evaluation does not read them, and other programs have none. */
function fill(model: nn.Sequential, tensors: ReadonlyMap<string, Tensor>, byFlags: boolean): void {
    const names = [...model.stateDict().keys()];
    const whose = byFlags ? 'it does not say which layers it has, and its tensors' : 'its tensors';
    const problems = [
        listed(
            'missing',
            names.filter((name) => !tensors.has(name) && !name.endsWith('.num_batches_tracked')),
        ),
        listed(
            'unexpected',
            [...tensors.keys()].filter((name) => !names.includes(name)),
        ),
    ].filter((problem) => problem !== '');
    const fix = byFlags
        ? '; give the flags of train that made these layers, like --architecture and --hidden_sizes'
        : '';
    if (problems.length > 0) throw new Error(`${whose} do not fit the layers: ${problems.join('; ')}${fix}`);
    try {
        model.loadStateDict(tensors, { strict: false });
    } catch (cause) {
        const text = cause instanceof Error ? cause.message : String(cause);
        throw new Error(text.replace(/^\[loadStateDict\] the state does/, `${whose} do`) + fix, { cause });
    }
}

function listed(what: string, names: readonly string[]): string {
    if (names.length === 0) return '';
    const shown = names.slice(0, 12).map((name) => name.slice(0, 60));
    return `${what}: ${shown.join(', ')}${names.length > 12 ? ` and ${names.length - 12} more` : ''}`;
}
