import assert from 'node:assert/strict';

import { parseCommandLine } from '../../lib/cli/command_line.js';
import { readExportConfig } from '../../lib/cli/export_flags.js';
import type { ExportConfig } from '../../lib/cli/export_flags.js';
import { readEvaluateConfig } from '../../lib/cli/evaluate_flags.js';
import type { EvaluateConfig } from '../../lib/cli/evaluate_flags.js';
import { crowdWarning } from '../../lib/cli/threads.js';
import { readTrainConfig, TRAIN_FLAGS, unusedFlags } from '../../lib/cli/train_flags.js';
import type { TrainConfig } from '../../lib/cli/train_flags.js';
import { UsageError } from '../../lib/cli/usage_error.js';

function parse(line: string): ReturnType<typeof parseCommandLine> {
    return parseCommandLine(line.split(' ').filter(Boolean), '1.2.3');
}

function train(line: string): TrainConfig {
    const request = parse(`train ${line}`);
    assert.ok('raw' in request);
    return readTrainConfig(request.raw);
}

function evaluate(line: string): EvaluateConfig {
    const request = parse(`evaluate ${line}`);
    assert.ok('raw' in request);
    return readEvaluateConfig(request.raw);
}

function printed(line: string): string {
    const request = parse(line);
    assert.ok('print' in request);
    return request.print;
}

/** The command line is refused with one line that matches. */
function assertUsageError(action: () => unknown, pattern: RegExp): void {
    assert.throws(action, (error: unknown) => {
        assert.ok(error instanceof UsageError, String(error));
        assert.match(error.message, pattern);
        assert.ok(!error.message.includes('\n'));
        return true;
    });
}

