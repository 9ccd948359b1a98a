import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { nn, noGrad, ones, scope, tensor, zeros, type Tensor } from '../../lib/index.js';

class Net extends nn.Module {
    readonly fc1 = new nn.Linear(4, 3);
    readonly head = new nn.Sequential(new nn.ReLU(), new nn.Linear(3, 2, { bias: false }));
    readonly scale = new nn.Parameter(ones([2]));

    constructor() {
        super();
        this.registerBuffer('count', zeros([]));
        this.registerBuffer('scratch', zeros([1]), { persistent: false });
    }

    forward(x: Tensor): Tensor {
        return this.head.forward(this.fc1.forward(x)).mul(this.scale);
    }
}

class Tied extends nn.Module {
    readonly first = new nn.Linear(3, 3);
    readonly second = this.first;
    readonly list = new nn.ModuleList([this.first, new nn.Linear(3, 1)]);
    forward(x: Tensor): Tensor {
        return this.second.forward(this.first.forward(x));
    }
}

describe('module', () => {
    it('finds parameters, buffers and modules in the order of PyTorch', () => {
        const net = new Net();
        const names = ['scale', 'fc1.weight', 'fc1.bias', 'head.1.weight'];
        assert.deepEqual(
            net.namedParameters().map(([name]) => name),
            names,
        );
        assert.deepEqual(
            net.namedBuffers().map(([name]) => name),
            ['count', 'scratch'],
        );
        assert.deepEqual(
            [...net.stateDict().keys()],
            ['scale', 'count', 'fc1.weight', 'fc1.bias', 'head.1.weight'],
        );
        assert.deepEqual(
            net.namedModules().map(([path]) => path),
            ['', 'fc1', 'head', 'head.0', 'head.1'],
        );
    });

    it('lists tied parameters once, and their names in the state twice', () => {
        const tied = new Tied();
        assert.equal(tied.parameters().length, 4);
        assert.deepEqual(
            [...tied.stateDict().keys()].filter((name) => name.endsWith('bias')),
            ['first.bias', 'second.bias', 'list.0.bias', 'list.1.bias'],
        );
        const copy = tied.clone();
        assert.equal(copy.first, copy.second);
        assert.equal(copy.first, copy.list.at(0));
        assert.notEqual(copy.first, tied.first);
    });

    it('lives through scopes', () => {
        const net = scope(() => new Net());
        const kept: { net?: Net } = {};
        scope(() => {
            kept.net = new Net();
        });
        assert.deepEqual(net.forward(ones([1, 4])).shape, [1, 2]);
        assert.deepEqual(kept.net!.forward(ones([1, 4])).shape, [1, 2]);
    });

    it('clones deeply', () => {
        const net = new Net();
        const copy = net.clone();
        const x = tensor([[1, 2, 3, 4]]);
        assert.deepEqual(copy.forward(x).toArray(), net.forward(x).toArray());
        noGrad(() => copy.fc1.weight.zero_());
        assert.notDeepEqual(copy.fc1.weight.toArray(), net.fc1.weight.toArray());
        assert.ok(copy instanceof Net);
        copy.eval();
        assert.equal(net.head.training, true);
    });

    it('loads a state entirely or not at all', () => {
        const [source, target] = [new Net(), new Net()];
        target.loadStateDict(source.stateDict());
        assert.deepEqual(target.fc1.weight.toArray(), source.fc1.weight.toArray());
        const state = source.stateDict();
        state.delete('scale');
        state.set('extra', ones([1]));
        state.set('fc1.bias', ones([7]));
        const before = target.fc1.weight.toArray();
        assert.throws(
            () => target.loadStateDict(state),
            /does not fit Net: fc1\.bias is \[3\], got \[7\]; missing: scale; unexpected: extra/,
        );
        assert.throws(() => target.loadStateDict(state, { strict: false }), /fc1\.bias is \[3\], got \[7\]/);
        assert.deepEqual(target.fc1.weight.toArray(), before);
        state.set('fc1.bias', ones([3]));
        assert.deepEqual(target.loadStateDict(Object.fromEntries(state), { strict: false }), {
            missing: ['scale'],
            unexpected: ['extra'],
        });
        assert.deepEqual(target.fc1.bias!.toArray(), [1, 1, 1]);
    });

    it('changes nothing where any source is unfit', () => {
        const target = new Net();
        const before = target.fc1.weight.toArray();
        const refused = (name: string, value: unknown, message: RegExp): void => {
            const state = new Map<string, unknown>(new Net().stateDict());
            state.set(name, value);
            assert.throws(() => target.loadStateDict(state as Map<string, Tensor>), message);
            assert.deepEqual(target.fc1.weight.toArray(), before);
        };
        const disposed = ones([3]);
        disposed.dispose();
        refused('fc1.bias', disposed, /fc1\.bias was disposed/);
        refused('fc1.bias', [1, 2, 3], /fc1\.bias must be a Tensor, got an array/);
        const norm = new nn.BatchNorm1d(2);
        const state = norm.stateDict().set('num_batches_tracked', ones([]));
        state.set('weight', ones([2]).mul(7));
        assert.throws(() => norm.loadStateDict(state), /num_batches_tracked is int64, got float32/);
        assert.deepEqual(norm.weight?.toArray(), [1, 1]);
    });

    it('casts in place, gradients included', () => {
        const net = new Net();
        const { weight } = net.fc1;
        const before = weight.toArray();
        net.forward(ones([2, 4]))
            .sum()
            .backward();
        net.to('float64');
        assert.equal(net.fc1.weight, weight);
        assert.deepEqual(
            [weight.dtype, weight.grad!.dtype, net.buffer('count').dtype],
            ['float64', 'float64', 'float64'],
        );
        assert.deepEqual(weight.toArray(), before);
        net.zeroGrad();
        net.forward(ones([2, 4], { dtype: 'float64' }))
            .sum()
            .backward();
        assert.equal(weight.grad!.dtype, 'float64');
        assert.throws(() => net.to('int32'), /\[to\] a module takes a float dtype, got int32/);
        assert.throws(
            () => net.to('gpu' as 'cpu'),
            /\[to\] unknown dtype or device 'gpu'; .* or a device: 'cpu', 'cuda'/,
        );
    });

    it('freezes and unfreezes', () => {
        const net = new Net();
        net.fc1.freeze();
        net.forward(ones([1, 4]))
            .sum()
            .backward();
        assert.equal(net.fc1.weight.grad, null);
        assert.ok(net.scale.grad);
        assert.equal(net.fc1.unfreeze().weight.requiresGrad, true);
    });

    it('switches modes and visits children first', () => {
        const net = new Net().eval();
        assert.ok(net.modules().every((module) => !module.training));
        const seen: string[] = [];
        net.train().apply((module) => void seen.push(module.constructor.name));
        assert.deepEqual(seen, ['Linear', 'ReLU', 'Linear', 'Sequential', 'Net']);
        assert.ok(net.head.training);
    });

    it('prints itself as a tree', () => {
        assert.equal(
            inspect(new nn.Sequential(new nn.Linear(2, 1), new nn.Sequential(new nn.ReLU()))),
            'Sequential(\n  (0): Linear(2, 1)\n  (1): Sequential(\n    (0): ReLU()\n  )\n)',
        );
    });

    it('names the path of the layer in errors of shapes and of ops', () => {
        const net = new Net();
        assert.throws(
            () => net.forward(ones([2, 5])),
            /^RangeError: Linear 'fc1': expected \[\*, 4\], got \[2, 5\]; make inFeatures 5/,
        );
        assert.throws(
            () => new nn.Sequential(new nn.Linear(784, 10)).forward(zeros([2, 28, 28])),
            /Linear '0': expected \[\*, 784\], got \[2, 28, 28\]; did you forget Flatten\?/,
        );
        const wide = ones([2, 4], { dtype: 'float64' });
        assert.throws(
            () => net.forward(wide),
            (error: Error) =>
                error.message.startsWith("Linear 'fc1': [linear] dtypes differ") &&
                error.stack!.includes("Linear 'fc1': [linear]"),
        );
    });
});

