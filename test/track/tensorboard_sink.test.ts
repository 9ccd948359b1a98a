import assert from 'node:assert/strict';
import { readdirSync, rmSync } from 'node:fs';

import { startRun, tensorboardSink } from '../../lib/track/index.js';
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
