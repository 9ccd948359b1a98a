export { randomAffine, type AffineAugmentation } from './augment.js';
export { CsvFile, type CsvOpenOptions, type CsvOptions } from './csv.js';
export { CsvBatches, type CsvBatchOptions } from './csv_batches.js';
export type { CsvColumn } from './csv_columns.js';
export type { CsvEncoding, HandleMissing, HandleUnknown } from './csv_encoding.js';
export { DataFileError } from './data_file_error.js';
export { DataLoader, type DataLoaderOptions } from './data_loader.js';
export {
    Subset,
    TensorDataset,
    type Batch,
    type Dataset,
    type Sample,
    type TensorDatasetOptions,
} from './dataset.js';
export { kFold, type Fold, type FoldOptions } from './folds.js';
export { decodeIdx, readIdxFile, type IdxArray, type IdxDType, type IdxValues } from './idx.js';
export { digitDataset, mnist, MNIST_MEAN, MNIST_STD, type MnistDatasets } from './mnist.js';
export { readMnist, readMnistSplit, type DigitSet, type MnistData } from './mnist_files.js';
export { MNIST_ATTRIBUTION, type MnistOptions, type MnistOrigin, type MnistSplit } from './mnist_source.js';
export { permutation, randomSplit } from './shuffle.js';
