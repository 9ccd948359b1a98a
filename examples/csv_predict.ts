/**
 * Predicts the rows of a CSV file by a model that csv_table.ts has saved: the model's file says how rows become numbers.
 * Usage: npx tsx examples/csv_predict.ts MODEL TABLE
 */
import { data, nn, noGrad } from '../lib/index.js';

const [modelPath, tablePath] = process.argv.slice(2);
if (modelPath === undefined || tablePath === undefined)
    throw new Error('usage: npx tsx examples/csv_predict.ts MODEL TABLE');
const { model, info } = await nn.loadModel(modelPath);
const table = await data.CsvFile.openEncoded(tablePath, info.extra?.table);
for await (const rows of table.inputBatches()) {
    const outputs = noGrad(() => model.forward(rows));
    const { target } = table;
    if (target.kind === 'category')
        for (const i of outputs.argmax(1).dataSync()) console.log(target.values[Number(i)]);
    else for (const z of outputs.dataSync()) console.log((target.mean + target.std * Number(z)).toFixed(1));
}
