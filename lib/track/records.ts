import { isName } from './checks.js';

/** How a run ended, in MLflow's words. KILLED: from outside, by a signal or a limit of time. */
export type RunStatus = 'FINISHED' | 'FAILED' | 'KILLED';

/** A metric's value in a file: JSON has no NaN and no infinities. */
export type StoredNumber = number | 'NaN' | 'Infinity' | '-Infinity';

/** A data set that a run has read. */
export interface DatasetInput {
    readonly name: string;
    /** Tells versions of the data apart, e.g. the beginning of a hash; at most 36 characters. */
    readonly digest: string;
    /** Where the data came from, e.g. an address or a folder. */
    readonly source: string;
    /** What kind of place `source` is. Default: `local`. */
    readonly sourceType?: string;
    /** What the run used it for, e.g. `training`, `validation` or `test`. */
    readonly context?: string;
    /** Anything about its size, e.g. `{ samples: 60000 }`. */
    readonly profile?: Readonly<Record<string, number | string>>;
}

/** Names a model file of the run as a version of a registered model. */
export interface ModelRegistration {
    readonly name: string;
    /** Path of the file among the run's artifacts. */
    readonly artifact: string;
    /** A name that moves to this version, e.g. `champion`. */
    readonly alias?: string;
}

interface Parent {
    readonly id: string;
}

/** The first line of a log. */
export interface StartRecord {
    readonly type: 'start';
    readonly version: 1;
    /** 32 hexadecimal digits, made once: the run keeps them when it goes on later or elsewhere. */
    readonly id: string;
    readonly name: string;
    readonly experiment?: string;
    readonly parent?: Parent;
    /** Milliseconds since 1970, as everywhere here. */
    readonly time: number;
}

/** One line of a run's log. */
export type LogRecord =
    | StartRecord
    | { readonly type: 'resume'; readonly time: number }
    | { readonly type: 'params'; readonly time: number; readonly params: Readonly<Record<string, string>> }
    | { readonly type: 'tags'; readonly time: number; readonly tags: Readonly<Record<string, string>> }
    | {
          readonly type: 'metrics';
          readonly time: number;
          readonly step: number;
          readonly metrics: Readonly<Record<string, StoredNumber>>;
      }
    /** `file`: relative to the run folder; `path`: among the artifacts. */
    | { readonly type: 'artifact'; readonly time: number; readonly file: string; readonly path: string }
    | { readonly type: 'input'; readonly time: number; readonly dataset: DatasetInput }
    | { readonly type: 'model'; readonly time: number; readonly model: ModelRegistration }
    | { readonly type: 'end'; readonly time: number; readonly status: RunStatus };

/** JSON has no word for these. */
export function storeNumber(value: number): StoredNumber {
    if (Number.isFinite(value)) return value;
    return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity';
}

/** A line of a log; undefined where it is none: torn by a crash, or written by something else. */
export function parseRecord(line: string): LogRecord | undefined {
    let value: unknown;
    try {
        value = JSON.parse(line);
    } catch {
        return undefined;
    }
    return isLogRecord(value) ? value : undefined;
}

type Fields = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Fields {
    return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const isText = (value: unknown): boolean => typeof value === 'string';
/** A log may come from anyone: its files lie in the run's folder, and nowhere else. */
const isBelow = (value: unknown): boolean =>
    typeof value === 'string' && !/^([\\/]|[A-Za-z]:)|\0/.test(value) && !value.split(/[\\/]/).includes('..');
const isTime = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value);
const isTextOrNothing = (value: unknown): boolean => value === undefined || isText(value);
const isTexts = (value: unknown): boolean => isObject(value) && Object.values(value).every(isText);
const isStored = (value: unknown): boolean =>
    typeof value === 'number' || value === 'NaN' || value === 'Infinity' || value === '-Infinity';

const checks: Readonly<Record<LogRecord['type'], (fields: Fields) => boolean>> = {
    start: ({ version, id, name, experiment, parent }) =>
        version === 1 &&
        typeof id === 'string' &&
        /^[0-9a-f]{32}$/.test(id) &&
        isText(name) &&
        isTextOrNothing(experiment) &&
        (parent === undefined || (isObject(parent) && isText(parent.id))),
    resume: () => true,
    params: ({ params }) => isTexts(params),
    tags: ({ tags }) => isTexts(tags),
    metrics: ({ step, metrics }) =>
        Number.isSafeInteger(step) && isObject(metrics) && Object.values(metrics).every(isStored),
    artifact: ({ file, path }) => isBelow(file) && isName(path),
    input: ({ dataset }) =>
        isObject(dataset) && isText(dataset.name) && isText(dataset.digest) && isText(dataset.source),
    model: ({ model }) =>
        isObject(model) && isText(model.name) && isText(model.artifact) && isTextOrNothing(model.alias),
    end: ({ status }) => status === 'FINISHED' || status === 'FAILED' || status === 'KILLED',
};

/** Whether a value from a file is a record, with every field as it must be. */
export function isLogRecord(value: unknown): value is LogRecord {
    if (!isObject(value) || !isTime(value.time) || typeof value.type !== 'string') return false;
    const { type } = value;
    return Object.entries(checks).some(([name, fits]) => name === type && fits(value));
}
