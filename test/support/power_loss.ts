import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** A folder or file of the model; what it holds is what a crash has left of it. */
interface Inode {
    readonly entries?: Map<string, Inode>;
    bytes: Uint8Array;
}

/** Something that a program did to the disk, and that power loss may undo until `on` is synced. */
interface Operation {
    readonly text: string;
    readonly on: Inode;
    /** Every way in which it may have reached the disk. */
    readonly ways: readonly (() => void)[];
}

type Event = { readonly does: Operation } | { readonly syncs: Inode } | 'acknowledged';

/** What may lie on the disk after power is lost, as ALICE enumerates it (Pillai et al., OSDI 2014). */
export interface CrashState {
    /** The operations that reached the disk of those that nothing had made durable. */
    readonly text: string;
    readonly isAcknowledged: boolean;
    /** Lays the state out in an empty folder. */
    readonly write: (folder: string) => void;
}

const shown = (inode: Inode, folder: string): void => {
    for (const [name, child] of inode.entries ?? []) {
        const path = join(folder, name);
        if (child.entries === undefined) writeFileSync(path, child.bytes);
        else {
            mkdirSync(path);
            shown(child, path);
        }
    }
};

/**
 * The calls of a program on the folder `root`, from strace's log. `contents` gives the bytes that a file of that name got in
 * the end; `before` is what lay in the folder, durably.
 */
export class DiskTrace {
    private readonly root: Inode = folderInode();
    private readonly events: Event[] = [];
    /** Where each path leads in the course of the whole program. */
    private readonly places = new Map<string, Inode>();

    constructor(
        private readonly folder: string,
        before: Readonly<Record<string, Readonly<Record<string, Uint8Array>>>>,
        private readonly contents: (name: string) => Uint8Array,
    ) {
        this.places.set(folder, this.root);
        for (const [name, files] of Object.entries(before)) {
            const child = folderInode();
            this.root.entries?.set(name, child);
            this.places.set(join(folder, name), child);
            for (const [file, bytes] of Object.entries(files)) {
                const inode = { bytes };
                child.entries?.set(file, inode);
                this.places.set(join(folder, name, file), inode);
            }
        }
    }

