import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

import { logSystemMetrics, readRun, startRun } from '../../lib/track/index.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

describe('system metrics', () => {
    const folder = useTemporaryFolder();

    it('are sampled at rising steps, those of the GPU as far as it can be asked', async () => {
        const run = await startRun({ folder: folder() });
        let calls = 0;
        const gpuMemory = (): { used: number; total: number }[] => {
            if (++calls > 1) throw new Error('lost');
            return [{ used: 2e6, total: 8e6 }];
        };
        const stop = logSystemMetrics(run, { everyMs: 20, gpuMemory });
        while (calls < 3) await sleep(5);
        stop();
        await run.end();
        const { metrics } = (await readRun(folder()))!;
        const memory = metrics.get('system/system_memory_usage_percentage') ?? [];
        assert.ok(memory.length >= 3 && memory.every(({ value }) => value > 0 && value <= 100));
        assert.ok(memory.every(({ step }, i) => i === 0 || step > memory[i - 1].step));
        assert.ok((metrics.get('system/process_memory_rss_megabytes')?.at(-1)?.value ?? 0) > 10);
        for (const { value } of metrics.get('system/cpu_utilization_percentage') ?? [])
            assert.ok(value >= 0 && value <= 100, String(value));
        assert.deepEqual(
            metrics.get('system/gpu_0_memory_usage_megabytes')?.map(({ value }) => value),
            [2],
        );
        assert.deepEqual(
            metrics.get('system/gpu_0_memory_usage_percentage')?.map(({ value }) => value),
            [25],
        );
    });

    it('end with their run, whether they are stopped or not', async () => {
        const run = await startRun({ folder: folder() });
        let calls = 0;
        const gpuMemory = (): [] => (calls++, []);
        logSystemMetrics(run, { everyMs: 5, gpuMemory });
        while (calls < 1) await sleep(5);
        await run.end();
        const before = calls;
        // An error of a timer would end the process.
        await sleep(50);
        assert.equal(calls, before);
    });

    it('refuse what is no time between samples', async () => {
        const run = await startRun({ folder: folder() });
        for (const everyMs of [0, NaN, -1, Infinity])
            assert.throws(() => logSystemMetrics(run, { everyMs }), /everyMs must be milliseconds/);
        await run.end();
    });

    it('has one sample where a run is shorter than an interval', async () => {
        const run = await startRun({ folder: folder() });
        logSystemMetrics(run)();
        await run.end();
        const { metrics } = (await readRun(folder()))!;
        assert.equal(metrics.get('system/system_memory_usage_megabytes')?.length, 1);
    });
});
