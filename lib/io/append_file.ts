import { open, writeFile } from 'node:fs/promises';

import { FileWriteError } from './file_write_error.js';

/**
 * Appends text or bytes to a file. What was there stays as it is: where only a part can be written, it is cut off again. With
 * `sync` it is on disk when this returns.
 *
 * @throws {FileWriteError} with the path and the system's reason.
 */
export async function appendWhole(
    path: string,
    content: string | Uint8Array,
    { sync = false } = {},
): Promise<void> {
    try {
        const handle = await open(path, 'a');
        try {
            const { size } = await handle.stat();
            try {
                await handle.appendFile(content);
                if (sync) await handle.sync();
            } catch (error) {
                await handle.truncate(size).catch(() => undefined);
                throw error;
            }
        } finally {
            await handle.close();
        }
    } catch (cause) {
        throw new FileWriteError(path, cause);
    }
}

/**
 * Creates an empty file, or empties one that is there, in place: it may be a device, as /dev/null.
 *
 * @throws {FileWriteError} with the path and the system's reason.
 */
export async function emptyFile(path: string): Promise<void> {
    try {
        await writeFile(path, '');
    } catch (cause) {
        throw new FileWriteError(path, cause);
    }
}
