import type { CaptureStatistics } from '../program/options.js';

/** How programs run, in a word: as graphs where one does (a short last batch has a program of its own), else as the last one. */
export function programExecution({ programs }: CaptureStatistics): string {
    const asGraph = programs.find(({ execution }) => execution === 'graph');
    return (asGraph ?? programs[0])?.execution ?? 'calls';
}
