import type { Device } from '../tensor/device.js';
import type { Tensor } from '../tensor/tensor.js';
import {
    loadTensors,
    requireLoadOptions,
    saveTensors,
    type LoadOptions,
    type TensorFile,
} from '../tensor/tensor_file.js';
import type { Sequential } from './containers.js';
import { ModelFileError } from './model_file_error.js';
import type { ModelInfo } from './model_info.js';
import { modelOfTexts, modelTexts } from './model_texts.js';

export { ModelFileError } from './model_file_error.js';

/** What `loadModel` gives. */
export interface SavedModel {
    /** In evaluation mode; `model.train()` goes on training. */
    readonly model: Sequential;
    /** What `saveModel` was given as its third argument. */
    readonly info: ModelInfo;
}

/**
 * Saves a `Sequential` of built-in layers whole, like Keras's `model.save`: weights, running statistics and architecture in one
 * safetensors file, written atomically. `loadModel` and `nativegrad evaluate` need nothing else. The weights are copied before
 * the function returns its promise, so training may go on at once.
 *
 * The weights alone, like PyTorch's `torch.save(model.state_dict())` and for any module: `saveTensors(path, model.stateDict())`.
 *
 * In the file's header stand the texts `nativegrad.architecture` (JSON of `toConfig`) and `nativegrad.info` (JSON of `info`);
 * the tensors have the names of `stateDict()`.
 *
 * @param info - how inputs come in, names of the classes, how it was trained: see `ModelInfo`.
 * @throws ConfigError for a layer that cannot be described, or a wrong value in `info`; Error where the file cannot be written
 * (the old file stands then).
 * @example
 * ```ts
 * import { nn } from 'nativegrad';
 * const model = new nn.Sequential(new nn.Linear(4, 2));
 * await nn.saveModel('model.safetensors', model, { classNames: ['cat', 'dog'], extra: { note: 'mine' } });
 * const { model: copy, info } = await nn.loadModel('model.safetensors');
 * console.log(String(copy.at(0)), info.classNames); // Linear(4, 2) ['cat', 'dog']
 * ```
 */
export async function saveModel(path: string, model: Sequential, info: ModelInfo = {}): Promise<void> {
    await saveTensors(path, model.stateDict(), { format: 'nativegrad', ...modelTexts(model, info) });
}

/**
 * Loads a model that `saveModel` or a training run wrote, like Keras's `load_model`. The file may come from anyone: nothing in
 * it is run, and no layer is made that its weights do not fill. `{ device: 'cuda' }` puts parameters and buffers there.
 *
 * @throws SafetensorsError where the file is missing, damaged or of another kind; ModelFileError where it is a safetensors file
 * without an architecture (of PyTorch, say) or the weights do not fit it; TypeError for other options, CudaError or RangeError
 * for a device that is not there.
 * @example
 * ```ts
 * import { nn, ones } from 'nativegrad';
 * await nn.saveModel('model.safetensors', new nn.Sequential(new nn.Linear(4, 2), new nn.Dropout()));
 * const { model } = await nn.loadModel('model.safetensors');
 * console.log(model.training, model.forward(ones([3, 4])).shape); // false [3, 2]
 * ```
 */
export async function loadModel(path: string, options: LoadOptions = {}): Promise<SavedModel> {
    requireLoadOptions('loadModel', options);
    const file = await loadTensors(path, options);
    try {
        return readModel(file, options.device);
    } catch (cause) {
        const text = cause instanceof Error ? cause.message : String(cause);
        throw new ModelFileError(path, text, { cause });
    } finally {
        for (const tensor of file.tensors.values()) tensor.dispose();
    }
}

function readModel({ tensors, metadata }: TensorFile, device: Device | undefined): SavedModel {
    const held = [...tensors.values()].reduce((sum, { size }) => sum + size, 0);
    const described = modelOfTexts(metadata, held);
    if (described === null) throw new Error(weightsOnly(tensors, metadata.get('format')));
    const { model, info } = described;
    if (device !== undefined) model.to(device);
    model.loadStateDict(tensors);
    return { model: model.eval(), info };
}

/** Says what a file without architecture is good for. */
function weightsOnly(tensors: ReadonlyMap<string, Tensor>, format: string | undefined): string {
    const names = [...tensors.keys()].map((name) => name.slice(0, 60));
    const listed = names.slice(0, 3).join(', ') + (names.length > 3 ? ', …' : '');
    const writer = format === 'pt' ? 'written by PyTorch, ' : '';
    return (
        `holds weights without an architecture (${writer}${names.length} tensors: ${listed}), expected a file of ` +
        'saveModel or a training run; build the layers in your program and fill them with ' +
        'model.loadStateDict((await loadTensors(path)).tensors), then saveModel(path, model)'
    );
}
