import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/**
 * Reads a regular file whole; folders, pipes and devices are refused.
 *
 * @throws {Error} what `refuse` makes of the reason.
 */
export async function readWholeFile(
    path: string,
    maxBytes: number,
    refuse: (reason: string, cause?: unknown) => Error,
): Promise<Uint8Array> {
    // Without O_NONBLOCK the open of a named pipe would wait for a writer.
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((cause: unknown) => {
        const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
        const reasons: Record<string, string> = { ENOENT: 'no such file', EACCES: 'permission denied' };
        throw refuse(reasons[String(code)] ?? String(cause), cause);
    });
    try {
        const stat = await handle.stat();
        if (!stat.isFile()) throw refuse(`is ${stat.isDirectory() ? 'a folder' : 'no regular file'}`);
        if (stat.size > maxBytes)
            throw refuse(`has ${stat.size} bytes, the limit is ${maxBytes}; if it is yours, raise maxBytes`);
        const bytes = new Uint8Array(stat.size);
        for (let done = 0; done < bytes.length;) {
            const length = Math.min(bytes.length - done, 1 << 28);
            const { bytesRead } = await handle.read(bytes, done, length, done);
            if (bytesRead === 0) throw refuse(`ended ${bytes.length - done} bytes early while it was read`);
            done += bytesRead;
        }
        return bytes;
    } finally {
        await handle.close();
    }
}
