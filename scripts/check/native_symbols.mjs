// An object file whose name ends in an instruction set must export no weak symbol: of equal weak symbols the linker
// keeps any one, and with bad luck the copy that needs AVX-512 serves every processor.
// Usage: node scripts/check/native_symbols.mjs [BUILD_DIR]
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const suffixed = /_(scalar|avx2|avx512|avx512bf16)\.(cpp|cc|cxx)\.(o|obj)$/;
const weakTypes = new Set(['W', 'V', 'u']);

function suffixedObjects(folder) {
    if (!existsSync(folder)) return [];
    return readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && suffixed.test(entry.name))
        .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
        .sort();
}

/** Demangled names of the weak symbols that an object file defines. */
function weakSymbols(object) {
    const { status, stdout, stderr, error } = spawnSync('nm', ['--defined-only', '-C', object], {
        encoding: 'utf8',
    });
    if (error) throw new Error(`nm cannot be run (${error.message}); it is in the package binutils`);
    if (status !== 0) throw new Error(`nm ${object}: ${stderr}`);
    return (
        stdout
            .split('\n')
            .map((line) => /^[0-9a-f]*\s+(\S)\s+(.*)$/.exec(line))
            // DW.ref.* hold the address of an exception type or handler: data, equal in every copy.
            .filter((match) => match && weakTypes.has(match[1]) && !match[2].startsWith('DW.ref.'))
            .map((match) => `${match[1]} ${match[2]}`)
    );
}

const [buildDir = 'build'] = process.argv.slice(2);
const objects = suffixedObjects(join(buildDir, 'CMakeFiles'));
let bad = 0;
for (const object of objects) {
    const weak = weakSymbols(object);
    if (weak.length === 0) continue;
    bad += 1;
    console.error(
        `${object} exports ${weak.length} weak symbols (make them static or move them to a namespace of its own):`,
    );
    for (const symbol of weak.slice(0, 8)) console.error(`  ${symbol}`);
    if (weak.length > 8) console.error(`  and ${weak.length - 8} more`);
}
if (objects.length === 0) {
    console.error(`no object file with an instruction-set suffix in ${buildDir}: build first`);
    process.exitCode = 1;
} else if (bad > 0) {
    process.exitCode = 1;
} else {
    console.log(`native symbols: ${objects.length} kernel objects, no weak symbol exported`);
}
