import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';

import type { Subject } from './benchmark.js';

type Reply = Readonly<Record<string, unknown>>;

interface Waiting {
    resolve(reply: Reply): void;
    reject(error: Error): void;
}

function parseReply(line: string): Reply {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null) throw new Error(`not an object: ${line}`);
    return { ...value };
}

const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

/** A long-lived process that speaks the protocol at the head of pytorch_peer.py. */
export class PeerProcess {
    readonly #child: ChildProcessWithoutNullStreams;
    readonly #waiting: Waiting[] = [];
    #errors = '';
    #ended: Error | null = null;
    version = '';

    private constructor(program: string, script: string) {
        this.#child = spawn(program, [script], { stdio: 'pipe' });
        this.#child.on('error', (error) => this.#end(error.message));
        this.#child.on('exit', (code) => this.#end(`exit code ${code}: ${this.#errors.trim()}`));
        this.#child.stdin.on('error', () => this.#end('closed its input'));
        this.#child.stderr.on('data', (part: Buffer) => {
            this.#errors = (this.#errors + part.toString()).slice(-2000);
        });
        createInterface(this.#child.stdout).on('line', (line) => this.#receive(line));
    }

    /** Starts the peer and waits for its first line; throws what keeps it from measuring. */
    static async start(program: string, script: string): Promise<PeerProcess> {
        const peer = new PeerProcess(program, script);
        const hello = await peer.#next();
        if (hello.ready !== true) {
            peer.close();
            throw new Error(text(hello.error));
        }
        peer.version = text(hello.torch);
        return peer;
    }

    /** One variant of a benchmark as a subject that takes its turns; throws where the variant does not work. */
    async subject(
        key: string,
        work: { benchmark: string; variant: string },
        context: { threads: number; data: string },
    ): Promise<Subject> {
        await this.#request({ command: 'setup', ...work, ...context });
        return {
            key,
            run: async (count) => {
                const reply = await this.#request({ command: 'run', ...work, steps: count });
                if (typeof reply.seconds !== 'number') throw new Error(`[bench] ${key} gave no time`);
                return reply.seconds;
            },
        };
    }

    close(): void {
        this.#child.stdin.end();
    }

    async #request(message: Reply): Promise<Reply> {
        this.#child.stdin.write(`${JSON.stringify(message)}\n`);
        const reply = await this.#next();
        if (reply.ok !== true) throw new Error(text(reply.error));
        return reply;
    }

    #next(): Promise<Reply> {
        if (this.#ended) return Promise.reject(this.#ended);
        return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
    }

    #receive(line: string): void {
        const waiting = this.#waiting.shift();
        if (!waiting) return;
        try {
            waiting.resolve(parseReply(line));
        } catch (error) {
            waiting.reject(error instanceof Error ? error : new Error(String(error)));
        }
    }

    #end(reason: string): void {
        this.#ended ??= new Error(reason);
        for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#ended);
    }
}
