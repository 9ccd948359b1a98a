import type { SingleBar } from 'cli-progress';
import type { Callback, FitContext, StepRecord } from './callback.js';
import type { EpochRecord } from './history.js';

export interface ProgressStream extends NodeJS.WritableStream {
    isTTY?: boolean;
}

/** Enough digits to see a change, and no more: 0.0000123 is 1.230e-5, a loss that exploded 3.400e+34. */
export function formatFigure(value: number): string {
    if (!Number.isFinite(value)) return String(value);
    const size = Math.abs(value);
    return size >= 1e6 || (size > 0 && size < 1e-3) ? value.toExponential(3) : value.toFixed(4);
}

function figures(rows: readonly (readonly [string, number | undefined])[]): string {
    return rows
        .flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${formatFigure(value)}`]))
        .join('  ');
}

function scaleText({ lossScale, skippedSteps = 0 }: EpochRecord): string {
    if (lossScale === undefined) return '';
    return `  loss scale ${lossScale}${skippedSteps > 0 ? `  skipped ${skippedSteps}` : ''}`;
}

/** Text of an epoch, as in `epoch 3/10  loss 0.0812  accuracy 0.9751  …`. */
export function epochLine(record: EpochRecord, epochs: number): string {
    const text = figures([
        ['loss', record.loss],
        ['accuracy', record.accuracy],
        ['validation loss', record.validationLoss],
        ['validation accuracy', record.validationAccuracy],
    ]);
    return `epoch ${record.epoch}/${epochs}  ${text}${scaleText(record)}  ${record.seconds.toFixed(1)} s`;
}

/** A progress bar for each epoch on a terminal, and one plain line per epoch anywhere. */
export class Progress implements Callback {
    private bar: SingleBar | null = null;

    constructor(private readonly stream: ProgressStream = process.stderr) {}

    async onEpochBegin(epoch: number, context: FitContext): Promise<void> {
        if (!this.stream.isTTY || context.stepsPerEpoch === undefined) return;
        const { default: cliProgress } = await import('cli-progress');
        this.bar = new cliProgress.SingleBar({
            format: `epoch ${epoch}/${context.epochs} {bar} {value}/{total}  {figures}  {eta} s left`,
            stream: this.stream,
            barsize: 24,
            hideCursor: true,
            clearOnComplete: true,
            fps: 10,
        });
        this.bar.start(context.stepsPerEpoch, 0, { figures: '' });
    }

    onStepsEnd(records: readonly StepRecord[]): void {
        const record = records.at(-1);
        if (!record) return;
        this.bar?.update(record.step, {
            figures: figures([
                ['loss', record.meanLoss],
                ['accuracy', record.meanAccuracy],
            ]),
        });
    }

    onEpochEnd(record: EpochRecord, context: FitContext): void {
        this.closeBar();
        this.stream.write(`${epochLine(record, context.epochs)}\n`);
    }

    onTrainEnd(): void {
        this.closeBar();
    }

    private closeBar(): void {
        this.bar?.stop();
        this.bar = null;
    }
}
