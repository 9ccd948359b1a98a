import { grouped } from './figures_text.js';
import { html } from './html.js';
import type { Html } from './html.js';

export interface Column {
    readonly name: string;
    /** Left-aligned words; figures are right-aligned. */
    readonly isText?: boolean;
    /** Its cells name their rows. */
    readonly isHead?: boolean;
}

/** A table that scrolls within its own width; `caption` says what it shows. */
export function table(
    caption: string,
    columns: readonly Column[],
    rows: readonly (readonly (string | Html)[])[],
): Html {
    const look = (column: Column | undefined): string => (column?.isText ? 'text' : '');
    const heads = columns.map((column) => html`<th scope="col" class="${look(column)}">${column.name}</th>`);
    const body = rows.map(
        (row) =>
            html`<tr>
                ${row.map((cell, i) =>
                    columns[i]?.isHead
                        ? html`<th scope="row" class="${look(columns[i])}">${cell}</th>`
                        : html`<td class="${look(columns[i])}">${cell}</td>`,
                )}
            </tr>`,
    );
    return scrolling(
        caption,
        html`<table>
            <caption>
                ${caption}
            </caption>
            <thead>
                <tr>
                    ${heads}
                </tr>
            </thead>
            <tbody>
                ${body}
            </tbody>
        </table>`,
    );
}

/** Names and values; long values break. */
export function definitionTable(caption: string, entries: readonly (readonly [string, string])[]): Html {
    return scrolling(
        caption,
        html`<table>
            <caption>
                ${caption}
            </caption>
            <tbody>
                ${entries.map(
                    ([name, value]) =>
                        html`<tr>
                            <th scope="row" class="text">${name}</th>
                            <td class="text wraps">${value}</td>
                        </tr>`,
                )}
            </tbody>
        </table>`,
    );
}

/** In percent: from there on white text (on dark pages black text) has the larger contrast, at least 4.5, with a cell's colour. */
const STRONG_SHARE = 68;

/**
 * Counts by true class (rows) and predicted class (columns); a cell is coloured by its share of the true class.
 * counts [C, C], classNames [C]
 */
export function confusionTable(counts: readonly (readonly number[])[], classNames: readonly string[]): Html {
    const caption = 'Counts by true class (rows) and predicted class (columns)';
    const heads = classNames.map((name) => html`<th scope="col">${name}</th>`);
    const rows = counts.map((row, label) => {
        const total = row.reduce((sum, count) => sum + count, 0);
        const cells = row.map((count, predicted) => {
            const share = total === 0 ? 0 : (100 * count) / total;
            const look = ['heat', share > STRONG_SHARE ? 'strong' : '', label === predicted ? 'right' : ''];
            return html`<td class="${look.filter(Boolean).join(' ')}" style="--share: ${share.toFixed(1)}">
                ${grouped(count)}
            </td>`;
        });
        return html`<tr>
            <th scope="row" class="text">${classNames[label] ?? String(label)}</th>
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
    );
}

/** Reached by the keyboard, so that it can be scrolled without a mouse. */
function scrolling(name: string, content: Html): Html {
    return html`<div class="scroll" role="region" aria-label="${name}" tabindex="0">${content}</div>`;
}
