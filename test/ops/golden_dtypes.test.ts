import assert from 'node:assert/strict';

import { ones, scope, type DType, type Tensor } from '../../lib/index.js';
import { readGoldenOps, type GoldenRow } from '../support/golden.js';
import type { GoldenOperand } from './golden_calls/call.js';
import { goldenCalls } from './golden_calls/index.js';

/** What PyTorch answers with a dtype, the library answers with an error, on purpose. */
const REFUSED = new Map<string, readonly string[]>([]);

type Column = DType | number;

function operand(kind: Column, shape: readonly number[]): Tensor | number {
    return typeof kind === 'number' ? kind : ones(shape, { dtype: kind });
}

function resultDtype(op: string, operands: readonly GoldenOperand[], options: object): string {
    try {
        const y = goldenCalls[op](operands, { ...options });
        return Array.isArray(y) ? 'several' : (y as Tensor).dtype;
    } catch (error) {
        assert.match(String(error), /\[/, 'an error of the library');
        return 'error';
    }
}

/** The shapes that the row's case names, e.g. "tensor 0-d". */
function shapesOf(row: GoldenRow): [number[], number[]] {
    const [left, right] = row.case.split(' ');
    return [left === '0-d' ? [] : [2], right === '0-d' ? [] : [2]];
}

function checkTable(row: GoldenRow): void {
    const { rows, columns } = row.options as { rows: DType[]; columns?: Column[] };
    const op = row.op === 'result_type' ? 'add' : row.op;
    const [left, right] = shapesOf(row);
    const table = rows.flatMap((a) =>
        columns
            ? columns.map((b) => resultDtype(op, [operand(a, left), operand(b, right)], {}))
            : [
                  resultDtype(
                      op,
                      [operand(a, left)],
                      ['cumsum', 'logsumexp'].includes(op) ? { axis: 0, axes: [0] } : {},
                  ),
              ],
    );
    const expected = (row.outputs?.[0].data ?? []).map((name, i) => {
        const where = rows[Math.floor(i / (columns?.length ?? 1))];
        return REFUSED.get(op)?.includes(where) ? 'error' : name;
    });
    assert.deepEqual(table, expected);
}

describe('golden dtypes of PyTorch', () => {
    for (const row of readGoldenOps().filter((each) => each.outputs?.[0]?.dtype === 'string')) {
        const op = row.op === 'result_type' ? 'add' : row.op;
        if (op in goldenCalls) it(`${row.op}: ${row.case}`, () => scope(() => checkTable(row)));
    }
});