    /** Reads the log; `acknowledgement` is the path that the program makes when it has promised that its save is safe. */
    read(log: string, acknowledgement: string): this {
        for (const line of log.split('\n')) {
            if (/= -1 |<unfinished|resumed>/.test(line)) {
                if (/<unfinished|resumed>/.test(line)) throw new Error(`calls overlap: ${line}`);
                continue;
            }
            const [, call = ''] = /^\d+ +(\w+)\(/.exec(line) ?? [];
            const [first = '', second = ''] = [...line.matchAll(/"([^"]*)"|\d+<([^>]*)>/g)]
                .map(([, quoted, opened]) => quoted ?? opened ?? '')
                .filter((path) => path.startsWith(this.folder) || path === acknowledgement);
            if (first === acknowledgement && line.includes('O_CREAT')) this.events.push('acknowledged');
            else if (first.startsWith(this.folder)) this.note(call, first, second, line);
        }
        return this;
    }

    private note(call: string, path: string, other: string, line: string): void {
        const parent = this.inodeAt(dirname(path), line);
        if (call === 'mkdir') this.link(parent, path, folderInode());
        else if (call === 'openat' && line.includes('O_CREAT'))
            this.link(parent, path, { bytes: new Uint8Array() });
        else if (call === 'write') this.write(this.inodeAt(path, line), path);
        else if (call === 'fsync') this.events.push({ syncs: this.inodeAt(path, line) });
        else if (call === 'rename') this.rename(parent, path, other, line);
        else if (call === 'unlink' || call === 'rmdir') this.unlink(parent, path);
    }

    private inodeAt(path: string, line: string): Inode {
        const found = this.places.get(path) ?? (path === dirname(this.folder) ? this.root : undefined);
        if (found === undefined) throw new Error(`nothing is known of ${path}: ${line}`);
        return found;
    }

    private push(text: string, on: Inode, ...ways: (() => void)[]): void {
        this.events.push({ does: { text, on, ways } });
    }

    private link(parent: Inode, path: string, inode: Inode): void {
        this.places.set(path, inode);
        this.push(`make ${basename(path)}`, parent, () => parent.entries?.set(basename(path), inode));
    }

    /** Nothing, a part, the length without the bytes, or all of it. */
    private write(inode: Inode, path: string): void {
        const bytes = this.contents(basename(path));
        const ways = [bytes.subarray(0, bytes.length >> 1), new Uint8Array(bytes.length), bytes];
        this.push(`write ${basename(path)}`, inode, ...ways.map((left) => () => void (inode.bytes = left)));
    }

    private rename(parent: Inode, path: string, other: string, line: string): void {
        const inode = this.inodeAt(path, line);
        for (const [place, child] of [...this.places].filter(([place]) =>
            `${place}/`.startsWith(`${path}/`),
        )) {
            this.places.delete(place);
            this.places.set(other + place.slice(path.length), child);
        }
        this.push(`rename ${basename(path)}`, parent, () => {
            parent.entries?.delete(basename(path));
            parent.entries?.set(basename(other), inode);
        });
    }

    private unlink(parent: Inode, path: string): void {
        this.places.delete(path);
        this.push(`remove ${basename(path)}`, parent, () => parent.entries?.delete(basename(path)));
    }

    get syncs(): number {
        return this.events.filter((event) => typeof event === 'object' && 'syncs' in event).length;
    }

    /** Every state after each event; without the fsync of that number where `leaveOut` is given. */
    *states(leaveOut?: number): Generator<CrashState> {
        let sync = 0;
        const events = this.events.filter((event) => {
            const isSync = typeof event === 'object' && 'syncs' in event;
            return !isSync || sync++ !== leaveOut;
        });
        for (let end = 0; end <= events.length; end++) yield* this.statesAfter(events.slice(0, end));
    }

    private *statesAfter(events: readonly Event[]): Generator<CrashState> {
        const isAcknowledged = events.includes('acknowledged');
        const done = events.flatMap((event, place) => {
            if (event === 'acknowledged' || 'syncs' in event) return [];
            const { does } = event;
            const isDurable = events.slice(place).some((later) => {
                return typeof later === 'object' && 'syncs' in later && later.syncs === does.on;
            });
            return [{ ...does, isDurable }];
        });
        // A durable operation has run in full; any other not at all (0) or in one of its ways.
        const choices = done.map(({ isDurable, ways }) =>
            isDurable ? [ways.length] : Array.from({ length: ways.length + 1 }, (_, way) => way),
        );
        for (const chosen of product(choices)) {
            const reached = done.filter(({ isDurable }, i) => !isDurable && chosen[i] > 0);
            yield {
                text: `${done.at(-1)?.text ?? 'start'}: ${reached.map(({ text }) => text).join(', ') || 'nothing more'}`,
                isAcknowledged,
                write: (folder) => {
                    const undo = this.snapshot();
                    done.forEach(({ ways }, i) => ways[chosen[i] - 1]?.());
                    shown(this.root, folder);
                    undo();
                },
            };
        }
    }

    /** Gives a function that puts the disk back to what it was before. */
    private snapshot(): () => void {
        const inodes = new Set<Inode>([this.root, ...this.places.values()]);
        for (const event of this.events)
            if (event !== 'acknowledged' && 'does' in event) inodes.add(event.does.on);
        const kept = [...inodes].map((inode) => ({
            inode,
            bytes: inode.bytes,
            entries: [...(inode.entries ?? [])],
        }));
        return () => {
            for (const { inode, bytes, entries } of kept) {
                inode.bytes = bytes;
                inode.entries?.clear();
                for (const [name, child] of entries) inode.entries?.set(name, child);
            }
        };
    }
}

function folderInode(): Inode {
    return { entries: new Map(), bytes: new Uint8Array() };
}

function* product(choices: readonly (readonly number[])[]): Generator<number[]> {
    const [first, ...rest] = choices;
    if (first === undefined) yield [];
    else for (const head of first) for (const tail of product(rest)) yield [head, ...tail];
}
