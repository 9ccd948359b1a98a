import { dirname } from 'node:path';

import { DataLoader, digitDataset, readMnistSplit } from '../data/index.js';
import { setThreads, threads } from '../system.js';
import { classifierLoss } from '../train/classifier_loss.js';
import { scoreClassifier } from '../train/score.js';
import { chooseDevice } from './device.js';
import { brokenWarning, loadDigitModel } from './digit_model.js';
import { digitReport, lossLabel, readHistory } from './digit_report.js';
import { configWords, readEvaluateConfig } from './evaluate_flags.js';
import { readDigits } from './digits.js';
import { EXIT } from './exit_codes.js';
import type { RawFlags } from './flags.js';
import { layerFlagsWarning, readLayerFlags } from './layer_flags.js';
import { evaluationResult, evaluationTable } from './results.js';
import type { Streams } from './streams.js';
import { sinksOf } from './tracking_server.js';
import { trackEvaluation } from './track_evaluation.js';
import { crowdWarning } from './threads.js';

/** Evaluates a model file on the test set; everything about the model comes from the file. */
export async function evaluateCommand(raw: RawFlags, { out, err }: Streams): Promise<number> {
    const config = readEvaluateConfig(raw);
    // What of it cannot be is refused before anything is computed.
    sinksOf(config, process.env);
    const log = config.json ? err : out;
    const device = chooseDevice(config.device, err);
    if (config.threads !== undefined) setThreads(config.threads);
    const crowd = crowdWarning(config.threads);
    if (crowd !== undefined) err.write(`nativegrad: warning: ${crowd}\n`);
    const { model, range, classNames, loss, broken, byFlags } = await loadDigitModel(
        config.modelPath,
        readLayerFlags(raw),
    );
    const unused = byFlags ? undefined : layerFlagsWarning(raw, config.modelPath);
    if (unused !== undefined) err.write(`nativegrad: warning: ${unused}\n`);
    const { digits, attribution, folder } = await readDigits(config.data, log, (options) =>
        readMnistSplit('test', options),
    );
    log.write(`${attribution}\n`);
    if (broken.length > 0) {
        err.write(`nativegrad: warning: ${brokenWarning(config.modelPath, broken)}\n`);
    }
    model.to(device);
    const loader = new DataLoader(digitDataset(digits, range).to(device), { batchSize: config.batchSize });
    const begin = performance.now();
    const score = await scoreClassifier(model, loader, classifierLoss(loss), classNames.length);
    const seconds = (performance.now() - begin) / 1000;
    const result = { ...evaluationResult(score, classNames), device, model_path: config.modelPath };
    const epochs = await readHistory(dirname(config.modelPath));
    const report = digitReport({
        title: `Evaluation of ${config.modelPath}`,
        configuration: { ...configWords(config), device, threads: threads() },
        model,
        ...(epochs === undefined ? {} : { training: { epochs, lossLabel: lossLabel(loss) } }),
        score,
        classNames,
        test: digits,
        seconds,
    });
    const found = { model, result, report, digits, source: folder };
    const place = await trackEvaluation(raw, config, device, found, err);
    out.write(config.json ? `${JSON.stringify(result)}\n` : `\n${evaluationTable(result)}`);
    if (place !== undefined) log.write(`report ${place}\n`);
    return EXIT.done;
}
