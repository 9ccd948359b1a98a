import { stat } from 'node:fs/promises';

import { saveModel } from '../nn/model_file.js';
import { modelTexts } from '../nn/model_texts.js';
import { exportOnnx } from '../nn/onnx/export_onnx.js';
import { saveNpz } from '../tensor/numpy_file.js';
import { DIGIT_INFO } from './digit_model.js';
import { EXIT } from './exit_codes.js';
import { readExportConfig, type ExportConfig } from './export_flags.js';
import type { RawFlags } from './flags.js';
import { layerFlagsWarning, readLayerFlags } from './layer_flags.js';
import { loadModelFile, type LoadedModel } from './model_formats.js';
import type { Streams } from './streams.js';
import { UsageError } from './usage_error.js';

/** Writes a model file in another format. */
export async function exportCommand(raw: RawFlags, { out, err }: Streams): Promise<number> {
    const config = readExportConfig(raw);
    const loaded = await loadModelFile(config.modelPath, readLayerFlags(raw), DIGIT_INFO);
    const warning = loaded.byFlags ? undefined : layerFlagsWarning(raw, config.modelPath);
    if (warning !== undefined) err.write(`nativegrad: warning: ${warning}\n`);
    await write(config, loaded);
    const { size: bytes } = await stat(config.output);
    const { modelPath, to: format, output } = config;
    out.write(
        config.json
            ? `${JSON.stringify({ model_path: modelPath, format, output, bytes })}\n`
            : `${output}: ${format}, ${bytes} bytes\n`,
    );
    return EXIT.done;
}

async function write(
    { to, output, inputShape, modelPath }: ExportConfig,
    { model, info }: LoadedModel,
): Promise<void> {
    const shape = inputShape ?? info.inputShape;
    const full = shape === undefined ? info : { ...info, inputShape: shape };
    switch (to) {
        case 'safetensors':
            await saveModel(output, model, full);
            return;
        case 'npz':
            await saveNpz(output, model.stateDict(), modelTexts(model, full));
            return;
        case 'onnx':
            if (shape === undefined)
                throw new UsageError(
                    `--input_shape is required: ${modelPath} does not say the shape of its inputs, like 1,28,28`,
                );
            await exportOnnx(model, output, { info: full });
    }
}
