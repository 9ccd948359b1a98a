import { DEFAULT_GATHER_MS, DEFAULT_RETRY_MS, type MlflowServer } from './mlflow_api.js';
import { MlflowError } from './mlflow_error.js';

const LONGEST_DELAY_MS = 60_000;
const CLOSING_DELAY_MS = 250;

/** What a lane does again and again. */
export interface LaneWork {
    /** Does all that there is to do now; throws what is in the way. */
    run(): Promise<void>;
    /** Whether something is left to do. */
    hasMore(): boolean;
    /** Told of each failure. */
    readonly onFailure?: (failure: unknown) => void;
}

/** Work for a server, now and then, later where it fails: with pauses that double. Keeps no process alive, and never rejects. */
export class Lane {
    private readonly finished: Promise<void>;
    private isClosing = false;
    private wake = (): void => undefined;

    constructor(
        private readonly work: LaneWork,
        private readonly server: Pick<MlflowServer, 'gatherMs' | 'retryMs'>,
        private readonly signal: AbortSignal,
    ) {
        signal.addEventListener('abort', () => this.wake());
        this.finished = this.run();
    }

    /** Ends when nothing is left to do, nothing can be done, or the signal has come. */
    async close(): Promise<void> {
        this.isClosing = true;
        this.wake();
        await this.finished;
    }

    private async run(): Promise<void> {
        const { gatherMs = DEFAULT_GATHER_MS } = this.server;
        let asked = 0;
        for (let failures = 0; ;) {
            if (!this.isClosing)
                await this.pause(failures === 0 ? gatherMs : Math.max(asked, this.delay(failures)));
            const failure = await this.failureOf();
            if (failure === undefined) {
                failures = 0;
                if (this.isClosing && !this.work.hasMore()) return;
                continue;
            }
            if (this.signal.aborted) return;
            failures++;
            asked = failure instanceof MlflowError ? failure.retryAfterMs : 0;
            this.work.onFailure?.(failure);
            if (failure instanceof MlflowError && failure.kind === 'closed') {
                if (!this.isClosing) await this.pause(undefined);
                return;
            }
            if (this.isClosing) await this.pause(Math.min(CLOSING_DELAY_MS, this.delay(failures)));
            if (this.signal.aborted) return;
        }
    }

    private async failureOf(): Promise<unknown> {
        try {
            await this.work.run();
            return undefined;
        } catch (error) {
            return error ?? new Error('unknown');
        }
    }

    private delay(failures: number): number {
        const { retryMs = DEFAULT_RETRY_MS } = this.server;
        const delay = Math.min(LONGEST_DELAY_MS, retryMs * 2 ** Math.min(failures - 1, 10));
        // Many runs should not come back at one moment.
        return delay * (0.5 + 0.5 * Math.random());
    }

    /** Until `close`, or for so long. */
    private pause(ms: number | undefined): Promise<void> {
        return new Promise((done) => {
            const timer = ms === undefined ? undefined : setTimeout(done, ms);
            timer?.unref();
            this.wake = () => {
                clearTimeout(timer);
                done();
            };
        });
    }
}
