import { EXIT } from './exit_codes.js';
import { runCommandLine } from './program.js';
import { watchStream } from './streams.js';

/** Runs one command on this process's streams and sets its exit code; what an entry point does. */
export async function runProcess(words: readonly string[]): Promise<void> {
    const { stdout: out, stderr: err } = process;
    const output = watchStream(out);
    const messages = watchStream(err);
    let code = await runCommandLine(words, { out, err });
    const failure = await output.finish();
    if (failure !== undefined) {
        err.write(`nativegrad: cannot write to standard output: ${failure.message}\n`);
        if (code === EXIT.done) code = EXIT.usage;
    }
    await messages.finish();
    process.exitCode = code;
}
