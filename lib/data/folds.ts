import { describeValue } from '../support/describe_value.js';
import { requireOptionNames } from '../support/option_names.js';
import { isFloat } from '../tensor/dtype.js';
import { Tensor } from '../tensor/tensor.js';
import { requireDataset, Subset, TensorDataset, type Dataset } from './dataset.js';
import { permutation } from './shuffle.js';

export interface FoldOptions {
    /** Put the samples in random order first. Default: false, as in scikit-learn. */
    readonly shuffle?: boolean;
    /** Of the shuffle. Default: 0. */
    readonly seed?: number;
    /**
     * Give each fold the same share of each class, as scikit-learn's `StratifiedKFold`: the classes of the samples, or true
     * for the targets of a `TensorDataset`.
     */
    readonly stratify?: Tensor | ArrayLike<number> | boolean;
}

/** One of the parts of a data set: what is trained on, and what is held out. */
export interface Fold {
    /** Counts from 1. */
    readonly fold: number;
    readonly training: Subset;
    readonly validation: Subset;
}

/**
 * Cuts a data set into `folds` parts of equal size (the first ones have a sample more where it does not divide), each of which
 * is held out once. The same numbers as scikit-learn's `KFold`, or `StratifiedKFold` with `stratify`, but for the order of a
 * shuffle. Samples keep their order within a part.
 *
 * @throws RangeError for fewer than 2 folds, for more folds than samples (of the largest class, with `stratify`), or where
 * there are not as many classes as samples.
 * @example
 * import { data, ones, tensor } from 'nativegrad';
 * const set = new data.TensorDataset(ones([6, 2]), tensor([0, 0, 1, 1, 1, 1], { dtype: 'int32' }));
 * for (const { validation } of data.kFold(set, 2, { stratify: true })) console.log(validation.indices);
 */
export function kFold(dataset: Dataset, folds: number, options: FoldOptions = {}): Fold[] {
    requireDataset('kFold', dataset);
    requireOptionNames('[kFold]', options, ['shuffle', 'seed', 'stratify']);
    const { shuffle = false, seed = 0, stratify = false } = options;
    const samples = dataset.length;
    if (!Number.isInteger(folds) || folds < 2)
        throw new RangeError(`[kFold] folds must be an integer of at least 2, got ${describeValue(folds)}`);
    if (folds > samples)
        throw new RangeError(
            `[kFold] ${samples} samples cannot make ${folds} folds; take at most ${samples}`,
        );
    const order = shuffle ? permutation(samples, seed) : Int32Array.from({ length: samples }, (_, i) => i);
    const classes = stratify === false ? null : classesOf(dataset, stratify);
    const heldOut = classes ? stratified(classes, order, folds) : consecutive(order, folds);
    return Array.from({ length: folds }, (_, i) => {
        const part = (isIn: boolean): Subset =>
            new Subset(
                dataset,
                Int32Array.from(heldOut.keys()).filter((k) => (heldOut[k] === i) === isIn),
            );
        return { fold: i + 1, training: part(false), validation: part(true) };
    });
}

/** The fold in which each sample is held out: stretches of the order. */
function consecutive(order: Int32Array, folds: number): Int32Array {
    const result = new Int32Array(order.length);
    const [size, longer] = [Math.floor(order.length / folds), order.length % folds];
    let next = 0;
    for (let fold = 0; fold < folds; fold++) {
        const end = next + size + (fold < longer ? 1 : 0);
        for (; next < end; next++) result[order[next] ?? 0] = fold;
    }
    return result;
}

/**
 * As scikit-learn: all samples, sorted by class, are dealt to the folds in turn, which says how many of each class a fold gets;
 * within a class they go out in order. So folds are of one size, and so are their classes.
 */
function stratified(classes: Int32Array, order: Int32Array, folds: number): Int32Array {
    const members: number[][] = [];
    for (const sample of order) (members[classes[sample] ?? 0] ??= []).push(sample);
    const largest = Math.max(...members.map(({ length }) => length));
    if (largest < folds)
        throw new RangeError(
            `[kFold] the largest class has ${largest} samples, too few for ${folds} folds; take at most ${largest}`,
        );
    const result = new Int32Array(classes.length);
    let dealt = 0;
    for (const list of members) {
        const counts = new Array<number>(folds).fill(0);
        for (let i = 0; i < list.length; i++) counts[(dealt + i) % folds] += 1;
        dealt += list.length;
        let next = 0;
        counts.forEach((count, fold) => {
            for (const sample of list.slice(next, next + count)) result[sample] = fold;
            next += count;
        });
    }
    return result;
}

/** Classes as numbers 0, 1, ... in the order in which they first come, as scikit-learn numbers them. */
function classesOf(dataset: Dataset, given: Tensor | ArrayLike<number> | true): Int32Array {
    const labels = given === true ? targetsOf(dataset) : given;
    if (labels instanceof Tensor && (labels.rank !== 1 || isFloat(labels.dtype)))
        throw new TypeError(
            `[kFold] stratify must hold one class per sample, integers [N], got ${labels.dtype} [${labels.shape.join(', ')}]`,
        );
    const list = labels instanceof Tensor ? Array.from(labels.dataSync(), Number) : listOf(labels);
    if (list.length !== dataset.length)
        throw new RangeError(`[kFold] stratify holds ${list.length} classes for ${dataset.length} samples`);
    const numbers = new Map<number, number>();
    for (const label of list) if (!numbers.has(label)) numbers.set(label, numbers.size);
    return Int32Array.from(list, (label) => numbers.get(label) ?? 0);
}

function listOf(labels: unknown): number[] {
    const isLike = typeof labels === 'object' && labels !== null && 'length' in labels;
    const list = isLike ? Array.from(labels as ArrayLike<unknown>) : [];
    if (isLike && list.every((label) => typeof label === 'number' && !Number.isNaN(label)))
        return list as number[];
    throw new TypeError(`[kFold] stratify must be true or a class per sample, got ${describeValue(labels)}`);
}

function targetsOf(dataset: Dataset): Tensor {
    if (dataset instanceof TensorDataset) return dataset.targets;
    throw new TypeError(
        '[kFold] stratify: true needs a TensorDataset; give the class of each sample as a list instead',
    );
}
