import assert from 'node:assert/strict';

import { mlflowServer, sinksOf } from '../../lib/cli/tracking_server.js';
import { UsageError } from '../../lib/cli/usage_error.js';

const NONE = {
    tracking: [],
    trackingUri: undefined,
    trackingWait: undefined,
    experiment: undefined,
    tags: {},
};
const URI = 'http://127.0.0.1:5000';

describe('the MLflow server of a command', () => {
    it("is that of the flag, else of MLflow's variable, with what opens it", () => {
        const environment = { MLFLOW_TRACKING_URI: 'https://a.b', MLFLOW_TRACKING_TOKEN: 't' };
        assert.deepEqual(mlflowServer(undefined, environment), { uri: 'https://a.b', token: 't' });
        assert.deepEqual(mlflowServer(URI, environment), { uri: URI, token: 't' });
        const named = {
            MLFLOW_TRACKING_USERNAME: 'u',
            MLFLOW_TRACKING_PASSWORD: 'p',
            MLFLOW_TRACKING_TOKEN: '',
        };
        assert.deepEqual(mlflowServer(URI, named), { uri: URI, username: 'u', password: 'p' });
    });

    it('is asked for by a flag alone, and refused where nobody names it, or no server of HTTP', () => {
        assert.equal(sinksOf(NONE, { MLFLOW_TRACKING_URI: URI }).length, 0);
        assert.equal(
            sinksOf({ ...NONE, tracking: ['local', 'mlflow', 'mlflow'] }, { MLFLOW_TRACKING_URI: URI })
                .length,
            1,
        );
        assert.equal(sinksOf({ ...NONE, trackingUri: URI }, {}).length, 1);
        assert.equal(sinksOf({ ...NONE, tracking: ['tensorboard'], trackingUri: URI }, {}).length, 2);
        const asked = { ...NONE, tracking: ['mlflow'] } as const;
        for (const [environment, pattern] of [
            [{}, /which MLflow server\? --tracking_uri or MLFLOW_TRACKING_URI names it/],
            [{ MLFLOW_TRACKING_URI: 'sqlite:///secret' }, /MLFLOW_TRACKING_URI is no address of a server/],
            [{ MLFLOW_TRACKING_URI: 'http://' }, /MLFLOW_TRACKING_URI is no address of a server/],
        ] as const)
            assert.throws(
                () => sinksOf(asked, environment),
                (error: Error) =>
                    error instanceof UsageError &&
                    pattern.test(error.message) &&
                    !error.message.includes('secret'),
            );
    });
});
