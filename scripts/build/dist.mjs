// lib/ as users get it: declarations in dist/types/, and few JavaScript files in dist/js/, since Node takes half a millisecond to
// find, read and link each module. `import.meta.url` is used in lib/<folder>/, so dist/js/ lies as deep.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { rollup } from '@rollup/wasm-node';

const compiled = join('build', 'esm');

function compile() {
    const tsc = join('node_modules', 'typescript', 'bin', 'tsc');
    const words = [tsc, '-p', 'tsconfig.build.json', '--outDir', compiled];
    const { status } = spawnSync(process.execPath, [...words, '--declarationDir', join('dist', 'types')], {
        stdio: 'inherit',
    });
    if (status !== 0) process.exit(status ?? 1);
}

/** A name that rollup changes ("Linear$1") would end up in messages and model files. */
function requireOwnNames(folder) {
    for (const file of readdirSync(folder)) {
        const renamed = /\bclass (\w+\$\d+)/.exec(readFileSync(join(folder, file), 'utf8'));
        if (renamed) throw new Error(`dist: two classes of one name: ${renamed[1]} in ${file}`);
    }
}

for (const folder of ['dist', compiled]) rmSync(folder, { recursive: true, force: true });
compile();
const bundle = await rollup({
    input: { index: join(compiled, 'index.js'), cli: join(compiled, 'cli', 'main.js') },
    external: (id) => isBuiltin(id) || /^[@a-z]/.test(id),
    onwarn: ({ code, message }) => {
        if (code !== 'CIRCULAR_DEPENDENCY') throw new Error(`dist: ${message}`);
    },
});
const folder = join('dist', 'js');
await bundle.write({ dir: folder, format: 'es', chunkFileNames: '[name].js' });
await bundle.close();
requireOwnNames(folder);
