import { availableParallelism } from 'node:os';

/** What is to be said about `--threads` where there are more of them than processors; undefined where not. */
export function crowdWarning(
    threads: number | undefined,
    processors = availableParallelism(),
): string | undefined {
    if (threads === undefined || threads <= processors) return undefined;
    const there = processors === 1 ? 'the one logical processor' : `the ${processors} logical processors`;
    return `--threads ${threads} is more than ${there} that this process may use; the threads wait for one another`;
}
