import { existsSync, readFileSync } from 'node:fs';

/** The process that holds the lock of a build (scripts/build), or undefined where none is at work. */
export function runningBuild(lock: string): number | undefined {
    if (!existsSync(lock)) return undefined;
    const owner = Number(readFileSync(lock, 'utf8'));
    if (!Number.isInteger(owner) || owner <= 0) return undefined;
    try {
        process.kill(owner, 0);
        return owner;
    } catch (error) {
        const isOfOthers = error instanceof Error && 'code' in error && error.code === 'EPERM';
        return isOfOthers ? owner : undefined;
    }
}
