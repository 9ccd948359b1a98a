// The loss of each training step on XOR, from weights that need no generator.
exports.trainXor = function trainXor({ nn, optim, tensor, zeros }) {
    const scattered = (shape, step) =>
        tensor(Array.from({ length: 16 }, (_, i) => ((i * step) % 17) / 8 - 1)).reshape(shape);
    const model = new nn.Sequential(new nn.Linear(2, 8), new nn.ReLU(), new nn.Linear(8, 2));
    model.loadStateDict({
        '0.weight': scattered([8, 2], 7),
        '0.bias': zeros([8]),
        '2.weight': scattered([2, 8], 5),
        '2.bias': zeros([2]),
    });
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.05 });
    const x = tensor([
        [0, 0],
        [0, 1],
        [1, 0],
        [1, 1],
    ]);
    const y = tensor([0, 1, 1, 0], { dtype: 'int64' });
    const losses = [];
    for (let step = 0; step < 100; step++) {
        const loss = nn.crossEntropy(model.forward(x), y);
        optimizer.zeroGrad();
        loss.backward();
        optimizer.step();
        losses.push(loss.item());
    }
    return losses;
};
