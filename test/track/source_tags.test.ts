import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { sourceTags } from '../../lib/track/index.js';
import { gitAddress, gitBranch, gitCommit } from '../../lib/track/source_tags.js';
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
        assert.equal(gitBranch(join(folder(), 'side')), 'side');
        write('repo/.git/config', '[remote "origin"]\n\turl = https://host/a.git\n');
        assert.equal(gitAddress(join(folder(), 'side')), 'https://host/a.git');
    });

    it('names the branch, and no commit for one', () => {
        const branch = (head: string): string | undefined => {
            write('repo/.git/HEAD', head);
            return gitBranch(join(folder(), 'repo'));
        };
        assert.equal(branch('ref: refs/heads/feature/one\n'), 'feature/one');
        assert.equal(branch(`${A}\n`), undefined);
        assert.equal(branch('ref: refs/remotes/origin/main\n'), undefined);
        assert.equal(gitBranch(folder()), undefined);
    });

    it('names the address of the repository without what opens it', () => {
        write('repo/.git/HEAD', 'ref: refs/heads/main\n');
        const address = (url: string): string | undefined => {
            const upstream = '[remote "upstream"]\n\turl = https://host/other.git\n';
            write(
                'repo/.git/config',
                `[core]\n\tbare = false\n${upstream}[remote "origin"]\n\turl = ${url}\n\tfetch = +x\n`,
            );
            return gitAddress(join(folder(), 'repo'));
        };
        for (const [given, told] of [
            ['https://host/a/b.git', 'https://host/a/b.git'],
            ['https://me:SECRET@host/a.git', 'https://host/a.git'],
            ['https://SECRET@host/a.git?token=SECRET', 'https://host/a.git'],
            ['git@host:a/b.git', 'git@host:a/b.git'],
            ['ssh://git:SECRET@host:22/a.git', 'ssh://git@host:22/a.git'],
            ['/srv/SECRET', undefined],
            ['custom::SECRET', undefined],
        ])
            assert.equal(address(given ?? ''), told);
        write('repo/.git/config', '[remote "upstream"]\n\turl = https://host/a.git\n');
        assert.equal(gitAddress(join(folder(), 'repo')), undefined);
        assert.equal(gitAddress(folder()), undefined);
    });

    it("names user and program under MLflow's names", () => {
        const tags = sourceTags(folder(), '/usr/bin/program.mjs');
        assert.equal(tags['mlflow.source.name'], 'program.mjs');
        assert.equal(tags['mlflow.source.type'], 'LOCAL');
        assert.ok(Object.values(tags).every((value) => value !== ''));
    });
});
