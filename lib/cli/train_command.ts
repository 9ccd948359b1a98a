import { basename } from 'node:path';

import { DataLoader, digitDataset, randomAffine, randomSplit, readMnist } from '../data/index.js';
import type { DataLoaderOptions, MnistData, Subset, TensorDataset } from '../data/index.js';
import { saveModel } from '../nn/model_file.js';
import type { Module } from '../nn/module.js';
import { setThreads, threads } from '../system.js';
import type { Device } from '../tensor/device.js';
import type { DatasetInput, RunStatus } from '../track/records.js';
import { TrackingCallback } from '../train/tracking_callback.js';
import { EarlyStopping } from '../train/early_stopping.js';
import { Progress } from '../train/progress.js';
import { JsonLinesHistory } from '../train/history_files.js';
import type { Callback, FitContext } from '../train/callback.js';
import type { History } from '../train/history.js';
import type { FitOptions } from '../train/trainer_options.js';
import type { ReportData } from '../report/training_report.js';
import { classifierLoss } from '../train/classifier_loss.js';
import { scoreClassifier } from '../train/score.js';
import type { Score } from '../train/score.js';
import { chooseDevice, placeText } from './device.js';
import { digitModelInfo, TRAIN_RANGE } from './digit_model.js';
import { digitReport, lossLabel } from './digit_report.js';
import { readDigits } from './digits.js';
import { DivergenceWarning } from './divergence_warning.js';
import { EXIT } from './exit_codes.js';
import type { RawFlags } from './flags.js';
import { flagName } from './flags.js';
import { listenForInterrupt, type Interrupt } from './interrupt.js';
import { checkMemory } from './memory_need.js';
import { packageVersion } from './package_version.js';
import { writeReport } from './pictures.js';
import { CLASS_NAMES, evaluationResult, evaluationTable } from './results.js';
import { checkpointOptions, runFolderFor } from './checkpoint_flags.js';
import { withFlagsOfRun } from './resumed_flags.js';
import { findResumed, resumePlace } from './resume_place.js';
import { writeJson } from './run_folder.js';
import type { RunFolder } from './run_folder.js';
import { ChangedOptions } from './changed_options.js';
import type { Streams } from './streams.js';
import { readTrainConfig, unusedFlags } from './train_flags.js';
import type { TrainConfig } from './train_flags.js';
import { crowdWarning } from './threads.js';
import { commandText, digitsInput, experimentOf, inShell, TrackedRun } from './tracked_run.js';
import { hasMlflow, sinksOf } from './tracking_server.js';
import { setUpTraining } from './training_setup.js';
import type { Training } from './training_setup.js';
import { UsageError } from './usage_error.js';

// One forward pass keeps the event loop waiting: no longer than a step of training does.
const SCORE_BATCH = 128;

/** Trains as the flags say and writes a run folder; everything that can be refused is refused before it is made. */
export async function trainCommand(given: RawFlags, { out, err }: Streams): Promise<number> {
    const warn = (text: string): void => void err.write(`nativegrad: warning: ${text}\n`);
    const place = resumePlace(readTrainConfig(given));
    const { raw, began, changed } = await withFlagsOfRun(given, place?.folder, warn);
    const config = readTrainConfig(raw);
    const isNew = place && !(await findResumed(config, place));
    const log = config.json ? err : out;
    unusedFlags(raw, config).forEach(warn);
    // What of it cannot be is refused before anything is made.
    sinksOf(config, process.env);
    const device = chooseDevice(config.device, err);
    if (config.threads !== undefined) setThreads(config.threads);
    const crowd = crowdWarning(config.threads);
    if (crowd !== undefined) warn(crowd);
    const shortage = checkMemory(config);
    if (shortage !== undefined) warn(shortage);
    const data = await readDigits(config.data, log, readMnist);
    const digits = digitDataset(data.train, TRAIN_RANGE).to(device);
    const { training: trainingSet, validation } = split(digits, config);
    const training = setUpTraining(config, trainingSet.length, device);
    const interrupt = listenForInterrupt(warn);
    const folder = await runFolderFor(config);
    // Refused where another process writes this run, whose files must stay what they are.
    const tracked = await startTracking(raw, config, folder, device, training.model, warn);
    log.write(
        `${data.attribution}\n${describeRun(config, device, folder, trainingSet.length, validation?.length ?? 0)}\n`,
    );
    if (isNew) log.write('no checkpoint yet: begins anew\n');
    const plan = {
        config,
        began,
        changed,
        folder,
        data,
        device,
        training,
        trainingSet,
        validation,
        interrupt,
        tracked,
    };
    const code = await tracked.during(() => trainAndScore(plan, { out, err }, warn));
    interrupt.release();
    return code;
}

/** What a run works with once everything is read and made. */
interface Plan {
    readonly config: TrainConfig;
    /** The flags that the run began with. */
    readonly began: RawFlags;
    /** Keys of flags that are others than those that the run began with. */
    readonly changed: readonly string[];
    readonly folder: RunFolder;
    readonly data: MnistData;
    readonly device: Device;
    readonly training: Training;
    readonly trainingSet: Subset;
    readonly validation: Subset | undefined;
    readonly interrupt: Interrupt;
    readonly tracked: TrackedRun;
}

