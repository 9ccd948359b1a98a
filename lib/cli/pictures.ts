import { writeFileAtomic } from '../io/atomic_file.js';
import { confusionMatrixChart } from '../plot/confusion_matrix_chart.js';
import { imageGrid } from '../plot/image_grid.js';
import type { GridSample } from '../plot/image_grid.js';
import { lineChart } from '../plot/line_chart.js';
import { renderPng } from '../plot/render_png.js';
import type { RunFolder } from './run_folder.js';

/** What one epoch left behind, as far as the curves need it; accuracies from 0 to 1. */
export interface CurvePoint {
    readonly epoch: number;
    readonly loss: number;
    readonly accuracy: number;
    readonly validationLoss: number | undefined;
    readonly validationAccuracy: number | undefined;
}

export interface PictureData {
    readonly title: string;
    /** The loss with its unit, e.g. `Cross-entropy (nats)`. */
    readonly lossLabel: string;
    readonly curve: readonly CurvePoint[];
    readonly accuracy: number;
    readonly confusion: readonly (readonly number[])[];
    readonly classNames: readonly string[];
    readonly samples: readonly GridSample[];
    readonly imageSide: number;
}

/**
 * Draws the run's pictures and writes each as SVG and PNG; gives their names. Where the PNG renderer does not run on this
 * machine, the SVG files stand alone and `warn` is told once: a trained model is worth more than its pictures.
 */
export async function writePictures(
    folder: RunFolder,
    data: PictureData,
    warn: (text: string) => void,
): Promise<string[]> {
    const percent = (100 * data.accuracy).toFixed(2);
    const pictures: [string, Promise<string>][] = [
        [
            'confusion_matrix',
            confusionMatrixChart({
                title: `Test set, accuracy ${percent} %`,
                classNames: data.classNames,
                counts: data.confusion,
            }),
        ],
        [
            'samples',
            imageGrid({
                title: 'Predictions on the test set',
                height: data.imageSide,
                width: data.imageSide,
                samples: data.samples,
            }),
        ],
    ];
    // A run that was interrupted in its first epoch has no curve.
    if (data.curve.length > 0) pictures.unshift(['curves', drawCurves(data)]);
    const names: string[] = [];
    let canRender = true;
    for (const [name, drawing] of pictures) {
        const svg = await drawing;
        await writeFileAtomic(folder.file(`${name}.svg`), svg);
        names.push(`${name}.svg`);
        const png: Uint8Array | undefined = canRender ? await tryRender(svg, warn) : undefined;
        canRender = png !== undefined;
        if (png === undefined) continue;
        await writeFileAtomic(folder.file(`${name}.png`), [png]);
        names.push(`${name}.png`);
    }
    return names;
}

async function tryRender(svg: string, warn: (text: string) => void): Promise<Uint8Array | undefined> {
    try {
        return await renderPng(svg);
    } catch (error) {
        warn(`no PNG pictures: ${error instanceof Error ? error.message : String(error)}`);
        return undefined;
    }
}

function drawCurves({ title, lossLabel, curve }: PictureData): Promise<string> {
    const hasValidation = curve.some(({ validationLoss }) => validationLoss !== undefined);
    const series = (training: number[], validation: (number | undefined)[], factor: number) => [
        { name: 'training', values: training.map((value) => factor * value) },
        ...(hasValidation
            ? [{ name: 'validation', values: validation.map((value) => factor * (value ?? NaN)) }]
            : []),
    ];
    const loss = curve.map((point) => point.loss);
    const accuracy = curve.map((point) => point.accuracy);
    const validationLoss = curve.map((point) => point.validationLoss);
    const validationAccuracy = curve.map((point) => point.validationAccuracy);
    return lineChart({
        title,
        xLabel: 'Epoch',
        x: curve.map(({ epoch }) => epoch),
        panels: [
            { title: 'Loss', yLabel: lossLabel, series: series(loss, validationLoss, 1) },
            { title: 'Accuracy', yLabel: 'Accuracy (%)', series: series(accuracy, validationAccuracy, 100) },
        ],
    });
}

/** Which samples to show: the first ones, then wrong ones, so that mistakes are seen in any good model. */
export function chooseSamples(labels: ArrayLike<number>, predictions: ArrayLike<number>): number[] {
    const first = Array.from({ length: Math.min(24, labels.length) }, (_, i) => i);
    const wrong: number[] = [];
    for (let i = first.length; i < labels.length && wrong.length < 16; i++) {
        if (labels[i] !== predictions[i]) wrong.push(i);
    }
    return [...first, ...wrong];
}
