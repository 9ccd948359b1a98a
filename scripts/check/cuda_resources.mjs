// Registers, stack, spills and static shared memory of each kernel, as ptxas reported them when the plugin was built, against
// the committed table cuda/resources.json. `--write` makes the table anew;
// `--times` says what ptxas took for each. Also no object may call exit(): nvcc lets a template of the host call a function of the
// device, and gives that one a body for the host that ends the process.
// Usage: node scripts/check/cuda_resources.mjs [--write | --times]   (after npm run build:cuda -- --arch 90)
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { demangle, shortName } from './kernel_names.mjs';

const table = 'cuda/resources.json';
const architecture = 'sm_90';
// Another minor version of ptxas moves a register or two; spills and stack it may not bring.
const registerSlack = 4;

/** The kernels of one log of ptxas: [{ symbol, arch, registers, stack, spill, shared, milliseconds }]. */
export function parseLog(text) {
    const kernels = [];
    for (const line of text.split('\n')) {
        const entry = /Compiling entry function '([^']+)' for '([^']+)'/.exec(line);
        if (entry)
            kernels.push({
                symbol: entry[1],
                arch: entry[2],
                registers: 0,
                stack: 0,
                spill: 0,
                shared: 0,
                milliseconds: 0,
            });
        const kernel = kernels.at(-1);
        if (!kernel) continue;
        const frame = /(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/.exec(line);
        if (frame) [kernel.stack, kernel.spill] = [Number(frame[1]), Number(frame[2]) + Number(frame[3])];
        kernel.registers = Number(/Used (\d+) registers/.exec(line)?.[1] ?? kernel.registers);
        kernel.milliseconds = Number(/Compile time = ([\d.]+) ms/.exec(line)?.[1] ?? kernel.milliseconds);
        kernel.shared = Number(/(\d+) bytes smem/.exec(line)?.[1] ?? kernel.shared);
    }
    return kernels;
}

function readReports(folder) {
    const kernels = readdirSync(folder, { recursive: true })
        // A source that is gone leaves its log behind.
        .filter((name) => name.endsWith('.o.log') && existsSync(join('cuda', name.replace(/\.o\.log$/, ''))))
        .sort()
        .flatMap((name) =>
            parseLog(readFileSync(join(folder, name), 'utf8')).map((kernel) => ({
                ...kernel,
                file: name.replace(/\.o\.log$/, ''),
            })),
        )
        .filter((kernel) => kernel.arch === architecture);
    const names = demangle(kernels.map((kernel) => kernel.symbol));
    return kernels.map((kernel, i) => ({ ...kernel, name: `${kernel.file} ${shortName(names[i])}` }));
}

/** Whether an object, by what `nm -u` says of it, has host code that ends the process. */
export function endsProcess(undefinedSymbols) {
    return /^\s*U exit\b/m.test(undefinedSymbols);
}

function objectsThatExit(folder) {
    return readdirSync(folder, { recursive: true })
        .filter((name) => name.endsWith('.cu.o') && existsSync(join('cuda', name.replace(/\.o$/, ''))))
        .filter((name) => endsProcess(execFileSync('nm', ['-u', join(folder, name)], { encoding: 'utf8' })))
        .sort();
}

function asTable(kernels) {
    const rows = kernels.map(({ name, registers, stack, spill, shared }) => [
        name,
        { registers, stack, spill, shared },
    ]);
    return Object.fromEntries(rows);
}

/** What the build waits for: ptxas' seconds by file, and the slowest kernels. */
function printTimes(kernels) {
    const files = new Map();
    for (const { file, milliseconds } of kernels) {
        const { count, sum } = files.get(file) ?? { count: 0, sum: 0 };
        files.set(file, { count: count + 1, sum: sum + milliseconds / 1000 });
    }
    for (const [file, { count, sum }] of [...files].sort(([, a], [, b]) => b.sum - a.sum).slice(0, 12)) {
        console.log(`${sum.toFixed(1).padStart(7)} s  ${file}, ${count} kernels`);
    }
    for (const { name, milliseconds } of kernels
        .sort((a, b) => b.milliseconds - a.milliseconds)
        .slice(0, 12)) {
        console.log(`${(milliseconds / 1000).toFixed(1).padStart(7)} s  ${name}`);
    }
}

/** What differs from the table, as lines; empty when nothing does. */
export function compare(found, expected) {
    const lines = [];
    for (const [name, now] of Object.entries(found)) {
        const then = expected[name];
        if (!then) lines.push(`${name}: not in the table (${JSON.stringify(now)})`);
        else {
            if (now.registers > then.registers + registerSlack)
                lines.push(`${name}: ${now.registers} registers, ${then.registers} in the table`);
            for (const what of ['stack', 'spill', 'shared']) {
                if (now[what] > then[what])
                    lines.push(`${name}: ${now[what]} bytes of ${what}, ${then[what]} in the table`);
            }
        }
    }
    for (const name of Object.keys(expected)) {
        if (!(name in found)) lines.push(`${name}: in the table, but not built`);
    }
    return lines;
}

function main() {
    const folder = resolve('build-cuda', 'nvcc');
    if (!existsSync(folder)) throw new Error(`${folder} is missing: npm run build:cuda -- --arch 90`);
    const kernels = readReports(folder);
    const found = asTable(kernels);
    const count = Object.keys(found).length;
    if (count === 0)
        throw new Error(`no kernel for ${architecture} in ${folder}: npm run build:cuda -- --arch 90`);
    if (process.argv.includes('--times')) return printTimes(kernels);
    if (process.argv.includes('--write')) {
        const rows = Object.entries(found)
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(
                ([name, values]) =>
                    `    ${JSON.stringify(name)}: ${JSON.stringify(values).replaceAll(/[:,{}]/g, (sign) => ({ ':': ': ', ',': ', ', '{': '{ ', '}': ' }' })[sign])}`,
            );
        writeFileSync(table, `{\n${rows.join(',\n')}\n}\n`);
        console.log(`${table}: ${count} kernels`);
        return;
    }
    const dead = objectsThatExit(folder);
    for (const name of dead)
        console.log(`${name}: its host code calls a function of the device, which would end the process`);
    const lines = compare(found, JSON.parse(readFileSync(table, 'utf8')));
    for (const line of lines) console.log(line);
    const spilled = Object.values(found).filter((kernel) => kernel.spill > 0).length;
    console.log(
        `${count} kernels on ${architecture}, ${spilled} of them spill; ${lines.length} differ from ${table}`,
    );
    if (lines.length > 0)
        console.log('`node scripts/check/cuda_resources.mjs --write` takes what is there now.');
    process.exitCode = lines.length + dead.length > 0 ? 1 : 0;
}

if (process.argv[1] && import.meta.url === pathToFileURL(resolve(process.argv[1])).href) {
    try {
        main();
    } catch (error) {
        console.error(error.message);
        process.exitCode = 2;
    }
}
