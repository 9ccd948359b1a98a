import { loadTensors, saveTensors } from '../tensor/tensor_file.js';
import { ArchitectureError, fromConfig, toConfig } from './config.js';
import type { Sequential } from './containers.js';

const architectureKey = 'nativegrad.architecture';

/**
 * Writes weights, running statistics and architecture of a `Sequential` of built-in layers to a safetensors file, atomically;
 * `loadModel` needs nothing else.
 *
 * @param metadata - further texts for the header.
 * @throws ArchitectureError for a layer that cannot be described; Error where the file cannot be written.
 * @example
 * ```ts
 * import { nn } from 'nativegrad';
 * await nn.saveModel('model.safetensors', new nn.Sequential(new nn.Linear(4, 2)), { note: 'mine' });
 * const { model, metadata } = await nn.loadModel('model.safetensors');
 * console.log(String(model.at(0)), metadata.get('note')); // Linear(4, 2) mine
 * ```
 */
export async function saveModel(
    path: string,
    model: Sequential,
    metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
    const architecture = JSON.stringify(toConfig(model));
    const header = { ...metadata, format: 'nativegrad', [architectureKey]: architecture };
    await saveTensors(path, model.stateDict(), header);
}

/**
 * Reads a model that `saveModel` wrote; it is in evaluation mode.
 *
 * @throws SafetensorsError where the file is missing or damaged; ArchitectureError, naming the file, where it holds no model
 * or weights that do not fit it.
 */
export async function loadModel(
    path: string,
): Promise<{ model: Sequential; metadata: ReadonlyMap<string, string> }> {
    const { tensors, metadata } = await loadTensors(path);
    try {
        const text = metadata.get(architectureKey);
        if (text === undefined)
            throw new ArchitectureError(`holds no model: its metadata lack ${architectureKey}`);
        // A few bytes of JSON could ask for layers of many gigabytes; the file must hold what they take.
        const held = [...tensors.values()].reduce((sum, { size }) => sum + size, 0);
        const model = fromConfig(JSON.parse(text), { maxElements: held });
        model.loadStateDict(tensors);
        return { model: model.eval(), metadata };
    } catch (cause) {
        const text = cause instanceof Error ? cause.message : String(cause);
        throw new ArchitectureError(`${path}: ${text}`, { cause });
    } finally {
        for (const tensor of tensors.values()) tensor.dispose();
    }
}
