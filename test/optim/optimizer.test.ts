import assert from 'node:assert/strict';
import { nn, noGrad, ones, optim, scope, tensor, zeros, type Tensor } from '../../lib/index.js';

function parameter(values: number[]): nn.Parameter {
    return new nn.Parameter(tensor(values, { dtype: 'float64' }));
}

function withGradient(values: number[], gradient: number[]): nn.Parameter {
    const p = parameter(values);
    p.grad = tensor(gradient, { dtype: 'float64' });
    return p;
}

describe('optimizer', () => {
    it('leaves parameters without a gradient alone, and corrects the bias of each by its own steps', () => {
        const [early, late] = [withGradient([1], [1]), parameter([1])];
        const optimizer = new optim.Adam([early, late], { lr: 0.1 });
        optimizer.step();
        assert.equal(late.item(), 1);
        late.grad = tensor([1], { dtype: 'float64' });
        optimizer.step();
        // The first step of Adam is lr in size, whatever the gradient.
        assert.ok(Math.abs(late.item() - 0.9) < 1e-8);
    });

    it('updates more parameters than one native call takes, each by its own gradient', () => {
        const parameters = Array.from({ length: 150 }, (_, i) => withGradient([i], [1]));
        new optim.SGD(parameters, { lr: 1, momentum: 0.9 }).step();
        assert.deepEqual(
            parameters.map((p) => p.item()),
            parameters.map((_, i) => i - 1),
        );
    });

    it('takes groups with options of their own', () => {
        const [a, b] = [withGradient([1], [1]), withGradient([1], [1])];
        const optimizer = new optim.SGD([{ params: [a], lr: 0.5 }, { params: [b] }], { lr: 0.25 });
        optimizer.step();
        assert.deepEqual([a.item(), b.item()], [0.5, 0.75]);
        optimizer.paramGroups[1].lr = 0.75;
        optimizer.step();
        assert.deepEqual([a.item(), b.item()], [0, 0]);
    });

    it('marks the parameters as changed, so that a graph that saved one notices', () => {
        const p = parameter([2]);
        const loss = p.mul(p).sum();
        p.grad = tensor([1], { dtype: 'float64' });
        new optim.SGD([p], { lr: 0.1 }).step();
        assert.throws(() => loss.backward(), /changed in place/);
    });

    it('frees gradients, or fills them with zeros', () => {
        const p = withGradient([1], [3]);
        const { grad } = p;
        const optimizer = new optim.SGD([p], { lr: 0.1 });
        optimizer.zeroGrad({ setToNone: false });
        assert.equal(p.grad, grad);
        assert.equal(grad!.item(), 0);
        optimizer.zeroGrad();
        assert.equal(p.grad, null);
        assert.ok(grad!.isDisposed);
    });

    it('keeps its state through the scope in which it was made', () => {
        const p = parameter([1]);
        const optimizer = new optim.Adam([p]);
        for (let i = 0; i < 3; i++) {
            scope(() => {
                p.mul(p).sum().backward();
                optimizer.step();
                optimizer.zeroGrad();
            });
        }
        assert.ok(p.item() < 1);
    });

    it('accepts a gradient in another memory order', () => {
        const p = new nn.Parameter(zeros([2, 3]));
        p.grad = tensor([
            [1, 4],
            [2, 5],
            [3, 6],
        ]).transpose();
        new optim.SGD([p], { lr: 1 }).step();
        assert.deepEqual(p.toArray(), [
            [-1, -2, -3],
            [-4, -5, -6],
        ]);
    });

    it('runs a closure and returns its loss', () => {
        const p = parameter([3]);
        const optimizer = new optim.SGD([p], { lr: 0.5 });
        const loss = optimizer.step(() => {
            optimizer.zeroGrad();
            const value = p.mul(p).sum();
            value.backward();
            return value;
        });
        assert.equal(loss.item(), 9);
        assert.equal(p.item(), 0);
    });

    it('continues from a saved state as if it had not stopped', () => {
        const train = (p: Tensor, optimizer: optim.Optimizer, steps: number): void => {
            for (let i = 0; i < steps; i++) {
                optimizer.zeroGrad();
                p.mul(p).sum().backward();
                optimizer.step();
            }
        };
        for (const make of [
            (p: Tensor) => new optim.Adam([p], { lr: 0.1, amsgrad: true }),
            (p: Tensor) => new optim.SGD([p], { lr: 0.1, momentum: 0.9 }),
            (p: Tensor) => new optim.RMSprop([p], { momentum: 0.5, centered: true }),
        ]) {
            const whole = parameter([1, -2]);
            train(whole, make(whole), 6);
            const first = parameter([1, -2]);
            const before = make(first);
            train(first, before, 3);
            const second = new nn.Parameter(noGrad(() => first.clone()));
            const after = make(second);
            after.loadStateDict(before.stateDict());
            before.dispose();
            train(second, after, 3);
            assert.deepEqual(second.toArray(), whole.toArray());
        }
    });

    it('refuses a state of other shapes and changes nothing', () => {
        const a = withGradient([1, 2], [1, 1]);
        const saved = new optim.Adam([a], { lr: 0.5 });
        saved.step();
        const other = new optim.Adam([parameter([1, 2, 3])], { lr: 0.1 });
        assert.throws(() => other.loadStateDict(saved.stateDict()), /exp_avg of parameter 0.*\[2\].*\[3\]/);
        assert.equal(other.paramGroups[0].lr, 0.1);
        const two = new optim.Adam([parameter([1]), parameter([2])]);
        assert.throws(() => two.loadStateDict(saved.stateDict()), /groups of 1 parameters.*of 2/);
        const state = saved.stateDict();
        const own = saved.stateDict().state[0]?.tensors.exp_avg?.toArray();
        const disposed = ones([2]);
        disposed.dispose();
        const broken = { ...state, state: { 0: { step: 9, tensors: { exp_avg: disposed } } } };
        assert.throws(() => saved.loadStateDict(broken), /exp_avg of parameter 0 was disposed/);
        assert.deepEqual(saved.stateDict().state[0]?.tensors.exp_avg?.toArray(), own);
    });

    it('says what is wrong with its arguments', () => {
        const p = parameter([1]);
        assert.throws(() => new optim.Adam([]), /\[Adam\] got no parameters/);
        assert.throws(() => new optim.Adam([p, p]), /appears twice/);
        assert.deepEqual(new optim.Adam([{ params: p }]).parameters, [p]);
        assert.throws(() => new optim.Adam([{ params: [p] }, { params: [p] }]), /appears twice/);
        assert.throws(() => new optim.Adam([p.mul(2)]), /only leaves/);
        assert.throws(() => new optim.Adam([ones([2], { dtype: 'float16' })]), /float32 or float64.*float16/);
        assert.throws(() => new optim.Adam([p], { lr: -1 }), /\[Adam\] lr must be at least 0, got -1/);
        assert.throws(() => new optim.Adam([p], { lr: Number.NaN }), /lr/);
        assert.throws(() => new optim.Adam([p], { betas: [0.9, 1] }), /betas\[1\] must be in \[0, 1\)/);
        assert.throws(() => new optim.SGD([p], { nesterov: true }), /nesterov needs a momentum/);
    });
});
