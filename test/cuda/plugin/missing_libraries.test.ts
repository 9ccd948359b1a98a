import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { useTemporaryFolder } from '../../support/temporary_folder.js';

const kernelTest = resolve('build-cuda', 'cuda_gpu_test');

const productFunctions = [
    'cublasLtCreate',
    'cublasLtMatmul',
    'cublasLtMatmulAlgoGetHeuristic',
    'cublasLtMatmulDescCreate',
    'cublasLtMatmulDescDestroy',
    'cublasLtMatmulDescSetAttribute',
    'cublasLtMatrixLayoutCreate',
    'cublasLtMatrixLayoutDestroy',
    'cublasLtMatrixLayoutSetAttribute',
    'cublasLtMatmulPreferenceCreate',
    'cublasLtMatmulPreferenceDestroy',
    'cublasLtMatmulPreferenceSetAttribute',
    'cublasLtGetStatusString',
];

/** The built plugin's code against libraries of NVIDIA that are made up: it may not find the real ones where tests run. */
describe('libraries that the CUDA plugin opens', () => {
    const folder = useTemporaryFolder();
    let major = 0;

    before(() => {
        assert.ok(existsSync(kernelTest), `${kernelTest} is missing: npm run build:cuda`);
        major = Math.floor(Number(/runtime (\d+)/.exec(said(kernelTest, ['--probe']))?.[1]) / 1000);
        assert.ok(major >= 12);
    });

    function said(program: string, words: readonly string[], environment: NodeJS.ProcessEnv = {}): string {
        const { stdout, stderr, status } = spawnSync(program, words, {
            encoding: 'utf8',
            env: { ...process.env, ...environment },
        });
        return `${stdout}${stderr}exit ${String(status)}`;
    }

    function compile(path: string, source: string): string {
        const words = ['-x', 'c', '-shared', '-fPIC', '-o', path, '-'];
        const { status, stderr } = spawnSync(process.env.CC ?? 'cc', words, {
            input: source,
            encoding: 'utf8',
        });
        assert.equal(status, 0, stderr);
        return path;
    }

    function fakeProducts(path: string, cuda: number, functions = productFunctions): string {
        const all = functions.map((name) => `int ${name}(void) { return 1; }\n`).join('');
        const versions = `unsigned long cublasLtGetVersion(void) { return 130203; }
            unsigned long cublasLtGetCudartVersion(void) { return ${cuda * 1000}; }`;
        return compile(path, all + versions);
    }

    const fileName = (): string => `libcublasLt.so.${major}`;

    it('finds cuBLASLt by a file or a folder that is named', () => {
        const path = fakeProducts(join(folder(), fileName()), major);
        assert.equal(said(kernelTest, ['--cublaslt', path]), `${path} 130203\n\nexit 0`);
        assert.equal(said(kernelTest, ['--cublaslt', folder()]), `${path} 130203\n\nexit 0`);
    });

    it('finds cuBLASLt beside the plugin, and in the toolkit that a build has set up', () => {
        const beside = join(folder(), 'build-cuda');
        const wheels = join(folder(), 'build-cuda-toolkit/lib/python3.11/site-packages/nvidia/cu13/lib');
        for (const place of [beside, wheels]) mkdirSync(place, { recursive: true });
        const program = join(beside, 'cuda_gpu_test');
        copyFileSync(kernelTest, program);
        const inWheels = fakeProducts(join(wheels, fileName()), major);
        const found = said(program, ['--cublaslt', '']);
        assert.match(found, /^\S+ 130203\n\nexit 0$/);
        assert.equal(resolve(found.split(' ')[0] ?? ''), inWheels);
        const nearest = fakeProducts(join(beside, fileName()), major);
        assert.equal(said(program, ['--cublaslt', '']), `${nearest} 130203\n\nexit 0`);
    });

    it('says why a named cuBLASLt does not serve, and tries no other', () => {
        const tried = (path: string): RegExp => new RegExp(`cannot be opened\\. Tried:\\n  ${path}[^\\n]*`);
        const explain = (path: string): string => {
            const text = said(kernelTest, ['--cublaslt', path]);
            assert.match(text, /exit 3$/);
            assert.match(
                text,
                /\nInstall the CUDA toolkit or the wheel nvidia-cublas, or let NATIVEGRAD_CUBLASLT name/,
            );
            return tried(path).exec(text)?.[0] ?? text;
        };
        assert.match(explain(join(folder(), 'nowhere.so')), /nowhere\.so: cannot open shared object file/);
        const older = fakeProducts(join(folder(), 'older.so'), major - 1);
        assert.match(
            explain(older),
            new RegExp(`older\\.so is for CUDA ${major - 1}, this plugin for CUDA ${major}$`),
        );
        const poor = fakeProducts(join(folder(), 'poor.so'), major, productFunctions.slice(1));
        assert.match(explain(poor), /poor\.so has no cublasLtCreate$/);
    });

    function probe(driver: string, environment: NodeJS.ProcessEnv = {}): string {
        compile(join(folder(), 'libcuda.so.1'), driver);
        return said(kernelTest, ['--probe'], { LD_LIBRARY_PATH: folder(), ...environment });
    }
    const driver = (version: number, init: number): string => `
        int cuDriverGetVersion(int* version) { *version = ${version}; return 0; }
        int cuInit(unsigned flags) { return ${init}; }
        int cuGetErrorName(int error, const char** text) { *text = "CUDA_ERROR_SYSTEM_NOT_READY"; return error != 802; }
        int cuGetErrorString(int error, const char** text) { *text = "system not yet initialized"; return error != 802; }`;

    it('tells a driver that does not start by the name of its error', () => {
        assert.match(
            probe(driver(99_000, 802)),
            /the NVIDIA driver does not start: cuInit gives CUDA_ERROR_SYSTEM_NOT_READY \(802\), system not yet initialized\nexit 3$/,
        );
        assert.match(probe(driver(99_000, 34)), /cuInit gives error \(34\)\n/);
    });

    it('tells a driver that is too old with its version', () => {
        assert.match(
            probe(driver(11_040, 0)),
            /the NVIDIA driver is too old: it is .* for CUDA 11\.4, and CUDA \d+\.\d needs driver \d+ or newer/,
        );
    });

    it('tells GPUs that are hidden from those that are not there', () => {
        const none = driver(99_000, 100);
        assert.match(
            probe(none, { CUDA_VISIBLE_DEVICES: undefined }),
            /the NVIDIA driver finds no GPU on this machine/,
        );
        for (const hidden of ['', '-1']) {
            assert.match(
                probe(none, { CUDA_VISIBLE_DEVICES: hidden }),
                new RegExp(
                    `CUDA_VISIBLE_DEVICES hides every GPU from this process: unset it, or name one \\(0\\); it is '${hidden}'`,
                ),
            );
        }
        // That there is a GPU, which the variable hides, cannot be told then.
        for (const named of ['0', '7', 'GPU-nonsense']) {
            assert.match(
                probe(none, { CUDA_VISIBLE_DEVICES: named }),
                new RegExp(`finds no GPU; CUDA_VISIBLE_DEVICES is '${named}' \\(nvidia-smi lists`),
            );
        }
    });
});
