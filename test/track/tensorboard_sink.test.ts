import assert from 'node:assert/strict';
import { readFileSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';

import { startRun, tensorboardSink } from '../../lib/track/index.js';
import type { StartRecord } from '../../lib/track/index.js';
import { maskedCrc } from '../../lib/track/tensorboard/tf_record.js';
import { runPython } from '../support/python.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

/** What TensorBoard's own reader finds in a folder. */
const READ_EVENTS = `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata
events = EventAccumulator(sys.argv[1], size_guidance={'scalars': 0, 'tensors': 0})
events.Reload()
tags = events.Tags()
def hparams(tag, parse):
    return parse(events.SummaryMetadata(tag).plugin_data.content)
start = hparams('_hparams_/session_start_info', metadata.parse_session_start_info_plugin_data)
end = hparams('_hparams_/session_end_info', metadata.parse_session_end_info_plugin_data)
values = {}
for name, value in start.hparams.items():
    kind = value.WhichOneof('kind')
    values[name] = [kind, getattr(value, kind)]
json.dump({
    'scalars': {tag: [[e.step, str(e.value), e.wall_time] for e in events.Scalars(tag)] for tag in tags['scalars']},
    'texts': {tag: [t.tensor_proto.string_val[0].decode() for t in events.Tensors(tag)]
              for tag in tags['tensors'] if events.SummaryMetadata(tag).plugin_data.plugin_name == 'text'},
    'hparams': values, 'group': start.group_name, 'status': int(end.status),
}, sys.stdout)
`;

interface Found {
    scalars: Record<string, [number, string, number][]>;
    texts: Record<string, string[]>;
    hparams: Record<string, [string, unknown]>;
    group: string;
    status: number;
}

describe('a run as event files', () => {
    const folder = useTemporaryFolder();
    const files = (): string[] =>
        readdirSync(folder()).filter((name) => name.startsWith('events.out.tfevents.'));

    it('is read by TensorBoard: metrics with NaN, parameters, tags, and what comes when it goes on', async () => {
        const sinks = [tensorboardSink({ gatherMs: 1 })];
        const first = await startRun({ folder: folder(), sinks, tags: { team: 'a|b' } });
        first.logParams({ lr: 0.5, deep: true, name: 'x y' });
        first.logParams({ batch: 64 });
        for (let step = 1; step <= 3; step++)
            first.logMetrics({ loss: step / 2, 'system/cpu': NaN }, { step, time: 1000 * step });
        first.logMetrics({ big: 1e-3 }, { step: 2 ** 40, time: 5000 });
        assert.deepEqual(await first.end('FAILED'), { pending: [] });
        const again = await startRun({ folder: folder(), sinks });
        again.logMetrics({ loss: Infinity }, { step: 4, time: 4000 });
        again.logMetrics({ loss: 1 }, { step: 2, time: 6000 });
        assert.deepEqual(await again.end(), { pending: [] });
        assert.equal(files().length, 2);

        const found = JSON.parse(runPython(READ_EVENTS, [folder()])) as Found;
        assert.deepEqual(found.scalars.loss, [
            [1, '0.5', 1],
            [2, '1.0', 2],
            [3, '1.5', 3],
            [4, 'inf', 4],
        ]);
        assert.deepEqual(
            found.scalars['system/cpu']?.map(([, value]) => value),
            ['nan', 'nan', 'nan'],
        );
        assert.deepEqual(found.scalars.big?.[0]?.slice(0, 2), [2 ** 40, String(Math.fround(1e-3))]);
        assert.deepEqual(found.hparams, {
            lr: ['number_value', 0.5],
            deep: ['bool_value', true],
            name: ['string_value', 'x y'],
            batch: ['number_value', 64],
        });
        assert.equal(found.group, first.id);
        assert.equal(found.texts.params?.length, 1);
        assert.match(
            found.texts.params[0] ?? '',
            /^\| parameter \| \|\n\| --- \| --- \|\n\| lr \| 0\.5 \|\n/,
        );
        assert.match(found.texts.tags?.[0] ?? '', /\| team \| a\\\|b \|/);
    });

    it('has all of a log where event files come later, and none twice', async () => {
        const run = await startRun({ folder: folder() });
        run.logParams({ a: 1 });
        run.logMetrics({ loss: 0.5 }, { step: 1 });
        await run.end();
        for (let i = 0; i < 2; i++)
            await (await startRun({ folder: folder(), sinks: [tensorboardSink()] })).end();
        const found = JSON.parse(runPython(READ_EVENTS, [folder()])) as Found;
        assert.equal(found.scalars.loss?.length, 1);
        assert.equal(found.status, 1);
    });

    it('has what a log says after a loss of power that took lines of it', async () => {
        const log = join(folder(), 'tracking.jsonl');
        const sinks = [tensorboardSink()];
        const first = await startRun({ folder: folder(), sinks });
        first.logParams({ a: 1 });
        for (let step = 0; step < 10; step++) first.logMetrics({ loss: step }, { step });
        await first.end();
        truncateSync(log, readFileSync(log, 'utf8').indexOf('"step":8') - 20);
        const second = await startRun({ folder: folder() });
        for (let step = 20; step < 40; step++) second.logMetrics({ later: step }, { step });
        await second.end();
        await (await startRun({ folder: folder(), sinks })).end();
        const found = JSON.parse(runPython(READ_EVENTS, [folder()])) as Found;
        assert.deepEqual(
            found.scalars.later?.map(([step]) => step),
            Array.from({ length: 20 }, (_, i) => 20 + i),
        );
    });

    it('says how far it came only of lines that are on disk', async () => {
        const run = await startRun({ folder: folder() });
        run.logMetrics({ loss: 1 });
        const logPath = join(folder(), 'tracking.jsonl');
        const onDisk = statSync(logPath).size;
        run.logMetrics({ loss: 2 }, { step: 1 });
        const [line = ''] = readFileSync(logPath, 'utf8').split('\n');
        const context = {
            folder: folder(),
            logPath,
            start: JSON.parse(line) as StartRecord,
            syncLog: () => Promise.resolve(onDisk),
            onProblem: (text: string) => assert.fail(text),
        };
        assert.equal(await tensorboardSink()(context).close(0), undefined);
        const cursor = readFileSync(join(folder(), 'tracking.tensorboard.json'), 'utf8');
        assert.deepEqual(JSON.parse(cursor), { offset: onDisk });
        await run.end();
    });

    it('says that it cannot be written, and costs the run nothing', async () => {
        const problems: string[] = [];
        const run = await startRun({
            folder: folder(),
            sinks: [tensorboardSink({ gatherMs: 1 })],
            onProblem: (text) => problems.push(text),
        });
        rmSync(folder(), { recursive: true });
        run.logMetrics({ loss: 1 });
        const { pending } = await run.end();
        assert.match(pending[0] ?? '', /the event file .* is not whole/);
        assert.equal(problems.length, 1);
        assert.match(problems[0] ?? '', /ENOENT/);
    });

    it("has TensorFlow's checksum", () => {
        // RFC 3720, B.4: CRC-32C of 32 zeros is 0x8a9136aa.
        const crc = 0x8a91_36aa;
        assert.equal(maskedCrc(new Uint8Array(32)), (((crc >>> 15) | (crc << 17)) + 0xa282_ead8) >>> 0);
    });
});
