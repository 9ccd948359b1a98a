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

/** Each panel of a chart as a figure of a page. */
export function chartFigures(chart: ReportChart): Promise<Figure[]> {
    return Promise.all(
        chart.panels.map(async (panel) => ({
            title: panel.title,
            description: panel.description,
            svg: await lineChart({ ...chart, panels: [panel], size: PANEL, colors: 'page' }),
        })),
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
    const line = (name: string, x: Float64Array, y: Float64Array): LineSeries => {
        const points = thinned(x, y);
        return { name, x: points.x, values: points.y };
    };
    const isGood = known.every(({ roc }) => roc.area > ZOOM_FROM);
    const near = isGood ? CORNER : 1;
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
                series: known.map(({ className, roc }) =>
                    line(className, roc.falsePositiveRate, roc.truePositiveRate),
                ),
                description: `Each class against the others; ${worst(
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
                series: known.map(({ className, precisionRecall: curve }) =>
                    line(className, curve.recall, curve.precision),
                ),
                description: `Each class against the others; ${worst(
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
