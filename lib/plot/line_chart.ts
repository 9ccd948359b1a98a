import type {
    BarSeriesOption,
    GridComponentOption,
    LineSeriesOption,
    XAXisComponentOption,
    YAXisComponentOption,
} from 'echarts';

import { chartHead, headLegend, pageTitle, panelTitle, SIDES, withRoomFor } from './chart_head.js';
import { renderChart } from './render_chart.js';
import type { PictureSize } from './picture_size.js';
import { PAGE_PALETTE, STYLE } from './style.js';
import type { Palette } from './style.js';

export interface LineSeries {
    readonly name: string;
    /** One value per x; NaN leaves a gap. */
    readonly values: readonly number[];
    /** Default: the chart's x. */
    readonly x?: readonly number[];
    /** `dashed`: a line to compare with. `bars`: from 0 up, as wide as the x values lie apart. Default `line`. */
    readonly look?: 'line' | 'dashed' | 'bars';
}

export interface LinePanel {
    readonly title: string;
    /** The quantity with its unit, e.g. `Accuracy (%)`. */
    readonly yLabel: string;
    readonly series: readonly LineSeries[];
    /** Default: the chart's. */
    readonly xLabel?: string;
    /** Ends of the axis; default: those of the values. */
    readonly xRange?: readonly [number, number];
    readonly yRange?: readonly [number, number];
}

export interface LineChart {
    /** Without one, and with a single panel, the drawing stands in a page that says what it is. */
    readonly title?: string;
    readonly xLabel: string;
    readonly x: readonly number[];
    /** Drawn side by side; series of one name share a colour and a legend entry. */
    readonly panels: readonly LinePanel[];
    /** Default: 480 x 400 for each panel, and higher by what further rows of the legend take. */
    readonly size?: PictureSize;
    /**
     * `page`: transparent, in the colours that the page around it gives as `--chart-text`, `--chart-muted`, `--chart-rule`,
     * `--chart-axis` and `--chart-series-1` to `-10`. Default `fixed`: on white.
     */
    readonly colors?: 'fixed' | 'page';
}

const BOTTOM = 56;
const MARKED_POINTS = 40;

