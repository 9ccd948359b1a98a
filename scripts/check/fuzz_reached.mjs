// What the kernel fuzz reached: the sum over its processes, a table of it, and what should have been reached and was
// not.

/** Cases from which on everything must have been reached. */
export const casesForAll = 100_000;

/** Small products run on the calling thread, but for those of a batch. */
const mayRunAlone = new Set(['product: inline']);

/**
 * Sums the lines `reached <instruction set> <runs> <by workers> <name>`: a map from the name to one from the set to
 * { runs, workers }.
 */
export function sumReached(outputs) {
    const reached = new Map();
    for (const output of outputs) {
        for (const [, set, runs, workers, name] of output.matchAll(/^reached (\S+) (\d+) (\d+) (.+)$/gm)) {
            if (!reached.has(name)) reached.set(name, new Map());
            const sets = reached.get(name);
            const sum = sets.get(set) ?? { runs: 0, workers: 0 };
            sets.set(set, { runs: sum.runs + Number(runs), workers: sum.workers + Number(workers) });
        }
    }
    return reached;
}

const groupOf = (name) => (name.startsWith('op: ') ? name : name.replace(/\[.*/, ''));

/** The entries of each group (the kernels of an array), as [name, sets]. */
function groupsOf(reached) {
    const groups = new Map();
    for (const [name, sets] of reached) {
        const group = groupOf(name);
        if (!groups.has(group)) groups.set(group, []);
        groups.get(group).push([name, sets]);
    }
    return groups;
}

/**
 * What was never run, and which groups no worker ever took part in, as lines; none for few cases, which cannot reach
 * everything.
 */
export function notReached(reached, cases) {
    if (cases < casesForAll) return [];
    if (reached.size === 0) return ['the fuzz did not say what it reached'];
    const missing = [];
    for (const [name, sets] of reached) {
        for (const [set, { runs }] of sets) if (runs === 0) missing.push(`${name} on ${set}`);
    }
    for (const [group, entries] of groupsOf(reached)) {
        const workers = entries.flatMap(([, sets]) => [...sets.values()]).map((count) => count.workers);
        // Workers show by the kernels that they call, which not every op does.
        const shows = !group.startsWith('op: ') && !mayRunAlone.has(group);
        if (shows && workers.every((count) => count === 0)) missing.push(`${group} by a second thread`);
    }
    return missing;
}

/** A line for each group: of how many kernels how many ran on each set, the least runs of one, and how many were by workers. */
export function reachedTable(reached) {
    const lines = [];
    const sets = [...new Set([...reached.values()].flatMap((counts) => [...counts.keys()]))];
    lines.push(
        `${''.padEnd(38)}${sets.map((set) => `${set}: ran, least, by workers`.padStart(32)).join('')}`,
    );
    for (const [group, entries] of groupsOf(reached)) {
        const cells = sets.map((set) => {
            const counts = entries.flatMap(([, of]) => of.get(set) ?? []);
            if (counts.length === 0) return '-';
            const ran = counts.filter(({ runs }) => runs > 0).length;
            const least = Math.min(...counts.map(({ runs }) => runs));
            const workers = counts.reduce((sum, count) => sum + count.workers, 0);
            return `${ran}/${counts.length} ${least} ${workers}`;
        });
        lines.push(`${group.padEnd(38)}${cells.map((cell) => cell.padStart(32)).join('')}`);
    }
    return lines;
}
