import { UsageError } from './usage_error.js';

/**
 * The proxy for an address, as other programs read the environment: HTTPS_PROXY, HTTP_PROXY or ALL_PROXY, in small letters, too,
 * unless NO_PROXY names the host (`host`, `.domain`, `host:port` or `*`, with commas between).
 *
 * @throws {UsageError} where it is none of HTTP; its text is not told, since it may hold a password.
 */
export function proxyOf(url: URL, environment: NodeJS.ProcessEnv): URL | undefined {
    const read = (name: string): string =>
        (environment[name.toLowerCase()] ?? '') || (environment[name] ?? '');
    const own = url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
    const name = read(own) === '' ? 'ALL_PROXY' : own;
    const text = read(name);
    if (text === '' || isExcepted(url, read('NO_PROXY'))) return undefined;
    const named = text.includes('://') ? text : `http://${text}`;
    const proxy = URL.canParse(named) ? new URL(named) : undefined;
    if (proxy?.protocol === 'http:' || proxy?.protocol === 'https:') return proxy;
    throw new UsageError(
        `${name} is no address of an HTTP proxy, such as http://proxy:3128; NO_PROXY=${url.hostname} goes without it`,
    );
}

function isExcepted({ hostname, port, protocol }: URL, list: string): boolean {
    const place = `:${port || (protocol === 'https:' ? '443' : '80')}`;
    return list
        .toLowerCase()
        .split(/[\s,]+/)
        .some((entry) => {
            if (entry === '*') return true;
            const host = entry.endsWith(place) ? entry.slice(0, -place.length) : entry;
            const domain = host.replace(/^\*?\./, '');
            return domain !== '' && (hostname === domain || hostname.endsWith(`.${domain}`));
        });
}
