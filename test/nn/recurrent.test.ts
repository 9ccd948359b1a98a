import assert from 'node:assert/strict';

import {
    capture,
    Generator,
    gradcheck,
    nn,
    noGrad,
    ones,
    randn,
    tensor,
    type Tensor,
} from '../../lib/index.js';
import { assertSameBits } from '../support/same_bits.js';
import { assertClose, checkLayer } from './sequence_golden.js';

const shape = [3, 4] as const;

/** Layers as scripts/reference/make_sequence_golden.py makes them in PyTorch. */
const lstms: Record<string, nn.LSTM> = {
    lstm: new nn.LSTM(...shape),
    lstm_deep: new nn.LSTM(...shape, { numLayers: 2, bidirectional: true, batchFirst: true }),
    lstm_plain: new nn.LSTM(...shape, { bias: false }),
    lstm_packed: new nn.LSTM(...shape),
    lstm_deep_packed: new nn.LSTM(...shape, { numLayers: 2, bidirectional: true, batchFirst: true }),
};
const grus: Record<string, nn.GRU> = {
    gru: new nn.GRU(...shape),
    gru_deep: new nn.GRU(...shape, { numLayers: 3, bidirectional: true, batchFirst: true }),
    gru_plain: new nn.GRU(...shape, { bias: false }),
    gru_packed: new nn.GRU(...shape),
    gru_deep_packed: new nn.GRU(...shape, { numLayers: 3, bidirectional: true, batchFirst: true }),
};

const lengthsOf = (inputs: ReadonlyMap<string, Tensor>): nn.SequenceOptions => {
    const lengths = inputs.get('lengths');
    return lengths ? { lengths } : {};
};

