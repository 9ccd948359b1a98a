import { createRequire } from 'node:module';

const FONT_PACKAGE = '@expo-google-fonts/arimo';

/**
 * Turns SVG text into a PNG, on a worker thread of the renderer. Text is drawn with the font that this package depends
 * on, so a machine without fonts gives the same picture.
 *
 * @param options - `scale`: pixels per SVG unit, 2 by default.
 * @throws {RangeError} where the scale is not in (0, 16].
 * @throws {Error} where the text is no SVG.
 * @example
 * ```ts
 * import { plot } from 'nativegrad';
 * const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8"/></svg>';
 * const png = await plot.renderPng(svg);
 * console.log(png[1] === 0x50); // true
 * ```
 */
export async function renderPng(svg: string, options: { scale?: number } = {}): Promise<Uint8Array> {
    const scale = options.scale ?? 2;
    if (!(scale > 0 && scale <= 16))
        throw new RangeError(`[renderPng] scale must be in (0, 16], got ${scale}`);
    const { renderAsync } = await import('@resvg/resvg-js');
    const image = await renderAsync(svg, {
        fitTo: { mode: 'zoom', value: scale },
        font: {
            loadSystemFonts: false,
            fontFiles: fontFiles(),
            defaultFontFamily: 'Arimo',
            sansSerifFamily: 'Arimo',
        },
    });
    return new Uint8Array(image.asPng());
}

function fontFiles(): string[] {
    const { resolve } = createRequire(import.meta.url);
    return ['400Regular/Arimo_400Regular.ttf', '700Bold/Arimo_700Bold.ttf'].map((file) =>
        resolve(`${FONT_PACKAGE}/${file}`),
    );
}
