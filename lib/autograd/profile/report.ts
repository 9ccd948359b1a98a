import { alignedRows } from '../../support/text_table.js';
import type { Phase, ProfileEvent, Recorder } from './recorder.js';

/** Sums over the calls of one op in one phase. */
export interface OpProfile {
    readonly op: string;
    readonly phase: Phase;
    readonly calls: number;
    readonly milliseconds: number;
    /** Of the tensors that it made. */
    readonly bytes: number;
    /** Of all that it read and wrote. */
    readonly moved: number;
}

/** Sums over the ops of one layer, without those of the layers in it but where it says total. */
export interface LayerProfile {
    readonly layer: string;
    /** How often its forward ran. */
    readonly calls: number;
    readonly forward: number;
    readonly backward: number;
    /** Milliseconds with those of the layers in it, both ways. */
    readonly total: number;
    readonly bytes: number;
    readonly moved: number;
}

/** Sums by op and phase, the longest first. */
export function opRows(events: readonly ProfileEvent[]): OpProfile[] {
    const rows = new Map<string, OpProfile>();
    for (const { op, phase, milliseconds, bytes, moved } of events) {
        const key = `${phase} ${op}`;
        const row = rows.get(key) ?? { op, phase, calls: 0, milliseconds: 0, bytes: 0, moved: 0 };
        rows.set(key, {
            ...row,
            calls: row.calls + 1,
            milliseconds: row.milliseconds + milliseconds,
            bytes: row.bytes + bytes,
            moved: row.moved + moved,
        });
    }
    return [...rows.values()].sort((a, b) => b.milliseconds - a.milliseconds);
}

export function layerRows({ calls, events }: Recorder): LayerProfile[] {
    const names = new Set([...calls.keys(), ...events.map(({ layer }) => layer)]);
    const byLayer = new Map<string, ProfileEvent[]>();
    for (const event of events) {
        const list = byLayer.get(event.layer);
        if (list) list.push(event);
        else byLayer.set(event.layer, [event]);
    }
    const sum = (list: readonly ProfileEvent[], value: (event: ProfileEvent) => number): number =>
        list.reduce((total, event) => total + value(event), 0);
    const time = (list: readonly ProfileEvent[]): number => sum(list, ({ milliseconds }) => milliseconds);
    return [...names].map((layer) => {
        const own = byLayer.get(layer) ?? [];
        const inside = [...byLayer].filter(
            ([name]) => layer !== '' && (name === layer || name.startsWith(`${layer}.`)),
        );
        const back = own.filter(({ phase }) => phase === 'backward');
        return {
            layer,
            calls: calls.get(layer) ?? 0,
            forward: time(own) - time(back),
            backward: time(back),
            total: layer === '' ? time(own) : inside.reduce((total, [, list]) => total + time(list), 0),
            bytes: sum(own, ({ bytes }) => bytes),
            moved: sum(own, ({ moved }) => moved),
        };
    });
}

const milliseconds = (value: number): string => value.toFixed(3);

function size(bytes: number): string {
    if (bytes < 1e3) return `${bytes} B`;
    if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`;
    return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

/** Columns, the first ones to the left, numbers to the right. */
function table(head: readonly string[], rows: readonly (readonly string[])[], texts: number): string {
    const [first = '', ...others] = alignedRows([head, ...rows], texts);
    const width = Math.max(first.length, ...others.map((line) => line.length));
    return [first, '-'.repeat(width), ...others].join('\n');
}

/** Both tables as text. */
export function profileTable(found: {
    readonly milliseconds: number;
    readonly opMilliseconds: number;
    readonly ops: readonly OpProfile[];
    readonly layers: readonly LayerProfile[];
}): string {
    const share = (value: number): string =>
        found.opMilliseconds > 0 ? `${((100 * value) / found.opMilliseconds).toFixed(1)} %` : '-';
    const ops = found.ops.map(({ op, phase, calls, milliseconds: ms, bytes, moved }) => [
        ...[op, phase, String(calls), milliseconds(ms), share(ms), size(bytes), size(moved)],
    ]);
    const layers = found.layers.map(({ layer, calls, forward, backward, total, bytes, moved }) => [
        ...[layer || '(outside)', String(calls), milliseconds(forward), milliseconds(backward)],
        ...[milliseconds(total), size(bytes), size(moved)],
    ]);
    return [
        table(['Op', 'Phase', 'Calls', 'ms', 'Share', 'Made', 'Moved'], ops, 2),
        table(['Layer', 'Calls', 'Forward ms', 'Backward ms', 'Total ms', 'Made', 'Moved'], layers, 1),
        `${milliseconds(found.milliseconds)} ms, of them ${milliseconds(found.opMilliseconds)} ms in ops`,
    ].join('\n\n');
}
