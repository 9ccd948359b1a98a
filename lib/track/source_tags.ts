import { readFileSync, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';

/**
 * Tags that say who runs what, under MLflow's names: user, program, and commit, branch and address of the git repository around a
 * folder (without user and password). What cannot be found is left out.
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
        ['mlflow.source.git.branch', gitBranch(folder)],
        ['mlflow.source.git.repoURL', gitAddress(folder)],
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
    return inRepository(folder, (place) => {
        const reference = referenceOf(place);
        const commit = reference === undefined ? headOf(place) : readReference(place, reference);
        return commit !== undefined && /^[0-9a-f]{40,64}$/.test(commit) ? commit : undefined;
    });
}

/** The branch that is checked out; undefined where a commit is. */
export function gitBranch(folder: string): string | undefined {
    return inRepository(folder, (place) => /^refs\/heads\/(.+)$/.exec(referenceOf(place) ?? '')?.[1]);
}

/** Where the repository's `origin` is, without what opens it. */
export function gitAddress(folder: string): string | undefined {
    return inRepository(folder, (place) => {
        for (const each of [place, commonFolder(place)]) {
            const config = each === undefined ? undefined : readIfThere(join(each, 'config'));
            const [, section] = /^\s*\[remote "origin"\]([^[]*)/m.exec(config ?? '') ?? [];
            const address = /^\s*url\s*=\s*"?([^"\s]+)/m.exec(section ?? '')?.[1];
            if (address !== undefined) return withoutSecrets(address);
        }
        return undefined;
    });
}

/** A token may stand for the user, in what looks like a query, too; `git@host:path` is no secret. */
function withoutSecrets(address: string): string | undefined {
    if (/^[\w.-]+@[\w.-]+:[^/]/.test(address)) return address;
    if (!/^(https?|ssh|git):\/\//.test(address) || !URL.canParse(address)) return undefined;
    const url = new URL(address);

    if (url.protocol !== 'ssh:') url.username = '';
    url.password = url.search = url.hash = '';
    return url.href;
}

function inRepository(folder: string, read: (place: string) => string | undefined): string | undefined {
    try {
        const place = gitFolder(resolve(folder));
        return place === undefined ? undefined : read(place);
    } catch {
        return undefined;
    }
}

function headOf(place: string): string {
    return readFileSync(join(place, 'HEAD'), 'utf8').trim();
}

function referenceOf(place: string): string | undefined {
    return /^ref: (refs\/.+)$/.exec(headOf(place))?.[1];
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
    for (const folder of [place, commonFolder(place)]) {
        if (folder === undefined) continue;
        const loose = readIfThere(join(folder, name))?.trim();
        if (loose !== undefined) return loose;
        for (const line of readIfThere(join(folder, 'packed-refs'))?.split('\n') ?? []) {
            const [commit, packed] = line.split(' ');
            if (packed === name) return commit;
        }
    }
    return undefined;
}

/** Of a worktree: the main repository's. */
function commonFolder(place: string): string | undefined {
    const common = readIfThere(join(place, 'commondir'))?.trim();
    return common === undefined ? undefined : resolve(place, common);
}

function readIfThere(path: string): string | undefined {
    return statSync(path, { throwIfNoEntry: false })?.isFile() ? readFileSync(path, 'utf8') : undefined;
}
