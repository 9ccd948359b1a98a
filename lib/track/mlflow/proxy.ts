import * as http from 'node:http';
import * as https from 'node:https';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect } from 'node:tls';

import { MlflowError } from './mlflow_error.js';

/** A request to an address by a proxy, whose answer comes to `onAnswer`. */
export async function requestByProxy(
    url: URL,
    proxy: URL,
    options: Omit<http.RequestOptions, 'headers'> & { readonly headers: http.OutgoingHttpHeaders },
    onAnswer: (answer: http.IncomingMessage) => void,
): Promise<http.ClientRequest> {
    if (url.protocol === 'https:') {
        const socket = await tunnel(url, proxy, options.signal);
        const rest = { ...options, agent: undefined };
        const host = url.hostname.replace(/^\[|\]$/g, '');
        const name = isIP(host) === 0 ? { servername: host } : {};
        return https.request(
            url,
            { ...rest, createConnection: () => connect({ socket, host, ...name }) },
            onAnswer,
        );
    }
    const headers = { ...options.headers, ...authorizationOf(proxy), Host: url.host };
    return clientOf(proxy).request(proxy, { ...options, path: url.href, headers }, onAnswer);
}

/** A connection to the server that the proxy only passes on. */
function tunnel(url: URL, proxy: URL, signal: AbortSignal | undefined): Promise<Duplex> {
    const path = `${url.hostname}:${url.port || '443'}`;
    const headers = { ...authorizationOf(proxy), Host: path };
    return new Promise((done, failed) => {
        const asked = clientOf(proxy).request(proxy, {
            method: 'CONNECT',
            path,
            headers,
            agent: false,
            ...(signal ? { signal } : {}),
        });
        asked.on('socket', (socket) => socket.unref());
        asked.on('error', failed);
        asked.on('connect', ({ statusCode = 0 }, socket) => {
            if (statusCode === 200) {
                done(socket);
                return;
            }
            socket.destroy();
            failed(
                refusalOf(statusCode, proxy) ??
                    new MlflowError('later', `the proxy ${proxy.host} answers HTTP ${statusCode}`),
            );
        });
        asked.end();
    });
}

/** What the proxy itself refuses; undefined where the answer may be the server's. */
export function refusalOf(status: number, proxy: URL): MlflowError | undefined {
    if (status !== 407) return undefined;
    return new MlflowError(
        'closed',
        `the proxy ${proxy.host} refuses who asks (HTTP 407): give a user and password in its address`,
    );
}

/** Who speaks the protocol of an address. */
export function clientOf({ protocol }: URL): typeof http | typeof https {
    return protocol === 'https:' ? https : http;
}

function authorizationOf({ username, password }: URL): Record<string, string> {
    if (username === '' && password === '') return {};
    const words = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    return { 'Proxy-Authorization': `Basic ${Buffer.from(words).toString('base64')}` };
}
