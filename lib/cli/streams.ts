/** A place to write to; a terminal says so. */
export interface OutputStream extends NodeJS.WritableStream {
    isTTY?: boolean;
}

/** Where a command writes; the tests give their own. */
export interface Streams {
    readonly out: OutputStream;
    readonly err: OutputStream;
}

export interface StreamWatch {
    /** Whether somebody reads what is written. */
    readonly hasReader: () => boolean;
    /** Waits until everything is written; gives what went wrong, if anything, unless the reader just left. */
    readonly finish: () => Promise<Error | undefined>;
}

/**
 * Keeps a stream that can no longer be written from ending the process: a run must not be lost because `head` has read
 * enough (EPIPE), the terminal was closed (EIO) or the disk behind a redirection is full.
 */
export function watchStream(stream: OutputStream): StreamWatch {
    let isRead = true;
    let failure: Error | undefined;
    stream.on('error', (error: Error & { code?: string }) => {
        const hasNoReader = error.code === 'EPIPE' || error.code === 'EIO';
        if (hasNoReader) isRead = false;
        else failure ??= error;
    });
    return {
        hasReader: () => isRead,
        finish: async () => {
            await new Promise<void>((done) => stream.write('', () => done()));
            return failure;
        },
    };
}
