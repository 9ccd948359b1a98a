import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
    emptyCache,
    keep,
    memory,
    ones,
    resetPeak,
    Scope,
    scope,
    setMemoryLimit,
    tensor,
    zeros,
    type Tensor,
} from '../../lib/index.js';
import { compiledEnvironment, compiledLibrary } from '../support/compiled.js';

const megabyte = 2 ** 20;

describe('memory', () => {
    afterEach(() => setMemoryLimit(0));

    it('comes back in a synchronous loop without any dispose', () => {
        emptyCache();
        setMemoryLimit(memory().liveBytes + 200 * megabyte);
        for (let i = 0; i < 6000; i++) ones([megabyte / 16]);
        assert.ok(memory().liveBytes < 250 * megabyte);
    });

    it('comes back in a loop that only makes views', () => {
        const x = ones([10]);
        const before = memory().swept;
        for (let i = 0; i < 100_000; i++) x.select(0, i % 10);
        assert.ok(memory().swept - before > 50_000 && memory().tensors < 120_000);
    });

    it('comes back between microtasks', async () => {
        setMemoryLimit(memory().liveBytes + 200 * megabyte);
        for (let i = 0; i < 1500; i++) await Promise.resolve(ones([megabyte / 4]));
        assert.ok(memory().swept > 0);
    });

    it('keeps freed blocks for reuse, but not those of sizes without end', () => {
        emptyCache();
        resetPeak();
        const sizes = Array.from({ length: 24 }, (_, i) => Math.round(8 * megabyte * 1.1 ** i));
        for (const size of sizes) tensor(new Uint8Array(size)).dispose();
        const total = sizes.reduce((sum, size) => sum + size, 0);
        assert.ok(total > 600 * megabyte);
        const { cachedBytes } = memory();
        assert.ok(cachedBytes <= 256 * megabyte && cachedBytes > 64 * megabyte, String(cachedBytes));
        // What was used last is still there.
        const again = tensor(new Uint8Array(sizes.at(-1) ?? 0));
        assert.ok(memory().cachedBytes < cachedBytes - 50 * megabyte);
        again.dispose();
    });

    it('goes back to the system where nothing but the cache holds it', () => {
        const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
        const isGlibc = header.glibcVersionRuntime !== undefined;
        emptyCache();
        // Small ones, which the system's allocator keeps in one piece of memory; without the last it would end below them.
        const blocks = Array.from({ length: 1024 }, () => ones([megabyte / 64]));
        const last = ones([megabyte / 64]);
        for (const block of blocks) block.dispose();
        const before = process.memoryUsage().rss;
        assert.ok(emptyCache() >= 64 * megabyte);
        const given = before - process.memoryUsage().rss;
        assert.ok(!isGlibc || given > 32 * megabyte, `${given} bytes given back`);
        assert.equal(last.sum().item(), megabyte / 64);
    });

    it('keeps all that was live at once', () => {
        emptyCache();
        resetPeak();
        const held = Array.from({ length: 5 }, () => zeros([64 * megabyte], { dtype: 'uint8' }));
        for (const x of held) x.dispose();
        assert.ok(memory().cachedBytes >= 5 * 64 * megabyte);
        assert.ok(emptyCache() >= 5 * 64 * megabyte);
    });

    it('is freed at once by dispose, and a view keeps it', () => {
        const before = memory().liveBytes;
        const x = ones([megabyte]);
        const view = x.reshape([1024, -1]);
        x.dispose();
        assert.ok(memory().liveBytes >= before + 4 * megabyte);
        assert.equal(view.sum().item(), megabyte);
        view.dispose();
        assert.ok(memory().liveBytes < before + 4 * megabyte);
    });

    it('says how much was asked for and held when the limit is reached, and goes on', () => {
        const held: Tensor[] = [];
        setMemoryLimit(memory().liveBytes + 32 * megabyte);
        assert.throws(
            () => {
                for (;;) held.push(ones([megabyte]));
            },
            (error: Error & { code?: string }) =>
                error.code === 'ERR_NATIVEGRAD_OUT_OF_MEMORY' &&
                /asked for 4194304 bytes.*setMemoryLimit/.test(error.message),
        );
        for (const x of held) x.dispose();
        assert.equal(ones([megabyte]).sum().item(), megabyte);
        assert.throws(() => setMemoryLimit(-1), /\[setMemoryLimit\]/);
    });

    it('keeps the shape that a tensor was made with', () => {
        const shape = [2, 3];
        const x = ones(shape);
        shape[0] = 4_000_000;
        assert.deepEqual(x.shape, [2, 3]);
        assert.deepEqual(x.softmax(-1).shape, [2, 3]);
        assert.throws(() => (x.shape as number[]).push(7), TypeError);
    });

    it('refuses sizes that no machine has', () => {
        assert.throws(() => ones([2 ** 50]), /out of memory|too large/);
        assert.throws(() => ones([2 ** 31, 2 ** 31]), /too large/);
    });
});

