import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { forgottenDashes } from '../../lib/cli/npm_hint.js';
import { useTemporaryFolder } from '../support/temporary_folder.js';

const MAIN = fileURLToPath(new URL('../../lib/cli/main.ts', import.meta.url));

describe('flags that npm kept', () => {
    const folder = useTemporaryFolder();

    it('are named, with the line to type', () => {
        const environment = { npm_lifecycle_event: 'train', npm_config_epochs: '3', npm_config_json: 'true' };
        assert.equal(
            forgottenDashes(['train'], environment),
            'npm kept --epochs, --json for itself; type npm run train -- --epochs 3 --json',
        );
        // With a blank npm takes the flag for a switch and hands the value on.
        const blank = { npm_lifecycle_event: 'evaluate', npm_config_model_path: 'true' };
        assert.equal(
            forgottenDashes(['evaluate', 'm.safetensors'], blank),
            'npm kept --model_path for itself; type npm run evaluate -- --model_path <file>',
        );
    });

    it('are no concern where the program got them, has no such flag, or npm did not start it', () => {
        const environment = { npm_lifecycle_event: 'train', npm_config_learning_rate: '1' };
        assert.equal(forgottenDashes(['train', '--learning-rate=1'], environment), undefined);
        assert.equal(forgottenDashes(['evaluate'], environment), undefined);
        assert.equal(forgottenDashes(['train'], { npm_config_epochs: '3' }), undefined);
        assert.equal(forgottenDashes([], environment), undefined);
        assert.equal(
            forgottenDashes(['train'], { npm_lifecycle_event: 'train', npm_config_nodedir: '/x' }),
            undefined,
        );
    });

    it('are seen through a real npm', () => {
        const start = `${JSON.stringify(process.execPath)} --import tsx ${JSON.stringify(MAIN)} train`;
        const tsx = execFileSync(process.execPath, ['-p', "require.resolve('tsx')"], { encoding: 'utf8' });
        const script = start.replace('--import tsx', `--import ${tsx.trim()}`);
        const manifest = { name: 'user', private: true, scripts: { train: script } };
        writeFileSync(join(folder(), 'package.json'), JSON.stringify(manifest));
        const words = ['run', 'train', '--epochs', '3'];
        const { status, stderr } = spawnSync('npm', words, { cwd: folder(), encoding: 'utf8' });
        assert.equal(status, 2, stderr);
        assert.match(
            stderr,
            /^nativegrad: warning: npm kept --epochs for itself; type npm run train -- --epochs /m,
        );
        assert.match(stderr, /^nativegrad: unexpected "3": flags start with --$/m);
    });
});
