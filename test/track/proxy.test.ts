import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { connect, type AddressInfo } from 'node:net';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { mlflowSink } from '../../lib/track/index.js';
import { MlflowApi } from '../../lib/track/mlflow/mlflow_api.js';
import { runCommand, type CommandResult } from '../support/command.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

/** A server of HTTP that passes on what it is asked, and notes it. */
class PassingProxy {
    readonly seen: string[] = [];
    status = 200;

    private constructor(private readonly server: Server) {}

    static async start(): Promise<PassingProxy> {
        const server = createServer();
        const proxy = new PassingProxy(server);
        server.on('request', (asked, answer) => proxy.pass(asked, answer));
        server.on(
            'connect',
            (asked: IncomingMessage, socket: NodeJS.WritableStream & NodeJS.ReadableStream) => {
                proxy.note(asked);
                if (proxy.status !== 200) return void socket.end(`HTTP/1.1 ${proxy.status} No\r\n\r\n`);
                // Only the proxy knows where such hosts are.
                const port = Number(asked.url?.split(':')[1]);
                const far = connect(port, '127.0.0.1', () => {
                    socket.write('HTTP/1.1 200 OK\r\n\r\n');
                    far.on('error', () => undefined).pipe(socket);
                    socket.on('error', () => undefined).pipe(far);
                });
            },
        );
        server.listen(0, '127.0.0.1');
        await once(server, 'listening');
        return proxy;
    }

    get place(): string {
        return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    }

    close(): void {
        this.server.closeAllConnections();
        this.server.close();
    }

    private note({ method, url, headers }: IncomingMessage): void {
        this.seen.push(`${method} ${url} ${headers['proxy-authorization'] ?? ''}`.trim());
    }

    private pass(asked: IncomingMessage, answer: ServerResponse): void {
        this.note(asked);
        if (this.status !== 200) return void answer.writeHead(this.status).end();
        const { ...headers } = asked.headers;
        delete headers['proxy-authorization'];
        const far = request(asked.url ?? '', { method: asked.method ?? '', headers }, (got) => {
            answer.writeHead(got.statusCode ?? 0);
            got.pipe(answer);
        });
        asked.pipe(far);
    }
}

/** What says what it was sent, in both kinds. */
function answer(asked: IncomingMessage, reply: ServerResponse): void {
    const pieces: Buffer[] = [];
    asked.on('data', (piece: Buffer) => pieces.push(piece));
    asked.on('end', () => {
        const { method, url, headers } = asked;
        reply.end(
            `${method} ${url} ${headers.host} ${headers['proxy-authorization'] ?? '-'} ${Buffer.concat(pieces).toString()}`,
        );
    });
}

