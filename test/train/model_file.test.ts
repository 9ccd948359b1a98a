import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { data, gradcheck, nn, SafetensorsError, scope, tensor, train } from '../../lib/index.js';
import { encodeSafetensors } from '../../lib/io/safetensors.js';
import type { SafetensorsContent, SafetensorsEntry } from '../../lib/io/safetensors.js';
import { readSafetensorsFile } from '../../lib/io/safetensors_file.js';
import { seededUniform } from '../support/seeded.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

const SPEC = train.mnistSpec({ hiddenSizes: [8] });

describe('classifier', () => {
    it('starts from numbers that depend on seed, initializer and shapes only', () => {
        const weights = (init: 'he' | 'glorot', seed: number): number[] => {
            const model = train.buildClassifier(SPEC);
            train.initializeClassifier(model, init, seed);
            return [...model.stateDict().values()].flatMap((x) => Array.from(x.dataSync(), Number));
        };
        const first = weights('he', 1);
        assert.deepEqual(weights('he', 1), first);
        assert.notDeepEqual(weights('he', 2), first);
        const largest = (values: number[]): number => values.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
        assert.ok(Math.abs(largest(weights('glorot', 1).slice(0, 784 * 8)) / Math.sqrt(6 / 792) - 1) < 0.01);
        assert.ok(Math.abs(largest(first.slice(0, 784 * 8)) / Math.sqrt(6 / 784) - 1) < 0.01);
        assert.ok(first.slice(784 * 8, 784 * 8 + 8).every((bias) => bias === 0));
    });

    it('scores as counted by hand, and leaves the mode as it was', async () => {
        // Two classes of one pixel: the logits are 0 and x.
        const model = new nn.Sequential(new nn.Flatten(), new nn.Linear(1, 2));
        model.loadStateDict({ '1.weight': tensor([[0], [1]]), '1.bias': tensor([0, 0]) });
        const set = new data.TensorDataset(tensor([[2], [-1], [3]]), tensor([1, 0, 0], { dtype: 'int32' }));
        const loader = new data.DataLoader(set, { batchSize: 2 });
        const score = await train.scoreClassifier(model, loader, nn.crossEntropy, 2);
        assert.deepEqual([...score.predictions], [1, 0, 1]);
        assert.deepEqual([...score.labels], [1, 0, 0]);
        assert.deepEqual(score.report.confusion, [
            [1, 1],
            [0, 1],
        ]);
        const losses = [Math.log(1 + Math.exp(-2)), Math.log(1 + Math.exp(-1)), Math.log(1 + Math.exp(3))];
        assert.ok(Math.abs(score.loss - losses.reduce((a, b) => a + b, 0) / 3) < 1e-6);
        assert.ok(Math.abs(score.probabilities[1] - 1 / (1 + Math.exp(-2))) < 1e-6);
        assert.equal(model.training, true);
    });
});

describe('classifier loss', () => {
    it('mse is the squared error of the softmax, finite for huge logits, with the right gradient', () => {
        const loss = train.classifierLoss('mse');
        const labels = tensor([2, 0], { dtype: 'int32' });
        const rows = [
            [1, 2, 4],
            [0.5, -1, 0],
        ];
        const expected = rows.map((row, i) => {
            const total = row.reduce((sum, x) => sum + Math.exp(x), 0);
            const wanted = [2, 0][i];
            return row.reduce((sum, x, c) => sum + (Math.exp(x) / total - Number(c === wanted)) ** 2, 0);
        });
        const logits = tensor(rows, { dtype: 'float64', requiresGrad: true });
        const value = loss(logits, labels).item();
        assert.ok(Math.abs(value - (expected[0] + expected[1]) / 6) < 1e-12);
        assert.ok(gradcheck((x) => loss(x, labels), [logits]));
        assert.ok(
            Number.isFinite(
                loss(
                    tensor([
                        [1e4, 0, -1e4],
                        [1e4, 1e4, 1e4],
                    ]),
                    labels,
                ).item(),
            ),
        );
    });
});

