import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
    mkdirSync,
    mkdtempSync,
    readFileSync,
    readdirSync,
    rmSync,
    truncateSync,
    writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { FolderLockedError, mlflowSink, readRun, startRun, syncRun } from '../../lib/track/index.js';
import type { MlflowServer, Run, SinkMaker } from '../../lib/track/index.js';
import { runCommand, type CommandResult } from '../support/command.js';
import { FaultProxy, type Fault } from '../support/fault_proxy.js';
import { MlflowTestServer, PythonSession } from '../support/mlflow_server.js';
import { writeSmallMnist } from '../support/small_mnist.js';
import { ROOT } from '../support/train_process.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

/** What MLflow's own client reads of the runs of an experiment. */
const READ_RUNS = `
import json, sys
import mlflow
from mlflow import MlflowClient
client = MlflowClient(sys.argv[1])

def files_of(run, path=None):
    files = {}
    for entry in client.list_artifacts(run, path):
        if entry.is_dir:
            files.update(files_of(run, entry.path))
        else:
            files[entry.path] = open(client.download_artifacts(run, entry.path), 'rb').read().hex()
    return files

def told(run):
    own = run.info.run_id
    history = {key: [[m.step, str(m.value), m.timestamp] for m in client.get_metric_history(own, key)] for key in run.data.metrics}
    return {
        'id': own, 'name': run.info.run_name, 'status': run.info.status,
        'start': run.info.start_time, 'end': run.info.end_time,
        'params': run.data.params, 'tags': run.data.tags, 'history': history, 'files': files_of(own),
        'inputs': [[i.dataset.name, i.dataset.digest, i.dataset.source_type, i.dataset.source, i.dataset.profile,
                    {t.key: t.value for t in i.tags}] for i in run.inputs.dataset_inputs],
        'versions': [[v.name, int(v.version), v.source, list(client.get_registered_model(v.name).aliases)]
                     for v in client.search_model_versions("run_id='%s'" % own)],
    }

mlflow.set_tracking_uri(sys.argv[1])
for line in sys.stdin:
    experiment = client.get_experiment_by_name(line.strip())
    print(json.dumps([told(run) for run in client.search_runs([experiment.experiment_id])]))
`;

interface RemoteRun {
    id: string;
    name: string;
    status: string;
    start: number;
    end: number | null;
    params: Record<string, string>;
    tags: Record<string, string>;
    history: Record<string, [number, string, number][]>;
    files: Record<string, string>;
    inputs: unknown[][];
    versions: [string, number, string, string[]][];
}