describe('nn.LSTM and nn.GRU', () => {
    for (const [name, layer] of Object.entries(lstms)) {
        it(`${name}: outputs, states and gradients are PyTorch's`, () =>
            checkLayer(name, layer, (inputs) => {
                const [h0, c0] = [inputs.get('h0'), inputs.get('c0')];
                const [y, [h, c]] = layer.forward(inputs.get('x')!, h0 && c0 && [h0, c0], lengthsOf(inputs));
                return { y, h, c };
            }));
    }

    for (const [name, layer] of Object.entries(grus)) {
        it(`${name}: outputs, states and gradients are PyTorch's`, () =>
            checkLayer(name, layer, (inputs) => {
                const [y, h] = layer.forward(inputs.get('x')!, inputs.get('h0'), lengthsOf(inputs));
                return { y, h };
            }));
    }

    it('have the gradients of finite differences', () => {
        const generator = new Generator(3);
        const x = randn([3, 2, 2], { dtype: 'float64', generator, requiresGrad: true });
        for (const layer of [
            new nn.LSTM(2, 3, { dtype: 'float64', generator, bidirectional: true }),
            new nn.GRU(2, 3, { dtype: 'float64', generator, numLayers: 2 }),
        ]) {
            const run = (input: Tensor): Tensor => {
                const [y, end] = layer.forward(input);
                return [end].flat().reduce((sum, state) => sum.add(state.square().sum()), y.sum());
            };
            gradcheck(run, [x]);
        }
    });

    it('go on from the state that they gave', () => {
        for (const layer of [new nn.LSTM(3, 4, { numLayers: 2 }), new nn.GRU(3, 4, { numLayers: 2 })]) {
            const forward = (...inputs: unknown[]): [Tensor, unknown] =>
                (Reflect.get(layer, 'forward') as (...inputs: unknown[]) => [Tensor, unknown])(...inputs);
            const x = randn([6, 2, 3]);
            const [whole] = forward(x);
            const [first, state] = forward(x.slice(0, 0, 4));
            const [second] = forward(x.slice(0, 4), state);
            assert.deepEqual(first.toArray(), whole.slice(0, 0, 4).toArray());
            assert.deepEqual(second.toArray(), whole.slice(0, 4).toArray());
        }
    });

    it('see nothing of the padding, whatever stands there, and give it no gradient', () => {
        for (const layer of [
            new nn.LSTM(3, 4, { numLayers: 2, bidirectional: true, batchFirst: true }),
            new nn.GRU(3, 4, { numLayers: 2, bidirectional: true, batchFirst: true }),
        ]) {
            const x = randn([3, 5, 3], { generator: new Generator(5) });
            const lengths = [5, 2, 3];
            const padded = x.clone();
            lengths.forEach((length, i) =>
                padded
                    .select(0, i)
                    .slice(0, length)
                    .fill_(i === 1 ? NaN : 1e30),
            );
            padded.requiresGrad = true;
            const [output, end] = layer.forward(padded, undefined, { lengths });
            const sums = [end].flat().map((state) => state.square().sum());
            sums.reduce((a, b) => a.add(b), output.square().sum()).backward();
            lengths.forEach((length, i) => {
                // As the sequence alone.
                const [alone, last] = layer.forward(x.slice(0, i, i + 1).slice(1, 0, length));
                assertSameBits(
                    Array.from(output.select(0, i).slice(0, 0, length).clone().dataSync(), Number),
                    Array.from(alone.select(0, 0).clone().dataSync(), Number),
                );
                for (const part of [output, padded.grad!])
                    assert.equal(part.select(0, i).slice(0, length).ne(0).sum().item(), 0);
                [end].flat().forEach((state, j) => {
                    assert.deepEqual(state.select(1, i).toArray(), [last].flat()[j].select(1, 0).toArray());
                });
            });
            for (const parameter of layer.parameters())
                assert.ok(parameter.grad?.isFinite().all().item(), 'NaN came through');
        }
    });

    it('take lengths as an input of a captured step', () => {
        const layer = new nn.GRU(3, 4, { bidirectional: true });
        const step = (x: Tensor, lengths: Tensor): Tensor =>
            layer.forward(x, undefined, { lengths })[1].sum();
        const captured = capture(step);
        const x = randn([5, 2, 3]);
        for (const lengths of [
            [5, 2],
            [1, 4],
            [3, 3],
        ]) {
            const given = tensor(lengths, { dtype: 'int64' });
            assertSameBits([captured(x, given).item()], [step(x, given).item()]);
        }
        assert.equal(captured.statistics.programs.length, 1);
    });

    it('drop between layers in training alone, not behind the last one', () => {
        const layer = new nn.GRU(3, 64, { numLayers: 2, dropout: 0.5, generator: new Generator(1) });
        const x = randn([2, 1, 3]);
        const [first, again] = [layer.forward(x)[0], layer.forward(x)[0]];
        assert.notDeepEqual(again.toArray(), first.toArray());
        assert.equal(first.eq(0).sum().item(), 0);
        layer.eval();
        assert.deepEqual(layer.forward(x)[0].toArray(), layer.forward(x)[0].toArray());
    });

    it('chain in a Sequential, are summed up, saved as JSON and cloned', () => {
        const model = new nn.Sequential(
            new nn.Embedding(11, 6),
            new nn.LSTM(6, 8, { batchFirst: true, bidirectional: true }),
            new nn.GRU(16, 5, { batchFirst: true, numLayers: 2, dropout: 0.25 }),
            new nn.Linear(5, 2),
        ).eval();
        const index = ones([2, 7], { dtype: 'int64' });
        assert.deepEqual(model.forward(index).shape, [2, 7, 2]);
        const config = nn.toConfig(model);
        const copy = nn.fromConfig(JSON.parse(JSON.stringify(config))).eval();
        assert.deepEqual(nn.toConfig(copy), config);
        copy.loadStateDict(model.stateDict());
        assert.deepEqual(copy.forward(index).toArray(), model.forward(index).toArray());
        const twin = model.clone();
        noGrad(() => model.parameters().forEach((p) => p.mul_(2)));
        assert.deepEqual(twin.forward(index).toArray(), copy.forward(index).toArray());
        const lines = nn.summary(new nn.Sequential(new nn.LSTM(6, 8)), [7, 2, 6]).layers;
        assert.deepEqual(lines[1].outputShape, [7, 2, 8]);
        assert.equal(lines[1].parameters, 4 * 8 * (6 + 8 + 2));
    });

    it('count their weights before they are made', () => {
        for (const layer of [
            new nn.LSTM(3, 4, { numLayers: 3, bidirectional: true }),
            new nn.GRU(3, 4, { numLayers: 2, bias: false }),
            new nn.MultiheadAttention(6, 2),
            new nn.MultiheadAttention(6, 2, { kdim: 3, bias: false }),
        ]) {
            const config = nn.toConfig(new nn.Sequential(layer));
            const elements = layer.parameters().reduce((sum, { size }) => sum + size, 0);
            nn.fromConfig(config, { maxElements: elements });
            assert.throws(() => nn.fromConfig(config, { maxElements: elements - 1 }), /the layers take/);
        }
    });

    it('give the same bits in a captured step', () => {
        const generator = new Generator(4);
        const layer = new nn.LSTM(3, 4, { numLayers: 2, dropout: 0.5, generator });
        const x = randn([5, 2, 3]);
        const step = (input: Tensor): Tensor => {
            layer.zeroGrad();
            const loss = layer.forward(input)[0].square().sum();
            loss.backward();
            return loss;
        };
        const { state } = generator;
        const eager = step(x).item();
        const gradients = (): number[] =>
            layer.parameters().flatMap(({ grad }) => Array.from(grad!.dataSync(), Number));
        const before = gradients();
        generator.state = state;
        assertSameBits([capture(step)(x).item()], [eager]);
        assertSameBits(gradients(), before);
    });

    it('show backward hooks the gradient of the output', () => {
        const layer = new nn.GRU(2, 3);
        const seen: (readonly number[])[] = [];
        layer.registerBackwardHook((_, inputs, outputs) => {
            seen.push(...[...inputs, ...outputs].map((x) => x?.shape ?? []));
            return undefined;
        });
        const x = randn([4, 1, 2], { requiresGrad: true });
        layer.forward(x)[0].sum().backward();
        assert.deepEqual(seen, [[4, 1, 2], [4, 1, 3], []]);
        assertClose(x.grad?.mul(0), x.mul(0), 'the gradient');
    });

    it('say what does not fit', () => {
        const layer = new nn.Sequential(new nn.LSTM(3, 4, { batchFirst: true }));
        assert.throws(
            () => layer.forward(ones([2, 5, 4])),
            /LSTM '0': expected \[N, T, 3\] or \[T, 3\], got \[2, 5, 4\]; inputSize comes last/,
        );
        assert.throws(() => layer.forward(ones([2, 0, 3])), /of at least one step, got \[2, 0, 3\]/);
        const lstm = new nn.LSTM(3, 4);
        const x = ones([5, 2, 3]);
        assert.throws(
            () => lstm.forward(x, [ones([2, 1, 4]), ones([1, 2, 4])]),
            /LSTM: expected an initial state \[1, 2, 4\], got \[2, 1, 4\]; it is \[layers \* directions, batch/,
        );
        assert.throws(
            () => Reflect.apply(Reflect.get(lstm, 'forward') as () => unknown, lstm, [x, x]),
            /\[LSTM\].*the state must be \[h_0, c_0\]/,
        );
        const withLengths = (lengths: unknown, input = x): (() => unknown) => {
            return () => lstm.forward(input, undefined, { lengths: lengths as number[] });
        };
        assert.throws(withLengths([5, 0]), /\[LSTM\].*lengths must be integers from 1 to 5, .*got 0/);
        assert.throws(withLengths([6, 1]), /from 1 to 5, the steps of the batch, got 6/);
        assert.throws(withLengths([5, 1.5]), /got 1.5/);
        assert.throws(withLengths('5'), /from 1 to 5, the steps of the batch, got the string "5"/);
        assert.throws(withLengths([5]), /expected lengths \[2\], one for each sequence, got \[1\]/);
        assert.throws(withLengths(ones([2])), /lengths must be integers, got float32/);
        assert.throws(
            withLengths([5], ones([5, 3])),
            /expected a batch of sequences for lengths, got \[5, 3\]; one alone has no padding/,
        );
        assert.throws(
            () => lstm.forward(x, undefined, Object.fromEntries([['length', [5, 5]]])),
            /unknown option 'length'/,
        );
        assert.throws(() => new nn.GRU(3, 4, { dropout: 0.5 }), /GRU: dropout 0.5 acts between layers/);
        assert.throws(
            () => new nn.GRU(3, 4, { numLayers: 2, dropout: 2 }),
            /GRU: dropout must be in \[0, 1\]/,
        );
        assert.throws(() => new nn.LSTM(3, 0), /LSTM: hiddenSize must be a positive integer, got 0/);
        assert.throws(
            () => new nn.LSTM(3, 4, Object.fromEntries([['layers', 2]])),
            /unknown option 'layers'/,
        );
    });
});