describe('the proxy to an MLflow server', () => {
    const folder = useTemporaryFolder();
    const servers: Server[] = [];
    let proxy: PassingProxy;

    beforeEach(async () => {
        proxy = await PassingProxy.start();
    });
    afterEach(() => {
        proxy.close();
        for (const server of servers.splice(0)) {
            server.closeAllConnections();
            server.close();
        }
    });

    async function listen(server: Server): Promise<number> {
        servers.push(server.listen(0, '127.0.0.1'));
        await once(server, 'listening');
        return (server.address() as AddressInfo).port;
    }

    /** Sends a text and a file, in a process with that authority. */
    function send(uri: string, place: string | undefined, certificate?: string): Promise<CommandResult> {
        const module = new URL('../../lib/track/mlflow/http_request.ts', import.meta.url).href;
        const file = join(folder(), 'file');
        writeFileSync(file, 'of a file');
        const program = `
            import { httpRequest } from ${JSON.stringify(module)};
            const alive = setInterval(() => undefined, 1000);
            const proxy = ${place === undefined ? 'undefined' : `new URL(${JSON.stringify(place)})`};
            const rest = { method: 'PUT', headers: {}, timeoutMs: 10_000, signal: new AbortController().signal, proxy };
            for (const body of ['a text', { path: ${JSON.stringify(file)} }]) {
                const got = await httpRequest(new URL(${JSON.stringify(`${uri}/x?y=1`)}), { ...rest, body }).catch((error) => error);
                console.log(got.text ?? got.kind + ' ' + got.message);
            }
            clearInterval(alive);`;
        return runCommand(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
            env: {
                ...process.env,
                ...(certificate === undefined ? {} : { NODE_EXTRA_CA_CERTS: certificate }),
            },
        });
    }

    it('takes a request for HTTP, with what opens it', async () => {
        const port = await listen(createServer(answer));
        const uri = `http://127.0.0.1:${port}`;
        const through = await send(uri, `http://me:p%40ss@${proxy.place}`);
        const told = (text: string): string => `PUT /x?y=1 127.0.0.1:${port} - ${text}`;
        assert.equal(through.stdout, `${told('a text')}\n${told('of a file')}\n`, through.stderr);
        const secret = Buffer.from('me:p@ss').toString('base64');
        assert.deepEqual(proxy.seen, Array(2).fill(`PUT ${uri}/x?y=1 Basic ${secret}`));

        const past = await send(uri, undefined);
        assert.equal(past.stdout, `${told('a text')}\n${told('of a file')}\n`);
        assert.equal(proxy.seen.length, 2);

        proxy.status = 407;
        const refused = await send(uri, `http://me:SECRET@${proxy.place}`);
        const reason = `closed the proxy ${proxy.place} refuses who asks (HTTP 407): give a user and password in its address\n`;
        assert.equal(refused.stdout, reason.repeat(2));
    });

    it('passes HTTPS through without reading it, to a server of an own authority, too', async () => {
        const [certificate, key] = [join(folder(), 'certificate.pem'), join(folder(), 'key.pem')];
        const words =
            'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=mlflow.invalid -addext subjectAltName=DNS:mlflow.invalid';
        execFileSync('openssl', [...words.split(' '), '-keyout', key, '-out', certificate], {
            stdio: 'ignore',
        });
        const port = await listen(
            createSecureServer({ cert: readFileSync(certificate), key: readFileSync(key) }, answer),
        );
        const uri = `https://mlflow.invalid:${port}`;
        const place = `http://${proxy.place}`;
        const through = await send(uri, place, certificate);
        const told = (text: string): string => `PUT /x?y=1 mlflow.invalid:${port} - ${text}`;
        assert.equal(through.stdout, `${told('a text')}\n${told('of a file')}\n`, through.stderr);
        assert.deepEqual(proxy.seen, Array(2).fill(`CONNECT mlflow.invalid:${port}`));

        const strange = await send(uri, place);
        assert.match(strange.stdout, /^unknown self-signed certificate/);
        proxy.status = 503;
        const refused = await send(uri, place, certificate);
        assert.equal(refused.stdout, `later the proxy ${proxy.place} answers HTTP 503\n`.repeat(2));
    });

    it('is taken by each request to the server, and refused where it is none', async () => {
        const port = await listen(
            createServer((_, reply) => {
                reply.end('{"a":1}');
            }),
        );
        const server = { uri: `http://127.0.0.1:${port}`, proxy: `http://${proxy.place}` };
        const api = new MlflowApi(server, new AbortController().signal);
        assert.deepEqual(await api.post('x', {}), { a: 1 });
        writeFileSync(join(folder(), 'file'), 'x');
        await api.putArtifact('y', join(folder(), 'file'));
        assert.deepEqual(
            proxy.seen.map((line) => line.replace(server.uri, '')),
            ['POST /api/2.0/mlflow/x', 'PUT /api/2.0/mlflow-artifacts/artifacts/y'],
        );
        assert.throws(
            () => mlflowSink({ ...server, proxy: 'socks5://me:SECRET@host' }),
            (error: Error) =>
                error.message.startsWith('[mlflow] proxy must be') && !error.message.includes('SECRET'),
        );
    });
});
