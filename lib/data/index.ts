export { DataFileError } from './data_file_error.js';
export { decodeIdx, readIdxFile, type IdxArray, type IdxDType, type IdxValues } from './idx.js';
export {
    MNIST_ATTRIBUTION,
    readMnist,
    type DigitSet,
    type MnistData,
    type MnistOptions,
} from './mnist_files.js';
