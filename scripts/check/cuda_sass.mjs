// The instructions of each kernel on sm_90, as the assembler chose them, against the rules of sass_rules.mjs.
// `--list` prints what each kernel consists of. The tools are the toolkit's, or cuobjdump and nvdisasm on PATH.
// Usage: node scripts/check/cuda_sass.mjs [--list]   (after npm run build:cuda -- --arch 90)
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { inspectors, plugin } from './cuda_tools.mjs';
import { demangle, ofSeveral, shortName } from './kernel_names.mjs';
import { exceptions, forbidden, forbiddenEverywhere, rules, unruled } from './sass_rules.mjs';

const architecture = 'sm_90';

/** Counts instructions by function; takes the lines of nvdisasm one by one. */
export class InstructionCounter {
    /** symbol -> instruction -> count */
    kernels = new Map();
    #current;

    add(line) {
        const begin = /^\.text\.(\w+):/.exec(line);
        if (begin) this.kernels.set(begin[1], (this.#current = new Map()));
        const instruction = /^\s+\/\*[0-9a-f]{4,}\*\/\s+(?:@!?U?P\w+ )?([A-Z][A-Z0-9_.]*)/.exec(line)?.[1];
        if (instruction && this.#current)
            this.#current.set(instruction, (this.#current.get(instruction) ?? 0) + 1);
    }
}

/** How many instructions of a kernel begin with the word. */
function countOf(instructions, word) {
    let sum = 0;
    for (const [name, count] of instructions) if (name === word || name.startsWith(`${word}.`)) sum += count;
    return sum;
}

/** Kernels of several models are held to the rules of those of one. */
const isMeant = (pattern, name) => pattern.test(name.replace(ofSeveral, ''));

/** What breaks the rules, as lines. `kernels`: [name, instructions] */
export function broken(kernels, allRules = rules, allExceptions = exceptions, allUnruled = unruled) {
    const lines = [];
    for (const { kernels: pattern } of allUnruled)
        if (!kernels.some(([name]) => isMeant(pattern, name)))
            lines.push(`${pattern}: there is no such kernel`);
    for (const { kernels: pattern, needs, needsOfSeveral = needs } of allRules) {
        const meant = kernels.filter(([name]) => isMeant(pattern, name));
        if (meant.length === 0) lines.push(`${pattern}: there is no such kernel`);
        for (const [name, instructions] of meant)
            for (const [word, least] of Object.entries(name.endsWith(ofSeveral) ? needsOfSeveral : needs)) {
                // Their addresses come from a list: the compiler cannot always know that they are of the device's.
                const general = name.endsWith(ofSeveral) ? word.replace(/^(LD|ST)G\./, '$1.') : word;
                const count =
                    countOf(instructions, word) + (general === word ? 0 : countOf(instructions, general));
                if (count < least) lines.push(`${name}: ${count} times ${word}, at least ${least} is meant`);
            }
    }
    for (const [name, instructions] of kernels) {
        if (![...allRules, ...allUnruled].some(({ kernels: pattern }) => isMeant(pattern, name)))
            lines.push(`${name}: no rule names it, and no reason for having none`);
        for (const word of forbiddenEverywhere)
            if (countOf(instructions, word) > 0)
                lines.push(`${name}: ${word}, a loop over the lanes of a warp`);
        if (allExceptions.some(({ kernels: pattern }) => isMeant(pattern, name))) continue;
        const count = forbidden.reduce((sum, word) => sum + countOf(instructions, word), 0);
        if (count > 0) lines.push(`${name}: ${count} accesses of local memory (${forbidden.join(', ')})`);
    }
    return lines;
}

/** Disassembles files, as many at once as there are processors. */
async function countAll(nvdisasm, files) {
    const counter = new InstructionCounter();
    const waiting = [...files];
    const work = async () => {
        for (let file = waiting.shift(); file; file = waiting.shift()) {
            const child = spawn(nvdisasm, ['-c', file], { stdio: ['ignore', 'pipe', 'inherit'] });
            const ended = new Promise((done) => child.on('close', done));
            // Kernels of one file follow one another; those of several must not mix.
            const own = new InstructionCounter();
            for await (const line of createInterface(child.stdout)) own.add(line);
            if ((await ended) !== 0) throw new Error(`nvdisasm could not read ${file}`);
            for (const [symbol, instructions] of own.kernels) counter.kernels.set(symbol, instructions);
        }
    };
    await Promise.all(Array.from({ length: availableParallelism() }, work));
    return counter.kernels;
}

async function disassemble() {
    const [cuobjdump, nvdisasm] = await inspectors('cuobjdump', 'nvdisasm');
    const folder = mkdtempSync(join(tmpdir(), 'nativegrad-sass-'));
    try {
        const env = { ...process.env, PATH: `${dirname(nvdisasm)}:${process.env.PATH}` };
        execFileSync(cuobjdump, ['-xelf', architecture, resolve(plugin)], {
            cwd: folder,
            env,
            stdio: 'pipe',
        });
        const files = readdirSync(folder).map((name) => join(folder, name));
        if (files.length === 0) throw new Error(`${plugin} holds no code for ${architecture}`);
        const kernels = await countAll(nvdisasm, files);
        const names = demangle([...kernels.keys()]);
        return [...kernels.values()].map((instructions, i) => [shortName(names[i]), instructions]);
    } finally {
        rmSync(folder, { recursive: true, force: true });
    }
}

const shown = [
    'HMMA',
    'HGMMA',
    'LDSM',
    'LDGSTS',
    'LDGSTS.E.BYPASS.128',
    'LDG.E.128',
    'STG.E.128',
    'LDS.128',
    'FFMA',
    'DFMA',
    'LDL',
    'STL',
];

function list(kernels) {
    for (const [name, instructions] of [...kernels].sort(([a], [b]) => (a < b ? -1 : 1))) {
        const all = [...instructions.values()].reduce((sum, count) => sum + count, 0);
        const counts = shown
            .map((word) => [word, countOf(instructions, word)])
            .filter(([, count]) => count > 0);
        console.log(`${name}: ${all}; ${counts.map(([word, count]) => `${count} ${word}`).join(', ')}`);
    }
}

async function main() {
    const kernels = await disassemble();
    if (process.argv.includes('--list')) return list(kernels);
    const lines = broken(kernels);
    for (const line of lines) console.log(line);
    console.log(
        `${kernels.length} kernels on ${architecture}; ${lines.length} break a rule of sass_rules.mjs`,
    );
    process.exitCode = lines.length > 0 ? 1 : 0;
}

if (process.argv[1] && import.meta.url === pathToFileURL(resolve(process.argv[1])).href) {
    try {
        await main();
    } catch (error) {
        console.error(error.message);
        process.exitCode = 2;
    }
}
