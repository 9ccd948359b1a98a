import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { data, defaultGenerator, nn, ones, optim, rand, randn, tensor, train } from '../../lib/index.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

/** Of sklearn.model_selection (1.9.1): the fold of each sample, and labels that are not evenly spread. */
const labels = [7, 1, 3, 1, 3, 3, 1, 3, 7, 3, 7, 7, 3, 7, 3, 3, 3, 3, 3, 3, 7, 3, 3];
const stratifiedFolds = [0, 0, 0, 2, 0, 0, 3, 1, 0, 1, 1, 1, 1, 2, 1, 2, 2, 2, 2, 3, 3, 3, 3];
const plainFolds = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3];

const setOf = (n: number, targets?: number[]): data.TensorDataset =>
    new data.TensorDataset(ones([n, 2]), tensor(targets ?? new Array<number>(n).fill(0), { dtype: 'int32' }));

function foldOfSample(folds: readonly data.Fold[], samples: number): number[] {
    const found = new Array<number>(samples).fill(-1);
    folds.forEach(({ training, validation }, i) => {
        for (const index of validation.indices) {
            assert.equal(found[index], -1, 'held out twice');
            found[index] = i;
        }
        const all = [...training.indices, ...validation.indices].sort((a, b) => a - b);
        assert.deepEqual(
            all,
            Array.from({ length: samples }, (_, k) => k),
        );
    });
    return found;
}

describe('data.kFold', () => {
    it("holds out scikit-learn's samples", () => {
        const set = setOf(23, labels);
        assert.deepEqual(foldOfSample(data.kFold(set, 4), 23), plainFolds);
        for (const stratify of [true, labels, tensor(labels, { dtype: 'int64' })])
            assert.deepEqual(foldOfSample(data.kFold(set, 4, { stratify }), 23), stratifiedFolds);
    });

    it('shuffles by its seed, and keeps the shares of classes', () => {
        const many = Array.from({ length: 100 }, (_, i) => (i % 10 === 0 ? 1 : 0));
        const set = setOf(100, many);
        const first = foldOfSample(data.kFold(set, 5, { shuffle: true, seed: 1, stratify: true }), 100);
        assert.deepEqual(
            foldOfSample(data.kFold(set, 5, { shuffle: true, seed: 1, stratify: true }), 100),
            first,
        );
        const second = foldOfSample(data.kFold(set, 5, { shuffle: true, seed: 2, stratify: true }), 100);
        assert.notDeepEqual(second, first);
        for (const folds of [first, second]) {
            const held = (fold: number, label: number): number =>
                folds.filter((f, i) => f === fold && many[i] === label).length;
            for (let fold = 0; fold < 5; fold++) {
                assert.equal(held(fold, 0), 18);
                assert.equal(held(fold, 1), 2);
            }
        }
        assert.notDeepEqual(foldOfSample(data.kFold(set, 5, { shuffle: true }), 100).slice(0, 20), [
            ...new Array<number>(20).fill(0),
        ]);
    });

    it('refuses what cannot be cut', () => {
        const set = setOf(6, [0, 0, 0, 1, 1, 1]);
        const fails = (folds: number, options: object, message: RegExp): void =>
            assert.throws(() => data.kFold(set, folds, options), message);
        fails(1, {}, /folds must be an integer of at least 2, got 1/);
        fails(7, {}, /6 samples cannot make 7 folds; take at most 6/);
        fails(4, { stratify: true }, /the largest class has 3 samples, too few for 4 folds/);
        fails(2, { stratify: [0, 1] }, /stratify holds 2 classes for 6 samples/);
        fails(2, { stratify: ['a', 'b', 'a', 'b', 'a', 'b'] }, /must be true or a class per sample/);
        fails(2, { stratify: randn([6]) }, /one class per sample, integers \[N\], got float32 \[6\]/);
        fails(2, { folds: 2 }, /unknown option 'folds'/);
        const plain: data.Dataset = { length: 6, get: () => [ones([2]), 0] };
        assert.throws(() => data.kFold(plain, 2, { stratify: true }), /stratify: true needs a TensorDataset/);
    });
});