describe('a module without forward', () => {
    const made = (methods: object): nn.Layer => {
        class Mine extends Net {}
        Object.defineProperty(Mine.prototype, 'forward', { value: undefined });
        Object.defineProperties(Mine.prototype, Object.getOwnPropertyDescriptors(methods));
        return new Mine();
    };

    it('says so, and what it has instead', () => {
        assert.throws(
            () => made({}).forward(ones([1, 4])),
            /^TypeError: \[Mine\] the module has no method forward\(x\); write one that computes its output/,
        );
        const foward = (x: Tensor): Tensor => x;
        assert.throws(
            () => made({ foward }).forward(ones([1, 4])),
            /its method 'foward' looks like it: rename it/,
        );
        assert.throws(
            () => new nn.Sequential(made({})).forward(ones([1, 4])),
            /\[Mine\] the module has no method/,
        );
    });
});

describe('module hooks', () => {
    it('run around forward, see and replace', () => {
        const layer = new nn.Linear(2, 1);
        const seen: string[] = [];
        const removePre = layer.registerForwardPreHook((_, [x]) => {
            seen.push('pre');
            return [(x as Tensor).mul(0)];
        });
        const remove = layer.registerForwardHook((module, inputs, output) => {
            seen.push(`post ${module.constructor.name} ${inputs.length}`);
            return (output as Tensor).mul(2);
        });
        const y = layer.forward(ones([1, 2]));
        assert.equal(y.item(), Math.fround(layer.bias!.item() * 2));
        removePre();
        remove();
        layer.forward(ones([1, 2]));
        assert.deepEqual(seen, ['pre', 'post Linear 1']);
    });

    it('see gradients in the backward pass, and may replace those of the inputs', () => {
        const layer = new nn.Linear(2, 1, { bias: false });
        const seen: (number | number[] | undefined)[][] = [];
        layer.registerBackwardHook((_, [dx], [dy]) => {
            seen.push([dx?.shape.length, dy?.toArray() as number[]]);
            return [dx!.mul(10)];
        });
        const x = tensor([[1, 2]], { requiresGrad: true });
        layer.forward(x).sum().backward();
        assert.deepEqual(seen, [[2, [[1]]]]);
        const [row] = layer.weight.toArray() as number[][];
        assert.deepEqual(x.grad!.toArray(), [row.map((w) => Math.fround(w * 10))]);
        assert.deepEqual(layer.weight.grad!.toArray(), [[1, 2]]);
    });

    it('see the output gradient of a layer whose input needs none, and may keep it', () => {
        const layer = new nn.Linear(2, 1);
        let kept: Tensor | null = null;
        layer.registerBackwardHook((_, inputs, [dy]) => {
            assert.deepEqual(inputs, [null]);
            kept = dy ?? null;
            return undefined;
        });
        scope(() =>
            layer
                .forward(ones([3, 2]))
                .mul(2)
                .sum()
                .backward(),
        );
        assert.deepEqual((kept as Tensor | null)!.toArray(), [[2], [2], [2]]);
    });
});

