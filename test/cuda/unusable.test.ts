import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { reportOfChild } from '../support/child.js';
import { compiledLibrary } from '../support/compiled.js';
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
    assert.equal(report.message, `[ones] CUDA cannot be used: ${report.reason}`);
    assert.equal(report.available, false);
    assert.equal(report.devices, 0);
    assert.equal(report.sum, 4, 'the CPU works on');
}

describe('a GPU that cannot be used', () => {
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
