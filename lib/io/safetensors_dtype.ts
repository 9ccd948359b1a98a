/** Names of the element types that this library stores. */
export type StoredDType =
    'float32' | 'float64' | 'float16' | 'bfloat16' | 'int64' | 'int32' | 'uint8' | 'bool';

interface StoredDTypeInfo {
    /** The name inside the file. */
    readonly tag: string;
    readonly itemSize: number;
    /** Place in the file: the reference writer lays tensors out by descending rank, so that big alignments come first. */
    readonly rank: number;
}

/** File name, bytes per element and layout rank of each dtype. */
export const STORED_DTYPES: Readonly<Record<StoredDType, StoredDTypeInfo>> = {
    bool: { tag: 'BOOL', itemSize: 1, rank: 0 },
    uint8: { tag: 'U8', itemSize: 1, rank: 1 },
    float16: { tag: 'F16', itemSize: 2, rank: 2 },
    bfloat16: { tag: 'BF16', itemSize: 2, rank: 3 },
    int32: { tag: 'I32', itemSize: 4, rank: 4 },
    float32: { tag: 'F32', itemSize: 4, rank: 5 },
    float64: { tag: 'F64', itemSize: 8, rank: 6 },
    int64: { tag: 'I64', itemSize: 8, rank: 7 },
};

const DTYPE_OF_TAG: ReadonlyMap<string, StoredDType> = new Map(
    (Object.keys(STORED_DTYPES) as StoredDType[]).map((dtype) => [STORED_DTYPES[dtype].tag, dtype]),
);

export function dtypeOfTag(tag: string): StoredDType | undefined {
    return DTYPE_OF_TAG.get(tag);
}

export function storedTags(): string {
    return [...DTYPE_OF_TAG.keys()].join(', ');
}

/** Bytes of a tensor, or undefined where the product leaves the safe integers. */
export function byteLengthOf(dtype: StoredDType, shape: readonly number[]): number | undefined {
    let count = 1;
    for (const size of shape) {
        count *= size;
        if (!Number.isSafeInteger(count)) return undefined;
    }
    const bytes = count * STORED_DTYPES[dtype].itemSize;
    return Number.isSafeInteger(bytes) ? bytes : undefined;
}
