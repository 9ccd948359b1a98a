import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import type { Browser } from 'playwright-core';

import { Linear, ReLU, Sequential, summary } from '../../lib/nn/index.js';
import { renderReport } from '../../lib/report/index.js';
import { renderPage } from '../../lib/report/page.js';
import { confusionTable } from '../../lib/report/confusion.js';
import type { ReportData } from '../../lib/report/index.js';
import { argmaxRows, classificationReport } from '../../lib/train/metrics.js';
import type { Score } from '../../lib/train/score.js';
import { startBrowser } from '../support/browser.js';
import { checkPage } from '../support/page_checks.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

const CLASSES = ['cat', 'dog & <bird>', 'fox'];
const CLOTHES = [
    ...['T-shirt/top', 'Trouser', 'Pullover', 'Dress', 'Coat'],
    ...['Sandal', 'Shirt', 'Sneaker', 'Bag', 'Ankle boot'],
];

/** Probabilities of a model that is right in most cases; `sharpness` says how sure it is. */
function score(samples: number, sharpness: number, classNames: readonly string[] = CLASSES): Score {
    const classes = classNames.length;
    const labels = Int32Array.from({ length: samples }, (_, i) => (i * 7) % classes);
    const probabilities = new Float32Array(samples * classes);
    for (let row = 0; row < samples; row++) {
        const logits = classNames.map(
            (_, c) => sharpness * Number(c === labels[row]) + 2 * Math.sin(12.9 * row + 78.2 * c),
        );
        const total = logits.reduce((sum, value) => sum + Math.exp(value), 0);
        logits.forEach((value, c) => (probabilities[row * classes + c] = Math.exp(value) / total));
    }
    const predictions = argmaxRows(probabilities, classes);
    const report = classificationReport(labels, predictions, classes);
    return { loss: 0.25, labels, predictions, probabilities, report };
}

function example(sharpness = 2): ReportData {
    const epochs = Array.from({ length: 4 }, (_, i) => ({
        epoch: i + 1,
        loss: 1 / (i + 1),
        accuracy: 1 - 0.3 / (i + 1),
        validationLoss: 1.1 / (i + 1),
        validationAccuracy: 1 - 0.4 / (i + 1),
        learningRate: 0.01 / (i + 1),
        seconds: 0.5,
    }));
    const model = new Sequential(new Linear(16, 8), new ReLU(), new Linear(8, 3));
    return {
        title: 'Run <one>',
        configuration: {
            hidden_sizes: [8],
            note: '</td><script>document.title = "bad"</script>',
            data: null,
        },
        model: summary(model, [1, 16]),
        training: { epochs, lossLabel: 'Cross-entropy (nats)', samples: 500, stopReason: 'completed' },
        evaluation: {
            name: 'Test set',
            score: score(300, sharpness),
            classNames: CLASSES,
            seconds: 0.1,
            images: { pixels: Uint8Array.from({ length: 300 * 16 }, (_, i) => i % 256), height: 4, width: 4 },
        },
    };
}

