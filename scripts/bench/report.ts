import type { Benchmark } from './benchmark.js';
import type { Measurement } from './rounds.js';
import { median, peakFraction } from './statistics.js';
import type { Row, Summary } from './statistics.js';

const number = (value: number): string => value.toPrecision(4);

/** GFLOP/s, or GB/s where the work is to move bytes. */
function rate({ flops, bytes }: Benchmark, seconds: number): string {
    const amount = flops ?? bytes;
    return amount === undefined ? '-' : (amount / seconds / 1e9).toFixed(1);
}

/** `over`: this median over ours. */
function line(
    key: string,
    summary: Summary,
    over: number | undefined,
    benchmark: Benchmark,
    found: Measurement,
): string {
    const seconds = summary.median / benchmark.scale;
    const fraction = peakFraction(benchmark.flops, found.amounts.get(key) ?? [], found.peaks);
    const cells = [
        ...[summary.min, summary.median, summary.mad].map(number),
        rate(benchmark, seconds),
        fraction === null ? '-' : `${(100 * fraction).toFixed(1)} %`,
        ...(benchmark.epoch === undefined ? [] : [`${(seconds * benchmark.epoch).toFixed(2)} s`]),
        over === undefined ? '' : `${over.toFixed(2)}x`,
    ];
    return `  ${key.padEnd(30)}${cells.map((cell) => cell.padStart(10)).join('')}`.trimEnd();
}

/** The block of lines that a person reads for one row. */
export function describeRow(benchmark: Benchmark, row: Row, found: Measurement): string {
    const rounds = found.amounts.get('nativegrad')?.length ?? 0;
    const facts = [
        `${rounds} rounds of ${found.turn}`,
        ...(found.peaks.length > 0 ? [`peak ${median(found.peaks).toFixed(1)} GFLOP/s`] : []),
        `steal ${(100 * found.steal).toFixed(1)} %`,
        ...(found.discarded > 0 ? [`${found.discarded} rounds discarded for steal`] : []),
    ];
    const unit = benchmark.flops === null && benchmark.bytes !== undefined ? 'GB/s' : 'GFLOP/s';
    const titles = ['min', 'median', 'mad', unit, 'of peak'];
    if (benchmark.epoch !== undefined) titles.push('epoch');
    const others = Object.entries({ ...row.variants, ...row.peers });
    if (others.length > 0) titles.push('over ours');
    const lines = [
        `${row.name}  (${row.unit}; ${facts.join(', ')})`,
        `  ${''.padEnd(30)}${titles.map((title) => title.padStart(10)).join('')}`,
        line('nativegrad', row.ours, undefined, benchmark, found),
        ...others.map(([key, other]) => line(key, other, row.ratios[key], benchmark, found)),
    ];
    if (row.ratio !== null) lines.push(`  best peer's median over ours: ${row.ratio.toFixed(2)}`);
    return lines.join('\n');
}
