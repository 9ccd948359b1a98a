import { writeFileAtomic } from '../io/atomic_file.js';
import { confusionMatrixChart } from '../plot/confusion_matrix_chart.js';
import { imageGrid } from '../plot/image_grid.js';
import type { GridSample } from '../plot/image_grid.js';
import { renderPng } from '../plot/render_png.js';
import { calibrationChart, chartPicture, curvesChart, rankingChart } from '../report/charts.js';
import type { Evaluation } from '../report/evaluation.js';
import type { ReportData, ScoredData } from '../report/training_report.js';
import type { RunFolder } from './run_folder.js';

type Warn = (text: string) => void;

/**
 * Writes `report.html` and its charts, each as SVG and PNG; gives the names of the files. Where the PNG renderer does not run
 * on this machine, the SVG files stand alone and `warn` is told once: a trained model is worth more than its pictures.
 */
export async function writeReport(folder: RunFolder, data: ReportData, warn: Warn): Promise<string[]> {
    const { examined, reportPage } = await import('../report/training_report.js');
    const found = examined(data);
    await writeFileAtomic(folder.file('report.html'), await reportPage(data, found));
    const names = ['report.html'];
    let canRender = true;
    for (const [name, drawing] of pictures(data, found)) {
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

async function tryRender(svg: string, warn: Warn): Promise<Uint8Array | undefined> {
    try {
        return await renderPng(svg);
    } catch (error) {
        warn(`no PNG pictures: ${error instanceof Error ? error.message : String(error)}`);
        return undefined;
    }
}

function pictures(
    { title, training, evaluation }: ReportData,
    found: Evaluation | undefined,
): [string, Promise<string>][] {
    const drawn: [string, Promise<string>][] = [];
    // A run that was interrupted in its first epoch has no curve.
    if (training && training.epochs.length > 0)
        drawn.push(['curves', chartPicture(title, curvesChart(training.epochs, training.lossLabel))]);
    return evaluation && found ? [...drawn, ...evaluationPictures(evaluation, found)] : drawn;
}

function evaluationPictures(
    scored: ScoredData,
    { calibration, rankings, mistakes }: Evaluation,
): [string, Promise<string>][] {
    const { name, score, classNames, images } = scored;
    const percent = (100 * score.report.accuracy).toFixed(2);
    const counts = score.report.confusion;
    const drawn: [string, Promise<string>][] = [
        [
            'confusion_matrix',
            confusionMatrixChart({ title: `${name}, accuracy ${percent} %`, classNames, counts }),
        ],
    ];
    if (calibration)
        drawn.push(['calibration', chartPicture(`${name}, calibration`, calibrationChart(calibration))]);
    if (rankings.some(({ roc }) => !Number.isNaN(roc.area)))
        drawn.push(['roc', chartPicture(`${name}, each class against the others`, rankingChart(rankings))]);
    if (images) {
        const { height, width } = images;
        const grid = (title: string, indices: readonly number[]): Promise<string> =>
            imageGrid({ title, height, width, samples: indices.map((index) => gridSample(scored, index)) });
        const chosen = chooseSamples(score.labels, score.predictions);
        drawn.push(['samples', grid(`Predictions on the ${name.toLowerCase()}`, chosen)]);
        const worst = mistakes.slice(0, 40).map(({ index }) => index);
        if (worst.length > 0) drawn.push(['mistakes', grid('The most confident mistakes', worst)]);
    }
    return drawn;
}

function gridSample({ score, classNames, images }: ScoredData, index: number): GridSample {
    const { labels, predictions, probabilities } = score;
    const [label, predicted] = [labels[index] ?? 0, predictions[index] ?? 0];
    const size = (images?.height ?? 0) * (images?.width ?? 0);
    return {
        pixels: images?.pixels.subarray(index * size, (index + 1) * size) ?? new Uint8Array(),
        label: classNames[label] ?? '',
        predicted: classNames[predicted] ?? '',
        confidence: probabilities[index * classNames.length + predicted] ?? 0,
    };
}

/** Which samples to show: the first ones, then wrong ones, so that mistakes are seen in any good model. */
function chooseSamples(labels: ArrayLike<number>, predictions: ArrayLike<number>): number[] {
    const first = Array.from({ length: Math.min(24, labels.length) }, (_, i) => i);
    const wrong: number[] = [];
    for (let i = first.length; i < labels.length && wrong.length < 16; i++) {
        if (labels[i] !== predictions[i]) wrong.push(i);
    }
    return [...first, ...wrong];
}
