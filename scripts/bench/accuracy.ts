// Time from the start of the process to an accuracy on MNIST's test set: `train --preset fast` of the package as users have it
// beside PyTorch with the recipe of a grid that gets there first. And the accuracy in bfloat16 beside that in float32.
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Command, InvalidArgumentError, Option } from 'commander';

import { readMnist } from '../../lib/data/mnist_files.js';
import {
    ACCURACY_NAMES,
    BEST_RECIPES,
    compareAccuracy,
    Comparison,
    knownBest,
    readJson,
    TARGETS,
} from './accuracy_rows.js';
import { percent, searchGrid, type Grid, type Run, type Timed } from './accuracy_search.js';
import { describeHost } from './host.js';
import { currentCommit, saveRun } from './save.js';
import { stagePackage } from './staged_package.js';

interface Flags {
    readonly search?: true;
    readonly grid: string;
    readonly best: string;
    readonly seeds: string;
    readonly threads: string;
    readonly device: 'cpu' | 'cuda';
    readonly python: string;
    readonly data?: string;
    readonly save?: string;
}

const HERE = fileURLToPath(new URL('./', import.meta.url));

const print = (text: string): void => void process.stdout.write(`${text}\n`);

/** Looks for PyTorch's recipes and keeps each as soon as it is found. */
async function search(comparison: Comparison, flags: Flags, names: readonly string[]): Promise<void> {
    const grids = readJson(flags.grid, 'name another with --grid') as Partial<Record<string, Grid>>;
    const found = knownBest(flags.best);
    for (const { name, target } of TARGETS.filter((row) => names.includes(row.name))) {
        print(`${name}: the first of PyTorch's recipes at ${percent(target)}`);
        const run = (recipe: Timed, seed: number): Promise<Run> => comparison.pytorch(recipe, seed);
        const seeds = Number(flags.seeds);
        found[name] = await searchGrid({ name, target, grid: grids[name], seeds }, run, print);
        writeFileSync(flags.best, `${JSON.stringify(found, null, 4)}\n`);
        print(`best: ${JSON.stringify(found[name])}\n`);
    }
}

/** The rows that are named, or those against PyTorch. */
function chosen(names: readonly string[]): readonly string[] {
    const unknown = names.find((name) => !ACCURACY_NAMES.includes(name));
    if (unknown !== undefined)
        throw new Error(`[bench] there is no row '${unknown}'; rows are ${ACCURACY_NAMES.join(', ')}`);
    return names.length > 0 ? names : TARGETS.map(({ name }) => name);
}

function positive(text: string): string {
    if (/^[1-9]\d*$/.test(text)) return text;
    throw new InvalidArgumentError('expected an integer of at least 1');
}

const command = new Command('bench:accuracy')
    .description(
        'Times runs from the start of the process to 98.2 % and 99.0 % of test accuracy, next to PyTorch; compares the accuracy ' +
            'of mixed precision with that of float32.',
    )
    .argument('[rows...]', `of ${ACCURACY_NAMES.join(', ')} (default: those against PyTorch)`)
    .option('--search', "find PyTorch's best recipes in the grid first (an hour), and keep them")
    .option('--grid <file>', 'recipes that a search tries', join(HERE, 'accuracy_grid.json'))
    .option('--best <file>', 'recipes that were found', BEST_RECIPES)
    .option('--seeds <n>', 'seeds on each side', positive, '5')
    .option('--threads <n>', 'threads on both sides', positive, String(availableParallelism()))
    .addOption(
        new Option('--device <name>', 'where both sides compute').choices(['cpu', 'cuda']).default('cpu'),
    )
    .option('--python <path>', 'a Python that has torch', 'python3')
    .option('--data <folder>', 'folder of the MNIST files')
    .option('--save <file>', 'write the rows to a JSON file')
    .action(async (rowNames: readonly string[], flags: Flags) => {
        const names = chosen(rowNames);
        const { folder } = await readMnist({ folder: flags.data });
        const machine = `${describeHost()}, ${flags.threads} threads, Node ${process.version}`;
        print(`${machine}\n`);
        const commit = currentCommit();
        // First: a search is long, and there may be no package to compare with.
        const staged = stagePackage();
        try {
            const { threads, device, python, best } = flags;
            const package_ = join(staged.project, 'node_modules', 'nativegrad');
            const program = [join(package_, 'dist', 'js', 'cli.js'), 'train'];
            const output = join(staged.project, 'runs');
            const comparison = new Comparison({ threads, device, python, data: folder, program, output });
            if (flags.search) await search(comparison, flags, names);
            const rows = await compareAccuracy(comparison, names, {
                seeds: Number(flags.seeds),
                best,
                print,
            });
            if (flags.save !== undefined)
                saveRun(flags.save, rows, {
                    script: 'bench:accuracy',
                    words: process.argv.slice(2),
                    machine,
                    commit,
                });
        } finally {
            staged.remove();
        }
    });

try {
    await command.parseAsync();
} catch (error) {
    // What a user can mend is one line.
    if (!(error instanceof Error) || !/^\[(bench|mnist)\]/.test(error.message)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 2;
}
