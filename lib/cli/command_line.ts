import { Command, CommanderError, Option } from 'commander';

import { EVALUATE_FLAGS } from './evaluate_flags.js';
import { EXPORT_FLAGS } from './export_flags.js';
import { flagName } from './flags.js';
import type { FlagTable, RawFlags } from './flags.js';
import { RUNS_FLAGS } from './runs_flags.js';
import { SYNC_FLAGS } from './sync_flags.js';
import { TRAIN_FLAGS } from './train_flags.js';
import { suggestNames } from './suggest.js';
import { UsageError } from './usage_error.js';

export type CommandName = 'train' | 'evaluate' | 'export' | 'runs' | 'sync' | 'doctor';

/** What the command line asks for: a command with its flags, or a text to print (help, version). */
export type Request = { command: CommandName; raw: RawFlags } | { print: string };

const SUMMARIES: Readonly<Record<CommandName, string>> = {
    train: 'Train a digit classifier on MNIST and write a run folder.',
    evaluate: 'Evaluate a trained model on the test set; only the model file is needed.',
    export: 'Write a model file as ONNX, NumPy arrays or safetensors.',
    runs: 'List and compare runs, in the terminal or as a page.',
    sync: 'Send runs to an MLflow server: what it does not have yet, each line once.',
    doctor: 'Say what this installation found: Node, addon, instruction sets, threads, CUDA.',
};

const TRAIN_EXAMPLES = `
Examples:
  nativegrad train
  nativegrad train --architecture cnn --conv_channels 32,64 --batch_size 128 --epochs 20 --use_batch_norm
  nativegrad train --hidden_sizes 300 --optimizer sgd --momentum 0.9 --initializer glorot --lr_schedule cosine
  nativegrad train --epochs 3 --experiment_name tries --run_name first --json

Flags may be written with underscores or hyphens. Ctrl-C, SIGTERM, SIGUSR2 and SIGHUP end the run cleanly with the model (and checkpoint) saved (exit codes 130, 143, 140 and 129); twice, at once.
What you can mend (flags, files, a full disk) is one line on stderr and exit code 2; a loss of NaN ends with 1.`;

const EVALUATE_EXAMPLES = `
Examples:
  nativegrad evaluate --model_path output/20260101_120000_mlp/model.safetensors
  nativegrad evaluate --model_path model.safetensors --data ./fashion_mnist --json
  nativegrad evaluate --model_path model.onnx
  nativegrad evaluate --model_path weights.npz --architecture mlp --hidden_sizes 300

Flags may be written with underscores or hyphens.`;

const EXPORT_EXAMPLES = `
Examples:
  nativegrad export output/20260101_120000_mlp/model.safetensors --to onnx --output model.onnx
  nativegrad export model.onnx --to npz

An .npz holds the arrays under their names in the model (1.weight, 1.bias, ...) and, as texts, which layers it has.
Flags may be written with underscores or hyphens.`;

const RUNS_EXAMPLES = `
Examples:
  nativegrad runs
  nativegrad runs output/tries --sort test_accuracy --limit 10
  nativegrad runs output/a output/b --page compare.html

Figures are the last ones of each run; a name with - before it sorts the other way.`;

const SYNC_EXAMPLES = `
Examples:
  nativegrad sync --tracking_uri http://127.0.0.1:5000
  nativegrad sync output/20260101_120000_mlp --tracking_uri https://mlflow.example.org

A call that was interrupted may be repeated: nothing is sent twice. Exit code 1 where a run could not be sent to its end.`;

/** The flags of each command. */
export const FLAG_TABLES: Readonly<Record<CommandName, FlagTable>> = {
    train: TRAIN_FLAGS,
    evaluate: EVALUATE_FLAGS,
    export: EXPORT_FLAGS,
    runs: RUNS_FLAGS,
    sync: SYNC_FLAGS,
    doctor: { json: TRAIN_FLAGS.json },
};

