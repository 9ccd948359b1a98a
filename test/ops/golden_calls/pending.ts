/** Ops of ops.json that the library does not have yet. The test fails when this list is not exact. */
export const PENDING: readonly string[] = [];
