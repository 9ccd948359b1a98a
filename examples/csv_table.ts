/**
 * A table from a CSV file, read as a stream: prices of flats (regression) and which of them sell fast (classification), learned from
 * most rows and judged by the others. Then another process (csv_predict.ts) loads the model and predicts the rows of a new file.
 * Usage: npx tsx examples/csv_table.ts
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { data, Generator, manualSeed, nn, optim, rand, randn, train } from '../lib/index.js';

const districts = ['centre', 'harbour', 'hills', 'north', 'south'];

interface Flat {
    readonly area: string;
    readonly age: string;
    readonly district: string;
    readonly price: string;
    readonly sells: string;
}

/** Flats whose price depends on area, age and district, not quite linearly, with noise. */
function makeFlats(count: number, seed: number): Flat[] {
    const generator = new Generator(seed);
    const columns = rand([count, 3], { generator }).toArray() as number[][];
    const noise = randn([count], { generator }).toArray() as number[];
    return columns.map(([a = 0, b = 0, c = 0], i) => {
        const [area, age, place] = [30 + 120 * a, 80 * b, Math.floor(c * districts.length)];
        const perMetre = 4 + 0.6 * place + 1.5 * Math.exp(-age / 20);
        const price = area * perMetre * (area > 100 ? 0.9 : 1) + 15 * (noise[i] ?? 0);
        const sells = perMetre - 0.02 * area + 0.1 * (noise[i] ?? 0) < 4.2 ? 'fast' : 'slowly';
        // The age of every fiftieth flat is not known.
        const known = i % 50 === 49 ? '' : age.toFixed(0);
        const district = districts[place] ?? '';
        return { area: area.toFixed(1), age: known, district, price: price.toFixed(1), sells };
    });
}

function writeTable(path: string, columns: readonly (keyof Flat)[], flats: readonly Flat[]): void {
    const rows = flats.map((flat) => columns.map((name) => flat[name]));
    writeFileSync(path, [columns, ...rows].map((row) => row.join(',')).join('\n'));
}

/** Every fifth row is held out: neither weights nor means, deviations and categories know of it. */
const isHeldOut = (row: number): boolean => row % 5 === 0;
const isTraining = (row: number): boolean => !isHeldOut(row);

const columns = {
    inputs: ['area', 'age', 'district'],
    missing: 'impute',
    handleUnknown: 'ignore',
} as const;

function network(inputs: number, outputs: number): nn.Sequential {
    return new nn.Sequential(new nn.Linear(inputs, 32), new nn.ReLU(), new nn.Linear(32, outputs));
}

/** A table of prices, and a network for them; what both know of numbers comes from the training rows. */
async function preparePrices(path: string, training: (row: number) => boolean) {
    const table = await data.CsvFile.open(path, { target: 'price', ...columns, training });
    if (table.target.kind !== 'number') throw new Error('prices are numbers');
    const { mean, std } = table.target;
    const model = network(table.features, 1);
    const parts: train.TrainerOptions = {
        model,
        optimizer: new optim.Adam(model.parameters(), { lr: 0.01 }),
        // The network learns prices in deviations from their mean: a loss of 1 is that of telling the mean.
        loss: (outputs, prices) => nn.mseLoss(outputs, prices.sub(mean).div(std)),
    };
    const batches: train.FoldBatches = {
        training: table.batches({ batchSize: 64, shuffleRows: 1000, keep: training }),
        validation: table.batches({ batchSize: 400, keep: (row) => !training(row) }),
    };
    return { table, model, parts, batches };
}

/** Saves a network of prices; gives the share of their variance that it explains (R squared), on rows held out. */
async function learnPrices(path: string, modelPath: string): Promise<number> {
    const { table, model, parts, batches } = await preparePrices(path, isTraining);
    const trainer = new train.Trainer(parts);
    await trainer.fit(batches.training, { epochs: 12 });
    await nn.saveModel(modelPath, model, { extra: { table: table.encoding } });
    const { loss: unexplained } = await trainer.evaluate(batches.validation);
    return 1 - unexplained;
}

/** The same for each fifth of the rows in turn: how far can the figure be relied on? */
async function crossValidatePrices(path: string): Promise<{ mean: number; std: number }> {
    const all = await (await data.CsvFile.open(path, { target: 'price', ...columns })).dataset();
    const { mean, std } = await train.crossValidate(all, {
        folds: 5,
        epochs: 12,
        build: async (fold) => {
            const rows = new Set(fold.training.indices);
            const { parts, batches } = await preparePrices(path, (row) => rows.has(row));
            return { ...parts, batches };
        },
    });
    return { mean: 1 - mean.loss, std: std.loss };
}

/** Share of the flats held out of which it is known how they sell. */
async function learnSales(path: string): Promise<number> {
    const table = await data.CsvFile.open(path, { target: 'sells', ...columns, training: isTraining });
    const model = network(table.features, table.classes?.length ?? 0);
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
    const trainer = new train.Trainer({ model, optimizer, loss: nn.crossEntropy });
    await trainer.fit(table.batches({ batchSize: 64, shuffleRows: 1000, keep: isTraining }), { epochs: 8 });
    const { accuracy } = await trainer.evaluate(table.batches({ batchSize: 400, keep: isHeldOut }));
    return accuracy ?? NaN;
}

/** What another process predicts of the rows of a file. */
function predictElsewhere(modelPath: string, path: string): number[] {
    const script = join(import.meta.dirname, 'csv_predict.ts');
    const words = [...process.execArgv, script, modelPath, path];
    return execFileSync(process.execPath, words, { encoding: 'utf8' }).trim().split('\n').map(Number);
}

function rSquared(predicted: readonly number[], values: readonly number[]): number {
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const squares = (of: (value: number, i: number) => number): number =>
        values.reduce((sum, value, i) => sum + of(value, i) ** 2, 0);
    return 1 - squares((value, i) => value - (predicted[i] ?? NaN)) / squares((value) => value - mean);
}

manualSeed(1);
const folder = mkdtempSync(join(tmpdir(), 'flats-'));
try {
    const path = join(folder, 'flats.csv');
    writeTable(path, ['area', 'age', 'district', 'price', 'sells'], makeFlats(2000, 1));
    const modelPath = join(folder, 'prices.safetensors');
    console.log(`prices: R squared ${(await learnPrices(path, modelPath)).toFixed(4)}`);
    const { mean, std } = await crossValidatePrices(path);
    console.log(`prices, five folds: mean R squared ${mean.toFixed(4)}, deviation ${std.toFixed(4)}`);
    console.log(`sales: accuracy ${(await learnSales(path)).toFixed(4)}`);

    // Flats of another day: columns in another order, no prices, and one in a district that nobody has heard of.
    const later = makeFlats(300, 2);
    const newPath = join(folder, 'new_flats.csv');
    const island: Flat = { area: '80', age: '10', district: 'island', price: '', sells: '' };
    writeTable(newPath, ['district', 'area', 'age'], [...later, island]);
    const predicted = predictElsewhere(modelPath, newPath);
    const explained = rSquared(
        predicted,
        later.map(({ price }) => Number(price)),
    );
    console.log(`new flats: R squared ${explained.toFixed(4)}`);
    console.log(`the flat on the island ${predicted.at(-1)?.toFixed(1) ?? ''}`);
} finally {
    rmSync(folder, { recursive: true });
}
