import { existsSync } from 'node:fs';
import { dirname } from 'node:path';

/** Thrown where the system refuses to write a file: disk full, folder gone, no permission. The message names the file. */
export class FileWriteError extends Error {
    override readonly name = 'FileWriteError';

    constructor(
        readonly path: string,
        cause: unknown,
    ) {
        super(`cannot write ${path}: ${reasonOf(cause, path)}`, { cause });
    }

    /** The folder is gone: no later try will do better. */
    get isOfLostFolder(): boolean {
        const { cause } = this;
        return (
            cause instanceof Error && 'code' in cause && ['ENOENT', 'ENOTDIR'].includes(String(cause.code))
        );
    }
}

/** The system's word for it, without its name of the file, which is that of a temporary one beside it. */
function reasonOf(cause: unknown, path: string): string {
    if (!(cause instanceof Error)) return String(cause);
    const { code, syscall } = cause as NodeJS.ErrnoException;
    if (syscall === undefined) return cause.message;
    const folder = dirname(path);
    if (code === 'ENOENT' && !existsSync(folder)) return `ENOENT: no such folder ${folder}`;
    const end = cause.message.indexOf(`, ${syscall}`);
    return end === -1 ? cause.message : cause.message.slice(0, end);
}
