/** What the process ends with; the README lists them. */
export const EXIT = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;
