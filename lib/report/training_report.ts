import type { ModelSummary } from '../nn/summary.js';
import { shapeText } from '../tensor/shape.js';
import type { EpochRecord } from '../train/history.js';
import type { Score } from '../train/score.js';
import { calibrationChart, chartFigures, curvesChart, rankingChart } from './charts.js';
import { confusionContent } from './confusion.js';
import { examine } from './evaluation.js';
import type { Evaluation } from './evaluation.js';
import { figures } from './figure.js';
import { decimal, duration, grouped, percent } from './figures_text.js';
import { html, joined } from './html.js';
import type { Html } from './html.js';
import { mistakesSection } from './mistakes.js';
import type { GreyImages } from './mistakes.js';
import { renderPage } from './page.js';
import type { Section } from './page.js';
import { definitionTable, table } from './tables.js';

/** What a report shows of a run; what is left out is left out of the page. */
export interface ReportData {
    readonly title: string;
    /** Options of the run, as people know them. */
    readonly configuration?: Readonly<Record<string, unknown>>;
    readonly model?: ModelSummary;
    readonly training?: TrainingCourse;
    readonly evaluation?: ScoredData;
}

export interface TrainingCourse {
    readonly epochs: readonly EpochRecord[];
    /** The loss with its unit, e.g. `Cross-entropy (nats)`. */
    readonly lossLabel: string;
    /** Samples of an epoch, for its throughput. */
    readonly samples?: number;
    /** Why it ended, e.g. `completed`. */
    readonly stopReason?: string;
}

export interface ScoredData {
    /** e.g. `Test set`. */
    readonly name: string;
    readonly score: Score;
    readonly classNames: readonly string[];
    /** Time of the forward passes. */
    readonly seconds?: number;
    /** The samples as pictures, for the mistakes. */
    readonly images?: GreyImages;
}

/** The page of a run; see `renderReport`. `found` is what `examine` says of its evaluation. */
export async function reportPage(data: ReportData, found = examined(data)): Promise<string> {
    const { training, evaluation: scored } = data;
    const sections = [
        training && training.epochs.length > 0 ? await courseSection(training) : undefined,
        ...(scored && found ? await evaluationSections(scored, found) : []),
        throughputSection(data),
        data.model && modelSection(data.model),
        data.configuration && configurationSection(data.configuration),
    ];
    return renderPage({
        title: data.title,
        lead: leadOf(data),
        tiles: tilesOf(data, found),
        sections: sections.filter((section) => section !== undefined),
    });
}

/** What there is to say of an evaluation, where there is one. */
export function examined({ evaluation }: ReportData): Evaluation | undefined {
    return evaluation && examine(evaluation.score, evaluation.classNames);
}

function leadOf({ model, training, evaluation }: ReportData): string {
    const parts = [
        model && `${grouped(model.parameters)} parameters`,
        training &&
            `${training.epochs.length} ${training.epochs.length === 1 ? 'epoch' : 'epochs'}${training.stopReason === undefined ? '' : `, ${training.stopReason}`}`,
        evaluation && `${evaluation.name}: ${grouped(evaluation.score.labels.length)} samples`,
    ];
    return parts.filter((part) => part !== undefined).join(' · ');
}

function tilesOf({ training, evaluation }: ReportData, found: Evaluation | undefined): [string, string][] {
    const tiles: [string, string][] = [];
    if (evaluation) {
        const { report, loss } = evaluation.score;
        tiles.push(
            ['Accuracy', percent(report.accuracy)],
            ['Loss', decimal(loss, 4)],
            ['Macro F1', decimal(report.macro.f1, 4)],
        );
    }
    if (found?.calibration) tiles.push(['Calibration error', percent(found.calibration.expectedError)]);
    const last = training?.epochs.at(-1);
    if (last?.validationAccuracy !== undefined)
        tiles.push(['Validation accuracy', percent(last.validationAccuracy)]);
    if (training && last) tiles.push(['Time of training', duration(totalSeconds(training.epochs))]);
    return tiles;
}

function totalSeconds(epochs: readonly EpochRecord[]): number {
    return epochs.reduce((sum, { seconds }) => sum + seconds, 0);
}

async function courseSection({ epochs, lossLabel }: TrainingCourse): Promise<Section> {
    const drawn = await chartFigures(curvesChart(epochs, lossLabel));
    const columns = [
        'Epoch',
        'Loss',
        'Accuracy',
        'Validation loss',
        'Validation accuracy',
        'Learning rate',
        'Time',
    ];
    const rows = epochs.map((epoch) => [
        String(epoch.epoch),
        decimal(epoch.loss, 5),
        percent(epoch.accuracy),
        decimal(epoch.validationLoss, 5),
        percent(epoch.validationAccuracy),
        String(Number(epoch.learningRate.toPrecision(4))),
        duration(epoch.seconds),
    ]);
    const figuresTable = table(
        'Figures of every epoch',
        columns.map((name, index) => ({ name, isHead: index === 0 })),
        rows,
    );
    const content = html`${figures(drawn)}
        <details>
            <summary>The figures as a table</summary>
            ${figuresTable}
        </details>`;
    return { id: 'curves', title: 'Training', content };
}

