/** Gives the event loop a turn now and then, so that timers and sockets are served while a long computation goes on. */
export class Breather {
    private last = performance.now();

    /** `longest`: milliseconds of work after which the loop gets its turn. */
    constructor(private readonly longest = 3) {}

    /** True when the work since the last turn has taken long enough. */
    get isDue(): boolean {
        return performance.now() - this.last >= this.longest;
    }

    /** Waits for one turn of the event loop. */
    async breathe(): Promise<void> {
        await new Promise<void>((resolve) => setImmediate(resolve));
        this.last = performance.now();
    }

    async breatheIfDue(): Promise<void> {
        if (this.isDue) await this.breathe();
    }
}
