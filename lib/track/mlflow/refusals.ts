const MOST_TOLD = 3;

/** Tells what a server does not take, the first few times. */
export class Refusals {
    private count = 0;

    constructor(
        private readonly uri: string,
        private readonly onProblem: (text: string) => void,
    ) {}

    readonly tell = (text: string): void => {
        this.count++;
        if (this.count <= MOST_TOLD) this.onProblem(`${this.uri} does not take ${text}`);
        if (this.count === MOST_TOLD + 1)
            this.onProblem(`${this.uri} does not take more, which is not told each time`);
    };
}
