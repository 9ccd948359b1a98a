import assert from 'node:assert/strict';
import fs, { appendFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { mock } from 'node:test';

import { FileWriteError } from '../../lib/io/file_write_error.js';
import { FolderLockedError, readRun, startRun } from '../../lib/track/index.js';
import { isLineEnd, readLog, readWholeLog, RunLog, syncLog } from '../../lib/track/run_log.js';
import type { LogRecord } from '../../lib/track/records.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

describe('a tracked run in its folder', () => {
    const folder = useTemporaryFolder();
    const logPath = (): string => join(folder(), 'tracking.jsonl');
    const ofType = async <T extends LogRecord['type']>(type: T): Promise<Extract<LogRecord, { type: T }>[]> =>
        (await readWholeLog(logPath())).filter(
            (record): record is Extract<LogRecord, { type: T }> => record.type === type,
        );

    it('has every line in the file when a call returns, NaN and infinities among them', async () => {
        const run = await startRun({ folder: folder(), name: 'one', tags: { a: 1 } });
        run.logMetrics({ loss: NaN, 'system/cpu': Infinity, low: -Infinity, x: 0.1 }, { step: 3, time: 5 });
        const [line] = await ofType('metrics');
        assert.deepEqual(line, {
            type: 'metrics',
            time: 5,
            step: 3,
            metrics: { loss: 'NaN', 'system/cpu': 'Infinity', low: '-Infinity', x: 0.1 },
        });
        run.logParams({ list: [1, 2], on: true, nothing: null, left: undefined });
        assert.deepEqual((await ofType('params'))[0]?.params, { list: '[1,2]', on: 'true', nothing: 'null' });
        assert.deepEqual(await run.end(), { pending: [] });
        assert.throws(() => run.logMetrics({ x: 1 }), /has ended/);
    });

    it('goes on under its identity, leaves out points that it has, and cuts off a torn line', async () => {
        const first = await startRun({ folder: folder() });
        first.logMetrics({ loss: 1 }, { step: 1 });
        first.logMetrics({ loss: 2 }, { step: 2 });
        await first.end('KILLED');
        appendFileSync(logPath(), '{"type":"metrics","time":1,"st');
        const again = await startRun({ folder: folder() });
        assert.equal(again.id, first.id);
        again.logMetrics({ loss: 2 }, { step: 2 });
        again.logMetrics({ loss: 3 }, { step: 3 });
        await again.end();
        assert.deepEqual(
            (await ofType('metrics')).map(({ step }) => step),
            [1, 2, 3],
        );
        for (const line of readFileSync(logPath(), 'utf8').trimEnd().split('\n')) JSON.parse(line);
    });

    it('notes a step again that comes to another value, also to one that it had before', async () => {
        for (const value of [1, 2, NaN, 2]) {
            const run = await startRun({ folder: folder() });
            run.logMetrics({ loss: value }, { step: 7 });
            await run.end();
        }
        const noted = (await ofType('metrics')).map(({ metrics }) => metrics.loss);
        assert.deepEqual(noted, [1, 2, 'NaN', 2]);
    });

    it('goes on under its own name only', async () => {
        await (await startRun({ folder: folder(), name: 'first' })).end();
        const again = await startRun({ folder: folder(), name: 'first', experiment: 'late' });
        assert.equal(again.name, 'first');
        await again.end();
        await assert.rejects(
            startRun({ folder: folder(), name: 'second' }),
            /^RangeError: \[startRun\] .* holds the run "first", got the name "second"; leave the name out/,
        );
        // Nothing is noted, and the folder is free.
        assert.equal((await ofType('resume')).length, 1);
        await (await startRun({ folder: folder() })).end();
        assert.equal((await readRun(folder()))?.experiment, undefined);
    });

    it('stays what it was where nothing is noted when it goes on, and can be left so', async () => {
        const fresh = await startRun({ folder: folder() });
        await assert.rejects(fresh.leave(), /is not what it was; call end/);
        await fresh.end('KILLED');
        const before = readFileSync(logPath(), 'utf8');
        const again = await startRun({ folder: folder(), resumeLate: true });
        assert.deepEqual(await again.leave(), { pending: [] });
        assert.deepEqual(await again.leave(), { pending: [] });
        assert.throws(() => again.logMetrics({ loss: 1 }), /has ended/);
        assert.equal(readFileSync(logPath(), 'utf8'), before);
        // The folder is free.
        const noted = await startRun({ folder: folder(), resumeLate: true });
        noted.logMetrics({ loss: 1 });
        await assert.rejects(noted.leave(), /is not what it was/);
        await noted.end();
        assert.deepEqual(
            (await readWholeLog(logPath())).map(({ type }) => type),
            ['start', 'end', 'resume', 'metrics', 'end'],
        );
    });

    it('is locked while it is written', async () => {
        const run = await startRun({ folder: folder() });
        await assert.rejects(startRun({ folder: folder() }), FolderLockedError);
        await run.end();
        await (await startRun({ folder: folder() })).end();
    });

    it('is free again, and its file closed, where a sink cannot start', async () => {
        const open = (): number => readdirSync('/proc/self/fd').length;
        const before = open();
        const broken = (): never => {
            throw new Error('no such place');
        };
        for (let i = 0; i < 3; i++)
            await assert.rejects(startRun({ folder: folder(), sinks: [broken] }), /no such place/);
        assert.equal(open(), before);
        await (await startRun({ folder: folder() })).end();
    });

    it('keeps files: those of the folder in place, others as copies, and none under a path that leads out', async () => {
        const run = await startRun({ folder: join(folder(), 'run') });
        writeFileSync(join(folder(), 'run', 'in.txt'), 'in');
        writeFileSync(join(folder(), 'out.txt'), 'out');
        await run.logArtifact(join(folder(), 'run', 'in.txt'));
        await run.logArtifact(join(folder(), 'out.txt'), 'deep/out.txt');
        assert.equal(readFileSync(join(folder(), 'run', 'artifacts', 'deep', 'out.txt'), 'utf8'), 'out');
        await assert.rejects(run.logArtifact(join(folder(), 'out.txt'), '../x'), /path must be a name/);
        await assert.rejects(run.logArtifact(folder()), /is no file/);
        const nested = await run.startRun({ name: 'part' });
        await nested.end();
        const [start] = await readWholeLog(join(nested.folder, 'tracking.jsonl'));
        assert.ok(start?.type === 'start' && start.parent?.id === run.id);
        await run.end();
    });

    it('refuses names and values that cannot be', async () => {
        const run = await startRun({ folder: folder() });
        for (const name of ['', 'a//b', '../x', 'a\n', 'x'.repeat(251)]) {
            assert.throws(() => run.logMetrics({ [name]: 1 }), /\[logMetrics\] a metric must be a name/);
        }
        assert.throws(() => run.logMetrics(JSON.parse('{"a":"1"}') as { a: number }), /'a' must be a number/);
        assert.throws(() => run.logMetrics({ a: 1 }, { step: 0.5 }), RangeError);
        const dataset = { name: 'digits', digest: 'd'.repeat(36), source: 'folder' };
        run.logInput(dataset);
        assert.throws(
            () => run.logInput({ ...dataset, source: '' }),
            /source must be a text, got the string ""/,
        );
        assert.throws(() => run.logInput({ ...dataset, digest: 'd'.repeat(37) }), RangeError);
        assert.throws(() => run.logInput({ ...dataset, ...{ size: 1 } }), /size/);
        await run.end();
    });

    it('closes its sinks, and is free again, where its last lines find no room', async () => {
        let closed = 0;
        const close = (): Promise<undefined> => {
            closed++;
            return Promise.resolve(undefined);
        };
        const run = await startRun({ folder: folder(), sinks: [() => ({ write: () => undefined, close })] });
        const full = mock.method(fs, 'writeSync', () => {
            throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
        });
        syncBuiltinESMExports();
        try {
            await assert.rejects(run.end(), FileWriteError);
        } finally {
            full.mock.restore();
            syncBuiltinESMExports();
        }
        assert.equal(closed, 1);
        await (await startRun({ folder: folder() })).end();
    });

    it('says once that the disk refuses lines, and that they are not on disk', async () => {
        const problems: string[] = [];
        const log = RunLog.open('/dev/full', (text) => problems.push(text));
        log.append({ type: 'resume', time: 1 });
        log.append({ type: 'resume', time: 2 });
        assert.equal(problems.length, 1);
        assert.match(problems[0] ?? '', /cannot write \/dev\/full: ENOSPC/);
        await assert.rejects(log.sync(), /ENOSPC/);
        log.close();
    });

    it('says once that metrics are lost, when too much waits for the disk', () => {
        const problems: string[] = [];
        const log = RunLog.open('/dev/full', (text) => problems.push(text));
        log.append({ type: 'tags', time: 1, tags: { note: 'x'.repeat(16 << 20) } });
        for (let step = 0; step < 3; step++)
            log.append({ type: 'metrics', time: 1, step, metrics: { a: 1, b: 2 } });
        assert.equal(log.lost, 6);
        assert.match(problems[1] ?? '', /metrics are lost now/);
        assert.equal(problems.length, 2);
        log.close();
    });

    it('says up to where whole lines are on disk, and where lines end', async () => {
        writeFileSync(logPath(), '{}\n[]\n"torn');
        assert.equal(await syncLog(logPath()), 6);
        const ends = [-1, 0, 1, 2, 3, 4, 5, 6, 7, 99].filter((place) => isLineEnd(logPath(), place));
        assert.deepEqual(ends, [0, 3, 6]);
        const log = RunLog.open(logPath(), () => undefined);
        assert.equal(await log.sync(), 6);
        log.append({ type: 'resume', time: 1 });
        assert.equal(await log.sync(), statSync(logPath()).size);
        log.close();
    });

    it('reads lines that are longer than a piece, skips what is no record, and leaves a line without an end', async () => {
        const long = JSON.stringify({ type: 'params', time: 1, params: { a: 'x'.repeat(5000) } });
        writeFileSync(logPath(), `${long}\nrubbish\n{"type":"end","time":1,"status":"MAYBE"}\n${long}`);
        const [first] = await readLog(logPath(), 0, { bytes: 100 });
        assert.equal(first?.record?.type, 'params');
        assert.equal((await readWholeLog(logPath())).length, 1);
    });
});
