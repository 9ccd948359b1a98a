import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { readRun } from '../../lib/track/index.js';
import { writeSmallMnist } from '../support/small_mnist.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';
import { TrainProcess } from '../support/train_process.js';

interface TrainOutput {
    epochs: number;
    interrupted: boolean;
    run_dir: string;
}

function lastLine(text: string): TrainOutput {
    return JSON.parse(text.trimEnd().split('\n').at(-1) ?? '') as TrainOutput;
}

describe('training under mishaps', () => {
    const folder = useTemporaryFolder();
    const runFolder = (): string => join(folder(), 'output', 'run');

    beforeEach(() => {
        mkdirSync(join(folder(), 'data'));
        writeSmallMnist(join(folder(), 'data'), 1200, 300);
    });

    function start(more: string, shell?: string): TrainProcess {
        const places = `--data ${folder()}/data --output_dir ${folder()}/output --run_name run`;
        return new TrainProcess(`${places} --hidden_sizes 32 --threads 1 ${more}`, runFolder(), shell);
    }

    /** The run wrote everything, and nothing but that. */
    function assertWholeRun(): void {
        const names = readdirSync(runFolder());
        const files = ['config.json', 'history.jsonl', 'metrics.json', 'model.safetensors', 'report.html'];
        for (const name of [...files, 'tracking.jsonl', 'samples.svg', 'confusion_matrix.png'])
            assert.ok(names.includes(name), `${name} is not among ${names.join()}`);
        const others = names.filter((name) => !files.includes(name) && !/^[a-z_]+\.(svg|png)$/.test(name));
        assert.deepEqual(others, ['tracking.jsonl']);
    }

    function assertOneLine(text: string, pattern: RegExp): void {
        assert.match(text, pattern);
        assert.equal(text.trimEnd().split('\n').length, 1, text);
    }

    for (const [signal, code] of [
        ['SIGINT', 130],
        ['SIGTERM', 143],
        ['SIGHUP', 129],
    ] as const) {
        it(`${signal} ends the run with the model saved and code ${code}`, async () => {
            const run = start('--json --epochs 100000');
            await run.reach(2);
            run.child.kill(signal);
            const { code: got, stdout, stderr } = await run.end;
            assert.equal(got, code, stderr);
            assert.match(stderr, /^nativegrad: warning: stopping after this step/m);
            const result = lastLine(stdout);
            assert.ok(result.interrupted && result.epochs >= 2 && result.epochs < 100_000);
            assertWholeRun();
        });
    }

    it('a closed terminal, which also takes the streams, ends the run with the model saved', async () => {
        const run = start('--epochs 100000');
        await run.reach(1);
        run.child.stdout.destroy();
        run.child.stderr.destroy();
        run.child.kill('SIGHUP');
        assert.equal((await run.end).code, 129);
        assertWholeRun();
    });

    const hasScript = spawnSync('script', ['--version']).status === 0;
    // script(1) belongs to Debian's essential packages.
    const closesTerminal = hasScript ? it : () => undefined;
    closesTerminal('a terminal that is closed while it trains costs nothing of the run', async () => {
        const code = join(folder(), 'code');
        const inner = join(folder(), 'inner.sh');
        // As an interactive shell does: the hang-up goes on to the job.
        writeFileSync(
            inner,
            `trap 'kill -HUP $!' HUP\n"$@" &\nwait $!\nwait $!\necho $? >'${code}.new'; mv '${code}.new' '${code}'`,
        );
        // script(1) gives its command a terminal, which goes when script is killed.
        const shell = `printf -v line '%q ' "$@"; exec script -qc "exec bash '${inner}' $line" /dev/null`;
        const run = start('--epochs 10000', shell);
        await run.reach(2);
        run.child.kill('SIGKILL');
        for (let i = 0; i < 1000 && !existsSync(code); i++) await new Promise((done) => setTimeout(done, 20));
        assert.equal(readFileSync(code, 'utf8'), '129\n');
        assertWholeRun();
    });

    it('goes on to the end where nobody reads its output any more', async () => {
        const run = start('--epochs 30', 'set -o pipefail; "$@" | head -1');
        const { code, stdout, stderr } = await run.end;
        assert.equal(stderr, '');
        assert.equal(code, 0);
        assert.equal(stdout.split('\n').length, 2);
        assertWholeRun();
        assert.equal(readFileSync(join(runFolder(), 'history.jsonl'), 'utf8').split('\n').length, 31);
    });

    it('saves the run where standard output is full, and says so', async () => {
        const { code, stderr } = await start('--epochs 2', '"$@" >/dev/full').end;
        assertOneLine(stderr, /^nativegrad: cannot write to standard output: ENOSPC/);
        assert.equal(code, 2);
        assertWholeRun();
    });

    it('says in one line that the run folder is gone', async () => {
        const run = start('--json --epochs 100000');
        await run.reach(2);
        rmSync(runFolder(), { recursive: true });
        const { code, stdout, stderr } = await run.end;
        assert.equal(code, 2, stderr);
        assert.equal(stdout, '');
        assertOneLine(
            stderr.slice(stderr.indexOf('nativegrad: ')),
            /^nativegrad: cannot write .*history\.jsonl: ENOENT/,
        );
        assert.ok(!existsSync(runFolder()));
    });

    // A limit on the size of files plays the full disk: writes beyond it fail with EFBIG.
    it('leaves no part of a model that does not fit on the disk', async () => {
        const { code, stdout, stderr } = await start('--epochs 2', `trap '' XFSZ; ulimit -f 32; "$@"`).end;
        assert.equal(code, 2, stderr);
        assert.match(stdout, /epoch 2\/2/);
        assertOneLine(stderr, /^nativegrad: cannot write .*model\.safetensors: EFBIG/);
        assert.deepEqual(readdirSync(runFolder()).sort(), ['config.json', 'history.jsonl', 'tracking.jsonl']);
        assert.equal((await readRun(runFolder()))?.status, 'FAILED');
    });

    it('warns of a loss that explodes, and goes on', async () => {
        const { code, stderr } = await start(
            '--epochs 2 --optimizer sgd --learning_rate 100 --batch_size 1200',
        ).end;
        assertOneLine(
            stderr,
            /^nativegrad: warning: epoch [12]: training diverges: the loss is [\d.e+]+, .* --learning_rate below 100, or --gradient_clip 1$/m,
        );
        assert.equal(code, 0);
        assertWholeRun();
    });

    it('ends with code 1, a warning and all files where the loss becomes NaN', async () => {
        const flags =
            '--json --epochs 3 --optimizer sgd --momentum 0.99 --learning_rate 1000 --batch_size 8 --hidden_sizes 256,128';
        const { code, stdout, stderr } = await start(flags).end;
        assert.match(
            stderr,
            /^nativegrad: warning: epoch 1: training diverges: the loss became (NaN|Infinity), .* --learning_rate below 1000, or --gradient_clip 1$/m,
        );
        assert.equal(stderr.match(/diverges/g)?.length, 1);
        assert.equal(code, 1);
        assert.equal(lastLine(stdout).epochs, 1);
        assertWholeRun();
    });

    it('refuses a network beyond all memory before anything is made', async () => {
        const sizes = Array<number>(32).fill(65_536).join(',');
        const { code, stdout, stderr } = await start(`--json --hidden_sizes ${sizes}`).end;
        assert.equal(code, 2, stderr);
        assert.equal(stdout, '');
        assertOneLine(stderr, /^nativegrad: training needs at least 1986\.1 GiB of memory .*--hidden_sizes/);
        assert.ok(!existsSync(join(folder(), 'output')));
    });

    it('speaks of one epoch as one', async () => {
        const { stdout } = await start('--epochs 1').end;
        assert.match(stdout, /batches of 64, 1 epoch; on the CPU$/m);
    });
});
