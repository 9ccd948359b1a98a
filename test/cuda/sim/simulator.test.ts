import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

const program = resolve('build-sim', 'cuda_sim_test');
const sources = resolve('cuda', 'sim', 'test');

/** Names of the tests in the sources: a test that the program forgets is a failure. */
function namesInSources(): string[] {
    return readdirSync(sources)
        .filter((file) => /\.(cu|cpp)$/.test(file))
        .flatMap((file) => [
            ...readFileSync(join(sources, file), 'utf8').matchAll(
                /^NATIVEGRAD_(?:ACCESS_|CLOCK_)?TEST\((\w+)\)/gm,
            ),
        ])
        .map((match) => match[1] ?? '');
}

describe('the simulator of the GPU', () => {
    const lines = new Map<string, string>();

    before(() => {
        assert.ok(existsSync(program), `${program} is missing: npm run build:sim`);
        const { stdout, stderr, signal } = spawnSync(program, ['--seeds', '20'], { encoding: 'utf8' });
        assert.equal(signal, null, `the program was killed: ${stderr}`);
        for (const line of stdout.split('\n')) {
            const match = /^(?:ok|FAILED) (\w+)/.exec(line);
            if (match?.[1]) lines.set(match[1], line);
        }
    });

    for (const name of namesInSources()) {
        it(`${name.replaceAll('_', ' ')}, over 20 seeds`, () => {
            assert.equal(lines.get(name), `ok ${name}`);
        });
    }

    it('leaves out what a device tells of times where nobody can see it, and no more', () => {
        const { stdout } = spawnSync(program, ['--no-clock', '--seeds', '1'], { encoding: 'utf8' });
        const ran = [...stdout.matchAll(/^(?:ok|FAILED) (\w+)/gm)].map((match) => match[1]);
        const left = namesInSources().filter((name) => !ran.includes(name));
        assert.deepEqual(left, ['held_stream_has_the_time_of_its_work', 'time_of_a_body_is_the_device_s']);
    });

    it('says so when a test fails', () => {
        const { status } = spawnSync(program, ['no_such_test'], { encoding: 'utf8' });
        assert.equal(status, 1);
    });
});