async function trainAndScore(
    plan: Plan,
    { out, err }: Streams,
    warn: (text: string) => void,
): Promise<{ result: number; status: RunStatus }> {
    const { config, changed, folder, data, device, training, trainingSet, validation, interrupt, tracked } =
        plan;
    const log = config.json ? err : out;
    // Their hashes take some time, which is none of the training.
    const inputs = [
        digitsInput(data.train, data.folder, 'training'),
        digitsInput(data.test, data.folder, 'test'),
    ];
    const begin = performance.now();
    const best = bestModel(config);
    const callbacks = [
        {
            // Not before: a run that is not taken up again stays as it was.
            onTrainBegin: async ({ resumedFrom: from }: FitContext) => {
                if (from !== undefined) log.write(`goes on from ${basename(from)}\n`);
                await beginRun(plan, inputs);
            },
        },
        new ChangedOptions(training, config, changed),
        new JsonLinesHistory(folder.file('history.jsonl'), { onWarning: warn }),
        new TrackingCallback(
            tracked.run,
            config.maxSteps === undefined ? { samplesPerEpoch: trainingSet.length } : {},
        ),
        new Progress(log),
        new DivergenceWarning(config, warn),
        ...(best ? [best] : []),
    ];
    const history = await fit(training, trainingSet, validation, config, callbacks, {
        signal: interrupt.signal,
        ...checkpointOptions(config, folder, warn),
    });
    const { seconds } = history;
    const before = seconds - (performance.now() - begin) / 1000;
    const modelPath = folder.file(`${config.modelName}.safetensors`);
    await saveModel(modelPath, training.model, digitModelInfo(config));

    const loader = new DataLoader(digitDataset(data.test, TRAIN_RANGE).to(device), {
        batchSize: SCORE_BATCH,
    });
    const scoring = performance.now();
    const loss = classifierLoss(config.loss);
    const score = await scoreClassifier(training.model, loader, loss, CLASS_NAMES.length);
    const scoreSeconds = (performance.now() - scoring) / 1000;
    const result = {
        ...evaluationResult(score, CLASS_NAMES),
        ...summary(history),
        ...(best ? { best_epoch: best.bestEpoch } : {}),
        seconds,
        device,
        threads: threads(),
        run_dir: folder.path,
        model_path: modelPath,
    };
    await writeJson(folder.file('metrics.json'), result);
    if (best)
        log.write(
            `the model of epoch ${best.bestEpoch} of ${history.epochs.length}, the lowest validation loss\n`,
        );
    if (config.json) out.write(`${JSON.stringify(result)}\n`);
    else
        out.write(
            `\n${evaluationTable(result)}${trainingTime(seconds, before)}; run folder ${folder.path}\n`,
        );
    await writeReport(folder, reportOf(plan, history, score, scoreSeconds), warn);
    await tracked.logResults(result, history.epochs.length);
    registerModel(plan, modelPath, log);
    if (history.stopReason === 'diverged') return { result: EXIT.failed, status: 'FAILED' };
    const isCut = history.stopReason === 'interrupted';
    return { result: interrupt.exitCode ?? EXIT.done, status: isCut ? 'KILLED' : 'FINISHED' };
}

/** Notes what the run is asked to do. */
async function beginRun(
    { config, began, folder, device, tracked }: Plan,
    inputs: readonly DatasetInput[],
): Promise<void> {
    tracked.begin();
    for (const input of inputs) tracked.run.logInput(input);
    await writeJson(folder.file('config.json'), { ...configForFile(config, device), flags: began });
}

/** Lists the model on the MLflow server; where there is none, it says what will. */
function registerModel({ config, folder, tracked }: Plan, modelPath: string, log: Streams['out']): void {
    const { registerModel: name } = config;
    if (name === undefined) return;
    tracked.run.registerModel(name, basename(modelPath));
    if (hasMlflow(config)) return;
    const command = `nativegrad sync ${inShell(folder.path)} --tracking_uri <url>`;
    log.write(`the model is registered as ${name} once \`${command}\` sends the run to an MLflow server\n`);
}

/** `before`: of it, in the parts of the run that this one goes on from. */
function trainingTime(seconds: number, before: number): string {
    const earlier = before < 0.05 ? '' : ` (${before.toFixed(1)} s before it went on)`;
    return `${seconds.toFixed(1)} s of training${earlier}`;
}

function startTracking(
    raw: RawFlags,
    config: TrainConfig,
    folder: RunFolder,
    device: Device,
    model: Module,
    warn: (text: string) => void,
): Promise<TrackedRun> {
    return TrackedRun.start({
        config,
        folder: folder.path,
        experiment: experimentOf(config, process.env),
        command: commandText('train', raw),
        device,
        model,
        params: configForFile(config, device),
        sinks: sinksOf(config, process.env),
        warn,
    });
}

