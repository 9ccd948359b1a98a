/**
 * Thrown where a `.npy` or `.npz` file is missing, damaged, or holds what no tensor can. The message starts with the file's path and
 * ends, where there is one, with the likely fix.
 */
export class NpyError extends Error {
    override readonly name = 'NpyError';

    constructor(
        readonly path: string,
        detail: string,
        options?: ErrorOptions,
    ) {
        super(`${path}: ${detail}`, options);
    }
}
