import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { data, manualSeed, nn, optim, train } from '../../lib/index.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

const fruit = [
    'weight,colour,"name, of fruit"',
    '1e2,red,apple',
    '',
    '120,green,"a ""pear"""',
    ' 140 ,"dark, red",apple',
].join('\r\n');

describe('data.CsvFile', () => {
    const folder = useTemporaryFolder();
    const write = (text: string): string => {
        const path = join(folder(), 'table.csv');
        writeFileSync(path, text);
        return path;
    };
    const open = (text: string, options: data.CsvOptions): Promise<data.CsvFile> =>
        data.CsvFile.open(write(text), options);
    const targetsOf = async (batches: data.CsvBatches): Promise<number[][]> => {
        const found: number[][] = [];
        for await (const [, y] of batches) found.push(Array.from(y.dataSync(), Number));
        return found;
    };
    const numbers = (n: number): string =>
        `x,y\n${Array.from({ length: n }, (_, i) => `${i % 7},${i}`).join('\n')}\n`;

    it('finds numbers and categories, quoted or not, and makes inputs and classes of them', async () => {
        const table = await open(`\uFEFF${fruit}`, { target: 'name, of fruit' });
        assert.equal(table.samples, 3);
        assert.equal(table.features, 4);
        assert.deepEqual(table.classes, ['a "pear"', 'apple']);
        const { inputs, targets } = await table.dataset();
        assert.equal(targets.dtype, 'int32');
        assert.deepEqual(targets.toArray(), [1, 0, 1]);
        const z = 1.5 ** 0.5;
        const expected = [-z, 0, 0, 1, 0, 0, 1, 0, z, 1, 0, 0];
        Array.from(inputs.dataSync(), Number).forEach((value, i) =>
            assert.ok(Math.abs(value - expected[i]) < 1e-6, `value ${i} is ${value}`),
        );
        const plain = await open(fruit, { target: 'weight', inputs: ['colour'], standardize: false });
        assert.equal(plain.classes, null);
        const [, weights] = (await plain.dataset()).batch(Int32Array.of(0, 1, 2));
        assert.deepEqual(weights.toArray(), [[100], [120], [140]]);
        const years = await open('year;kind\n2001;10\n2002;9\n', {
            target: 'kind',
            task: 'classification',
            delimiter: ';',
        });
        assert.deepEqual(years.classes, ['9', '10']);
    });

    it('reads batches anew each epoch, mixed by seed and epoch, some rows only', async () => {
        const table = await open(numbers(50), { target: 'y' });
        const inOrder = table.batches({ batchSize: 20 });
        assert.equal(inOrder.length, 3);
        assert.deepEqual(
            (await targetsOf(inOrder)).map((y) => [y.length, y[0]]),
            [
                [20, 0],
                [20, 20],
                [10, 40],
            ],
        );
        const mixed = (seed: number): data.CsvBatches =>
            table.batches({ batchSize: 20, shuffleRows: 16, seed });
        const batches = mixed(1);
        const [first, second] = [await targetsOf(batches), await targetsOf(batches)];
        const ascending = Array.from({ length: 50 }, (_, i) => i);
        for (const epoch of [first, second]) {
            assert.deepEqual(
                epoch.flat().sort((a, b) => a - b),
                ascending,
            );
            assert.notDeepEqual(epoch.flat(), ascending);
            assert.ok(Math.max(...epoch.flat().slice(0, 16)) < 16, 'a window is mixed for itself');
        }
        assert.notDeepEqual(second, first);
        assert.deepEqual(await targetsOf(mixed(1)), first);
        assert.notDeepEqual(await targetsOf(mixed(2)), first);
        const late = mixed(1);
        late.epoch = 100_000;
        assert.notDeepEqual(await targetsOf(late), first);
        const windows = table.batches({ batchSize: 20, shuffleRows: 2, seed: 1 });
        const flips = (await targetsOf(windows)).flat().map((y, i) => y - i);
        assert.ok(flips.includes(1) && flips.includes(0), 'each window has an order of its own');
        const odd = table.batches({ batchSize: 10, keep: (row) => row % 2 === 1 });
        assert.equal(odd.length, 3);
        assert.deepEqual((await targetsOf(odd)).flat().slice(0, 3), [1, 3, 5]);
    });

    it('stops reading where the loop is left', async () => {
        const table = await open(numbers(5_000), { target: 'y' });
        for await (const [x] of table.batches({ batchSize: 5 })) {
            assert.deepEqual(x.shape, [5, 1]);
            break;
        }
        assert.equal((await table.dataset()).length, 5_000);
    });

    it('feeds a fit, which resumes in the middle of an epoch', async () => {
        const path = write(numbers(40));
        const fit = async (options: Partial<train.FitOptions>): Promise<unknown[]> => {
            manualSeed(1);
            const table = await data.CsvFile.open(path, { target: 'y' });
            const model = new nn.Linear(1, 1);
            const optimizer = new optim.Adam(model.parameters(), { lr: 0.5 });
            const trainer = new train.Trainer({ model, optimizer, loss: nn.mseLoss });
            await trainer.fit(table.batches({ batchSize: 8, shuffleRows: 10 }), { epochs: 3, ...options });
            return model.parameters().map((p) => p.toArray());
        };
        const whole = await fit({});
        const store = (): train.CheckpointStore => new train.CheckpointStore(join(folder(), 'runs'));
        await fit({ checkpoints: store(), maxSteps: 7 });
        assert.deepEqual(await fit({ checkpoints: store(), resume: 'auto' }), whole);
    });

    it('says in which line and column something is wrong', async () => {
        const fails = (text: string, options: data.CsvOptions, message: RegExp): Promise<void> =>
            assert.rejects(open(text, options), message);
        const y = { target: 'y' };
        await assert.rejects(
            data.CsvFile.open(join(folder(), 'none.csv'), y),
            /none\.csv: there is no such file/,
        );
        await fails('', y, /table\.csv: is empty: its first line must name the columns/);
        await fails('x,y\n', y, /holds no row behind its header/);
        await fails('x,y\n1,2\n3\n', y, /is no CSV file that can be read: .*line 3/);
        await fails('x,y\n1,2\n,3\n', y, /line 3 has nothing in column 'x'; fill it in/);
        await fails('x,y\n"1,2\n3,4\n', y, /is no CSV file that can be read: Quote Not Closed/);
        await fails('x,y\n1,2\n', { target: 'z' }, /there is no column 'z'; there are x, y/);
        await fails('x,x\n1,2\n', { target: 'x' }, /two columns are named 'x'/);
        await fails('x,y\n1,2\n', { target: 'y', inputs: ['y'] }, /the target 'y' is among the inputs/);
        await fails('y\n1\n', y, /there are no columns to predict from/);
        await fails(
            'x,y\n1,a\n',
            { ...y, task: 'regression' },
            /column 'y' holds texts, which no regression/,
        );
        const texts = Array.from({ length: 1200 }, (_, i) => `${i === 700 ? 'many' : i}x,1`).join('\n');
        await fails(
            `x,y\n${texts}\n`,
            y,
            /column 'x': '0x' in line 2 is no number, and there are more than 1000/,
        );
        await fails(
            'x,y\n1,2\n',
            Object.fromEntries([...Object.entries(y), ['sep', ';']]) as never,
            /unknown option 'sep'/,
        );
        const table = await open(numbers(3), y);
        assert.throws(
            () => table.batches({ batchSize: 0 }),
            /batchSize must be an integer of at least 1, got 0/,
        );
    });
});
