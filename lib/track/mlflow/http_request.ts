import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type * as http from 'node:http';
import { pipeline } from 'node:stream';

import { MlflowError } from './mlflow_error.js';
import { clientOf, refusalOf, requestByProxy } from './proxy.js';

const MOST_ANSWER_BYTES = 64 << 20;

export interface HttpRequest {
    readonly method: string;
    readonly headers: Readonly<Record<string, string>>;
    /** A text, or a file that is sent piece by piece. */
    readonly body?: string | { readonly path: string };
    /** For the whole request; of a file, for each silence in it. */
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
    /** Of HTTP; a user and password in it open it. */
    readonly proxy?: URL | undefined;
}

export interface HttpAnswer {
    readonly status: number;
    readonly headers: http.IncomingHttpHeaders;
    readonly text: string;
}

/** What says that a request never reached a program. */
const NOT_SENT = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'];

/**
 * One request on a connection of its own, which does not keep the process alive. Redirects are not followed: a token is meant for
 * one server.
 *
 * @throws {MlflowError} where there is no answer.
 */
export async function httpRequest(url: URL, request: HttpRequest): Promise<HttpAnswer> {
    const { body, timeoutMs, signal } = request;
    const size =
        typeof body === 'string'
            ? Buffer.byteLength(body)
            : body === undefined
              ? 0
              : (await stat(body.path)).size;
    const deadline = new AbortController();
    const timer = setTimeout(
        () => deadline.abort(new Error(`no answer within ${timeoutMs / 1000} s`)),
        timeoutMs,
    );
    timer.unref();
    try {
        return await exchange(url, request, size, AbortSignal.any([signal, deadline.signal]), () =>
            timer.refresh(),
        );
    } catch (cause) {
        if (cause instanceof MlflowError) throw cause;
        const reason: unknown = deadline.signal.aborted ? deadline.signal.reason : cause;
        const text = reason instanceof Error ? reason.message : String(reason);
        const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
        const kind = NOT_SENT.includes(code) ? 'later' : 'unknown';
        throw new MlflowError(kind, text === '' ? code : text, code, 0, { cause });
    } finally {
        clearTimeout(timer);
    }
}

async function exchange(
    url: URL,
    { method, headers, body, proxy }: HttpRequest,
    size: number,
    signal: AbortSignal,
    onProgress: () => void,
): Promise<HttpAnswer> {
    const length: http.OutgoingHttpHeaders = body === undefined ? {} : { 'Content-Length': String(size) };
    const options = { method, headers: { ...headers, ...length }, agent: false as const, signal };
    return new Promise((done, failed) => {
        const onAnswer = (answer: http.IncomingMessage): void => {
            const status = answer.statusCode ?? 0;
            const refusal = proxy && refusalOf(status, proxy);
            if (refusal) failed(refusal);
            readText(answer).then((text) => done({ status, headers: answer.headers, text }), failed);
        };
        const opened =
            proxy === undefined
                ? Promise.resolve(clientOf(url).request(url, options, onAnswer))
                : requestByProxy(url, proxy, options, onAnswer);
        opened.then((sent) => {
            sent.on('socket', (socket) => socket.unref());
            sent.on('error', failed);
            if (typeof body === 'object') sendFile(body.path, size, sent, onProgress, failed);
            else sent.end(body);
        }, failed);
    });
}

function sendFile(
    path: string,
    size: number,
    sent: http.ClientRequest,
    onProgress: () => void,
    onError: (error: Error) => void,
): void {
    // A file that grows meanwhile is sent as far as its size was told.
    const file = createReadStream(path, size === 0 ? {} : { end: size - 1 });
    file.on('data', onProgress);
    pipeline(file, sent, (error) => {
        if (error) onError(error);
    });
}

async function readText(answer: http.IncomingMessage): Promise<string> {
    const pieces: Buffer[] = [];
    let bytes = 0;
    for await (const piece of answer) {
        pieces.push(piece as Buffer);
        bytes += (piece as Buffer).length;
        if (bytes > MOST_ANSWER_BYTES) {
            answer.destroy();
            throw new MlflowError('unknown', `an answer of more than ${MOST_ANSWER_BYTES >> 20} MiB`);
        }
    }
    return Buffer.concat(pieces).toString('utf8');
}
