/**
 * An autoencoder: digits of 784 pixels squeezed through 16 numbers and drawn again from them, learned without labels.
 * Usage: npx tsx examples/autoencoder.ts
 */
import { data, manualSeed, nn, noGrad, optim, type Tensor, train } from '../lib/index.js';
import { Autoencoder } from './modules/autoencoder.js';

const shades = [' ', '.', ':', '+', '#'];

/** A digit of 784 values in [0, 1], every second row and column. */
function picture(pixels: readonly number[]): string[] {
    const shade = (row: number, column: number): string => {
        const value = Math.min(Math.max(pixels[row * 28 + column] ?? 0, 0), 0.999);
        return shades[Math.floor(value * shades.length)] ?? ' ';
    };
    return Array.from({ length: 14 }, (_, row) =>
        Array.from({ length: 28 }, (_, column) => shade(2 * row, column)).join(''),
    );
}

manualSeed(1);
const { train: digits, test } = await data.mnist({ normalize: false });
const model = new Autoencoder();
const trainer = new train.Trainer({
    model,
    optimizer: new optim.Adam(model.parameters(), { lr: 0.003 }),
    // The batch's labels are not looked at: the pictures are their own targets.
    loss: (outputs, pictures) => nn.mseLoss(outputs, pictures.flatten(1)),
});
const brought = (images: Tensor, count: number): Tensor =>
    noGrad(() => images.slice(0, 0, count).to('float32').div(255));
const pictures = brought(digits.inputs, 6000);
const loader = new data.DataLoader(new data.TensorDataset(pictures, pictures), {
    batchSize: 64,
    shuffle: true,
});
await trainer.fit(loader, { epochs: 10 });

const unseen = brought(test.inputs, 1000);
const drawn = noGrad(() => model.forward(unseen));
const [before, after] = [unseen, drawn].map((x) => picture(x.flatten(1).select(0, 0).toArray() as number[]));
before?.forEach((line, i) => console.log(`${line}  ${after?.[i] ?? ''}`));
// Sixteen principal components explain 0.57.
const variance = unseen.sub(unseen.mean(0)).square().mean().item();
const unexplained = drawn.sub(unseen.flatten(1)).square().mean().item();
console.log(`explained variance ${(1 - unexplained / variance).toFixed(4)}`);
