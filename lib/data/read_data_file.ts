import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

import { DataFileError } from './data_file_error.js';

/** The most bytes that a data file may have, unpacked. */
export const DEFAULT_MAX_BYTES = 2 ** 30;

/**
 * Reads a regular file whole and unpacks it where its first bytes say gzip.
 *
 * @throws {DataFileError} where the file is missing, no regular file, larger than `maxBytes`, or damaged gzip.
 */
export async function readDataFile(path: string, maxBytes = DEFAULT_MAX_BYTES): Promise<Uint8Array> {
    const bytes = await readPlain(path, maxBytes);
    return isGzip(bytes) ? unpack(bytes, path, maxBytes) : bytes;
}

export function isGzip(bytes: Uint8Array): boolean {
    return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** Unpacks gzip bytes, one member or several; `source` names them in errors. */
export async function unpack(
    bytes: Uint8Array,
    source: string,
    maxBytes = DEFAULT_MAX_BYTES,
): Promise<Uint8Array> {
    // Here, since loading it takes a tenth of the time to start.
    const { createGunzip } = await import('node:zlib');
    const engine = createGunzip();
    const chunks: Uint8Array[] = [];
    let length = 0;
    engine.end(bytes);
    try {
        for await (const chunk of engine as AsyncIterable<Uint8Array>) {
            length += chunk.length;
            // Leaving the loop destroys the engine, so a small file cannot unpack into all memory.
            if (length > maxBytes) throw new DataFileError(source, `unpacks to more than ${maxBytes} bytes`);
            chunks.push(chunk);
        }
    } catch (cause) {
        if (cause instanceof DataFileError) throw cause;
        throw new DataFileError(source, `damaged gzip: ${errorText(cause)}`, { cause });
    }
    const rest = bytes.length - engine.bytesWritten;
    if (rest > 0) throw new DataFileError(source, `damaged gzip: ${rest} bytes left over behind its end`);
    return Buffer.concat(chunks, length);
}

async function readPlain(path: string, maxBytes: number): Promise<Uint8Array> {
    let handle: FileHandle;
    try {
        // Without O_NONBLOCK the open of a named pipe would wait for a writer.
        handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch (cause) {
        throw new DataFileError(path, openErrorText(cause), { cause });
    }
    try {
        const stat = await handle.stat();
        if (!stat.isFile()) throw new DataFileError(path, 'is not a regular file');
        if (stat.size > maxBytes)
            throw new DataFileError(path, `has ${stat.size} bytes, the limit is ${maxBytes}`);
        return await readWhole(handle, stat.size, path);
    } finally {
        await handle.close();
    }
}

async function readWhole(handle: FileHandle, size: number, path: string): Promise<Uint8Array> {
    const bytes = new Uint8Array(size);
    for (let done = 0; done < size;) {
        const { bytesRead } = await handle.read(bytes, done, size - done, done);
        if (bytesRead === 0)
            throw new DataFileError(path, `cut short while it was read: ${done} of ${size} bytes`);
        done += bytesRead;
    }
    return bytes;
}

function openErrorText(error: unknown): string {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT') return 'no such file';
    if (code === 'EACCES') return 'permission denied';
    return errorText(error);
}

function errorText(error: unknown): string {
    return error instanceof Error ? error.message : String(error);
}
