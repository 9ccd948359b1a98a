import { exchangeWatcher } from '../../native/watcher.js';
import { describeValue } from '../../support/describe_value.js';
import { Recorder, type ProfileEvent } from './recorder.js';
import { layerRows, opRows, profileTable, type LayerProfile, type OpProfile } from './report.js';
import { traceOf, type Trace } from './trace.js';

/** What `profile` has measured; as a string it is a table. */
export interface Profile<T> {
    /** What the function gave. */
    readonly result: T;
    /** Of the whole function, JavaScript included. */
    readonly milliseconds: number;
    /** Of the ops alone. */
    readonly opMilliseconds: number;
    /** Sums by op and direction, the longest first. */
    readonly ops: readonly OpProfile[];
    /** Sums by layer, in the order of their first call; ops outside of any layer stand under ''. */
    readonly layers: readonly LayerProfile[];
    /** Each call, in order. */
    readonly events: readonly ProfileEvent[];
    /** The calls in the Trace Event Format: `JSON.stringify` it into a file that chrome://tracing and ui.perfetto.dev open. */
    trace(): Trace;
    toString(): string;
}

let running = false;

function finished<T>(recorder: Recorder, result: T): Profile<T> {
    const milliseconds = recorder.finish();
    const { events } = recorder;
    const ops = opRows(events);
    const layers = layerRows(recorder);
    const opMilliseconds = ops.reduce((sum, row) => sum + row.milliseconds, 0);
    return {
        ...{ result, milliseconds, opMilliseconds, ops, layers, events },
        trace: () => traceOf(recorder),
        toString: () => profileTable({ milliseconds, opMilliseconds, ops, layers }),
    };
}

/**
 * Runs `body` and measures each op in it, forward, backward and beside them: its time, the bytes of the tensors that it makes
 * and of all that it reads and writes, and the layer that it belongs to (in backward, the one whose forward recorded it).
 *
 * `body` may be asynchronous; all that runs until its promise settles counts. On a GPU each op is waited for, so that its
 * time is its own; without a profile they overlap. A captured step counts as one op, `captured_step`, or several where many run at once: its own `profile` tells them apart.
 * Only ops run slower, by about a microsecond each; without a profile nothing is measured.
 *
 * @throws TypeError for a `body` that is no function; Error inside another profile; whatever `body` throws.
 * @example
 * import { nn, profile, randn } from 'nativegrad';
 * const model = new nn.Sequential(new nn.Linear(64, 32), new nn.ReLU(), new nn.Linear(32, 10));
 * const { layers, ...measured } = profile(() => model.forward(randn([16, 64])).sum().backward());
 * console.log(layers.map(({ layer }) => layer).join(' ')); // Sequential Sequential.0 Sequential.1 Sequential.2
 * console.log(JSON.stringify(measured.trace()).startsWith('{"traceEvents"')); // true
 */
export function profile<T>(body: () => Promise<T>): Promise<Profile<T>>;
export function profile<T>(body: () => T): Profile<T>;
export function profile(body: () => unknown): unknown {
    if (typeof body !== 'function')
        throw new TypeError(`[profile] takes a function to run, got ${describeValue(body)}`);
    if (running) throw new Error('[profile] one is running already; await it before the next one');
    const recorder = new Recorder();
    const before = exchangeWatcher(recorder);
    running = true;
    const end = (): void => {
        exchangeWatcher(before);
        running = false;
    };
    let result: unknown;
    try {
        result = body();
    } catch (error) {
        end();
        throw error;
    }
    if (result instanceof Promise)
        return result.then((value: unknown) => finished(recorder, value)).finally(end);
    end();
    return finished(recorder, result);
}
