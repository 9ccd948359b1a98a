import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { data, nn, tensor } from '../../lib/index.js';
import { runCommand } from '../support/command.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

interface Golden {
    readonly header: readonly string[];
    /** Of the columns, as the encoded values follow each other. */
    readonly order: readonly string[];
    readonly rows: Readonly<Record<'training' | 'later', readonly (readonly string[])[]>>;
    readonly encoded: Readonly<Record<'training' | 'later', readonly (readonly number[])[]>>;
}

const root = resolve(import.meta.dirname, '..', '..');
const golden = JSON.parse(readFileSync(join(root, 'test', 'golden', 'csv_table.json'), 'utf8')) as Golden;

function csv(header: readonly string[], rows: readonly (readonly string[])[]): string {
    return [header, ...rows].map((row) => row.join(',')).join('\n');
}

describe('the encoding of a CSV file', () => {
    const folder = useTemporaryFolder();
    const write = (text: string, name = 'table.csv'): string => {
        const path = join(folder(), name);
        writeFileSync(path, text);
        return path;
    };
    const open = (text: string, options: Partial<data.CsvOptions> = {}): Promise<data.CsvFile> =>
        data.CsvFile.open(write(text), { target: 'y', ...options });
    const reopen = (text: string, { encoding }: data.CsvFile): Promise<data.CsvFile> =>
        data.CsvFile.openEncoded(write(text, 'later.csv'), JSON.parse(JSON.stringify(encoding)));
    const inputsOf = async (table: data.CsvFile, options?: data.CsvBatchOptions): Promise<number[][]> => {
        const rows: number[][] = [];
        for await (const x of table.inputBatches(options)) rows.push(...(x.toArray() as number[][]));
        return rows;
    };

    it("is scikit-learn's, fitted on the rows of training alone and applied to those of another file", async () => {
        const { training, later } = golden.rows;
        const isTraining = (row: number): boolean => row < training.length;
        const withTarget = [...training, ...later].map((row, i) => [...row, String(i)]);
        const table = await open(csv([...golden.header, 'y'], withTarget), {
            inputs: golden.order,
            training: isTraining,
            missing: 'impute',
            handleUnknown: 'ignore',
        });
        const near = (found: readonly number[][], expected: readonly (readonly number[])[]): void => {
            assert.equal(found.length, expected.length);
            found.forEach((row, i) => {
                assert.equal(row.length, expected[i]?.length);
                row.forEach((value, j) => {
                    const wanted = expected[i]?.[j] ?? NaN;
                    assert.ok(
                        Math.abs(value - wanted) <= 1e-6 * Math.max(1, Math.abs(wanted)),
                        `row ${i}, value ${j}: ${value}, expected ${wanted}`,
                    );
                });
            });
        };
        const encoded = [...golden.encoded.training, ...golden.encoded.later];
        near((await table.dataset()).inputs.toArray() as number[][], encoded);
        const kept = await table.dataset({ keep: (row) => !isTraining(row) });
        near(kept.inputs.toArray() as number[][], golden.encoded.later);
        // Another file, its columns the other way round, with one more and without the target.
        const turned = later.map((row) => [...row].reverse().concat('more'));
        const other = await reopen(csv([...golden.header].reverse().concat('further'), turned), table);
        assert.deepEqual([other.samples, other.features, other.classes], [4, table.features, null]);
        near(await inputsOf(other, { batchSize: 3 }), golden.encoded.later);
        near(await inputsOf(other, { keep: (row) => row === 1 }), golden.encoded.later.slice(1, 2));
    });

    it('knows nothing of rows held out', async () => {
        const first = 'x,c,y\n1,a,u\n2,b,v\n3,a,u\n';
        const training = (row: number): boolean => row < 3;
        const plain = await open(first);
        const more = await open(`${first}1e6,z,u\n`, { training });
        assert.deepEqual(more.encoding, plain.encoding);
        const other = await open(`${first}1e6,z,w\n`, { training, handleUnknown: 'ignore' });
        assert.deepEqual(other.inputs, plain.inputs);
        assert.equal((await inputsOf(other)).length, 4);
        await assert.rejects(
            other.dataset(),
            /line 5 has 'w' in column 'y', none of the classes of the training rows \(u, v\)/,
        );
    });

    it('refuses unknown and missing values, unless told what to make of them', async () => {
        const text = 'x,c,y\n1,a,1\n2,b,2\n';
        const strict = await open(text);
        const refuses = async (table: data.CsvFile, rows: string, message: RegExp): Promise<void> =>
            assert.rejects(inputsOf(await reopen(`x,c\n${rows}\n`, table)), message);
        await refuses(
            strict,
            '1,d',
            /later\.csv: line 2 has 'd' in column 'c', which the training rows did not hold \(they have a, b\); handleUnknown: 'ignore'/,
        );
        await refuses(strict, '1,', /line 2 has nothing in column 'c'; fill it in.*missing: 'impute'/);
        await refuses(strict, 'NaN,a', /line 2 has only 'NaN' in column 'x'/);
        await refuses(strict, 'big,a', /line 2 has 'big' in column 'x', which held numbers/);
        const imputing = await open(text, { missing: 'impute' });
        await refuses(
            imputing,
            '1,',
            /line 2 has nothing in column 'c', which the training rows did not hold/,
        );
        await assert.rejects(
            open('x,y\n1,2\n3,\n', { missing: 'impute' }),
            /line 3 has nothing in column 'y'/,
        );
        await assert.rejects(
            open('x,y\n,1\n,2\n', { missing: 'impute' }),
            /column 'x' is empty in all training/,
        );
        await assert.rejects(open(text, { training: () => false }), /no row is one of training/);
        // Namibia is a country where its code is told to be one.
        const countries = await open('c,y\nNA,1\nDE,2\n', { missingTexts: [''] });
        assert.deepEqual(await inputsOf(countries), [
            [0, 1],
            [1, 0],
        ]);
        const raw = await open('x,y\n1,1\n,2\n5,3\n', { missing: 'impute', standardize: false });
        assert.deepEqual(await inputsOf(raw), [[1], [3], [5]]);
    });

    it('goes with the model into another process', async () => {
        const isTraining = (row: number): boolean => row < 2;
        const table = await open('x,c,y\n1,a,10\n3,b,30\n500,c,0\n', { training: isTraining });
        const model = new nn.Sequential(new nn.Linear(3, 1));
        model.loadStateDict(
            new Map([
                ['0.weight', tensor([[1, 0, 0]])],
                ['0.bias', tensor([0])],
            ]),
        );
        const modelPath = join(folder(), 'model.safetensors');
        await nn.saveModel(modelPath, model, { extra: { table: table.encoding } });
        const rows = write('c,x\na,2\nb,4\n', 'new.csv');
        const script = join(root, 'examples', 'csv_predict.ts');
        const words = ['--import', 'tsx', script, modelPath, rows];
        const { code, stdout, stderr } = await runCommand(process.execPath, words, { cwd: root });
        assert.equal(code, 0, stderr);
        assert.deepEqual(stdout.trim().split('\n'), ['20.0', '40.0']);
    });

    it('that is none, or a file without its columns, is refused', async () => {
        const table = await open('x,c,y\n1,a,1\n2,b,2\n');
        const wrong = (change: object, message: RegExp): Promise<void> =>
            assert.rejects(
                data.CsvFile.openEncoded(table.path, { ...table.encoding, ...change }),
                (error: Error) => error instanceof nn.ConfigError && message.test(error.message),
            );
        await assert.rejects(
            data.CsvFile.openEncoded(table.path, undefined),
            /encoding: expected an object, got nothing/,
        );
        await wrong({ version: 2 }, /encoding\.version: expected 1/);
        await wrong({ more: 1 }, /unknown option 'more'/);
        await wrong({ missing: 'drop' }, /encoding\.missing: expected one of error, impute/);
        const number = { name: 'x', kind: 'number', mean: 0, std: 1 };
        await wrong({ inputs: [{ ...number, std: -1 }] }, /inputs\[0\]\.std: expected a number from 0/);
        await wrong({ inputs: [{ ...number, mean: Infinity }] }, /mean: expected a finite number/);
        await wrong({ inputs: [{ ...number, kind: 'date' }] }, /kind: expected one of number, category/);
        await wrong({ inputs: [number, number] }, /two columns are named 'x'/);
        await wrong({ inputs: [{ name: 'c', kind: 'category', values: ['a', 'a'] }] }, /texts that differ/);
        await wrong({ inputs: [null] }, /expected one of number, category/);
        await assert.rejects(
            reopen('x,d\n1,a\n', table),
            /has no column 'c', which the model was trained on/,
        );
        await assert.rejects(reopen('x,c\n', table), /holds no row behind its header/);
        const later = await reopen('x,c\n1,a\n', table);
        assert.throws(
            () => later.batches(),
            /has no column 'y' to learn or to compare with; inputBatches\(\)/,
        );
        const options = (given: object): Promise<data.CsvFile> => open('x,y\n1,2\n', given);
        await assert.rejects(options({ missing: 'drop' }), /missing must be 'error' or 'impute', got/);
        await assert.rejects(options({ handleUnknown: 'zero' }), /handleUnknown must be 'error' or 'ignore'/);
        await assert.rejects(options({ missingTexts: 'NA' }), /missingTexts must be a list of texts/);
        await assert.rejects(options({ training: [0] }), /training must be a function row => true or false/);
    });
});
