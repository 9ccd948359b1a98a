import type { HeatmapSeriesOption } from 'echarts';

import { renderChart } from './render_chart.js';
import { STYLE } from './style.js';

export interface ConfusionMatrixChart {
    readonly title: string;
    /** Names of the classes, in the order of the counts. */
    readonly classNames: readonly string[];
    /** Rows are true classes, columns predicted ones. */
    readonly counts: readonly (readonly number[])[];
}

const CELL = 48;
/** As far as a picture grows; cells of more classes become smaller. */
const LARGEST_SIDE = 960;
/** Narrower cells have no room for a count, and their rows none for each name. */
const SMALLEST_LABELLED = 36;
const MARGIN = { left: 96, right: 116, top: 60, bottom: 64 };

/**
 * Draws a confusion matrix as SVG text: each cell shows its count and is coloured by its share of the true class; of
 * more than 26 classes the colour alone.
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
    const titleLook = { fontSize: STYLE.titleSize, color: STYLE.text, overflow: 'truncate' as const };
    const side = Math.min(LARGEST_SIDE, Math.max(chart.counts.length, 4) * CELL);
    const hasRoom = side / chart.counts.length >= SMALLEST_LABELLED;
    const names = [...chart.classNames];
    const axisName = { nameLocation: 'middle' as const, nameTextStyle: { fontSize: 13, color: STYLE.text } };
    const axisLook = {
        type: 'category' as const,
        data: names,
        axisLine: { show: false },
        axisTick: { show: false },
        axisLabel: {
            color: STYLE.text,
            fontSize: STYLE.textSize,
            ...(hasRoom ? { interval: 0 } : {}),
            width: 60,
            overflow: 'truncate' as const,
        },
    };
    return renderChart(
        {
            backgroundColor: STYLE.background,
            textStyle: { fontFamily: STYLE.font, color: STYLE.text },
            title: {
                text: chart.title,
                left: 16,
                top: 14,
                textStyle: { ...titleLook, width: MARGIN.left + side + MARGIN.right - 32 },
            },
            grid: { left: MARGIN.left, top: MARGIN.top, width: side, height: side },
            xAxis: { ...axisLook, ...axisName, name: 'Predicted class', nameGap: 36 },
            yAxis: {
                ...axisLook,
                ...axisName,
                name: 'True class',
                inverse: true,
                nameRotate: 90,
                nameGap: 64,
            },
            visualMap: heatLegend(side),
            series: {
                type: 'heatmap',
                data: cells(chart.counts, hasRoom),
                itemStyle: { borderColor: '#ffffff', borderWidth: hasRoom ? 1 : 0 },
            },
        },
        { width: MARGIN.left + side + MARGIN.right, height: MARGIN.top + side + MARGIN.bottom },
    );
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

function cells(
    counts: readonly (readonly number[])[],
    hasRoom: boolean,
): NonNullable<HeatmapSeriesOption['data']> {
    return counts.flatMap((row, label) => {
        const total = row.reduce((sum, count) => sum + count, 0);
        return row.map((count, predicted) => {
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
