/** One look for every picture: a light page, thin grey rules, two strong colours that differ in brightness as well. */
export const STYLE = {
    // Arimo has Arial's widths, which is what text is measured with; a browser without it falls back to Arial itself.
    font: 'Arimo, Arial, Helvetica, sans-serif',
    background: '#ffffff',
    text: '#1f2933',
    mutedText: '#52606d',
    rule: '#e4e7eb',
    axis: '#9aa5b1',
    series: ['#1d4ed8', '#ea7317', '#0f8a5f', '#9d2f8f', '#6b7280'],
    right: '#0f8a5f',
    wrong: '#c81e1e',
    /** From empty to full cells of a heat map. */
    heat: ['#f5f8ff', '#a9c4f5', '#3f76d8', '#12357f'],
    titleSize: 16,
    textSize: 12,
} as const;
