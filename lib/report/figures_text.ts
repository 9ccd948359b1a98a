/** A figure for people: `n` digits behind the point, a dash for what is not known. */
export function decimal(value: number | null | undefined, digits: number): string {
    return value === null || value === undefined || Number.isNaN(value) ? '–' : value.toFixed(digits);
}

/** A share from 0 to 1 in percent. */
export function percent(share: number | null | undefined, digits = 2): string {
    if (share === null || share === undefined || Number.isNaN(share)) return '–';
    return `${(100 * share).toFixed(digits)} %`;
}

/** 12,345 */
export function grouped(value: number): string {
    return Number.isFinite(value) ? value.toLocaleString('en-US', { maximumFractionDigits: 0 }) : '–';
}

/** 4.2 s, 3 min 20 s, 2 h 5 min */
export function duration(seconds: number): string {
    if (!Number.isFinite(seconds)) return '–';
    if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
    const minutes = Math.floor(Math.round(seconds) / 60);
    if (minutes < 60) return `${minutes} min ${Math.round(seconds) % 60} s`;
    return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
