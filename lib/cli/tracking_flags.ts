import { isName } from '../track/checks.js';
import { textFlag } from './flags.js';
import type { Flag } from './flags.js';
import { durationFlag } from './interval_flag.js';
import { UsageError } from './usage_error.js';

const PLACES = ['local', 'mlflow', 'tensorboard'] as const;

/** Where a run's figures go beside its folder. */
export type TrackingPlace = (typeof PLACES)[number];

/** The flags that `train` and `evaluate` share about where a run is noted. */
export const TRACKING_FLAGS = {
    tracking: placesFlag(),
    trackingUri: addressFlag(
        'address of the MLflow server, which --tracking mlflow is implied by (default: MLFLOW_TRACKING_URI); MLFLOW_TRACKING_TOKEN, or _USERNAME and _PASSWORD, open it',
    ),
    trackingWait: durationFlag(
        'how long the end of the run waits at most for what is not on the server yet, like 30s or 10min; 0: not at all; what is left, nativegrad sync sends',
        '3s, 1s where the run fails',
        undefined,
    ),
    experiment: textFlag(
        'experiment that the run belongs to (default: MLFLOW_EXPERIMENT_NAME, --experiment_name, else Default)',
        '<name>',
    ),
    tags: tagsFlag('tags of the run, like team=vision; may be given again, or several with commas'),
} as const;

/** The flags that say where the figures of a run go, not what it does. */
export const OF_TRACKING: readonly string[] = [...Object.keys(TRACKING_FLAGS), 'registerModel'];

/** What the tracking needs of a command's configuration. */
export interface TrackingConfig {
    readonly tracking: readonly TrackingPlace[];
    readonly trackingUri: string | undefined;
    /** Milliseconds. */
    readonly trackingWait: number | undefined;
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

/** The address of a server. A password in it would end up in files. */
export function addressFlag(description: string): Flag<string | undefined> {
    return {
        placeholder: '<url>',
        description,
        defaultText: undefined,
        fallback: undefined,
        parse: (text, reject) => {
            const url = URL.canParse(text) ? new URL(text) : undefined;
            if (url?.protocol !== 'http:' && url?.protocol !== 'https:')
                return reject('the address of an MLflow server, like http://127.0.0.1:5000');
            if (url.username === '' && url.password === '') return text;
            throw new UsageError(
                '--tracking_uri holds a user or password, which would be written to files: give them by MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD',
            );
        },
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
