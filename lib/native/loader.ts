import { existsSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runningBuild } from './running_build.js';
import { matchPrebuilds, runtimeTarget, type RuntimeTarget } from './prebuild_tags.js';

/** What the search saw at one place, in the order in which places are asked. */
export interface SearchStep {
    path: string;
    found: string;
}

/** Where to look for the addon; the defaults are this package, this process and this machine. */
export interface SearchOptions {
    root?: string;
    binary?: string | undefined;
    target?: RuntimeTarget;
}

/** The native addon could not be found or loaded; the message says what was tried and what helps. */
export class AddonLoadError extends Error {
    override name = 'AddonLoadError';

    constructor(
        message: string,
        readonly steps: readonly SearchStep[],
        cause?: unknown,
    ) {
        super(message, { cause });
    }
}

// lib/native/ under tsx and dist/js/ in the package: the package root is two folders up from both.
const packageRoot = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');
const requireAddon = createRequire(import.meta.url);

function fileState(path: string): 'file' | 'missing' | 'not a file' {
    const state = statSync(path, { throwIfNoEntry: false });
    if (!state) return 'missing';
    return state.isFile() ? 'file' : 'not a file';
}

function foldersIn(path: string): string[] {
    if (!existsSync(path)) return [];
    return readdirSync(path, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => entry.name)
        .sort();
}

function searchPrebuilds(root: string, target: RuntimeTarget, steps: SearchStep[]): string | undefined {
    const prebuilds = join(root, 'prebuilds');
    const folders = foldersIn(prebuilds);
    const { platform, arch } = target;
    const own = folders.filter((name) => {
        const [folderPlatform, architectures = ''] = name.split('-');
        return folderPlatform === platform && architectures.split('+').includes(arch);
    });
    if (own.length === 0) {
        const others = folders.length > 0 ? `only for ${folders.join(', ')}` : 'nothing there';
        steps.push({ path: join(prebuilds, `${platform}-${arch}`), found: others });
        return undefined;
    }
    for (const name of own) {
        const folder = join(prebuilds, name);
        const files = readdirSync(folder).filter((file) => file.endsWith('.node'));
        const [best] = matchPrebuilds(files, target);
        if (best) {
            steps.push({ path: join(folder, best), found: 'file' });
            return join(folder, best);
        }
        const unfit = files.length > 0 ? `${files.join(', ')}: none fits` : 'no .node file';
        steps.push({ path: folder, found: unfit });
    }
    return undefined;
}

/** Asks every place in turn; the first file there is decides, so that a broken one is reported and not skipped. */
function search({ root = packageRoot, binary, target = runtimeTarget() }: SearchOptions): {
    path?: string;
    steps: SearchStep[];
} {
    const steps: SearchStep[] = [];
    if (binary !== undefined && binary !== '') {
        const path = isAbsolute(binary) ? binary : resolve(binary);
        const found = fileState(path);
        steps.push({ path, found: `${found} (named by NATIVEGRAD_BINARY)` });
        return found === 'file' ? { path, steps } : { steps };
    }
    const local = join(root, 'build', 'Release', 'nativegrad.node');
    const found = fileState(local);
    steps.push({ path: local, found });
    if (found === 'file') return { path: local, steps };
    const path = searchPrebuilds(root, target, steps);
    return path ? { path, steps } : { steps };
}

function remedy(root: string, steps: readonly SearchStep[], reason: string): string {
    if (steps.some((step) => step.found.includes('NATIVEGRAD_BINARY'))) {
        return 'Unset NATIVEGRAD_BINARY, or let it name a nativegrad.node built for this machine.';
    }
    if (existsSync(join(root, 'CMakeLists.txt'))) {
        const builder = runningBuild(join(root, 'build', 'native_lock'));
        if (builder !== undefined) return `A build of it is running (process ${builder}): wait for its end.`;
        return 'Build it: npm run build:native (needs CMake and a C++17 compiler).';
    }
    if (/GLIBC|GLIBCXX/.test(reason)) {
        return "This system's C or C++ library is older than the prebuilt addon needs: use a newer system.";
    }
    return (
        'Install the package anew on this machine: npm install --force nativegrad ' +
        '(node_modules copied from another system or processor hold the wrong files).'
    );
}

function explain(
    headline: string,
    options: SearchOptions,
    steps: readonly SearchStep[],
    reason: string,
): string {
    const { platform, arch, libc, abi, node } = options.target ?? runtimeTarget();
    const system = [platform, arch, libc(), `Node ${node}`, `ABI ${abi}`].filter(Boolean).join(', ');
    const places = steps.map(({ path, found }) => `  ${path}: ${found}`);
    return [
        `[nativegrad] ${headline}`,
        `Looked for an addon for ${system}:`,
        ...places,
        remedy(options.root ?? packageRoot, steps, reason),
    ].join('\n');
}

/**
 * Path of the addon that the search settles on: the file that `NATIVEGRAD_BINARY` names, else
 * `build/Release/nativegrad.node` of this package, else the best match in `prebuilds/<platform>-<arch>/`.
 *
 * @throws AddonLoadError when there is none; the message lists every place and the command that helps.
 */
export function findAddon(options: SearchOptions): string {
    const { path, steps } = search(options);
    if (path !== undefined) return path;
    throw new AddonLoadError(explain('no native addon was found.', options, steps, ''), steps);
}

/**
 * Finds and loads the addon.
 *
 * @throws AddonLoadError when it is missing or the system refuses to load it (corrupt, of another processor, ...).
 */
export function loadAddonFrom(options: SearchOptions): unknown {
    const path = findAddon(options);
    try {
        return requireAddon(path);
    } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        const { steps } = search(options);
        const told = steps.map((step) =>
            step.path === path ? { path, found: `${step.found}, but it failed to load: ${reason}` } : step,
        );
        const headline = 'the native addon was found but could not be loaded.';
        throw new AddonLoadError(explain(headline, options, told, reason), told, error);
    }
}

/** Path of the addon that {@link loadAddon} loads in this process. */
export function addonPath(): string {
    return findAddon({ binary: process.env.NATIVEGRAD_BINARY });
}

/** The addon's exports, loaded for the calling thread; Node keeps one instance for each environment. */
export function loadAddon(): unknown {
    return loadAddonFrom({ binary: process.env.NATIVEGRAD_BINARY });
}
