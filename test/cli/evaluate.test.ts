import assert from 'node:assert/strict';
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { nn, noGrad, ones, SafetensorsError, saveTensors } from '../../lib/index.js';
import { evaluateCommand } from '../../lib/cli/evaluate_command.js';
import type { EvaluationResult } from '../../lib/cli/results.js';
import { Collector } from '../support/collector.js';
import { writeSmallMnist } from '../support/small_mnist.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

const INFO: nn.ModelInfo = {
    inputShape: [1, 28, 28],
    normalization: { mean: [0.1307], std: [0.3081] },
};

function network(classes = 10): nn.Sequential {
    return new nn.Sequential(new nn.Flatten(), new nn.Linear(784, classes), new nn.BatchNorm1d(classes));
}

describe('evaluate', () => {
    const folder = useTemporaryFolder();
    const path = (): string => join(folder(), 'model.safetensors');

    beforeEach(() => {
        writeSmallMnist(folder(), 1, 50);
        for (const name of readdirSync(folder())) if (name.startsWith('train')) rmSync(join(folder(), name));
    });

    async function evaluate(modelPath = path()): Promise<{ out: string; err: string }> {
        const [out, err] = [new Collector(), new Collector()];
        const code = await evaluateCommand(
            { modelPath, data: folder(), outputDir: join(folder(), 'out'), json: true },
            { out, err },
        );
        assert.equal(code, 0, err.text);
        return { out: out.text, err: err.text };
    }

    async function figures(): Promise<EvaluationResult> {
        return JSON.parse((await evaluate()).out) as EvaluationResult;
    }

    /** An error of those that end as one line on stderr, which names the file. */
    async function assertRefused(pattern: RegExp, file = path()): Promise<void> {
        await assert.rejects(evaluate(file), (error) => {
            assert.ok(error instanceof SafetensorsError || error instanceof nn.ModelFileError, String(error));
            assert.ok(error.message.includes(`${file}: `), error.message);
            assert.match(error.message, pattern);
            return true;
        });
    }

    it('takes a model of saveModel and the test files, nothing else', async () => {
        const classNames = ['T-shirt', 'trouser', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'boot'];
        for (const info of [INFO, { ...INFO, classNames, loss: 'mse' }]) {
            await nn.saveModel(path(), network(), info);
            const { out, err } = await evaluate();
            assert.match(err, /^data read from .*\nreport .*_evaluate(_2)?\/report\.html\n$/);
            assert.ok(existsSync(err.trimEnd().split('\nreport ')[1] ?? ''));
            const result = JSON.parse(out) as EvaluationResult;
            assert.equal(result.per_class.length, 10);
            assert.equal(result.per_class[9].class, 'classNames' in info ? 'boot' : '9');
            assert.ok('classNames' in info ? result.test_loss < 1 : result.test_loss > 1);
        }
    });

    it('takes weights of another dtype', async () => {
        const model = network();
        await nn.saveModel(path(), model, INFO);
        const { test_loss } = await figures();
        for (const dtype of ['float64', 'bfloat16'] as const) {
            await nn.saveModel(path(), model.to(dtype), INFO);
            assert.ok(Math.abs((await figures()).test_loss - test_loss) < 0.05);
        }
    });

    it('uses the normalization of the file', async () => {
        const model = network();
        const losses = [];
        for (const mean of [0.1307, 0.5]) {
            await nn.saveModel(path(), model, { ...INFO, normalization: { mean: [mean], std: [0.3081] } });
            losses.push((await figures()).test_loss);
        }
        assert.notEqual(losses[0], losses[1]);
    });

    it('warns of weights that are NaN or infinite, by name', async () => {
        const model = network();
        const state = model.stateDict();
        noGrad(() => {
            state.get('1.bias')!.select(0, 3).fill_(NaN);
            state.get('2.running_var')!.select(0, 0).fill_(Infinity);
        });
        await nn.saveModel(path(), model, INFO);
        const { out, err } = await evaluate();
        const warning = err.split('\n').find((line) => line.startsWith('nativegrad: warning: '));
        assert.ok(warning?.includes(`${path()}: NaN or infinite values in 1.bias, 2.running_var; the`), err);
        assert.equal((JSON.parse(out) as { test_loss: unknown }).test_loss, null);
    });

    it('refuses a model that is for something else, or does not say how images go in', async () => {
        const cases: [nn.Sequential, nn.ModelInfo, RegExp][] = [
            [
                network(),
                {},
                /does not say how images go in; save it with nn\.saveModel\(path, model, \{ inputShape/,
            ],
            [
                network(),
                { ...INFO, inputShape: [3, 32, 32] },
                /takes images of 3 x 32 x 32 in 10 classes, not digits/,
            ],
            [
                network(2),
                { ...INFO, classNames: ['cat', 'dog'] },
                /in 2 classes, not digits of 1 x 28 x 28 in 10/,
            ],
            [network(7), INFO, /gives \[1, 7\] for one image, expected \[1, 10\]/],
            [network(), { ...INFO, loss: 'hinge' }, /trained for the loss "hinge"; save it with loss: 'cce'/],
            [
                new nn.Sequential(new nn.Linear(5, 10)),
                INFO,
                /layers do not take images of 1 x 28 x 28: Linear '0': expected/,
            ],
        ];
        for (const [model, info, pattern] of cases) {
            await nn.saveModel(path(), model, info);
            await assertRefused(pattern);
        }
    });

    it('refuses files of another kind, with the likely fix', async () => {
        await assertRefused(/no such file/);
        writeFileSync(path(), '\x89PNG\r\n\x1a\n', 'latin1');
        await assertRefused(/is a PNG image, expected a safetensors file; give .*model\.safetensors/);
        await assertRefused(
            /is a folder, expected a safetensors file; did you mean .*model\.safetensors\?/,
            folder(),
        );
        await saveTensors(path(), { 'fc.weight': ones([2]) }, { format: 'pt' });
        await assertRefused(
            /does not say which layers it has.*unexpected: fc\.weight; give the flags of train/,
        );
    });
});
