import { fileURLToPath } from 'node:url';

/** A step that cannot be captured; the message says why, and where. */
export class CaptureError extends Error {
    override name = 'CaptureError';
}

const packageFolder = fileURLToPath(new URL('..', import.meta.url));

/** The line of the caller's that leads here; behind `console.log` it is deeper than V8 notes by itself. */
export function currentCallerLine(): string {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 100;
    const { stack } = new Error();
    Error.stackTraceLimit = stackTraceLimit;
    return callerLine(stack);
}

/** The innermost line of the stack that is not of this package, as "file:line:column"; empty when there is none. */
export function callerLine(stack: string | undefined): string {
    for (const line of (stack ?? '').split('\n').slice(1)) {
        const place = /\(?((?:file:\/\/)?[^\s()]+:\d+:\d+)\)?$/.exec(line)?.[1];
        if (place === undefined || place.startsWith('node:')) continue;
        const file = place.startsWith('file://') ? place.slice('file://'.length) : place;
        if (!file.startsWith(packageFolder)) return file;
    }
    return '';
}
