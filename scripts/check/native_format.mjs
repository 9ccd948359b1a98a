// Checks (or with --write applies) clang-format on every C++ file of native/ and cuda/.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const extensions = /\.(h|hpp|c|cc|cpp|cu|cuh|inl)$/;
const files = ['native', 'cuda', 'test/native']
    .filter((folder) => existsSync(folder))
    .flatMap((folder) =>
        readdirSync(folder, { recursive: true, withFileTypes: true })
            .filter((entry) => entry.isFile() && extensions.test(entry.name))
            .map((entry) => join(entry.parentPath ?? entry.path, entry.name)),
    )
    .sort();

const { getNativeBinary } = createRequire(import.meta.url)('clang-format');
const mode = process.argv.includes('--write') ? ['-i'] : ['--dry-run', '-Werror'];
let status = 0;
for (let start = 0; start < files.length; start += 200) {
    const result = spawnSync(getNativeBinary(), [...mode, ...files.slice(start, start + 200)], {
        stdio: 'inherit',
    });
    if (result.error) throw result.error;
    status ||= result.status ?? 1;
}
if (status !== 0) console.error('clang-format: run `npm run format`');
process.exitCode = status;
