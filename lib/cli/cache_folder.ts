import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where downloaded data is kept for all projects of the user. */
export function cacheFolder(): string {
    const base = process.env.XDG_CACHE_HOME;
    return join(base === undefined || base === '' ? join(homedir(), '.cache') : base, 'nativegrad', 'mnist');
}