const EXAMPLES: Readonly<Record<CommandName, string>> = {
    train: TRAIN_EXAMPLES,
    evaluate: EVALUATE_EXAMPLES,
    export: EXPORT_EXAMPLES,
    runs: RUNS_EXAMPLES,
    sync: SYNC_EXAMPLES,
    doctor: '',
};

interface Words {
    /** The flag that they give where it is not given. */
    readonly key: string;
    /** In the help. */
    readonly shown: string;
    /** Several, which come to the flag with line feeds between. */
    readonly isList?: boolean;
}

/** Words that stand without a flag. */
const WORDS: Readonly<Partial<Record<CommandName, Words>>> = {
    export: { key: 'modelPath', shown: '<model>' },
    runs: { key: 'folders', shown: '[folder...]', isList: true },
    sync: { key: 'folders', shown: '[folder...]', isList: true },
};

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
        const raw = camelKeys(options);
        request = { command, raw: { ...raw, ...wordsOf(command, raw, parsed.args) } };
    };
    const names = Object.keys(SUMMARIES) as CommandName[];
    for (const name of names) addCommand(program, name).action(accept(name));
    if (argv.length === 0) return { print: program.helpInformation() };
    try {
        program.parse(toSnakeCase(argv), { from: 'user' });
    } catch (error) {
        if (!(error instanceof CommanderError)) throw error;
        if (error.exitCode === 0) return { print: printed };
        const suggestion = suggestFlag(argv[0], error);
        throw new UsageError(oneLine(error.message) + suggestion, { cause: error });
    }
    if (request === undefined) throw new UsageError(`a command is expected: ${names.join(', ')}`);
    return request;
}

/** @throws {UsageError} where a word has no place. */
function wordsOf(command: CommandName, raw: RawFlags, given: readonly string[]): RawFlags {
    if (given.length === 0) return {};
    const words = WORDS[command];
    const isTaken = words === undefined || raw[words.key] !== undefined;
    const extra = isTaken ? given[0] : words.isList === true ? undefined : given[1];
    if (extra !== undefined) throw new UsageError(`unexpected ${JSON.stringify(extra)}: flags start with --`);
    return isTaken ? {} : { [words.key]: given.join('\n') };
}

function addCommand(program: Command, name: CommandName): Command {
    const command = program
        .command(name)
        .description(SUMMARIES[name])
        .helpOption('-h, --help', 'print this help');
    command.copyInheritedSettings(program).showSuggestionAfterError(false).allowExcessArguments();
    const words = WORDS[name];
    if (words !== undefined) command.usage(`${words.shown} [options]`);
    command.addHelpText('after', EXAMPLES[name]);
    for (const [key, flag] of Object.entries(FLAG_TABLES[name])) {
        const value = flag.placeholder === undefined ? '' : ` ${flag.placeholder}`;
        const suffix = flag.defaultText === undefined ? '' : ` (default: ${flag.defaultText})`;
        const option = new Option(flagName(key) + value, flag.description + suffix);
        const join = (text: string, before: unknown): string =>
            typeof before === 'string' ? `${before},${text}` : text;
        command.addOption(flag.repeats ? option.argParser(join) : option);
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

/** Commander finds near spellings only; `--model` for `--model_path` is none. */
function suggestFlag(command: string | undefined, { code, message }: CommanderError): string {
    const given = code === 'commander.unknownOption' ? /'--(\w+)/.exec(message)?.[1] : undefined;
    const table = Object.entries(FLAG_TABLES).find(([name]) => name === command)?.[1];
    if (given === undefined || table === undefined) return '';
    const known = Object.keys(table).map((key) => flagName(key).slice(2));
    const names = suggestNames(given, known).map((name) => `--${name}`);
    return names.length === 0 ? '' : ` (Did you mean ${names.join(' or ')}?)`;
}

/** Commander writes `error: unknown option '--epoch'\n(Did you mean --epochs?)`. */
function oneLine(message: string): string {
    const line = message
        .replace(/^error: /, '')
        .replace(/\s+/g, ' ')
        .trim();
    return line.replace(/^option '(--\w+).*' argument missing$/, '$1 needs a value');
}
