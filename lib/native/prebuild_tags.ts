import { closeSync, openSync, readSync } from 'node:fs';

/** What a prebuilt file has to fit; `libc` is asked only when a file name carries that tag. */
export interface RuntimeTarget {
    platform: string;
    arch: string;
    abi: string;
    uv: string;
    armv: string;
    node: string;
    libc: () => string;
}

interface ReportHeader {
    header?: { glibcVersionRuntime?: string };
}

// Node has it since 20.1; its types of version 20 do not.
type ProcessReport = NonNullable<typeof process.report> & { excludeNetwork?: boolean };

/** The C library by the loader that the program names at its beginning; nothing where it names none that we know. */
export function libcOfProgram(path: string): string {
    const start = Buffer.alloc(4096);
    try {
        const file = openSync(path, 'r');
        try {
            readSync(file, start, 0, start.length, 0);
        } finally {
            closeSync(file);
        }
    } catch {
        return '';
    }
    const [, loader] = /\/ld-(musl|linux)-/.exec(start.toString('latin1')) ?? [];
    if (loader === undefined) return '';
    return loader === 'musl' ? 'musl' : 'glibc';
}

/** Only glibc writes its version into Node's report, which takes 4 ms. */
function libcOfReport(): string {
    const report: ProcessReport = process.report;
    const excluded = report.excludeNetwork;
    // Without this the report asks the name server for every open socket.
    report.excludeNetwork = true;
    const { header } = report.getReport() as ReportHeader;
    report.excludeNetwork = excluded ?? false;
    return header?.glibcVersionRuntime ? 'glibc' : 'musl';
}

/** `glibc` or `musl` on Linux, nothing elsewhere. */
function detectLibc(): string {
    if (process.platform !== 'linux') return '';
    return libcOfProgram(process.execPath) || libcOfReport();
}

/** The running process as a target. */
export function runtimeTarget(): RuntimeTarget {
    const { platform, arch, versions } = process;
    let libc: string | undefined;
    return {
        platform,
        arch,
        abi: versions.modules,
        uv: versions.uv.split('.')[0] ?? '',
        armv: arch === 'arm64' ? '8' : '',
        node: versions.node,
        libc: () => (libc ??= detectLibc()),
    };
}

interface TaggedFile {
    file: string;
    exactRuntime: boolean;
    abi: boolean;
    specificity: number;
}

/** Reads the tags between name and extension; undefined when one of them does not fit or is not known. */
function readTags(file: string, target: RuntimeTarget): TaggedFile | undefined {
    const tags = file.split('.').slice(1, -1);
    const result: TaggedFile = { file, exactRuntime: false, abi: false, specificity: tags.length };
    for (const tag of tags) {
        const [, kind = tag, number = ''] = /^(abi|uv|armv)(\d+)$/.exec(tag) ?? [];
        if (kind === 'node') result.exactRuntime = true;
        else if (kind === 'abi' && number === target.abi) result.abi = true;
        else if (kind === 'uv' && number === target.uv) continue;
        else if (kind === 'armv' && number === target.armv) continue;
        else if ((kind === 'glibc' || kind === 'musl') && kind === target.libc()) continue;
        else if (kind !== 'napi') return undefined;
    }
    return result;
}

/**
 * The files that fit `target`, best first, by node-gyp-build's conventions: dot-separated tags
 * (`node`, `napi`, `abi115`, `uv1`, `armv8`, `glibc`, `musl`); a tag that is there must match, and an exact runtime
 * goes before none, `abi` before `napi`, more tags before fewer.
 */
export function matchPrebuilds(files: readonly string[], target: RuntimeTarget): string[] {
    return files
        .map((file) => readTags(file, target))
        .filter((tagged) => tagged !== undefined)
        .sort(
            (a, b) =>
                Number(b.exactRuntime) - Number(a.exactRuntime) ||
                Number(b.abi) - Number(a.abi) ||
                b.specificity - a.specificity,
        )
        .map((tagged) => tagged.file);
}
