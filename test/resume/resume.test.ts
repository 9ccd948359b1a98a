import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadTensors, track, train, type Tensor } from '../../lib/index.js';
import { runCommand } from '../support/command.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';
import { ROOT, TrainProcess } from '../support/train_process.js';

describe('train --resume', () => {
    const folder = useTemporaryFolder();

    it('goes on after a signal, or a SIGKILL, and ends with the bytes of a run without either', async () => {
        const start = (name: string, more: string): TrainProcess =>
            new TrainProcess(
                `--output_dir ${folder()} --run_name ${name} --hidden_sizes 16 --dropout_rate 0.2 --epochs 20 ${more}`,
                join(folder(), name),
            );
        const whole = await start('whole', '').end;
        assert.equal(whole.code, 0, whole.stderr);
        const flags = '--resume auto --checkpoint_every 50steps --keep_checkpoints 3';
        const signals = ['SIGUSR2', 'SIGKILL', 'SIGTERM'] as const;
        for (const [i, signal] of signals.entries()) {
            const run = start('cut', flags);
            await run.reach(2 + 4 * i);
            run.child.kill(signal);
            const { code, stderr } = await run.end;
            assert.equal(code, { SIGUSR2: 140, SIGKILL: null, SIGTERM: 143 }[signal], stderr);
        }
        assert.ok(readdirSync(join(folder(), 'cut', 'checkpoints')).some((name) => name.startsWith('step-')));
        // The folder knows the rest of its flags.
        const end = await new TrainProcess(`--resume ${join(folder(), 'cut')}`, join(folder(), 'cut')).end;
        assert.deepEqual([end.code, end.stderr.includes('warning')], [0, false], end.stderr);
        assert.match(end.stdout, /\d+\.\d s of training \(\d+\.\d s before it went on\); run folder/);
        const file = (run: string, name: string): Buffer => readFileSync(join(folder(), run, name));
        const { seconds, epoch_seconds } = JSON.parse(file('cut', 'metrics.json').toString()) as {
            seconds: number;
            epoch_seconds: number[];
        };
        const ofEpochs = epoch_seconds.reduce((a, b) => a + b, 0);
        assert.ok(seconds >= ofEpochs && epoch_seconds.length === 20, `${seconds} s, epochs ${ofEpochs} s`);
        assert.ok(file('cut', 'model.safetensors').equals(file('whole', 'model.safetensors')));
        const epochs = (run: string): unknown[] =>
            file(run, 'history.jsonl')
                .toString()
                .trim()
                .split('\n')
                .map((line) => ({ ...(JSON.parse(line) as object), seconds: 0 }));
        assert.deepEqual(epochs('cut'), epochs('whole'));
    });

    it('says which flags are not those that the run began with', async () => {
        const common = `--output_dir ${folder()} --run_name one --hidden_sizes 16 --resume auto`;
        const run = (flags: string): TrainProcess['end'] =>
            new TrainProcess(`${common} ${flags}`, join(folder(), 'one')).end;
        assert.equal((await run('--epochs 1 --learning_rate 0.01')).code, 0);
        const { code, stderr } = await run('--epochs 2 --use_batch_norm');
        assert.match(stderr, /warning: --epochs 2: the run began with 1; its end will differ/);
        assert.match(stderr, /warning: --use_batch_norm: the run began without it/);
        assert.deepEqual([code, stderr.includes('does not fit this trainer')], [2, true], stderr);
        const more = await run('--epochs 2');
        assert.equal(more.code, 0, more.stderr);
        const config = JSON.parse(readFileSync(join(folder(), 'one', 'config.json'), 'utf8')) as object;
        assert.deepEqual(
            {
                learning_rate: Reflect.get(config, 'learning_rate') as unknown,
                epochs: Reflect.get(config, 'epochs') as unknown,
            },
            { learning_rate: 0.01, epochs: 2 },
        );
    });

    it('averages the weights with --ema_decay: of the model file, the checkpoint has both', async () => {
        const run = (name: string, flags: string): TrainProcess['end'] =>
            new TrainProcess(
                `--output_dir ${folder()} --run_name ${name} --hidden_sizes 16 --use_batch_norm --epochs 2 ` +
                    `--mixed_precision bf16 --checkpoint_every 1epoch --resume auto ${flags}`,
                join(folder(), name),
            ).end;
        const averaged = await run('averaged', '--ema_decay 0.99 --json');
        assert.equal(averaged.code, 0, averaged.stderr);
        assert.equal((await run('plain', '')).code, 0);
        const store = new train.CheckpointStore(join(folder(), 'averaged', 'checkpoints'));
        const { model, average } = ((await store.load())?.state ?? {}) as {
            model: ReadonlyMap<string, Tensor>;
            average: { decay: number; averages: ReadonlyMap<string, Tensor> };
        };
        assert.equal(average.decay, 0.99);
        const weights = async (name: string): Promise<ReadonlyMap<string, Tensor>> =>
            (await loadTensors(join(folder(), name, 'model.safetensors'))).tensors;
        const [saved, plain] = [await weights('averaged'), await weights('plain')];
        for (const key of ['1.weight', '2.running_mean'])
            assert.deepEqual(saved.get(key)?.toArray(), average.averages.get(key)?.toArray(), key);
        // The steps are those of a run without an average.
        assert.deepEqual(model.get('1.weight')?.toArray(), plain.get('1.weight')?.toArray());
        assert.notDeepEqual(saved.get('1.weight')?.toArray(), plain.get('1.weight')?.toArray());
        // What it was validated and tested with is what is saved.
        const test = JSON.parse(averaged.stdout.trim().split('\n').at(-1) ?? '') as { test_accuracy: number };
        const { code, stdout, stderr } = await runCommand(
            process.execPath,
            ['--import', 'tsx', join('scripts', 'evaluate.ts'), '--json', '--model_path'].concat(
                join(folder(), 'averaged', 'model.safetensors'),
            ),
            { cwd: ROOT },
        );
        assert.equal(code, 0, stderr);
        const { test_accuracy } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as typeof test;
        assert.equal(test_accuracy, test.test_accuracy);
    });

    it('goes on from one checkpoint of a run, which stays as it is', async () => {
        const run = (flags: string): TrainProcess['end'] =>
            new TrainProcess(flags, join(folder(), 'one')).end;
        const flags =
            '--run_name one --hidden_sizes 16 --max_steps 8 --checkpoint_every 4steps --keep_checkpoints 3';
        assert.equal((await run(`--output_dir ${folder()} ${flags}`)).code, 0);
        const [whole, step] = ['model.safetensors', join('checkpoints', 'step-4')].map((name) =>
            join(folder(), 'one', name),
        );
        const end = readFileSync(whole);
        const files = readdirSync(step);
        const again = await run(`--resume ${step}`);
        assert.equal(again.code, 0, again.stderr);
        assert.match(again.stdout, /goes on from step-4/);
        assert.ok(readFileSync(whole).equals(end));
        assert.deepEqual(readdirSync(step), files);
    });

    it('takes another learning rate, decay and momentum, and leaves a run that another process writes', async () => {
        const path = join(folder(), 'one');
        const run = (flags: string): TrainProcess['end'] => new TrainProcess(flags, path).end;
        const common =
            '--hidden_sizes 16 --optimizer sgd --lr_schedule exponential --checkpoint_every 1epoch';
        const begin = `--output_dir ${folder()} --run_name one ${common} --epochs 1 --learning_rate 0.01`;
        assert.equal((await run(begin)).code, 0);
        const more = await run(
            `--resume ${path} --epochs 3 --learning_rate 0.1 --weight_decay 0.5 --momentum 0.25`,
        );
        assert.equal(more.code, 0, more.stderr);
        assert.match(more.stdout, /goes on from step-\d+\n/);
        const store = new train.CheckpointStore(join(path, 'checkpoints'));
        const { optimizer } = (await store.load())?.state as {
            optimizer: { paramGroups: { weightDecay: number; momentum: number }[] };
        };
        const [{ weightDecay, momentum }] = optimizer.paramGroups;
        assert.deepEqual([weightDecay, momentum], [0.5, 0.25]);
        // Without the flags it is as it began, and config.json says so.
        assert.equal((await run(`--resume ${path} --epochs 4`)).code, 0);
        const rates = readFileSync(join(path, 'history.jsonl'), 'utf8')
            .trim()
            .split('\n')
            .map((line) => (JSON.parse(line) as { learning_rate: number }).learning_rate.toPrecision(3));
        assert.deepEqual(rates, ['0.0100', '0.0900', '0.0810', '0.00729']);
        const config = readFileSync(join(path, 'config.json'));
        const tracked = await track.startRun({ folder: path });
        const beside = await run(`--resume ${path} --epochs 9`);
        await tracked.end();
        assert.deepEqual([beside.code, readFileSync(join(path, 'config.json'))], [2, config], beside.stderr);
        assert.match(beside.stderr, /one is in use by process/);
    });

    it('says which checkpoint it goes on from where the newest one is damaged', async () => {
        const path = join(folder(), 'one');
        const flags = '--run_name one --hidden_sizes 16 --max_steps 8 --checkpoint_every 4steps';
        assert.equal((await new TrainProcess(`--output_dir ${folder()} ${flags}`, path).end).code, 0);
        appendFileSync(join(path, 'checkpoints', 'step-8', 'model.safetensors'), 'x');
        const again = await new TrainProcess(`--resume ${path}`, path).end;
        assert.equal(again.code, 0, again.stderr);
        assert.match(again.stdout, /goes on from step-4\n/);
        assert.match(again.stderr, /warning: .*step-8/);
    });

    it('leaves a run as it was where no checkpoint is sound, or none fits', async () => {
        const path = join(folder(), 'one');
        const flags = '--run_name one --hidden_sizes 16 --max_steps 8 --checkpoint_every 8steps';
        assert.equal((await new TrainProcess(`--output_dir ${folder()} ${flags}`, path).end).code, 0);
        const files = (): Record<string, string> =>
            Object.fromEntries(
                ['config.json', 'history.jsonl', 'metrics.json', 'tracking.jsonl'].map((name) => [
                    name,
                    readFileSync(join(path, name), 'utf8'),
                ]),
            );
        const before = files();
        const refused = async (more: string, reason: RegExp): Promise<void> => {
            const { code, stderr } = await new TrainProcess(`--resume ${path} ${more}`, path).end;
            assert.equal(code, 2, stderr);
            assert.match(stderr, reason);
            assert.deepEqual(files(), before);
            assert.equal((await track.readRun(path))?.status, 'FINISHED');
        };
        await refused('--use_batch_norm', /does not fit this trainer/);
        appendFileSync(join(path, 'checkpoints', 'step-8', 'model.safetensors'), 'x');
        await refused('', /step-8/);
    });

    it('writes the best epoch with --early_stopping, and keeps its checkpoint with --keep_best', async () => {
        const path = join(folder(), 'one');
        const flags =
            '--hidden_sizes 16 --learning_rate 0.03 --lr_schedule none --epochs 40 --early_stopping 1';
        const { code, stdout, stderr } = await new TrainProcess(
            `--output_dir ${folder()} --run_name one ${flags} --keep_best 1 --keep_checkpoints 1`,
            path,
        ).end;
        assert.equal(code, 0, stderr);
        const read = (name: string): string => readFileSync(join(path, name), 'utf8').trim();
        const losses = read('history.jsonl')
            .split('\n')
            .map((line) => (JSON.parse(line) as { validation_loss: number }).validation_loss);
        const best = losses.indexOf(Math.min(...losses)) + 1;
        assert.equal(best, losses.length - 1, losses.join());
        assert.equal((JSON.parse(read('metrics.json')) as { best_epoch: number }).best_epoch, best);
        assert.match(stdout, new RegExp(`the model of epoch ${best} of ${losses.length}`));
        const steps = readdirSync(join(path, 'checkpoints'))
            .map((name) => Number(/^step-(\d+)$/.exec(name)?.[1]))
            .sort((a, b) => a - b);
        assert.deepEqual([steps.length, steps[0] * losses.length], [2, steps[1] * best]);
        const weights = await loadTensors(join(path, 'model.safetensors'));
        const saved = await Promise.all(
            steps.map((step) => loadTensors(join(path, 'checkpoints', `step-${step}`, 'model.safetensors'))),
        );
        const [first, last] = saved.map(({ tensors }) => [...tensors.values()].map((x) => x.toArray()));
        assert.deepEqual([...weights.tensors.values()].map((x) => x.toArray()).sort(), first.sort());
        assert.notDeepEqual(last, first);
    });

    it('trains on where a checkpoint finds no room, and keeps the one before', async () => {
        const run = (flags: string, shell?: string): TrainProcess['end'] =>
            new TrainProcess(
                `--output_dir ${folder()} --run_name one --hidden_sizes 128 --resume auto --checkpoint_every 5steps ${flags}`,
                join(folder(), 'one'),
                shell,
            ).end;
        const found = (): string[] => readdirSync(join(folder(), 'one', 'checkpoints'));
        assert.equal((await run('--epochs 1 --max_steps 5')).code, 0);
        assert.deepEqual(found(), ['step-5']);
        // Room for the model (407 KB) and all else, but not for Adam's moments (814 KB).
        const full = await run('--epochs 1 --max_steps 99', `trap '' XFSZ; ulimit -f 600; "$@"`);
        assert.equal(full.code, 0, full.stderr);
        assert.match(full.stderr, /warning: .*cannot be written: EFBIG.*; the fit goes on, .*step-5 stands/);
        assert.deepEqual(found(), ['step-5']);
        assert.equal((await run('--epochs 1 --max_steps 99')).code, 0);
        assert.equal(found().includes('step-5'), false);
        const file = (name: string): Buffer => readFileSync(join(folder(), 'one', name));
        assert.equal(file('history.jsonl').toString().trim().split('\n').length, 1);
    });

    it('trains on where only its history finds no room', async () => {
        const path = join(folder(), 'one');
        mkdirSync(path);
        writeFileSync(join(path, 'config.json'), '{}');
        symlinkSync('/dev/full', join(path, 'history.jsonl'));
        const flags = `--output_dir ${folder()} --run_name one --hidden_sizes 8 --resume auto --epochs 3`;
        const { code, stderr } = await new TrainProcess(`${flags} --batch_size 20000`, path).end;
        assert.equal(code, 0, stderr);
        assert.equal(stderr.match(/warning: cannot write .*history.jsonl: ENOSPC/g)?.length, 1, stderr);
        assert.ok(readdirSync(path).includes('model.safetensors'));
    });

    it('refuses what it cannot go on from', async () => {
        const run = (flags: string): TrainProcess['end'] => new TrainProcess(flags, folder()).end;
        const missing = await run(`--resume ${join(folder(), 'none')}`);
        assert.deepEqual([missing.code, missing.stderr.includes('there is no run folder')], [2, true]);
        const plain = join(folder(), 'plain');
        assert.equal((await run(`--output_dir ${folder()} --run_name plain --max_steps 2`)).code, 0);
        const model = readFileSync(join(plain, 'model.safetensors'));
        for (const place of [`--resume ${plain}`, `--resume auto --run_name plain`]) {
            const again = await run(`--output_dir ${folder()} ${place}`);
            assert.equal(again.code, 2, again.stderr);
            assert.match(again.stderr, /holds no checkpoint to go on from/);
        }
        assert.ok(readFileSync(join(plain, 'model.safetensors')).equals(model));
        const unnamed = await run('--resume auto');
        assert.deepEqual([unnamed.code, unnamed.stderr.includes('needs --run_name')], [2, true]);
        const blind = await run('--preset best --save_best');
        assert.equal(blind.code, 2);
        assert.match(blind.stderr, /--save_best goes by the validation loss, and --validation_split is 0/);
        const odd = await run('--checkpoint_every often');
        assert.deepEqual([odd.code, odd.stderr.includes('like 500steps')], [2, true]);
    });
});
