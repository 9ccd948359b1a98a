import { html, joined, raw } from './html.js';
import type { Html } from './html.js';
import { PAGE_STYLE } from './page_style.js';

export interface Section {
    /** Of the link to it; letters and "-". */
    readonly id: string;
    readonly title: string;
    readonly content: Html;
}

export interface Page {
    readonly title: string;
    /** Below the title: what the page is about, in a line. */
    readonly lead: Html | string;
    /** Figures to see first, under the lead. */
    readonly tiles: readonly (readonly [name: string, value: string])[];
    readonly sections: readonly Section[];
}

/** A whole HTML page in one text: style inside, nothing is loaded from anywhere and nothing runs. */
export async function renderPage({ title, lead, tiles, sections }: Page): Promise<string> {
    const policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";
    const page = html`<!doctype html>
        <html lang="en">
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta http-equiv="Content-Security-Policy" content="${policy}" />
                <title>${title}</title>
                <style>
                    ${raw(PAGE_STYLE)}
                </style>
            </head>
            <body>
                <a class="skip" href="#main">Skip to the content</a>
                <header>
                    <h1>${title}</h1>
                    <p class="muted">${lead}</p>
                    <nav aria-label="Sections">
                        <ul>
                            ${sections.map(({ id, title: name }) => html`<li><a href="#${id}">${name}</a></li>`)}
                        </ul>
                    </nav>
                </header>
                <main id="main">
                    ${tiles.length === 0 ? '' : tileList(tiles)} ${joined(sections.map(section))}
                </main>
            </body>
        </html> `;
    return String(await page);
}

function tileList(tiles: Page['tiles']): Html {
    const entries = tiles.map(
        ([name, value]) =>
            html`<div>
                <dt>${name}</dt>
                <dd>${value}</dd>
            </div>`,
    );
    return html`<dl class="tiles">${entries}</dl>`;
}

function section({ id, title, content }: Section): Html {
    return html`<section id="${id}" aria-labelledby="${id}-title">
        <h2 id="${id}-title">${title}</h2>
        ${content}
    </section>`;
}
