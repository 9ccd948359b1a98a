/**
 * Digits by a small residual network: what a block computes is added to what it was given, by a skip connection.
 * Usage: npx tsx examples/residual_digits.ts
 */
import { data, manualSeed, nn, optim, train } from '../lib/index.js';
import { ResidualBlock } from './modules/residual_block.js';

manualSeed(1);
const { train: digits, test } = await data.mnist();
const some = (set: data.TensorDataset, count: number): data.Subset =>
    new data.Subset(
        set,
        Int32Array.from({ length: count }, (_, i) => i),
    );
const model = new nn.Sequential(
    new ResidualBlock(1, 8, 2),
    new ResidualBlock(8, 16, 2),
    new ResidualBlock(16, 16, 1),
    new nn.AdaptiveAvgPool2d(1),
    new nn.Flatten(),
    new nn.Linear(16, 10),
);
const epochs = 4;
const loader = new data.DataLoader(some(digits, 4000), { batchSize: 50, shuffle: true });
const optimizer = new optim.AdamW(model.parameters(), { lr: 0.01 });
const schedule = new optim.OneCycleLR(optimizer, { maxLr: 0.01, totalSteps: epochs * loader.length });
const trainer = new train.Trainer({
    model,
    optimizer,
    loss: nn.crossEntropy,
    schedule,
    scheduleInterval: 'step',
});
await trainer.fit(loader, { epochs });
const { accuracy = NaN } = await trainer.evaluate(new data.DataLoader(some(test, 2000), { batchSize: 200 }));
console.log(`accuracy ${accuracy.toFixed(4)}`);
