// Whether each sum and product of floats in the plugin's PTX says how it rounds. One that does not may be joined with its
// neighbour into one rounding, as the assembler likes: in one form of a kernel and not in its form for several models, or on
// one GPU and not on another. The build's -fmad=false makes nvcc say it; fma() in the source is fma.rn.
// Usage: node scripts/check/cuda_rounding.mjs   (after npm run build:cuda)
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { inspectors, plugin } from './cuda_tools.mjs';
import { demangle, shortName } from './kernel_names.mjs';

const begins = /^(?:\.\w+\s+)*\.(?:entry|func)\s+(?:\([^)]*\)\s*)?(\w+)/;
const arithmetic = /^\s*(?:@!?%\w+\s+)?((?:add|sub|mul|mad|fma)\.[\w.]*f(?:16|32|64)(?:x2)?)\b/;
const rounding = /\.r[nzmp]\b/;

/** Takes the lines of PTX one by one. */
export class RoundingReader {
    /** kernel -> the instructions of it that do not say how they round, each once */
    loose = new Map();
    /** How many say it. */
    exact = 0;
    #kernel = '';

    add(line) {
        this.#kernel = begins.exec(line)?.[1] ?? this.#kernel;
        const instruction = arithmetic.exec(line)?.[1];
        if (instruction === undefined) return;
        if (rounding.test(instruction)) this.exact++;
        else this.loose.set(this.#kernel, (this.loose.get(this.#kernel) ?? new Set()).add(instruction));
    }
}

async function main() {
    const [cuobjdump] = await inspectors('cuobjdump');
    const child = spawn(cuobjdump, ['-ptx', plugin], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = new Promise((done) => child.on('close', done));
    const reader = new RoundingReader();
    for await (const line of createInterface(child.stdout)) reader.add(line);
    if ((await ended) !== 0) throw new Error(`cuobjdump could not read ${plugin}`);
    if (reader.exact + reader.loose.size === 0) throw new Error(`${plugin} holds no PTX`);
    const names = demangle([...reader.loose.keys()]);
    [...reader.loose.values()].forEach((found, i) =>
        console.log(`${shortName(names[i])}: ${[...found].sort().join(', ')} may be joined with others`),
    );
    console.log(
        `${reader.exact} sums and products of floats say how they round; ${reader.loose.size} functions hold others`,
    );
    process.exitCode = reader.loose.size > 0 ? 1 : 0;
}

if (process.argv[1] && import.meta.url === pathToFileURL(resolve(process.argv[1])).href) {
    try {
        await main();
    } catch (error) {
        console.error(error.message);
        process.exitCode = 2;
    }
}
