import { createHash } from 'node:crypto';

import { CheckpointError } from './checkpoint_error.js';

export const MANIFEST_NAME = 'MANIFEST.json';
/** What this version writes, and the newest that it reads. */
export const FORMAT_VERSION = 1;

/** A file of a checkpoint as it must be. */
export interface FileEntry {
    readonly bytes: number;
    readonly sha256: string;
}

/** What the last file of a checkpoint says of the others. */
export interface Manifest {
    readonly format: 'nativegrad.checkpoint';
    readonly version: number;
    /** Steps done. */
    readonly step: number;
    /** Counts the saves of a folder: the newest checkpoint has the highest, whatever its step. */
    readonly sequence: number;
    /** SHA-256 of what the run is: layers, optimizer, loader, precision. */
    readonly configHash: string;
    /** Figures by which the best are kept. */
    readonly metrics: Readonly<Record<string, number | null>>;
    readonly files: Readonly<Record<string, FileEntry>>;
}

export function sha256(data: string | Uint8Array): string {
    return createHash('sha256').update(data).digest('hex');
}

/** The text of the file. Its own hash stands in it, so that no changed byte goes unseen. */
export function manifestText(manifest: Manifest): string {
    const body = JSON.stringify(manifest);
    return `{"sha256":"${sha256(body)}","manifest":${body}}\n`;
}

/**
 * Reads the file strictly: every byte must be as `manifestText` writes it.
 *
 * @throws {CheckpointError} 'damaged', or 'newer-format' for a sound file of a later version.
 */
export function parseManifest(text: string, path: string): Manifest {
    const match = /^\{"sha256":"([0-9a-f]{64})","manifest":(.*)\}\n$/.exec(text);
    const [, hash, body = ''] = match ?? [];
    if (match === null || sha256(body) !== hash)
        throw new CheckpointError('damaged', path, `${MANIFEST_NAME} is damaged`);
    const manifest = parsed(body);
    const { format, version } = manifest;
    if (format !== 'nativegrad.checkpoint' || version === undefined || !Number.isSafeInteger(version))
        throw new CheckpointError('damaged', path, `${MANIFEST_NAME} is not that of a checkpoint`);
    if (version > FORMAT_VERSION)
        throw new CheckpointError(
            'newer-format',
            path,
            `has format version ${version}, this nativegrad reads up to ${FORMAT_VERSION}; install the version that wrote it`,
        );
    if (!isWhole(manifest))
        throw new CheckpointError(
            'damaged',
            path,
            `${MANIFEST_NAME} has fields that are not those of a checkpoint`,
        );
    return manifest;
}

/** An object, whatever the text is: its hash says that it is as it was written, not by whom. */
function parsed(body: string): Partial<Manifest> {
    try {
        const value = JSON.parse(body) as unknown;
        return typeof value === 'object' && value !== null ? value : {};
    } catch {
        return {};
    }
}

function isWhole(manifest: Partial<Manifest>): manifest is Manifest {
    const { step, sequence, configHash, metrics, files } = manifest;
    const isCount = (x: unknown): boolean => Number.isSafeInteger(x) && (x as number) >= 0;
    const isTable = (x: unknown): x is object => typeof x === 'object' && x !== null && !Array.isArray(x);
    return (
        isCount(step) &&
        isCount(sequence) &&
        typeof configHash === 'string' &&
        isTable(metrics) &&
        Object.values(metrics).every((x) => x === null || typeof x === 'number') &&
        isTable(files) &&
        Object.entries(files).every(
            ([name, entry]) =>
                /^[\w.-]+$/.test(name) &&
                isTable(entry) &&
                isCount(entry.bytes) &&
                /^[0-9a-f]{64}$/.test(entry.sha256),
        )
    );
}
