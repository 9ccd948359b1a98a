import { mkdir, rmdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

import { syncFolder } from './atomic_file.js';

/**
 * Creates a folder and its parents where they are missing; when it resolves, those that it made survive a power cut. Not
 * `mkdir(path, { recursive: true })`: under a file system that takes no folders, as /proc, that never returns (Node 20).
 *
 * @throws {Error} the operating system's error, e.g. EACCES, ENOTDIR, or EEXIST where a file is in the way.
 */
export async function makeFolders(path: string): Promise<void> {
    try {
        await mkdir(path);
    } catch (error) {
        const code = error instanceof Error && 'code' in error ? error.code : undefined;
        const parent = dirname(path);
        if (code === 'EEXIST' && (await isFolder(path))) return;
        if (code !== 'ENOENT' || parent === path) throw error;
        if (!(await isFolder(parent))) await makeFolders(parent);
        if (!(await mkdirUnlessThere(path))) return;
    }
    await syncNew(path);
}

/** Another process may have made the folder in the meantime. */
async function mkdirUnlessThere(path: string): Promise<boolean> {
    try {
        await mkdir(path);
        return true;
    } catch (error) {
        if (!(await isFolder(path))) throw error;
        return false;
    }
}

/** A folder that is not on disk for sure must not be found there by the next call. */
async function syncNew(path: string): Promise<void> {
    try {
        await syncFolder(dirname(path));
    } catch (error) {
        await rmdir(path).catch(() => undefined);
        throw error;
    }
}

async function isFolder(path: string): Promise<boolean> {
    try {
        return (await stat(path)).isDirectory();
    } catch {
        return false;
    }
}
