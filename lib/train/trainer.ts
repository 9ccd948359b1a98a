import { emptyCache, programsAtRest } from '../native/program.js';
import { withGradMode } from '../autograd/grad_mode.js';
import { Scope } from '../autograd/scope.js';
import { DataLoader, type Batch } from '../data/index.js';
import { fromTypedArray, zeros } from '../ops/index.js';
import { describeValue } from '../support/describe_value.js';
import { requireOptionNames } from '../support/option_names.js';
import { Breather } from '../support/breathe.js';
import { Module } from '../nn/module.js';
import type { Device } from '../tensor/device.js';
import { keep } from '../tensor/lifetime.js';
import { GradScaler } from '../optim/grad_scaler.js';
import { Schedule } from '../optim/schedule.js';
import type { Tensor } from '../tensor/tensor.js';
import {
    checkTrainerOptions,
    requireBatch,
    requireBatches,
    requireCallbacks,
    requireLoss,
} from './trainer_checks.js';
import { iteratorFrom, rowsOf, type Around, type LoaderRows } from './batch_source.js';
import { EpochTotals } from './epoch_totals.js';
import { EvaluationStep } from './evaluation_step.js';
import { FitCheckpoints, type EpochProgress, type FitState } from './fit_checkpoints.js';
import { isLoader, type LoaderState } from './fit_configuration.js';
import { EpochSteps, FitRun } from './fit_run.js';
import type { EpochRecord, History } from './history.js';
import { TrainStep } from './train_step.js';
import type { Batches, Evaluation, FitOptions, TrainerOptions } from './trainer_options.js';

const fitOptionNames = ['epochs', 'maxSteps', 'validation', 'callbacks', 'signal', 'checkpoints', 'resume'];

interface EpochSource {
    readonly epoch: number;
    readonly batches: Batches;
    readonly rows: LoaderRows | undefined;
    readonly saver: FitCheckpoints | undefined;
    /** Where a checkpoint was made in the middle of it. */
    readonly progress: EpochProgress | null;
    readonly loader: LoaderState | null | undefined;
}

/** Batches of an evaluation from which on a captured program saves more than it costs. */
const worthCapturing = 8;

/**
 * The training loop: batches, steps, validation, callbacks. Tensors of a step are freed at its end; the event loop gets a
 * turn whenever 3 ms of work have passed, also in the middle of a step.
 *
 * @example
 * import { data, nn, optim, randn, tensor, train } from 'nativegrad';
 * const model = new nn.Sequential(new nn.Linear(4, 8), new nn.ReLU(), new nn.Linear(8, 2));
 * const set = new data.TensorDataset(randn([32, 4]), tensor(new Int32Array(32)));
 * const trainer = new train.Trainer({ model, optimizer: new optim.Adam(model.parameters()), loss: nn.crossEntropy });
 * const history = await trainer.fit(new data.DataLoader(set, { batchSize: 8 }), { epochs: 2 });
 * console.log(history.stopReason); // completed
 */
export class Trainer {
    private readonly options: Required<
        Pick<TrainerOptions, 'model' | 'optimizer' | 'loss' | 'scheduleInterval'>
    > &
        TrainerOptions;
    private readonly breather = new Breather();
    private running = false;
    private hasCheckedEvaluation = false;

    constructor(options: TrainerOptions) {
        checkTrainerOptions(options);
        const { scaler: given, ...others } = options;
        const scaler = options.precision === 'float16' ? (given ?? new GradScaler()) : undefined;
        // One that is not enabled leaves no step out: a loss that is no number ends the fit.
        this.options = { scheduleInterval: 'epoch', ...others, ...(scaler?.isEnabled ? { scaler } : {}) };
    }

