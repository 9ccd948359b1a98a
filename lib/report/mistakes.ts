import { greyPngUri } from '../plot/image_grid.js';
import type { Mistake } from './evaluation.js';
import { grouped, percent } from './figures_text.js';
import { html } from './html.js';
import type { Html } from './html.js';
import type { Section } from './page.js';

/** Ink from 0 (paper) to 255, row-major, one image after another: [N, height, width]. */
export interface GreyImages {
    readonly pixels: Uint8Array;
    readonly height: number;
    readonly width: number;
}

interface Shown {
    readonly classNames: readonly string[];
    readonly images?: GreyImages;
}

const MOST_PICTURES = 36;

/** The most confident of the mistakes as pictures, or by their numbers where there are no pictures. */
export async function mistakesSection(
    mistakes: readonly Mistake[],
    { classNames, images }: Shown,
): Promise<Section> {
    const shown = mistakes.slice(0, MOST_PICTURES);
    const items = await Promise.all(shown.map((mistake) => item(mistake, classNames, images)));
    const count = `${grouped(mistakes.length)} wrong ${mistakes.length === 1 ? 'prediction' : 'predictions'}`;
    const words =
        shown.length < mistakes.length ? `${count}; the ${shown.length} most confident ones` : count;
    const content = html`<p class="muted">${words}.</p>
        <ul class="pictures">
            ${items}
        </ul>`;
    return { id: 'mistakes', title: 'Most confident mistakes', content };
}

async function item(
    { index, label, predicted, confidence }: Mistake,
    classNames: readonly string[],
    images: GreyImages | undefined,
): Promise<Html> {
    const [right, wrong] = [classNames[label] ?? String(label), classNames[predicted] ?? String(predicted)];
    const picture = images ? await image(index, right, images) : '';
    return html`<li>
        ${picture}
        <b>${wrong}</b> (${percent(confidence, 1)})<br />true ${right}<br /><span class="muted"
            >no. ${index}</span
        >
    </li>`;
}

async function image(index: number, label: string, { pixels, height, width }: GreyImages): Promise<Html> {
    const size = height * width;
    const uri = await greyPngUri(pixels.subarray(index * size, (index + 1) * size), height, width);
    return html`<img src="${uri}" width="${width}" height="${height}" alt="Sample ${index}, a ${label}" />`;
}
