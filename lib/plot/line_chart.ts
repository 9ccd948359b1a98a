import type {
    GridComponentOption,
    LineSeriesOption,
    TitleComponentOption,
    XAXisComponentOption,
    YAXisComponentOption,
} from 'echarts';

import { renderChart } from './render_chart.js';
import type { PictureSize } from './picture_size.js';
import { STYLE } from './style.js';

export interface LineSeries {
    readonly name: string;
    /** One value per x; NaN leaves a gap. */
    readonly values: readonly number[];
}

export interface LinePanel {
    readonly title: string;
    /** The quantity with its unit, e.g. `Accuracy (%)`. */
    readonly yLabel: string;
    readonly series: readonly LineSeries[];
}

export interface LineChart {
    readonly title: string;
    readonly xLabel: string;
    readonly x: readonly number[];
    /** Drawn side by side over the same x; series of one name share a colour and a legend entry. */
    readonly panels: readonly LinePanel[];
    readonly size?: PictureSize;
}

const TOP = 86;
const BOTTOM = 56;
const LEFT = 72;
const RIGHT = 28;
/** Room for the legend beside the title. */
const LEGEND = 240;
const MARKED_POINTS = 40;

/**
 * Draws lines over a common x axis, one panel per quantity, as SVG text.
 *
 * @throws {RangeError} where there is no panel or a series has another length than x.
 * @example
 * ```ts
 * import { plot } from 'nativegrad';
 * const svg = await plot.lineChart({
 *     title: 'Training',
 *     xLabel: 'Epoch',
 *     x: [1, 2],
 *     panels: [{ title: 'Loss', yLabel: 'Loss (nats)', series: [{ name: 'training', values: [0.5, 0.2] }] }],
 * });
 * console.log(svg.startsWith('<svg')); // true
 * ```
 */
export async function lineChart(chart: LineChart): Promise<string> {
    checkLengths(chart);
    const { panels } = chart;
    const size = chart.size ?? { width: 480 * panels.length, height: 400 };
    const panelWidth = size.width / panels.length;
    const names = [...new Set(panels.flatMap(({ series }) => series.map(({ name }) => name)))];
    return renderChart(
        {
            backgroundColor: STYLE.background,
            color: [...STYLE.series],
            textStyle: { fontFamily: STYLE.font, color: STYLE.text },
            title: [
                pageTitle(chart.title, size.width),
                ...panels.map(({ title }, i) => panelTitle(title, i * panelWidth + LEFT)),
            ],
            legend: { data: names, top: 12, right: RIGHT, icon: 'roundRect', itemHeight: 4, itemWidth: 18 },
            grid: panels.map((_, i) => panelGrid(i, panelWidth, size.height)),
            xAxis: panels.map((_, i) => xAxis(chart, i)),
            yAxis: panels.map(({ yLabel }, i) => yAxis(yLabel, i)),
            series: panels.flatMap(({ series }, i) =>
                series.map((line) => lineSeries(line, chart.x, i, names)),
            ),
        },
        size,
    );
}

function checkLengths({ x, panels }: LineChart): void {
    if (panels.length === 0) throw new RangeError('[lineChart] needs at least one panel');
    for (const { title, series } of panels) {
        for (const { name, values } of series) {
            if (values.length !== x.length) {
                const lengths = `${values.length} values, but x has ${x.length}`;
                throw new RangeError(`[lineChart] series "${name}" of "${title}" has ${lengths}`);
            }
        }
    }
}

function pageTitle(text: string, width: number): TitleComponentOption {
    const look = { fontSize: STYLE.titleSize, color: STYLE.text, overflow: 'truncate' as const };
    return { text, left: 16, top: 10, textStyle: { ...look, width: width - LEGEND } };
}

function panelTitle(text: string, left: number): TitleComponentOption {
    const textStyle = { fontSize: STYLE.textSize + 1, color: STYLE.mutedText, fontWeight: 'bold' as const };
    return { text, left: left - 6, top: 50, textStyle };
}

function panelGrid(index: number, width: number, height: number): GridComponentOption {
    return {
        left: index * width + LEFT,
        top: TOP,
        width: width - LEFT - RIGHT,
        height: height - TOP - BOTTOM,
    };
}

function xAxis({ x, xLabel }: LineChart, index: number): XAXisComponentOption {
    const isWhole = x.every((value) => Number.isInteger(value));
    const [low, high] = range(x);
    return {
        type: 'value',
        gridIndex: index,
        name: xLabel,
        nameLocation: 'middle',
        nameGap: 32,
        nameTextStyle: { fontSize: STYLE.textSize, color: STYLE.text },
        min: low,
        max: high,
        ...(isWhole ? { minInterval: 1 } : {}),
        axisLine: { lineStyle: { color: STYLE.axis } },
        axisLabel: { color: STYLE.mutedText, fontSize: STYLE.textSize, hideOverlap: true },
        splitLine: { show: false },
    };
}

function yAxis(name: string, index: number): YAXisComponentOption {
    return {
        type: 'value',
        gridIndex: index,
        name,
        nameLocation: 'middle',
        nameRotate: 90,
        nameGap: 50,
        nameTextStyle: { fontSize: STYLE.textSize, color: STYLE.text },
        scale: true,
        axisLabel: { color: STYLE.mutedText, fontSize: STYLE.textSize },
        splitLine: { lineStyle: { color: STYLE.rule } },
    };
}

function lineSeries(
    line: LineSeries,
    x: readonly number[],
    index: number,
    names: string[],
): LineSeriesOption {
    return {
        type: 'line',
        name: line.name,
        xAxisIndex: index,
        yAxisIndex: index,
        data: line.values.map((value, i) => [x[i], Number.isFinite(value) ? value : '-']),
        color: STYLE.series[names.indexOf(line.name) % STYLE.series.length],
        lineStyle: { width: 2 },
        symbol: 'circle',
        symbolSize: 6,
        showSymbol: x.length <= MARKED_POINTS,
    };
}

/** A single point stands in the middle of an axis that is one wide to both sides. */
function range(x: readonly number[]): [number, number] {
    const low = x.reduce((a, b) => Math.min(a, b), Infinity);
    const high = x.reduce((a, b) => Math.max(a, b), -Infinity);
    if (low > high) return [0, 1];
    return low === high ? [low - 1, high + 1] : [low, high];
}
