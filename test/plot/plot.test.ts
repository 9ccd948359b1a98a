import assert from 'node:assert/strict';

import { decode } from 'fast-png';

import { confusionMatrixChart } from '../../lib/plot/confusion_matrix_chart.js';
import { imageGrid } from '../../lib/plot/image_grid.js';
import { lineChart } from '../../lib/plot/line_chart.js';
import { renderPng } from '../../lib/plot/render_png.js';

const WHITE = 3 * 255;

async function pixels(
    svg: string,
): Promise<{ width: number; height: number; at: (x: number, y: number) => number }> {
    const { width, height, data, channels } = decode(await renderPng(svg, { scale: 1 }));
    const at = (x: number, y: number): number => {
        const start = (y * width + x) * channels;
        return data[start] + data[start + 1] + data[start + 2];
    };
    return { width, height, at };
}

/** How many pixels of a box are not white. */
async function ink(svg: string, left: number, top: number, width: number, height: number): Promise<number> {
    const { at } = await pixels(svg);
    let count = 0;
    for (let y = top; y < top + height; y++)
        for (let x = left; x < left + width; x++) if (at(x, y) < WHITE) count++;
    return count;
}

function texts(svg: string): string[] {
    return [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map((match) => match[1]);
}

function curves(epochs: number): Promise<string> {
    const x = Array.from({ length: epochs }, (_, i) => i + 1);
    const panel = (title: string, yLabel: string) => ({
        title,
        yLabel,
        series: [
            { name: 'training', values: x.map((i) => 1 / i) },
            { name: 'validation', values: x.map((i) => 1.2 / i) },
        ],
    });
    const panels = [panel('Loss', 'Loss (nats)'), panel('Accuracy', 'Accuracy (%)')];
    return lineChart({ title: 'Training', xLabel: 'Epoch', x, panels });
}

describe('plot', () => {
    it('draws curves with title, axis names with units, and one legend entry per name', async () => {
        const shown = texts(await curves(10));
        for (const text of [
            'Training',
            'Loss',
            'Loss (nats)',
            'Accuracy (%)',
            'training',
            'validation',
            '10',
        ]) {
            assert.ok(shown.includes(text), `${text} in ${shown.join('|')}`);
        }
        assert.equal(shown.filter((text) => text === 'Epoch').length, 2);
        assert.equal(shown.filter((text) => text === 'validation').length, 1);
    });

    it('makes room for a legend of many or long names, and keeps a size that is asked for', async () => {
        const draw = (
            names: readonly string[],
            size?: { width: number; height: number },
        ): Promise<string> => {
            const series = names.map((name) => ({ name, values: [1, 2] }));
            const panels = [{ title: 'Loss', yLabel: 'Loss', series }];
            return lineChart({ title: 'Runs', xLabel: 'Step', x: [1, 2], panels, ...(size ? { size } : {}) });
        };
        const heightOf = (svg: string): number => Number(/ height="(\d+)"/.exec(svg)?.[1]);
        const many = Array.from({ length: 10 }, (_, i) => `a middling name ${i}`);
        assert.equal(heightOf(await draw(['a', 'b'])), 400);
        const svg = await draw(many);
        assert.ok(heightOf(svg) > 450);
        assert.deepEqual(
            texts(svg).filter((text) => many.includes(text)),
            many,
        );
        assert.equal(heightOf(await draw(many, { width: 480, height: 410 })), 410);
        const long = 'n'.repeat(100);
        const shown = texts(await draw([long, 'b']));
        assert.ok(!shown.includes(long) && shown.some((text) => /^n{30,}(\.\.\.|…)$/.test(text)));
        assert.match(await draw([]), /^<svg/);
    });

    it('draws one epoch as points and 500 epochs as lines', async () => {
        assert.ok((await ink(await curves(1), 100, 100, 340, 200)) > 20);
        const many = await curves(500);
        assert.ok(many.length < 200_000);
        assert.ok(texts(many).includes('500'));
    });

    it('leaves a gap for NaN and Infinity', async () => {
        const chart = { title: 't', xLabel: 'Epoch', x: [1, 2, 3, 4] };
        const draw = (values: number[]): Promise<string> =>
            lineChart({
                ...chart,
                panels: [{ title: 'Loss', yLabel: 'Loss', series: [{ name: 'a', values }] }],
            });
        const svg = await draw([1, NaN, Infinity, 2]);
        assert.ok(!svg.includes('NaN') && !svg.includes('Infinity'));
        const marks = (text: string): number => text.split('A1 1').length;
        assert.ok(marks(svg) < marks(await draw([1, 2, 3, 4])));
        await draw([NaN, NaN, NaN, NaN]);
    });

    it('names the series whose length is wrong', async () => {
        const panels = [{ title: 'Loss', yLabel: 'Loss', series: [{ name: 'a', values: [1, 2] }] }];
        await assert.rejects(
            lineChart({ title: '', xLabel: '', x: [1], panels }),
            /\[lineChart\] series "a" of "Loss" has 2 values, but x has 1/,
        );
        await assert.rejects(lineChart({ title: '', xLabel: '', x: [1], panels: [] }), /at least one panel/);
    });

    it('draws a confusion matrix with every count that is not zero', async () => {
        const svg = await confusionMatrixChart({
            title: 'Test set',
            classNames: ['cat', 'dog', 'cow'],
            counts: [
                [90, 3, 0],
                [0, 81, 0],
                [0, 0, 0],
            ],
        });
        const shown = texts(svg);
        for (const text of [
            '90',
            '3',
            '81',
            'Predicted class',
            'True class',
            'Test set',
            '100 % of',
            'true class',
        ]) {
            assert.ok(shown.includes(text), `${text} in ${shown.join('|')}`);
        }
        assert.equal(shown.filter((text) => text === '0').length, 0);
        assert.ok(!svg.includes('NaN'));
        assert.equal(shown.filter((text) => text === 'cow').length, 2);
    });

    it('draws a confusion matrix of 100 classes in colours alone, no larger than a screen', async () => {
        const size = 100;
        const counts = Array.from({ length: size }, (_, i) =>
            Array.from({ length: size }, (_, j) => (i === j ? 777 : 1)),
        );
        const classNames = counts.map((_, i) => `class ${i}`);
        const svg = await confusionMatrixChart({ title: 'Test set', classNames, counts });
        const shown = texts(svg);
        assert.equal(shown.filter((text) => text === '777' || text === '1').length, 0);
        const named = shown.filter((text) => text.startsWith('class ')).length;
        assert.ok(named >= 10 && named <= 120, `${named} names`);
        assert.ok(Number(/ width="(\d+)"/.exec(svg)?.[1]) <= 1200);
    });

    it('refuses a confusion matrix that is not square', async () => {
        const bad = { title: '', classNames: ['a', 'b'], counts: [[1, 2]] };
        await assert.rejects(confusionMatrixChart(bad), /must be square .*1 rows of \[2\], 2 names/);
    });

    it('draws samples with dark ink on white and marks the wrong ones', async () => {
        const dot = new Uint8Array(4);
        dot[3] = 255;
        const samples = [
            { pixels: dot, label: '3', predicted: '3', confidence: 0.876 },
            { pixels: dot, label: '4', predicted: '<9>&' },
        ];
        const svg = await imageGrid({ title: 'Samples', height: 2, width: 2, samples });
        const shown = texts(svg);
        assert.ok(shown.includes('3 (88 %)') && shown.includes('true 3') && shown.includes('&lt;9&gt;&amp;'));
        assert.ok(shown.some((text) => text.startsWith('2 samples, 1 wrong')));
        assert.equal(svg.split('stroke-width="3"').length - 1, 2);
        const { at } = await pixels(svg);
        // Tiles are 84 wide from x = 20, y = 72: the last pixel of a 2 x 2 image fills the lower right quarter, sharply.
        assert.equal(at(20 + 63, 72 + 63), 0);
        assert.equal(at(20 + 44, 72 + 44), 0);
        assert.equal(at(20 + 40, 72 + 40), WHITE);
    });

    it('draws an empty grid and refuses a sample of another size', async () => {
        assert.match(await imageGrid({ title: 't', height: 2, width: 2, samples: [] }), /0 samples, 0 wrong/);
        const sample = { pixels: new Uint8Array(3), label: '1', predicted: '1' };
        await assert.rejects(
            imageGrid({ title: 't', height: 2, width: 2, samples: [sample] }),
            /3 pixels, expected 2 x 2/,
        );
    });

    it('draws text without any font of the system, at the asked scale', async () => {
        const svg =
            '<svg xmlns="http://www.w3.org/2000/svg" width="100" height="30"><rect width="100" height="30" fill="#fff"/>' +
            '<text x="5" y="20" font-family="Arimo, Arial, sans-serif">Accuracy</text></svg>';
        const drawn = await ink(svg, 0, 0, 100, 30);
        assert.ok(drawn > 200, `${drawn} pixels`);
        assert.ok((await ink(svg.replace('Arimo, Arial, ', 'No Such Font, '), 0, 0, 100, 30)) > 200);
        assert.equal(await ink(svg.replace('Accuracy', ''), 0, 0, 100, 30), 0);
        const { width, height } = decode(await renderPng(svg));
        assert.deepEqual([width, height], [200, 60]);
    });

    it('refuses what is no SVG and a wrong scale', async () => {
        await assert.rejects(renderPng('no svg'));
        for (const scale of [0, -1, NaN, 17])
            await assert.rejects(renderPng('<svg/>', { scale }), RangeError);
    });
});
