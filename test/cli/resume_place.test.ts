import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { resumePlace, findResumed } from '../../lib/cli/resume_place.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

describe('what --resume names', () => {
    const folder = useTemporaryFolder();
    const flagsOf = (
        resume: string,
        runName?: string,
    ): Parameters<typeof findResumed>[0] & { outputDir: string } => ({
        outputDir: folder(),
        experimentName: undefined,
        runName,
        modelName: 'model',
        resume,
    });
    const make = (...path: string[]): string => {
        const made = join(folder(), ...path);
        mkdirSync(made, { recursive: true });
        return made;
    };
    const write = (...path: string[]): void => writeFileSync(join(folder(), ...path), '{}');
    const start = async (resume: string, runName?: string): Promise<boolean> => {
        const flags = flagsOf(resume, runName);
        const place = resumePlace(flags);
        assert.ok(place);
        return findResumed(flags, place);
    };

    it('is a run, the checkpoints in it, one of them, or auto, by --run_name', () => {
        const place = (resume: string): unknown => resumePlace(flagsOf(resume, 'one'));
        assert.deepEqual(place('auto'), { folder: join(folder(), 'one') });
        assert.deepEqual(place('out/one'), { folder: 'out/one' });
        assert.deepEqual(place('out/one/'), { folder: 'out/one/' });
        assert.deepEqual(place('out/one/checkpoints'), { folder: 'out/one' });
        const one = { folder: 'out/one', checkpoint: 'out/one/checkpoints/step-8' };
        assert.deepEqual(place('out/one/checkpoints/step-8'), one);
        // Such a name alone is a run's.
        assert.deepEqual(place('out/step-8'), { folder: 'out/step-8' });
        assert.equal(resumePlace({ ...flagsOf('auto'), resume: undefined }), undefined);
    });

    it('says whether there is something to go on from', async () => {
        const run = make('one');
        assert.equal(await start('auto', 'none'), false);
        assert.equal(await start('auto', 'one'), false);
        write('one', 'config.json');
        make('one', 'checkpoints', 'step-4');
        make('one', 'checkpoints', 'step-8');
        assert.equal(await start('auto', 'one'), true);
        assert.equal(await start(run), true);
        assert.equal(await start(join(run, 'checkpoints')), true);
        assert.equal(await start(join(run, 'checkpoints', 'step-4')), true);
    });

    it('refuses where a run would begin anew over what is there', async () => {
        const run = make('one');
        await assert.rejects(start('auto'), /--resume auto needs --run_name/);
        await assert.rejects(start(join(folder(), 'none')), /there is no run folder/);
        await assert.rejects(start(run), /is no run folder, it holds no config.json/);
        write('one', 'config.json');
        await assert.rejects(start(run), /holds no checkpoint to go on from .*--checkpoint_every/);
        await assert.rejects(start(join(run, 'checkpoints', 'step-4')), /there is no checkpoint .*has none/);
        make('one', 'checkpoints', 'step-8');
        await assert.rejects(start(join(run, 'checkpoints', 'step-4')), /has step-8/);
        for (const name of ['metrics.json', 'model.safetensors']) {
            make(name);
            write(name, name);
            await assert.rejects(start('auto', name), /holds no checkpoint to go on from/);
        }
    });

    it('refuses auto in a folder that is none of a run', async () => {
        make('notes', 'checkpoints');
        for (const name of ['.lock', 'tracking.jsonl', 'events.out.tfevents.1', 'slurm-1.out'])
            write('notes', name);
        assert.equal(await start('auto', 'notes'), false);
        write('notes', 'report.html');
        await assert.rejects(start('auto', 'notes'), /notes is no run folder, and has a report.html that/);
        write('notes', 'config.json');
        assert.equal(await start('auto', 'notes'), false);
    });
});
