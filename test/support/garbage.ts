import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

let collect: (() => void) | undefined;

/** Collects what nobody refers to any more, and has what ends with it (memory outside of JavaScript, too) given back. */
export async function collectGarbage(): Promise<void> {
    if (collect === undefined) {
        setFlagsFromString('--expose-gc');
        collect = runInNewContext('gc') as () => void;
    }
    // What was awaited may be held by its promise for a turn, and finalizers run between turns.
    for (let turn = 0; turn < 2; turn++) {
        await new Promise(setImmediate);
        collect();
    }
    await new Promise(setImmediate);
}