describe('command line', () => {
    it('fills in the defaults of an MLP with Adam', () => {
        assert.deepEqual(train(''), {
            preset: undefined,
            maxSteps: undefined,
            architecture: 'mlp',
            hiddenSizes: [256, 128],
            convChannels: [32, 64],
            kernelSize: 3,
            activation: 'relu',
            initializer: 'he',
            useBatchNorm: false,
            dropoutRate: 0,
            augmentShift: 0,
            augmentRotate: 0,
            augmentScale: 0,
            batchSize: 64,
            epochs: 10,
            optimizer: 'adam',
            learningRate: 0.001,
            momentum: 0,
            weightDecay: 0,
            loss: 'cce',
            lrSchedule: 'cosine',
            mixedPrecision: undefined,
            gradientClip: undefined,
            emaDecay: undefined,
            validationSplit: 0.1,
            seed: 42,
            threads: undefined,
            device: 'auto',
            data: undefined,
            outputDir: 'output',
            experimentName: undefined,
            runName: undefined,
            checkpointEvery: undefined,
            keepBest: 0,
            keepCheckpoints: 2,
            saveBest: false,
            earlyStopping: undefined,
            resume: undefined,
            tracking: [],
            trackingUri: undefined,
            trackingWait: undefined,
            registerModel: undefined,
            experiment: undefined,
            tags: {},
            modelName: 'model',
            json: false,
        });
    });

    it('lets defaults depend on the architecture and the optimizer', () => {
        assert.deepEqual(train('--architecture cnn').hiddenSizes, [128]);
        assert.equal(train('--optimizer sgd').learningRate, 0.05);
        assert.equal(train('--optimizer adamw').weightDecay, 0.01);
        assert.equal(train('--optimizer adamw --weight_decay 0').weightDecay, 0);
    });

    it('reads the command lines of the README', () => {
        const cnn = train(
            '--architecture cnn --conv_channels 32,64 --batch_size 128 --epochs 20 --use_batch_norm',
        );
        assert.deepEqual(
            [cnn.architecture, cnn.convChannels, cnn.batchSize, cnn.epochs],
            ['cnn', [32, 64], 128, 20],
        );
        assert.equal(cnn.useBatchNorm, true);
        const sgd = train(
            '--architecture mlp --hidden_sizes 300 --optimizer sgd --momentum 0.9 --initializer glorot --lr_schedule cosine',
        );
        assert.deepEqual(
            [sgd.hiddenSizes, sgd.momentum, sgd.initializer, sgd.lrSchedule],
            [[300], 0.9, 'glorot', 'cosine'],
        );
    });

    it('takes every flag with underscores and with hyphens, with a blank and with =', () => {
        const values: Partial<Record<keyof typeof TRAIN_FLAGS, string>> = {
            architecture: 'cnn',
            hiddenSizes: '8,4',
            preset: 'fast',
            convChannels: '2',
            activation: 'tanh',
            initializer: 'glorot',
            optimizer: 'sgd',
            loss: 'mse',
            checkpointEvery: '5steps',
            lrSchedule: 'one_cycle',
            mixedPrecision: 'bf16',
            device: 'cpu',
            dropoutRate: '0.5',
            augmentScale: '0.5',
            momentum: '0.5',
            validationSplit: '0.5',
            weightDecay: '0.5',
            tracking: 'mlflow',
            trackingUri: 'http://127.0.0.1:5000',
            trackingWait: '30s',
            emaDecay: '0.5',
            tags: 'a=1,b=2',
        };
        for (const [key, flag] of Object.entries(TRAIN_FLAGS)) {
            const name = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
            const value = values[key as keyof typeof TRAIN_FLAGS] ?? '5';
            const spellings = [name, name.replaceAll('_', '-')];
            const lines =
                flag.placeholder === undefined
                    ? spellings.map((spelling) => `--${spelling}`)
                    : spellings.flatMap((spelling) => [`--${spelling} ${value}`, `--${spelling}=${value}`]);
            for (const line of lines) {
                const got: unknown = Reflect.get(train(line), key);
                assert.notDeepEqual(got, Reflect.get(train(''), key), line);
                assert.deepEqual(got, Reflect.get(train(lines[0]), key), line);
            }
        }
    });

    it('leaves values alone', () => {
        assert.equal(train('--data ./my-data_set').data, './my-data_set');
        assert.equal(train('--output_dir=a-b_c=d').outputDir, 'a-b_c=d');
        assert.equal(train('--lr-schedule one-cycle').lrSchedule, 'one_cycle');
    });

    const refused: [string, RegExp][] = [
        ['--epoch 3', /unknown option '--epoch' \(Did you mean --epochs\?\)/],
        ['--batch-sise 3', /unknown option '--batch_sise' \(Did you mean --batch_size\?\)/],
        ['--model m.safetensors', /unknown option '--model' \(Did you mean --model_name\?\)/],
        ['--learnrate 1', /unknown option '--learnrate' \(Did you mean --learning_rate\?\)/],
        ['--learning-rat 1', /\(Did you mean --learning_rate\?\)/],
        ['--lr 1', /\(Did you mean --learning_rate\?\)/],
        ['--batchsize 1', /\(Did you mean --batch_size\?\)/],
        ['--batch_norm', /\(Did you mean --use_batch_norm\?\)/],
        ['--dropout=0.5', /unknown option '--dropout=0.5' \(Did you mean --dropout_rate\?\)/],
        ['--sed 1', /\(Did you mean --seed\?\)/],
        ['--name x', /\(Did you mean --experiment_name or --run_name or --model_name\?\)/],
        ['--tags x', /--tags expects name=value, like team=vision, got "x"/],
        ['--tags ../a=1', /--tags expects name=value/],
        ['--tracking wandb', /--tracking expects some of local.*, got "wandb"/],
        ['--tracking_uri file:///x', /--tracking_uri expects the address of an MLflow server/],
        [
            '--tracking_uri http://me:secret@host',
            /^--tracking_uri holds a user or password, .*MLFLOW_TRACKING_PASSWORD$/,
        ],
        [
            '--tracking_wait 5',
            /--tracking_wait expects 0 or a number and s, min or h, like 30s, up to 24h, got "5"/,
        ],
        ['--tracking_wait 25h', /--tracking_wait expects .* got "25h"/],
        ['--experiment=', /--experiment expects a text of one line/],
        ['--zebra 1', /unknown option '--zebra'$/],
        ['-e 1', /unknown option '-e'$/],
        ['--epochs', /^--epochs needs a value$/],
        ['--epochs 0', /^--epochs expects an integer from 1 to 100000, got "0"$/],
        ['--epochs 2.5', /--epochs expects an integer .* got "2.5"/],
        ['--epochs 1e3', /got "1e3"/],
        ['--epochs --json', /--epochs expects an integer .* got "--json"/],
        ['--batch_size ten', /--batch_size expects an integer .* got "ten"/],
        [
            '--hidden_sizes 3,,4',
            /--hidden_sizes expects 1 to 32 integers from 1 to 65536, like 32,64, got "3,,4"/,
        ],
        ['--hidden_sizes 0', /--hidden_sizes expects/],
        ['--conv_channels 8,8,8,8,8', /--conv_channels expects 1 to 4 integers/],
        ['--kernel_size 4', /--kernel_size expects an odd integer from 1 to 27, got "4"/],
        ['--learning_rate 0', /--learning_rate expects a number above 0 and at most 1000, got "0"/],
        ['--learning_rate nan', /got "nan"/],
        ['--learning_rate -1', /got "-1"/],
        ['--learning_rate 1e999', /got "1e999"/],
        ['--dropout_rate 1', /--dropout_rate expects a number of at least 0 and below 1, got "1"/],
        ['--optimizer adm', /--optimizer expects one of sgd, adam, adamw, rmsprop, got "adm"/],
        ['--device gpu', /--device expects one of cpu, cuda, cuda:1, auto, got "gpu"/],
        ['--device cuda:', /--device expects .*, got "cuda:"/],
        ['--device cuda:-1', /--device expects/],
        ['--seed 4294967296', /--seed expects an integer from 0 to 4294967295/],
        ['--run_name ../x', /--run_name expects a name of letters/],
        ['--model_name a/b', /--model_name expects a name/],
        ['--data=', /--data expects a path, got ""/],
        ['extra', /unexpected "extra": flags start with --/],
    ];
    for (const [line, pattern] of refused) {
        it(`refuses train ${line}`, () => assertUsageError(() => train(line), pattern));
    }

    it('refuses an unknown command and a flag of another command', () => {
        assertUsageError(() => parse('trian'), /unknown command 'trian' \(Did you mean train\?\)/);
        assertUsageError(() => evaluate('--epochs 3'), /unknown option '--epochs'/);
        assertUsageError(() => evaluate('--model m'), /\(Did you mean --model_path\?\)/);
        assertUsageError(() => evaluate(''), /--model_path is required/);
        assertUsageError(() => parse('doctor now'), /unexpected "now"/);
    });

    it('is not changed by a polluted Object.prototype', () => {
        Object.defineProperty(Object.prototype, 'epochs', { value: '3', configurable: true });
        try {
            assert.equal(train('').epochs, 10);
        } finally {
            Reflect.deleteProperty(Object.prototype, 'epochs');
        }
    });

    it('reads evaluate and doctor', () => {
        assert.equal(evaluate('--model-path m.safetensors --json').modelPath, 'm.safetensors');
        assert.deepEqual(parse('doctor --json'), { command: 'doctor', raw: { json: true } });
    });

    it('reads export, with the model as a word or a flag', () => {
        const exported = (line: string): ExportConfig => {
            const request = parse(`export ${line}`);
            assert.ok('command' in request && request.command === 'export');
            return readExportConfig(request.raw);
        };
        const given = exported('runs/m.safetensors --to onnx --input-shape 1,28,28');
        assert.equal(given.modelPath, 'runs/m.safetensors');
        assert.equal(given.output, 'runs/m.onnx');
        assert.deepEqual(given.inputShape, [1, 28, 28]);
        assert.equal(exported('--model_path m.bin --to NPZ').output, 'm.bin.npz');
        assertUsageError(() => exported('m.npz --to npz'), /would replace the model m\.npz/);
        assertUsageError(() => exported('--to npz'), /the model to export is missing/);
        assertUsageError(() => exported('m.npz'), /--to is required: one of onnx, npz, safetensors/);
        assertUsageError(() => exported('m.npz --to pt'), /--to expects one of onnx, npz, safetensors/);
        assertUsageError(() => exported('m.npz n.npz --to onnx'), /unexpected "n\.npz"/);
        assertUsageError(() => exported('m.npz --model_path n --to onnx'), /unexpected "m\.npz"/);
    });

    it('helps: every flag with its default, and examples', () => {
        const help = printed('train --help').replace(/\n {5,}/g, ' ');
        for (const key of Object.keys(TRAIN_FLAGS)) {
            assert.ok(
                help.includes(`--${key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`),
                key,
            );
        }
        assert.match(help, /--epochs <n> .*\(default: 10\)/);
        assert.match(help, /--lr_schedule <name> .*none, constant, .*\(default: cosine\)/);
        assert.match(help, /Examples:\n {2}nativegrad train\n/);
        assert.match(printed(''), /train .*Train a digit classifier/);
        assert.equal(printed('--version'), '1.2.3\n');
    });

    it('takes a wait in seconds, minutes and hours', () => {
        const wait = (text: string): unknown => train(`--tracking_wait ${text}`).trackingWait;
        assert.deepEqual(['0', '0s', '30s', '10MIN', '24h'].map(wait), [0, 0, 3e4, 6e5, 864e5]);
    });

    it('warns of flags without effect', () => {
        const raw = { convChannels: '8', momentum: '0.9' };
        assert.deepEqual(unusedFlags(raw, readTrainConfig(raw)), [
            '--conv_channels has no effect with --architecture mlp',
            '--momentum has no effect with --optimizer adam',
        ]);
        const used = { architecture: 'cnn', convChannels: '8', momentum: '0.9', optimizer: 'rmsprop' };
        assert.deepEqual(unusedFlags(used, readTrainConfig(used)), []);
    });

    it('takes a GPU by its number', () => {
        assert.equal(train('').device, 'auto');
        assert.equal(train('--device cuda').device, 'cuda');
        assert.equal(train('--device CUDA:01').device, 'cuda:1');
    });

    it('warns of more threads than processors', () => {
        assert.equal(crowdWarning(undefined, 2), undefined);
        assert.equal(crowdWarning(2, 2), undefined);
        assert.match(crowdWarning(999, 2) ?? '', /^--threads 999 is more than the 2 logical processors/);
        assert.match(crowdWarning(2, 1) ?? '', /more than the one logical processor/);
    });

    it('fills what is not given from a preset', () => {
        const fast = train('--preset fast --batch_size 32 --max_steps 7');
        assert.equal(fast.architecture, 'cnn');
        assert.deepEqual(fast.convChannels, [16, 16]);
        assert.equal(fast.useBatchNorm, true);
        assert.equal(fast.lrSchedule, 'one_cycle');
        assert.equal(fast.epochs, 2);
        assert.equal(fast.batchSize, 32);
        assert.equal(fast.maxSteps, 7);
        assert.equal(train('').maxSteps, undefined);
        const best = train('--preset best --architecture mlp');
        assert.deepEqual([best.architecture, best.hiddenSizes, best.augmentShift], ['mlp', [512, 256], 2]);
        assert.deepEqual(train('--preset best').convChannels, [32, 64, 128]);
        assert.throws(() => train('--preset quick'), /--preset expects one of fast, best, got "quick"/);
        assert.throws(() => train('--max_steps 0'), /--max_steps expects an integer from 1/);
    });
});
