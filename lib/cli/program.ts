import { DataFileError } from '../data/data_file_error.js';
import { CheckpointError } from '../io/checkpoint/checkpoint_error.js';
import { FileWriteError } from '../io/file_write_error.js';
import { FolderLockedError } from '../io/folder_lock.js';
import { NpyError } from '../io/npy_error.js';
import { OnnxError } from '../io/onnx/onnx_error.js';
import { SafetensorsError } from '../io/safetensors_error.js';
import { AddonLoadError } from '../native/loader.js';
import { ModelFileError } from '../nn/model_file_error.js';
import { parseCommandLine } from './command_line.js';
import type { CommandName } from './command_line.js';
import { EXIT } from './exit_codes.js';
import type { RawFlags } from './flags.js';
import { packageVersion } from './package_version.js';
import type { Streams } from './streams.js';
import { UsageError } from './usage_error.js';

type Command = (raw: RawFlags, streams: Streams) => Promise<number>;

// Loaded when asked for: help and flag errors need no addon.
const COMMANDS: Readonly<Record<CommandName, () => Promise<Command>>> = {
    train: async () => (await import('./train_command.js')).trainCommand,
    evaluate: async () => (await import('./evaluate_command.js')).evaluateCommand,
    export: async () => (await import('./export_command.js')).exportCommand,
    runs: async () => (await import('./runs_command.js')).runsCommand,
    sync: async () => (await import('./sync_command.js')).syncCommand,
    doctor: async () => (await import('./doctor_command.js')).doctorCommand,
};

/**
 * Runs one command and gives its exit code; what the user can mend is one line on stderr and code 2.
 * `argv` are the words behind the program's name.
 */
export async function runCommandLine(argv: readonly string[], streams: Streams): Promise<number> {
    try {
        const request = parseCommandLine(argv, packageVersion());
        if ('print' in request) {
            streams.out.write(request.print);
            return EXIT.done;
        }
        const load = COMMANDS[request.command];
        if (load === undefined) throw new UsageError(`${request.command} is not part of this version`);
        return await (
            await load()
        )(request.raw, streams);
    } catch (error) {
        return reportError(error, streams);
    }
}

function reportError(error: unknown, { err }: Streams): number {
    if (error instanceof Error && isUsers(error)) {
        err.write(`nativegrad: ${error.message.replace(/\s+/g, ' ')}\n`);
        return EXIT.usage;
    }
    if (error instanceof AddonLoadError) err.write(`${error.message}\n`);
    else
        err.write(`nativegrad: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    return EXIT.failed;
}

/** What the user can mend: flags, files, and whatever the operating system refuses (`syscall` is set then). */
function isUsers(error: Error): boolean {
    const kinds = [
        UsageError,
        CheckpointError,
        DataFileError,
        SafetensorsError,
        NpyError,
        OnnxError,
        ModelFileError,
        FileWriteError,
        FolderLockedError,
    ];
    return kinds.some((kind) => error instanceof kind) || 'syscall' in error;
}
