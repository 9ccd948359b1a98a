// The loss of each step of gradient descent on XOR, with weights that need no generator.
exports.trainXor = function trainXor({ linspace, noGrad, tensor, zeros }) {
    const trained = { requiresGrad: true };
    const w1 = tensor(linspace(-1, 1, 16).reshape([2, 8]).toArray(), trained);
    const b1 = zeros([8], trained);
    const w2 = tensor(linspace(1, -1, 8).reshape([8, 1]).toArray(), trained);
    const b2 = zeros([1], trained);
    const x = tensor([
        [0, 0],
        [0, 1],
        [1, 0],
        [1, 1],
    ]);
    const y = tensor([[0], [1], [1], [0]]);
    const losses = [];
    for (let step = 0; step < 100; step++) {
        const hidden = x.matmul(w1).add(b1).relu();
        const error = hidden.matmul(w2).add(b2).sub(y);
        const loss = error.mul(error).mean();
        loss.backward();
        for (const weight of [w1, b1, w2, b2]) {
            noGrad(() => weight.sub_(weight.grad.mul(0.1)));
            weight.grad = null;
        }
        losses.push(loss.item());
    }
    return losses;
};
