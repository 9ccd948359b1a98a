import { open, rename, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { FileWriteError } from './file_write_error.js';

/**
 * Writes a file so that a reader sees the old content or the whole new one, never a part: temporary file in the same
 * folder, fsync, rename, fsync of the folder. Whatever fails, the temporary file is removed and the old file stands.
 *
 * @throws {FileWriteError} with the path and the system's reason.
 */
export async function writeFileAtomic(path: string, content: string | readonly Uint8Array[]): Promise<void> {
    const chunks = typeof content === 'string' ? [new TextEncoder().encode(content)] : content;
    // Here, since programs that write nothing should not wait for it when they start.
    const { randomBytes } = await import('node:crypto');
    const temporary = join(
        dirname(path),
        `.${basename(path)}.${process.pid}-${randomBytes(6).toString('hex')}.tmp`,
    );
    let created = false;
    try {
        const handle = await open(temporary, 'wx');
        created = true;
        try {
            for (const chunk of chunks) await writeAll(handle, chunk);
            await handle.sync();
        } finally {
            await handle.close();
        }
        await rename(temporary, path);
        created = false;
        await syncFolder(dirname(path));
    } catch (cause) {
        if (created) await unlink(temporary).catch(() => undefined);
        throw new FileWriteError(path, cause);
    }
}

/** Writes all bytes at the handle's position. */
export async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
    // One write call takes at most 2 GiB on Linux and may take less than it was given.
    for (let position = 0; position < bytes.length;) {
        const length = Math.min(bytes.length - position, 1 << 30);
        const { bytesWritten } = await handle.write(bytes, position, length);
        position += bytesWritten;
    }
}

/**
 * A rename is durable once the folder is on disk.
 *
 * @throws {Error} the operating system's error, where nobody knows whether it is.
 */
export async function syncFolder(folder: string): Promise<void> {
    try {
        const handle = await open(folder, 'r');
        try {
            await handle.sync();
        } finally {
            await handle.close();
        }
    } catch (cause) {
        // Windows opens no folders, and keeps renames anyway; some network file systems refuse to fsync one.
        if (!['EISDIR', 'EPERM', 'EINVAL'].some((code) => isErrno(cause, code))) throw cause;
    }
}

function isErrno(error: unknown, code: string): boolean {
    return error instanceof Error && 'code' in error && error.code === code;
}
