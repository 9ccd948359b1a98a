import { setThreads, threads } from '../../lib/index.js';
import { native } from '../../lib/native/addon.js';

const { best } = native.instructionSets();
const order = ['scalar', 'avx2', 'avx512'];

/** The instruction sets that this processor has. */
export const availableSets: readonly string[] = order.slice(0, order.indexOf(best) + 1);

/** Runs `body` with the kernels of one instruction set. */
export function withSet<T>(set: string, body: () => T): T {
    const before = native.instructionSets().used;
    native.useInstructionSet(set);
    try {
        return body();
    } finally {
        native.useInstructionSet(before);
    }
}

/** Runs `body` with so many threads. */
export function withThreads<T>(count: number, body: () => T): T {
    const before = threads();
    setThreads(count);
    try {
        return body();
    } finally {
        setThreads(before);
    }
}
