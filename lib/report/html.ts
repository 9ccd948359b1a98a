import { html, raw } from 'hono/html';

export { html, raw };

/** A piece of a page; what is put into a template and is no piece of a page itself is escaped. */
export type Html = ReturnType<typeof html>;

/** The pieces of a list, one after another. */
export function joined(pieces: readonly Html[]): Html {
    return html`${pieces}`;
}
