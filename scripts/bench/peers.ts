import { fileURLToPath } from 'node:url';

import type { BenchContext, Benchmark, Framework, PeerWork, Subject } from './benchmark.js';
import { freshSubject } from './fresh_process.js';
import { PeerProcess } from './peer_process.js';

const SCRIPT = fileURLToPath(new URL('peer.py', import.meta.url));
const FRAMEWORKS: Readonly<Record<Framework, string>> = { torch: 'PyTorch', jax: 'JAX' };

interface PeerOptions {
    readonly python: string;
    readonly threads: number;
    readonly compile: boolean;
    readonly say: (text: string) => void;
}

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The Python processes of one run of the bench, one a framework. */
export class Peers {
    private constructor(
        private readonly processes: ReadonlyMap<Framework, PeerProcess>,
        private readonly options: PeerOptions,
    ) {}

    /** Starts what these rows are compared with; `say` is told about what this Python does not have. */
    static async start(benchmarks: readonly Benchmark[], options: PeerOptions): Promise<Peers> {
        const wanted = new Set(benchmarks.flatMap(({ peers }) => Object.values(peers)).map(frameworkOf));
        const processes = new Map<Framework, PeerProcess>();
        for (const framework of wanted) {
            try {
                const words = [SCRIPT, framework, String(options.threads)];
                processes.set(framework, await PeerProcess.start(options.python, words));
            } catch (error) {
                const rest = framework === 'torch' ? 'our column alone; ' : '';
                options.say(
                    `bench: no ${FRAMEWORKS[framework]} in ${options.python} (${message(error)}): ${rest}--python PATH names another`,
                );
            }
        }
        return new Peers(processes, options);
    }

    /** Names and versions, such as `PyTorch 2.13.0`. */
    get versions(): string[] {
        return [...this.processes].map(([framework, { version }]) => `${FRAMEWORKS[framework]} ${version}`);
    }

    /** The peers of a row that work here; `say` is told about the others. */
    async subjects(benchmark: Benchmark, context: BenchContext): Promise<Subject[]> {
        const subjects: Subject[] = [];
        for (const [key, work] of Object.entries(benchmark.peers)) {
            try {
                const subject = await this.#subject(key, work, context);
                if (subject) subjects.push(subject);
            } catch (error) {
                this.options.say(`bench: ${benchmark.name}: left out ${key}: ${message(error)}`);
            }
        }
        return subjects;
    }

    close(): void {
        for (const process of this.processes.values()) process.close();
    }

    async #subject(key: string, work: PeerWork, context: BenchContext): Promise<Subject | null> {
        const process = this.processes.get(work.framework);
        if (!process) return null;
        if ('script' in work) {
            const script = fileURLToPath(new URL(`fresh/${work.script}`, import.meta.url));
            const words = [script, String(context.threads), context.data];
            return freshSubject(key, { program: this.options.python, words });
        }
        if (work.compiles && !this.options.compile) return null;
        return process.subject(key, work, context.data);
    }
}

function frameworkOf({ framework }: PeerWork): Framework {
    return framework;
}
