import type { Callback } from '../train/callback.js';
import type { EpochRecord } from '../train/history.js';
import { formatFigure } from '../train/progress.js';
import type { TrainConfig } from './train_flags.js';

/** Cross-entropy of a guess among ten digits. */
const GUESSING_LOSS = Math.log(10);

/** Warns once of a loss that became NaN or infinite, or is far above what guessing gives, with the likely fix. */
export class DivergenceWarning implements Callback {
    private isTold = false;

    constructor(
        private readonly config: Pick<TrainConfig, 'learningRate' | 'gradientClip'>,
        private readonly warn: (text: string) => void,
    ) {}

    onEpochEnd({ epoch, loss }: EpochRecord): void {
        const isFinite = Number.isFinite(loss);
        if (this.isTold || (isFinite && loss < 10 * GUESSING_LOSS)) return;
        this.isTold = true;
        const { learningRate, gradientClip } = this.config;
        const state = isFinite
            ? `is ${formatFigure(loss)}, where guessing has ${formatFigure(GUESSING_LOSS)}`
            : `became ${loss}, which ends the training`;
        const clip =
            gradientClip === undefined ? '--gradient_clip 1' : `--gradient_clip below ${gradientClip}`;
        this.warn(
            `epoch ${epoch}: training diverges: the loss ${state}; try a --learning_rate below ${learningRate}, or ${clip}`,
        );
    }
}
