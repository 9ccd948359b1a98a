import { constants } from 'node:os';

/** SIGUSR2 is what schedulers (SLURM's --signal) send some time before the end; Windows has none. */
const SIGNALS = (['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const).filter(
    (name) => name !== 'SIGUSR2' || process.platform !== 'win32',
);

/**
 * One signal may come twice: to the program itself and once more through `npm run`, which hands Ctrl-C and SIGTERM on, or from
 * `timeout`, which sends it to its child and then to the group.
 */
const SAME_PRESS_MS = 300;

/** By the signal's own default: `process.exit` would wait for a step that runs on another thread. */
function endAtOnce(name: NodeJS.Signals, code: number): void {
    if (process.platform === 'win32') process.exit(code);
    process.removeAllListeners(name);
    process.kill(process.pid, name);
}

export interface Interrupt {
    /** Aborted by the first signal. */
    readonly signal: AbortSignal;
    /** 128 plus the signal's number once one came, as shells have it: 130 after Ctrl-C. */
    readonly exitCode: number | undefined;
    /** Gives the signals back to whoever had them. */
    readonly release: () => void;
}

/**
 * Turns the first Ctrl-C (or SIGTERM, SIGUSR2, or SIGHUP of a closed terminal) into an abort signal; the second ends the process
 * at once. The same signal within 300 ms is the first one still.
 */
export function listenForInterrupt(tell: (text: string) => void): Interrupt {
    const controller = new AbortController();
    let first: { readonly name: NodeJS.Signals; readonly code: number; readonly time: number } | undefined;
    const listener = (name: NodeJS.Signals): void => {
        const time = performance.now();
        const code = 128 + constants.signals[name];
        if (first !== undefined) {
            const isSame = name === first.name && time - first.time <= SAME_PRESS_MS;
            if (!isSame) endAtOnce(name, code);
            return;
        }
        first = { name, code, time };
        tell('stopping after this step and saving the model; once more to quit at once');
        controller.abort();
    };
    for (const name of SIGNALS) process.on(name, listener);
    return {
        signal: controller.signal,
        get exitCode() {
            return first?.code;
        },
        release: () => {
            for (const name of SIGNALS) process.off(name, listener);
        },
    };
}
