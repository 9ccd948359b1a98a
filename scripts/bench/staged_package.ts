import { execFileSync } from 'node:child_process';
import {
    copyFileSync,
    existsSync,
    mkdirSync,
    mkdtempSync,
    readdirSync,
    renameSync,
    rmSync,
    symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const FRESH = fileURLToPath(new URL('fresh/', import.meta.url));

/** The package is not built, so that there is nothing to measure. */
export class NotBuiltError extends Error {
    override name = 'NotBuiltError';
}

/** The package as a user has it after `npm install`, in a project of its own. */
export interface StagedPackage {
    /** Folder of the project; it holds the programs of `fresh/`, too. */
    readonly project: string;
    /** What `npm pack` says: bytes of all files of the package. */
    readonly unpackedBytes: number;
    remove(): void;
}

function hasPrebuild(root: string): boolean {
    const folder = join(root, 'prebuilds', `${process.platform}-${process.arch}`);
    return existsSync(folder) && readdirSync(folder).some((name) => name.endsWith('.node'));
}

function requireBuilt(root: string): void {
    if (!existsSync(join(root, 'dist', 'js', 'index.js')) || !hasPrebuild(root)) {
        throw new NotBuiltError(
            'startup measures the package that users get: run `npm run prebuild && npm run build:dist` first',
        );
    }
}

/**
 * Packs the package and unpacks it into a new folder; its dependencies are those of this repository.
 *
 * @throws NotBuiltError where dist/ or the prebuilt addon is missing.
 */
export function stagePackage(root = ROOT): StagedPackage {
    requireBuilt(root);
    const folder = mkdtempSync(join(tmpdir(), 'nativegrad-bench-'));
    const remove = (): void => rmSync(folder, { recursive: true, force: true });
    try {
        const words = [
            'pack',
            '--json',
            '--ignore-scripts',
            '--loglevel=error',
            '--pack-destination',
            folder,
        ];
        const output = execFileSync('npm', words, { cwd: root, encoding: 'utf8' });
        const [{ filename, unpackedSize }] = JSON.parse(output) as [
            { filename: string; unpackedSize: number },
        ];
        const modules = join(folder, 'node_modules');
        mkdirSync(modules);
        execFileSync('tar', ['-xzf', join(folder, filename), '-C', modules]);
        const installed = join(modules, 'nativegrad');
        renameSync(join(modules, 'package'), installed);
        symlinkSync(join(root, 'node_modules'), join(installed, 'node_modules'), 'junction');
        for (const name of readdirSync(FRESH)) copyFileSync(join(FRESH, name), join(folder, name));
        return { project: folder, unpackedBytes: unpackedSize, remove };
    } catch (error) {
        remove();
        throw error;
    }
}
