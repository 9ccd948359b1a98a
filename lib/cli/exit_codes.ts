/** What the process ends with; the README lists them. After a signal it is 128 plus the signal's number. */
export const EXIT = { done: 0, failed: 1, usage: 2 } as const;
