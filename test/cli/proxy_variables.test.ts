import assert from 'node:assert/strict';

import { proxyOf } from '../../lib/cli/proxy_variables.js';
import { mlflowServer } from '../../lib/cli/tracking_server.js';
import { UsageError } from '../../lib/cli/usage_error.js';

describe('the proxy of the environment', () => {
    it('is the one that is named for an address, but for those of NO_PROXY', () => {
        const of = (uri: string, environment: NodeJS.ProcessEnv): string | undefined =>
            proxyOf(new URL(uri), environment)?.host;
        const both = { HTTP_PROXY: 'one:1', HTTPS_PROXY: 'https://two:2' };
        assert.deepEqual([of('http://a', both), of('https://a', both)], ['one:1', 'two:2']);
        assert.equal(of('http://a', {}), undefined);
        assert.equal(of('http://a', { http_proxy: '', HTTP_PROXY: 'one:1' }), 'one:1');
        assert.equal(of('https://a', { ALL_PROXY: 'http://three:3' }), 'three:3');
        for (const [list, host, isExcepted] of [
            ['*', 'a.b', true],
            ['a.b', 'a.b', true],
            ['b', 'a.b', true],
            ['.b, c', 'a.b', true],
            ['*.b', 'a.b', true],
            ['b', 'ab', false],
            ['A.B', 'a.b', true],
            ['a.b:80', 'a.b', true],
            ['a.b:81', 'a.b', false],
            ['', 'a.b', false],
        ] as const)
            assert.equal(of(`http://${host}`, { ...both, NO_PROXY: list }) === undefined, isExcepted, list);
        assert.throws(
            () => of('http://a', { ALL_PROXY: 'socks5://me:SECRET@host' }),
            (error: Error) =>
                error instanceof UsageError &&
                error.message.startsWith('ALL_PROXY is no address of an HTTP proxy') &&
                !error.message.includes('SECRET'),
        );
    });

    it('leads to the MLflow server of a command', () => {
        const environment = { HTTPS_PROXY: 'proxy:3128', NO_PROXY: 'here' };
        const proxy = (uri: string): string | undefined => mlflowServer(uri, environment).proxy;
        assert.deepEqual([proxy('https://there'), proxy('https://here')], ['http://proxy:3128/', undefined]);
    });
});
