import type { Callback, FitContext } from '../train/callback.js';
import type { TrainConfig } from './train_flags.js';
import type { Training } from './training_setup.js';

/** Options of the optimizer that a checkpoint brings back, and the flags that may say otherwise. */
const OPTIONS = { learningRate: 'lr', weightDecay: 'weightDecay', momentum: 'momentum' } as const;

type Chosen = Pick<TrainConfig, keyof typeof OPTIONS | 'optimizer'>;

/** Gives the optimizer of a resumed fit the options whose flags are others than those that its checkpoint was made with. */
export class ChangedOptions implements Callback {
    constructor(
        private readonly training: Pick<Training, 'optimizer' | 'schedule'>,
        private readonly config: Chosen,
        /** Keys of flags that differ, for a checkpoint that does not know what it was made with. */
        private changed: readonly string[],
    ) {}

    stateDict(): Chosen {
        const { optimizer, learningRate, weightDecay, momentum } = this.config;
        return { optimizer, learningRate, weightDecay, momentum };
    }

    loadStateDict(state: unknown): void {
        const before = state as Chosen;
        this.changed = (Object.keys(before) as (keyof Chosen)[]).filter(
            (name) => before[name] !== this.config[name],
        );
    }

    onTrainBegin({ resumed }: Pick<FitContext, 'resumed'>): void {
        if (!resumed) return;
        // An optimizer of another kind has no use for what the former one was given.
        const isOther = this.changed.includes('optimizer');
        const names = (Object.keys(OPTIONS) as (keyof typeof OPTIONS)[]).filter(
            (name) => isOther || this.changed.includes(name),
        );
        const { optimizer, schedule } = this.training;
        const { paramGroups } = optimizer;
        for (const group of paramGroups) {
            for (const name of names)
                if (OPTIONS[name] in group) Object.assign(group, { [OPTIONS[name]]: this.config[name] });
        }
        if (names.includes('learningRate')) schedule?.rebase(paramGroups.map(({ lr }) => lr));
    }
}
