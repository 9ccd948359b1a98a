import assert from 'node:assert/strict';
import { data, setThreads, tensor, threads, type Tensor } from '../../lib/index.js';

const { DataLoader, Subset, TensorDataset, permutation, randomAffine, randomSplit } = data;

function digits(count: number): data.Dataset {
    const inputs = tensor(Uint8Array.from({ length: count * 2 }, (_, i) => i)).reshape([count, 2]);
    return new TensorDataset(inputs, tensor(Int32Array.from({ length: count }, (_, i) => i)), {
        scale: 0.5,
        shift: 1,
    });
}

function labelsOf(loader: data.DataLoader): number[][] {
    return Array.from(loader, ([, y]) => y.toArray() as number[]);
}

describe('DataLoader', () => {
    it('gathers, converts and scales batches; the last one may be short', () => {
        const [first, last] = Array.from(new DataLoader(digits(3), { batchSize: 2 }));
        assert.deepEqual(first[0].toArray(), [
            [1, 1.5],
            [2, 2.5],
        ]);
        assert.equal(first[0].dtype, 'float32');
        assert.deepEqual(last[1].toArray(), [2]);
        assert.equal(last[1].dtype, 'int32');
    });

    it('shuffles by seed and epoch, the same for any number of threads', () => {
        const run = (seed: number): number[][] => {
            const loader = new DataLoader(digits(50), { batchSize: 50, shuffle: true, seed });
            return [...labelsOf(loader), ...labelsOf(loader)];
        };
        const before = threads();
        setThreads(1);
        const alone = run(7);
        setThreads(before);
        assert.deepEqual(run(7), alone);
        assert.notDeepEqual(alone[0], alone[1]);
        assert.notDeepEqual(run(8), alone);
        assert.deepEqual(
            [...alone[0]].sort((a, b) => a - b),
            Array.from({ length: 50 }, (_, i) => i),
        );
    });

    it('drops a short last batch on demand, and counts batches', () => {
        const loader = new DataLoader(digits(5), { batchSize: 2, dropLast: true });
        assert.equal(loader.length, 2);
        assert.deepEqual(labelsOf(loader), [
            [0, 1],
            [2, 3],
        ]);
    });

    it('collates data sets that only have get()', () => {
        const set: data.Dataset = { length: 3, get: (i) => [tensor([i, i + 0.5]), i] };
        const [batch] = Array.from(new DataLoader(set, { batchSize: 3 }));
        assert.deepEqual(batch[0].toArray(), [
            [0, 0.5],
            [1, 1.5],
            [2, 2.5],
        ]);
        assert.deepEqual(batch[1].toArray(), [0, 1, 2]);
        const ragged: data.Dataset = { length: 2, get: (i) => [tensor(i === 0 ? [1] : [1, 2]), 0] };
        assert.throws(
            () => Array.from(new DataLoader(ragged, { batchSize: 2 })),
            /\[DataLoader\] input 1 has shape \[2\]/,
        );
    });

    it('lets timers run during for await', async () => {
        let fired = 0;
        const timer = setInterval(() => fired++, 1);
        let batches = 0;
        for await (const [x] of new DataLoader(digits(120), { batchSize: 1 })) {
            const until = performance.now() + 1;
            while (performance.now() < until) x.shape.slice();
            batches++;
        }
        clearInterval(timer);
        assert.equal(batches, 120);
        assert.ok(fired > 2, `the timer fired ${fired} times`);
    });

    it('refuses wrong options and mismatched tensors', () => {
        assert.throws(() => new DataLoader(digits(3), { batchSize: 0 }), /\[DataLoader\] batchSize.*got 0/);
        assert.throws(() => new DataLoader(digits(3), { seed: -1 }), /\[DataLoader\] seed/);
        assert.throws(
            () => new TensorDataset(tensor([1, 2]), tensor([1])),
            /\[TensorDataset\] inputs \[2\] and targets \[1\]/,
        );
    });
});

describe('splits', () => {
    it('cuts a data set into disjoint parts', () => {
        const [a, b] = randomSplit(digits(10), [7, 3], 1);
        const all = [...a.indices, ...b.indices].sort((x, y) => x - y);
        assert.deepEqual(
            all,
            Array.from({ length: 10 }, (_, i) => i),
        );
        const [batch] = Array.from(new DataLoader(b, { batchSize: 3 }));
        assert.deepEqual(batch[1].toArray(), [...b.indices]);
        assert.deepEqual(
            randomSplit(digits(10), [0.9, 0.1], 1).map((part) => part.length),
            [9, 1],
        );
    });

    it('refuses sizes that do not add up, and indices outside', () => {
        assert.throws(() => randomSplit(digits(10), [5, 4], 1), /5 \+ 4 do not make up 10/);
        assert.throws(() => randomSplit(digits(10), [0.5, 0.9], 1), /0.5 \+ 0.9 make 1.4, not 1/);
        assert.throws(() => new Subset(digits(2), Int32Array.of(2)), /\[Subset\] index 2/);
    });

    it('permutes every position and depends on the stream', () => {
        assert.notDeepEqual(permutation(100, 3, 0), permutation(100, 3, 1));
        assert.deepEqual(permutation(1, 3), Int32Array.of(0));
    });
});

