let enabled = true;

/** True when ops on tensors that require gradients are recorded on the tape. */
export function isGradEnabled(): boolean {
    return enabled;
}

/** @internal Sets whether ops are recorded and returns what it was; for paths where a closure costs too much. */
export function exchangeGradMode(mode: boolean): boolean {
    const before = enabled;
    enabled = mode;
    return before;
}

/** @internal Runs `body` with recording switched on or off. */
export function withGradMode<T>(mode: boolean, body: () => T): T {
    const before = enabled;
    enabled = mode;
    try {
        return body();
    } finally {
        enabled = before;
    }
}

/**
 * Runs `body` without recording: results do not require gradients, and parameters may be changed in place.
 * `body` must be synchronous; a promise is refused, since the mode could not follow it.
 *
 * @example
 * import { noGrad, ones } from 'nativegrad';
 * const weight = ones([3], { requiresGrad: true });
 * noGrad(() => weight.mul_(0.5));
 */
export function noGrad<T>(body: () => T): T {
    return requireSynchronous('noGrad', withGradMode(false, body));
}

/** Runs `body` with recording, inside a `noGrad`. */
export function enableGrad<T>(body: () => T): T {
    return requireSynchronous('enableGrad', withGradMode(true, body));
}

function requireSynchronous<T>(name: string, result: T): T {
    if (result instanceof Promise) {
        throw new TypeError(`[${name}] takes a synchronous function, got one that returns a promise`);
    }
    return result;
}
