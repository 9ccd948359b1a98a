import { fileURLToPath } from 'node:url';

import type { BenchContext, Benchmark, Framework, PeerWork, Subject } from './benchmark.js';
import { freshSubject } from './fresh_process.js';
import { PeerProcess } from './peer_process.js';

const SCRIPT = fileURLToPath(new URL('peer.py', import.meta.url));
const TFJS_SCRIPT = fileURLToPath(new URL('peer_tfjs.mjs', import.meta.url));
const FRAMEWORKS: Readonly<Record<Framework, string>> = {
    torch: 'PyTorch',
    jax: 'JAX',
    tfjs: 'TensorFlow.js',
};

interface PeerOptions {
    readonly python: string;
    /** Folder of a project with TensorFlow.js and its wasm backend, where that is wanted. */
    readonly tfjs?: string | undefined;
    readonly threads: number;
    /** Where PyTorch computes, by its own name. Default: cpu. */
    readonly device?: 'cpu' | 'cuda';
    readonly compile: boolean;
    /** Those that are wanted beside those of the rows. */
    readonly frameworks?: readonly Framework[];
    readonly say: (text: string) => void;
}

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The other processes of one run of the bench, one a framework. */
export class Peers {
    private constructor(
        private readonly processes: ReadonlyMap<Framework, PeerProcess>,
        private readonly options: PeerOptions,
    ) {}

    /** Starts what these rows are compared with; `say` is told about what is not there. */
    static async start(benchmarks: readonly Benchmark[], options: PeerOptions): Promise<Peers> {
        const ofRows = benchmarks.flatMap(({ peers }) => Object.values(peers)).map(frameworkOf);
        const wanted = new Set([...ofRows, ...(options.frameworks ?? [])]);
        const processes = new Map<Framework, PeerProcess>();
        for (const framework of wanted) {
            if (framework === 'tfjs' && options.tfjs === undefined) continue;
            try {
                processes.set(framework, await startPeer(framework, options));
            } catch (error) {
                options.say(refusal(framework, options, message(error)));
            }
        }
        return new Peers(processes, options);
    }

    /** Names and versions, such as `PyTorch 2.13.0`. */
    get versions(): string[] {
        return [...this.processes].map(([framework, { version }]) => `${FRAMEWORKS[framework]} ${version}`);
    }

    has(framework: Framework): boolean {
        return this.processes.has(framework);
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

function startPeer(
    framework: Framework,
    { python, tfjs = '', threads, device = 'cpu' }: PeerOptions,
): Promise<PeerProcess> {
    if (framework === 'tfjs')
        return PeerProcess.start(process.execPath, [TFJS_SCRIPT, tfjs, String(threads)]);
    return PeerProcess.start(python, [SCRIPT, framework, String(threads), device]);
}

function refusal(framework: Framework, { python, tfjs }: PeerOptions, reason: string): string {
    if (framework === 'tfjs')
        return `bench: no TensorFlow.js with its wasm backend in ${tfjs} (${reason}): --tfjs FOLDER names a project that has both`;
    const rest = framework === 'torch' ? 'our column alone; ' : '';
    return `bench: no ${FRAMEWORKS[framework]} in ${python} (${reason}): ${rest}--python PATH names another`;
}

function frameworkOf({ framework }: PeerWork): Framework {
    return framework;
}
