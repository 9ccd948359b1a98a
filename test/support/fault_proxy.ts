import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * What happens to a request on its way: `pass`; `lose`: the server never hears of it; `cut`: it does what it is asked, and the answer
 * is lost; `fail`: it does, and the answer is HTTP 500; a number: that answer at once; `hang`: no answer ever.
 */
export type Fault = 'pass' | 'lose' | 'cut' | 'fail' | 'hang' | number;

export interface SeenRequest {
    readonly method: string;
    /** Without what stands behind `?`. */
    readonly path: string;
    readonly authorization: string | undefined;
    readonly bytes: number;
}

/** Stands before a server and spoils what passes. */
export class FaultProxy {
    readonly seen: SeenRequest[] = [];
    /** Decides on each request. */
    fault: (seen: SeenRequest, index: number) => Fault = () => 'pass';

    private constructor(
        private readonly server: Server,
        private readonly port: number,
    ) {}

    static async before(port: number): Promise<FaultProxy> {
        const server = createServer();
        const proxy = new FaultProxy(server, port);
        server.on('request', (asked, answer) => {
            proxy.handle(asked, answer).catch(() => answer.destroy());
        });
        server.listen(0, '127.0.0.1');
        await once(server, 'listening');
        return proxy;
    }

    get uri(): string {
        return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    }

    close(): void {
        this.server.closeAllConnections();
        this.server.close();
    }

    private async handle(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
        const pieces: Buffer[] = [];
        for await (const piece of asked) pieces.push(piece as Buffer);
        const body = Buffer.concat(pieces);
        const seen = {
            method: asked.method ?? '',
            path: (asked.url ?? '').split('?')[0] ?? '',
            authorization: asked.headers.authorization,
            bytes: body.length,
        };
        const fault = this.fault(seen, this.seen.push(seen) - 1);
        if (fault === 'hang') return;
        if (fault === 'lose') return void answer.destroy();
        if (typeof fault === 'number')
            return void answer.writeHead(fault).end('{"error_code":"X","message":"spoilt"}');
        const { status, type, text } = await this.forward(asked, body);
        if (fault === 'cut') return void answer.destroy();
        if (fault === 'fail') return void answer.writeHead(500).end('<html>oops</html>');
        answer.writeHead(status, { 'Content-Type': type }).end(text);
    }

    private forward(
        asked: IncomingMessage,
        body: Buffer,
    ): Promise<{ status: number; type: string; text: Buffer }> {
        return new Promise((done, failed) => {
            const { method, headers, url: path } = asked;
            const options = { port: this.port, host: '127.0.0.1', method, path, agent: false as const };
            const own = { ...headers, host: `127.0.0.1:${this.port}`, connection: 'close' };
            const sent = request({ ...options, headers: own }, (got) => {
                const pieces: Buffer[] = [];
                got.on('data', (piece: Buffer) => pieces.push(piece));
                got.on('end', () => {
                    const type = got.headers['content-type'] ?? 'text/plain';
                    done({ status: got.statusCode ?? 0, type, text: Buffer.concat(pieces) });
                });
            });
            sent.on('error', failed).end(body);
        });
    }
}
