import { Command, CommanderError, Option } from 'commander';

import { EVALUATE_FLAGS } from './evaluate_flags.js';
import { flagName } from './flags.js';
import type { FlagTable, RawFlags } from './flags.js';
import { TRAIN_FLAGS } from './train_flags.js';
import { UsageError } from './usage_error.js';

export type CommandName = 'train' | 'evaluate' | 'doctor';

/** What the command line asks for: a command with its flags, or a text to print (help, version). */
export type Request = { command: CommandName; raw: RawFlags } | { print: string };

const SUMMARIES: Readonly<Record<CommandName, string>> = {
    train: 'Train a digit classifier on MNIST and write a run folder.',
    evaluate: 'Evaluate a trained model on the test set; only the model file is needed.',
    doctor: 'Say what this installation found: Node, addon, instruction sets, threads, CUDA.',
};

const TRAIN_EXAMPLES = `
Examples:
  nativegrad train
  nativegrad train --architecture cnn --conv_channels 32,64 --batch_size 128 --epochs 20 --use_batch_norm
  nativegrad train --hidden_sizes 300 --optimizer sgd --momentum 0.9 --initializer glorot --lr_schedule cosine
  nativegrad train --epochs 3 --experiment_name tries --run_name first --json

Flags may be written with underscores or hyphens. Ctrl-C ends the run cleanly with the model saved (exit code 130).`;

const EVALUATE_EXAMPLES = `
Examples:
  nativegrad evaluate --model_path output/20260101_120000_mlp/model.safetensors
  nativegrad evaluate --model_path model.safetensors --data ./fashion_mnist --json

Flags may be written with underscores or hyphens.`;

const DOCTOR_FLAGS: FlagTable = { json: TRAIN_FLAGS.json };

/**
 * Reads the arguments behind the program's name.
 *
 * @throws {UsageError} for an unknown command or flag, or a flag without its value.
 */
export function parseCommandLine(argv: readonly string[], version: string): Request {
    let request: Request | undefined;
    let printed = '';
    const program = new Command('nativegrad');
    program
        .description('Native neural-network training for Node.js.')
        .version(version, '--version', 'print the version')
        .helpOption('-h, --help', 'print this help')
        .helpCommand(false)
        .exitOverride()
        .configureOutput({ writeOut: (text) => (printed += text), outputError: () => undefined });
    const accept = (command: CommandName) => (options: RawFlags, parsed: Command) => {
        const [extra] = parsed.args;
        if (extra !== undefined)
            throw new UsageError(`unexpected ${JSON.stringify(extra)}: flags start with --`);
        request = { command, raw: camelKeys(options) };
    };
    addCommand(program, 'train', TRAIN_FLAGS, TRAIN_EXAMPLES).action(accept('train'));
    addCommand(program, 'evaluate', EVALUATE_FLAGS, EVALUATE_EXAMPLES).action(accept('evaluate'));
    addCommand(program, 'doctor', DOCTOR_FLAGS, '').action(accept('doctor'));
    if (argv.length === 0) return { print: program.helpInformation() };
    try {
        program.parse(toSnakeCase(argv), { from: 'user' });
    } catch (error) {
        if (!(error instanceof CommanderError)) throw error;
        if (error.exitCode === 0) return { print: printed };
        throw new UsageError(oneLine(error.message), { cause: error });
    }
    if (request === undefined) throw new UsageError('a command is expected: train, evaluate or doctor');
    return request;
}

function addCommand(program: Command, name: CommandName, flags: FlagTable, examples: string): Command {
    const command = program
        .command(name)
        .description(SUMMARIES[name])
        .helpOption('-h, --help', 'print this help');
    command.copyInheritedSettings(program).allowExcessArguments().addHelpText('after', examples);
    for (const [key, flag] of Object.entries(flags)) {
        const value = flag.placeholder === undefined ? '' : ` ${flag.placeholder}`;
        const suffix = flag.defaultText === undefined ? '' : ` (default: ${flag.defaultText})`;
        command.addOption(new Option(flagName(key) + value, flag.description + suffix));
    }
    return command;
}

/** `--batch-size=8` and `--batch_size=8` are one flag; values and what stands behind `--` stay as they are. */
function toSnakeCase(argv: readonly string[]): string[] {
    const end = argv.indexOf('--');
    return argv.map((word, index) => {
        if (!/^--[A-Za-z]/.test(word) || (end >= 0 && index > end)) return word;
        const equals = word.indexOf('=');
        const name = equals < 0 ? word.slice(2) : word.slice(2, equals);
        const rest = equals < 0 ? '' : word.slice(equals);
        return `--${name.replaceAll('-', '_')}${rest}`;
    });
}

function camelKeys(options: RawFlags): RawFlags {
    const camel = (name: string): string =>
        name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
    return Object.fromEntries(Object.entries(options).map(([name, value]) => [camel(name), value]));
}

/** Commander writes `error: unknown option '--epoch'\n(Did you mean --epochs?)`. */
function oneLine(message: string): string {
    const line = message
        .replace(/^error: /, '')
        .replace(/\s+/g, ' ')
        .trim();
    return line.replace(/^option '(--\w+).*' argument missing$/, '$1 needs a value');
}
