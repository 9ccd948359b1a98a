/** A place to write to; a terminal says so. */
export interface OutputStream extends NodeJS.WritableStream {
    isTTY?: boolean;
}

/** Where a command writes; the tests give their own. */
export interface Streams {
    readonly out: OutputStream;
    readonly err: OutputStream;
}
