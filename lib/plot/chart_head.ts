import type { LegendComponentOption, TitleComponentOption } from 'echarts';

import { layLegend, legendOption } from './legend.js';
import type { Legend } from './legend.js';
import type { PictureSize } from './picture_size.js';
import { STYLE } from './style.js';
import type { Palette } from './style.js';

/** Room beside a plot, with the names and figures of its axis. */
export const SIDES = { left: 72, right: 28 };

/** Top of the plots below a legend of one row, with titles and without. */
const TOP = 86;
const LOW_TOP = 48;
const LEGEND_TOP = 14;
/** The first key begins a little left of the plot. */
const LEGEND_LEFT = SIDES.left - 20;
const TITLE = { left: 16, top: 10 };
/** Of a legend with rows of its own below the title, and of the panels' titles where there is none. */
const BELOW_TITLE = 46;
const PANEL_TITLE_TOP = 50;

/** What stands above the plots of a chart. */
export interface ChartHead {
    readonly legend: Legend;
    readonly legendPlace: readonly [left: number, top: number];
    /** By so much the panels' titles and plots stand lower than usual. */
    readonly shift: number;
    readonly titleWidth: number;
    /** Of the plots. */
    readonly top: number;
}

/**
 * Without a title, the legend stands above the plot. With one it stands beside it, or, where it is wider than half the
 * picture, in rows of its own below.
 */
export function chartHead(title: string | undefined, names: readonly string[], width: number): ChartHead {
    const legend = layLegend(names, width - LEGEND_LEFT - SIDES.right);
    const titleWidth = width - TITLE.left - SIDES.right;
    if (title === undefined) {
        const shift = Math.max(0, legend.height - legend.rowHeight);
        return { legend, legendPlace: [LEGEND_LEFT, LEGEND_TOP], shift, titleWidth, top: LOW_TOP + shift };
    }
    if (legend.rows > 1 || legend.width > width / 2) {
        const shift = legend.height;
        return { legend, legendPlace: [LEGEND_LEFT, BELOW_TITLE], shift, titleWidth, top: TOP + shift };
    }
    const left = width - SIDES.right - legend.width;
    const besideLegend = titleWidth - legend.width - TITLE.left;
    return { legend, legendPlace: [left, LEGEND_TOP], shift: 0, titleWidth: besideLegend, top: TOP };
}

/** `size`, and as much higher as the head is that these names need, so that the plot keeps its own. */
export function withRoomFor(
    names: readonly string[],
    { width, height }: PictureSize,
    title?: string,
): PictureSize {
    return { width, height: height + chartHead(title, names, width).shift };
}

export function headLegend(
    { legend, legendPlace: [left, top] }: ChartHead,
    palette: Palette,
): LegendComponentOption[] {
    return legendOption(legend, left, top, palette);
}

export function pageTitle(
    text: string,
    { titleWidth }: ChartHead,
    { text: ink }: Palette,
): TitleComponentOption {
    const look = { fontSize: STYLE.titleSize, color: ink, overflow: 'truncate' as const };
    return { text, ...TITLE, textStyle: { ...look, width: titleWidth } };
}

export function panelTitle(
    text: string,
    left: number,
    { shift }: ChartHead,
    palette: Palette,
): TitleComponentOption {
    const textStyle = { fontSize: STYLE.textSize + 1, color: palette.mutedText, fontWeight: 'bold' as const };
    return { text, left: left - 6, top: PANEL_TITLE_TOP + shift, textStyle };
}
