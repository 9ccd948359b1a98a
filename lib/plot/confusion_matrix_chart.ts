import type { HeatmapSeriesOption, TitleComponentOption } from 'echarts';

import { renderChart } from './render_chart.js';
import { PAGE_HEAT, PAGE_PALETTE, STYLE } from './style.js';
import type { Palette } from './style.js';

export interface ConfusionMatrixChart {
    /** Without one, the drawing stands in a page that says what it is. */
    readonly title?: string;
    /** Names of the classes, in the order of the counts. */
    readonly classNames: readonly string[];
    /** Rows are true classes, columns predicted ones. */
    readonly counts: readonly (readonly number[])[];
    /** Largest width and height of the cells together, in pixels. Default 960. */
    readonly side?: number;
    /** `page`: transparent, without a scale, in the colours that the page around it gives, `--chart-heat` for a full cell. Default `fixed`: on white. */
    readonly colors?: 'fixed' | 'page';
}

type HeatCell = NonNullable<HeatmapSeriesOption['data']>[number] & {
    readonly value: [number, number, number];
};

const CELL = 48;
/** As far as a picture grows; cells of more classes become smaller. */
const LARGEST_SIDE = 960;
/** Narrower cells have no room for a count, and their rows none for each name. */
const SMALLEST_LABELLED = 36;
/** Cells of one colour; a single sample is still seen. */
const FAINT_TO_FULL = { show: false, min: 0, max: 100, dimension: 2, inRange: { opacity: [0.15, 1] } };
const MARGIN = { left: 96, right: 116, top: 60, bottom: 64 };

/**
 * Draws a confusion matrix as SVG text: each cell shows its count and is coloured by its share of the true class; of
 * more than 26 classes, and in a page, the colour alone.
 * counts [C, C], classNames [C] -> SVG
 *
 * @throws {RangeError} where the counts are not square or the names do not fit them.
 * @example
 * ```ts
 * import { plot } from 'nativegrad';
 * const svg = await plot.confusionMatrixChart({ title: 'Test', classNames: ['a', 'b'], counts: [[3, 1], [0, 4]] });
 * console.log(svg.includes('Predicted class')); // true
 * ```
 */
export async function confusionMatrixChart(chart: ConfusionMatrixChart): Promise<string> {
    checkSquare(chart);
    const isOnPage = chart.colors === 'page';
    const palette: Palette = isOnPage ? PAGE_PALETTE : STYLE;
    const margin = {
        ...MARGIN,
        ...(chart.title === undefined ? { top: 16 } : {}),
        ...(isOnPage ? { right: 16 } : {}),
    };
    const side = Math.min(chart.side ?? LARGEST_SIDE, Math.max(chart.counts.length, 4) * CELL);
    const hasRoom = !isOnPage && side / chart.counts.length >= SMALLEST_LABELLED;
    const names = [...chart.classNames];
    const axisName = {
        nameLocation: 'middle' as const,
        nameTextStyle: { fontSize: 13, color: palette.text },
    };
    const axisLook = {
        type: 'category' as const,
        data: names,
        axisLine: { show: isOnPage, lineStyle: { color: palette.axis } },
        axisTick: { show: false },
        axisLabel: {
            color: palette.text,
            fontSize: STYLE.textSize,
            ...(hasRoom ? { interval: 0 } : {}),
            width: 60,
            overflow: 'truncate' as const,
        },
    };
    return renderChart(
        {
            backgroundColor: palette.background,
            textStyle: { fontFamily: STYLE.font, color: palette.text },
            title:
                chart.title === undefined ? [] : pictureTitle(chart.title, margin.left + side + margin.right),
            grid: { left: margin.left, top: margin.top, width: side, height: side },
            xAxis: { ...axisLook, ...axisName, name: 'Predicted class', nameGap: 36 },
            yAxis: {
                ...axisLook,
                ...axisName,
                name: 'True class',
                inverse: true,
                nameRotate: 90,
                nameGap: 64,
            },
            visualMap: isOnPage ? FAINT_TO_FULL : heatLegend(side),
            series: {
                type: 'heatmap',
                data: cells(chart.counts, hasRoom).filter((cell) => !isOnPage || cell.value[2] > 0),
                itemStyle: isOnPage
                    ? { color: PAGE_HEAT }
                    : { borderColor: '#ffffff', borderWidth: hasRoom ? 1 : 0 },
            },
        },
        {
            width: margin.left + side + margin.right,
            height: margin.top + side + margin.bottom,
        },
    );
}

function pictureTitle(text: string, width: number): TitleComponentOption {
    const look = { fontSize: STYLE.titleSize, color: STYLE.text, overflow: 'truncate' as const };
    return { text, left: 16, top: 14, textStyle: { ...look, width: width - 32 } };
}

function heatLegend(side: number): object {
    return {
        min: 0,
        max: 100,
        dimension: 2,
        calculable: false,
        orient: 'vertical',
        left: MARGIN.left + side + 18,
        top: MARGIN.top + side / 2 - 90,
        itemHeight: 130,
        itemWidth: 14,
        text: ['100 % of\ntrue class', '0 %'],
        textStyle: { color: STYLE.mutedText, fontSize: 11, fontFamily: STYLE.font },
        inRange: { color: [...STYLE.heat] },
    };
}

function cells(counts: readonly (readonly number[])[], hasRoom: boolean): HeatCell[] {
    return counts.flatMap((row, label) => {
        const total = row.reduce((sum, count) => sum + count, 0);
        return row.map((count, predicted): HeatCell => {
            const share = total === 0 ? 0 : (100 * count) / total;
            return {
                value: [predicted, label, share],
                label: {
                    show: hasRoom,
                    formatter: count === 0 ? '' : String(count),
                    color: share > 45 ? '#ffffff' : STYLE.text,
                    fontSize: count >= 10_000 ? 10 : STYLE.textSize,
                    fontWeight: label === predicted ? ('bold' as const) : ('normal' as const),
                },
            };
        });
    });
}

function checkSquare({ counts, classNames }: ConfusionMatrixChart): void {
    const size = counts.length;
    if (size === 0 || counts.some((row) => row.length !== size) || classNames.length !== size) {
        const rows = counts.map((row) => row.length).join(', ');
        throw new RangeError(
            `[confusionMatrixChart] counts must be square with one name per row: ${size} rows of [${rows}], ${classNames.length} names`,
        );
    }
}
