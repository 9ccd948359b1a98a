import type { Benchmark } from './benchmark.js';
import type { Measurement } from './rounds.js';
import { median } from './statistics.js';
import type { Row, Summary } from './statistics.js';

const number = (value: number): string => value.toPrecision(4);

function line(name: string, summary: Summary, benchmark: Benchmark, peak: number | null): string {
    const rate = benchmark.flops === null ? null : benchmark.flops / (summary.median / benchmark.scale) / 1e9;
    const cells = [
        name.padEnd(30),
        number(summary.min).padStart(10),
        number(summary.median).padStart(10),
        (rate === null ? '-' : rate.toFixed(1)).padStart(10),
        (rate === null || peak === null ? '-' : `${((100 * rate) / peak).toFixed(1)} %`).padStart(10),
        benchmark.epoch === undefined
            ? ''
            : `${((summary.median / benchmark.scale) * benchmark.epoch).toFixed(2)} s`.padStart(10),
    ];
    return `  ${cells.join('')}`.trimEnd();
}

/** The block of lines that a person reads for one benchmark. */
export function describeRow(benchmark: Benchmark, row: Row, found: Measurement): string {
    const peak = found.peaks.length > 0 ? median(found.peaks) : null;
    const rounds = found.seconds.get('nativegrad')?.length ?? 0;
    const facts = [
        `${rounds} rounds of ${benchmark.turn}`,
        peak === null ? 'no peak' : `peak ${peak.toFixed(1)} GFLOP/s`,
        `steal ${(100 * found.steal).toFixed(1)} %`,
        ...(found.discarded > 0 ? [`${found.discarded} rounds discarded for steal`] : []),
    ];
    const header = ['min', 'median', 'GFLOP/s', 'of peak'].map((word) => word.padStart(10)).join('');
    const epoch = benchmark.epoch === undefined ? '' : 'epoch'.padStart(10);
    const lines = [
        `${row.name}  (${row.unit}; ${facts.join(', ')})`,
        `  ${''.padEnd(30)}${header}${epoch}`,
        line('nativegrad', row.ours, benchmark, peak),
        ...Object.entries(row.peers).map(([key, peer]) => line(key, peer, benchmark, peak)),
    ];
    if (row.ratio !== null) lines.push(`  best peer's median over ours: ${row.ratio.toFixed(2)}`);
    return lines.join('\n');
}