describe('model files', () => {
    const folder = useTemporaryFolder();
    const path = (): string => join(folder(), 'model.safetensors');

    /** Saves a model, changes what the file holds, and loads it. */
    async function loadChanged(
        change: (content: SafetensorsContent) => {
            entries?: SafetensorsEntry[];
            metadata?: Record<string, string>;
        },
    ): Promise<unknown> {
        await train.saveClassifier(path(), train.buildClassifier(SPEC), SPEC);
        const content = await readSafetensorsFile(path());
        const changed = change(content);
        const metadata = changed.metadata ?? Object.fromEntries(content.metadata);
        writeFileSync(path(), encodeSafetensors(changed.entries ?? content.entries, metadata));
        return train.loadClassifier(path());
    }

    function withSpec(spec: object): { metadata: Record<string, string> } {
        return { metadata: { 'nativegrad.classifier': JSON.stringify({ ...SPEC, ...spec }) } };
    }

    it('give back spec and outputs, bit for bit', async () => {
        const model = train.buildClassifier(SPEC);
        train.initializeClassifier(model, 'he', 3);
        await train.saveClassifier(path(), model, SPEC, { note: 'mine' });
        const loaded = await train.loadClassifier(path());
        assert.deepEqual(loaded.spec, SPEC);
        assert.equal(loaded.model.training, false);
        const draw = seededUniform(5);
        const x = tensor(Array.from({ length: 784 }, draw)).reshape([1, 1, 28, 28]);
        const outputs = scope(() => [model, loaded.model].map((m) => m.forward(x).toArray()));
        assert.deepEqual(outputs[0], outputs[1]);
        assert.equal((await readSafetensorsFile(path())).metadata.get('note'), 'mine');
    });

    it('refuse a file without a spec, or with a wrong one', async () => {
        await assert.rejects(
            loadChanged(() => ({ metadata: {} })),
            /holds no nativegrad classifier/,
        );
        const isModelError = (pattern: RegExp) => (error: unknown) =>
            error instanceof train.ModelFileError &&
            error.message.startsWith(path()) &&
            pattern.test(error.message);
        await assert.rejects(
            loadChanged(() => withSpec({ architecture: 'rnn' })),
            isModelError(/got "rnn"/),
        );
        await assert.rejects(
            loadChanged(() => ({ metadata: { 'nativegrad.classifier': '{' } })),
            isModelError(/no JSON/),
        );
    });

    it('refuse weights that do not fit', async () => {
        await assert.rejects(
            loadChanged(() => withSpec({ hiddenSizes: [7] })),
            /weights do not fit.*1\.weight is \[7, 784\], got \[8, 784\]/,
        );
        await assert.rejects(
            loadChanged(({ entries }) => ({ entries: entries.slice(1) })),
            train.ModelFileError,
        );
        const extra = { name: 'extra', dtype: 'float32' as const, shape: [1], data: new Uint8Array(4) };
        await assert.rejects(
            loadChanged(({ entries }) => ({ entries: [...entries, extra] })),
            /unexpected: extra/,
        );
    });

    it('do not build layers of gigabytes for a few bytes of JSON', async () => {
        const spec = { hiddenSizes: [65536, 65536, 65536] };
        const begin = performance.now();
        await assert.rejects(
            loadChanged(() => withSpec(spec)),
            /the architecture takes \d+ weights, the file holds/,
        );
        assert.ok(performance.now() - begin < 2000);
    });

    it('refuse a damaged file before anything is built', async () => {
        await train.saveClassifier(path(), train.buildClassifier(SPEC), SPEC);
        writeFileSync(path(), 'no model');
        await assert.rejects(train.loadClassifier(path()), SafetensorsError);
        await assert.rejects(train.loadClassifier(join(folder(), 'missing')), SafetensorsError);
    });
});
