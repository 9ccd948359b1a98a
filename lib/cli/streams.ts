/** Where a command writes; the tests give their own. Each call writes whole lines. */
export interface Streams {
    readonly out: (text: string) => void;
    readonly err: (text: string) => void;
}

export const processStreams: Streams = {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
};
