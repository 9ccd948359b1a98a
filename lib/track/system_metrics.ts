import { cpus, freemem, totalmem } from 'node:os';

import type { Run } from './run.js';

const MEGABYTE = 1e6;
const DEFAULT_MS = 10_000;

/** Memory of a GPU in bytes. */
export interface GpuMemory {
    readonly used: number;
    readonly total: number;
}

export interface SystemMetricsOptions {
    /** Milliseconds between samples. Default: 10,000. */
    readonly everyMs?: number;
    /** Reads the memory of the GPUs that are in use. */
    readonly gpuMemory?: () => readonly GpuMemory[];
}

/**
 * Logs how busy the machine is to a run, under MLflow's names: `system/cpu_utilization_percentage`,
 * `system/system_memory_usage_megabytes` and `_percentage`, `system/process_memory_rss_megabytes` and, for each GPU,
 * `system/gpu_0_memory_usage_megabytes` and `_percentage`. The step is the number of intervals since the run's first start.
 *
 * @throws {RangeError} where `everyMs` is no time.
 * @returns A function that takes a last sample, where there was none for long, and stops.
 *
 * @example
 * import { mkdtempSync } from 'node:fs';
 * import { tmpdir } from 'node:os';
 * import { track } from 'nativegrad';
 * const run = await track.startRun({ folder: mkdtempSync(`${tmpdir()}/run-`) });
 * const stop = track.logSystemMetrics(run, { everyMs: 1000 });
 * stop();
 * await run.end();
 * const read = await track.readRun(run.folder);
 * console.log(read?.metrics.has('system/process_memory_rss_megabytes')); // true
 */
export function logSystemMetrics(run: Run, options: SystemMetricsOptions = {}): () => void {
    const { everyMs = DEFAULT_MS, gpuMemory = () => [] } = options;
    if (!(everyMs >= 1 && everyMs < 2 ** 31))
        throw new RangeError(
            `[logSystemMetrics] everyMs must be milliseconds from 1 to ${2 ** 31 - 1}, got ${everyMs}`,
        );
    let before = processorTimes();
    let lastStep = -1;
    const sample = (): void => {
        // A run that has ended without the sampling being stopped takes no more.
        if (run.hasEnded) {
            clearInterval(timer);
            return;
        }
        const now = processorTimes();
        const step = Math.round((Date.now() - run.startTime) / everyMs);
        if (step <= lastStep) return;
        lastStep = step;
        run.logMetrics({ ...machineMetrics(before, now), ...gpuMetrics(gpuMemory) }, { step });
        before = now;
    };
    const timer = setInterval(sample, everyMs);
    timer.unref();
    return () => {
        clearInterval(timer);
        sample();
    };
}

interface ProcessorTimes {
    readonly busy: number;
    readonly all: number;
}

function processorTimes(): ProcessorTimes {
    let [busy, all] = [0, 0];
    for (const { times } of cpus()) {
        const sum = times.user + times.nice + times.sys + times.irq;
        busy += sum;
        all += sum + times.idle;
    }
    return { busy, all };
}

function machineMetrics(before: ProcessorTimes, now: ProcessorTimes): Record<string, number> {
    const total = totalmem();
    const used = total - freemem();
    const passed = now.all - before.all;
    return {
        // Ticks of 10 ms: over a shorter time there may be none.
        ...(passed > 0
            ? { 'system/cpu_utilization_percentage': (100 * (now.busy - before.busy)) / passed }
            : {}),
        'system/system_memory_usage_megabytes': used / MEGABYTE,
        'system/system_memory_usage_percentage': (100 * used) / total,
        'system/process_memory_rss_megabytes': process.memoryUsage.rss() / MEGABYTE,
    };
}

/** A GPU that fails says so where it computes, not here. */
function gpuMetrics(read: () => readonly GpuMemory[]): Record<string, number> {
    try {
        const entries = read().flatMap(({ used, total }, i): [string, number][] => [
            [`system/gpu_${i}_memory_usage_megabytes`, used / MEGABYTE],
            [`system/gpu_${i}_memory_usage_percentage`, (100 * used) / total],
        ]);
        return Object.fromEntries(entries);
    } catch {
        return {};
    }
}
