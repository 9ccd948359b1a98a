/**
 * What an answer, or none, means for a request. `refused`: the server will not have it; `later`: nothing was done, and the same may
 * work later; `unknown`: it may have been done, or not; `closed`: the server lets nobody do anything (no token, no such server).
 */
export type FailureKind = 'refused' | 'later' | 'unknown' | 'closed';

/** A request to an MLflow server that failed. */
export class MlflowError extends Error {
    override readonly name = 'MlflowError';

    constructor(
        readonly kind: FailureKind,
        message: string,
        /** MLflow's own word for it, e.g. RESOURCE_DOES_NOT_EXIST. */
        readonly code = '',
        /** What the server asks to wait. */
        readonly retryAfterMs = 0,
        options: ErrorOptions = {},
    ) {
        super(message, options);
    }
}
