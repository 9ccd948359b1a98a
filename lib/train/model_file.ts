import type { Module } from '../nn/module.js';
import type * as nn from '../nn/index.js';
import type { Tensor } from '../tensor/tensor.js';
import { loadTensors, saveTensors } from '../tensor/tensor_file.js';
import { buildClassifier } from './classifier.js';
import { ClassifierSpecError, parseClassifierSpec, storedElements } from './classifier_spec.js';
import type { ClassifierSpec } from './classifier_spec.js';
import { ModelFileError } from './model_file_error.js';

const SPEC_KEY = 'nativegrad.classifier';

/**
 * Writes a classifier's weights and running statistics with its spec in the metadata, atomically, so that
 * {@link loadClassifier} needs nothing else.
 *
 * @param metadata - further texts for the header.
 */
export async function saveClassifier(
    path: string,
    model: Module,
    spec: ClassifierSpec,
    metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
    const header = { ...metadata, format: 'nativegrad', [SPEC_KEY]: JSON.stringify(spec) };
    await saveTensors(path, model.stateDict(), header);
}

/**
 * Reads a classifier that {@link saveClassifier} wrote; it is in evaluation mode.
 *
 * @throws {SafetensorsError} where the file is missing or damaged.
 * @throws {ModelFileError} where it holds something else.
 */
export async function loadClassifier(path: string): Promise<{ model: nn.Sequential; spec: ClassifierSpec }> {
    const { tensors, metadata } = await loadTensors(path);
    const json = metadata.get(SPEC_KEY);
    if (json === undefined) {
        throw new ModelFileError(path, `holds no nativegrad classifier: its metadata lack ${SPEC_KEY}`);
    }
    const spec = readSpec(path, json);
    checkElements(path, spec, tensors);
    const model = buildClassifier(spec).eval();
    try {
        model.loadStateDict(tensors);
    } catch (cause) {
        const text = cause instanceof Error ? cause.message : String(cause);
        throw new ModelFileError(path, `the weights do not fit the architecture: ${text}`, { cause });
    }
    for (const tensor of tensors.values()) tensor.dispose();
    return { model, spec };
}

function readSpec(path: string, json: string): ClassifierSpec {
    try {
        return parseClassifierSpec(json);
    } catch (cause) {
        if (!(cause instanceof ClassifierSpecError)) throw cause;
        throw new ModelFileError(path, cause.message, { cause });
    }
}

/** A few bytes of JSON could ask for layers of many gigabytes; the file must hold what they take. */
function checkElements(path: string, spec: ClassifierSpec, tensors: ReadonlyMap<string, Tensor>): void {
    const held = [...tensors.values()].reduce((sum, tensor) => sum + tensor.size, 0);
    const needed = storedElements(spec);
    if (held < needed) {
        const detail = `the architecture takes ${needed} weights, the file holds ${held}`;
        throw new ModelFileError(path, detail);
    }
}
