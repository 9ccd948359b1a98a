import { confusionMatrixChart } from '../plot/confusion_matrix_chart.js';
import { figure } from './figure.js';
import { grouped, percent } from './figures_text.js';
import { html } from './html.js';
import type { Html } from './html.js';
import { scrolling, table } from './tables.js';

/** Of more classes nobody reads the counts in a table: they are drawn, and the largest mistakes are named. */
const MOST_IN_TABLE = 20;
const MOST_PAIRS = 20;
/** In pixels: with names of a readable size on a narrow screen. */
const DRAWN_SIDE = 360;

type Counts = readonly (readonly number[])[];

/** Samples of one class that were taken for another. */
interface Confusion {
    readonly label: number;
    readonly predicted: number;
    readonly count: number;
    /** Of the samples of the true class. */
    readonly share: number;
}

/**
 * A confusion matrix as people can use it: the counts of few classes, else a heat map and the most confused pairs.
 * counts [C, C], classNames [C]
 */
export async function confusionContent(counts: Counts, classNames: readonly string[]): Promise<Html> {
    if (counts.length <= MOST_IN_TABLE) return confusionTable(counts, classNames);
    const confusions = confusionsOf(counts);
    const svg = await confusionMatrixChart({ classNames, counts, side: DRAWN_SIDE, colors: 'page' });
    const drawn = figure({
        title: 'True classes (rows) by predicted class (columns)',
        description: heatMapInWords(counts, classNames, confusions),
        svg,
    });
    return html`<div class="figures">
        ${drawn}
        <div>${pairsTable(confusions, classNames)}</div>
    </div>`;
}

/** Most samples first, then by their share of the class. */
function confusionsOf(counts: Counts): Confusion[] {
    const all = counts.flatMap((row, label) => {
        const total = sum(row);
        return row.map((count, predicted) => ({ label, predicted, count, share: count / total }));
    });
    return all
        .filter(({ label, predicted, count }) => label !== predicted && count > 0)
        .sort((a, b) => b.count - a.count || b.share - a.share);
}

function heatMapInWords(
    counts: Counts,
    classNames: readonly string[],
    confusions: readonly Confusion[],
): string {
    const total = sum(counts.map(sum));
    const right = sum(counts.map((row, label) => row[label] ?? 0));
    const [worst] = confusions;
    const most = worst
        ? `; ${nameOf(classNames, worst.label)} taken for ${nameOf(classNames, worst.predicted)} is the most frequent mistake (${percent(worst.share, 1)} of its samples)`
        : '';
    return `The stronger a colour, the larger the share of the true class; ${percent(right / total)} of the ${grouped(total)} samples of ${counts.length} classes lie on the diagonal${most}.`;
}

function pairsTable(confusions: readonly Confusion[], classNames: readonly string[]): Html {
    if (confusions.length === 0) return html`<p>No sample was taken for one of another class.</p>`;
    const shown = confusions.slice(0, MOST_PAIRS);
    const caption =
        shown.length < confusions.length
            ? `The ${shown.length} most confused of ${grouped(confusions.length)} confused pairs of classes`
            : 'Confused pairs of classes';
    const columns = [
        { name: 'True class', isHead: true, isText: true },
        { name: 'Predicted', isText: true },
        { name: 'Samples' },
        { name: 'Share of the true class' },
    ];
    const rows = shown.map(({ label, predicted, count, share }) => [
        nameOf(classNames, label),
        nameOf(classNames, predicted),
        grouped(count),
        percent(share, 1),
    ]);
    return table(caption, columns, rows);
}

function nameOf(classNames: readonly string[], index: number): string {
    return classNames[index] ?? String(index);
}

function sum(values: readonly number[]): number {
    return values.reduce((total, value) => total + value, 0);
}

/** In percent: from there on white text (on dark pages black text) has the larger contrast, at least 4.5, with a cell's colour. */
const STRONG_SHARE = 68;

/**
 * Counts by true class (rows) and predicted class (columns); a cell is coloured by its share of the true class,
 * and empty where its count is 0.
 * counts [C, C], classNames [C]
 */
export function confusionTable(counts: Counts, classNames: readonly string[]): Html {
    const caption = 'Counts by true class (rows) and predicted class (columns)';
    const heads = classNames.map((name) => html`<th scope="col">${name}</th>`);
    const rows = counts.map((row, label) => {
        const total = sum(row);
        const cells = row.map((count, predicted) => {
            const share = total === 0 ? 0 : (100 * count) / total;
            const look = ['heat', share > STRONG_SHARE ? 'strong' : '', label === predicted ? 'right' : ''];
            const shown = count === 0 ? '' : grouped(count);
            return html`<td class="${look.filter(Boolean).join(' ')}" style="--share: ${share.toFixed(1)}">
                ${shown}
            </td>`;
        });
        return html`<tr>
            <th scope="row" class="text">${nameOf(classNames, label)}</th>
            ${cells}
        </tr>`;
    });
    return scrolling(
        caption,
        html`<table>
            <caption>
                ${caption}
            </caption>
            <thead>
                <tr>
                    <th scope="col" class="text">True \\ predicted</th>
                    ${heads}
                </tr>
            </thead>
            <tbody>
                ${rows}
            </tbody>
        </table>`,
        'matrix',
    );
}
