import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { sendArtifact } from '../../lib/track/mlflow/deliver.js';
import { MlflowApi } from '../../lib/track/mlflow/mlflow_api.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

describe('files for an MLflow server', () => {
    const folder = useTemporaryFolder();

    it('are not sent to a store that is not behind the server, nor where they are gone; both is told', async () => {
        const api = new MlflowApi({ uri: 'http://127.0.0.1:9' }, new AbortController().signal);
        writeFileSync(join(folder(), 'a'), 'a');
        const told: string[] = [];
        const send = (artifactUri: string, file: string): Promise<void> => {
            const run = { runId: 'r', experimentId: '1', artifactUri };
            return sendArtifact(api, run, folder(), { file, path: file }, (text) => told.push(text));
        };
        await send('s3://bucket/1/r/artifacts', 'a');
        await send('http://elsewhere.example/api/2.0/mlflow-artifacts/artifacts/1/r', 'a');
        await send('mlflow-artifacts:/1/r/artifacts', 'gone');
        assert.match(
            told[0] ?? '',
            /^files, which it keeps at s3:\/\/bucket\/1\/r\/artifacts, not through the server/,
        );
        assert.match(told[1] ?? '', /^files, which it keeps at http:\/\/elsewhere/);
        assert.equal(told[2], 'the file gone: it is no longer in the run folder');
        // Through the server: nobody is there.
        await assert.rejects(send('mlflow-artifacts:/1/r/artifacts', 'a'), /ECONNREFUSED/);
        await assert.rejects(
            send('http://127.0.0.1:9/api/2.0/mlflow-artifacts/artifacts/1/r', 'a'),
            /ECONNREFUSED/,
        );
    });

    it('go to no address that is none', () => {
        const make = (uri: string) => () => new MlflowApi({ uri }, new AbortController().signal);
        for (const uri of ['', 'file:///x', 'sqlite:///secret.db', 'databricks'])
            assert.throws(
                make(uri),
                (error: Error) =>
                    !error.message.includes('secret') && error.message.includes('[mlflow] uri must be'),
            );
    });
});
