import assert from 'node:assert/strict';
import * as nativegrad from '../lib/index.js';
import { nn, ones, optim, tensor } from '../lib/index.js';

/** What JavaScript's users hand over by mistake. */
const mistakes: readonly (readonly [string, unknown])[] = [
    ['nested arrays', [[1, 2, 3]]],
    ['nothing', undefined],
    ['null', null],
    ['a promise', Promise.resolve(ones([2]))],
    ['a string', 'x'],
    ['an object', { dim: 1 }],
    ['a typed array', new Float32Array(3)],
    ['a function', () => ones([2])],
];

/** Ours begin with the name of an op or a layer; the engine's own do not. */
const ours = /^(\[|[A-Z]\w+( '[^']*')?:)/;

function requireOurs(place: string, body: () => unknown): void {
    try {
        body();
    } catch (error) {
        assert.ok(error instanceof Error);
        assert.match(error.message, ours, place);
    }
}

/** Calls a method with whatever JavaScript would let through. */
function send(target: object, name: string, ...values: unknown[]): unknown {
    return Reflect.apply(Reflect.get(target, name) as Callable, target, values);
}

function isClass(value: unknown): boolean {
    return typeof value === 'function' && Function.prototype.toString.call(value).startsWith('class ');
}

type Callable = (...inputs: never[]) => unknown;

function functionsOf(library: object): [string, Callable][] {
    return Object.entries(library).filter(
        (entry): entry is [string, Callable] => typeof entry[1] === 'function',
    );
}

describe('values of the wrong kind', () => {
    const x = ones([2, 2]);
    const spaces = { '': nativegrad, 'nn.': nn, 'nn.init.': nn.init };
    // These run what they are given, read files, or take anything.
    const others =
        /^(scope|noGrad|enableGrad|keep|loadTensors|saveTensors|loadModel|saveModel|fromConfig|toConfig)$/;

    for (const [space, library] of Object.entries(spaces)) {
        for (const [name, call] of functionsOf(library)) {
            if (isClass(call) || others.test(name) || /safetensors/i.test(name)) continue;
            it(`${space}${name} names itself in the error`, () => {
                for (const [what, value] of mistakes) {
                    requireOurs(`${name}(${what})`, () => Reflect.apply(call, undefined, [value]));
                    // Options that are null have a message of the engine's.
                    if (value === null) continue;
                    requireOurs(`${name}(x, ${what})`, () => Reflect.apply(call, undefined, [x, value]));
                }
            });
        }
    }

    it('name the layer in every constructor and forward', () => {
        const layers: nn.Layer[] = [
            new nn.Linear(3, 2),
            new nn.Conv1d(1, 1, 1),
            new nn.Conv2d(1, 1, 1),
            new nn.ConvTranspose2d(1, 1, 1),
            new nn.MaxPool2d(2),
            new nn.AvgPool2d(2),
            new nn.AdaptiveAvgPool2d(2),
            new nn.BatchNorm1d(3),
            new nn.BatchNorm2d(3),
            new nn.LayerNorm(3),
            new nn.GroupNorm(1, 3),
            new nn.Embedding(3, 3),
            new nn.Dropout(),
            new nn.Flatten(),
            new nn.Softmax(),
            new nn.LogSoftmax(),
            new nn.Identity(),
            new nn.ReLU(),
            new nn.LeakyReLU(),
            new nn.ELU(),
            new nn.GELU(),
            new nn.SiLU(),
            new nn.Softplus(),
            new nn.Sigmoid(),
            new nn.Tanh(),
            new nn.Sequential(new nn.Linear(3, 2)),
        ];
        for (const layer of layers) {
            const type = layer.constructor.name;
            for (const [what, value] of mistakes) {
                assert.throws(
                    () => send(layer, 'forward', value),
                    (error: Error) => {
                        assert.match(
                            error.message,
                            /^[A-Z]\w+( '\w+')?: \[\w+\] [\w ]+ must be a Tensor, got /,
                            type,
                        );
                        return true;
                    },
                    `${type}.forward(${what})`,
                );
                requireOurs(`new ${type}(${what})`, () => {
                    const made: unknown = Reflect.construct(layer.constructor, [value]);
                    return made;
                });
            }
        }
    });

    it('say what came and what to do', () => {
        const forward = (value: unknown): unknown => send(new nn.Linear(3, 2), 'forward', value);
        assert.throws(() => forward([[1, 2, 3]]), /got an array; make one with tensor\(\.\.\.\)/);
        assert.throws(() => forward(Promise.resolve(x)), /got a Promise; is an `await` missing\?/);
        assert.throws(() => forward(undefined), /got undefined; was an argument or a return forgotten\?/);
        class Tensor {
            readonly shape = [1, 3];
        }
        assert.throws(() => forward(new Tensor()), /another copy of this package/);
        assert.throws(
            () => Reflect.apply(nn.crossEntropy, undefined, [Promise.resolve(x), tensor([0, 1])]),
            /\[cross_entropy\] scores must be a Tensor, got a Promise; is an `await` missing\?/,
        );
    });

    it('tell optimizers and schedules what to hand over', () => {
        const model = new nn.Linear(3, 2);
        for (const type of [optim.Adam, optim.AdamW, optim.SGD, optim.RMSprop]) {
            const make = (...values: unknown[]): unknown => {
                const made: unknown = Reflect.construct(type, values);
                return made;
            };
            assert.throws(() => make(model), /got a Linear; pass model\.parameters\(\)/);
            assert.throws(() => make(), /expected a list of parameters, got undefined/);
            assert.throws(
                () => make(model.weight),
                /expected a list of parameters, got a Tensor of shape \[\d, \d\]; write \[parameter\]/,
            );
            assert.throws(() => make([[1, 2]]), /parameters must be Tensors, got an array/);
            assert.throws(
                () => make(model.parameters(), { learningRate: 1 }),
                /unknown option 'learningRate'; did you mean 'lr'\? It has lr, /,
            );
            assert.throws(
                () => make(model.parameters(), { weight_decay: 1 }),
                /unknown option 'weight_decay'; did you mean 'weightDecay'\?/,
            );
            assert.throws(
                () => make(model.parameters(), 0.1),
                /options must be an object such as \{ lr \}, got 0\.1/,
            );
        }
        assert.throws(() => {
            const made: unknown = Reflect.construct(optim.StepLR, [model, { stepSize: 1 }]);
            return made;
        }, /\[StepLR\] the first argument must be an optimizer, .*got a Linear/);
    });

    it('name misspelt options of layers', () => {
        const make = (...values: unknown[]): unknown => {
            const made: unknown = Reflect.construct(nn.Conv2d, values);
            return made;
        };
        assert.throws(
            () => make(1, 2, 3, { strides: 2 }),
            /Conv2d: unknown option 'strides'; did you mean 'stride'\?/,
        );
        assert.throws(() => make(1, 2, 3, { zebra: 2 }), /Conv2d: unknown option 'zebra'; it has stride, /);
    });
});

describe('arguments as PyTorch has them', () => {
    it('takes sizes and axes one by one', () => {
        const x = ones([2, 3]);
        assert.deepEqual(x.reshape(3, 2).shape, [3, 2]);
        assert.deepEqual(x.reshape(-1).shape, [6]);
        assert.deepEqual(nativegrad.reshape(x, 1, 6).shape, [1, 6]);
        assert.deepEqual(x.permute(1, 0).shape, [3, 2]);
        assert.deepEqual(x.expand(4, -1, 3).shape, [4, 2, 3]);
        assert.throws(
            () => x.reshape(4, 2),
            /\[reshape\] cannot bring 6 elements of shape \[2, 3\] into \[4, 2\]/,
        );
    });

    it('shows the position where a named axis came', () => {
        const x = ones([2, 3]);
        assert.throws(
            () => send(x, 'sum', { dim: 1 }),
            /\[sum\] axes must be an integer or a list of them, got an object \{ dim \}; pass it by position: 1/,
        );
        assert.throws(() => send(x, 'softmax', { axis: 1 }), /\[softmax\] axis must be an integer/);
        assert.throws(
            () => send(x, 'sum', 0, { keepDims: false }),
            /\[sum\] keepDims must be true or false, got an object/,
        );
    });
});
