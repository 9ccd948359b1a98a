import type { TensorRecord } from './call.js';

/** Who is told what runs, op by op; `lib/autograd/profile` implements it. */
export interface Watcher {
    /** The clock, in milliseconds. */
    now(): number;
    /** A call of an op that began at `begin` has been handed over. */
    onCall(
        name: string,
        inputs: readonly (TensorRecord | number)[],
        outputs: readonly TensorRecord[],
        begin: number,
    ): void;
    /** A node was put on the tape. */
    onNode(node: object): void;
    /** Runs the backward of a node. */
    runNode<T>(node: object, op: string, body: () => T): T;
    /** Runs the forward of a module; `label` is its path. */
    runModule<T>(label: string, body: () => T): T;
}

let active: Watcher | null = null;

/** The watcher in charge, or null: then nothing is measured, and nothing is paid but this look. */
export function activeWatcher(): Watcher | null {
    return active;
}

/** Makes `watcher` the one in charge; returns the one before. */
export function exchangeWatcher(watcher: Watcher | null): Watcher | null {
    const before = active;
    active = watcher;
    return before;
}
