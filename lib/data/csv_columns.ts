/** What a column of a CSV file holds, as a first walk through the file has found it in the rows of training. */
export type CsvColumn =
    | {
          readonly name: string;
          readonly kind: 'number';
          readonly mean: number;
          /** Standard deviation of the column, with n. */
          readonly std: number;
      }
    | {
          readonly name: string;
          readonly kind: 'category';
          /** The texts, sorted; the last one may be empty: missing values. */
          readonly values: readonly string[];
      };

/** A column with more texts than this is no category. */
export const mostValues = 1000;

/** A finite number as JavaScript and most programs write it, or undefined. */
export function numberOf(text: string): number | undefined {
    const value = text.trim() === '' ? NaN : Number(text);
    return Number.isFinite(value) ? value : undefined;
}

/** Collects what a column holds, row by row, in little memory. */
export class ColumnScan {
    private count = 0;
    private mean = 0;
    private squares = 0;
    private readonly texts = new Set<string>();
    private firstText: { readonly text: string; readonly line: number } | null = null;

    constructor(readonly name: string) {}

    /** An empty text is a missing value. */
    add(text: string, line: number): void {
        if (this.texts.size <= mostValues) this.texts.add(text);
        if (text === '') return;
        const value = numberOf(text);
        if (value === undefined) {
            this.firstText ??= { text, line };
            return;
        }
        // Welford 1962.
        const away = value - this.mean;
        this.mean += away / ++this.count;
        this.squares += away * (value - this.mean);
    }

    /** `asCategory`: numbers are names of classes, too. Throws a RangeError that says where, for a column that is neither. */
    column(asCategory: boolean): CsvColumn {
        const { name, firstText, texts } = this;
        if (texts.size === 0) throw new RangeError('no row is one of training; check the option training');
        if (texts.size === 1 && texts.has(''))
            throw new RangeError(
                `column '${name}' is empty in all training rows; leave it out of inputs, which name the others`,
            );
        if (firstText === null && !asCategory) {
            const std = Math.sqrt(this.squares / Math.max(1, this.count));
            return { name, kind: 'number', mean: this.mean, std };
        }
        if (texts.size <= mostValues) return { name, kind: 'category', values: sorted(texts) };
        const found = firstText
            ? `'${firstText.text.slice(0, 40)}' in line ${firstText.line} is no number, and`
            : 'it is a class, and';
        throw new RangeError(
            `column '${name}': ${found} there are more than ${mostValues} different texts, too many for a category; ` +
                'correct it, or leave the column out of inputs',
        );
    }
}

function sorted(texts: ReadonlySet<string>): string[] {
    const list = [...texts].filter((text) => text !== '');
    const numeric = list.every((text) => numberOf(text) !== undefined);
    if (numeric) list.sort((a, b) => Number(a) - Number(b));
    else list.sort();
    return texts.has('') ? [...list, ''] : list;
}
