/**
 * What is wrong: with the files, with the folder, or with what was asked for. 'damaged' is for good; 'unreadable' what the
 * system refuses to read (EIO, EACCES, EMFILE, no memory), perhaps only now.
 */
export type CheckpointErrorCode =
    'damaged' | 'unreadable' | 'newer-format' | 'missing' | 'locked' | 'write' | 'mismatch';

/** Thrown where a checkpoint cannot be written, read or used. The message names the folder and what is wrong with it. */
export class CheckpointError extends Error {
    override readonly name = 'CheckpointError';

    constructor(
        readonly code: CheckpointErrorCode,
        readonly path: string,
        detail: string,
        options: ErrorOptions = {},
    ) {
        super(`[checkpoint] ${path}: ${detail}`, options);
    }
}
