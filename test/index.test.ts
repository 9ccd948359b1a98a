import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { version } from '../lib/index.js';

describe('index', () => {
    it('names the version of package.json', () => {
        const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
        assert.equal(version, manifest.version);
    });
});
