import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { mlflowSink, startRun } from '../../lib/track/index.js';
import { MlflowTestServer } from '../support/mlflow_server.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

interface Entry {
    readonly key: string;
    readonly value: string;
}

describe('parameters of a run on an MLflow server', () => {
    const folder = useTemporaryFolder();
    let home: string;
    let server: MlflowTestServer;

    before(async () => {
        home = mkdtempSync(join(tmpdir(), 'nativegrad-mlflow-'));
        server = await MlflowTestServer.start(home);
    });
    after(async () => {
        await server.kill();
        rmSync(home, { recursive: true, force: true });
    });

    /** A part of the run, with what it was told. */
    async function part(params: Readonly<Record<string, unknown>>): Promise<string[]> {
        const problems: string[] = [];
        const run = await startRun({
            folder: folder(),
            name: 'one',
            sinks: [mlflowSink({ uri: server.uri, gatherMs: 5, retryMs: 5 })],
            onProblem: (text) => void problems.push(text),
        });
        run.logParams(params);
        assert.deepEqual(await run.end(), { pending: [] });
        return problems;
    }

    async function onServer(): Promise<{ params: Map<string, string>; tags: Map<string, string> }> {
        const answer = await fetch(`${server.uri}/api/2.0/mlflow/runs/search`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({ experiment_ids: ['0'] }),
        });
        const { runs } = (await answer.json()) as { runs: { data: { params: Entry[]; tags: Entry[] } }[] };
        assert.equal(runs.length, 1);
        const mapOf = (entries: readonly Entry[] = []): Map<string, string> =>
            new Map(entries.map(({ key, value }) => [key, value]));
        return { params: mapOf(runs[0]?.data.params), tags: mapOf(runs[0]?.data.tags) };
    }

    it('that change are there as tags with the newest value, and that is told', async () => {
        const long = 'y'.repeat(7000);
        assert.deepEqual(await part({ max_steps: 800, lr: 0.1, long }), []);
        assert.deepEqual(await part({ max_steps: 1000, lr: 0.1, long }), [
            `${server.uri} does not take another value of the parameter 'max_steps', which stays "800" there; ` +
                'the tag \'nativegrad.params.max_steps\' has the new one, "1000"',
        ]);
        // What is there as a tag is no news; a value that comes back must not leave the tag behind.
        for (const value of [1000, 800]) {
            assert.deepEqual(await part({ max_steps: value, epochs: 3 }), []);
            const { params, tags } = await onServer();
            assert.deepEqual([params.get('max_steps'), params.get('epochs')], ['800', '3']);
            const own = [...tags].filter(([name]) => name.startsWith('nativegrad.params.'));
            assert.deepEqual(own, [['nativegrad.params.max_steps', String(value)]]);
        }
    });
});
