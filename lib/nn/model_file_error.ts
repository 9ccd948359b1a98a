/**
 * A safetensors file that is sound, but holds no model of this library, or one that does not fit its use. The message
 * starts with the file's path and ends, where there is one, with the likely fix.
 */
export class ModelFileError extends Error {
    override readonly name = 'ModelFileError';

    constructor(
        readonly path: string,
        detail: string,
        options?: ErrorOptions,
    ) {
        super(`${path}: ${detail}`, options);
    }
}
