// What an epoch of the MLP leaves resident: `train_mlp.mjs THREADS DATA`.
import { data, nn, optim, setThreads, train } from 'nativegrad';

setThreads(Number(process.argv[2]));
const { train: digits } = await data.mnist({ folder: process.argv[3] });
const model = new nn.Sequential(
    new nn.Flatten(),
    new nn.Linear(784, 256),
    new nn.ReLU(),
    new nn.Linear(256, 128),
    new nn.ReLU(),
    new nn.Linear(128, 10),
);
const optimizer = new optim.Adam(model.parameters(), { lr: 1e-3 });
const trainer = new train.Trainer({ model, optimizer, loss: nn.crossEntropy });
await trainer.fit(new data.DataLoader(digits, { batchSize: 64, shuffle: true }), { epochs: 1 });
process.stdout.write(`${JSON.stringify({ bytes: process.memoryUsage().rss })}\n`);
