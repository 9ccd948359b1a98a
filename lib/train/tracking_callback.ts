import type { Run } from '../track/run.js';
import type { Callback } from './callback.js';
import { recordForFile, type EpochRecord, type History } from './history.js';

/**
 * Logs each epoch to a run: the figures of `history.jsonl` at step = epoch, and at the end why it ended. It does not end the
 * run: what is measured afterwards belongs to it as well.
 */
export class TrackingCallback implements Callback {
    /** `samplesPerEpoch`: where it is given, `samples_per_second` is logged, too. */
    constructor(
        readonly run: Run,
        private readonly options: { readonly samplesPerEpoch?: number } = {},
    ) {}

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
