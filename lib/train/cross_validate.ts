import { DataLoader, kFold, type Dataset, type Fold, type FoldOptions } from '../data/index.js';
import { defaultGenerator } from '../ops/generator.js';
import { describeValue } from '../support/describe_value.js';
import { requireOptionNames } from '../support/option_names.js';
import type { History } from './history.js';
import { Trainer } from './trainer.js';
import type { Batches, Evaluation, FitOptions, TrainerOptions } from './trainer_options.js';

/** What `build` is told of the fold that it makes a model for. */
export interface FoldContext extends Fold {
    /** Decides the fold's weights, dropout and order of batches; the default generator starts from it. */
    readonly seed: number;
}

/** What a fold trains on, and what it is held against. */
export interface FoldBatches {
    readonly training: Batches;
    readonly validation: Batches;
}

/** All that a fold's Trainer takes, and its batches where they are not simply those of its samples. */
export interface FoldSetup extends TrainerOptions {
    /** Of a table, say, whose means and categories come from the rows that the fold trains on. */
    readonly batches?: FoldBatches;
}

export interface CrossValidationOptions extends Omit<FoldOptions, 'shuffle'> {
    /** Default: 5. */
    readonly folds?: number;
    /** Put the samples in random order first. Default: true. */
    readonly shuffle?: boolean;
    readonly epochs: number;
    /** Default: 32. */
    readonly batchSize?: number;
    /** Makes a new model, and all else of a Trainer, for each fold. */
    readonly build: (fold: FoldContext) => FoldSetup | Promise<FoldSetup>;
    /** More options for the fit of a fold, such as callbacks; the held out samples are its validation data. */
    readonly fit?: (fold: FoldContext) => Partial<Omit<FitOptions, 'epochs'>>;
}

export interface FoldResult {
    readonly fold: number;
    /** Of the model as the fit left it, on the samples that were held out. */
    readonly evaluation: Evaluation;
    readonly history: History;
}

/** Figures of a cross-validation; accuracy is undefined where the targets are no classes. */
export interface FoldFigures {
    readonly loss: number;
    readonly accuracy: number | undefined;
}

export interface CrossValidation {
    readonly folds: readonly FoldResult[];
    readonly mean: FoldFigures;
    /** Standard deviation over the folds, with n - 1. */
    readonly std: FoldFigures;
}

const optionNames = ['folds', 'seed', 'shuffle', 'stratify', 'epochs', 'batchSize', 'build', 'fit'];

/**
 * Trains a new model on all parts of a data set but one, for each part, and evaluates it on that one. A fold's result depends
 * on `seed` and the fold alone; the default generator is afterwards where it was before.
 *
 * @throws RangeError for options out of range; whatever `build`, or a fit, throws.
 * @example
 * import { data, nn, optim, rand, train } from 'nativegrad';
 * const x = rand([60, 2]);
 * const set = new data.TensorDataset(x, x.select(1, 0).gt(0.5).to('int32'));
 * const { mean, folds } = await train.crossValidate(set, {
 *     folds: 3,
 *     stratify: true,
 *     epochs: 20,
 *     batchSize: 8,
 *     build: () => {
 *         const model = new nn.Linear(2, 2);
 *         return { model, optimizer: new optim.Adam(model.parameters(), { lr: 0.1 }), loss: nn.crossEntropy };
 *     },
 * });
 * console.log(folds.length, (mean.accuracy ?? 0) > 0.8); // 3 true
 */
export async function crossValidate(
    dataset: Dataset,
    options: CrossValidationOptions,
): Promise<CrossValidation> {
    requireOptionNames('[crossValidate]', options, optionNames);
    const { folds = 5, shuffle = true, seed = 0, stratify = false, build } = options;
    if (typeof build !== 'function')
        throw new TypeError(
            `[crossValidate] build must be a function fold => Trainer options, got ${describeValue(build)}`,
        );
    const results: FoldResult[] = [];
    const { state } = defaultGenerator;
    try {
        for (const fold of kFold(dataset, folds, { shuffle, seed, stratify }))
            results.push(await runFold({ ...fold, seed: seed + fold.fold }, options));
    } finally {
        defaultGenerator.state = state;
    }
    return { folds: results, ...figures(results.map(({ evaluation }) => evaluation)) };
}

async function runFold(fold: FoldContext, options: CrossValidationOptions): Promise<FoldResult> {
    const { batchSize = 32, epochs } = options;
    defaultGenerator.manualSeed(fold.seed);
    const { batches, ...parts } = await options.build(fold);
    const trainer = new Trainer(parts);
    const { training, validation } = batches ?? {
        training: new DataLoader(fold.training, { batchSize, shuffle: true, seed: fold.seed }),
        validation: new DataLoader(fold.validation, { batchSize }),
    };
    const history = await trainer.fit(training, { validation, ...options.fit?.(fold), epochs });
    return { fold: fold.fold, history, evaluation: await trainer.evaluate(validation) };
}

function figures(evaluations: readonly Evaluation[]): { mean: FoldFigures; std: FoldFigures } {
    const count = evaluations.length;
    const meanOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / count;
    const stdOf = (values: readonly number[]): number => {
        const mean = meanOf(values);
        return Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (count - 1));
    };
    const losses = evaluations.map(({ loss }) => loss);
    const accuracies = evaluations.flatMap(({ accuracy }) => (accuracy === undefined ? [] : [accuracy]));
    const both = (figure: (values: readonly number[]) => number): FoldFigures => ({
        loss: figure(losses),
        accuracy: accuracies.length === count ? figure(accuracies) : undefined,
    });
    return { mean: both(meanOf), std: both(stdOf) };
}
