// The only action of binding.gyp: builds with CMake and copies the addon to gyp's product folder.
// Usage: node scripts/build/gyp_action.mjs PRODUCT_DIR
import { copyFileSync, mkdirSync, realpathSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureNative } from './ensure_native.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');
const [productDir] = process.argv.slice(2);
mkdirSync(productDir, { recursive: true });

// node-gyp itself works in build/ when it is called in the checkout: the two must not write each other's Makefile.
const inBuild = !relative(join(root, 'build'), realpathSync(productDir)).startsWith('..');
const buildDir = join(root, inBuild ? 'build-gyp' : 'build');
try {
    copyFileSync(await ensureNative({ root, buildDir }), join(productDir, 'nativegrad.node'));
} catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 2;
}
