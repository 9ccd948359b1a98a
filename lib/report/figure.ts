import { html, raw } from './html.js';
import type { Html } from './html.js';

export interface Figure {
    readonly title: string;
    /** What the drawing says, in words, for those who do not see it. */
    readonly description: string;
    readonly svg: string;
}

/** A drawing with its caption. */
export function figure({ title, description, svg }: Figure): Html {
    return html`<figure>
        <div role="img" aria-label="${title}. ${description}">${raw(withViewBox(svg))}</div>
        <figcaption><strong>${title}.</strong> ${description}</figcaption>
    </figure>`;
}

export function figures(list: readonly Figure[]): Html {
    return html`<div class="figures">${list.map(figure)}</div>`;
}

/** As wide as its place: size attributes without a view box would cut it off. */
function withViewBox(svg: string): string {
    const head = /^<svg[^>]*>/.exec(svg)?.[0] ?? '';
    const [, width] = /\bwidth="(\d+)"/.exec(head) ?? [];
    const [, height] = /\bheight="(\d+)"/.exec(head) ?? [];
    if (head.includes('viewBox=') || width === undefined || height === undefined) return svg;
    return svg.replace('<svg', `<svg viewBox="0 0 ${width} ${height}"`);
}
