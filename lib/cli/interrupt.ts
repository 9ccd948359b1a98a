import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

export interface Interrupt {
    /** Aborted by the first signal. */
    readonly signal: AbortSignal;
    /** 128 plus the signal's number once one came, as shells have it: 130 after Ctrl-C. */
    readonly exitCode: number | undefined;
    /** Gives the signals back to whoever had them. */
    readonly release: () => void;
}

/** Turns the first Ctrl-C (or SIGTERM) into an abort signal; the second ends the process at once. */
export function listenForInterrupt(tell: (text: string) => void): Interrupt {
    const controller = new AbortController();
    let exitCode: number | undefined;
    const listener = (name: NodeJS.Signals): void => {
        const code = 128 + constants.signals[name];
        if (exitCode !== undefined) process.exit(code);
        exitCode = code;
        tell('stopping after this step and saving the model; once more to quit at once');
        controller.abort();
    };
    for (const name of SIGNALS) process.on(name, listener);
    return {
        signal: controller.signal,
        get exitCode() {
            return exitCode;
        },
        release: () => {
            for (const name of SIGNALS) process.off(name, listener);
        },
    };
}
