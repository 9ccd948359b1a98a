import { withRoomFor } from '../plot/chart_head.js';
import { lineChart } from '../plot/line_chart.js';
import type { LineChart, LinePanel, LineSeries } from '../plot/line_chart.js';
import type { Calibration } from '../train/calibration.js';
import type { EpochRecord } from '../train/history.js';
import type { ClassRanking } from './evaluation.js';
import type { Figure } from './figure.js';
import { decimal, percent } from './figures_text.js';
import { thinned } from './thinned.js';

/** A chart of a report: drawn inside the page, and as a picture of its own. */
export interface ReportChart {
    readonly panels: readonly (LinePanel & { readonly description: string })[];
    readonly xLabel: string;
    readonly x: readonly number[];
}

const PANEL = { width: 460, height: 330 };
const UNIT = [0, 1] as const;
/** Where every class has a larger area than this, its curve is a line along two edges of the unit square; a corner says more. */
const ZOOM_FROM = 0.99;
const CORNER = 0.1;
/** As many as there are colours to tell them apart; of more classes the worst ones and the mean of all are drawn. */
const MOST_CURVES = 10;
const WORST_CURVES = 5;
const MEAN_POINTS = 400;

/** Each panel of a chart as a figure of a page. */
export function chartFigures(chart: ReportChart): Promise<Figure[]> {
    return Promise.all(
        chart.panels.map(async (panel) => {
            const { title, description, series } = panel;
            const names = series.map(({ name }) => name);
            const size = withRoomFor(names, PANEL);
            return {
                title,
                description,
                svg: await lineChart({ ...chart, panels: [panel], size, colors: 'page' }),
            };
        }),
    );
}

/** The chart as a picture of its own. */
export function chartPicture(title: string, chart: ReportChart): Promise<string> {
    return lineChart({ ...chart, title } satisfies LineChart);
}

/** Loss, accuracy and learning rate over the epochs; `lossLabel` with its unit. */
export function curvesChart(epochs: readonly EpochRecord[], lossLabel: string): ReportChart {
    const panel = (
        title: string,
        yLabel: string,
        training: readonly (number | undefined)[],
        validation: readonly (number | undefined)[],
        factor: number,
    ): ReportChart['panels'][number] => {
        const scaled = (values: readonly (number | undefined)[]): number[] =>
            values.map((value) => factor * (value ?? NaN));
        const series: LineSeries[] = [{ name: 'training', values: scaled(training) }];
        if (validation.some((value) => value !== undefined))
            series.push({ name: 'validation', values: scaled(validation) });
        return { title, yLabel, series, description: coursesInWords(series) };
    };
    const accuracies = epochs.map(({ accuracy }) => accuracy);
    const panels = [
        panel(
            'Loss',
            lossLabel,
            epochs.map(({ loss }) => loss),
            epochs.map(({ validationLoss }) => validationLoss),
            1,
        ),
        ...(accuracies.some((value) => value !== undefined)
            ? [
                  panel(
                      'Accuracy',
                      'Accuracy (%)',
                      accuracies,
                      epochs.map(({ validationAccuracy }) => validationAccuracy),
                      100,
                  ),
              ]
            : []),
        rates(epochs.map(({ learningRate }) => learningRate)),
    ];
    return { panels, xLabel: 'Epoch', x: epochs.map(({ epoch }) => epoch) };
}

function rates(values: readonly number[]): ReportChart['panels'][number] {
    const series = [{ name: 'learning rate', values }];
    return {
        title: 'Learning rate',
        yLabel: 'Learning rate',
        series,
        description: coursesInWords(series),
    };
}

/** "training: from 0.5 to 0.1, least 0.09; validation: ..." */
function coursesInWords(series: readonly LineSeries[]): string {
    const figure = (value: number | undefined): string =>
        value === undefined || !Number.isFinite(value)
            ? 'not a number'
            : String(Number(value.toPrecision(4)));
    const courses = series.map(({ name, values }) =>
        values.length === 1
            ? `${name}: ${figure(values[0])}`
            : `${name}: from ${figure(values[0])} to ${figure(values.at(-1))}`,
    );
    return `By epoch; ${courses.join('; ')}.`;
}

