import assert from 'node:assert/strict';
import { appendFileSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { readRun, startRun } from '../../lib/track/index.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

describe('what a run folder tells', () => {
    const folder = useTemporaryFolder();

    it('is what was logged: the last of parameters and tags, every point of a metric, files, data sets', async () => {
        const run = await startRun({
            folder: folder(),
            name: 'one',
            experiment: 'tries',
            tags: { a: 1, b: 2 },
        });
        run.logParams({ lr: 0.1, sizes: [3, 4] });
        run.setTags({ b: 3 });
        run.logMetrics({ loss: NaN, accuracy: 0.5 }, { step: 1, time: 11 });
        run.logMetrics({ loss: -Infinity }, { step: 2, time: 12 });
        run.logInput({ name: 'digits', digest: 'd', source: 'here', profile: { samples: 3 } });
        writeFileSync(join(folder(), 'a.txt'), 'a');
        await run.logArtifact(join(folder(), 'a.txt'), 'deep/a.txt');
        await run.logArtifact(join(folder(), 'a.txt'), 'deep/a.txt');
        const during = await readRun(folder());
        assert.equal(during?.status, 'RUNNING');
        assert.equal(during.endTime, undefined);
        await run.end('KILLED');
        const read = await readRun(folder());
        assert.ok(read);
        assert.deepEqual([read.id, read.name, read.experiment], [run.id, 'one', 'tries']);
        assert.equal(read.status, 'KILLED');
        assert.ok(read.endTime !== undefined && read.endTime >= read.startTime);
        assert.deepEqual([...read.params], Object.entries({ lr: '0.1', sizes: '[3,4]' }));
        assert.deepEqual([...read.tags], Object.entries({ a: '1', b: '3' }));
        assert.deepEqual(read.metrics.get('loss'), [
            { step: 1, value: NaN, time: 11 },
            { step: 2, value: -Infinity, time: 12 },
        ]);
        assert.deepEqual(read.artifacts, [{ file: 'a.txt', path: 'deep/a.txt' }]);
        assert.deepEqual(read.inputs[0]?.profile, { samples: 3 });
    });

    it('has one point for a step that was logged again after a death, the last one', async () => {
        for (const [steps, offset] of [
            [[1, 2, 3], 0],
            [[2, 3, 4], 10],
        ] as const) {
            const run = await startRun({ folder: folder() });
            for (const step of steps) run.logMetrics({ loss: step + offset, other: 1 }, { step, time: step });
            await run.end('KILLED');
        }
        const points = (await readRun(folder()))?.metrics.get('loss') ?? [];
        assert.deepEqual(
            points.map(({ step, value }) => [step, value]),
            [
                [1, 1],
                [2, 12],
                [3, 13],
                [4, 14],
            ],
        );
    });

    it('says whether it goes on, and that its process died', async () => {
        const first = await startRun({ folder: folder() });
        await first.end();
        const again = await startRun({ folder: folder() });
        assert.equal((await readRun(folder()))?.status, 'RUNNING');
        await again.end();
        // What a death leaves: no end, no lock that lives, a torn line.
        const path = join(folder(), 'tracking.jsonl');
        const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
        writeFileSync(path, `${lines.slice(0, -1).join('\n')}\n`);
        appendFileSync(path, '{"type":"met');
        writeFileSync(join(folder(), '.tracking-lock_host_1_999999999_1_00'), '');
        utimesSync(join(folder(), '.tracking-lock_host_1_999999999_1_00'), 0, 0);
        const read = await readRun(folder());
        assert.equal(read?.status, 'DIED');
        assert.ok(read.endTime !== undefined);
    });

    it('knows no artifact that leads out of its folder, whoever wrote the log', async () => {
        const run = await startRun({ folder: folder() });
        await run.end();
        const places = [
            ['../../secret', 'a'],
            ['/etc/passwd', 'b'],
            ['C:\\secret', 'c'],
            ['in/../../out', 'd'],
            ['fine.txt', '../other/run'],
            ['fine.txt', 'e'],
        ];
        const lines = places.map(([file, path]) => JSON.stringify({ type: 'artifact', time: 1, file, path }));
        appendFileSync(join(folder(), 'tracking.jsonl'), `${lines.join('\n')}\n`);
        const read = await readRun(folder());
        assert.deepEqual(read?.artifacts, [{ file: 'fine.txt', path: 'e' }]);
    });

    it('is nothing where no run was tracked', async () => {
        assert.equal(await readRun(folder()), undefined);
        assert.equal(await readRun(join(folder(), 'none')), undefined);
        writeFileSync(join(folder(), 'tracking.jsonl'), 'rubbish\n');
        assert.equal(await readRun(folder()), undefined);
    });
});
