import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { sourceTags } from '../../lib/track/index.js';
import { gitCommit } from '../../lib/track/source_tags.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

const A = 'a'.repeat(40);
const B = 'b'.repeat(40);

describe('where a run comes from', () => {
    const folder = useTemporaryFolder();
    const write = (path: string, text: string): void => {
        mkdirSync(join(folder(), path, '..'), { recursive: true });
        writeFileSync(join(folder(), path), text);
    };

    it('finds the commit of a branch, packed or not, and of no branch', () => {
        write('repo/.git/HEAD', 'ref: refs/heads/main\n');
        assert.equal(gitCommit(join(folder(), 'repo')), undefined);
        write(
            'repo/.git/packed-refs',
            `# pack-refs with: peeled\n${A} refs/heads/other\n${B} refs/heads/main\n`,
        );
        mkdirSync(join(folder(), 'repo', 'deep', 'down'), { recursive: true });
        assert.equal(gitCommit(join(folder(), 'repo', 'deep', 'down')), B);
        write('repo/.git/refs/heads/main', `${A}\n`);
        assert.equal(gitCommit(join(folder(), 'repo')), A);
        write('repo/.git/HEAD', `${B}\n`);
        assert.equal(gitCommit(join(folder(), 'repo')), B);
        write('repo/.git/HEAD', 'rubbish');
        assert.equal(gitCommit(join(folder(), 'repo')), undefined);
    });

    it('finds that of a worktree, whose branches lie in the main repository', () => {
        write('repo/.git/refs/heads/side', `${A}\n`);
        write('repo/.git/worktrees/side/HEAD', 'ref: refs/heads/side\n');
        write('repo/.git/worktrees/side/commondir', '../..\n');
        write('side/.git', `gitdir: ${join(folder(), 'repo', '.git', 'worktrees', 'side')}\n`);
        assert.equal(gitCommit(join(folder(), 'side')), A);
    });

    it("names user and program under MLflow's names", () => {
        const tags = sourceTags(folder(), '/usr/bin/program.mjs');
        assert.equal(tags['mlflow.source.name'], 'program.mjs');
        assert.equal(tags['mlflow.source.type'], 'LOCAL');
        assert.ok(Object.values(tags).every((value) => value !== ''));
    });
});
