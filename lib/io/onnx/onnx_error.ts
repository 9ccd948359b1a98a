/**
 * Thrown where a model cannot be written as ONNX, or an ONNX file is missing, damaged or not of this library. Of files, the message
 * starts with the path and ends, where there is one, with the likely fix.
 */
export class OnnxError extends Error {
    override readonly name = 'OnnxError';
}
