import { isatty } from 'node:tty';

import { EXIT } from './exit_codes.js';
import { forgottenDashes } from './npm_hint.js';
import { runCommandLine } from './program.js';
import { watchStream } from './streams.js';

/** Runs one command on this process's streams and sets its exit code; what an entry point does. */
export async function runProcess(words: readonly string[]): Promise<void> {
    const { stdout: out, stderr: err } = process;
    const output = watchStream(out);
    const messages = watchStream(err);
    const terminals = [0, 1, 2].filter((descriptor) => isatty(descriptor));
    const hint = forgottenDashes(words, process.env);
    if (hint !== undefined) err.write(`nativegrad: warning: ${hint}\n`);
    let code = await runCommandLine(words, { out, err });
    const failure = await output.finish();
    if (failure !== undefined) {
        err.write(`nativegrad: cannot write to standard output: ${failure.message}\n`);
        if (code === EXIT.done) code = EXIT.usage;
    }
    await messages.finish();
    process.exitCode = code;
    if (terminals.some((descriptor) => !isatty(descriptor))) endByHangUp();
}

/** At its exit Node gives terminals their settings back, and aborts where one was closed in the meantime. */
function endByHangUp(): void {
    process.removeAllListeners('SIGHUP');
    process.kill(process.pid, 'SIGHUP');
}
