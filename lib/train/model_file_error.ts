/** A safetensors file that is sound, but does not hold a classifier of this library. */
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
