import type { ProfileEvent, Recorder, Span } from './recorder.js';

/** One entry of the Trace Event Format; times in microseconds. */
export interface TraceEvent {
    readonly name: string;
    readonly ph: 'X' | 'M';
    readonly pid: number;
    readonly tid: number;
    readonly cat?: string;
    readonly ts?: number;
    readonly dur?: number;
    readonly args?: Readonly<Record<string, unknown>>;
}

/** A file for chrome://tracing and ui.perfetto.dev, as an object. */
export interface Trace {
    readonly traceEvents: readonly TraceEvent[];
    readonly displayTimeUnit: 'ms';
}

const place = { pid: 1, tid: 1 };

function spanEvent({ name, phase, begin, milliseconds }: Span): TraceEvent {
    return { name, cat: phase, ph: 'X', ts: begin * 1000, dur: milliseconds * 1000, ...place };
}

function opEvent({ op, phase, layer, begin, milliseconds, bytes, moved, shapes }: ProfileEvent): TraceEvent {
    const args = { layer, phase, bytes, moved, shapes };
    return { name: op, cat: 'op', ph: 'X', ts: begin * 1000, dur: milliseconds * 1000, ...place, args };
}

/** Source: Google, "Trace Event Format" (complete events, which nest by their times). */
export function traceOf(recorder: Recorder): Trace {
    const named = (name: string, text: string): TraceEvent => ({
        name,
        ph: 'M',
        ...place,
        args: { name: text },
    });
    // An outer one comes before those in it, also where they begin together.
    const timed = [...recorder.spans.map(spanEvent), ...recorder.events.map(opEvent)].sort(
        (a, b) => (a.ts ?? 0) - (b.ts ?? 0) || (b.dur ?? 0) - (a.dur ?? 0),
    );
    return {
        traceEvents: [named('process_name', 'nativegrad'), named('thread_name', 'ops and layers'), ...timed],
        displayTimeUnit: 'ms',
    };
}
