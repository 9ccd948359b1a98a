import { DataLoader, readMnist } from '../data/index.js';
import { setThreads } from '../system.js';
import { classifierDataset } from '../train/classifier_data.js';
import { classifierLoss } from '../train/classifier_loss.js';
import { loadClassifier } from '../train/model_file.js';
import { ModelFileError } from '../train/model_file_error.js';
import { scoreClassifier } from '../train/score.js';
import { cacheFolder } from './cache_folder.js';
import { chooseDevice } from './device.js';
import { readEvaluateConfig } from './evaluate_flags.js';
import { EXIT } from './exit_codes.js';
import type { RawFlags } from './flags.js';
import { CLASS_NAMES, evaluationResult, evaluationTable } from './results.js';
import type { Streams } from './streams.js';

/** Evaluates a model file on the test set; everything about the model comes from the file. */
export async function evaluateCommand(raw: RawFlags, { out, err }: Streams): Promise<number> {
    const config = readEvaluateConfig(raw);
    const log = config.json ? err : out;
    const device = chooseDevice(config.device);
    if (config.threads !== undefined) setThreads(config.threads);
    const { model, spec } = await loadClassifier(config.modelPath);
    if (spec.inputShape.join() !== '1,28,28' || spec.classes !== CLASS_NAMES.length) {
        const detail = `takes images of ${spec.inputShape.join(' x ')} in ${spec.classes} classes, not digits of 1 x 28 x 28 in 10`;
        throw new ModelFileError(config.modelPath, detail);
    }
    const data = await readMnist({
        folder: config.data,
        cacheFolder: cacheFolder(),
        onMessage: (text) => void log.write(`${text}\n`),
    });
    log.write(`${data.attribution}\n`);
    const loader = new DataLoader(classifierDataset(data.test, spec), { batchSize: config.batchSize });
    const score = await scoreClassifier(model, loader, classifierLoss(spec.loss), spec.classes);
    const result = { ...evaluationResult(score, CLASS_NAMES), device, model_path: config.modelPath };
    out.write(config.json ? `${JSON.stringify(result)}\n` : `\n${evaluationTable(result)}`);
    return EXIT.done;
}
