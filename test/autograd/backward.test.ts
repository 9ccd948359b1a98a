import assert from 'node:assert/strict';
import { defineOp, detectAnomaly, grad, noGrad, ones, scope, tensor, type Tensor } from '../../lib/index.js';

describe('backward', () => {
    it('accumulates gradients of a small network', () => {
        const x = tensor([[1, 2, 3]], { requiresGrad: true });
        const w = tensor([[1], [-2], [3]], { requiresGrad: true });
        x.matmul(w).relu().sum().backward();
        assert.deepEqual(x.grad?.toArray(), [[1, -2, 3]]);
        x.matmul(w).relu().sum().backward();
        assert.deepEqual(x.grad?.toArray(), [[2, -4, 6]]);
        assert.deepEqual(w.grad?.toArray(), [[2], [4], [6]]);
    });

    it('sums the gradient of a broadcast operand', () => {
        const bias = ones([3], { requiresGrad: true });
        ones([4, 3]).mul(2).add(bias).sum().backward();
        assert.deepEqual(bias.grad?.toArray(), [4, 4, 4]);
    });

    it('gives second derivatives', () => {
        const x = tensor([3], { requiresGrad: true });
        const [first] = grad([x.mul(x).mul(x).sum()], [x], { createGraph: true });
        const [second] = grad([first!.sum()], [x]);
        assert.equal(first!.item(), 27);
        assert.equal(second!.item(), 18);
    });

    it('runs graphs of 100,000 ops without recursion', () => {
        const x = ones([1], { requiresGrad: true });
        let y: Tensor = x;
        for (let i = 0; i < 100_000; i++) y = y.add(1);
        y.backward();
        assert.equal(x.grad?.item(), 1);
    });

    it('refuses a second pass through a freed graph, and a graph changed in place', () => {
        const x = ones([2], { requiresGrad: true });
        const y = x.mul(x);
        const total = y.sum();
        total.backward();
        assert.throws(() => total.backward(), /already used and freed.*retainGraph/);
        const z = x.mul(2);
        const product = z.mul(z).sum();
        z.detach().add_(1);
        assert.throws(() => product.backward(), /changed in place/);
    });

    it('refuses in-place changes of leaves outside noGrad', () => {
        const x = ones([2], { requiresGrad: true });
        assert.throws(() => x.add_(1), /\[add_\].*noGrad/);
        noGrad(() => x.add_(1));
        assert.deepEqual(x.toArray(), [2, 2]);
    });

    it('names the op behind the first NaN', () => {
        const x = tensor([0], { requiresGrad: true });
        assert.throws(() => detectAnomaly(() => x.div(x)), /\[div\] made the first NaN/);
    });

    it('lets a scope return a loss whose graph is still whole', () => {
        const w = ones([2, 2], { requiresGrad: true });
        const loss = scope(() => {
            const hidden = ones([1, 2]).matmul(w).mul(3).relu();
            return hidden.mul(hidden).sum();
        });
        loss.backward();
        assert.deepEqual(w.grad?.toArray(), [
            [36, 36],
            [36, 36],
        ]);
    });

    it('gives leaves gradients that share nothing', () => {
        const [a, b, c] = [ones([2, 2]), ones([4, 1]), ones([4])] as const;
        for (const x of [a, b, c]) x.requiresGrad = true;
        const flat = a
            .reshape([4])
            .add(b.reshape([4]))
            .add(c);
        flat.mul(flat.detach()).sum().backward();
        noGrad(() => a.grad?.mul_(7));
        assert.deepEqual(b.grad?.toArray(), [[3], [3], [3], [3]]);
        assert.deepEqual(c.grad?.toArray(), [3, 3, 3, 3]);
    });

    it('accumulates into a leaf while its gradient is still on its way elsewhere', () => {
        const w = ones([2], { requiresGrad: true });
        const v = ones([2], { requiresGrad: true });
        // The gradient of the sum goes to the clone, on to w, and to the older product with v.
        const older = v.mul(3);
        const total = older.add(w.clone().clone());
        total.add(w).sum().backward();
        assert.deepEqual(w.grad?.toArray(), [2, 2]);
        assert.deepEqual(v.grad?.toArray(), [3, 3]);
    });

    it('lets an op return its input: the leaf stays a leaf', () => {
        const reverse = defineOp({ name: 'reverse', forward: (_, [x]) => x, backward: (dy) => [dy.mul(-1)] });
        const x = ones([2], { requiresGrad: true });
        x.mul(1)
            .add(reverse([x], {}))
            .sum()
            .backward();
        assert.equal(x.isLeaf, true);
        assert.deepEqual(x.grad?.toArray(), [0, 0]);
    });

    it('leaves an earlier gradient readable when another is added', () => {
        const x = ones([2], { requiresGrad: true });
        x.mul(2).sum().backward();
        const first = x.grad;
        x.mul(3).sum().backward();
        assert.deepEqual(first?.toArray(), [2, 2]);
        assert.deepEqual(x.grad?.toArray(), [5, 5]);
    });
});

