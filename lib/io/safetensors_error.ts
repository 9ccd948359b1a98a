/** What went wrong in a safetensors file; every rule of the format has its own code. */
export type SafetensorsErrorCode =
    | 'header-too-small'
    | 'header-too-large'
    | 'header-out-of-file'
    | 'header-not-utf8'
    | 'header-start'
    | 'header-json'
    | 'duplicate-key'
    | 'metadata'
    | 'field'
    | 'integer-range'
    | 'unknown-field'
    | 'rank'
    | 'dtype'
    | 'shape'
    | 'offsets'
    | 'size-mismatch'
    | 'layout'
    | 'data-length'
    | 'bool-value'
    | 'argument'
    | 'not-safetensors'
    | 'file';

/**
 * Thrown by the safetensors reader and writer.
 *
 * @example
 * ```ts
 * import { decodeSafetensors, SafetensorsError } from 'nativegrad';
 * try {
 *   decodeSafetensors(new Uint8Array(3));
 * } catch (error) {
 *   if (error instanceof SafetensorsError) console.log(error.code); // header-too-small
 * }
 * ```
 */
export class SafetensorsError extends Error {
    override readonly name = 'SafetensorsError';
    readonly code: SafetensorsErrorCode;
    /** The place inside the file: a tensor's name, `header`, `data`. */
    readonly where: string;

    constructor(code: SafetensorsErrorCode, where: string, detail: string, options?: ErrorOptions) {
        super(`[safetensors] ${where}: ${detail}`, options);
        this.code = code;
        this.where = where;
    }
}
