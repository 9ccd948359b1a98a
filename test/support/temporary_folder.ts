import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Gives each test of the current suite an empty folder of its own and removes it afterwards. */
export function useTemporaryFolder(): () => string {
    let folder = '';
    beforeEach(() => {
        folder = realpathSync(mkdtempSync(join(tmpdir(), 'nativegrad-')));
    });
    afterEach(() => rmSync(folder, { recursive: true, force: true }));
    return () => folder;
}
