import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { runCommandLine } from '../../lib/cli/program.js';
import { commandText, experimentOf, TrackedRun } from '../../lib/cli/tracked_run.js';
import { Linear, ReLU, Sequential } from '../../lib/nn/index.js';
import { readRun } from '../../lib/track/index.js';
import type { RunRecord, SinkMaker } from '../../lib/track/index.js';
import { Collector } from '../support/collector.js';
import { writeSmallMnist } from '../support/small_mnist.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

describe('the run that a command notes', () => {
    const folder = useTemporaryFolder();

    beforeEach(() => {
        mkdirSync(join(folder(), 'data'));
        writeSmallMnist(join(folder(), 'data'), 640, 100);
    });

    async function command(...words: string[]): Promise<{ code: number; stderr: string; stdout: string }> {
        const [out, err] = [new Collector(), new Collector()];
        const code = await runCommandLine([...words, '--data', join(folder(), 'data')], { out, err });
        return { code, stderr: err.text, stdout: out.text };
    }

    const train = (...words: string[]): ReturnType<typeof command> => {
        const places = ['--output_dir', join(folder(), 'out'), '--run_name', 'one'];
        return command('train', ...places, '--hidden_sizes', '8', '--batch_size', '8', ...words);
    };

    async function read(...path: string[]): Promise<RunRecord> {
        const found = await readRun(join(folder(), 'out', 'one', ...path));
        assert.ok(found);
        return found;
    }

    function start(trackingWait: number | undefined, ...sinks: SinkMaker[]): Promise<TrackedRun> {
        return TrackedRun.start({
            config: { tracking: [], trackingUri: undefined, trackingWait, experiment: undefined, tags: {} },
            folder: join(folder(), 'waits'),
            experiment: 'e',
            command: "c --tags 'a=`b\n* c'",
            device: 'cpu',
            model: new Sequential(new ReLU(), new Sequential(new Linear(2000, 3))),
            params: {},
            sinks,
            warn: (text) => assert.fail(text),
        });
    }

    it('has parameters, figures of epochs and batches, tags, files and data sets; an evaluation is a part of it', async () => {
        const flags = [
            '--epochs',
            '2',
            '--tags',
            'team=a,b,goal=x=y',
            '--tags',
            'k=1',
            '--experiment',
            'tries',
        ];
        const { code, stderr } = await train(...flags);
        assert.equal(code, 0, stderr);
        const run = await read();
        assert.deepEqual([run.status, run.name, run.experiment], ['FINISHED', 'one', 'tries']);
        assert.equal(run.params.get('hidden_sizes'), '[8]');
        assert.equal(run.params.get('learning_rate'), '0.001');
        // What is not given, and what says only where the run lies, which each part of a resumed run says anew.
        for (const name of [
            'gradient_clip',
            'tags',
            'output_dir',
            'run_name',
            'experiment_name',
            'model_name',
        ])
            assert.ok(!run.params.has(name), name);
        for (const [name, value] of Object.entries({
            team: 'a,b',
            goal: 'x=y',
            k: '1',
            stop_reason: 'completed',
        }))
            assert.equal(run.tags.get(name), value);
        assert.match(run.tags.get('nativegrad.command') ?? '', /^nativegrad train .*--hidden_sizes 8/);
        const [line, , text] = run.tags.get('mlflow.note.content')?.split('\n') ?? [];
        assert.match(line ?? '', /^Flatten, Linear\(784, 8\), ReLU, Linear\(8, 10\); 6,370 parameters; on /);
        assert.equal(text, `    ${run.tags.get('nativegrad.command')}`);
        const steps = (name: string): number[] => (run.metrics.get(name) ?? []).map(({ step }) => step);
        assert.deepEqual(steps('validation_accuracy'), [1, 2]);
        assert.deepEqual(steps('batch/loss'), [50, 100]);
        assert.deepEqual(steps('test_accuracy'), [2]);
        assert.ok(run.metrics.has('system/process_memory_rss_megabytes'));
        const files = run.artifacts.map(({ path }) => path);
        for (const name of [
            'config.json',
            'history.jsonl',
            'metrics.json',
            'model.safetensors',
            'curves.svg',
        ])
            assert.ok(files.includes(name), name);
        assert.ok(!files.includes('tracking.jsonl'));
        assert.deepEqual(
            run.inputs.map(({ context, profile }) => [context, profile?.samples]),
            [
                ['training', 640],
                ['test', 100],
            ],
        );

        const model = join(folder(), 'out', 'one', 'model.safetensors');
        const evaluated = await command('evaluate', '--model_path', model, '--run_name', 'again');
        assert.deepEqual([evaluated.code, evaluated.stderr], [0, '']);
        const part = await read('runs', 'again');
        assert.deepEqual([part.parentId, part.experiment, part.status], [run.id, 'tries', 'FINISHED']);
        assert.equal(
            part.metrics.get('test_accuracy')?.[0]?.value,
            run.metrics.get('test_accuracy')?.[0]?.value,
        );
        assert.match(
            part.tags.get('mlflow.note.content') ?? '',
            /^Flatten, .*; 6,370 parameters; on .*\n\n {4}nativegrad evaluate --model_path /,
        );
        assert.equal(part.inputs[0]?.digest, run.inputs[1]?.digest);
    });

    it('is made for the evaluation of a model anywhere, with its report', async () => {
        assert.equal((await train('--epochs', '1')).code, 0);
        const model = join(folder(), 'alone.safetensors');
        renameSync(join(folder(), 'out', 'one', 'model.safetensors'), model);
        const flags = ['--model_path', model, '--output_dir', join(folder(), 'evaluations')];
        const first = await command('evaluate', ...flags, '--run_name', 'first');
        assert.deepEqual([first.code, first.stderr], [0, '']);
        const place = join(folder(), 'evaluations', 'first');
        assert.match(readFileSync(join(place, 'report.html'), 'utf8'), /Evaluation of .*alone\.safetensors/);
        const run = await readRun(place);
        assert.deepEqual([run?.parentId, run?.status], [undefined, 'FINISHED']);
        assert.ok(run?.metrics.has('test_accuracy'));
        // A folder that is asked for is no warning.
        writeFileSync(join(folder(), 'file'), '');
        const refused = await command(
            'evaluate',
            '--model_path',
            model,
            '--output_dir',
            join(folder(), 'file'),
        );
        assert.notEqual(refused.code, 0);
        assert.match(refused.stderr, /--output_dir: cannot create .*is a file, not a folder/);
    });

    it('says what registers its model, where no server is asked to', async () => {
        const told = / registered as digits once `nativegrad sync (.*) --tracking_uri <url>` sends the run /;
        const flags = ['--epochs', '1', '--max_steps', '1', '--register_model', 'digits'];
        const { code, stderr, stdout } = await train(...flags);
        assert.equal(code, 0, stderr);
        assert.equal(told.exec(stdout)?.[1], join(folder(), 'out', 'one'));
        assert.deepEqual(
            (await read()).models.map(({ name }) => name),
            ['digits'],
        );
        const nowhere = ['--tracking_uri', 'http://127.0.0.1:9', '--tracking_wait', '0'];
        const sent = await train(...flags, '--run_name', 'two', ...nowhere);
        assert.deepEqual([sent.code, told.test(sent.stdout)], [0, false], sent.stderr);
    });

    it('is FAILED where the training is, and says why it was not made for an evaluation', async () => {
        const diverging = ['--optimizer', 'sgd', '--momentum', '0.99', '--learning_rate', '1000'];
        assert.equal((await train('--epochs', '3', ...diverging)).code, 1);
        const run = await read();
        assert.equal(run.status, 'FAILED');
        assert.equal(run.tags.get('stop_reason'), 'diverged');
        const model = join(folder(), 'out', 'one', 'model.safetensors');
        mkdirSync(join(folder(), 'out', 'one', 'runs', 'taken'), { recursive: true });
        const { code, stderr } = await command('evaluate', '--model_path', model, '--run_name', 'taken');
        assert.equal(code, 0);
        assert.match(stderr, /warning: no report of the evaluation: the run folder .*taken exists already/);
        assert.deepEqual(readdirSync(join(folder(), 'out', 'one', 'runs')), ['taken']);
    });

    it('leaves no word of where it was tracked in the model, and keeps no file whose name servers refuse', async () => {
        const output = join(folder(), 'out', 'one');
        const flags = ['--epochs', '1', '--resume', 'auto', '--tracking', 'tensorboard', '--tags', 'a=b'];
        assert.equal((await train(...flags)).code, 0);
        writeFileSync(join(output, 'notes (1).md'), 'mine');
        const { code, stderr } = await train(...flags, '--experiment', 'e');
        assert.equal(code, 0, stderr);
        assert.match(stderr, /warning: notes \(1\)\.md is not kept as an artifact/);
        const model = readFileSync(join(output, 'model.safetensors')).toString('latin1');
        assert.ok(model.includes('learning_rate'));
        for (const word of ['tracking', 'tags', 'experiment', 'register_model', output])
            assert.ok(!model.includes(word), word);
        assert.ok(!(await read()).params.has('resume'));
    });

    it('is described in a line with its command as code, and keeps another description where it goes on', async () => {
        const noted = async (): Promise<string | undefined> => {
            const run = await readRun(join(folder(), 'waits'));
            return run?.tags.get('mlflow.note.content');
        };
        const finish = (): Promise<{ result: undefined; status: 'FINISHED' }> =>
            Promise.resolve({ result: undefined, status: 'FINISHED' });
        const tracked = await start(0);
        const line = 'ReLU, Sequential( (0): Linear(2000, 3) ); 6,003 parameters; on the CPU';
        assert.equal(await noted(), `${line}\n\n    c --tags 'a=\`b\n    * c'`);
        tracked.run.setTags({ 'mlflow.note.content': 'the best of all' });
        await tracked.during(finish);
        await (await start(0)).during(finish);
        assert.equal(await noted(), 'the best of all');
    });

    it('waits for servers as long as the flag says, and names what brings them the rest', async () => {
        const waits: number[] = [];
        const end = async (
            trackingWait: number | undefined,
            status: 'FINISHED' | 'throws',
        ): Promise<void> => {
            const tracked = await start(trackingWait, () => ({
                write: () => undefined,
                close: (ms) => Promise.resolve(void waits.push(ms)),
            }));
            await tracked.during(() => {
                if (status === 'throws') throw new Error('thrown');
                return Promise.resolve({ result: undefined, status });
            });
        };
        for (const wait of [undefined, 0, 90_000]) {
            await end(wait, 'FINISHED');
            await assert.rejects(end(wait, 'throws'), /^Error: thrown$/);
        }
        assert.deepEqual(waits, [3000, 1000, 0, 0, 90_000, 90_000]);

        const nowhere = ['--tracking_uri', 'http://127.0.0.1:9', '--tracking_wait', '0'];
        const { code, stderr } = await train('--epochs', '1', ...nowhere);
        assert.equal(code, 0, stderr);
        assert.match(
            stderr,
            /\d+ records are not uploaded to .* yet.*; run `nativegrad sync .*one --tracking_uri/,
        );
        assert.ok(!(await read()).params.has('tracking_wait'));
    });

    it('belongs to the experiment of the flag, else of the environment, else of the folder', () => {
        const environment = { MLFLOW_EXPERIMENT_NAME: 'env' };
        assert.equal(experimentOf({ experiment: 'flag', experimentName: 'folder' }, environment), 'flag');
        assert.equal(experimentOf({ experiment: undefined, experimentName: 'folder' }, environment), 'env');
        assert.equal(experimentOf({ experiment: undefined, experimentName: 'folder' }, {}), 'folder');
        assert.equal(experimentOf({ experiment: undefined }, { MLFLOW_EXPERIMENT_NAME: '' }), 'Default');
    });

    it('writes its command as a shell takes it', () => {
        const raw = { epochs: '2', tags: "it's=a b", json: true, batchSize: undefined } as const;
        assert.equal(
            commandText('train', raw),
            String.raw`nativegrad train --epochs 2 --tags 'it'\''s=a b' --json`,
        );
    });
});