/**
 * Draws lines and bars over an x axis, one panel per quantity, as SVG text.
 *
 * @throws {RangeError} where there is no panel or a series has another length than its x.
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
    const { panels, title } = chart;
    const palette: Palette = chart.colors === 'page' ? PAGE_PALETTE : STYLE;
    const names = [...new Set(panels.flatMap(({ series }) => series.map(({ name }) => name)))];
    const usual = { width: 480 * panels.length, height: 400 };
    const size = chart.size ?? withRoomFor(names, usual, title);
    const head = chartHead(title, names, size.width);
    const panelWidth = size.width / panels.length;
    return renderChart(
        {
            backgroundColor: palette.background,
            color: [...palette.series],
            textStyle: { fontFamily: STYLE.font, color: palette.text },
            title:
                title === undefined
                    ? []
                    : [
                          pageTitle(title, head, palette),
                          ...panels.map((panel, i) =>
                              panelTitle(panel.title, i * panelWidth + SIDES.left, head, palette),
                          ),
                      ],
            legend: headLegend(head, palette),
            grid: panels.map((_, i) => panelGrid(i, panelWidth, size.height, head.top)),
            xAxis: panels.map((panel, i) => xAxis(chart, panel, i, palette)),
            yAxis: panels.map((panel, i) => yAxis(panel, i, palette)),
            series: panels.flatMap((panel, i) =>
                panel.series.map((line) => {
                    const x = line.x ?? chart.x;
                    const own = color(palette, names, line.name);
                    if (line.look !== 'bars') return lineSeries(line, x, i, own);
                    return barSeries(line, x, i, own, panelWidth, panel.xRange);
                }),
            ),
        },
        size,
    );
}

function color({ series }: Palette, names: readonly string[], name: string): string {
    return series[names.indexOf(name) % series.length] ?? STYLE.text;
}

function checkLengths({ x, panels }: LineChart): void {
    if (panels.length === 0) throw new RangeError('[lineChart] needs at least one panel');
    for (const { title, series } of panels) {
        for (const { name, values, x: own } of series) {
            const expected = (own ?? x).length;
            if (values.length === expected) continue;
            const lengths = `${values.length} values, but ${own ? 'its x' : 'x'} has ${expected}`;
            throw new RangeError(`[lineChart] series "${name}" of "${title}" has ${lengths}`);
        }
    }
}

function panelGrid(index: number, width: number, height: number, top: number): GridComponentOption {
    const { left, right } = SIDES;
    return { left: index * width + left, top, width: width - left - right, height: height - top - BOTTOM };
}

function xAxis(chart: LineChart, panel: LinePanel, index: number, palette: Palette): XAXisComponentOption {
    const values = panel.series.flatMap((series) => series.x ?? chart.x);
    const isWhole = values.every((value) => Number.isInteger(value));
    const [low, high] = panel.xRange ?? range(values);
    return {
        type: 'value',
        gridIndex: index,
        name: panel.xLabel ?? chart.xLabel,
        nameLocation: 'middle',
        nameGap: 32,
        nameTextStyle: { fontSize: STYLE.textSize, color: palette.text },
        min: low,
        max: high,
        ...(isWhole && panel.xRange === undefined ? { minInterval: 1 } : {}),
        axisLine: { lineStyle: { color: palette.axis } },
        axisTick: { lineStyle: { color: palette.axis } },
        axisLabel: { color: palette.mutedText, fontSize: STYLE.textSize, hideOverlap: true },
        splitLine: { show: false },
    };
}

function yAxis({ yLabel, yRange }: LinePanel, index: number, palette: Palette): YAXisComponentOption {
    return {
        type: 'value',
        gridIndex: index,
        name: yLabel,
        nameLocation: 'middle',
        nameRotate: 90,
        nameGap: 50,
        nameTextStyle: { fontSize: STYLE.textSize, color: palette.text },
        scale: true,
        ...(yRange ? { min: yRange[0], max: yRange[1] } : {}),
        axisLabel: { color: palette.mutedText, fontSize: STYLE.textSize },
        splitLine: { lineStyle: { color: palette.rule } },
    };
}

function lineSeries(
    line: LineSeries,
    x: readonly number[],
    index: number,
    lineColor: string,
): LineSeriesOption {
    const isDashed = line.look === 'dashed';
    return {
        type: 'line',
        name: line.name,
        xAxisIndex: index,
        yAxisIndex: index,
        data: line.values.map((value, i) => [x[i], Number.isFinite(value) ? value : '-']),
        color: lineColor,
        lineStyle: { width: isDashed ? 1.5 : 2, type: isDashed ? 'dashed' : 'solid' },
        symbol: 'circle',
        symbolSize: 6,
        showSymbol: !isDashed && x.length <= MARKED_POINTS,
    };
}

function barSeries(
    line: LineSeries,
    x: readonly number[],
    index: number,
    barColor: string,
    panelWidth: number,
    xRange: readonly [number, number] | undefined,
): BarSeriesOption {
    const [low, high] = xRange ?? range(x);
    const apart = x.length > 1 ? Math.abs(x[1] - x[0]) : high - low;
    const pixels = (panelWidth - SIDES.left - SIDES.right) / (high - low);
    return {
        type: 'bar',
        name: line.name,
        xAxisIndex: index,
        yAxisIndex: index,
        data: line.values.map((value, i) => [x[i], Number.isFinite(value) ? value : '-']),
        color: barColor,
        barWidth: Math.max(1, apart * pixels - 2),
    };
}

/** A single point stands in the middle of an axis that is one wide to both sides. */
function range(x: readonly number[]): [number, number] {
    const low = x.reduce((a, b) => Math.min(a, b), Infinity);
    const high = x.reduce((a, b) => Math.max(a, b), -Infinity);
    if (low > high) return [0, 1];
    return low === high ? [low - 1, high + 1] : [low, high];
}
