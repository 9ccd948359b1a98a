import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

import type { AxeResults } from 'axe-core';
import type { Browser } from 'playwright-core';

const axePath = createRequire(import.meta.url).resolve('axe-core');

/** What a page must be in every width and colour: whole, without network or scripts, and right for screen readers. */
export async function checkPage(browser: Browser, url: string): Promise<void> {
    for (const colorScheme of ['light', 'dark'] as const) {
        for (const width of [400, 800, 1600]) {
            const context = await browser.newContext({
                viewport: { width, height: 900 },
                colorScheme,
                bypassCSP: true,
            });
            const page = await context.newPage();
            await page.goto(url);
            const wide = await page.evaluate<number>('document.documentElement.scrollWidth');
            assert.ok(wide <= width, `${colorScheme}, ${width} px: the page is ${wide} px wide`);
            const smallest = await page.evaluate<number>(SMALLEST_TEXT);
            assert.ok(smallest >= 8, `${colorScheme}, ${width} px: text of charts is ${smallest} px high`);
            const overlaps = await page.evaluate<string[]>(OVERLAPPING_TEXT);
            assert.deepEqual(
                overlaps,
                [],
                `${colorScheme}, ${width} px: texts of charts lie over each other`,
            );
            if (width === 400) {
                await page.addScriptTag({ path: axePath });
                const { violations } = await page.evaluate<AxeResults>('axe.run()');
                const found = violations.map(
                    ({ id, nodes }) => `${id}: ${nodes[0]?.html} ${nodes[0]?.failureSummary}`,
                );
                assert.deepEqual(found, [], colorScheme);
            }
            await context.close();
        }
    }
    await checkLoading(browser, url);
}

/** The smallest text of the drawings, as it is seen. */
const SMALLEST_TEXT = `Math.min(100, ...[...document.querySelectorAll('figure svg text')].map((text) => {
    const { width } = text.ownerSVGElement.getBoundingClientRect();
    return (parseFloat(getComputedStyle(text).fontSize) * width) / text.ownerSVGElement.viewBox.baseVal.width;
}))`;

/** Pairs of texts of one drawing that lie over each other, by more than the pixel that no letter fills. */
const OVERLAPPING_TEXT = `[...document.querySelectorAll('figure svg')].flatMap((svg) => {
    const texts = [...svg.querySelectorAll('text')].map((text) => [text.textContent, text.getBoundingClientRect()]);
    return texts.flatMap(([name, a], i) => texts.slice(i + 1)
        .filter(([, b]) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
            && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1)
        .map(([other]) => name + ' | ' + other));
})`;

/** Under its own policy, it asks for nothing but itself and breaks no rule. */
async function checkLoading(browser: Browser, url: string): Promise<void> {
    const page = await browser.newPage();
    const requests: string[] = [];
    const complaints: string[] = [];
    page.on('request', (request) => requests.push(request.url().slice(0, 100)));
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(String(error)));
    await page.goto(url, { waitUntil: 'networkidle' });
    assert.deepEqual(
        requests.filter((each) => !each.startsWith('data:')),
        [url],
    );
    assert.deepEqual(complaints, []);
    await page.close();
}
