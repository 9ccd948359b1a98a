import { requireOptionNames } from '../../support/option_names.js';
import { httpRequest, type HttpAnswer } from './http_request.js';
import { MlflowError } from './mlflow_error.js';

/** An MLflow server and what opens it. */
export interface MlflowServer {
    /** Such as `http://127.0.0.1:5000`; a user and password in it open the server, too. */
    readonly uri: string;
    readonly token?: string;
    readonly username?: string;
    readonly password?: string;
    /** The HTTP proxy that leads there, such as `http://proxy:3128`; a user and password in it open it. Default: none. */
    readonly proxy?: string;
    /** How long one request may take. Default: 30 s. */
    readonly timeoutMs?: number;
    /** How long lines gather before they are sent. Default: 1 s. */
    readonly gatherMs?: number;
    /** The pause before what failed is tried again; it doubles each time, up to a minute. Default: 1 s. */
    readonly retryMs?: number;
}

/** What is taken where a server's options say nothing else. */
export const DEFAULT_GATHER_MS = 1000;
export const DEFAULT_RETRY_MS = 1000;

type Json = Readonly<Record<string, unknown>>;

const DEFAULT_TIMEOUT_MS = 30_000;
const REST = '/api/2.0/mlflow/';
const ARTIFACTS = '/api/2.0/mlflow-artifacts/artifacts/';
const LONGEST_WAIT_MS = 60_000;

/** The REST interface of one MLflow server. */
export class MlflowApi {
    /** Without what opens the server. */
    readonly uri: string;
    private readonly base: URL;
    private readonly headers: Readonly<Record<string, string>>;
    private readonly timeoutMs: number;
    private readonly proxy: URL | undefined;

    /** @throws {TypeError} where the address is none of a server. */
    constructor(
        server: MlflowServer,
        private readonly signal: AbortSignal,
    ) {
        const url = requireServer(server);
        this.headers = authorization(server, url);
        url.username = url.password = url.search = url.hash = '';
        this.base = url;
        this.uri = url.href.replace(/\/+$/, '');
        this.proxy = server.proxy === undefined ? undefined : new URL(server.proxy);
        this.timeoutMs = server.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    }

    /** Whether its requests were given up. */
    get isAborted(): boolean {
        return this.signal.aborted;
    }

    get(path: string, query: Readonly<Record<string, string>>): Promise<Json> {
        return this.call('GET', `${REST}${path}?${new URLSearchParams(query).toString()}`);
    }

    post(path: string, body: Json): Promise<Json> {
        return this.call('POST', REST + path, JSON.stringify(body));
    }

    /** Sends a file to its place among a run's artifacts, through the server. */
    async putArtifact(place: string, path: string): Promise<void> {
        const url = this.url(ARTIFACTS + place.split('/').map(encodeURIComponent).join('/'));
        const answer = await httpRequest(url, {
            method: 'PUT',
            headers: { ...this.headers, 'Content-Type': 'application/octet-stream' },
            body: { path },
            timeoutMs: this.timeoutMs,
            signal: this.signal,
            proxy: this.proxy,
        });
        if (answer.status < 200 || answer.status > 299) throw failureOf(answer, this.uri);
    }

    private async call(method: string, path: string, body?: string): Promise<Json> {
        const answer = await httpRequest(this.url(path), {
            method,
            headers: {
                ...this.headers,
                ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
            },
            ...(body === undefined ? {} : { body }),
            timeoutMs: this.timeoutMs,
            signal: this.signal,
            proxy: this.proxy,
        });
        if (answer.status < 200 || answer.status > 299) throw failureOf(answer, this.uri);
        const value = parseObject(answer.text);
        if (value !== undefined) return value;
        throw new MlflowError('closed', `${this.uri} answers, but not as an MLflow server does`);
    }

    private url(path: string): URL {
        return new URL(this.uri + path, this.base);
    }
}

/** The address of a server. No address is told: it may hold a password. */
export function requireServer(server: MlflowServer): URL {
    requireOptionNames('[mlflow]', server, [
        'uri',
        'token',
        'username',
        'password',
        'proxy',
        'timeoutMs',
        'gatherMs',
        'retryMs',
    ]);
    if (server.proxy !== undefined && httpAddress(server.proxy) === undefined)
        throw new TypeError('[mlflow] proxy must be the address of an HTTP proxy, such as http://proxy:3128');
    const url = httpAddress(server.uri);
    if (url !== undefined) return url;
    throw new TypeError('[mlflow] uri must be the address of a server, such as http://127.0.0.1:5000');
}

function httpAddress(text: string): URL | undefined {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    return url?.protocol === 'http:' || url?.protocol === 'https:' ? url : undefined;
}

function authorization({ token, username, password }: MlflowServer, url: URL): Record<string, string> {
    if (token !== undefined && token !== '') return { Authorization: `Bearer ${token}` };
    const user = username ?? decoded(url.username);
    const secret = password ?? decoded(url.password);
    if (user === '' && secret === '') return {};
    return { Authorization: `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}` };
}

/** As it stands, where a % in it begins no code. */
function decoded(text: string): string {
    try {
        return decodeURIComponent(text);
    } catch {
        return text;
    }
}

function failureOf({ status, headers, text }: HttpAnswer, uri: string): MlflowError {
    const body = parseObject(text) ?? {};
    const code = typeof body.error_code === 'string' ? body.error_code : '';
    const message = typeof body.message === 'string' ? body.message : text.slice(0, 200);
    const isPage = message.startsWith('<');
    const told = `HTTP ${status}${code === '' ? '' : ` ${code}`}${isPage ? '' : `: ${firstLine(message)}`}`;
    if (status === 401 || status === 403) {
        const fix = 'set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD';
        return new MlflowError('closed', `the server refuses who asks (HTTP ${status}): ${fix}`, code);
    }
    if (status >= 300 && status < 400) {
        const place = headers.location ?? 'another place';
        return new MlflowError('closed', `${uri} leads on to ${place}: give that address`, code);
    }
    const wait = Math.min(LONGEST_WAIT_MS, 1000 * (Number(headers['retry-after']) || 0));
    if (status === 429) return new MlflowError('later', told, code, wait);
    if (status === 408 || status >= 500) return new MlflowError('unknown', told, code, wait);
    return new MlflowError('refused', told, code);
}

function parseObject(text: string): Json | undefined {
    try {
        const value: unknown = JSON.parse(text);
        return typeof value === 'object' && value !== null && !Array.isArray(value)
            ? (value as Json)
            : undefined;
    } catch {
        return undefined;
    }
}

function firstLine(text: string): string {
    return text.split('\n', 1)[0]?.trim() ?? '';
}
