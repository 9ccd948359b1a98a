import { STYLE } from './style.js';

/** One grey image and what a model made of it. */
export interface GridSample {
    /** Ink from 0 (paper) to 255, row-major, `height` x `width`. */
    readonly pixels: Uint8Array;
    readonly label: string;
    readonly predicted: string;
    /** The predicted class's probability, 0 to 1. */
    readonly confidence?: number;
}

export interface ImageGrid {
    readonly title: string;
    readonly height: number;
    readonly width: number;
    readonly samples: readonly GridSample[];
    readonly columns?: number;
}

const TILE = 84;
const GAP = 22;
const CAPTION = 36;
const MARGIN = 20;
const TOP = 72;

/**
 * Draws grey images in a grid as SVG text, each with the predicted and the true class below it. Wrong ones carry a red
 * frame, a cross and a bold caption.
 *
 * @throws {RangeError} where a sample has another number of pixels than height x width.
 * @example
 * ```ts
 * import { plot } from 'nativegrad';
 * const sample = { pixels: Uint8Array.of(0, 255, 255, 0), label: '3', predicted: '5', confidence: 0.8 };
 * const svg = await plot.imageGrid({ title: 'Samples', height: 2, width: 2, samples: [sample] });
 * console.log(svg.includes('true 3')); // true
 * ```
 */
export async function imageGrid(grid: ImageGrid): Promise<string> {
    const columns = Math.max(1, Math.min(grid.columns ?? 8, grid.samples.length));
    const rows = Math.ceil(grid.samples.length / columns);
    const width = Math.max(2 * MARGIN + columns * (TILE + GAP) - GAP, 420);
    const height = TOP + rows * (TILE + CAPTION + GAP) + MARGIN - GAP;
    const tiles: string[] = [];
    for (const [index, sample] of grid.samples.entries()) {
        const x = MARGIN + (index % columns) * (TILE + GAP);
        const y = TOP + Math.floor(index / columns) * (TILE + CAPTION + GAP);
        tiles.push(tile(sample, await greyPngUri(sample.pixels, grid.height, grid.width), x, y));
    }
    return [
        `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`,
        ` font-family="${STYLE.font}" font-size="${STYLE.textSize}" fill="${STYLE.text}">`,
        `<rect width="${width}" height="${height}" fill="${STYLE.background}"/>`,
        text(MARGIN, 30, grid.title, `font-size="${STYLE.titleSize}" font-weight="bold"`),
        text(MARGIN, 51, subtitle(grid.samples), `fill="${STYLE.mutedText}"`),
        ...tiles,
        '</svg>',
    ].join('');
}

function subtitle(samples: readonly GridSample[]): string {
    const wrong = samples.filter(({ label, predicted }) => label !== predicted).length;
    const count = `${samples.length} ${samples.length === 1 ? 'sample' : 'samples'}, ${wrong} wrong`;
    return `${count}; below each: predicted class (probability), true class`;
}

function tile(sample: GridSample, uri: string, x: number, y: number): string {
    const isRight = sample.label === sample.predicted;
    const color = isRight ? STYLE.axis : STYLE.wrong;
    const middle = x + TILE / 2;
    const confidence = sample.confidence === undefined ? '' : ` (${Math.round(100 * sample.confidence)} %)`;
    const weight = isRight ? '' : `font-weight="bold" fill="${STYLE.wrong}"`;
    return [
        `<image x="${x}" y="${y}" width="${TILE}" height="${TILE}" href="${uri}" image-rendering="optimizeSpeed"/>`,
        `<rect x="${x}" y="${y}" width="${TILE}" height="${TILE}" fill="none" stroke="${color}" stroke-width="${isRight ? 1 : 3}"/>`,
        isRight ? '' : cross(x + TILE - 15, y + 5),
        text(middle, y + TILE + 16, `${sample.predicted}${confidence}`, `text-anchor="middle" ${weight}`),
        text(middle, y + TILE + 32, `true ${sample.label}`, `text-anchor="middle" fill="${STYLE.mutedText}"`),
    ].join('');
}

function cross(x: number, y: number): string {
    const path = `M${x} ${y}l10 10m0 -10l-10 10`;
    return `<path d="${path}" stroke="${STYLE.wrong}" stroke-width="3" stroke-linecap="round"/>`;
}

function text(x: number, y: number, content: string, attributes: string): string {
    return `<text x="${x}" y="${y}" ${attributes}>${escapeXml(content)}</text>`;
}

/** A grey picture of dark ink on white paper as a data URI. pixels [height * width], ink from 0 to 255 */
export async function greyPngUri(pixels: Uint8Array, height: number, width: number): Promise<string> {
    if (pixels.length !== height * width) {
        throw new RangeError(
            `[imageGrid] a sample has ${pixels.length} pixels, expected ${height} x ${width}`,
        );
    }
    const { encode } = await import('fast-png');
    // Dark ink on white paper, as the other pictures.
    const data = pixels.map((ink) => 255 - ink);
    const png = encode({ width, height, data, channels: 1, depth: 8 });
    return `data:image/png;base64,${Buffer.from(png).toString('base64')}`;
}

function escapeXml(content: string): string {
    const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
    // Control characters are not allowed in XML at all, not even escaped.
    return Array.from(content)
        .filter((character) => character >= ' ' || character === '\t' || character === '\n')
        .map((character) => entities[character] ?? character)
        .join('');
}
