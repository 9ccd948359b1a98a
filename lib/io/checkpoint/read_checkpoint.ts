import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { CheckpointError } from './checkpoint_error.js';
import { MANIFEST_NAME, parseManifest, type FileEntry, type Manifest } from './manifest.js';

const maxManifestBytes = 1 << 24;
const pieceBytes = 1 << 20;

/** A checkpoint whose every byte was checked. */
export interface ReadCheckpoint {
    readonly path: string;
    readonly manifest: Manifest;
    readonly files: ReadonlyMap<string, Uint8Array>;
}

/** A checkpoint of a folder, by its manifest alone; `problem` where that cannot be used. */
export interface FoundCheckpoint {
    readonly path: string;
    readonly name: string;
    readonly manifest?: Manifest;
    readonly problem?: CheckpointError;
}

const namePattern = /^step-(\d{1,16})(?:\.(\d{1,9}))?$/;

/**
 * The names of the checkpoints in a folder; none where there is no folder.
 *
 * @throws {CheckpointError} 'unreadable'.
 */
export async function checkpointNames(folder: string): Promise<string[]> {
    try {
        return (await readdir(folder)).filter((text) => namePattern.test(text));
    } catch (cause) {
        if (errorCode(cause) === 'ENOENT') return [];
        throw new CheckpointError('unreadable', folder, `cannot be read: ${textOf(cause)}`, { cause });
    }
}

/** The checkpoints of a folder, newest first; those whose manifest is unusable by their step. Empty where there is no folder. */
export async function findCheckpoints(folder: string): Promise<FoundCheckpoint[]> {
    const found: FoundCheckpoint[] = [];
    for (const name of await checkpointNames(folder)) {
        const path = join(folder, name);
        try {
            found.push({ path, name, manifest: await readManifest(path) });
        } catch (error) {
            if (!(error instanceof CheckpointError)) throw error;
            found.push({ path, name, problem: error });
        }
    }
    return inOrder(found);
}

/** By sequence; one without a sound manifest goes where its step would be. */
function inOrder(found: readonly FoundCheckpoint[]): FoundCheckpoint[] {
    const stepOf = ({ name }: FoundCheckpoint): number => Number(namePattern.exec(name)?.[1] ?? 0);
    const key = (item: FoundCheckpoint): number => {
        if (item.manifest) return item.manifest.sequence;
        const before = found.filter(({ manifest }) => manifest && manifest.step <= stepOf(item));
        return Math.max(0, ...before.map(({ manifest }) => manifest?.sequence ?? 0)) + 0.5;
    };
    return [...found].sort((a, b) => key(b) - key(a) || stepOf(b) - stepOf(a));
}

async function readManifest(path: string): Promise<Manifest> {
    const bytes = await readBytes(join(path, MANIFEST_NAME), path, MANIFEST_NAME, { most: maxManifestBytes });
    return parseManifest(Buffer.from(bytes).toString('latin1'), path);
}

/**
 * Reads a checkpoint and checks every byte of it against its manifest.
 *
 * @throws {CheckpointError} 'damaged', 'unreadable' or 'newer-format', saying what is wrong.
 */
export async function readCheckpoint(path: string): Promise<ReadCheckpoint> {
    const manifest = await readManifest(path);
    const files = new Map<string, Uint8Array>();
    for (const [name, entry] of Object.entries(manifest.files))
        files.set(name, await readChecked(path, name, entry, true));
    return { path, manifest, files };
}

/** As `readCheckpoint`, with no more than a piece of one file in memory at a time. */
export async function verifyCheckpoint(path: string): Promise<void> {
    const manifest = await readManifest(path);
    for (const [name, entry] of Object.entries(manifest.files)) await readChecked(path, name, entry, false);
}

/** The bytes of a file; where they are not kept, its last piece. */
async function readChecked(
    path: string,
    name: string,
    entry: FileEntry,
    keeps: boolean,
): Promise<Uint8Array> {
    if (!/^[\w.-]+$/.test(name))
        throw new CheckpointError('damaged', path, `${MANIFEST_NAME} names the file '${name}'`);
    const hash = createHash('sha256');
    const limits = { most: entry.bytes, expected: entry.bytes };
    const onPiece = (piece: Uint8Array): void => void hash.update(piece);
    const bytes = await readBytes(join(path, name), path, name, limits, { keeps, onPiece });
    if (hash.digest('hex') !== entry.sha256)
        throw new CheckpointError(
            'damaged',
            path,
            `${name} is damaged: its SHA-256 is not that of the manifest`,
        );
    return bytes;
}

/** All bytes of a regular file of at most `most`, or exactly `expected`, piece by piece. */
async function readBytes(
    file: string,
    path: string,
    name: string,
    { most, expected }: { most: number; expected?: number },
    { keeps = true, onPiece }: { keeps?: boolean; onPiece?: (piece: Uint8Array) => void } = {},
): Promise<Uint8Array> {
    try {
        // Without O_NONBLOCK the open of a named pipe would wait for a writer.
        const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
        try {
            const stat = await handle.stat();
            if (!stat.isFile()) throw new CheckpointError('damaged', path, `${name} is not a regular file`);
            if (stat.size > most || (expected !== undefined && stat.size !== expected))
                throw new CheckpointError(
                    'damaged',
                    path,
                    `${name} has ${stat.size} bytes, expected ${expected ?? `at most ${most}`}`,
                );
            const bytes = new Uint8Array(keeps ? stat.size : Math.min(stat.size, pieceBytes));
            for (let done = 0; done < stat.size;) {
                const from = keeps ? done : 0;
                const length = Math.min(stat.size - done, pieceBytes);
                const { bytesRead } = await handle.read(bytes, from, length, done);
                if (bytesRead === 0)
                    throw new CheckpointError('damaged', path, `${name} ended while it was read`);
                onPiece?.(bytes.subarray(from, from + bytesRead));
                done += bytesRead;
            }
            return bytes;
        } finally {
            await handle.close();
        }
    } catch (cause) {
        if (cause instanceof CheckpointError) throw cause;
        if (errorCode(cause) === 'ENOENT')
            throw new CheckpointError('damaged', path, `${name} is missing`, { cause });
        throw new CheckpointError('unreadable', path, `${name} cannot be read: ${textOf(cause)}`, { cause });
    }
}

function errorCode(error: unknown): unknown {
    return error instanceof Error && 'code' in error ? error.code : undefined;
}

function textOf(error: unknown): string {
    return error instanceof Error ? error.message : String(error);
}
