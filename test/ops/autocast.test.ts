import assert from 'node:assert/strict';
import {
    add,
    autocast,
    autocastDtype,
    conv1d,
    conv2d,
    convTranspose2d,
    div,
    einsum,
    eye,
    full,
    linear,
    manualSeed,
    matmul,
    nn,
    ones,
    onesLike,
    optim,
    pow,
    rand,
    randint,
    randn,
    scaledDotProductAttention,
    softmax,
    type Tensor,
} from '../../lib/index.js';

const matrix = (): Tensor => ones([4, 4]);

describe('autocast', () => {
    // The dtypes that torch.autocast('cuda', torch.bfloat16) gives.
    const products: [string, () => Tensor][] = [
        ['matmul', () => matmul(matrix(), matrix())],
        ['linear', () => linear(matrix(), matrix(), ones([4]))],
        ['conv1d', () => conv1d(ones([1, 2, 5]), ones([3, 2, 3]), ones([3]))],
        ['conv2d', () => conv2d(ones([1, 2, 5, 5]), ones([3, 2, 3, 3]), ones([3]))],
        ['convTranspose2d', () => convTranspose2d(ones([1, 2, 5, 5]), ones([2, 3, 3, 3]), ones([3]))],
        ['einsum', () => einsum('ij,jk->ik', matrix(), matrix())],
        ['a product with an operand that is short already', () => matmul(matrix().to('bfloat16'), matrix())],
    ];
    for (const [name, product] of products) {
        it(`computes ${name} in bfloat16`, () => {
            assert.equal(autocast('bfloat16', product).dtype, 'bfloat16');
        });
    }

    it('computes in float16 as well', () => {
        const y = autocast('float16', () => matmul(matrix(), matrix()));
        assert.equal(y.dtype, 'float16');
        assert.deepEqual(y.toArray(), Array(4).fill([4, 4, 4, 4]));
    });

    // The list of torch.autocast('cuda'), and further reductions.
    const wide: [string, (x: Tensor) => Tensor][] = [
        ['sum', (x) => x.sum(1)],
        ['mean', (x) => x.mean()],
        ['prod', (x) => x.prod(0)],
        ['cumsum', (x) => x.cumsum(0)],
        ['variance', (x) => x.variance(1)],
        ['std', (x) => x.std(1)],
        ['norm', (x) => x.norm()],
        ['norm of order 3', (x) => x.norm(3, 1)],
        ['logsumexp', (x) => x.logsumexp(1)],
        ['softmax', (x) => softmax(x, 1)],
        ['logSoftmax', (x) => x.logSoftmax(1)],
        ['pow', (x) => x.pow(3)],
        ['pow of two', (x) => x.pow(x)],
        ['a number to a power', (x) => pow(2, x)],
        ['square', (x) => x.square()],
        ['a number divided', (x) => div(1, x)],
        ['exp', (x) => x.exp()],
        ['expm1', (x) => x.expm1()],
        ['log', (x) => x.log()],
        ['log1p', (x) => x.log1p()],
        ['log2', (x) => x.log2()],
        ['rsqrt', (x) => x.rsqrt()],
        ['reciprocal', (x) => x.reciprocal()],
        ['tan', (x) => x.tan()],
        ['softplus', (x) => x.softplus()],
        ['layerNorm', (x) => x.layerNorm(4, ones([4]))],
        ['groupNorm', (x) => x.groupNorm(2, ones([4]))],
    ];
    for (const [name, body] of wide) {
        it(`takes ${name} in float32, and gives gradients in the dtype of what came`, () => {
            for (const dtype of ['bfloat16', 'float16'] as const) {
                const x = rand([4, 4]).add(0.5).to(dtype);
                x.requiresGrad = true;
                const y = autocast(dtype, () => body(x));
                assert.equal(y.dtype, 'float32');
                assert.deepEqual(y.toArray(), body(x.detach().to('float32')).toArray());
                assert.equal(body(x.detach()).dtype, dtype, 'outside');
                y.sum().backward();
                assert.equal(x.grad?.dtype, dtype);
                assert.equal(
                    autocast(dtype, () => body(ones([4, 4], { dtype: 'float64' }))).dtype,
                    'float64',
                );
            }
        });
    }

    it('keeps a loss that ends above 65504 finite', () => {
        const x = full([64, 64], 16);
        const loss = autocast('float16', () => x.matmul(eye(64)).sub(0).square().sum());
        assert.equal(loss.item(), 64 * 64 * 256);
    });

    it('computes backward in the dtypes of forward, inside and outside of it', () => {
        const x = rand([8, 32]).to('float16');
        const gradient = (isInside: boolean): unknown => {
            const own = x.clone();
            own.requiresGrad = true;
            const backward = autocast('float16', () => {
                // Its backward has a square and an exponential.
                const y = own.erf();
                const run = (): void => y.backward(onesLike(y));
                if (isInside) run();
                return isInside ? () => undefined : run;
            });
            backward();
            return own.grad?.toArray();
        };
        assert.deepEqual(gradient(true), gradient(false));
    });

    it('leaves the rest in the dtype that it gets', () => {
        autocast('bfloat16', () => {
            const short = matrix().matmul(matrix());
            for (const x of [short.relu(), short.sigmoid(), short.sqrt(), short.max(1), short.square_()])
                assert.equal(x.dtype, 'bfloat16');
            const heads = scaledDotProductAttention(matrix(), matrix(), matrix());
            assert.equal(heads.dtype, 'bfloat16');
            assert.equal(add(matrix(), matrix()).dtype, 'float32');
            assert.equal(add(short, matrix()).dtype, 'float32');
            assert.equal(matmul(matrix().to('float64'), matrix().to('float64')).dtype, 'float64');
            const numbers = randint(0, 3, [2, 2], { dtype: 'int32' });
            assert.equal(matmul(numbers, numbers).dtype, 'int32');
        });
    });

    it('takes losses in float32', () => {
        autocast('bfloat16', () => {
            const short = matrix().matmul(matrix()).mul(0.1);
            const labels = randint(0, 4, [4]);
            const losses = [
                nn.crossEntropy(short, labels),
                nn.crossEntropy(short, softmax(short, 1)),
                nn.nllLoss(short.logSoftmax(1), labels),
                nn.mseLoss(short, matrix()),
                nn.l1Loss(short, short),
                nn.smoothL1Loss(short, matrix()),
                nn.bceLoss(short.sigmoid(), matrix()),
                nn.bceWithLogits(short, matrix()),
            ];
            for (const loss of losses) assert.equal(loss.dtype, 'float32');
        });
    });

    it('ends with its function, also by an error, and nests', () => {
        assert.equal(autocastDtype(), null);
        autocast('bfloat16', () => {
            assert.equal(autocastDtype(), 'bfloat16');
            autocast(null, () => assert.equal(matrix().matmul(matrix()).dtype, 'float32'));
            assert.equal(autocastDtype(), 'bfloat16');
        });
        assert.throws(() => autocast('bfloat16', () => assert.fail('inside')), /inside/);
        assert.equal(autocastDtype(), null);
    });

    it('refuses other dtypes and asynchronous functions', () => {
        assert.throws(
            () => autocast('float32' as 'float16', matrix),
            /must be bfloat16, float16 or null, got the string "float32"/,
        );
        assert.throws(() => autocast('bfloat16', () => Promise.resolve(1)), /returns a promise/);
    });

    it('gives gradients in the dtype of the parameters, close to those of float32', () => {
        manualSeed(1);
        const model = new nn.Sequential(
            // Without a bias, whose gradient batch norm makes 0 but for rounding.
            new nn.Conv2d(1, 4, 3, { padding: 1, bias: false }),
            new nn.BatchNorm2d(4),
            new nn.ReLU(),
            new nn.MaxPool2d(2),
            new nn.Flatten(),
            new nn.Linear(64, 10),
        );
        const [x, y] = [randn([16, 1, 8, 8]), randint(0, 10, [16])];
        const gradients = (dtype: 'bfloat16' | null): Tensor[] => {
            model.zeroGrad();
            autocast(dtype, () => nn.crossEntropy(model.forward(x), y)).backward();
            return model.parameters().map((p) => {
                assert.equal(p.grad?.dtype, 'float32');
                return p.grad.clone();
            });
        };
        const exact = gradients(null);
        const size = (x: Tensor): number => x.square().sum().sqrt().item();
        gradients('bfloat16').forEach((gradient, i) => {
            const reference = exact[i];
            assert.ok(reference);
            // bfloat16 rounds to 2^-9; a few roundings on the way of each.
            assert.ok(size(gradient.sub(reference)) <= 0.05 * size(reference) + 1e-4, `parameter ${i}`);
        });
    });

    it('trains', () => {
        manualSeed(2);
        const model = new nn.Sequential(new nn.Linear(8, 32), new nn.ReLU(), new nn.Linear(32, 4));
        const optimizer = new optim.Adam(model.parameters(), { lr: 1e-2 });
        const [x, y] = [randn([64, 8]), randint(0, 4, [64])];
        const loss = (): Tensor => autocast('bfloat16', () => nn.crossEntropy(model.forward(x), y));
        const first = loss().item();
        for (let i = 0; i < 60; i++) {
            optimizer.zeroGrad();
            loss().backward();
            optimizer.step();
        }
        assert.ok(loss().item() < 0.5 * first);
    });
});
