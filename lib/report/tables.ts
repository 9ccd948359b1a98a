import { html, joined } from './html.js';
import type { Html } from './html.js';

export interface Column {
    readonly name: string;
    /** Left-aligned words; figures are right-aligned. */
    readonly isText?: boolean;
    /** Its cells name their rows. */
    readonly isHead?: boolean;
}

/** A table whose heads take several lines where the page is narrow, and that scrolls within its own width; `caption` says what it shows. */
export function table(
    caption: string,
    columns: readonly Column[],
    rows: readonly (readonly (string | Html)[])[],
): Html {
    const look = (column: Column | undefined): string => (column?.isText ? 'text' : '');
    const heads = columns.map(
        (column) => html`<th scope="col" class="${look(column)}">${breakable(column.name)}</th>`,
    );
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

/** A name that may go on in the next line behind each "_" and "/", as those of figures do not have spaces. */
function breakable(name: string): Html {
    return joined(name.split(/(?<=[_/])/).map((part) => html`${part}<wbr />`));
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

/** Reached by the keyboard, so that it can be scrolled without a mouse. */
export function scrolling(name: string, content: Html, look = ''): Html {
    return html`<div class="${`scroll ${look}`.trim()}" role="region" aria-label="${name}" tabindex="0">
        ${content}
    </div>`;
}
