import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { openSync, closeSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

import { testPython } from './python.js';

/** MLflow's own server, whose store lies in a folder; killed and started again it is the same one. */
export class MlflowTestServer {
    private child: ChildProcess | undefined;

    private constructor(
        private readonly folder: string,
        readonly port: number,
    ) {}

    static async start(folder: string): Promise<MlflowTestServer> {
        const server = new MlflowTestServer(folder, await freePort());
        await server.start();
        return server;
    }

    get uri(): string {
        return `http://127.0.0.1:${this.port}`;
    }

    async start(): Promise<void> {
        // What `mlflow server` starts, which imports everything twice.
        const words = ['-m', 'uvicorn', 'mlflow.server.fastapi_app:app', '--port', String(this.port)];
        const env = {
            ...process.env,
            LD_PRELOAD: '',
            // This store keeps a point twice that comes twice, which SQL ones hide; no migrations have to run.
            MLFLOW_ALLOW_FILE_STORE: 'true',
            _MLFLOW_SERVER_FILE_STORE: join(this.folder, 'runs'),
            _MLFLOW_SERVER_ARTIFACT_ROOT: 'mlflow-artifacts:/',
            _MLFLOW_SERVER_ARTIFACT_DESTINATION: join(this.folder, 'artifacts'),
            _MLFLOW_SERVER_SERVE_ARTIFACTS: 'true',
            _MLFLOW_SGI_NAME: 'uvicorn',
            MLFLOW_DISABLE_TELEMETRY: 'true',
        };
        const log = openSync(join(this.folder, 'server.log'), 'a');
        const child = spawn(testPython(), words, { cwd: this.folder, env, stdio: ['ignore', log, log] });
        closeSync(log);
        this.child = child;
        while (!(await this.isUp())) {
            if (child.exitCode !== null)
                throw new Error(`no MLflow server: ${readFileSync(join(this.folder, 'server.log'), 'utf8')}`);
            await sleep(50);
        }
    }

    /** As a loss of power would, but for what the system has. */
    async kill(): Promise<void> {
        const { child } = this;
        if (child?.exitCode !== null) return;
        const gone = once(child, 'exit');
        child.kill('SIGKILL');
        await gone;
        this.child = undefined;
    }

    private async isUp(): Promise<boolean> {
        return fetch(`${this.uri}/health`).then(
            ({ ok }) => ok,
            () => false,
        );
    }
}

/** A program of Python that answers a line for each line that it gets: what it imports, it imports once. */
export class PythonSession {
    private readonly child;
    private readonly lines;

    constructor(program: string, words: readonly string[]) {
        const env = { ...process.env, LD_PRELOAD: '' };
        this.child = spawn(testPython(), ['-u', '-c', program, ...words], {
            env,
            stdio: ['pipe', 'pipe', 'inherit'],
        });
        this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
    }

    async ask(line: string): Promise<unknown> {
        this.child.stdin.write(`${line}\n`);
        const next = await this.lines.next();
        if (next.done) throw new Error('the program of Python has ended; see above');
        return JSON.parse(next.value);
    }

    close(): void {
        this.child.kill();
    }
}

/** A port that nobody listens on now. */
export async function freePort(): Promise<number> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    return port;
}