describe('train.crossValidate', () => {
    const folder = useTemporaryFolder();
    const x = rand([60, 2]);
    const set = new data.TensorDataset(x, x.select(1, 0).gt(0.5).to('int32'));
    const weights: number[] = [];
    const options = (more: object = {}): train.CrossValidationOptions => ({
        folds: 3,
        seed: 5,
        epochs: 15,
        batchSize: 8,
        build: () => {
            const model = new nn.Linear(2, 2);
            weights.push(model.weight.sum().item());
            return {
                model,
                optimizer: new optim.Adam(model.parameters(), { lr: 0.1 }),
                loss: nn.crossEntropy,
            };
        },
        ...more,
    });

    it('trains a model of its own for each fold, and tells mean and deviation', async () => {
        const before = defaultGenerator.state;
        const result = await train.crossValidate(set, options({ stratify: true }));
        assert.deepEqual(defaultGenerator.state, before);
        assert.equal(new Set(weights).size, 3);
        const accuracies = result.folds.map(({ evaluation }) => evaluation.accuracy ?? NaN);
        assert.ok(Math.min(...accuracies) > 0.8, `accuracies ${accuracies.join(', ')}`);
        const mean = accuracies.reduce((a, b) => a + b) / 3;
        const deviation = Math.sqrt(accuracies.reduce((sum, a) => sum + (a - mean) ** 2, 0) / 2);
        assert.ok(Math.abs((result.mean.accuracy ?? NaN) - mean) < 1e-12);
        assert.ok(Math.abs((result.std.accuracy ?? NaN) - deviation) < 1e-12);
        for (const { history, evaluation } of result.folds) {
            assert.equal(history.epochs.length, 15);
            assert.equal(history.epochs.at(-1)?.validationLoss, evaluation.loss);
            assert.equal(evaluation.samples, 20);
        }
        const again = await train.crossValidate(set, options({ stratify: true }));
        assert.deepEqual(again.mean, result.mean);
        assert.notDeepEqual((await train.crossValidate(set, options({ seed: 6 }))).mean, result.mean);
    });

    it("trains on a fold's own batches, of a table that knows its training rows alone", async () => {
        const path = join(folder(), 'table.csv');
        writeFileSync(path, ['x,y', ...Array.from({ length: 20 }, (_, i) => `${i},${2 * i}`)].join('\n'));
        const all = await (await data.CsvFile.open(path, { target: 'y' })).dataset();
        const means: number[] = [];
        const { folds } = await train.crossValidate(all, {
            folds: 4,
            shuffle: false,
            epochs: 2,
            build: async ({ training }) => {
                const rows = new Set(training.indices);
                const isTraining = (row: number): boolean => rows.has(row);
                const table = await data.CsvFile.open(path, { target: 'y', training: isTraining });
                const [column] = table.inputs;
                means.push(column?.kind === 'number' ? column.mean : NaN);
                const model = new nn.Linear(1, 1);
                return {
                    model,
                    optimizer: new optim.SGD(model.parameters(), { lr: 0.001 }),
                    loss: nn.mseLoss,
                    batches: {
                        training: table.batches({ batchSize: 5, keep: isTraining }),
                        validation: table.batches({ keep: (row) => !isTraining(row) }),
                    },
                };
            },
        });
        // Of 0 to 19 without five in a row.
        assert.deepEqual(
            means,
            [2, 7, 12, 17].map((middle) => (190 - 5 * middle) / 15),
        );
        assert.deepEqual(
            folds.map(({ evaluation, history }) => [evaluation.samples, history.steps]),
            Array.from({ length: 4 }, () => [5, 6]),
        );
    });

    it('passes on what a fold throws, and puts the generator back', async () => {
        const before = defaultGenerator.state;
        const build = (): never => {
            throw new Error('no model');
        };
        await assert.rejects(train.crossValidate(set, options({ build })), /no model/);
        assert.deepEqual(defaultGenerator.state, before);
        await assert.rejects(train.crossValidate(set, options({ build: 3 })), /build must be a function/);
    });
});