describe('scope', () => {
    it('frees what is not returned or kept', () => {
        let inner: Tensor | undefined;
        let kept: Tensor | undefined;
        const { a, list } = scope(() => {
            inner = ones([2]);
            kept = keep(ones([2]));
            return { a: inner.add(1), list: [ones([1])] };
        });
        assert.equal(inner!.isDisposed, true);
        assert.equal(kept!.isDisposed, false);
        assert.deepEqual(a.toArray(), [2, 2]);
        assert.deepEqual(list[0].toArray(), [1]);
        assert.throws(() => inner!.add(1), /\[add\] input 0 of shape \[2\] was used after it was disposed/);
    });

    it('nests, frees on errors, and refuses promises', () => {
        let made: Tensor | undefined;
        assert.throws(
            () =>
                scope(() => {
                    made = ones([1]);
                    throw new Error('stop');
                }),
            /stop/,
        );
        assert.equal(made!.isDisposed, true);
        let outer: Tensor | undefined;
        scope(() => {
            outer = scope(() => ones([1]));
            assert.equal(outer.isDisposed, false);
        });
        assert.equal(outer!.isDisposed, true);
        assert.throws(() => scope(() => Promise.resolve(1)), /\[scope\].*new Scope\(\)/);
    });

    it('can be entered again between awaits', async () => {
        const owner = new Scope();
        const first = owner.run(() => ones([1]));
        await Promise.resolve();
        const between = ones([1]);
        const second = owner.run(() => first.add(1));
        owner.dispose();
        assert.deepEqual([first.isDisposed, second.isDisposed, between.isDisposed], [true, true, false]);
    });

    it('works with using', () => {
        let escaped: Tensor | undefined;
        {
            using x = tensor([1, 2]);
            escaped = x;
        }
        assert.equal(escaped.isDisposed, true);
    });
});

describe('a training loop without a single dispose', () => {
    interface Sizes {
        early: number;
        late: number;
    }

    function runLoop(kind: string): Sizes {
        const script = new URL('../support/leak_loop.mjs', import.meta.url);
        const { stdout, stderr, status } = spawnSync(
            process.execPath,
            [script.pathname, compiledLibrary(), kind],
            { encoding: 'utf8', env: compiledEnvironment() },
        );
        assert.equal(status, 0, stderr);
        return JSON.parse(stdout) as Sizes;
    }

    // A leak is 200 KB a step, 380 MB in all, and shows each time. When V8 collects is up to its background threads: on a busy
    // machine a loop was seen now and then to end 60 MB larger. So the best of three counts.
    for (const kind of ['asynchronous', 'synchronous']) {
        it(`stays at its size: ${kind}`, () => {
            const seen: Sizes[] = [];
            for (let attempt = 0; attempt < 3; attempt++) {
                seen.push(runLoop(kind));
                if (seen.some(({ early, late }) => late <= 1.3 * early)) return;
            }
            assert.fail(`resident bytes at step 100 and 2,000, and what they are: ${JSON.stringify(seen)}`);
        });
    }
});
