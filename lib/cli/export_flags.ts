import { choiceFlag, integerListFlag, pathFlag, readFlags, switchFlag } from './flags.js';
import type { ConfigOf, RawFlags } from './flags.js';
import { LAYER_FLAGS } from './layer_flags.js';
import { UsageError } from './usage_error.js';

const OWN_FLAGS = {
    modelPath: pathFlag('the model to export; may stand without the flag (required)', '<file>', undefined),
    to: choiceFlag('format to write (required)', undefined, ['onnx', 'npz', 'safetensors']),
    output: pathFlag(
        "the file to write (default: the model's name with the format's ending)",
        '<file>',
        undefined,
    ),
    inputShape: integerListFlag(
        'onnx: shape of one input without the batch, like 1,28,28 (default: what the model file says)',
        undefined,
        { min: 1, max: 2 ** 31 - 1 },
        7,
    ),
    json: switchFlag('print one JSON object on stdout'),
} as const;

/** Every flag of `export`; the order is that of the help. */
export const EXPORT_FLAGS = { ...OWN_FLAGS, ...LAYER_FLAGS } as const;

export interface ExportConfig extends Omit<ConfigOf<typeof OWN_FLAGS>, 'modelPath' | 'to' | 'output'> {
    readonly modelPath: string;
    readonly to: 'onnx' | 'npz' | 'safetensors';
    readonly output: string;
}

/** @throws {UsageError} naming the flag, what was expected and what came. */
export function readExportConfig(raw: RawFlags): ExportConfig {
    const { modelPath, to, output, ...flags } = readFlags(OWN_FLAGS, raw);
    if (modelPath === undefined)
        throw new UsageError('the model to export is missing: nativegrad export model.safetensors --to onnx');
    if (to === undefined) throw new UsageError('--to is required: one of onnx, npz, safetensors');
    const path = output ?? `${modelPath.replace(/\.(safetensors|onnx|npz)$/i, '')}.${to}`;
    if (path === modelPath)
        throw new UsageError(`the output would replace the model ${modelPath}; give another --output`);
    return { ...flags, modelPath, to, output: path };
}