    /**
     * Trains for a number of epochs, in training mode. However it ends, the model is left in evaluation mode, so that what it
     * gives next are predictions (as Keras does; in PyTorch the mode stays): call `model.train()` before steps of your own.
     *
     * @throws TypeError where an option is not what it should be, a callback has an unknown hook, or a batch is none; Error when
     * a fit of this trainer is running already, and whatever a callback throws.
     */
    async fit(batches: Batches, options: FitOptions): Promise<History> {
        requireBatches('fit', batches);
        requireOptionNames('[fit]', options, fitOptionNames);
        if (options.validation !== undefined) requireBatches('fit', options.validation, 'validation');
        if (!Number.isInteger(options.epochs) || options.epochs < 0) {
            throw new RangeError(
                `[fit] epochs must be a non-negative integer, got ${describeValue(options.epochs)}`,
            );
        }
        const { maxSteps } = options;
        if (maxSteps !== undefined && !(Number.isInteger(maxSteps) && maxSteps >= 1)) {
            throw new RangeError(`[fit] maxSteps must be a positive integer, got ${describeValue(maxSteps)}`);
        }
        requireCallbacks(options.callbacks);
        if (this.running)
            throw new Error('[fit] this trainer is fitting already; await the first fit() before the next');
        const saver = this.checkpointsOf(batches, options);
        this.running = true;
        try {
            const loaded = await saver?.begin(options.resume);
            const restored = loaded && saver && { state: saver.restore(loaded), path: loaded.path };
            return await this.fitFrom(restored, batches, options, saver);
        } finally {
            this.running = false;
            await saver?.close();
        }
    }

    private checkpointsOf(batches: Batches, options: FitOptions): FitCheckpoints | undefined {
        const { checkpoints, resume, callbacks = [] } = options;
        if (resume !== undefined && (typeof resume !== 'string' || resume === ''))
            throw new TypeError(
                `[fit] resume must be 'auto' or the folder of a checkpoint, got ${describeValue(resume)}`,
            );
        if (checkpoints !== undefined)
            return new FitCheckpoints(checkpoints, this.options, batches, callbacks);
        if (resume === undefined) return undefined;
        throw new TypeError(
            '[fit] resume needs checkpoints: new train.CheckpointStore(folder), where the fit goes on saving',
        );
    }

    private async fitFrom(
        from: { readonly state: FitState; readonly path: string } | undefined,
        batches: Batches,
        options: FitOptions,
        saver: FitCheckpoints | undefined,
    ): Promise<History> {
        const restored = from?.state;
        const { capture = 'auto' } = this.options;
        const mode = restored?.mode === 'eager' && capture === 'auto' ? false : capture;
        const step = new TrainStep(this.options, mode, this.breather);
        const run = new FitRun(this.options.model, batches.length, options, step);
        if (from) run.restore(from.state, from.path);
        const rows = this.rowSource(batches, run);
        let progress = restored?.progress ?? null;
        try {
            await run.call((callback) => callback.onTrainBegin?.(run));
            const loader = restored?.loader;
            if (loader && isLoader(batches)) batches.epoch = loader.next ?? loader.epoch;
            for (let epoch = restored?.epoch ?? 1; epoch <= options.epochs; epoch++) {
                // One that a checkpoint was made in is closed, also where no step is left.
                if (run.hasEnded && !progress) break;
                await this.fitEpoch({ epoch, batches, rows, saver, progress, loader }, run);
                progress = null;
            }
            await saver?.finish(run);
        } catch (error) {
            run.reason = 'failed';
            throw error;
        } finally {
            this.options.model.eval();
            this.options.average?.copyTo();
            // What checks of the captured steps have left, op by op: programs have memory of their own.
            if (run.step.execution.mode === 'captured') emptyCache();
            await run.call((callback) => callback.onTrainEnd?.(run.history, run));
        }
        return run.history;
    }

    private async fitEpoch(source: EpochSource, run: FitRun): Promise<void> {
        const { epoch, batches, rows, saver, progress, loader } = source;
        const begin = performance.now() - (progress?.seconds ?? 0) * 1000;
        const seconds = (): number => (performance.now() - begin) / 1000;
        const { model, average } = this.options;
        await run.call((callback) => callback.onEpochBegin?.(epoch, run));
        // A callback, or a signal meanwhile, may end the fit before the epoch has begun.
        if (run.hasEnded && !progress) return;
        model.train();
        run.step.beginEpoch(epoch);
        const steps = new EpochSteps(epoch, run, this.options.scaler);
        if (progress) steps.restore(progress, loader ?? null);
        const save = async (): Promise<void> => saver?.afterSteps(run, steps, seconds());
        if (run.hasEnded) {
            // Only its end is left, and the checkpoint stands.
            saver?.leave();
        } else if (rows && run.step.execution.mode === 'captured') {
            const most = (): number => Math.min(run.stepsLeft, saver?.stepsLeft(run) ?? Infinity);
            await this.runRows(rows, steps, run, { most, save });
        } else await this.runBatches(batches, steps, run, save);
        if (steps.count === 0) {
            throw new RangeError(
                `[fit] epoch ${epoch} gave no batches; pass the DataLoader itself (an iterator runs out), ` +
                    'and check batchSize against the number of samples where dropLast is set',
            );
        }
        await saver?.afterLastSteps(run, steps, seconds());
        if (run.reason === 'interrupted') return;
        const close = (): Promise<EpochRecord> => this.closeEpoch(steps, run, seconds);
        await (average ? average.average(close) : close());
        await saver?.afterEpoch(run);
    }

