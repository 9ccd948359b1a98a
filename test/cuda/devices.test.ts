import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import {
    cuda,
    defaultDevice,
    emptyCache,
    full,
    manualSeed,
    memory,
    nn,
    ones,
    optim,
    randn,
    resetPeak,
    scope,
    setDefaultDevice,
    setMemoryLimit,
    tensor,
    zeros,
    type Device,
} from '../../lib/index.js';
import { entriesOf } from '../../lib/tensor/tensor_file.js';
import { reportOfChild } from '../support/child.js';
import { compiledEnvironment, compiledLibrary } from '../support/compiled.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

/** What a process without a usable GPU says of it, and what still works in it. */
interface Report {
    readonly name: string;
    readonly message: string;
    readonly available: boolean;
    readonly devices: number;
    readonly reason: string;
    readonly sum: number;
}

const probe = `
const { cuda, ones } = library;
const found = { available: cuda.isAvailable(), devices: cuda.deviceCount(), reason: cuda.unavailableReason() };
try {
    ones([2], { device: 'cuda' });
} catch (error) {
    Object.assign(found, { name: error.name, message: error.message });
}
report({ ...found, sum: ones([2]).add(1).sum().item() });
`;

const probeWith = (environment: NodeJS.ProcessEnv): Report => reportOfChild(probe, environment) as Report;

function assertUnusable(report: Report, message: RegExp): void {
    assert.equal(report.name, 'CudaError');
    assert.match(report.reason, message);
    assert.equal(report.message, `[tensor] CUDA cannot be used: ${report.reason}`);
    assert.equal(report.available, false);
    assert.equal(report.devices, 0);
    assert.equal(report.sum, 4, 'the CPU works on');
}

describe('a GPU that cannot be used', function () {
    this.timeout(180_000);
    const folder = useTemporaryFolder();

    before(() => {
        assert.ok(existsSync(process.env.NATIVEGRAD_CUDA ?? ''), 'run this by npm run test:sim');
        compiledLibrary();
    });

    const faults = {
        no_driver: /^no NVIDIA driver on this machine.*needs driver 580 or newer.*--gpus all/,
        driver_too_old: /^the NVIDIA driver is too old: it is .* for CUDA .*needs driver 580 or newer/,
        no_device: /^the NVIDIA driver finds no GPU on this machine/,
        hidden_by_environment: /^CUDA_VISIBLE_DEVICES hides every GPU from this process: unset it/,
    };
    for (const [fault, message] of Object.entries(faults)) {
        it(`says so: ${fault.replaceAll('_', ' ')}`, () => {
            assertUnusable(probeWith({ NATIVEGRAD_CUDA_SIM_SETUP: `fault=${fault}` }), message);
        });
    }

    it('says so: the plugin is missing', () => {
        const path = join(folder(), 'nowhere.so');
        const report = probeWith({ NATIVEGRAD_CUDA: path });
        assertUnusable(
            report,
            /^(no NVIDIA driver is found on this machine: install it first; and )?the CUDA plugin is not there: no .*nowhere\.so, which NATIVEGRAD_CUDA names: correct it/,
        );
    });

    it('says so: the file is no library', () => {
        const path = join(folder(), 'text.so');
        writeFileSync(path, 'not a library');
        assertUnusable(probeWith({ NATIVEGRAD_CUDA: path }), /^the plugin cannot be loaded: .*text\.so/);
    });

    function compiled(source: string): string {
        const path = join(folder(), 'other.so');
        const { status, stderr } = spawnSync(
            process.env.CXX ?? 'c++',
            ['-x', 'c++', '-shared', '-fPIC', '-o', path, '-'],
            { input: source, encoding: 'utf8', env: { ...process.env, LD_PRELOAD: '' } },
        );
        assert.equal(status, 0, stderr);
        return path;
    }

    it('says so: the library is no plugin', () => {
        const path = compiled('extern "C" int something_else() { return 1; }');
        assertUnusable(probeWith({ NATIVEGRAD_CUDA: path }), /^.*other\.so is no plugin of nativegrad/);
    });

    it('says so: the plugin is of another version', () => {
        const path = compiled(
            'extern "C" const void* nativegrad_plugin(unsigned long, char*) { return nullptr; }',
        );
        assertUnusable(
            probeWith({ NATIVEGRAD_CUDA: path }),
            /^.*other\.so is of another version than the addon: install the same version of both/,
        );
    });
});

