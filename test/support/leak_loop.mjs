// The README's loop for 2,000 steps, without any dispose(); prints the resident size after 100 and after 2,000.
const [, , library, kind] = process.argv;
const { data, memory, nn, optim, tensor } = await import(library);

const steps = 2000;
const early = 100;
const pixels = Uint8Array.from({ length: 512 * 784 }, (_, i) => (i * 7919) % 251);
const labels = Int32Array.from({ length: 512 }, (_, i) => i % 10);
const set = new data.TensorDataset(tensor(pixels).reshape([512, 784]), tensor(labels), { scale: 1 / 255 });
const loader = new data.DataLoader(set, { batchSize: 64, shuffle: true });

const model = new nn.Sequential(new nn.Linear(784, 256), new nn.ReLU(), new nn.Linear(256, 10));
const optimizer = new optim.Adam(model.parameters(), { lr: 1e-3 });
const sizes = { early: 0, late: 0 };
let step = 0;

function train(x, y) {
    const loss = nn.crossEntropy(model.forward(x), y);
    optimizer.zeroGrad();
    loss.backward();
    optimizer.step();
    step++;
    if (step === early) sizes.early = process.memoryUsage.rss();
}

while (step < steps) {
    if (kind === 'synchronous') {
        for (const [x, y] of loader) train(x, y);
    } else {
        for await (const [x, y] of loader) train(x, y);
    }
}
sizes.late = process.memoryUsage.rss();
const { liveBytes, cachedBytes, collections } = memory();
const { heapTotal, external } = process.memoryUsage();
console.log(JSON.stringify({ ...sizes, liveBytes, cachedBytes, collections, heapTotal, external }));
