import type { LegendComponentOption } from 'echarts';

import { STYLE } from './style.js';
import type { Palette } from './style.js';

// Each entry is placed here, by widths that no usual font exceeds: the flow of ECharts takes those of Arial, which a page may
// not have, and tells nobody how many rows it filled.

/** Widths of letters in wide fonts at the size of the text; the first kind that a letter is of counts. */
const LETTERS: readonly (readonly [RegExp, number])[] = [
    [/[MWm@%]|[^\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{ASCII}]/u, STYLE.textSize],
    [/[\p{Lu}w]/u, 9.5],
    [/[ fijlrt.,:;'|!()[\]/-]/, 5],
    [/./su, 7.7],
];
/** Arial, which text is cut by, is that much narrower. */
const NARROW = 0.9;
const KEY = { width: 18, height: 4, gap: 5 };
const GAP = 14;
const ROW = 19;

interface Entry {
    readonly name: string;
    readonly left: number;
    readonly row: number;
    /** Room for its name. */
    readonly room: number;
}

/** The entries of a legend, from its own left upper corner. */
export interface Legend {
    readonly entries: readonly Entry[];
    readonly width: number;
    /** 0 without names. */
    readonly rows: number;
    readonly height: number;
    readonly rowHeight: number;
}

/** One row where the names fit into `width`, else equal columns; a name longer than `width` is cut. */
export function layLegend(names: readonly string[], width: number): Legend {
    const rooms = names.map(textWidth);
    const total = rooms.reduce((sum, room) => sum + pitch(room), -GAP);
    if (total <= width) return oneRow(names, rooms, Math.max(0, total));
    const room = Math.min(width - KEY.width - KEY.gap, Math.max(...rooms));
    const most = Math.max(1, Math.floor((width + GAP) / pitch(room)));
    const rows = Math.ceil(names.length / most);
    const columns = Math.ceil(names.length / rows);
    const entries = names.map((name, i) => ({
        name,
        left: (i % columns) * pitch(room),
        row: Math.floor(i / columns),
        room,
    }));
    return { entries, width: columns * pitch(room) - GAP, rows, height: rows * ROW, rowHeight: ROW };
}

function oneRow(names: readonly string[], rooms: readonly number[], width: number): Legend {
    let left = 0;
    const entries = names.map((name, i) => {
        const entry = { name, left, row: 0, room: rooms[i] ?? 0 };
        left += pitch(entry.room);
        return entry;
    });
    const rows = Math.min(1, names.length);
    return { entries, width, rows, height: rows * ROW, rowHeight: ROW };
}

/** From one key to the next. */
function pitch(room: number): number {
    return KEY.width + KEY.gap + room + GAP;
}

function textWidth(name: string): number {
    const width = (letter: string): number => LETTERS.find(([kind]) => kind.test(letter))?.[1] ?? 0;
    return Array.from(name).reduce((sum, letter) => sum + width(letter), 0);
}

/** The legend as ECharts draws it, with its left upper corner at a place of the picture. */
export function legendOption(
    { entries }: Legend,
    left: number,
    top: number,
    palette: Palette,
): LegendComponentOption[] {
    return entries.map((entry) => ({
        data: [{ name: entry.name }],
        type: 'plain',
        left: left + entry.left,
        top: top + entry.row * ROW,
        padding: 0,
        icon: 'roundRect',
        itemHeight: KEY.height,
        itemWidth: KEY.width,
        textStyle: {
            color: palette.text,
            fontSize: STYLE.textSize,
            ...(textWidth(entry.name) > entry.room
                ? { width: entry.room * NARROW, overflow: 'truncate' as const }
                : {}),
        },
    }));
}
