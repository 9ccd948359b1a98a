/** Thrown where the system refuses to write a file: disk full, folder gone, no permission. The message names the file. */
export class FileWriteError extends Error {
    override readonly name = 'FileWriteError';

    constructor(
        readonly path: string,
        cause: unknown,
    ) {
        super(`cannot write ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    }

    /** The folder is gone: no later try will do better. */
    get isOfLostFolder(): boolean {
        const { cause } = this;
        return (
            cause instanceof Error && 'code' in cause && ['ENOENT', 'ENOTDIR'].includes(String(cause.code))
        );
    }
}
