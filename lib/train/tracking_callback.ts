import { describeValue } from '../support/describe_value.js';
import { requireOptionNames } from '../support/option_names.js';
import type { Run } from '../track/run.js';
import type { Callback, FitContext, StepRecord } from './callback.js';
import { recordForFile, type EpochRecord, type History } from './history.js';

export interface TrackingOptions {
    /** Where it is given, `samples_per_second` is logged, too. */
    readonly samplesPerEpoch?: number;
    /** Steps between points of `batch/loss` and `batch/learning_rate`, counted through all epochs; 0 for none. Default: 50. */
    readonly everySteps?: number;
}

const DEFAULT_STEPS = 50;

/**
 * Logs to a run: each epoch's figures of `history.jsonl` at step = epoch, the loss of a batch now and then, and at the end why it
 * ended. It does not end the run: what is measured afterwards belongs to it as well.
 *
 * @example
 * import { mkdtempSync } from 'node:fs';
 * import { tmpdir } from 'node:os';
 * import { data, nn, optim, randn, tensor, track, train } from 'nativegrad';
 * const run = await track.startRun({ folder: mkdtempSync(`${tmpdir()}/run-`) });
 * const model = new nn.Linear(4, 2);
 * const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
 * const trainer = new train.Trainer({ model, optimizer, loss: nn.crossEntropy });
 * const set = new data.TensorDataset(randn([8, 4]), tensor(new Int32Array(8)));
 * const callbacks = [new train.TrackingCallback(run, { everySteps: 2 })];
 * await trainer.fit(new data.DataLoader(set, { batchSize: 2 }), { epochs: 1, callbacks });
 * await run.end();
 * const read = await track.readRun(run.folder);
 * console.log(read?.metrics.get('batch/loss')?.map(({ step }) => step)); // [ 2, 4 ]
 */
export class TrackingCallback implements Callback {
    private steps = 0;

    constructor(
        readonly run: Run,
        private readonly options: TrackingOptions = {},
    ) {
        requireOptionNames('[TrackingCallback]', options, ['samplesPerEpoch', 'everySteps']);
        const { everySteps = DEFAULT_STEPS } = options;
        if (!Number.isSafeInteger(everySteps) || everySteps < 0)
            throw new RangeError(
                `[TrackingCallback] everySteps must be an integer from 0, got ${describeValue(everySteps)}`,
            );
    }

    onTrainBegin({ resumed }: Pick<FitContext, 'resumed'>): void {
        if (!resumed) this.steps = 0;
    }

    stateDict(): unknown {
        return { steps: this.steps };
    }

    loadStateDict(state: unknown): void {
        const { steps } = state as { steps?: unknown };
        this.steps = typeof steps === 'number' ? steps : 0;
    }

    onStepsEnd(records: readonly StepRecord[], { stepsPerEpoch }: Pick<FitContext, 'stepsPerEpoch'>): void {
        const { everySteps = DEFAULT_STEPS } = this.options;
        if (everySteps === 0) return;
        for (const { epoch, step, loss, learningRate } of records) {
            this.steps++;
            // A fit that goes on in the middle of an epoch has made steps that this object did not see.
            const count = stepsPerEpoch === undefined ? this.steps : (epoch - 1) * stepsPerEpoch + step;
            if (count % everySteps !== 0) continue;
            this.run.logMetrics({ 'batch/loss': loss, 'batch/learning_rate': learningRate }, { step: count });
        }
    }

    onEpochEnd(record: EpochRecord): void {
        const { epoch, ...figures } = recordForFile(record);
        const { samplesPerEpoch } = this.options;
        const metrics: Record<string, number> = { ...figures };
        if (samplesPerEpoch !== undefined) metrics.samples_per_second = samplesPerEpoch / record.seconds;
        this.run.logMetrics(metrics, { step: epoch ?? record.epoch });
    }

    onTrainEnd({ stopReason, execution }: History): void {
        this.run.setTags({ stop_reason: stopReason, execution: execution.mode });
    }
}
