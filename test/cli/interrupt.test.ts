import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';

const MODULE = new URL('../../lib/cli/interrupt.ts', import.meta.url).href;
const PROGRAM = `
    const { listenForInterrupt } = await import('${MODULE}');
    const interrupt = listenForInterrupt((text) => console.log(text));
    console.log('ready');
    setTimeout(() => process.exit(interrupt.exitCode), 3000);`;

const LIBRARY = new URL('../../lib/index.ts', import.meta.url).href;
/** The same in the middle of a step on another thread that takes far longer than three seconds. */
const LONG_STEP = `
    const { capture, ones } = await import('${LIBRARY}');
    const side = 2048;
    void capture((x) => { for (let i = 0; i < 100; i++) x = x.matmul(x); return x; }).async(ones([side, side]));
    ${PROGRAM}`;

describe('interrupt', () => {
    /** Sends the signals to a program that would go on for three seconds; gives its code and how long it went on. */
    async function signalled(
        program: string,
        ...signals: (NodeJS.Signals | number)[]
    ): Promise<{ code: number | null; seconds: number; stdout: string }> {
        const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
            stdio: ['ignore', 'pipe', 'inherit'],
        });
        const ended = new Promise<number | null>((done) =>
            // As shells give it.
            child.on('close', (code, signal) => done(signal ? 128 + constants.signals[signal] : code)),
        );
        let stdout = '';
        await new Promise<void>((ready) => {
            child.stdout.setEncoding('utf8').on('data', (piece: string) => {
                stdout += piece;
                if (piece.startsWith('ready')) ready();
            });
        });
        const begin = performance.now();
        for (const signal of signals) {
            if (typeof signal === 'number') await wait(signal);
            else child.kill(signal);
        }
        const code = await ended;
        return { code, seconds: (performance.now() - begin) / 1000, stdout };
    }

    it('lets the program finish after the first signal, also where that comes twice at once', async () => {
        for (const name of ['SIGINT', 'SIGTERM', 'SIGUSR2'] as const) {
            const { code, seconds, stdout } = await signalled(PROGRAM, name, 50, name);
            assert.equal(code, 128 + constants.signals[name]);
            assert.ok(seconds > 2, `${seconds}`);
            assert.equal(stdout.match(/stopping after this step/g)?.length, 1);
        }
    });

    it('ends the program at once after the second', async () => {
        for (const program of [PROGRAM, LONG_STEP]) {
            const { code, seconds } = await signalled(program, 'SIGTERM', 500, 'SIGINT');
            assert.equal(code, 130);
            assert.ok(seconds < 2, `${seconds}`);
        }
    });

    it('takes no other signal for the first one, however soon it comes', async () => {
        for (const [first, second] of [
            ['SIGTERM', 'SIGINT'],
            ['SIGINT', 'SIGTERM'],
        ] as const) {
            const { code, seconds } = await signalled(PROGRAM, first, 50, second);
            assert.equal(code, 128 + constants.signals[second]);
            assert.ok(seconds < 2, `${first} ${second} ${seconds}`);
        }
    });
});
