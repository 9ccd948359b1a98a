// Builds the CUDA plugin: build-cuda/libnativegrad_cuda.so, and cuda_gpu_test beside it.
// Usage: node scripts/build/build_cuda.mjs [--arch 90 | --all]
// One architecture by default: that of the machine's GPU, else sm_90. --all is for a release: in build-cuda-all/.
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { withBuildLock } from './build_lock.mjs';
import { cmakeBuild, cmakeConfigure, run } from './cmake.mjs';
import { copySanitizer, cudaToolkit } from './cuda_toolkit.mjs';
import { findCommand, missingTools } from './toolchain.mjs';

export const releaseArchitectures = ['75', '80', '86', '89', '90', '100', 'ptx'];

function say(line) {
    process.stderr.write(`${line}\n`);
}

/** "90" for the machine's first GPU; undefined without one. */
async function architectureOfMachine() {
    if (!findCommand(['nvidia-smi'])) return undefined;
    const { code, output } = await run('nvidia-smi', ['--query-gpu=compute_cap', '--format=csv,noheader']);
    const found = /^(\d+)\.(\d)/.exec(output);
    return code === 0 && found ? `${found[1]}${found[2]}` : undefined;
}

/** Builds what changed; returns the build folder. Throws an Error whose message is ready to print. */
export async function buildCuda({ root, architectures, targets = [] }) {
    const missing = missingTools();
    if (missing.length > 0) throw new Error(missing.join('\n'));
    const release = architectures === releaseArchitectures;
    const buildDir = join(root, release ? 'build-cuda-all' : 'build-cuda');
    await withBuildLock(join(buildDir, 'lock'), async () => {
        const toolkit = await cudaToolkit({ root, say });
        // With PTX, so that a later GPU runs it, too.
        const list = architectures ?? [(await architectureOfMachine()) ?? '90', 'ptx'];
        say(`nativegrad: CUDA ${toolkit.version} of ${toolkit.root}, architectures ${list.join(' ')}`);
        const configured = await cmakeConfigure(join(root, 'cuda'), buildDir, {
            NATIVEGRAD_CUDA_ROOT: toolkit.root,
            NATIVEGRAD_CUDA_ARCHITECTURES: list.join(';'),
        });
        if (configured.code !== 0) throw new Error(configured.output);
        const built = await cmakeBuild(buildDir, targets);
        if (built.code !== 0) throw new Error(`${built.output}\nnativegrad: building the CUDA plugin failed.`);
        copySanitizer(toolkit.root, buildDir);
    });
    return buildDir;
}

function chosen({ arch, all }) {
    if (all) return releaseArchitectures;
    if (arch === undefined) return undefined;
    if (!/^\d{2,3}a?$/.test(arch)) throw new Error(`--arch takes a compute capability like 80 or 90, not '${arch}'`);
    return [arch, 'ptx'];
}

if (process.argv[1] && import.meta.url === pathToFileURL(resolve(process.argv[1])).href) {
    try {
        const { values } = parseArgs({ options: { arch: { type: 'string' }, all: { type: 'boolean' } } });
        const start = Date.now();
        const buildDir = await buildCuda({ root: resolve('.'), architectures: chosen(values) });
        console.log(`${buildDir}: built in ${((Date.now() - start) / 1000).toFixed(1)} s`);
    } catch (error) {
        console.error(error.message);
        process.exitCode = 2;
    }
}
