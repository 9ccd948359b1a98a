import { fromConfig, toConfig } from './config.js';
import type { Sequential } from './containers.js';
import { parseHeaderJson, readModelInfo, type ModelInfo } from './model_info.js';

/** Names of the texts that tell a model next to its tensors, in every format. */
export const modelKeys = {
    /** JSON of `toConfig`. */
    architecture: 'nativegrad.architecture',
    /** JSON of `ModelInfo`. */
    info: 'nativegrad.info',
} as const;

/** A model without its weights, and what else its file says. */
export interface DescribedModel {
    readonly model: Sequential;
    readonly info: ModelInfo;
}

/** @throws ConfigError for a layer that cannot be described, or a wrong value in `info`. */
export function modelTexts(model: Sequential, info: ModelInfo): Record<string, string> {
    return {
        [modelKeys.architecture]: JSON.stringify(toConfig(model)),
        [modelKeys.info]: JSON.stringify(readModelInfo(info)),
    };
}

/**
 * Builds the model that texts of a file describe, which may come from anyone; null where there is no architecture among them.
 *
 * @param held - elements of all tensors of the file: a few bytes of JSON could ask for layers of many gigabytes, and the file must hold
 * what they take.
 * @throws ConfigError naming the place, what was expected and what came.
 */
export function modelOfTexts(texts: ReadonlyMap<string, string>, held: number): DescribedModel | null {
    const text = texts.get(modelKeys.architecture);
    if (text === undefined) return null;
    const info = readModelInfo(parseHeaderJson(texts.get(modelKeys.info) ?? '{}', modelKeys.info));
    const model = fromConfig(parseHeaderJson(text, modelKeys.architecture), { maxElements: held });
    return { model, info };
}
