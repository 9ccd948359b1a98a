import { DataFileError } from '../data/data_file_error.js';
import { SafetensorsError } from '../io/safetensors_error.js';
import { AddonLoadError } from '../native/loader.js';
import { parseCommandLine } from './command_line.js';
import type { CommandName } from './command_line.js';
import { EXIT } from './exit_codes.js';
import type { RawFlags } from './flags.js';
import { packageVersion } from './package_version.js';
import type { Streams } from './streams.js';
import { UsageError } from './usage_error.js';

type Command = (raw: RawFlags, streams: Streams) => Promise<number>;

// Loaded when asked for: help and flag errors need no addon.
const COMMANDS: Readonly<Partial<Record<CommandName, () => Promise<Command>>>> = {
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
            streams.out(request.print);
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

function reportError(error: unknown, streams: Streams): number {
    const isUsers =
        error instanceof UsageError || error instanceof DataFileError || error instanceof SafetensorsError;
    if (isUsers) {
        streams.err(`nativegrad: ${error.message.replace(/\s+/g, ' ')}\n`);
        return EXIT.usage;
    }
    if (error instanceof AddonLoadError) streams.err(`${error.message}\n`);
    else
        streams.err(
            `nativegrad: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
        );
    return EXIT.failed;
}