describe('defineOp from JavaScript', () => {
    type Define = (definition: unknown) => (inputs: unknown, options: object) => unknown;
    const define = defineOp as Define;
    const x = ones([2], { requiresGrad: true });

    it('refuses a definition without name or functions', () => {
        assert.throws(
            () => define(undefined),
            /\[defineOp\] expected \{ name, forward, backward \}, got undefined/,
        );
        assert.throws(() => define({}), /\[defineOp\] name must be a string such as 'cube', got undefined/);
        assert.throws(() => define({ name: 'a' }), /\[defineOp\] forward of 'a' must be a function/);
        const forward = (): Tensor => ones([1]);
        assert.throws(
            () => define({ name: 'a', forward, backward: 1 }),
            /backward of 'a' must be a function .*got 1/,
        );
    });

    it('refuses inputs, outputs and gradients that are no tensors', () => {
        const giving = (value: unknown, gradients: unknown = []) =>
            define({ name: 'odd', forward: () => value, backward: () => gradients });
        for (const required of [x, ones([2])]) {
            assert.throws(
                () => giving(3)([required], {}),
                /\[odd\] what forward returns must be a Tensor, got 3/,
            );
            assert.throws(() => giving(undefined)([required], {}), /was an argument or a return forgotten/);
            assert.throws(
                () => giving(Promise.resolve(x))([required], {}),
                /got a Promise; is an `await` missing/,
            );
            assert.throws(
                () => giving([x, null])([required], {}),
                /\[odd\] output 1 of forward must be a Tensor, got null/,
            );
        }
        const op = giving(ones([1]));
        assert.throws(
            () => op(x, {}),
            /\[odd\] takes a list of its input tensors, got a Tensor; call it as op\(\[x\], \{\}\)/,
        );
        assert.throws(
            () => op([x, [1, 2]], {}),
            /\[odd\] input 1 must be a Tensor, got an array; make one with tensor/,
        );
        const backward = (gradients: unknown): void => {
            const y = define({ name: 'odd', forward: () => ones([1]), backward: () => gradients })([x], {});
            (y as Tensor).backward();
        };
        assert.throws(() => {
            backward(ones([2]));
        }, /\[odd\] backward must give a list with one gradient per input, got a Tensor/);
        assert.throws(() => {
            backward([7]);
        }, /\[odd\] gradient 0 that backward gave must be a Tensor, got 7/);
    });
});

describe('hooks on leaves', () => {
    it('see the sum of the pass once, may change it, and can be removed', () => {
        const x = ones([2], { requiresGrad: true });
        const seen: unknown[] = [];
        const remove = x.registerHook((gradient) => gradient.mul(2));
        x.registerHook((gradient) => {
            seen.push(gradient.toArray());
            return undefined;
        });
        x.mul(3).add(x).sum().backward();
        assert.deepEqual(seen, [[8, 8]]);
        assert.deepEqual(x.grad?.toArray(), [8, 8]);
        remove();
        x.mul(3).sum().backward();
        assert.deepEqual(seen, [
            [8, 8],
            [3, 3],
        ]);
        assert.deepEqual(x.grad?.toArray(), [11, 11]);
    });

    it('act on a leaf that is the root itself, and in grad()', () => {
        const w = ones([1], { requiresGrad: true });
        let calls = 0;
        w.registerHook((gradient) => {
            calls++;
            return gradient.mul(5);
        });
        w.backward();
        assert.deepEqual(w.grad?.toArray(), [5]);
        const [gradient] = grad([w.mul(2).add(w.mul(3)).sum()], [w]);
        assert.deepEqual(gradient?.toArray(), [25]);
        assert.equal(calls, 2);
    });

    it('may keep the gradient, and leave other leaves alone', () => {
        const [x, other] = [ones([2], { requiresGrad: true }), ones([2], { requiresGrad: true })];
        const kept: Tensor[] = [];
        x.registerHook((gradient) => void kept.push(gradient));
        x.mul(other).sum().backward();
        x.grad?.dispose();
        assert.deepEqual(kept[0]?.toArray(), [1, 1]);
        assert.deepEqual(other.grad?.toArray(), [1, 1]);
    });

    it('can be differentiated again', () => {
        const x = tensor([3], { requiresGrad: true });
        x.registerHook((gradient) => gradient.mul(2));
        const [first] = grad([x.pow(3).sum()], [x], { createGraph: true });
        assert.deepEqual(first?.toArray(), [54]);
        // The hook acts in the second pass as well: 2 * d(2 * 3 x^2)/dx = 72.
        const [second] = grad([first.sum()], [x]);
        assert.deepEqual(second?.toArray(), [72]);
    });

    it('are refused where no gradient comes, and give tensors of the same shape', () => {
        assert.throws(() => ones([2]).registerHook(() => undefined), /does not require a gradient/);
        const x = ones([2], { requiresGrad: true });
        const remove = x.registerHook(() => ones([3]));
        assert.throws(() => {
            x.sum().backward();
        }, /\[registerHook\] the hook gave a gradient of shape \[3\] for \[2\]/);
        remove();
        assert.throws(() => x.registerHook(7 as never), /\[registerHook\] takes a function .*got 7/);
    });
});

describe('retainGrad', () => {
    it('adds up over passes, after the hooks', () => {
        const a = ones([2], { requiresGrad: true });
        const b = a.mul(2).retainGrad();
        b.registerHook((gradient) => gradient.mul(10));
        const loss = b.sum();
        loss.backward(undefined, { retainGraph: true });
        const first = b.grad;
        assert.deepEqual(first?.toArray(), [10, 10]);
        loss.backward();
        assert.deepEqual(b.grad?.toArray(), [20, 20]);
        assert.deepEqual(first.toArray(), [10, 10]);
        assert.deepEqual(a.grad?.toArray(), [40, 40]);
    });
});