async function evaluationSections(scored: ScoredData, found: Evaluation): Promise<(Section | undefined)[]> {
    const { score, classNames } = scored;
    const hasRankings = found.rankings.some(({ roc }) => !Number.isNaN(roc.area));
    return [
        {
            id: 'confusion',
            title: 'Confusion matrix',
            content: await confusionContent(score.report.confusion, classNames),
        },
        perClassSection(scored, found),
        found.calibration && (await calibrationSection(found.calibration)),
        hasRankings ? await rankingSection(found) : undefined,
        await mistakesSection(found.mistakes, scored),
    ];
}

function perClassSection({ score: { report }, classNames }: ScoredData, { rankings }: Evaluation): Section {
    const names = ['Class', 'Precision', 'Recall', 'F1', 'ROC area', 'Average precision', 'Samples'];
    const rows = report.perClass.map(({ precision, recall, f1, support }, index) => [
        classNames[index] ?? String(index),
        decimal(precision, 4),
        decimal(recall, 4),
        decimal(f1, 4),
        decimal(rankings[index]?.roc.area, 5),
        decimal(rankings[index]?.precisionRecall.averagePrecision, 5),
        grouped(support),
    ]);
    const total = report.perClass.reduce((sum, { support }) => sum + support, 0);
    for (const [name, averages] of [
        ['Mean of the classes (macro)', report.macro],
        ['Weighted by samples', report.weighted],
    ] as const) {
        const { precision, recall, f1 } = averages;
        rows.push([name, decimal(precision, 4), decimal(recall, 4), decimal(f1, 4), '', '', grouped(total)]);
    }
    const columns = names.map((name, index) => ({ name, isHead: index === 0, isText: index === 0 }));
    const content = table('Precision, recall and F1 of each class', columns, rows);
    return { id: 'classes', title: 'Classes', content };
}

async function calibrationSection(found: NonNullable<Evaluation['calibration']>): Promise<Section> {
    const drawn = await chartFigures(calibrationChart(found));
    return { id: 'calibration', title: 'Calibration', content: figures(drawn) };
}

async function rankingSection({ rankings }: Evaluation): Promise<Section> {
    const drawn = await chartFigures(rankingChart(rankings));
    return { id: 'ranking', title: 'ROC and precision-recall', content: figures(drawn) };
}

function throughputSection({ training, evaluation }: ReportData): Section | undefined {
    const rows: string[][] = [];
    const add = (name: string, samples: number, seconds: number): void =>
        void rows.push([name, grouped(samples), duration(seconds), grouped(samples / seconds)]);
    if (training?.samples !== undefined && training.epochs.length > 0) {
        const { epochs, samples } = training;
        add('Training, validation included', samples * epochs.length, totalSeconds(epochs));
        const fastest = epochs.reduce((least, { seconds }) => Math.min(least, seconds), Infinity);
        if (epochs.length > 1) add('Fastest epoch', samples, fastest);
    }
    if (evaluation?.seconds !== undefined)
        add(evaluation.name, evaluation.score.labels.length, evaluation.seconds);
    if (rows.length === 0) return undefined;
    const columns = [
        { name: 'Pass', isHead: true, isText: true },
        { name: 'Samples' },
        { name: 'Time' },
        { name: 'Samples per second' },
    ];
    return { id: 'throughput', title: 'Throughput', content: table('Samples per second', columns, rows) };
}

function modelSection(model: ModelSummary): Section {
    const columns = [
        { name: 'Layer', isHead: true, isText: true },
        { name: 'Type', isText: true },
        { name: 'Output', isText: true },
        { name: 'Parameters' },
        { name: 'Multiplications' },
    ];
    const rows = model.layers.map(({ path, type, depth, outputShape, parameters, multAdds }) => [
        `${'\u2003'.repeat(depth)}${path === '' ? 'model' : path}`,
        type,
        outputShape ? shapeText(outputShape) : '–',
        parameters > 0 ? grouped(parameters) : '–',
        multAdds > 0 ? grouped(multAdds) : '–',
    ]);
    const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(2)} MB`;
    const content: Html = joined([
        table(`Layers for an input of ${shapeText(model.inputShape)}`, columns, rows),
        html`<p class="muted">
            ${grouped(model.parameters)} parameters (${grouped(model.trainable)} trainable,
            ${megabytes(model.parameterBytes)}), ${grouped(model.multAdds)} multiplications with additions of
            a forward pass: of each layer its parameters, biases included, times the positions that they act
            on. Products of activations with each other, as inside attention, are not counted.
        </p>`,
    ]);
    return { id: 'model', title: 'Model', content };
}

function configurationSection(configuration: Readonly<Record<string, unknown>>): Section {
    const entries = Object.entries(configuration).map(([name, value]): [string, string] => [
        name,
        value === null || value === undefined
            ? '–'
            : typeof value === 'string'
              ? value
              : JSON.stringify(value),
    ]);
    const content = definitionTable('Options of the run', entries);
    return { id: 'configuration', title: 'Configuration', content };
}
