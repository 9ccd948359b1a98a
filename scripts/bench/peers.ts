import { fileURLToPath } from 'node:url';

import type { BenchContext, Benchmark, Subject } from './benchmark.js';
import { PeerProcess } from './peer_process.js';

const SCRIPT = fileURLToPath(new URL('pytorch_peer.py', import.meta.url));

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** PyTorch's process, or null where this Python has no torch; `say` is told why. */
export async function startPyTorch(python: string, say: (text: string) => void): Promise<PeerProcess | null> {
    try {
        return await PeerProcess.start(python, SCRIPT);
    } catch (error) {
        say(
            `bench: no PyTorch in ${python} (${message(error)}): our column alone; --python PATH names another`,
        );
        return null;
    }
}

/** The variants of PyTorch that work here; `say` is told about the others. */
export async function peerSubjects(
    peer: PeerProcess | null,
    benchmark: Benchmark,
    context: BenchContext,
    options: { compile: boolean; say: (text: string) => void },
): Promise<Subject[]> {
    const subjects: Subject[] = [];
    if (!peer) return subjects;
    for (const [key, variant] of Object.entries(benchmark.variants)) {
        if (variant === 'compile' && !options.compile) continue;
        const work = { benchmark: benchmark.key, variant };
        try {
            const { threads, mnist } = context;
            subjects.push(await peer.subject(key, work, { threads, data: mnist.folder }));
        } catch (error) {
            options.say(`bench: ${benchmark.key}: left out ${key}: ${message(error)}`);
        }
    }
    return subjects;
}