function split(
    data: TensorDataset,
    config: TrainConfig,
): { training: Subset; validation: Subset | undefined } {
    const total = data.length;
    const held = Math.round(total * config.validationSplit);
    if (held >= total) {
        const detail = `leaves nothing of the ${total} training images to train on`;
        throw new UsageError(`--validation_split ${config.validationSplit} ${detail}`);
    }
    const [training, validation] = randomSplit(data, [total - held, held], config.seed);
    if (training === undefined) throw new RangeError('[split] randomSplit gave no parts');
    return { training, validation: held === 0 ? undefined : validation };
}

function fit(
    training: Training,
    trainingSet: Subset,
    validation: Subset | undefined,
    config: TrainConfig,
    callbacks: readonly Callback[],
    options: Pick<FitOptions, 'signal' | 'checkpoints' | 'resume'>,
): Promise<History> {
    const { batchSize, seed, epochs, maxSteps } = config;
    const loader = new DataLoader(trainingSet, {
        batchSize,
        seed,
        shuffle: true,
        dropLast: training.dropLast,
        ...augmentation(config),
    });
    return training.trainer.fit(loader, {
        epochs,
        callbacks,
        ...options,
        ...(maxSteps === undefined ? {} : { maxSteps }),
        ...(validation ? { validation: new DataLoader(validation, { batchSize: SCORE_BATCH }) } : {}),
    });
}

/** Brings the best epoch's weights back at the end, where a flag asks for it. */
function bestModel({ saveBest, earlyStopping }: TrainConfig): EarlyStopping | undefined {
    if (!saveBest && earlyStopping === undefined) return undefined;
    return new EarlyStopping({ patience: earlyStopping ?? Number.MAX_SAFE_INTEGER });
}

/** What changes the training images at random, where the flags ask for it. */
function augmentation(config: TrainConfig): Pick<DataLoaderOptions, 'transform'> {
    const { augmentShift: shift, augmentRotate: rotate, augmentScale: scale, seed } = config;
    if (shift === 0 && rotate === 0 && scale === 0) return {};
    const background = -TRAIN_RANGE.mean / TRAIN_RANGE.std;
    return { transform: randomAffine({ shift, rotate, scale, background, seed }) };
}

interface Summary {
    readonly validation_accuracy: number | null;
    readonly validation_loss: number | null;
    readonly epochs: number;
    readonly epoch_seconds: readonly number[];
    readonly stop_reason: string;
    readonly execution: string;
    readonly interrupted: boolean;
}

function summary({ epochs, stopReason, execution }: History): Summary {
    const last = epochs.at(-1);
    return {
        validation_accuracy: last?.validationAccuracy ?? null,
        validation_loss: last?.validationLoss ?? null,
        epochs: epochs.length,
        epoch_seconds: epochs.map((epoch) => epoch.seconds),
        stop_reason: stopReason,
        execution: execution.mode,
        interrupted: stopReason === 'interrupted',
    };
}

/** The samples of an epoch, where none is cut short. */
function wholeEpochs({ maxSteps }: TrainConfig, trainingSet: Subset): { samples?: number } {
    return maxSteps === undefined ? { samples: trainingSet.length } : {};
}

function reportOf(
    { folder, config, device, training, trainingSet, data }: Plan,
    { epochs, stopReason }: History,
    score: Score,
    seconds: number,
): ReportData {
    return digitReport({
        title: `Training of ${folder.name}`,
        configuration: configForFile(config, device),
        model: training.model,
        training: {
            epochs,
            stopReason,
            lossLabel: lossLabel(config.loss),
            ...wholeEpochs(config, trainingSet),
        },
        score,
        classNames: CLASS_NAMES,
        test: data.test,
        seconds,
    });
}

/** The options under the names of the flags, and what they were run with. */
function configForFile(config: TrainConfig, device: string): Record<string, unknown> {
    const options = Object.entries(config).map(([key, value]: [string, unknown]): [string, unknown] => [
        flagName(key).slice(2),
        value ?? null,
    ]);
    return {
        ...Object.fromEntries(options),
        device,
        threads: threads(),
        nativegrad: packageVersion(),
        node: process.versions.node,
    };
}

function describeRun(
    config: TrainConfig,
    device: Device,
    folder: RunFolder,
    training: number,
    validation: number,
): string {
    const { architecture, hiddenSizes, convChannels, optimizer, learningRate, batchSize, epochs } = config;
    const layers = [...(architecture === 'cnn' ? convChannels : []), ...hiddenSizes].join('-');
    const samples = `${training} images to train on, ${validation} to validate`;
    const method = `${optimizer}, learning rate ${learningRate}, batches of ${batchSize}, ${epochs} ${epochs === 1 ? 'epoch' : 'epochs'}${config.maxSteps === undefined ? '' : ` or ${config.maxSteps} ${config.maxSteps === 1 ? 'step' : 'steps'}`}`;
    return `${architecture} ${layers}; ${samples}; ${method}; ${placeText(device)}\nrun folder ${folder.path}`;
}