describe('a run on an MLflow server', () => {
    const folder = useTemporaryFolder();
    let home: string;
    let server: MlflowTestServer;
    let proxy: FaultProxy;
    let client: PythonSession;

    before(async () => {
        home = mkdtempSync(join(tmpdir(), 'nativegrad-mlflow-'));
        server = await MlflowTestServer.start(home);
        client = new PythonSession(READ_RUNS, [server.uri]);
    });
    after(async () => {
        client.close();
        await server.kill();
        rmSync(home, { recursive: true, force: true });
    });
    beforeEach(async () => {
        proxy = await FaultProxy.before(server.port);
    });
    afterEach(() => proxy.close());

    const fast = (uri: string): MlflowServer => ({ uri, gatherMs: 5, retryMs: 5 });
    const read = async (experiment: string): Promise<RemoteRun[]> =>
        (await client.ask(experiment)) as RemoteRun[];

    /** Every point once, in the order of steps. */
    function assertOnce(run: RemoteRun | undefined, key: string, count: number): void {
        const points = run?.history[key] ?? [];
        const steps = points.map(([step]) => step).sort((a, b) => a - b);
        assert.deepEqual(
            steps,
            Array.from({ length: count }, (_, i) => i),
        );
        for (const [step, value] of points) assert.equal(Number(value), step / 10);
    }

    async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
        const begin = Date.now();
        while (!(await holds())) {
            assert.ok(Date.now() - begin < 30_000, 'nothing of it has come within 30 s');
            await sleep(10);
        }
    }

    function logPoints(run: Run, from: number, to: number): void {
        for (let step = from; step < to; step++) run.logMetrics({ loss: step / 10 }, { step });
    }

    it('is what was logged, as its own client reads it, with its parts, files, data sets and model', async () => {
        const problems: string[] = [];
        const place = { experiment: 'whole', sinks: [mlflowSink(fast(server.uri))] };
        const onProblem = (text: string): void => void problems.push(text);
        const run = await startRun({
            ...place,
            folder: folder(),
            name: 'all of it',
            tags: { team: 'x' },
            onProblem,
        });
        run.logParams({ lr: 0.1, layers: [3, 4], long: 'y'.repeat(7000) });
        run.logMetrics({ loss: NaN, 'system/cpu: 1': 1e-300 }, { step: 1, time: 1000 });
        run.logMetrics({ loss: Infinity }, { step: 2, time: 2000 });
        run.logMetrics({ loss: -0.1 }, { step: 3, time: 3000 });
        run.logMetrics(Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`many/${i}`, i])));
        run.setTags({ 'mlflow.user': 'somebody', stop_reason: 'completed' });
        const context = { context: 'training', profile: { samples: 9 } };
        run.logInput({ name: 'digits', digest: 'abc', source: '/data', ...context });
        writeFileSync(join(folder(), 'model.bin'), Buffer.from([0, 1, 255]));
        await run.logArtifact(join(folder(), 'model.bin'), 'deep/ü model.bin');
        writeFileSync(join(folder(), 'empty'), '');
        await run.logArtifact(join(folder(), 'empty'));
        run.registerModel('digits-model', 'deep/ü model.bin', { alias: 'best' });
        const part = await run.startRun({ name: 'part', sinks: place.sinks, onProblem });
        part.logMetrics({ loss: 1 });
        assert.deepEqual(await part.end('KILLED'), { pending: [] });
        assert.deepEqual(await run.end(), { pending: [] });
        assert.deepEqual(
            problems.filter((text) => text.includes('does not take')),
            [],
        );

        const runs = await read('whole');
        assert.equal(runs.length, 2);
        const [whole, nested] = [
            runs.find(({ name }) => name === 'all of it')!,
            runs.find(({ name }) => name === 'part')!,
        ];
        assert.equal(whole.status, 'FINISHED');
        assert.equal(whole.start, run.startTime);
        assert.ok((whole.end ?? 0) >= whole.start);
        assert.deepEqual(
            [whole.params.lr, whole.params.layers, whole.params.long?.length],
            ['0.1', '[3,4]', 6000],
        );
        assert.deepEqual(whole.history.loss, [
            [1, 'nan', 1000],
            [2, 'inf', 2000],
            [3, '-0.1', 3000],
        ]);
        assert.deepEqual(whole.history['system/cpu: 1']?.[0]?.[1], '1e-300');
        for (let i = 0; i < 9; i++) assert.equal(whole.history[`many/${i}`]?.length, 1);
        assert.deepEqual([whole.tags.team, whole.tags['mlflow.user']], ['x', 'somebody']);
        assert.equal(whole.tags['nativegrad.run_id'], run.id);
        assert.deepEqual(whole.files, { 'deep/ü model.bin': '0001ff', empty: '' });
        assert.deepEqual(whole.inputs, [
            [
                'digits',
                'abc',
                'local',
                '{"uri":"/data"}',
                '{"samples":9}',
                { 'mlflow.data.context': 'training' },
            ],
        ]);
        const [version] = whole.versions;
        assert.deepEqual([version?.[0], version?.[1], version?.[3]], ['digits-model', 1, ['best']]);
        assert.match(version?.[2] ?? '', /artifacts\/deep\/ü model\.bin$/);
        assert.ok(whole.tags['mlflow.log-model.history']);
        assert.equal(nested.status, 'KILLED');
        assert.equal(nested.tags['mlflow.parentRunId'], whole.id);
    });

    it('has every point once, whatever requests and answers get lost', async () => {
        const faults: Fault[] = [
            'cut',
            'pass',
            'fail',
            'lose',
            'pass',
            429,
            'cut',
            503,
            'pass',
            'pass',
            'fail',
            500,
        ];
        let state = 1;
        const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
        proxy.fault = () => (random() < 0.6 ? 'pass' : (faults[Math.floor(8 * random())] ?? 'pass'));
        const sinks = [mlflowSink(fast(proxy.uri))];
        const run = await startRun({
            folder: folder(),
            experiment: 'faults',
            sinks,
            onProblem: () => undefined,
        });
        run.logParams({ a: 1 });
        for (let step = 0; step < 60; step += 20) {
            logPoints(run, step, step + 20);
            run.registerModel('spoilt', 'none');
            await sleep(50);
        }
        assert.deepEqual(await run.end('FINISHED', { waitMs: 60_000 }), { pending: [] });
        const [found, more] = await read('faults');
        assert.equal(more, undefined);
        assertOnce(found, 'loss', 60);
        assert.equal(found?.status, 'FINISHED');
        assert.equal(found.versions.length, 1);
    });

    it('goes on where the server is killed and started again in the middle of it', async () => {
        const problems: string[] = [];
        const sinks = [mlflowSink(fast(server.uri))];
        const onProblem = (text: string): void => void problems.push(text);
        const run = await startRun({ folder: folder(), experiment: 'killed', sinks, onProblem });
        logPoints(run, 0, 30);
        await sleep(100);
        await server.kill();
        logPoints(run, 30, 60);
        while (problems.length === 0) await sleep(5);
        const again = server.start();
        logPoints(run, 60, 90);
        await again;
        assert.deepEqual(await run.end('FINISHED', { waitMs: 60_000 }), { pending: [] });
        assert.match(problems[0] ?? '', /^MLflow at .*; the run goes on, and its records wait in /);
        assertOnce((await read('killed'))[0], 'loss', 90);
    });

    it('is sent later where the server was dead, once, also by calls that are killed', async () => {
        const sinks = [mlflowSink(fast(proxy.uri))];
        proxy.fault = () => 'lose';
        const problems: string[] = [];
        const onProblem = (text: string): void => void problems.push(text);
        const run = await startRun({ folder: folder(), experiment: 'later', sinks, onProblem });
        logPoints(run, 0, 4000);
        run.logParams({ b: 2 });
        while (problems.length === 0) await sleep(5);
        const { pending } = await run.end('FINISHED', { waitMs: 50 });
        assert.match(
            pending[0] ?? '',
            /^4002 records are not uploaded .*run `nativegrad sync .* --tracking_uri http/,
        );
        assert.equal(problems.length, 1);

        proxy.fault = () => 'pass';
        const program = `
            import { syncRun } from ${JSON.stringify(new URL('../../lib/track/index.ts', import.meta.url).href)};
            await syncRun(${JSON.stringify(folder())}, { uri: ${JSON.stringify(proxy.uri)}, retryMs: 5 });`;
        for (let kills = 0; kills < 2; kills++) {
            const before = proxy.seen.length;
            const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program]);
            const gone = once(child, 'exit');
            // In a request, behind it, or between two.
            while (proxy.seen.length < before + 3 + 5 * kills && child.exitCode === null) await sleep(1);
            child.kill('SIGKILL');
            await gone;
        }
        await syncRun(folder(), fast(proxy.uri));
        const before = proxy.seen.length;
        assert.equal(await syncRun(folder(), fast(proxy.uri)), 0);
        assert.equal(proxy.seen.length, before);
        const [found, more] = await read('later');
        assert.equal(more, undefined);
        assertOnce(found, 'loss', 4000);
        assert.equal(found?.status, 'FINISHED');

        // Not even where the file is lost that says what was sent.
        for (const name of readdirSync(folder()))
            if (name.startsWith('tracking.mlflow-')) rmSync(join(folder(), name));
        await syncRun(folder(), fast(proxy.uri));
        assertOnce((await read('later'))[0], 'loss', 4000);
        const text = readFileSync(join(folder(), 'tracking.jsonl'), 'utf8');
        assert.equal(text.split('\n').filter((line) => line.includes('"metrics"')).length, 4000);
        assert.equal((await readRun(folder()))?.status, 'FINISHED');
    });

    it('is FAILED on the server after its process died, and goes on there when it is started again', async () => {
        const program = `
            import { mlflowSink, startRun } from ${JSON.stringify(new URL('../../lib/track/index.ts', import.meta.url).href)};
            const sinks = [mlflowSink(${JSON.stringify(fast(proxy.uri))})];
            const run = await startRun({ folder: ${JSON.stringify(folder())}, experiment: 'died', sinks });
            for (let step = 0; step < 50; step++) run.logMetrics({ loss: step / 10 }, { step });
            setInterval(() => undefined, 1000);`;
        const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program]);
        while (!proxy.seen.some(({ path }) => path.endsWith('log-batch')) && child.exitCode === null)
            await sleep(1);
        const gone = once(child, 'exit');
        child.kill('SIGKILL');
        await gone;
        assert.equal((await readRun(folder()))?.status, 'DIED');
        await syncRun(folder(), fast(proxy.uri));
        const before = proxy.seen.length;
        await syncRun(folder(), fast(proxy.uri));
        assert.equal(proxy.seen.length, before);
        const [died] = await read('died');
        assertOnce(died, 'loss', 50);
        assert.equal(died?.status, 'FAILED');
        const run = await startRun({ folder: folder(), sinks: [mlflowSink(fast(proxy.uri))] });
        logPoints(run, 40, 60);
        assert.deepEqual(await run.end('FINISHED', { waitMs: 60_000 }), { pending: [] });
        const [found, more] = await read('died');
        assert.equal(more, undefined);
        assertOnce(found, 'loss', 60);
        assert.equal(found?.status, 'FINISHED');
    });

    it('gets no line that is not on disk', async () => {
        const cursors = (): number[] =>
            readdirSync(folder())
                .filter((name) => name.startsWith('tracking.mlflow-'))
                .map((name) => JSON.parse(readFileSync(join(folder(), name), 'utf8')) as { sending: number })
                .map(({ sending }) => sending);
        let [onDisk, syncs, batches] = [0, 0, 0];
        const tooEarly: string[] = [];
        const sink: SinkMaker = (context) =>
            mlflowSink(fast(proxy.uri))({
                ...context,
                syncLog: async () => {
                    syncs++;
                    return (onDisk = await context.syncLog());
                },
            });
        const run = await startRun({ folder: folder(), experiment: 'on disk', sinks: [sink] });
        proxy.fault = ({ path }) => {
            if (!path.endsWith('log-batch')) return 'pass';
            // What it may have is written down before it is sent.
            for (const sending of cursors())
                if (sending > onDisk) tooEarly.push(`byte ${sending} of ${onDisk}`);
            // These come behind the bytes that were brought to disk.
            if (batches++ < 3) logPoints(run, 10 * batches, 10 * batches + 10);
            return 'pass';
        };
        logPoints(run, 0, 10);
        await until(() => batches > 3);
        assert.deepEqual(await run.end('FINISHED', { waitMs: 60_000 }), { pending: [] });
        assert.deepEqual(tooEarly, []);
        assert.ok(syncs >= 4, `${syncs} syncs`);
        assertOnce((await read('on disk'))[0], 'loss', 40);
    });

    it('gets from sync what was there when it began, and is on disk', async () => {
        const run = await startRun({ folder: folder(), experiment: 'begun' });
        logPoints(run, 0, 10);
        let batches = 0;
        proxy.fault = ({ path }) => {
            if (path.endsWith('log-batch') && batches++ === 0) logPoints(run, 10, 20);
            return 'pass';
        };
        await syncRun(folder(), fast(proxy.uri));
        assertOnce((await read('begun'))[0], 'loss', 10);
        await run.end();
        await syncRun(folder(), fast(proxy.uri));
        assertOnce((await read('begun'))[0], 'loss', 20);
    });

    it('gets what a log says after a loss of power that took lines of it', async () => {
        const sinks = [mlflowSink(fast(proxy.uri))];
        const run = await startRun({ folder: folder(), experiment: 'power', sinks });
        logPoints(run, 0, 10);
        assert.deepEqual(await run.end('FINISHED', { waitMs: 60_000 }), { pending: [] });
        // Shorter than what was sent, and longer.
        let count = 10;
        for (const [lost, more] of [
            [8, 1],
            [5, 20],
        ] as const) {
            const log = join(folder(), 'tracking.jsonl');
            truncateSync(log, readFileSync(log, 'utf8').indexOf(`"step":${lost}`) - 20);
            const again = await startRun({ folder: folder() });
            logPoints(again, count, count + more);
            await again.end();
            count += more;
            assert.ok((await syncRun(folder(), fast(proxy.uri))) > 0);
            const [found, other] = await read('power');
            assert.equal(other, undefined);
            assertOnce(found, 'loss', count);
            assert.equal(await syncRun(folder(), fast(proxy.uri)), 0);
        }
    });

    it('is nested also where it was there before the run that it is a part of', async () => {
        const whole = await startRun({
            folder: join(folder(), 'whole'),
            experiment: 'nested',
            name: 'whole',
        });
        const part = await whole.startRun({ name: 'part' });
        part.logMetrics({ loss: 1 });
        await part.end();
        await whole.end();
        await syncRun(part.folder, fast(proxy.uri));
        await syncRun(whole.folder, fast(proxy.uri));
        assert.equal(await syncRun(part.folder, fast(proxy.uri)), 0);
        const runs = await read('nested');
        assert.deepEqual(
            runs.find(({ name }) => name === 'part')?.tags['mlflow.parentRunId'],
            runs.find(({ name }) => name === 'whole')?.id,
        );
        // It asks no more.
        const before = proxy.seen.length;
        await syncRun(part.folder, fast(proxy.uri));
        assert.equal(proxy.seen.length, before);
    });

    it('is sent in smaller requests where the server refuses large ones', async () => {
        proxy.fault = ({ path, bytes }) => (path.endsWith('log-batch') && bytes > 600 ? 400 : 'pass');
        const problems: string[] = [];
        const sinks = [mlflowSink(fast(proxy.uri))];
        const onProblem = (text: string): void => void problems.push(text);
        const run = await startRun({ folder: folder(), experiment: 'small', sinks, onProblem });
        run.setTags({ long: 'x'.repeat(1000), short: 'y' });
        logPoints(run, 0, 20);
        assert.deepEqual(await run.end('FINISHED', { waitMs: 60_000 }), { pending: [] });
        assert.deepEqual(problems, [`${proxy.uri} does not take the tag 'long': HTTP 400 X: spoilt`]);
        const [found] = await read('small');
        assertOnce(found, 'loss', 20);
        assert.deepEqual([found?.tags.short, found?.tags.long], ['y', undefined]);
    });

    it('goes on where files are not taken, which are sent later, a model behind its file', async () => {
        const isFile = ({ path }: { path: string }, name: string): boolean => path.endsWith(`/${name}`);
        proxy.fault = (seen) =>
            isFile(seen, 'broken')
                ? 500
                : isFile(seen, 'large')
                  ? 413
                  : isFile(seen, 'stuck')
                    ? 'hang'
                    : 'pass';
        const problems: string[] = [];
        const sinks = [mlflowSink(fast(proxy.uri))];
        const onProblem = (text: string): void => void problems.push(text);
        const run = await startRun({ folder: folder(), experiment: 'files', sinks, onProblem });
        for (const name of ['large', 'broken', 'good', 'stuck']) {
            writeFileSync(join(folder(), name), name);
            await run.logArtifact(join(folder(), name));
        }
        run.registerModel('behind', 'broken');
        const tries = (name: string): number => proxy.seen.filter((seen) => isFile(seen, name)).length;
        await until(() => tries('stuck') > 0);
        logPoints(run, 0, 20);
        run.logParams({ after: 1 });
        await until(async () => (await read('files'))[0]?.params.after === '1');
        const { pending } = await run.end('FINISHED', { waitMs: 300 });
        assert.equal(pending.length, 1);
        assert.match(
            pending[0] ?? '',
            /^the file large, the file broken, the file stuck and 1 other are not uploaded to http.*; run `nativegrad sync /,
        );
        assert.deepEqual(problems, [
            `${proxy.uri} does not take the file large: HTTP 413 X: spoilt; it waits in ${folder()}`,
            `${proxy.uri} does not take the file broken: HTTP 500 X: spoilt; it waits in ${folder()}`,
        ]);
        const [cut] = await read('files');
        assertOnce(cut, 'loss', 20);
        assert.deepEqual([cut?.status, cut?.files, cut?.versions], ['FINISHED', { good: '676f6f64' }, []]);

        proxy.fault = (seen) =>
            isFile(seen, 'large') ? 413 : isFile(seen, 'broken') && tries('broken') % 3 !== 0 ? 500 : 'pass';
        await assert.rejects(syncRun(folder(), fast(proxy.uri)), (error: Error) => {
            assert.match(
                error.message,
                /^not uploaded: the file large: HTTP 413 X: spoilt; the next sync tries again$/,
            );
            return true;
        });
        proxy.fault = () => 'pass';
        assert.equal(await syncRun(folder(), fast(proxy.uri)), 1);
        const before = proxy.seen.length;
        assert.equal(await syncRun(folder(), fast(proxy.uri)), 0);
        assert.equal(proxy.seen.length, before);
        assert.equal(tries('good'), 1);
        const [found] = await read('files');
        assert.deepEqual(Object.keys(found?.files ?? {}).sort(), ['broken', 'good', 'large', 'stuck']);
        assert.equal(found?.versions.length, 1);
        assertOnce(found, 'loss', 20);
    });

    it('tries a file again that is not taken, while the run goes on', async () => {
        let refusals = 2;
        proxy.fault = ({ method }) => (method === 'PUT' && refusals-- > 0 ? 503 : 'pass');
        const sinks = [mlflowSink(fast(proxy.uri))];
        const run = await startRun({ folder: folder(), experiment: 'again', sinks });
        writeFileSync(join(folder(), 'model'), 'first');
        await run.logArtifact(join(folder(), 'model'));
        const puts = (): number => proxy.seen.filter(({ method }) => method === 'PUT').length;
        await until(() => puts() === 3);
        // A newer file of the same name stands for the older one.
        writeFileSync(join(folder(), 'model'), 'second');
        await run.logArtifact(join(folder(), 'model'));
        assert.deepEqual(await run.end('FINISHED', { waitMs: 60_000 }), { pending: [] });
        assert.equal(puts(), 4);
        assert.equal((await read('again'))[0]?.files.model, Buffer.from('second').toString('hex'));
    });

    it('waits in its folder where the server never answers, or lets nobody in', async () => {
        for (const [fault, pattern] of [
            ['hang', /^4 records are not uploaded .* yet; run `nativegrad sync/],
            [
                401,
                /^4 records are not uploaded .*\(the server refuses who asks \(HTTP 401\): set MLFLOW_TRACKING_TOKEN/,
            ],
            [302, /\(.* leads on to another place: give that address\)/],
            [200, /\(experiments\/create gave no experiment_id\)/],
        ] as const) {
            proxy.fault = () => fault;
            const before = proxy.seen.length;
            const sinks = [mlflowSink({ ...fast(proxy.uri), token: 'wrong' })];
            const place = join(folder(), String(fault));
            const run = await startRun({
                folder: place,
                experiment: 'waits',
                sinks,
                onProblem: () => undefined,
            });
            while (proxy.seen.length === before) await sleep(5);
            logPoints(run, 0, 3);
            if (fault === 'hang') await assert.rejects(syncRun(place, fast(proxy.uri)), FolderLockedError);
            const { pending } = await run.end('FINISHED', { waitMs: 100 });
            assert.match(pending[0] ?? '', pattern);
            assert.equal(proxy.seen.at(-1)?.authorization, 'Bearer wrong');
            // One who is not let in does not knock again and again.
            if (fault !== 'hang') assert.ok(proxy.seen.length <= before + 2);
        }
    });

    it('comes from train, and from sync where train could not send it, whose model is that of the run folder', async () => {
        mkdirSync(join(folder(), 'data'));
        writeSmallMnist(join(folder(), 'data'), 640, 100);
        const command = (
            name: string,
            words: string,
            env: NodeJS.ProcessEnv = {},
        ): Promise<CommandResult> => {
            const program = ['--import', 'tsx', join(ROOT, 'scripts', `${name}.ts`), ...words.split(' ')];
            return runCommand(process.execPath, program, {
                cwd: ROOT,
                env: {
                    ...process.env,
                    MLFLOW_TRACKING_URI: proxy.uri,
                    MLFLOW_EXPERIMENT_NAME: 'commands',
                    ...env,
                },
            });
        };
        proxy.fault = () => 'hang';
        const place = join(folder(), 'out', 'one');
        const flags = `--data ${folder()}/data --output_dir ${folder()}/out --run_name one --epochs 1 --hidden_sizes 8`;
        const trained = await command(
            'train',
            `${flags} --tracking mlflow --register_model from-train --threads 1`,
        );
        assert.equal(trained.code, 0, trained.stderr);
        assert.match(
            trained.stderr,
            /warning: \d+ records are not uploaded to http.* yet.*; run `nativegrad sync /,
        );

        const right = 'Bearer secret';
        proxy.fault = ({ authorization }) => (authorization === right ? 'pass' : 401);
        const refused = await command('sync', place, { MLFLOW_TRACKING_TOKEN: 'wrong' });
        assert.equal(refused.code, 1, refused.stderr);
        assert.match(refused.stderr, /one: the server refuses who asks \(HTTP 401\)/);
        const sent = await command('sync', place, { MLFLOW_TRACKING_TOKEN: 'secret' });
        assert.equal(sent.code, 0, sent.stderr);
        assert.match(sent.stdout, /one: \d+ records sent\n$/);
        const [found] = await read('commands');
        assert.deepEqual(
            [found?.name, found?.status, found?.params.hidden_sizes],
            ['one', 'FINISHED', '[8]'],
        );
        assert.equal(found?.history.test_accuracy?.length, 1);
        assert.equal(found.files['model.safetensors'], readFileSync(join(place, 'model.safetensors'), 'hex'));
        assert.ok(found.files['report.html'] && found.files['metrics.json']);
        assert.equal(found.versions[0]?.[0], 'from-train');
        assert.equal(found.inputs.length, 2);
        assert.match(found.tags['mlflow.note.content'] ?? '', /^Flatten, .*\n\n {4}nativegrad train /);
        for (const text of [
            found.tags['nativegrad.command'],
            readFileSync(join(place, 'config.json'), 'utf8'),
        ])
            assert.ok(text && !text.includes('secret'));
    });
});