describe('report', () => {
    let browser: Browser;
    before(async () => {
        browser = await startBrowser();
    });
    after(() => browser.close());

    const folder = useTemporaryFolder();

    /** The address of a file with the page. */
    function addressOf(page: string): string {
        const file = join(folder(), 'report.html');
        writeFileSync(file, page);
        return pathToFileURL(file).href;
    }

    for (const [words, sharpness] of [
        ['a middling model', 2],
        ['a model that is nearly always right', 9],
    ] as const) {
        it(`of ${words} is whole in every width, light and dark, for the eye and the screen reader`, async () => {
            await checkPage(browser, addressOf(await renderReport(example(sharpness))));
        });
    }

    it('of ten classes has the names of its curves above the plots', async () => {
        const evaluation = { name: 'Test set', score: score(500, 2, CLOTHES), classNames: CLOTHES };
        const address = addressOf(await renderReport({ title: 'Clothes', evaluation }));
        await checkPage(browser, address);
        const page = await browser.newPage();
        await page.goto(address);
        const drawings = page.locator('#ranking figure svg');
        assert.equal(await drawings.count(), 2);
        for (const drawing of await drawings.all()) {
            const texts = await drawing.locator('text').all();
            const boxes = await Promise.all(
                texts.map(async (text) => ({
                    name: await text.textContent(),
                    box: await text.boundingBox(),
                })),
            );
            const keys = boxes.filter(({ name }) => CLOTHES.includes(name ?? ''));
            assert.equal(keys.length, CLOTHES.length);
            const lowest = Math.max(...keys.map(({ box }) => (box?.y ?? NaN) + (box?.height ?? NaN)));
            const top = boxes.find(({ name }) => name === '1')?.box?.y ?? NaN;
            assert.ok(lowest <= top, `keys reach down to ${lowest}, the plot begins at ${top}`);
        }
        await page.close();
    });

    it('of a hundred classes has a heat map and names the most confused pairs', async () => {
        const names = Array.from({ length: 100 }, (_, c) => `class ${c}`);
        const labels = Int32Array.from({ length: 1000 }, (_, i) => i % 100);
        // Seven of the ten samples of class 42 are taken for class 7, and one of every class for its neighbour.
        const predictions = labels.map((label, i) =>
            label === 42 && i < 700 ? 7 : i < 100 ? (label + 1) % 100 : label,
        );
        const probabilities = new Float32Array(1000 * 100);
        predictions.forEach((c, i) => (probabilities[i * 100 + c] = 1));
        const found = classificationReport(labels, predictions, 100);
        const scored = { loss: 1, labels, predictions, probabilities, report: found };
        const evaluation = { name: 'Test set', score: scored, classNames: names };
        const address = addressOf(await renderReport({ title: 'Many', evaluation }));
        await checkPage(browser, address);
        const page = await browser.newPage();
        await page.goto(address);
        const rows = await page.locator('#confusion tbody tr').allInnerTexts();
        assert.equal(rows.length, 20);
        assert.equal(rows[0], 'class 42\tclass 7\t7\t70.0 %');
        assert.match(rows[1] ?? '', /^class (\d+)\tclass \d+\t1\t10\.0 %$/);
        assert.match(
            (await page.locator('#confusion [role=img]').getAttribute('aria-label')) ?? '',
            /89\.40 % of the 1,000 samples of 100 classes lie on the diagonal; class 42 taken for class 7 /,
        );
        // Cells that are not empty: 100 on the diagonal, 99 neighbours and the one of 42 and 7.
        const drawn = page.locator('#confusion svg path[fill^="var(--chart-heat"]');
        assert.equal(await drawn.count(), 200);
        await page.close();
    });

    it('keeps the names of a confusion matrix in sight, and leaves its zeros empty', async () => {
        const evaluation = { name: 'Test set', score: score(60, 2, CLOTHES), classNames: CLOTHES };
        const page = await browser.newPage({ viewport: { width: 400, height: 300 } });
        await page.goto(addressOf(await renderReport({ title: 'Clothes', evaluation })));
        const cells = await page.locator('#confusion td').allInnerTexts();
        const counts = evaluation.score.report.confusion.flat();
        assert.deepEqual(
            cells.map((text) => text.trim()),
            counts.map((count) => (count === 0 ? '' : String(count))),
        );
        const region = page.locator('#confusion .scroll');
        await page.evaluate("document.querySelector('#confusion .scroll').scrollTo(200, 150)");
        const frame = await region.boundingBox();
        const column = await page.locator('#confusion thead th').last().boundingBox();
        const row = await page.locator('#confusion tbody th').last().boundingBox();
        assert.ok(frame && column && row);
        assert.ok(Math.abs(column.y - frame.y) < 2, `names of columns at ${column.y} of ${frame.y}`);
        assert.ok(Math.abs(row.x - frame.x) < 2, `names of rows at ${row.x} of ${frame.x}`);
        await page.close();
    });

    it('shows every share of a cell in readable colours', async () => {
        const counts = Array.from({ length: 101 }, (_, share) => [share, 100 - share]);
        const names = counts.map((_, i) => `class ${i}`);
        const content = confusionTable(counts, names);
        const section = { id: 'shares', title: 'Shares', content };
        const page = await renderPage({
            title: 'Shares',
            lead: 'All of them',
            tiles: [],
            sections: [section],
        });
        assert.ok(page.includes('--share: 68.0') && page.includes('--share: 69.0'));
        await checkPage(browser, addressOf(page));
    });

    it('shows what the run and its evaluation gave', async () => {
        const data = example();
        const page = await browser.newPage();
        await page.goto(addressOf(await renderReport(data)));
        const texts = (selector: string): Promise<string[]> => page.locator(selector).allInnerTexts();
        const found = data.evaluation?.score.report;
        assert.ok(found);
        const accuracy = `${(100 * found.accuracy).toFixed(2)} %`;
        assert.ok((await texts('.tiles dd')).includes(accuracy), accuracy);
        assert.deepEqual((await texts('#confusion td')).map(Number), found.confusion.flat());
        const [, precision] = (await texts('#classes tbody tr'))[0].split('\t');
        assert.equal(precision, found.perClass[0].precision.toFixed(4));
        const wrong = found.confusion.flatMap((row, i) => row.filter((_, j) => i !== j));
        assert.match(
            (await texts('#mistakes p'))[0],
            new RegExp(`^${wrong.reduce((sum, count) => sum + count, 0)} wrong predictions`),
        );
        const confidences = (await texts('#mistakes li')).map((text) =>
            Number(/\(([\d.]+) %\)/.exec(text)?.[1]),
        );
        assert.deepEqual(
            confidences,
            [...confidences].sort((a, b) => b - a),
        );
        assert.equal(await page.locator('#mistakes img').count(), confidences.length);
        assert.equal(await page.title(), 'Run <one>');
        assert.equal(await page.locator('#curves figure').count(), 3);
        assert.match((await texts('#throughput tbody tr'))[0], /2,000\s+2\.00 s\s+1,000/);
        assert.match((await texts('#model tbody tr')).join('\n'), /Linear\s+\[1, 8\]\s+136/);
        const [counting = ''] = await texts('#model p');
        // 16 x 8 and 8 x 3 weights with their biases, at one position.
        assert.match(
            counting,
            /163 multiplications with additions of a forward pass: .* times the positions/,
        );
        assert.match(counting, /inside attention, are not counted\.$/);
        await page.close();
    });

    it('shows the pictures of the mistakes in their own proportions', async () => {
        const { evaluation, ...rest } = example();
        assert.ok(evaluation);
        const images = { pixels: new Uint8Array(300 * 8 * 24), height: 8, width: 24 };
        const page = await browser.newPage({ viewport: { width: 1600, height: 900 } });
        await page.goto(addressOf(await renderReport({ ...rest, evaluation: { ...evaluation, images } })));
        const box = await page.locator('#mistakes img').first().boundingBox();
        assert.ok(box && box.width > 48, `${box?.width} px wide`);
        assert.ok(Math.abs(box.width / box.height - 3) < 0.2, `${box.width} x ${box.height} of 24 x 8`);
        await page.close();
    });

    it('is read by the keyboard: a skip link first, then what scrolls', async () => {
        const page = await browser.newPage({ viewport: { width: 400, height: 800 } });
        await page.goto(addressOf(await renderReport(example())));
        await page.keyboard.press('Tab');
        const focused = (): Promise<string> =>
            page.evaluate<string>('document.activeElement.className || document.activeElement.tagName');
        assert.equal(await focused(), 'skip');
        const seen = new Set<string>();
        for (let i = 0; i < 30; i++) {
            await page.keyboard.press('Tab');
            seen.add(await focused());
        }
        assert.deepEqual([...seen].filter((name) => ['A', 'SUMMARY', 'scroll'].includes(name)).sort(), [
            'A',
            'SUMMARY',
            'scroll',
        ]);
        await page.close();
    });

    it('leaves out what is not known: no evaluation, no epoch, no probabilities', async () => {
        const bare = await renderReport({ title: 'Bare' });
        assert.ok(!bare.includes('<section'));
        const data = example();
        assert.ok(data.evaluation);
        const { score: good } = data.evaluation;
        const probabilities = good.probabilities.map(() => NaN);
        const diverged = { ...data.evaluation, score: { ...good, probabilities, loss: NaN } };
        const page = await renderReport({ ...data, evaluation: diverged });
        assert.ok(page.includes('id="confusion"') && !page.includes('id="calibration"'));
    });
});