    /** Validates, makes the record of an epoch and tells the callbacks. */
    private async closeEpoch(steps: EpochSteps, run: FitRun, seconds: () => number): Promise<EpochRecord> {
        const { optimizer, schedule, scheduleInterval } = this.options;
        const { totals, epoch } = steps;
        const validation = run.options.validation ? await this.evaluate(run.options.validation) : undefined;
        const record: EpochRecord = {
            epoch,
            loss: totals.loss,
            ...(totals.accuracy === undefined ? {} : { accuracy: totals.accuracy }),
            ...(validation ? { validationLoss: validation.loss } : {}),
            ...(validation?.accuracy === undefined ? {} : { validationAccuracy: validation.accuracy }),
            learningRate: optimizer.learningRate,
            ...steps.scaling,
            seconds: seconds(),
        };
        if (scheduleInterval === 'epoch') schedule?.step(validation?.loss ?? totals.loss);
        run.records.push(record);
        await run.call((callback) => callback.onEpochEnd?.(record, run));
        return record;
    }

    private async runBatches(
        batches: Batches,
        steps: EpochSteps,
        run: FitRun,
        save: () => Promise<void>,
    ): Promise<void> {
        const { optimizer, schedule, scheduleInterval } = this.options;
        await this.eachBatch(
            batches,
            async (batch, scope) => {
                const { loss: lossTensor, outputs } = await run.step.run(batch, scope);
                const loss = lossTensor.item();
                steps.totals.add(loss, outputs, batch[1]);
                if (scheduleInterval === 'step') schedule?.step();
                const record = steps.record(loss, optimizer.learningRate);
                // Each look at the scaler waits for the device.
                if (!Number.isFinite(loss) || steps.count % 64 === 0) steps.watchScale();
                await run.reportSteps([record]);
                await save();
                return !run.hasEnded;
            },
            {
                skip: steps.count,
                begin: (first) => (isLoader(batches) ? steps.beginLoader(batches, first) : first()),
            },
        );
    }

    /** How the steps of a fit get their samples where many of them may run in one go. */
    private rowSource(batches: Batches, run: FitRun): LoaderRows | undefined {
        // A loader of the user's own may do anything in its loop.
        if (!(batches instanceof DataLoader) || batches.constructor !== DataLoader) return undefined;
        const { gather, dataset } = batches;
        if (!gather || !run.mayRunStepsAtOnce) return undefined;
        const { device = 'cpu' } = dataset;
        if (device !== (this.device ?? device)) return undefined;
        const { schedule, scheduleInterval } = this.options;
        if (!schedule || scheduleInterval === 'epoch') return { loader: batches, gather };
        const isCapturable = schedule instanceof Schedule && schedule.isCapturable;
        return isCapturable ? { loader: batches, gather, advance: () => schedule.step() } : undefined;
    }

    private async runRows(
        source: LoaderRows,
        steps: EpochSteps,
        run: FitRun,
        { most, save }: { most: () => number; save: () => Promise<void> },
    ): Promise<void> {
        const { loader } = source;
        const { length, batchSize } = loader;
        const { length: samples, device = 'cpu' } = loader.dataset;
        const numbers = steps.beginLoader(loader, () => loader.nextOrder());
        const order = fromTypedArray(numbers, [samples], { device });
        try {
            while (steps.count < length && !run.hasEnded) {
                const rows = rowsOf(order, steps.count * batchSize, batchSize, most());
                const figures = await run.step.runRows(source, rows);
                rows.dispose();
                const records = steps.records(figures, rows.shape[1] ?? 0);
                steps.watchScale();
                await run.reportSteps(records);
                await save();
            }
        } finally {
            order.dispose();
        }
    }

