import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { compiledEnvironment, compiledLibrary } from './compiled.js';

/** How a process ended that ran a piece of code with the compiled library. */
export interface ChildResult {
    readonly status: number | null;
    readonly signal: NodeJS.Signals | null;
    readonly stdout: string;
    readonly stderr: string;
}

/** Runs the body of a module in a process of its own; there, `library` is what `nativegrad` exports. */
export function runChild(body: string, environment: NodeJS.ProcessEnv = {}): ChildResult {
    const source = `const library = await import(process.argv[1]);\n${body}`;
    return spawnSync(process.execPath, ['--input-type=module', '-e', source, compiledLibrary()], {
        encoding: 'utf8',
        env: { ...compiledEnvironment(), ...environment },
    });
}

/** The same, for a body that calls `report(value)` once with something that JSON holds. */
export function reportOfChild(body: string, environment: NodeJS.ProcessEnv = {}): unknown {
    const report = 'const report = (value) => console.log(JSON.stringify(value));\n';
    const { status, signal, stdout, stderr } = runChild(report + body, environment);
    assert.equal(status, 0, `${String(signal)} ${stderr}`);
    return JSON.parse(stdout);
}
