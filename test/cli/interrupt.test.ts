import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { setTimeout as wait } from 'node:timers/promises';

const MODULE = new URL('../../lib/cli/interrupt.ts', import.meta.url).href;
const PROGRAM = `
    const { listenForInterrupt } = await import('${MODULE}');
    const interrupt = listenForInterrupt((text) => console.log(text));
    console.log('ready');
    setTimeout(() => process.exit(interrupt.exitCode), 3000);`;

describe('interrupt', function () {
    this.timeout(30_000);

    /** Sends the signals to a program that would go on for three seconds; gives its code and how long it went on. */
    async function signalled(
        ...signals: (NodeJS.Signals | number)[]
    ): Promise<{ code: number | null; seconds: number; stdout: string }> {
        const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', PROGRAM], {
            stdio: ['ignore', 'pipe', 'inherit'],
        });
        const ended = new Promise<number | null>((done) => child.on('close', done));
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
        const { code, seconds, stdout } = await signalled('SIGINT', 50, 'SIGINT');
        assert.equal(code, 130);
        assert.ok(seconds > 2, `${seconds}`);
        assert.equal(stdout.match(/stopping after this step/g)?.length, 1);
    });

    it('ends the program at once after the second', async () => {
        const { code, seconds } = await signalled('SIGTERM', 500, 'SIGINT');
        assert.equal(code, 130);
        assert.ok(seconds < 2, `${seconds}`);
    });
});
