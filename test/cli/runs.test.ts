import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { decode } from 'fast-png';

import { parseCommandLine } from '../../lib/cli/command_line.js';
import { runsCommand } from '../../lib/cli/runs_command.js';
import { UsageError } from '../../lib/cli/usage_error.js';
import { startRun } from '../../lib/track/run.js';
import { startBrowser } from '../support/browser.js';
import { checkPage } from '../support/page_checks.js';
import { Collector } from '../support/collector.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

describe('nativegrad runs', () => {
    const folder = useTemporaryFolder();

    async function note(
        name: string,
        rate: number,
        losses: readonly number[],
        accuracy: number,
    ): Promise<void> {
        const run = await startRun({ folder: join(folder(), name), name });
        run.setTags({ 'nativegrad.command': `nativegrad train --run_name ${name}` });
        run.logParams({ learning_rate: rate, epochs: losses.length, optimizer: 'adam', run_name: name });
        losses.forEach((loss, i) => run.logMetrics({ loss }, { step: i + 1 }));
        run.logMetrics({ test_accuracy: accuracy }, { step: losses.length });
        const part = await startRun({
            folder: join(run.folder, 'runs', 'check'),
            name: 'check',
            parent: run,
        });
        await part.end();
        await run.end(accuracy > 0.5 ? 'FINISHED' : 'FAILED');
    }

    beforeEach(async () => {
        await note('first', 0.1, [0.5, 0.25], 0.9);
        await note('second', 0.01, [0.75, 0.5], 0.95);
        await note('third', 0.1, [0.5, NaN], 0.1);
    });

    async function runs(...words: string[]): Promise<{ code: number; out: string; err: string }> {
        const [out, err] = [new Collector(), new Collector()];
        const request = parseCommandLine(['runs', ...words], '0');
        assert.ok('raw' in request);
        const code = await runsCommand(request.raw, { out, err });
        return { code, out: out.text, err: err.text };
    }

    it('lists what runs gave and in which parameters they differ', async () => {
        const { code, out, err } = await runs(folder(), '--sort', 'test_accuracy');
        assert.deepEqual([code, err], [0, '']);
        const [head, ...rows] = out
            .trimEnd()
            .split('\n')
            .map((line) => line.trim().split(/\s{2,}/));
        assert.deepEqual(head, ['run', 'status', 'start', 'time', 'test_accuracy', 'loss', 'learning_rate']);
        assert.deepEqual(
            rows.map(([run = '', status, , , ...figures]) => [run.split('/').at(-1), status, ...figures]),
            [
                ['second', 'finished', '0.95', '0.5', '0.01'],
                ['first', 'finished', '0.9', '0.25', '0.1'],
                ['third', 'failed', '0.1', 'NaN', '0.1'],
            ],
        );
    });

    it('names an option that only one of two trainings was given', async () => {
        const place = join(folder(), 'clipped');
        for (const [name, params] of [
            ['with', { epochs: 2, gradient_clip: 1 }],
            ['without', { epochs: 2 }],
        ] as const) {
            const run = await startRun({ folder: join(place, name), name });
            run.setTags({ 'nativegrad.command': `nativegrad train --run_name ${name}` });
            run.logParams(params);
            await run.end();
        }
        // It died before it could log its parameters.
        const died = await startRun({ folder: join(place, 'nothing'), name: 'nothing' });
        died.setTags({ 'nativegrad.command': 'nativegrad train' });
        await died.end('FAILED');
        const [head, ...rows] = (await runs(place, '--sort', 'name')).out.trimEnd().split('\n');
        assert.match(head ?? '', / time +gradient_clip$/);
        assert.deepEqual(
            rows.map((row) => /\/(\w+) .* (\S+)$/.exec(row)?.slice(1).join(' ')),
            ['nothing –', 'with 1', 'without –'],
        );
    });

    it('names no parameter that all trainings agree on, where an evaluation has others', async () => {
        const run = await startRun({ folder: join(folder(), 'evaluated'), name: 'evaluated' });
        run.setTags({ 'nativegrad.command': 'nativegrad evaluate --split test' });
        run.logParams({ data: 'digits', split: 'test' });
        run.logMetrics({ test_accuracy: 0.5 });
        await run.end();
        const [head, ...rows] = (await runs(folder())).out.trimEnd().split('\n');
        assert.match(head ?? '', / time +test_accuracy +loss +learning_rate$/);
        assert.match(rows.find((row) => row.includes('evaluated')) ?? '', / 0\.5 +– +–$/);
    });

    it('shows metrics of any name, those of the machine only where they are asked for, and names the rest', async () => {
        const place = join(folder(), 'own');
        const run = await startRun({ folder: join(place, 'one'), name: 'one' });
        run.logMetrics({ 'batch/loss': 1, 'system/cpu': 2, bleu: 0.25, loss: 3 });
        run.logMetrics(Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`own_${i}`, i])));
        await run.end();
        const lines = async (...words: string[]): Promise<string[]> =>
            (await runs(place, ...words)).out.trimEnd().split('\n');
        const [head, row, blank, others] = await lines();
        assert.match(head ?? '', / time +loss +bleu +own_0 +own_1 +own_2 +own_3 +own_4 +own_5$/);
        assert.match(row ?? '', / 3 +0\.25 +0 +1 +2 +3 +4 +5$/);
        assert.deepEqual([blank, others], ['', '--metrics shows others: own_6, own_7, own_8']);
        const chosen = await lines('--metrics', 'system/cpu,own_8,none');
        assert.equal(chosen.length, 2);
        assert.match(chosen[0] ?? '', / time +system\/cpu +own_8 +none$/);
        assert.match(chosen[1] ?? '', / 2 +8 +–$/);
    });

    it('sorts either way, puts what is no number last, and shows so many', async () => {
        const names = async (...words: string[]): Promise<string[]> => {
            const { out } = await runs('--folders', folder(), '--json', ...words);
            return (JSON.parse(out) as { name: string }[]).map(({ name }) => name);
        };
        assert.deepEqual(await names('--sort', '-loss'), ['first', 'second', 'third']);
        assert.deepEqual(await names('--sort', 'loss'), ['second', 'first', 'third']);
        assert.deepEqual(await names('--sort', 'name', '--limit', '2'), ['first', 'second']);
        assert.deepEqual(await names('--sort', '-start'), ['first', 'second', 'third']);
        assert.equal((await names('--nested')).length, 6);
    });

    it('gives every figure as JSON', async () => {
        const { out } = await runs(join(folder(), 'third'), '--json');
        const [{ start_time: start, ...run }] = JSON.parse(out) as Record<string, unknown>[];
        assert.ok(typeof start === 'string' && Date.now() - Date.parse(start) < 600_000);
        assert.equal(run.status, 'FAILED');
        assert.deepEqual(run.metrics, { loss: null, test_accuracy: 0.1 });
        assert.equal((run.params as Record<string, string>).learning_rate, '0.1');
    });

    it('writes a page with the curves, whole in every width and colour', async () => {
        writeFileSync(join(folder(), 'first', 'report.html'), 'x');
        const path = join(folder(), 'pages', 'compare.html');
        await assert.rejects(
            runs(folder(), '--page', path),
            new RegExp(
                `^FileWriteError: cannot write ${path}: ENOENT: no such folder ${join(folder(), 'pages')}$`,
            ),
        );
        assert.ok(!existsSync(join(folder(), 'pages')));
        mkdirSync(join(folder(), 'pages'));
        const { code, out } = await runs(folder(), '--page', path);
        assert.equal(code, 0);
        assert.match(out, /page .*compare\.html\n$/);
        const page = readFileSync(path, 'utf8');
        assert.equal(page.match(/<a href="file:[^"]*first\/report\.html">first<\/a>/g)?.length, 1);
        const browser = await startBrowser();
        try {
            await checkPage(browser, pathToFileURL(path).href);
        } finally {
            await browser.close();
        }
    });

    it('tells runs of one name apart in the curves of its page, however long names are', async () => {
        const place = join(folder(), 'tries');
        for (const [where, name] of [
            ['a', 'base'],
            ['b', 'base'],
            ['c', 'a_name_with_many_words_and_figures_0001'],
        ] as const) {
            const run = await startRun({ folder: join(place, where, name), name });
            for (const step of [1, 2]) run.logMetrics({ loss: step }, { step });
            await run.end();
        }
        const path = join(folder(), 'tries.html');
        assert.equal((await runs(place, '--page', path)).code, 0);
        const browser = await startBrowser();
        try {
            const address = pathToFileURL(path).href;
            await checkPage(browser, address);
            const page = await browser.newPage();
            await page.goto(address);
            const shown = await page.locator('#curves svg text').allTextContents();
            for (const name of ['a/base', 'b/base', 'a_name_with_many_words_and_figures_0001'])
                assert.equal(
                    shown.filter((text) => text === name).length,
                    1,
                    `${name} in ${shown.join('|')}`,
                );
            const strokes = await page.locator('#curves svg path[fill="none"][stroke-width="2"]').all();
            const colors = await Promise.all(strokes.map((line) => line.getAttribute('stroke')));
            assert.equal(new Set(colors).size, 3, colors.join(', '));
        } finally {
            await browser.close();
        }
    });

    it('shows on which side of a wide table more lies, and scrolls it by the keyboard', async () => {
        const run = await startRun({ folder: join(folder(), 'wide', 'one'), name: 'one' });
        const names = Array.from({ length: 8 }, (_, i) => `a_figure_with_a_name_of_many_words_${i}`);
        run.logMetrics(Object.fromEntries(names.map((name) => [name, Math.PI])));
        await run.end();
        const path = join(folder(), 'wide.html');
        assert.equal((await runs(join(folder(), 'wide'), '--page', path)).code, 0);
        const browser = await startBrowser();
        try {
            const page = await browser.newPage({ viewport: { width: 500, height: 700 }, bypassCSP: true });
            await page.goto(pathToFileURL(path).href);
            const region = page.getByRole('region', { name: 'Runs with their figures' });
            /** Whether the left and the right edge differ from the paper, a little inside and above all text. */
            const shades = async (): Promise<boolean[]> => {
                const { data, width, channels } = decode(await region.screenshot());
                const at = (x: number): string =>
                    data
                        .slice((3 * width + x) * channels)
                        .slice(0, 3)
                        .join();
                return [at(2), at(width - 3)].map((color) => color !== '255,255,255');
            };
            const tall = (await region.locator('thead').boundingBox())?.height ?? NaN;
            assert.ok(tall > 60, `heads of several lines are ${tall} px high`);
            assert.deepEqual(await shades(), [false, true]);
            await region.press('ArrowRight');
            await page.waitForFunction("document.querySelector('.scroll').scrollLeft > 20");
            await page.evaluate(
                "document.activeElement.blur(); document.querySelector('.scroll').scrollLeft = 100",
            );
            assert.deepEqual(await shades(), [true, true]);
            await page.evaluate("document.querySelector('.scroll').scrollLeft = 1e6");
            assert.deepEqual(await shades(), [true, false]);
            await page.setViewportSize({ width: 3000, height: 700 });
            await page.evaluate("document.body.style.maxWidth = 'none'");
            assert.deepEqual(await shades(), [false, false]);
        } finally {
            await browser.close();
        }
    });

    it('says what is wrong in one line', async () => {
        mkdirSync(join(folder(), 'empty'));
        for (const [words, message] of [
            [[join(folder(), 'empty')], /^no runs in .*empty; a run folder holds a tracking\.jsonl$/],
            [[join(folder(), 'missing')], /^there is no folder .*missing; name the one/],
            [[folder(), '--sort', 'speed'], /--sort speed: no run has it; there are start, .*test_accuracy/],
            [[join(folder(), 'first', 'tracking.jsonl')], /^there is no folder .*tracking\.jsonl; name/],
            [[folder(), '--limit', '0'], /--limit expects/],
            [[folder(), '--folders', folder()], /unexpected/],
            [[folder(), '--metrics', 'a,,b'], /--metrics expects names/],
        ] as const) {
            await assert.rejects(runs(...words), (error: Error) => {
                assert.ok(error instanceof UsageError || 'syscall' in error, error.stack);
                assert.match(error.message, message);
                return true;
            });
        }
        assert.ok(!existsSync(join(folder(), 'compare.html')));
    });
});