describe('containers', () => {
    it('find their modules, refuse others and missing ones', () => {
        const dict = new nn.ModuleDict({ a: new nn.ReLU(), b: new nn.Linear(2, 2) });
        assert.deepEqual([...dict.stateDict().keys()], ['b.weight', 'b.bias']);
        assert.equal(dict.size, 2);
        assert.ok(dict.has('a'));
        assert.throws(() => dict.get('c'), /no module 'c' among a, b/);
        assert.throws(() => dict.set('x.y', new nn.ReLU()), /nor hold a dot/);
        assert.throws(() => dict.forward(), /has no forward/);
        const list = new nn.ModuleList<nn.Layer>([new nn.ReLU()]);
        assert.equal(list.append(new nn.Linear(2, 2)).length, 2);
        assert.equal(list.at(-1).constructor, nn.Linear);
        assert.throws(() => list.at(2), /no module 2 among 2/);
        assert.throws(() => void Reflect.construct(nn.Sequential, [nn.ReLU]), /is `new` missing/);
        assert.equal([...new nn.Sequential(new nn.ReLU())].length, 1);
        const made = (type: new () => nn.Module, value: unknown) => () =>
            void Reflect.construct(type, [value]);
        for (const value of [ones([0, 2]), null]) {
            assert.throws(made(nn.ModuleList, value), /\[ModuleList\] expected a list of modules, got/);
            assert.throws(made(nn.ModuleDict, value), /\[ModuleDict\] expected modules by name, got/);
        }
    });
});
