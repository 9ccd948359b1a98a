import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

import { writeFileAtomic } from './atomic_file.js';
import { KIND_BYTES } from './file_kind.js';
import { folderError, neighbourHint, requireSafetensorsStart } from './not_safetensors.js';
import { checkBoolBytes, safetensorsChunks } from './safetensors.js';
import type { SafetensorsContent, SafetensorsEntry } from './safetensors.js';
import { SafetensorsError } from './safetensors_error.js';
import { PREFIX_BYTES, readHeader, readHeaderLength } from './safetensors_header.js';
import { tensorPlace } from './safetensors_json.js';

const READ_BYTES = 1 << 28;

/**
 * Reads a safetensors file. The header is checked against the file's size before any tensor is allocated; each tensor
 * then gets its own memory. Folders, pipes and devices are refused; a file that shrinks while it is read is an error
 * (the file is read, not mapped, so there is no SIGBUS).
 * What is no safetensors file at all is told from a damaged one: the message says what it seems to be.
 *
 * @throws {SafetensorsError} naming the file, the rule that is broken and the place.
 */
export async function readSafetensorsFile(path: string): Promise<SafetensorsContent> {
    try {
        // Without O_NONBLOCK the open of a named pipe would wait for a writer.
        const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
        try {
            return await readFromHandle(handle, path);
        } finally {
            await handle.close();
        }
    } catch (cause) {
        if (cause instanceof SafetensorsError) {
            const detail = cause.message.replace(/^\[safetensors\] (file: )?/, '');
            throw new SafetensorsError(cause.code, path, detail, { cause });
        }
        throw new SafetensorsError('file', path, await openErrorText(cause, path), { cause });
    }
}

/** Writes a safetensors file atomically; see {@link writeFileAtomic} and `encodeSafetensors`. */
export async function writeSafetensorsFile(
    path: string,
    entries: readonly SafetensorsEntry[],
    metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
    await writeFileAtomic(path, safetensorsChunks(entries, metadata));
}

async function readFromHandle(handle: FileHandle, path: string): Promise<SafetensorsContent> {
    const stat = await handle.stat();
    if (stat.isDirectory()) throw await folderError(path);
    if (!stat.isFile())
        throw new SafetensorsError('file', 'file', 'is not a regular file, expected a safetensors file');
    const start = await readExactly(handle, 0, Math.min(KIND_BYTES, stat.size), 'header');
    await requireSafetensorsStart(start, path);
    const headerBytes = readHeaderLength(start.subarray(0, PREFIX_BYTES), stat.size);
    const dataStart = PREFIX_BYTES + headerBytes;
    const header = readHeader(
        await readExactly(handle, PREFIX_BYTES, headerBytes, 'header'),
        stat.size - dataStart,
    );
    const entries: SafetensorsEntry[] = [];
    for (const { name, dtype, shape, begin, end } of header.places) {
        const data = await readExactly(handle, dataStart + begin, end - begin, tensorPlace(name));
        if (dtype === 'bool') checkBoolBytes(name, data);
        entries.push({ name, dtype, shape, data });
    }
    return { entries, metadata: header.metadata };
}

async function readExactly(
    handle: FileHandle,
    start: number,
    length: number,
    where: string,
): Promise<Uint8Array> {
    const bytes = allocate(length, where);
    for (let done = 0; done < length;) {
        const { bytesRead } = await handle.read(
            bytes,
            done,
            Math.min(length - done, READ_BYTES),
            start + done,
        );
        if (bytesRead === 0)
            throw new SafetensorsError('file', where, `the file ended ${length - done} bytes early`);
        done += bytesRead;
    }
    return bytes;
}

function allocate(length: number, where: string): Uint8Array {
    try {
        return new Uint8Array(length);
    } catch (cause) {
        throw new SafetensorsError('file', where, `no memory for ${length} bytes`, { cause });
    }
}

async function openErrorText(error: unknown, path: string): Promise<string> {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EACCES') return 'permission denied';
    if (code !== 'ENOENT') return errorText(error);
    const hint = await neighbourHint(path);
    return hint === undefined ? 'no such file' : `no such file; ${hint}`;
}

function errorText(error: unknown): string {
    return error instanceof Error ? error.message : String(error);
}
