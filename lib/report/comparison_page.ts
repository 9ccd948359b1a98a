import { withRoomFor } from '../plot/chart_head.js';
import { lineChart } from '../plot/line_chart.js';
import type { RunRecord } from '../track/read_run.js';
import { figures } from './figure.js';
import type { Figure } from './figure.js';
import { duration } from './figures_text.js';
import { html } from './html.js';
import type { Html } from './html.js';
import { renderPage } from './page.js';
import type { Section } from './page.js';
import { figureText, labelsOf, lastValue, secondsOf, startText } from './run_comparison.js';
import type { RunComparison } from './run_comparison.js';
import { table } from './tables.js';

/** As many as there are colours to tell them apart. */
const MOST_CURVES = 10;
const PANEL = { width: 460, height: 380 };

/** The page of several runs; see `renderComparison`. */
export async function comparisonPage(
    comparison: RunComparison,
    linkOf: (run: RunRecord) => string | undefined = () => undefined,
): Promise<string> {
    const { runs } = comparison;
    const labels = labelsOf(runs);
    const curves = await curvesSection(comparison, labels);
    return renderPage({
        title: `${runs.length} ${runs.length === 1 ? 'run' : 'runs'} compared`,
        lead: 'Figures are the last ones of each run.',
        tiles: [],
        sections: [runsSection(comparison, labels, linkOf), ...(curves ? [curves] : [])],
    });
}

function runsSection(
    { runs, metrics, params }: RunComparison,
    labels: ReadonlyMap<RunRecord, string>,
    linkOf: (run: RunRecord) => string | undefined,
): Section {
    const nameCell = (run: RunRecord): string | Html => {
        const link = linkOf(run);
        const label = labels.get(run) ?? run.name;
        return link === undefined ? label : html`<a href="${link}">${label}</a>`;
    };
    const columns = [
        { name: 'Run', isHead: true, isText: true },
        { name: 'Status', isText: true },
        { name: 'Start', isText: true },
        { name: 'Time' },
        ...metrics.map((name) => ({ name })),
        ...params.map((name) => ({ name, isText: true })),
    ];
    const rows = runs.map((run) => [
        nameCell(run),
        run.status.toLowerCase(),
        startText(run),
        duration(secondsOf(run)),
        ...metrics.map((name) => figureText(lastValue(run, name))),
        ...params.map((name) => run.params.get(name) ?? '–'),
    ]);
    return { id: 'runs', title: 'Runs', content: table('Runs with their figures', columns, rows) };
}

async function curvesSection(
    { runs, metrics }: RunComparison,
    labels: ReadonlyMap<RunRecord, string>,
): Promise<Section | undefined> {
    const drawn = (await Promise.all(metrics.map((metric) => curveFigure(runs, labels, metric)))).filter(
        (figure) => figure !== undefined,
    );
    return drawn.length === 0 ? undefined : { id: 'curves', title: 'Curves', content: figures(drawn) };
}

/** A metric over its steps, a line for each run; undefined where no run has two points. */
async function curveFigure(
    runs: readonly RunRecord[],
    labels: ReadonlyMap<RunRecord, string>,
    metric: string,
): Promise<Figure | undefined> {
    const labelOf = (run: RunRecord): string => labels.get(run) ?? run.name;
    const curved = runs.filter((run) => (run.metrics.get(metric)?.length ?? 0) > 1);
    if (curved.length === 0) return undefined;
    const shown = curved.slice(0, MOST_CURVES);
    const series = shown.map((run) => {
        const points = run.metrics.get(metric) ?? [];
        return {
            name: labelOf(run),
            x: points.map(({ step }) => step),
            values: points.map(({ value }) => value),
        };
    });
    const svg = await lineChart({
        xLabel: 'Step',
        x: [],
        panels: [{ title: metric, yLabel: metric, series }],
        size: withRoomFor(shown.map(labelOf), PANEL),
        colors: 'page',
    });
    const last = shown.map((run) => `${labelOf(run)}: ${figureText(lastValue(run, metric))}`).join('; ');
    const rest = curved.length > shown.length ? ` The first ${shown.length} of ${curved.length} runs.` : '';
    return { title: metric, description: `At the end ${last}.${rest}`, svg };
}
