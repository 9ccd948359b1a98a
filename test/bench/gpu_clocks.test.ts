import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

import { ClockWatch, clocksText } from '../../scripts/bench/gpu_clocks.js';

/** Prints a line as nvidia-smi does, and another each time that it is told to by the clock. */
const child = (lines: readonly string[]): readonly string[] => [
    '-e',
    `const lines = ${JSON.stringify(lines)};
    const next = () => { console.log(lines.length > 1 ? lines.shift() : lines[0]); };
    next();
    setInterval(next, 20);`,
];

async function firstLines(watch: ClockWatch): Promise<void> {
    for (let tries = 0; (await watch.end()) === null && tries < 500; tries++) await sleep(10);
}

describe('clocks of a GPU', () => {
    it('are sampled between begin and end', async () => {
        const watch = new ClockWatch(
            process.execPath,
            child(['345, 405, 60.5, 30', '1980, 2619, 512.25, 61']),
        );
        try {
            await firstLines(watch);
            await sleep(100);
            // What came before does not count.
            await watch.begin();
            assert.equal(await watch.end(), null);
            for (let tries = 0; (await watch.end()) === null && tries < 500; tries++) await sleep(10);
            const clocks = await watch.end();
            assert.ok(clocks && clocks.samples >= 1);
            assert.deepEqual(clocks.sm_mhz, { min: 1980, median: 1980, max: 1980 });
            assert.deepEqual(clocks.power_w, { min: 512.25, median: 512.25, max: 512.25 });
            assert.match(
                clocksText(clocks),
                /^ {2}clocks 1980 MHz \(1980 to 1980\), memory 2619 MHz, at most 512\.25 W and 61 C; \d+ samples$/,
            );
        } finally {
            watch.close();
        }
    });

    it('are unknown without nvidia-smi', async () => {
        const watch = new ClockWatch('/nonexistent/nvidia-smi', []);
        await watch.begin();
        await sleep(20);
        assert.equal(await watch.end(), null);
        watch.close();
    });
});
