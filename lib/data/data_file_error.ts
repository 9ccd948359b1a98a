/**
 * Thrown where a data file is missing, unreadable, damaged or does not fit its companions. The message starts with the
 * file's path and ends, where there is one, with the likely fix.
 *
 * @example
 * ```ts
 * import { data } from 'nativegrad';
 * try {
 *     data.decodeIdx(new Uint8Array(2), 'labels.idx');
 * } catch (error) {
 *     if (error instanceof data.DataFileError) console.log(error.path); // labels.idx
 * }
 * ```
 */
export class DataFileError extends Error {
    override readonly name = 'DataFileError';
    readonly path: string;

    constructor(path: string, detail: string, options?: ErrorOptions) {
        super(`${path}: ${detail}`, options);
        this.path = path;
    }
}
