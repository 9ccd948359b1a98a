import { isFloat } from './dtype.js';
import { shapeText, sizeOf } from './shape.js';
import type { Tensor } from './tensor.js';

const edgeItems = 3;
const longest = 1000;

function formatNumber(value: number, digits: number): string {
    if (Number.isNaN(value)) return 'nan';
    if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
    return value.toFixed(digits);
}

/** One format for all values, so that columns line up: fixed digits, or exponents where the range is wide. */
function chooseFormat(values: readonly number[], float: boolean): (value: number) => string {
    if (!float) return (value) => String(value);
    const finite = values.filter((value) => Number.isFinite(value) && value !== 0).map(Math.abs);
    const [largest, smallest] = [Math.max(...finite, 0), Math.min(...finite, Infinity)];
    if (values.every((value) => !Number.isFinite(value) || Number.isInteger(value)) && largest < 1e8) {
        return (value) => (Number.isFinite(value) ? `${value}.` : formatNumber(value, 0));
    }
    if (largest >= 1e8 || smallest < 1e-4 || largest / smallest > 1e4) {
        return (value) => (Number.isFinite(value) ? value.toExponential(4) : formatNumber(value, 4));
    }
    return (value) => formatNumber(value, 4);
}

/** Indices shown along a dimension; -1 stands for the cut. */
function shownIndices(size: number, cut: boolean): number[] {
    const all = Array.from({ length: size }, (_, i) => i);
    if (!cut || size <= 2 * edgeItems) return all;
    return [...all.slice(0, edgeItems), -1, ...all.slice(-edgeItems)];
}

/** Text of a tensor as PyTorch prints it; large ones are cut to the edges of each dimension. */
export function formatTensor(x: Tensor): string {
    const place = x.device === 'cpu' ? '' : `, device='${x.device}'`;
    const suffix = `shape=${shapeText(x.shape)}, dtype=${x.dtype}${place}`;
    if (x.isDisposed) return `Tensor(disposed, ${suffix})`;
    if (x.size === 0) return `Tensor([], ${suffix})`;
    const values = Array.from(x.dataSync(), Number);
    const cut = x.size > longest;
    const shown: number[] = [];
    const collect = (axis: number, offset: number): void => {
        if (axis === x.rank) {
            shown.push(values[offset] ?? 0);
            return;
        }
        const step = sizeOf(x.shape.slice(axis + 1));
        for (const i of shownIndices(x.shape[axis] ?? 1, cut))
            if (i >= 0) collect(axis + 1, offset + i * step);
    };
    collect(0, 0);
    const format =
        x.dtype === 'bool' ? (value: number) => String(value !== 0) : chooseFormat(shown, isFloat(x.dtype));
    const width = Math.max(...shown.map((value) => format(value).length));
    const render = (axis: number, offset: number, indent: string): string => {
        if (axis === x.rank) return format(values[offset] ?? 0).padStart(width);
        const step = sizeOf(x.shape.slice(axis + 1));
        const parts = shownIndices(x.shape[axis] ?? 1, cut).map((i) =>
            i < 0 ? '...' : render(axis + 1, offset + i * step, indent + ' '),
        );
        return `[${parts.join(axis === x.rank - 1 ? ', ' : `,\n${indent} `)}]`;
    };
    return `Tensor(${render(0, 0, '       ')}, ${suffix})`;
}
