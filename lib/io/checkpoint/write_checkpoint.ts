import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { syncFolder, writeAll } from '../atomic_file.js';
import { CheckpointError } from './checkpoint_error.js';
import { FORMAT_VERSION, MANIFEST_NAME, manifestText, type FileEntry, type Manifest } from './manifest.js';

/** The files of a checkpoint by name: pieces of bytes that nobody changes any more. */
export type CheckpointFiles = Readonly<Record<string, readonly Uint8Array[]>>;

export type ManifestHead = Omit<Manifest, 'format' | 'version' | 'files'>;

/** So much is hashed and written at a time, so that the event loop is not kept. */
const pieceBytes = 1 << 20;

/**
 * Writes a checkpoint so that it is there whole or not at all: files and MANIFEST.json, last, into a folder beside it, each
 * with fsync; fsync of that folder; rename; fsync of the parent. Whatever fails, what stood there before stands.
 *
 * @throws {CheckpointError} 'write', with the system's reason.
 */
export async function writeCheckpoint(
    path: string,
    head: ManifestHead,
    files: CheckpointFiles,
): Promise<Manifest> {
    const temporary = `${path}.tmp-${process.pid}-${randomBytes(6).toString('hex')}`;
    try {
        await mkdir(temporary);
        const entries: Record<string, FileEntry> = {};
        for (const [name, chunks] of Object.entries(files))
            entries[name] = await writeFileSynced(join(temporary, name), chunks);
        const { step, sequence, configHash, metrics } = head;
        const manifest: Manifest = {
            format: 'nativegrad.checkpoint',
            version: FORMAT_VERSION,
            step,
            sequence,
            configHash,
            metrics,
            files: entries,
        };
        const text = new TextEncoder().encode(manifestText(manifest));
        await writeFileSynced(join(temporary, MANIFEST_NAME), [text]);
        await syncFolder(temporary);
        await rename(temporary, path);
        await syncFolder(dirname(path));
        return manifest;
    } catch (cause) {
        await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new CheckpointError('write', path, `cannot be written: ${reason}`, { cause });
    }
}

async function writeFileSynced(path: string, chunks: readonly Uint8Array[]): Promise<FileEntry> {
    const hash = createHash('sha256');
    let bytes = 0;
    const handle = await open(path, 'wx');
    try {
        for (const chunk of chunks) {
            for (let start = 0; start < chunk.length; start += pieceBytes) {
                const piece = chunk.subarray(start, start + pieceBytes);
                hash.update(piece);
                await writeAll(handle, piece);
                bytes += piece.length;
            }
        }
        await handle.sync();
    } finally {
        await handle.close();
    }
    return { bytes, sha256: hash.digest('hex') };
}

/** Removes a checkpoint: by another name first, so that a death in between leaves no half of it. */
export async function removeCheckpoint(path: string): Promise<void> {
    const trash = `${path}.old-${process.pid}-${randomBytes(6).toString('hex')}`;
    await rename(path, trash);
    await rm(trash, { recursive: true, force: true });
}

/** Removes what saves and removals that died have left; only for who holds the lock. */
export async function removeLeftovers(folder: string): Promise<void> {
    const left = (await readdir(folder)).filter((name) => /^step-\d+(\.\d+)?\.(tmp|old)-/.test(name));
    for (const name of left) await rm(join(folder, basename(name)), { recursive: true, force: true });
}
