/** Text in the metadata of an ONNX file: tensors that no operator reads, as safetensors in base64. */
export const unusedKey = 'nativegrad.tensors';