    /** Mean loss and accuracy, in evaluation mode and without recording. */
    async evaluate(batches: Batches): Promise<Evaluation> {
        const totals = new EpochTotals();
        const step = this.newEvaluation(batches);
        await this.eachEvaluated(batches, async ([inputs, targets], scope) => {
            const evaluated = this.inEvaluation(() => scope.run(() => step.runBeside(inputs, targets)));
            const { loss, outputs } = await evaluated;
            scope.adopt([loss, outputs]);
            totals.add(loss.item(), outputs, targets);
        });
        return { loss: totals.loss, accuracy: totals.accuracy, samples: totals.samples };
    }

    /**
     * Captured anew each time, since the loss may read JavaScript that has changed, and only where that pays. The first time's
     * check is enough to find what changes from batch to batch.
     */
    private newEvaluation(batches: Batches): EvaluationStep {
        const { model, loss: lossOf, capture } = this.options;
        const loss = (outputs: Tensor, targets: Tensor): Tensor =>
            requireLoss('evaluate', lossOf(outputs, targets));
        const isCaptured = capture !== false && (batches.length ?? 0) >= worthCapturing;
        const surroundings = <T>(body: () => T): T => this.inEvaluation(body);
        const checks = this.hasCheckedEvaluation ? 0 : undefined;
        this.hasCheckedEvaluation ||= isCaptured;
        return new EvaluationStep({ model, loss, surroundings }, isCaptured, checks);
    }

    /** The model's outputs for all batches, [samples, ...], in evaluation mode and without recording. */
    async predict(batches: Batches): Promise<Tensor> {
        const parts: Tensor[] = [];
        await this.eachEvaluated(batches, ([inputs], scope) => {
            const body = (): Tensor => keep(this.options.model.forward(inputs).detach().clone());
            parts.push(this.inEvaluation(() => scope.run(body)));
        });
        const [first] = parts;
        if (!first) throw new RangeError('[predict] there are no batches');
        const samples = parts.reduce((count, part) => count + (part.shape[0] ?? 0), 0);
        const all = zeros([samples, ...first.shape.slice(1)], { dtype: first.dtype, device: first.device });
        let start = 0;
        for (const part of parts) {
            const end = start + (part.shape[0] ?? 0);
            const rows = all.slice(0, start, end);
            rows.copy_(part);
            rows.dispose();
            part.dispose();
            start = end;
        }
        return all;
    }

    /** Runs `body` on each batch; tensors that join its scope are freed. */
    private async eachEvaluated(
        batches: Batches,
        body: (batch: Batch, scope: Scope) => void | Promise<void>,
    ): Promise<void> {
        requireBatches('evaluate', batches);
        await this.eachBatch(batches, async (batch, scope) => {
            // A fit of the same model may have a step on another thread.
            await programsAtRest();
            await body(batch, scope);
            return true;
        });
    }

    /** Only until `body` returns: a fit of the same model may go on between two parts of an evaluation. */
    private inEvaluation<T>(body: () => T): T {
        const { model } = this.options;
        const wasTraining = model.training === true;
        model.eval();
        try {
            return withGradMode(false, body);
        } finally {
            if (wasTraining) model.train();
        }
    }

    /** Where the model's parameters lie; undefined where they do not say. */
    private get device(): Device | undefined {
        const { model } = this.options;
        const [first] = model instanceof Module ? (model as Module).parameters() : [];
        return first?.device;
    }

    /** The batch where the model is; copies join `scope`. */
    private onDevice(batch: Batch, scope: Scope): Batch {
        const { device } = this;
        if (device === undefined || batch.every((x) => x.device === device)) return batch;
        const [inputs, targets] = batch;
        return scope.run(() => [inputs.to(device), targets.to(device)]);
    }

    /** Runs `body` on each batch, in a scope that is freed afterwards, until it gives false. */
    private async eachBatch(
        batches: Batches,
        body: (batch: Batch, scope: Scope) => Promise<boolean>,
        { skip = 0, begin }: { skip?: number; begin?: Around } = {},
    ): Promise<void> {
        const iterator = await iteratorFrom(batches, skip, begin);
        for (;;) {
            await this.breather.breatheIfDue();
            const scope = new Scope();
            try {
                const next = await iterator.next();
                if (next.done) return;
                requireBatch(next.value);
                if (batches instanceof DataLoader && batches.makesNewTensors) scope.adopt(next.value);
                if (!(await body(this.onDevice(next.value, scope), scope))) {
                    await iterator.return?.();
                    return;
                }
            } finally {
                scope.dispose();
            }
        }
    }
}
