import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

const program = resolve('build-sim-asan', 'cuda_sim_test');

// The stack of a lane that failed is abandoned, with the pieces of the message that stood on it.
const env = { ...process.env, ASAN_OPTIONS: 'detect_leaks=0' };

function run(...words: string[]) {
    return spawnSync(program, words, { encoding: 'utf8', env });
}

describe('the simulator of the GPU under AddressSanitizer', () => {
    before(() => {
        assert.ok(existsSync(program), `${program} is missing: npm run build:sim -- --asan`);
    });

    it('runs right kernels, and finds wrong meetings, without a report', () => {
        const { status, stdout, stderr } = run('--seeds', '6');
        assert.equal(status, 0, `${stdout}\n${stderr}`);
        assert.match(stdout, /^ok pipeline_of_async_copies$/m);
        assert.match(stdout, /^ok finds_exit_before_barrier$/m);
        assert.doesNotMatch(stderr, /ERROR/);
    });

    for (const [name, line] of [
        ['finds_index_past_end', /WRITE of size 4[^]*copy_one_too_many/],
        ['finds_index_before_start', /READ of size 4[^]*read_before_start/],
        ['finds_use_after_release', /READ of size 4[^]*read_before_start/],
        ['finds_write_past_arena', /WRITE of size 4[^]*write_past_arena/],
    ] as const) {
        it(`reports a planted fault: ${name.replaceAll('_', ' ')}`, () => {
            const { status, stderr } = run('--seeds', '1', name);
            assert.notEqual(status, 0);
            assert.match(stderr, /AddressSanitizer: use-after-poison/);
            assert.match(stderr, line);
        });
    }
});
