// A CUDA toolkit to build with: nvcc on PATH or in CUDA_HOME, else one of PyPI's wheels in build-cuda-toolkit/.
import {
    copyFileSync,
    existsSync,
    mkdirSync,
    readFileSync,
    readdirSync,
    realpathSync,
    rmSync,
    writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { run } from './cmake.mjs';
import { findCommand } from './toolchain.mjs';

const wheelVersion = '13.0.*';
const wheels = [
    'nvidia-cuda-nvcc',
    'nvidia-cuda-crt',
    'nvidia-nvvm',
    'nvidia-cuda-runtime',
    'nvidia-cuda-cccl',
    'nvidia-cublas',
    'nvidia-cuda-sanitizer-api',
];
// What shows the machine's instructions reads the binaries of all older versions; the index keeps the newest of it only.
const inspectors = ['nvidia-cuda-cuobjdump', 'nvidia-cuda-nvdisasm'];
const requirements = [
    ...wheels.map((name) => `${name}==${wheelVersion}`),
    ...inspectors.map((name) => `${name}==13.*`),
];
const oldest = [12, 4];
const orElse = 'install a CUDA toolkit (12.4 or newer) and put nvcc on PATH or name it by CUDA_HOME';

/** The toolkit's root of an nvcc: it may be a link from elsewhere into the toolkit. */
function rootOf(nvcc) {
    return dirname(dirname(realpathSync(nvcc)));
}

function installedToolkit() {
    const home = process.env.CUDA_HOME;
    if (home) {
        if (!existsSync(join(home, 'bin', 'nvcc'))) throw new Error(`CUDA_HOME is ${home}, but it holds no bin/nvcc`);
        return home;
    }
    const nvcc = findCommand(['nvcc']);
    return nvcc && rootOf(nvcc);
}

/** build-cuda-toolkit/lib/python3.x/site-packages/nvidia/cu13, or undefined. */
function wheelRoot(folder) {
    const lib = join(folder, 'lib');
    if (!existsSync(lib)) return undefined;
    return readdirSync(lib)
        .map((python) => join(lib, python, 'site-packages', 'nvidia', 'cu13'))
        .find((root) => existsSync(join(root, 'bin', 'nvcc')) && existsSync(join(root, 'lib', 'libcudart_static.a')));
}

/** Whether all the wheels of this version of the script are there. */
function isComplete(folder) {
    const note = join(folder, 'complete');
    return (
        existsSync(note) &&
        readFileSync(note, 'utf8') === requirements.join('\n') &&
        wheelRoot(folder) !== undefined
    );
}

async function installWheels(folder, say) {
    const python = findCommand(['python3']);
    if (!python) {
        throw new Error(
            `no nvcc on PATH or in CUDA_HOME, and no python3 to set up a toolkit with: install python3-venv, or ${orElse}`,
        );
    }
    say(`nativegrad: no nvcc on PATH or in CUDA_HOME; setting up CUDA ${wheelVersion} in ${folder} ...`);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(dirname(folder), { recursive: true });
    const steps = [
        ['is python3-venv installed?', python, ['-m', 'venv', folder]],
        [
            'is there a way to PyPI?',
            join(folder, 'bin', 'python'),
            ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--retries=1', ...requirements],
        ],
    ];
    for (const [question, command, words] of steps) {
        const { code, output } = await run(command, words);
        if (code === 0) continue;
        throw new Error(
            `${output}\nnativegrad: no toolkit could be set up: ${command} ${words.join(' ')} failed; ${question} Else ${orElse}.`,
        );
    }
    writeFileSync(join(folder, 'complete'), requirements.join('\n'));
}

async function checkVersion(root) {
    const { output } = await run(join(root, 'bin', 'nvcc'), ['--version']);
    const [, major, minor] = /release (\d+)\.(\d+)/.exec(output) ?? [];
    if (major === undefined) throw new Error(`${root}/bin/nvcc --version said:\n${output}`);
    const [a, b] = [Number(major), Number(minor)];
    if (a < oldest[0] || (a === oldest[0] && b < oldest[1])) {
        throw new Error(`${root} holds CUDA ${a}.${b}; ${oldest.join('.')} or newer is needed`);
    }
    return `${a}.${b}`;
}

/** { root, version } of a toolkit that works; sets one up when there is none. */
export async function cudaToolkit({ root, say = () => {} }) {
    const installed = installedToolkit();
    if (installed) return { root: installed, version: await checkVersion(installed) };
    const folder = join(root, 'build-cuda-toolkit');
    if (!isComplete(folder)) await installWheels(folder, say);
    const found = wheelRoot(folder);
    if (!found) throw new Error(`the wheels in ${folder} hold no nvcc where it was expected`);
    return { root: found, version: await checkVersion(found) };
}

/** Lays the wheels' compute-sanitizer beside the plugin, with which it goes to a machine with a GPU. */
export function copySanitizer(toolkitRoot, buildDir) {
    const [bin, lib] = [join(toolkitRoot, 'bin'), join(toolkitRoot, 'lib')];
    if (!existsSync(join(bin, 'libsanitizer-collection.so'))) return;
    const target = join(buildDir, 'compute-sanitizer');
    const files = [join('bin', 'compute-sanitizer'), join('bin', 'libsanitizer-collection.so')].concat(
        readdirSync(lib)
            .filter((name) => /^lib(TreeLauncher|Interceptor|sanitizer-public)/.test(name))
            .map((name) => join('lib', name)),
    );
    for (const folder of ['bin', 'lib']) mkdirSync(join(target, folder), { recursive: true });
    for (const name of files) copyFileSync(join(toolkitRoot, name), join(target, name));
}
