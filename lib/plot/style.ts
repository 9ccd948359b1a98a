/** One look for every picture: a light page, thin grey rules, two strong colours that differ in brightness as well. */
export const STYLE = {
    // Arimo has Arial's widths, which is what text is measured with; a browser without it falls back to Arial itself.
    font: 'Arimo, Arial, Helvetica, sans-serif',
    background: '#ffffff',
    text: '#1f2933',
    mutedText: '#52606d',
    rule: '#e4e7eb',
    axis: '#9aa5b1',
    series: [
        ...['#1d4ed8', '#c2570c', '#0f8a5f', '#9d2f8f', '#6b7280'],
        ...['#0e7490', '#b91c1c', '#4d7c0f', '#7c3aed', '#a16207'],
    ],
    right: '#0f8a5f',
    wrong: '#c81e1e',
    /** From empty to full cells of a heat map. */
    heat: ['#f5f8ff', '#a9c4f5', '#3f76d8', '#12357f'],
    titleSize: 16,
    textSize: 12,
} as const;

/** The colours of a drawing: fixed ones for files of their own, or those of the page around it. */
export interface Palette {
    readonly background: string;
    readonly text: string;
    readonly mutedText: string;
    readonly rule: string;
    readonly axis: string;
    readonly series: readonly string[];
}

/** For a drawing inside an HTML page, which sets these variables, for a dark page as well. */
export const PAGE_PALETTE: Palette = {
    background: 'transparent',
    text: `var(--chart-text, ${STYLE.text})`,
    mutedText: `var(--chart-muted, ${STYLE.mutedText})`,
    rule: `var(--chart-rule, ${STYLE.rule})`,
    axis: `var(--chart-axis, ${STYLE.axis})`,
    series: STYLE.series.map((color, index) => `var(--chart-series-${index + 1}, ${color})`),
};

/** Of a full cell of a heat map inside a page; others are less opaque, as nobody here knows what lies between two of its colours. */
export const PAGE_HEAT = `var(--chart-heat, ${STYLE.heat.at(-1)})`;
