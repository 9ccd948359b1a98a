/** Texts in the metadata of an ONNX file of ours. */
export const onnxKeys = {
    /** JSON of `toConfig`. */
    architecture: 'nativegrad.architecture',
    /** JSON of `ModelInfo`. */
    info: 'nativegrad.info',
    /** Tensors that no operator reads, as safetensors in base64. */
    tensors: 'nativegrad.tensors',
} as const;
