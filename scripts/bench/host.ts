import { readFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';

/** Ticks of all processors since boot: stolen by the host, and altogether. */
export interface CpuTicks {
    readonly steal: number;
    readonly total: number;
}

/** The first line of /proc/stat: user nice system idle iowait irq softirq steal (guest is part of user). */
export function parseCpuTicks(stat: string): CpuTicks | null {
    const fields = /^cpu +(.*)$/m.exec(stat)?.[1]?.split(' ').map(Number);
    if (!fields || fields.length < 8 || fields.some(Number.isNaN)) return null;
    const counted = fields.slice(0, 8);
    return { steal: counted[7], total: counted.reduce((sum, ticks) => sum + ticks, 0) };
}

/** null where the system has no /proc/stat. */
export function readCpuTicks(): CpuTicks | null {
    try {
        return parseCpuTicks(readFileSync('/proc/stat', 'utf8'));
    } catch {
        return null;
    }
}

/** Share of the time between two readings that the host gave to other guests. */
export function stealBetween(before: CpuTicks | null, after: CpuTicks | null): number {
    if (!before || !after || after.total <= before.total) return 0;
    return (after.steal - before.steal) / (after.total - before.total);
}

export function describeHost(): string {
    const processors = cpus();
    const load = loadavg()[0].toFixed(2);
    return `${processors[0]?.model ?? 'unknown processor'}, ${processors.length} processors, load ${load}`;
}