describe('devices', function () {
    this.timeout(180_000);

    before(() => {
        assert.equal(defaultDevice(), 'cpu');
        assert.equal(cuda.unavailableReason(), undefined, 'run this by npm run test:sim');
    });
    afterEach(() => {
        setDefaultDevice('cpu');
        setMemoryLimit(0, 'cuda');
    });

    it('are counted and described', () => {
        assert.equal(cuda.deviceCount(), 2);
        assert.ok(cuda.deviceInfo('cuda:1').name.length > 0);
        assert.equal(ones([1], { device: 'cuda' }).device, 'cuda:0');
    });

    it('that are not there are refused', () => {
        assert.throws(
            () => ones([1], { device: 'cuda:9' }),
            /^RangeError: .*there is no device 'cuda:9': this process sees 2 GPUs, 'cuda:0' to 'cuda:1'/,
        );
        assert.throws(() => ones([1]).to('cuda:2'), /there is no device 'cuda:2'/);
        for (const call of [cuda.memoryInfo, cuda.deviceInfo])
            assert.throws(
                () => call('cpu'),
                new RegExp(
                    `^RangeError: \\[cuda\\.${call.name}\\] expected a GPU, 'cuda' or 'cuda:1', got 'cpu'`,
                ),
            );
    });

    it('do not mix in one op', () => {
        const [x, y] = [ones([2]), ones([2], { device: 'cuda' })];
        assert.throws(
            () => x.add(y),
            /\[add\] the tensors are on different devices, cpu and cuda:0; move one with x\.to/,
        );
        assert.throws(() => y.add(y.to('cuda:1')), /on different devices, cuda:0 and cuda:1/);
        assert.deepEqual(y.add(1).toArray(), [2, 2]);
    });

    it('are crossed by to(), and so are gradients', () => {
        const x = tensor([1, 2, 3], { requiresGrad: true });
        const y = x.to('cuda').mul(2);
        assert.equal(y.device, 'cuda:0');
        const loss = y.to('cuda:1').mul(y.to('cuda:1')).sum().to('cpu');
        assert.equal(loss.item(), 56);
        loss.backward();
        assert.equal(x.grad?.device, 'cpu');
        assert.deepEqual(x.grad?.toArray(), [8, 16, 24]);

        const weight = tensor([3, 4], { device: 'cuda', requiresGrad: true });
        weight
            .to('cpu')
            .mul(tensor([5, 6]))
            .sum()
            .backward();
        assert.equal(weight.grad?.device, 'cuda:0');
        assert.deepEqual(weight.grad?.toArray(), [5, 6]);
    });

    it('are crossed by copy_ and by loadStateDict', () => {
        const x = zeros([2, 2], { device: 'cuda' });
        assert.deepEqual(x.copy_(tensor([5, 6], { dtype: 'int32' })).toArray(), [
            [5, 6],
            [5, 6],
        ]);
        assert.deepEqual(zeros([2]).copy_(x.select(0, 1)).toArray(), [5, 6]);

        const [model, moved] = [new nn.Linear(3, 2), new nn.Linear(3, 2).to('cuda')];
        moved.loadStateDict(model.stateDict());
        assert.equal(moved.weight.device, 'cuda:0');
        assert.deepEqual(moved.weight.toArray(), model.weight.toArray());
    });

    it('are changed in the middle of a training: the state of the optimizer follows', () => {
        const losses = (devices: readonly Device[]): number[] => {
            manualSeed(3);
            const model = new nn.Linear(3, 1);
            const optimizer = new optim.Adam(model.parameters(), { lr: 0.1 });
            return devices.map((device) => {
                model.to(device);
                optimizer.zeroGrad();
                const loss = model
                    .forward(ones([2, 3], { device }))
                    .square()
                    .mean();
                loss.backward();
                optimizer.step();
                return loss.item();
            });
        };
        const stayed = losses(['cpu', 'cpu', 'cpu', 'cpu']);
        losses(['cpu', 'cuda', 'cuda:1', 'cpu']).forEach((loss, i) => {
            assert.ok(Math.abs(loss - stayed[i]) < 1e-5 * stayed[i], `step ${i}: ${loss} and ${stayed[i]}`);
        });
    });

    it('keep the bits of every dtype on the way', () => {
        for (const dtype of [
            'float32',
            'float64',
            'float16',
            'bfloat16',
            'int64',
            'int32',
            'uint8',
            'bool',
        ] as const) {
            const x = randn([3, 4, 5]).mul(40).abs().to(dtype).transpose(0, 2);
            assert.deepEqual(x.to('cuda').to('cuda:1').to('cpu').toArray(), x.toArray(), dtype);
        }
    });

    it('are saved as they are at the call, few under way at once', async () => {
        const size = 100_000;
        const read = async (limit: { reads: number; bytes: number }): Promise<number> => {
            const pairs = Array.from(
                { length: 6 },
                (_, i) => [String(i), full([size], i, { device: 'cuda' })] as const,
            );
            cuda.synchronize();
            emptyCache('cuda');
            resetPeak('cuda');
            const before = memory('cuda').peakBytes;
            const entries = entriesOf(pairs, limit);
            for (const [, x] of pairs) x.fill_(-1);
            for (const { name, data } of await entries) {
                const values = new Float32Array(data.buffer, data.byteOffset, size);
                assert.ok(
                    values.every((value) => value === Number(name)),
                    name,
                );
            }
            return memory('cuda').peakBytes - before;
        };
        const few = await read({ reads: 6, bytes: 4 * size });
        const fewer = await read({ reads: 1, bytes: Infinity });
        assert.ok(Math.max(few, fewer) < 2 * 4 * size, `${few} and ${fewer} bytes more`);
    });

    it('become the default by setDefaultDevice', () => {
        assert.equal(setDefaultDevice('cuda:1'), 'cpu');
        assert.equal(zeros([2]).device, 'cuda:1');
        assert.equal(zeros([2], { device: 'cpu' }).device, 'cpu');
        assert.equal(setDefaultDevice('cpu'), 'cuda:1');
        assert.equal(zeros([2]).device, 'cpu');
        assert.equal(setDefaultDevice('cpu'), 'cpu');
    });

    it('throw with the sizes where memory ends, and work on', () => {
        const held = zeros([1000], { device: 'cuda' });
        setMemoryLimit(1 << 20, 'cuda');
        assert.throws(
            () => zeros([1 << 20], { device: 'cuda' }),
            /out of memory on cuda:0: asked for 4194304 bytes while \d+ tensors hold \d+ bytes \(of \d+ bytes the device has \d+ free, this process holds \d+ and keeps \d+ for reuse, its limit is 1048576\); dispose/,
        );
        assert.equal(held.add(1).sum().item(), 1000);
        setMemoryLimit(0, 'cuda');
        assert.equal(zeros([1 << 20], { device: 'cuda' }).shape[0], 1 << 20);
    });

    it('hold a loop without dispose within their memory', () => {
        emptyCache('cuda');
        const limit = 8 << 20;
        setMemoryLimit(limit, 'cuda');
        let x = ones([65_536], { device: 'cuda' });
        for (let i = 0; i < 100; i++) x = x.add(1);
        assert.equal(x.dataSync()[65_535], 101);
        const { liveBytes } = memory('cuda');
        assert.ok(liveBytes <= limit, `${liveBytes} bytes are alive`);
    });

    it('tell a wrong index where values are read, with the op, and work on', async () => {
        const x = tensor([1, 2, 3], { device: 'cuda' });
        const index = tensor([0, 3], { dtype: 'int32', device: 'cuda' });
        const y = x.indexSelect(0, index);
        const later = y.add(1);
        await assert.rejects(
            later.data(),
            /\[index_select\] index 3 at position 1 is outside \[0, 3\); found when the results were waited for/,
        );
        assert.deepEqual(x.add(1).toArray(), [2, 3, 4]);
        x.indexSelect(0, index);
        assert.throws(() => cuda.synchronize(), /\[index_select\] index 3/);
        cuda.synchronize();
        const table = ones([2, 3], { device: 'cuda' });
        const places = tensor([[0, 1, 2, -1]], { dtype: 'int64', device: 'cuda' });
        assert.throws(
            () => table.gather(1, places).toArray(),
            /\[gather\] index -1 at position \[0, 3\] is outside \[0, 3\)/,
        );
        assert.deepEqual(table.toArray(), [
            [1, 1, 1],
            [1, 1, 1],
        ]);
    });

    it('serve worker threads at once, each by a queue of its own', async () => {
        const script = `
            import { parentPort, workerData } from 'node:worker_threads';
            const { ones, scope } = await import(workerData);
            const x = ones([50, 40], { device: 'cuda' });
            let sum = 0;
            for (let i = 1; i <= 20; i++) sum += scope(() => x.mul(i).sum()).item();
            parentPort.postMessage(sum);`;
        const start = (): Worker =>
            new Worker(new URL(`data:text/javascript,${encodeURIComponent(script)}`), {
                workerData: compiledLibrary(),
                env: compiledEnvironment(),
                execArgv: [],
            });
        const sums = await Promise.all(
            [start(), start(), start()].map(async (worker) => {
                // Listened for from the start: it may come right behind the message.
                const exit = once(worker, 'exit');
                const [sum] = (await once(worker, 'message')) as [number];
                await exit;
                return sum;
            }),
        );
        assert.deepEqual(sums, [420_000, 420_000, 420_000]);
        assert.equal(scope(() => ones([3], { device: 'cuda' }).sum()).item(), 3);
    });
});
