import assert from 'node:assert/strict';

import {
    capture,
    checkpoint,
    nn,
    optim,
    profile,
    randn,
    type Profile,
    type Tensor,
} from '../../lib/index.js';

class Block extends nn.Module {
    readonly inner = new nn.Sequential(new nn.Linear(8, 16), new nn.ReLU(), new nn.Linear(16, 8));

    forward(x: Tensor): Tensor {
        return this.inner.forward(x).add(x);
    }
}

/** All that was measured fits together. */
function checkSums(measured: Profile<unknown>): void {
    const { ops, layers, events, milliseconds, opMilliseconds } = measured;
    const near = (a: number, b: number): void => assert.ok(Math.abs(a - b) < 1e-6, `${a} and ${b}`);
    near(
        ops.reduce((sum, row) => sum + row.milliseconds, 0),
        layers.reduce((sum, row) => sum + row.forward + row.backward, 0),
    );
    near(
        events.reduce((sum, event) => sum + event.milliseconds, 0),
        opMilliseconds,
    );
    assert.ok(opMilliseconds > 0 && opMilliseconds <= milliseconds);
    const [calls, bytes] = [events.length, events.reduce((sum, event) => sum + event.bytes, 0)];
    assert.equal(
        ops.reduce((sum, row) => sum + row.calls, 0),
        calls,
    );
    assert.equal(
        layers.reduce((sum, row) => sum + row.bytes, 0),
        bytes,
    );
}

describe('profile', () => {
    const model = new Block();
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
    const x = randn([32, 8]);
    const step = (): number => {
        optimizer.zeroGrad();
        const loss = nn.mseLoss(model.forward(x), x);
        loss.backward();
        optimizer.step();
        return loss.item();
    };

    it('names ops, directions, layers and bytes of a step', () => {
        const measured = profile(step);
        checkSums(measured);
        assert.ok(Number.isFinite(measured.result));
        const paths = ['Block', 'Block.inner', 'Block.inner.0', 'Block.inner.1', 'Block.inner.2'];
        assert.deepEqual(measured.layers.map(({ layer }) => layer).sort(), ['', ...paths]);
        const of = (op: string, phase: string, layer: string) =>
            measured.events.filter((e) => e.op === op && e.phase === phase && e.layer === layer);
        const [first] = of('linear', 'forward', 'Block.inner.0');
        assert.equal(first?.bytes, 32 * 16 * 4);
        assert.equal(first?.moved, 4 * (32 * 8 + 16 * 8 + 16 + 32 * 16));
        assert.deepEqual(first?.shapes, [[32, 8], [16, 8], [16], [32, 16]]);
        // x needs no gradient: one product in the first layer's backward, two in the last one's.
        assert.equal(of('matmul', 'backward', 'Block.inner.0').length, 1);
        assert.equal(of('matmul', 'backward', 'Block.inner.2').length, 2);
        assert.equal(of('SGD', 'outside', '').length, 1);
        const inner = measured.layers.find(({ layer }) => layer === 'Block.inner');
        assert.equal(inner?.calls, 1);
        assert.equal(inner?.forward, 0);
        const parts = measured.layers.filter(({ layer }) => layer.startsWith('Block.inner.'));
        const total = parts.reduce((sum, part) => sum + part.forward + part.backward, 0);
        assert.ok(Math.abs((inner?.total ?? NaN) - total) < 1e-9);
        const text = String(measured);
        for (const word of ['Block.inner.2', 'linear', 'backward', '2.0 kB', '(outside)', 'ms in ops'])
            assert.ok(text.includes(word), `${word} is not in\n${text}`);
    });

    it('measures nothing once it is over, also where the body throws', async () => {
        const { events } = profile(() => x.exp());
        const fail = (): never => {
            throw new Error('from the body');
        };
        assert.throws(() => profile(fail), /from the body/);
        await assert.rejects(
            profile(async () => {
                await Promise.resolve();
                fail();
            }),
            /from the body/,
        );
        x.exp();
        assert.equal(events.length, 1);
        assert.equal(profile(() => 3).events.length, 0);
    });

    it('waits for asynchronous work, and refuses a second one meanwhile', async () => {
        const pending = profile(async () => {
            x.exp();
            await new Promise((done) => setImmediate(done));
            return x.sin();
        });
        assert.throws(() => profile(() => 1), /\[profile\] one is running already; await it/);
        const measured = await pending;
        assert.deepEqual(
            measured.events.map(({ op }) => op),
            ['exp', 'sin'],
        );
        assert.deepEqual(measured.result.shape, [32, 8]);
        assert.throws(() => Reflect.apply(profile, null, [3]), /\[profile\] takes a function to run, got 3/);
    });

    it('gives a trace whose events nest', () => {
        const { traceEvents } = JSON.parse(JSON.stringify(profile(step).trace())) as {
            traceEvents: { name: string; ph: string; ts: number; dur: number; pid: number; tid: number }[];
        };
        const timed = traceEvents.filter(({ ph }) => ph === 'X');
        const open: { name: string; end: number }[] = [];
        const parents = new Map<string, string>();
        let last = 0;
        for (const { name, ts, dur, pid, tid } of timed) {
            assert.ok(ts >= last && dur >= 0 && pid === 1 && tid === 1);
            last = ts;
            while (open.length > 0 && (open.at(-1)?.end ?? 0) <= ts) open.pop();
            const parent = open.at(-1);
            assert.ok(!parent || ts + dur <= parent.end + 1e-6, `${name} leaves ${parent?.name}`);
            parents.set(name, parent?.name ?? '');
            open.push({ name, end: ts + dur });
        }
        assert.equal(parents.get('linear'), 'Block.inner.2');
        assert.equal(parents.get('Block.inner.2'), 'Block.inner');
        assert.equal(parents.get('Block'), '');
        assert.equal(parents.get('matmul'), 'linear backward');
        assert.ok(traceEvents.some(({ ph, name }) => ph === 'M' && name === 'process_name'));
    });

    it('counts what checkpoint() computes again as backward, and a captured step as one op', async () => {
        const { ops } = profile(() =>
            checkpoint((y) => model.forward(y), x)
                .sum()
                .backward(),
        );
        const linear = ops.filter(({ op }) => op === 'linear').map(({ phase, calls }) => [phase, calls]);
        assert.deepEqual(linear.sort(), [
            ['backward', 2],
            ['forward', 2],
        ]);
        const program = capture((y: Tensor) => model.forward(y));
        const first = profile(() => program(x));
        assert.equal(first.ops.filter(({ op }) => op === 'linear').length, 0);
        const replays = ({ events }: Profile<unknown>): number =>
            events.filter(({ op }) => op === 'captured_step').length;
        assert.equal(replays(first), 1);
        assert.equal(replays(await profile(() => program.async(x))), 1);
    });
});
