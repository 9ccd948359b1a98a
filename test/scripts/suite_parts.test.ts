import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

interface Run {
    readonly title: string;
    readonly words: readonly string[];
}

const { suiteRuns } = (await import(pathToFileURL('scripts/check/suite_parts.mjs').href)) as {
    suiteRuns: (options?: { ignored?: readonly string[] }) => Run[];
};

/** The folders of test/ whose files a part runs; the last part's words name none. */
function foldersOf({ words }: Run): string[] {
    return words.flatMap((word) => /^test\/(\w+)\/\*\*\/\*\.test\.ts$/.exec(word)?.[1] ?? []);
}

describe('the parts of the suite', () => {
    it('have every folder once: in a part of its own, or in the rest', () => {
        const runs = suiteRuns();
        const named = runs.flatMap(foldersOf);
        assert.equal(new Set(named).size, named.length);
        for (const folder of named) {
            const files = readdirSync(`test/${folder}`, { recursive: true }).map(String);
            assert.ok(
                files.some((file) => file.endsWith('.test.ts')),
                folder,
            );
        }
        const rest = runs.at(-1)?.words ?? [];
        assert.equal(rest[0], 'test/**/*.test.ts');
        const left = rest.filter((word) => word.startsWith('--ignore=')).sort();
        const expected = [...named, 'cuda', 'package'].map((folder) => `--ignore=test/${folder}/**`);
        assert.deepEqual(left, expected.sort());
    });

    it('leave out what is ignored, and a part of which nothing is left', () => {
        const runs = suiteRuns({ ignored: ['e2e/**', 'native/abi.test.ts'] });
        assert.ok(!runs.flatMap(foldersOf).includes('e2e'));
        assert.ok(runs.every(({ words }) => words.includes('--ignore=test/native/abi.test.ts')));
    });
});
