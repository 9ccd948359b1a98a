import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';

import type { PeerCalls, Subject } from './benchmark.js';

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

/** A long-lived process that speaks the protocol at the head of peer.py. */
export class PeerProcess {
    readonly #child: ChildProcessWithoutNullStreams;
    readonly #waiting: Waiting[] = [];
    #errors = '';
    #ended: Error | null = null;
    #works = 0;
    version = '';

    private constructor(program: string, words: readonly string[]) {
        this.#child = spawn(program, words, { stdio: 'pipe' });
        this.#child.on('error', (error) => this.#end(error.message));
        this.#child.on('exit', (code) => this.#end(`exit code ${code}: ${this.#errors.trim()}`));
        this.#child.stdin.on('error', () => this.#end('closed its input'));
        this.#child.stderr.on('data', (part: Buffer) => {
            this.#errors = (this.#errors + part.toString()).slice(-2000);
        });
        createInterface(this.#child.stdout).on('line', (line) => this.#receive(line));
    }

    /** Starts the peer and waits for its first line; throws what keeps it from measuring. */
    static async start(program: string, words: readonly string[]): Promise<PeerProcess> {
        const peer = new PeerProcess(program, words);
        const hello = await peer.#next();
        if (hello.ready !== true) {
            peer.close();
            throw new Error(text(hello.error));
        }
        peer.version = text(hello.version);
        return peer;
    }

    /** Work of one row as a subject that takes its turns; throws where the peer cannot do it. */
    async subject(key: string, work: PeerCalls, data: string): Promise<Subject> {
        const id = `${key} ${++this.#works}`;
        const { setup, statement, finish, within } = work;
        await this.#request({ command: 'setup', id, data, setup, statement, finish, within });
        return {
            key,
            run: async (count) => {
                const reply = await this.#request({ command: 'run', id, count });
                if (typeof reply.seconds !== 'number') throw new Error(`[bench] ${key} gave no time`);
                return reply.seconds;
            },
            close: async () => {
                await this.#request({ command: 'drop', id });
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
