import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { reportOfChild, runChild } from '../support/child.js';

interface Told {
    readonly code: string;
    readonly message: string;
}

/** `told(f)`: code and message of the error that f throws. */
const tell = `
const told = (f) => {
    try {
        f();
    } catch ({ code, message }) {
        return { code, message };
    }
    return { code: 'none', message: '' };
};
`;

describe('a GPU whose memory is full', () => {
    before(() => assert.ok(existsSync(process.env.NATIVEGRAD_CUDA ?? ''), 'run this by npm run test:sim'));

    it('gives its cache back for the code of a kernel that starts for the first time', () => {
        const setup = { NATIVEGRAD_CUDA_SIM_SETUP: 'memory=16M,code=4M' };
        const body = `${tell}
            const x = library.ones([100], { device: 'cuda' });
            const held = Array.from({ length: 3 }, () => library.zeros([1 << 20], { device: 'cuda' }));
            held.forEach((tensor) => tensor.dispose());
            const before = library.memory('cuda').cachedBytes;
            const sum = x.sum().item();
            const full = library.zeros([(13 << 20) / 4], { device: 'cuda' });
            const refused = told(() => x.cumsum(0));
            report({ sum, before, after: library.memory('cuda').cachedBytes, refused });`;
        const { sum, before, after, refused } = reportOfChild(body, setup) as {
            sum: number;
            before: number;
            after: number;
            refused: Told;
        };
        assert.equal(sum, 100);
        assert.ok(before >= 12 << 20, `${before} bytes in the cache`);
        assert.ok(after < 4 << 20, `${after} bytes in the cache`);
        assert.equal(refused.code, 'ERR_NATIVEGRAD_OUT_OF_MEMORY');
        assert.match(refused.message, /^\[cumsum\] launch of scan_\w+<.*>: out of memory/);
    });
});

describe('a GPU that a kernel took down', () => {
    const body = `${tell}
        const x = library.ones([1000], { device: 'cuda' });
        const errors = {};
        errors.op = told(() => { for (let i = 0; i < 20; i++) x.add(i); });
        errors.next = told(() => x.cumsum(0));
        errors.fresh = told(() => library.zeros([1 << 20], { device: 'cuda' }));
        errors.read = told(() => x.dataSync());
        errors.wait = told(() => library.cuda.synchronize());`;

    it('is lost to the process under a code of its own, also where memory is asked for', () => {
        const errors = reportOfChild(`${body} report(errors);`, {
            NATIVEGRAD_CUDA_SIM_SETUP: 'failing_launch=9',
        }) as Record<string, Told>;
        assert.deepEqual(Object.keys(errors), ['op', 'next', 'fresh', 'read', 'wait']);
        for (const [name, { code, message }] of Object.entries(errors)) {
            assert.equal(code, 'ERR_NATIVEGRAD_DEVICE_LOST', `${name}: ${message}`);
            assert.match(message, /illegal memory access/, name);
        }
    });

    it('lets the process give its memory back and end by itself', () => {
        const { status, signal, stderr } = runChild(`${body} library.emptyCache('cuda');`, {
            NATIVEGRAD_CUDA_SIM_SETUP: 'failing_launch=9',
        });
        assert.deepEqual([status, signal], [0, null], stderr);
    });
});

describe('a plugin without code for the GPU', () => {
    const reasonWith = (setup: string): unknown =>
        reportOfChild('report(library.cuda.unavailableReason() ?? null);', {
            NATIVEGRAD_CUDA_SIM_SETUP: setup,
        });

    it('names what it is built for, and what the GPU is', () => {
        assert.match(
            String(reasonWith('capability=80,built_for=90')),
            /^this plugin is built for sm_90, Simulated GPU \(cuda:0\) is sm_80: use a plugin that is built for it/,
        );
        assert.match(
            String(reasonWith('capability=80,built_for=86;90;ptx')),
            /built for sm_86, sm_90 and later, Simulated GPU/,
        );
    });

    it('is one by the rules of binaries and PTX', () => {
        const runs = ['90 on 90', '86 on 89', '75;80 on 86', '80;ptx on 100', '90a on 90', '100;ptx on 120'];
        const fails = ['90 on 100', '89 on 86', '90a on 100', '100;ptx on 90', '80 on 75'];
        const isUsable = (rule: string): boolean => {
            const [built, capability] = rule.split(' on ');
            return reasonWith(`built_for=${built},capability=${capability}`) === null;
        };
        assert.deepEqual(
            runs.filter((rule) => !isUsable(rule)),
            [],
        );
        assert.deepEqual(fails.filter(isUsable), []);
    });
});

describe('the library of large products', () => {
    interface Library {
        readonly path?: string;
        readonly version?: number;
        readonly reason?: string;
    }
    const libraryWith = (environment: NodeJS.ProcessEnv): Library =>
        reportOfChild('report(library.cuda.productLibrary());', environment) as Library;

    it('is told by path and version, or with what was tried', () => {
        const { path, version } = libraryWith({});
        assert.deepEqual([path, version], ['simulated', 130_000]);
        const { reason } = libraryWith({
            NATIVEGRAD_CUBLASLT: '/opt/products',
            NATIVEGRAD_CUDA_SIM_SETUP: 'fault=no_cublaslt',
        });
        assert.match(
            reason ?? '',
            /cuBLASLt cannot be opened\. Tried:\n {2}\/opt\/products\n {2}libcublasLt\.so\.13/,
        );
    });

    it('is a row of doctor', () => {
        const rowWith = (setup: string): string => {
            const { status, stdout, stderr } = spawnSync(
                process.execPath,
                ['--import', 'tsx', 'scripts/doctor.ts'],
                { encoding: 'utf8', env: { ...process.env, NATIVEGRAD_CUDA_SIM_SETUP: setup } },
            );
            assert.equal(status, 0, stderr);
            return /^cuBLASLt .*\n(?: .*\n)*/m.exec(stdout)?.[0] ?? stdout;
        };
        assert.match(
            rowWith('devices=1'),
            /^cuBLASLt {6}13\.0\.0, simulated; fastest products: \d+ by time, kept in/,
        );
        assert.match(
            rowWith('fault=no_cublaslt'),
            /^cuBLASLt {6}not there, large products are slower: cuBLASLt cannot .*\n {16}libcublasLt/,
        );
        assert.doesNotMatch(rowWith('fault=no_driver'), /cuBLASLt/);
    });

    it('leaves products for which it has no algorithm to own kernels', () => {
        const body = `
            const x = library.ones([1024, 512], { device: 'cuda' }).mul(0.5);
            const w = library.ones([512, 512], { device: 'cuda' });
            report(x.matmul(w).sum().item());`;
        const sum = reportOfChild(body, { NATIVEGRAD_CUDA_SIM_SETUP: 'fault=no_algorithm' });
        assert.equal(sum, 1024 * 512 * 256);
    });
});