/** Accuracy over confidence, and how many samples have which confidence. */
export function calibrationChart({ bins, expectedError, maximumError }: Calibration): ReportChart {
    const filled = bins.filter(({ count }) => count > 0);
    const total = filled.reduce((sum, { count }) => sum + count, 0);
    const middles = bins.map(({ low, high }) => (low + high) / 2);
    const range = { xRange: UNIT, yRange: UNIT };
    return {
        xLabel: 'Confidence (probability of the predicted class)',
        x: middles,
        panels: [
            {
                title: 'Reliability',
                yLabel: 'Accuracy',
                ...range,
                series: [
                    {
                        name: 'measured',
                        x: filled.map(({ confidence }) => confidence),
                        values: filled.map(({ accuracy }) => accuracy),
                    },
                    { name: 'ideal', x: UNIT, values: UNIT, look: 'dashed' },
                ],
                description: `Accuracy over mean confidence in ${bins.length} bins; expected calibration error ${percent(expectedError)}, largest ${percent(maximumError)}.`,
            },
            {
                title: 'Confidence',
                yLabel: 'Share of samples',
                ...range,
                series: [{ name: 'samples', values: bins.map(({ count }) => count / total), look: 'bars' }],
                description: `Share of the ${total} samples by confidence; ${percent((bins.at(-1)?.count ?? 0) / total, 1)} of them above ${decimal(bins.at(-1)?.low, 2)}.`,
            },
        ],
    };
}

/** ROC and precision over recall of each class against the others; classes without samples, or without others, are left out. */
export function rankingChart(rankings: readonly ClassRanking[]): ReportChart {
    const known = rankings.filter(({ roc }) => !Number.isNaN(roc.area));
    const mean = (values: readonly number[]): number =>
        values.reduce((sum, value) => sum + value, 0) / values.length;
    const isGood = known.every(({ roc }) => roc.area > ZOOM_FROM);
    const near = isGood ? CORNER : 1;
    const which =
        known.length > MOST_CURVES
            ? `The mean of ${known.length} classes, and the ${WORST_CURVES} worst ones, each`
            : 'Each class';
    const where = isGood ? ', the corner of good models' : '';
    const worst = (name: string, figures: readonly (readonly [string, number])[]): string => {
        const [first] = [...figures].sort((a, b) => a[1] - b[1]);
        return first
            ? `mean ${name} ${decimal(mean(figures.map((each) => each[1])), 4)}, least ${decimal(first[1], 4)} (${first[0]})`
            : '';
    };
    return {
        xLabel: 'False positive rate',
        x: [],
        panels: [
            {
                title: `ROC${where}`,
                yLabel: 'True positive rate',
                xRange: [0, near],
                yRange: [1 - near, 1],
                series: tellingCurves(
                    known.map(({ className: name, roc }) => ({
                        name,
                        area: roc.area,
                        x: roc.falsePositiveRate,
                        y: roc.truePositiveRate,
                    })),
                ),
                description: `${which} against the others; ${worst(
                    'area',
                    known.map(({ className, roc }) => [className, roc.area]),
                )}.`,
            },
            {
                title: `Precision and recall${where}`,
                xLabel: 'Recall',
                yLabel: 'Precision',
                xRange: [1 - near, 1],
                yRange: [1 - near, 1],
                series: tellingCurves(
                    known.map(({ className: name, precisionRecall: curve }) => ({
                        name,
                        area: curve.averagePrecision,
                        x: curve.recall,
                        y: curve.precision,
                    })),
                ),
                description: `${which} against the others; ${worst(
                    'average precision',
                    known.map(({ className, precisionRecall }) => [
                        className,
                        precisionRecall.averagePrecision,
                    ]),
                )}.`,
            },
        ],
    };
}

interface RankedCurve {
    readonly name: string;
    readonly area: number;
    /** Rising. */
    readonly x: Float64Array;
    readonly y: Float64Array;
}

function tellingCurves(curves: readonly RankedCurve[]): LineSeries[] {
    const line = ({ name, x, y }: Pick<RankedCurve, 'name' | 'x' | 'y'>): LineSeries => {
        const points = thinned(x, y);
        return { name, x: points.x, values: points.y };
    };
    if (curves.length <= MOST_CURVES) return curves.map(line);
    const worst = [...curves].sort((a, b) => a.area - b.area).slice(0, WORST_CURVES);
    return [line(meanCurve(curves)), ...worst.map(line)];
}

/** The mean height of all curves at each place (macro average). */
function meanCurve(curves: readonly RankedCurve[]): Pick<RankedCurve, 'name' | 'x' | 'y'> {
    const x = Float64Array.from({ length: MEAN_POINTS + 1 }, (_, i) => i / MEAN_POINTS);
    const y = new Float64Array(x.length);
    for (const curve of curves) {
        let next = 0;
        x.forEach((place, i) => {
            while (next < curve.x.length && (curve.x[next] ?? 1) <= place) next++;
            y[i] = (y[i] ?? 0) + heightAt(curve, next, place) / curves.length;
        });
    }
    return { name: 'mean of the classes', x, y };
}

/** On the line between the last point at or before a place and the first one behind it, which is `next`. */
function heightAt({ x, y }: RankedCurve, next: number, place: number): number {
    const [right, left] = [Math.min(next, x.length - 1), Math.max(0, next - 1)];
    const [x0, x1, y0, y1] = [x[left], x[right], y[left], y[right]];
    return x1 > x0 && place > x0 ? y0 + ((y1 - y0) * (place - x0)) / (x1 - x0) : y0;
}
