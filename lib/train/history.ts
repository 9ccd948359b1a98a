/** How steps run: as captured programs, or op by op and why. */
export interface Execution {
    readonly mode: 'captured' | 'eager';
    /** Why the steps are not captured. */
    readonly reason?: string;
    /** On a GPU, how captured steps run: 'graph', or 'calls' with the reason (see `ProgramReport.execution`). */
    readonly program?: string;
}

/** What one epoch gave. Validation figures are there when validation data was given, accuracy for classifications. */
export interface EpochRecord {
    /** Counts from 1. */
    readonly epoch: number;
    readonly loss: number;
    readonly accuracy?: number;
    readonly validationLoss?: number;
    readonly validationAccuracy?: number;
    /** At the end of the epoch. */
    readonly learningRate: number;
    /** With precision 'float16': the scale of the loss at the end, and how many steps of the epoch overflow left out. */
    readonly lossScale?: number;
    readonly skippedSteps?: number;
    /** Wall-clock time of training and validation. */
    readonly seconds: number;
}

/** A figure of an epoch that a callback can watch. */
export type MonitoredName = 'loss' | 'accuracy' | 'validationLoss' | 'validationAccuracy';

/** Why a fit ended. `diverged`: the loss became NaN or infinite, or no scale of it is small enough for float16. */
export type StopReason = 'completed' | 'early stopping' | 'interrupted' | 'diverged' | 'failed';

/** The course of a fit. */
export interface History {
    readonly epochs: readonly EpochRecord[];
    readonly stopReason: StopReason;
    /** Steps of the whole fit, up to one whose loss ended it; steps that ran in one go with it have changed the weights as well. */
    readonly steps: number;
    /**
     * Wall-clock time of the fit; of one that was resumed, of all its parts together, each up to the checkpoint that the next one went
     * on from.
     */
    readonly seconds: number;
    /** How the last step was run. */
    readonly execution: Execution;
}

/** The keys of an epoch in files: snake_case, as the command line prints them. */
export function recordForFile(record: EpochRecord): Record<string, number> {
    const rows: [string, number | undefined][] = [
        ['epoch', record.epoch],
        ['loss', record.loss],
        ['accuracy', record.accuracy],
        ['validation_loss', record.validationLoss],
        ['validation_accuracy', record.validationAccuracy],
        ['learning_rate', record.learningRate],
        ['loss_scale', record.lossScale],
        ['skipped_steps', record.skippedSteps],
        ['seconds', record.seconds],
    ];
    return Object.fromEntries(rows.filter((row): row is [string, number] => row[1] !== undefined));
}

/** The reverse of {@link recordForFile}; undefined where it is no record of an epoch. */
export function recordFromFile(value: unknown): EpochRecord | undefined {
    if (typeof value !== 'object' || value === null) return undefined;
    const fields: Readonly<Record<string, unknown>> = { ...value };
    // JSON has no NaN: the loss of an epoch that diverged is null.
    const number = (name: string): number | undefined => {
        const field = fields[name] === null ? NaN : fields[name];
        return typeof field === 'number' ? field : undefined;
    };
    const [epoch, loss, learningRate, seconds] = ['epoch', 'loss', 'learning_rate', 'seconds'].map(number);
    if (epoch === undefined || loss === undefined || learningRate === undefined || seconds === undefined)
        return undefined;
    const rest = {
        accuracy: number('accuracy'),
        validationLoss: number('validation_loss'),
        validationAccuracy: number('validation_accuracy'),
        lossScale: number('loss_scale'),
        skippedSteps: number('skipped_steps'),
    };
    const given = Object.entries(rest).filter(([, field]) => field !== undefined);
    return { epoch, loss, learningRate, seconds, ...Object.fromEntries(given) };
}
