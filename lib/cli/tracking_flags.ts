import { isName } from '../track/checks.js';
import { textFlag } from './flags.js';
import type { Flag } from './flags.js';

const PLACES = ['local'] as const;

/** Where a run's figures go beside its folder. */
export type TrackingPlace = (typeof PLACES)[number];

/** The flags that `train` and `evaluate` share about where a run is noted. */
export const TRACKING_FLAGS = {
    tracking: placesFlag(),
    experiment: textFlag(
        'experiment that the run belongs to (default: MLFLOW_EXPERIMENT_NAME, --experiment_name, else Default)',
        '<name>',
    ),
    tags: tagsFlag('tags of the run, like team=vision; may be given again, or several with commas'),
} as const;

/** What the tracking needs of a command's configuration. */
export interface TrackingConfig {
    readonly tracking: readonly TrackingPlace[];
    readonly experiment: string | undefined;
    readonly tags: Readonly<Record<string, string>>;
}

/** Words with commas between, or the flag again. */
function placesFlag(): Flag<readonly TrackingPlace[]> {
    return {
        placeholder: `<${PLACES.join('|')}>`,
        description:
            'places that the figures of the run go to; the run folder has them always; several with commas, or the flag again',
        defaultText: 'local',
        fallback: [],
        repeats: true,
        parse: (text, reject) =>
            text.split(',').map((word) => {
                const wanted = word.trim().toLowerCase();
                return PLACES.find((place) => place === wanted) ?? reject(`some of ${PLACES.join(', ')}`);
            }),
    };
}

/** `team=vision,goal=speed`; a comma belongs to the value where no `name=` follows it. */
function tagsFlag(description: string): Flag<Readonly<Record<string, string>>> {
    return {
        placeholder: '<name=value,...>',
        description,
        defaultText: undefined,
        fallback: {},
        repeats: true,
        parse: (text, reject) => {
            const pairs = text.split(/,(?=[^,=]+=)/).map((pair): [string, string] => {
                const equals = pair.indexOf('=');
                const name = pair.slice(0, Math.max(0, equals)).trim();
                return isName(name) ? [name, pair.slice(equals + 1)] : reject('name=value, like team=vision');
            });
            return Object.fromEntries(pairs);
        },
    };
}
