// The toolkit's programs that show what a plugin holds.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { cudaToolkit } from '../build/cuda_toolkit.mjs';
import { findCommand } from '../build/toolchain.mjs';

/** What `npm run build:cuda` made. */
export const plugin = 'build-cuda/libnativegrad_cuda.so';

/** The paths of cuobjdump and others by their names: the toolkit's, or those on PATH. Throws where one, or the plugin, is missing. */
export async function inspectors(...names) {
    if (!existsSync(plugin)) throw new Error(`${plugin} is missing: npm run build:cuda -- --arch 90`);
    const { root } = await cudaToolkit({ root: resolve('.') });
    return names.map((name) => {
        const path = [join(root, 'bin', name), findCommand([name])].find((file) => file && existsSync(file));
        if (!path)
            throw new Error(
                `no ${name} in ${root}/bin or on PATH: install the package cuda-${name} of the toolkit`,
            );
        return path;
    });
}
