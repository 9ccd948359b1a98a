/** What a file seems to be, and what to do about it where that is not plain. */
export interface FileKind {
    /** With its article: `a PNG image`. */
    readonly name: string;
    /** An imperative sentence without its dot. */
    readonly fix?: string;
}

/** Bytes that {@link fileKind} needs to see. */
export const KIND_BYTES = 64;

const SIGNATURES: readonly (readonly [signature: string, kind: FileKind])[] = [
    ['\x89PNG\r\n\x1a\n', { name: 'a PNG image' }],
    ['\xff\xd8\xff', { name: 'a JPEG image' }],
    ['%PDF-', { name: 'a PDF document' }],
    ['\x1f\x8b', { name: 'a gzip archive', fix: 'unpack it first' }],
    [
        'PK\x03\x04',
        {
            name: "a ZIP archive, like PyTorch's .pt and Keras's .keras files",
            fix: 'save the weights in Python with safetensors.torch.save_file',
        },
    ],
    [
        '\x89HDF\r\n\x1a\n',
        { name: "an HDF5 file, like Keras's .h5 files", fix: 'save the weights in Python as safetensors' },
    ],
    ['\x93NUMPY', { name: 'a NumPy array', fix: 'read it with loadNpy' }],
    ...[2, 3, 4, 5].map((protocol): [string, FileKind] => [
        `\x80${String.fromCharCode(protocol)}`,
        {
            name: "a Python pickle, like PyTorch's older files",
            fix: 'save the weights in Python with safetensors.torch.save_file',
        },
    ]),
    ['\x00\x00\x08\x01', { name: "an IDX file, like MNIST's labels" }],
    ['\x00\x00\x08\x03', { name: "an IDX file, like MNIST's images" }],
    ['\x7fELF', { name: 'a compiled program' }],
    [
        'version https://git-lfs',
        { name: 'a Git LFS pointer, not the file itself', fix: 'run `git lfs pull` where it came from' },
    ],
    ['<!DOCTYPE', { name: 'a web page', fix: 'download the file itself again' }],
    ['<html', { name: 'a web page', fix: 'download the file itself again' }],
];

/**
 * Guesses what a file is by its first {@link KIND_BYTES} bytes, as the program `file` does; undefined where they say
 * nothing. Only for messages: a guess may be wrong.
 */
export function fileKind(start: Uint8Array): FileKind | undefined {
    const text = Buffer.from(start).toString('latin1');
    const known = SIGNATURES.find(([signature]) => text.startsWith(signature));
    if (known) return known[1];
    if (!isText(start)) return undefined;
    return { name: /^\s*[{[]/.test(text) ? 'a JSON text' : 'a text' };
}

/** UTF-8 without control characters but tab, line feed and carriage return. */
function isText(start: Uint8Array): boolean {
    if (start.length === 0 || start.some((byte) => byte < 32 && ![9, 10, 13].includes(byte))) return false;
    // The last character may be cut.
    const text = new TextDecoder('utf-8').decode(start, { stream: true });
    return !text.includes('\ufffd');
}
