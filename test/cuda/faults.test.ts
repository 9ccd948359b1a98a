import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { compiledEnvironment, compiledLibrary } from '../support/compiled.js';
import { writeSmallMnist } from '../support/small_mnist.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

interface Ended {
    readonly status: number | null;
    readonly stdout: string;
    readonly stderr: string;
}

/** Runs the body of a module in a process whose simulated GPU is set up by `setup`. */
function runWith(setup: string, body: string): Ended {
    const script = `
        const { cuda, memory, nn, ones, tensor } = await import(process.argv[1]);
        const report = (value) => console.log(JSON.stringify(value));
        const messageOf = async (call) => {
            try {
                await call();
                return '';
            } catch (error) {
                return error.name + ': ' + error.message;
            }
        };
        ${body}`;
    return spawnSync(process.execPath, ['--input-type=module', '-e', script, compiledLibrary()], {
        encoding: 'utf8',
        env: { ...compiledEnvironment(), NATIVEGRAD_CUDA_SIM_SETUP: setup },
    });
}

function reportOf(setup: string, body: string): unknown {
    const { status, stdout, stderr } = runWith(setup, body);
    assert.equal(status, 0, stderr);
    return JSON.parse(stdout);
}

describe('faults of a GPU', () => {
    const folder = useTemporaryFolder();

    before(() => {
        assert.ok(existsSync(process.env.NATIVEGRAD_CUDA ?? ''), 'run this by npm run test:sim');
        compiledLibrary();
    });

    it('that fails in the middle: each call says so from then on, and the CPU works on', () => {
        const said = reportOf(
            'failing_launch=4',
            `const x = tensor([1, 2, 3], { device: 'cuda' });
            const y = x.add(1);
            const values = y.toArray();
            let z = y;
            const calls = [
                () => { for (let i = 0; i < 4; i++) z = z.mul(2); },
                () => x.add(1),
                () => x.data(),
                () => x.dataSync(),
                () => x.to('cpu'),
                () => tensor([4], { device: 'cuda' }),
                () => ones([1 << 20], { device: 'cuda' }),
                () => cuda.synchronize(),
                () => cuda.memoryInfo(),
                () => tensor([4], { device: 'cuda:1' }).mul(2).toArray(),
                () => ones([2]).add(1).toArray(),
            ];
            const messages = [];
            for (const call of calls) messages.push(await messageOf(call));
            report({ values, messages });`,
        ) as { values: number[]; messages: string[] };
        assert.deepEqual(said.values, [2, 3, 4]);
        const failure = /illegal memory access \(this launch is to fail\)/;
        const named = [
            '',
            'add',
            'data',
            'data',
            'data',
            'tensor',
            '',
            'cuda.synchronize',
            'cuda.memoryInfo',
        ];
        named.forEach((op, i) => {
            assert.match(said.messages[i], failure, `call ${i}`);
            assert.match(said.messages[i], /^Error: \[/, `call ${i}`);
            if (op !== '') assert.ok(said.messages[i].startsWith(`Error: [${op}] `), said.messages[i]);
        });
        // Another device of the process has a context of its own.
        assert.deepEqual(said.messages.slice(named.length), ['', '']);
    });

    it('that lacks cuBLASLt: own kernels give the same products', () => {
        const body = `
            const x = ones([1024, 512], { device: 'cuda' }).mul(0.5);
            const w = ones([512, 512], { device: 'cuda' });
            const y = x.matmul(w);
            report({ sum: y.sum().item(), shape: y.shape, peak: memory('cuda').peakBytes });`;
        interface Product {
            readonly sum: number;
            readonly shape: readonly number[];
            readonly peak: number;
        }
        const [without, with_] = ['fault=no_cublaslt', 'devices=1'].map(
            (setup) => reportOf(setup, body) as Product,
        );
        for (const { sum, shape } of [without, with_])
            assert.deepEqual([sum, shape], [1024 * 512 * 256, [1024, 512]]);
        // The library's calls get a workspace of 32 MiB, own kernels need none of that size.
        const workspace = 32 << 20;
        assert.ok(with_.peak >= workspace, `the library was not used: at most ${with_.peak} bytes were live`);
        assert.ok(without.peak < workspace, `${without.peak} bytes were live`);
    });

    it('of a setup that nobody knows are refused by name', () => {
        const message = reportOf('colour=red', 'report(cuda.unavailableReason())');
        assert.match(String(message), /unknown setup word 'colour'/);
    });

    it('are told by the name of the call', () => {
        const said = reportOf(
            'fault=no_driver',
            `const { setDefaultDevice, setMemoryLimit } = await import(process.argv[1]);
            const calls = [
                () => ones([2], { device: 'cuda' }),
                () => ones([2]).to('cuda'),
                () => new nn.Linear(2, 2).to('cuda:1'),
                () => setDefaultDevice('cuda'),
                () => setMemoryLimit(1, 'cuda'),
                () => memory('cuda'),
                () => cuda.synchronize(),
                () => cuda.deviceInfo(),
            ];
            const messages = [];
            for (const call of calls) messages.push(await messageOf(call));
            report(messages);`,
        ) as string[];
        const names = 'ones to to setDefaultDevice setMemoryLimit memory cuda.synchronize cuda.deviceInfo';
        assert.deepEqual(
            said.map(
                (message) => /^CudaError: \[(\S+)\] CUDA cannot be used: no NVIDIA driver/.exec(message)?.[1],
            ),
            names.split(' '),
        );
    });

    it('make --device auto compute on the CPU, and say so', () => {
        const data = folder();
        writeSmallMnist(data, 64, 32);
        const output = (setup: string): string => {
            const words =
                '--import tsx scripts/train.ts --epochs 1 --hidden_sizes 8 --validation_split 0'.split(' ');
            const { status, stdout, stderr } = spawnSync(
                process.execPath,
                [...words, '--data', data, '--output_dir', folder()],
                { encoding: 'utf8', env: { ...process.env, NATIVEGRAD_CUDA_SIM_SETUP: setup } },
            );
            assert.equal(status, 0, stderr);
            return stdout + stderr;
        };
        const fallen = output('fault=no_driver');
        assert.match(fallen, /1 epoch; on the CPU$/m);
        assert.match(fallen, /^nativegrad: computing on the CPU; .* cannot be used: no NVIDIA driver/m);
        assert.match(output('devices=1'), /1 epoch; on cuda, Simulated GPU$/m);
    });

    it('leave child processes alone, which open the device for themselves', () => {
        const said = reportOf(
            'devices=1',
            `const { spawn } = await import('node:child_process');
            const { once } = await import('node:events');
            const sum = (x) => x.sum().item();
            const before = sum(ones([10], { device: 'cuda' }));
            const script = \`const { ones } = await import(\${JSON.stringify(process.argv[1])});
                process.send(ones([20], { device: 'cuda' }).sum().item());
                process.disconnect();\`;
            const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 2, 2, 'ipc'] });
            const [inChild] = await once(child, 'message');
            report([before, inChild, sum(ones([30], { device: 'cuda' }))]);`,
        );
        assert.deepEqual(said, [10, 20, 30]);
    });
});
