import { relative } from 'node:path';

/** A path as seen from the working folder, where it lies below that. */
export function shownPath(path: string): string {
    const way = relative('.', path);
    return way.startsWith('..') ? path : way || '.';
}
