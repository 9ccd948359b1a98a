import { FLAG_TABLES } from './command_line.js';
import { flagName } from './flags.js';

/**
 * A line for those who forgot the `--` of `npm run train -- --epochs 3`: npm then keeps the flags for itself, and all
 * that reaches the program is the environment variable npm_config_epochs. Undefined where nothing was forgotten.
 */
export function forgottenDashes(
    words: readonly string[],
    environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
    const script = environment.npm_lifecycle_event;
    const [command, ...rest] = words;
    const table = Object.entries(FLAG_TABLES).find(([name]) => name === command)?.[1];
    if (script === undefined || table === undefined) return undefined;
    const given = new Set(rest.map((word) => word.replaceAll('-', '_').replace(/=.*/s, '')));
    const kept = Object.entries(table).flatMap(([key, flag]) => {
        const name = flagName(key);
        const value = environment[`npm_config_${name.slice(2)}`];
        if (value === undefined || given.has(name.replaceAll('-', '_'))) return [];
        // npm sees a switch in a flag with its value behind a blank.
        const isSwitch = flag.placeholder === undefined;
        return [isSwitch ? name : `${name} ${value === 'true' ? flag.placeholder : value}`];
    });
    if (kept.length === 0) return undefined;
    const usage = script === 'npx' ? 'npx -- nativegrad' : `npm run ${script} --`;
    return `npm kept ${kept.map((flag) => flag.split(' ')[0]).join(', ')} for itself; type ${usage} ${kept.join(' ')}`;
}
