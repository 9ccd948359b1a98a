import { readFileSync, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';

/**
 * Tags that say who runs what, under MLflow's names: user, program, and the commit of the git repository around a folder. What
 * cannot be found is left out.
 *
 * @example
 * import { track } from 'nativegrad';
 * console.log(track.sourceTags()['mlflow.source.type']); // LOCAL
 */
export function sourceTags(folder = process.cwd(), program = process.argv[1]): Record<string, string> {
    const found: [string, string | undefined][] = [
        ['mlflow.user', userName()],
        ['mlflow.source.name', program === undefined ? undefined : basename(program)],
        ['mlflow.source.type', 'LOCAL'],
        ['mlflow.source.git.commit', gitCommit(folder)],
    ];
    return Object.fromEntries(
        found.filter((tag): tag is [string, string] => tag[1] !== undefined && tag[1] !== ''),
    );
}

/** A container may run under a number that has no name. */
function userName(): string | undefined {
    try {
        return userInfo().username;
    } catch {
        return undefined;
    }
}

/** The commit that is checked out in the repository around a folder; undefined where there is none. */
export function gitCommit(folder: string): string | undefined {
    try {
        const place = gitFolder(resolve(folder));
        if (place === undefined) return undefined;
        const head = readFileSync(join(place, 'HEAD'), 'utf8').trim();
        const reference = /^ref: (refs\/.+)$/.exec(head)?.[1];
        const commit = reference === undefined ? head : readReference(place, reference);
        return commit !== undefined && /^[0-9a-f]{40,64}$/.test(commit) ? commit : undefined;
    } catch {
        return undefined;
    }
}

/** `.git` itself, or what the file of that name in a worktree or submodule leads to. */
function gitFolder(start: string): string | undefined {
    for (let folder = start; ; folder = dirname(folder)) {
        const path = join(folder, '.git');
        const found = statSync(path, { throwIfNoEntry: false });
        if (found?.isDirectory()) return path;
        if (found) {
            const target = /^gitdir: (.+)$/m.exec(readFileSync(path, 'utf8'))?.[1];
            return target === undefined ? undefined : resolve(folder, target);
        }
        if (dirname(folder) === folder) return undefined;
    }
}

/** In a file of its own or packed; branches of a worktree lie in the main repository's folder. */
function readReference(place: string, name: string): string | undefined {
    const common = readIfThere(join(place, 'commondir'))?.trim();
    const folders = common === undefined ? [place] : [place, resolve(place, common)];
    for (const folder of folders) {
        const loose = readIfThere(join(folder, name))?.trim();
        if (loose !== undefined) return loose;
        for (const line of readIfThere(join(folder, 'packed-refs'))?.split('\n') ?? []) {
            const [commit, packed] = line.split(' ');
            if (packed === name) return commit;
        }
    }
    return undefined;
}

function readIfThere(path: string): string | undefined {
    return statSync(path, { throwIfNoEntry: false })?.isFile() ? readFileSync(path, 'utf8') : undefined;
}
