/**
 * A table from a CSV file, read as a stream: prices of flats (regression), then which of them sell fast (classification).
 * Usage: npx tsx examples/csv_table.ts
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { data, Generator, manualSeed, nn, optim, rand, randn, train } from '../lib/index.js';

const districts = ['centre', 'harbour', 'hills', 'north', 'south'];

/** Flats whose price depends on area, age and district, not quite linearly, with noise. */
function writeFlats(path: string, count: number): void {
    const generator = new Generator(1);
    const columns = rand([count, 3], { generator }).toArray() as number[][];
    const noise = randn([count], { generator }).toArray() as number[];
    const rows = columns.map(([a = 0, b = 0, c = 0], i) => {
        const [area, age, place] = [30 + 120 * a, 80 * b, Math.floor(c * districts.length)];
        const perMetre = 4 + 0.6 * place + 1.5 * Math.exp(-age / 20);
        const price = area * perMetre * (area > 100 ? 0.9 : 1) + 15 * (noise[i] ?? 0);
        const sells = perMetre - 0.02 * area + 0.1 * (noise[i] ?? 0) < 4.2 ? 'fast' : 'slowly';
        return [area.toFixed(1), age.toFixed(0), districts[place], price.toFixed(1), sells].join(',');
    });
    writeFileSync(path, ['area,age,district,price,sells', ...rows].join('\n'));
}

/** Every fifth row is held out. */
const isHeldOut = (row: number): boolean => row % 5 === 0;

function network(inputs: number, outputs: number): nn.Sequential {
    return new nn.Sequential(new nn.Linear(inputs, 32), new nn.ReLU(), new nn.Linear(32, outputs));
}

/** Share of the variance of the prices that the network explains (R squared), on rows held out. */
async function predictPrices(path: string): Promise<number> {
    const table = await data.CsvFile.open(path, { target: 'price', inputs: ['area', 'age', 'district'] });
    if (table.target.kind !== 'number') throw new Error('prices are numbers');
    const { mean, std } = table.target;
    const model = network(table.features, 1);
    // The network learns prices in deviations from their mean.
    const loss: train.TrainerOptions['loss'] = (outputs, prices) =>
        nn.mseLoss(outputs, prices.sub(mean).div(std));
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
    const trainer = new train.Trainer({ model, optimizer, loss });
    await trainer.fit(table.batches({ batchSize: 64, shuffleRows: 1000, keep: (row) => !isHeldOut(row) }), {
        epochs: 12,
    });
    const { loss: unexplained } = await trainer.evaluate(table.batches({ batchSize: 400, keep: isHeldOut }));
    return 1 - unexplained;
}

/** Share of the flats held out of which it is known how they sell. */
async function predictSales(path: string): Promise<number> {
    const table = await data.CsvFile.open(path, { target: 'sells', inputs: ['area', 'age', 'district'] });
    const model = network(table.features, table.classes?.length ?? 0);
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
    const trainer = new train.Trainer({ model, optimizer, loss: nn.crossEntropy });
    await trainer.fit(table.batches({ batchSize: 64, shuffleRows: 1000, keep: (row) => !isHeldOut(row) }), {
        epochs: 8,
    });
    const { accuracy } = await trainer.evaluate(table.batches({ batchSize: 400, keep: isHeldOut }));
    return accuracy ?? NaN;
}

manualSeed(1);
const folder = mkdtempSync(join(tmpdir(), 'flats-'));
try {
    const path = join(folder, 'flats.csv');
    writeFlats(path, 2000);
    console.log(`prices: R squared ${(await predictPrices(path)).toFixed(4)}`);
    console.log(`sales: accuracy ${(await predictSales(path)).toFixed(4)}`);
} finally {
    rmSync(folder, { recursive: true });
}
