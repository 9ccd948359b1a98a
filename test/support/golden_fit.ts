import { data, manualSeed, nn, optim, tensor, train } from '../../lib/index.js';

const SAMPLES = 12;

/** A small training with all that a checkpoint holds: momentum and moments, batch norm, dropout, schedule, loss scaling. */
export async function goldenFit(
    options: Partial<train.FitOptions>,
): Promise<{ readonly model: nn.Module; readonly history: train.History }> {
    manualSeed(3);
    const x = Float32Array.from({ length: SAMPLES * 4 }, (_, i) => Math.sin(1 + 3 * i));
    const y = Int32Array.from({ length: SAMPLES }, (_, i) => i % 2);
    const set = new data.TensorDataset(tensor(x).reshape([SAMPLES, 4]), tensor(y));
    const loader = new data.DataLoader(set, { batchSize: 5, shuffle: true, seed: 6 });
    const model = new nn.Sequential(
        new nn.Linear(4, 6),
        new nn.BatchNorm1d(6),
        new nn.ReLU(),
        new nn.Dropout(0.25),
        new nn.Linear(6, 2),
    );
    const optimizer = new optim.AdamW(model.parameters(), { lr: 0.01 });
    const trainer = new train.Trainer({
        model,
        optimizer,
        loss: nn.crossEntropy,
        precision: 'float16',
        schedule: new optim.CosineAnnealingLR(optimizer, { tMax: 4 }),
        capture: false,
    });
    const history = await trainer.fit(loader, {
        epochs: 4,
        callbacks: [new train.EarlyStopping({ monitor: 'loss', patience: 10 })],
        ...options,
    });
    return { model, history };
}