describe('randomAffine', () => {
    const image = (): Tensor => {
        const pixels = new Float32Array(81);
        pixels[4 * 9 + 4] = 1;
        return tensor(pixels).reshape([1, 1, 9, 9]);
    };
    const labels = tensor([0], { dtype: 'int32' });

    it('leaves images alone when nothing may change', () => {
        const [same] = randomAffine({})([image(), labels], 0, 0);
        assert.deepEqual(same.toArray(), image().toArray());
    });

    it('moves the mass of a pixel by at most the shift, and repeats with the seed', () => {
        const shift = randomAffine({ shift: 2, seed: 5 });
        const [moved] = shift([image(), labels], 0, 1);
        const values = moved.dataSync();
        let [total, row, column] = [0, 0, 0];
        values.forEach((value, i) => {
            total += Number(value);
            row += Number(value) * Math.floor(i / 9);
            column += Number(value) * (i % 9);
        });
        assert.ok(Math.abs(total - 1) < 1e-5);
        assert.ok(Math.abs(row - 4) <= 2 && Math.abs(column - 4) <= 2);
        assert.ok(Math.abs(row - 4) + Math.abs(column - 4) > 1e-3);
        const [again] = shift([image(), labels], 0, 1);
        assert.deepEqual(again.dataSync(), values);
        const [other] = shift([image(), labels], 1, 1);
        assert.notDeepEqual(other.dataSync(), values);
    });

    it('keeps a background other than zero, and refuses wrong amounts', () => {
        const plain = tensor(new Float32Array(81).fill(-0.5)).reshape([1, 1, 9, 9]);
        const [moved] = randomAffine({ shift: 3, rotate: 20, background: -0.5 })([plain, labels], 0, 0);
        assert.ok(moved.dataSync().every((value) => Number(value) === -0.5));
        assert.throws(() => randomAffine({ rotate: -1 }), /\[randomAffine\] rotate.*got -1/);
        assert.throws(() => randomAffine({ scale: 1 }), /\[randomAffine\] scale/);
    });
});

describe('data from JavaScript', () => {
    const make = (type: new (...values: never[]) => unknown, ...values: unknown[]): unknown => {
        const made: unknown = Reflect.construct(type, values);
        return made;
    };

    it('says what a loader and a data set must be given', () => {
        const set = new data.TensorDataset(tensor([[1], [2]]), tensor([0, 1]));
        assert.throws(
            () => make(data.DataLoader),
            /\[DataLoader\] the data set must have a length and get\(index\), got undefined/,
        );
        assert.throws(
            () => make(data.DataLoader, tensor([1])),
            /got a Tensor; tensors go in as new TensorDataset\(inputs, targets\)/,
        );
        assert.throws(
            () => make(data.DataLoader, set, 32),
            /\[DataLoader\] options must be an object such as \{ batchSize \}, got 32/,
        );
        assert.throws(
            () => make(data.DataLoader, set, { batch_size: 2 }),
            /unknown option 'batch_size'; did you mean 'batchSize'\?/,
        );
        assert.throws(() => make(data.DataLoader, set, { transform: 1 }), /transform must be a function/);
        assert.throws(
            () => make(data.TensorDataset, [[1]], [1]),
            /\[TensorDataset\] the inputs must be a Tensor, got an array/,
        );
        assert.throws(
            () => make(data.Subset, set, [0]),
            /\[Subset\] indices must be an Int32Array, got an array/,
        );
        assert.throws(
            () => Reflect.apply(data.randomSplit, undefined, [set]),
            /\[randomSplit\] sizes must be a list/,
        );
    });

    it('says what a transform must return', async () => {
        const set = new data.TensorDataset(tensor([[1], [2]]), tensor([0, 1]));
        for (const [transform, message] of [
            [() => undefined, /transform must return a batch .*got undefined; is its `return` missing/],
            [([x]: [Tensor]) => x, /got a Tensor; both must be tensors/],
            [() => [1, 2], /got an array; both must be tensors/],
            [async (batch: unknown) => Promise.resolve(batch), /got a Promise; it must be synchronous/],
        ] as const) {
            const loader = new data.DataLoader(set, { transform: transform as never });
            assert.throws(() => [...loader], message);
            await assert.rejects(async () => {
                for await (const batch of loader) assert.fail(String(batch));
            }, message);
        }
    });
});
