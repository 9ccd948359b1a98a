/**
 * Digits by a small residual network: what a block computes is added to what it was given, by a skip connection.
 * Usage: npx tsx examples/residual_digits.ts
 */
import { data, manualSeed, nn, optim, type Tensor, train } from '../lib/index.js';

/** y = relu(x + norm(conv(relu(norm(conv(x)))))); a convolution of one pixel brings x to other channels (He et al. 2016). */
class ResidualBlock extends nn.Module {
    readonly conv1: nn.Conv2d;
    readonly norm1: nn.BatchNorm2d;
    readonly conv2: nn.Conv2d;
    readonly norm2: nn.BatchNorm2d;
    readonly shortcut: nn.Layer;

    constructor(inChannels: number, channels: number, stride: number) {
        super();
        this.conv1 = new nn.Conv2d(inChannels, channels, 3, { stride, padding: 1, bias: false });
        this.norm1 = new nn.BatchNorm2d(channels);
        this.conv2 = new nn.Conv2d(channels, channels, 3, { padding: 1, bias: false });
        this.norm2 = new nn.BatchNorm2d(channels);
        this.shortcut =
            stride === 1 && inChannels === channels
                ? new nn.Identity()
                : new nn.Conv2d(inChannels, channels, 1, { stride, bias: false });
    }

    forward(x: Tensor): Tensor {
        const inner = this.norm1.forward(this.conv1.forward(x)).relu();
        return this.norm2.forward(this.conv2.forward(inner)).add(this.shortcut.forward(x)).relu();
    }
}

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
