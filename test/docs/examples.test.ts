import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';

const root = resolve(import.meta.dirname, '..', '..');
// Of this process: several runs of the suite may go side by side.
const folder = join(root, 'build', `examples_${process.pid}`);

interface Example {
    readonly name: string;
    readonly code: string;
}

/** The code of every `@example` in the docstrings of a file. */
function docstringExamples(path: string): Example[] {
    const found: Example[] = [];
    for (const comment of readFileSync(path, 'utf8').matchAll(/\/\*\*[\s\S]*?\*\//g)) {
        const text = comment[0].replace(/\*\/$/, '').replace(/^[ \t]*\* ?/gm, '');
        for (const [, body] of text.matchAll(/@example[ \t]*\n([\s\S]*?)(?=\n@\w|$)/g)) {
            const code = (body ?? '').replace(/^```.*$/gm, '');
            found.push({ name: `${relative(root, path)} ${found.length + 1}`, code });
        }
    }
    return found;
}

/** The fenced `ts` blocks of a Markdown file that import the package. */
function markdownExamples(path: string): Example[] {
    const blocks = [...readFileSync(path, 'utf8').matchAll(/```ts\n([\s\S]*?)```/g)].map(
        (match) => match[1] ?? '',
    );
    return blocks
        .filter((code) => code.includes("from 'nativegrad'"))
        .map((code, i) => ({ name: `${relative(root, path)} ${i + 1}`, code }));
}

function allExamples(): Example[] {
    const files = readdirSync(join(root, 'lib'), { recursive: true, encoding: 'utf8' });
    const docs = files
        .filter((file) => file.endsWith('.ts'))
        .flatMap((file) => docstringExamples(join(root, 'lib', file)));
    return [...docs, ...markdownExamples(join(root, 'README.md'))];
}

/** Text that a `console.log(…); // text` promises, in order; `…` stands for any text. */
function expectations(code: string): string[] {
    return [...code.matchAll(/console\.log\(.*\);[ \t]*\/\/ (.*)$/gm)].map((match) =>
        (match[1] ?? '').trim(),
    );
}

async function run(example: Example, index: number): Promise<string[]> {
    const library = pathToFileURL(join(root, 'lib', 'index.ts')).href;
    const path = join(folder, `example_${index}.mts`);
    writeFileSync(path, `${example.code.replaceAll("from 'nativegrad'", `from '${library}'`)}\nexport {};\n`);
    const lines: string[] = [];
    const { log } = console;
    console.log = (...values: unknown[]) => {
        lines.push(values.map((value) => (typeof value === 'string' ? value : inspect(value))).join(' '));
    };
    try {
        await import(pathToFileURL(path).href);
    } finally {
        console.log = log;
    }
    return lines;
}

/** Compares without white space, since a comment writes `[2, 3]` where the console writes `[ 2, 3 ]`. */
function matches(line: string | undefined, expected: string): boolean {
    if (line === undefined) return false;
    const pattern = expected
        .replace(/\s/g, '')
        .split(/…|\.\.\./)
        .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
        .join('.*');
    return new RegExp(`^${pattern}$`, 's').test(line.replace(/\s/g, ''));
}

describe('examples in the documentation', () => {
    before(() => {
        mkdirSync(folder, { recursive: true });
        // Examples write their files here.
        process.chdir(folder);
    });

    after(() => {
        process.chdir(root);
        rmSync(folder, { recursive: true, force: true });
    });

    allExamples().forEach((example, index) => {
        it(example.name, async () => {
            const lines = await run(example, index);
            const wanted = expectations(example.code);
            const logged = example.code.match(/console\.log\(/g)?.length ?? 0;
            // Where every log has its promise they are compared in order; otherwise each must appear somewhere.
            wanted.forEach((expected, i) => {
                const fits =
                    wanted.length === logged
                        ? matches(lines[i], expected)
                        : lines.some((line) => matches(line, expected));
                assert.ok(fits, `expected '${expected}', got ${JSON.stringify(lines)}`);
            });
        });
    });
});
