import assert from 'node:assert/strict';
import { once } from 'node:events';
import { appendFileSync, cpSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

import { syncCommand } from '../../lib/cli/sync_command.js';
import { lockFolder } from '../../lib/io/folder_lock.js';
import { startRun, syncRun } from '../../lib/track/index.js';
import { serverKey } from '../../lib/track/mlflow/cursor.js';
import { Collector } from '../support/collector.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

/** The little that a run of metrics asks of an MLflow server. */
const ANSWERS: Readonly<Record<string, object>> = {
    'experiments/get-by-name': { experiment: { experiment_id: '1', lifecycle_stage: 'active' } },
    'runs/create': { run: { info: { run_id: 'r', experiment_id: '1', artifact_uri: '' } } },
};

describe('nativegrad sync', () => {
    const folder = useTemporaryFolder();
    let server: Server;
    let uri: string;
    let status: number;
    let requests: number;
    /** What runs were said to be. */
    let statuses: string[];

    beforeEach(async () => {
        [status, requests, statuses] = [200, 0, []];
        server = createServer((asked, answer) => {
            requests++;
            const path = /mlflow\/([^?]*)/.exec(asked.url ?? '')?.[1] ?? '';
            void text(asked).then((body) => {
                if (path === 'runs/update') statuses.push((JSON.parse(body) as { status: string }).status);
                answer.writeHead(status).end(JSON.stringify(ANSWERS[path] ?? {}));
            });
        }).listen(0, '127.0.0.1');
        await once(server, 'listening');
        uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
        for (const name of ['a', 'b', 'c', 'd']) {
            const run = await startRun({ folder: join(folder(), name), name });
            run.logMetrics({ loss: 1 });
            await run.end();
        }
    });
    afterEach(() => {
        server.closeAllConnections();
        server.close();
    });

    async function sync(folders = folder()): Promise<{ code: number; out: string; err: string }> {
        const [out, err] = [new Collector(), new Collector()];
        const code = await syncCommand({ folders, trackingUri: uri }, { out, err });
        return { code, out: out.text, err: err.text };
    }

    it('goes on past a run that cannot be sent, and says so', async () => {
        const lock = await lockFolder(join(folder(), 'b'), `upload-${serverKey(uri)}`);
        const first = await sync();
        assert.equal(first.code, 1);
        assert.match(first.err, /^nativegrad: .*\/b: .* is in use by process \d+ .*\n$/);
        const sent = (text: string): string[] =>
            [...text.matchAll(/\/(\w): (.*) sent$/gm)].map((m) => m.slice(1).join(' '));
        assert.deepEqual(sent(first.out), ['a 2 records', 'c 2 records', 'd 2 records']);
        lock.release();
        const second = await sync();
        assert.deepEqual([second.code, second.err, sent(second.out)], [0, '', ['b 2 records']]);
    });

    it('sends a run before its parts, wherever they lie', async () => {
        const whole = await startRun({ folder: join(folder(), 'z'), name: 'z' });
        const part = await startRun({ folder: join(folder(), 'e'), name: 'e', parent: whole });
        await (await startRun({ folder: join(folder(), '0'), name: '0', parent: part })).end();
        await part.end();
        await whole.end();
        const { out } = await sync();
        assert.equal([...out.matchAll(/\/(\w): .* sent$/gm)].map(([, name]) => name).join(''), 'ze0abcd');
    });

    it('sends no copy of a run, which would be mixed with it, and says what to do', async () => {
        const whole = await startRun({ folder: join(folder(), 'w'), name: 'w' });
        await (await whole.startRun({ name: 'part' })).end();
        await whole.end();
        cpSync(join(folder(), 'w'), join(folder(), 'w_all'), { recursive: true });
        const { code, out, err } = await sync();
        assert.equal(code, 1);
        assert.deepEqual(
            [...out.matchAll(/^.*\/(w.*): .* sent$/gm)].map(([, name]) => name),
            ['w', 'w/runs/part'],
        );
        const told = err.trimEnd().split('\n');
        assert.equal(told.length, 2);
        assert.match(told[0] ?? '', /^nativegrad: warning: .*\/w_all: not sent: it is a copy of .*\/w, /);
        assert.match(told[1] ?? '', /\/w_all\/runs\/part: .* a copy of .*\/w\/runs\/part, .* sync the one/);
        // The one that counts alone; a link to a run is no copy.
        symlinkSync(join(folder(), 'w_all'), join(folder(), 'link'));
        const alone = await sync(`${join(folder(), 'w_all')}\n${join(folder(), 'link')}`);
        assert.deepEqual([alone.code, alone.err], [0, '']);
    });

    it('sends of a run and its copies the one that was written to last, wherever it lies', async () => {
        const [mine, backup] = ['mine', 'backup'].map((name) => join(folder(), name)) as [string, string];
        const logOf = (place: string): string => join(place, 'tracking.jsonl');
        const sent = async (): Promise<string[]> => {
            const { out, err } = await sync(`${backup}\n${mine}`);
            assert.match(
                err,
                /^nativegrad: warning: .*\/backup: not sent: it is a copy of .*\/mine, [^\n]*\n$/,
            );
            return [...out.matchAll(/^.*\/(\w+): (.*)$/gm)].map(([, name, told]) => `${name}: ${told}`);
        };
        const run = await startRun({ folder: mine, name: 'mine' });
        run.logMetrics({ loss: 1 });
        // Without its lock, as `cp -r mine/* backup` makes it: it looks as if its process had died.
        cpSync(mine, backup, { recursive: true, filter: (path) => !basename(path).startsWith('.') });
        assert.deepEqual(await sent(), ['mine: 1 record sent']);

        await sleep(5);
        run.logMetrics({ loss: 2 }, { time: 1 });
        await run.end();
        // More records, none of them as new.
        const point = { type: 'metrics', time: 2, step: 3, metrics: { loss: 3 } };
        appendFileSync(logOf(backup), `${JSON.stringify(point)}\n`.repeat(5));
        assert.deepEqual(await sent(), ['mine: 2 records sent']);

        // As new, with fewer records.
        const lines = readFileSync(logOf(mine), 'utf8').split('\n');
        writeFileSync(logOf(backup), lines.filter((line) => !line.includes('"time":1,')).join('\n'));
        assert.deepEqual(await sent(), ['mine: nothing to send']);
        assert.deepEqual(statuses, ['FINISHED']);
    });

    it('counts of a run that goes on what it sends, not what comes meanwhile', async () => {
        const run = await startRun({ folder: join(folder(), 'e'), name: 'e' });
        let [logged, sent] = [0, 0];
        const log = (): void => run.logMetrics({ loss: 1 }, { step: ++logged });
        for (let i = 0; i < 5; i++) {
            const before = requests;
            const sending = syncRun(run.folder, { uri });
            // It counts before it asks for anything.
            for (let tries = 0; tries < 500 && requests === before; tries++) {
                log();
                await sleep(1);
            }
            sent += await sending;
        }
        await run.end();
        sent += await syncRun(run.folder, { uri });
        assert.equal(sent, logged + 1);
    });

    it('stops where the server lets nobody in: the others would meet the same', async () => {
        status = 401;
        const { code, out, err } = await sync();
        assert.deepEqual([code, out, requests], [1, '', 3]);
        assert.equal(err.match(/refuses who asks \(HTTP 401\)/g)?.length, 3);
        const last = (text: string): string | undefined => text.trimEnd().split('\n').at(-1);
        const told = `nativegrad: ${uri}: the server took none of 3 runs in a row`;
        assert.equal(last(err), `${told}; 1 further folder was not tried, run the same again later`);
        await (await startRun({ folder: join(folder(), 'e'), name: 'e' })).end();
        assert.match(last((await sync()).err) ?? '', /; 2 further folders were not tried,/);
        for (const name of ['d', 'e']) rmSync(join(folder(), name), { recursive: true });
        // All were tried.
        assert.match(last((await sync()).err) ?? '', /c: the server refuses/);
    });
});
