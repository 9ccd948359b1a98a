import { saveModel, Sequential, toConfig, type ModelInfo } from '../nn/index.js';
import { describeValue } from '../support/describe_value.js';
import { requireOptionNames } from '../support/option_names.js';
import { saveTensors } from '../tensor/tensor_file.js';
import type { Callback, FitContext } from './callback.js';
import { modeOf, monitored } from './early_stopping.js';
import type { EpochRecord, MonitoredName } from './history.js';

export interface CheckpointOptions {
    /** Saves only epochs that are better in this figure than all before. Default: every epoch is saved. */
    readonly monitor?: MonitoredName;
    /** Default: max for accuracies, min for losses. */
    readonly mode?: 'min' | 'max';
    /** Saves after every so many epochs. Default 1. */
    readonly every?: number;
    /** Goes into the file, as with `nn.saveModel`. */
    readonly info?: ModelInfo;
}

/**
 * Saves the model after epochs, to be used (to resume a training, see `CheckpointStore`): a `Sequential` whole, as `nn.saveModel` does, any other module as the tensors of its
 * `stateDict`. `{epoch}` in the path stands for the epoch; without it the file is replaced, whole or not at all.
 *
 * @throws RangeError for options out of range; ConfigError, before the first epoch, for a layer that no file can describe. A
 * file that cannot be written ends the fit with its error.
 * @example
 * import { train } from 'nativegrad';
 * const callbacks = [new train.Checkpoint('best.safetensors', { monitor: 'validationLoss' })];
 * console.log(callbacks[0].savedEpoch); // 0
 */
export class Checkpoint implements Callback {
    private best = NaN;
    /** Epoch of the newest file; 0 before the first one. */
    savedEpoch = 0;

    constructor(
        readonly path: string,
        private readonly options: CheckpointOptions = {},
    ) {
        if (typeof path !== 'string' || path === '')
            throw new TypeError(`[Checkpoint] takes the path of the file, got ${describeValue(path)}`);
        requireOptionNames('[Checkpoint]', options, ['monitor', 'mode', 'every', 'info']);
        const { every = 1, mode = 'min' } = options;
        if (!Number.isInteger(every) || every < 1)
            throw new RangeError(`[Checkpoint] every must be a positive integer, got ${every}`);
        if (!['min', 'max'].includes(mode))
            throw new RangeError(`[Checkpoint] mode must be 'min' or 'max', got ${describeValue(mode)}`);
    }

    onTrainBegin({ model, resumed }: FitContext): void {
        if (!resumed) Object.assign(this, { best: NaN, savedEpoch: 0 });
        if (model instanceof Sequential) toConfig(model);
    }

    async onEpochEnd(record: EpochRecord, { model }: FitContext): Promise<void> {
        if (record.epoch % (this.options.every ?? 1) !== 0 || !this.isBest(record)) return;
        const path = this.path.replaceAll('{epoch}', String(record.epoch));
        if (model instanceof Sequential) await saveModel(path, model, this.options.info);
        else await saveTensors(path, model.stateDict());
        this.savedEpoch = record.epoch;
    }

    stateDict(): unknown {
        return { best: this.best, savedEpoch: this.savedEpoch };
    }

    loadStateDict(state: unknown): void {
        const { best, savedEpoch } = state as Record<'best' | 'savedEpoch', number>;
        Object.assign(this, { best, savedEpoch });
    }

    private isBest(record: EpochRecord): boolean {
        const { monitor } = this.options;
        if (!monitor) return true;
        const value = monitored('Checkpoint', monitor, record);
        const isMin = (this.options.mode ?? modeOf(monitor)) === 'min';
        const isBetter = Number.isNaN(this.best)
            ? !Number.isNaN(value)
            : isMin
              ? value < this.best
              : value > this.best;
        if (isBetter) this.best = value;
        return isBetter;
    }
}
