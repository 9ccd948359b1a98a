// Run by npm before it packs: a package without compiled library or prebuilt addon would install and never load.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

function hasAddon() {
    if (!existsSync('prebuilds')) return false;
    return readdirSync('prebuilds').some((platform) =>
        readdirSync(join('prebuilds', platform)).some((name) => name.endsWith('.node')),
    );
}

const missing = [
    ['prebuilds/<platform>/*.node', 'npm run prebuild', hasAddon()],
    ['dist/js/index.js', 'npm run build:dist', existsSync('dist/js/index.js')],
].filter(([, , isThere]) => !isThere);
for (const [what, command] of missing) {
    process.stderr.write(`nativegrad: not packed: ${what} is missing; run \`${command}\` first\n`);
    process.exitCode = 2;
}
