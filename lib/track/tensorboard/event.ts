import type * as wire from '@bufbuild/protobuf/wire';

/** Writer of Protocol Buffers. */
export type Wire = typeof wire;
type Writer = InstanceType<Wire['BinaryWriter']>;

/** What TensorBoard's event files hold, as far as a run has it (tensorboard/compat/proto/event.proto, summary.proto). */
export type EventBody =
    | { readonly kind: 'version' }
    | { readonly kind: 'scalars'; readonly values: readonly (readonly [tag: string, value: number])[] }
    | { readonly kind: 'text'; readonly tag: string; readonly text: string }
    | { readonly kind: 'start'; readonly params: ReadonlyMap<string, string>; readonly group: string }
    | { readonly kind: 'end'; readonly isGood: boolean };

const FLOAT = 1;
const STRING = 7;
const TENSOR_CLASS = 2;
const SUCCESS = 1;
const FAILURE = 2;

/** The bytes of an `Event`; `time` in milliseconds since 1970. */
export function encodeEvent(lib: Wire, time: number, step: number, body: EventBody): Uint8Array {
    const { BinaryWriter, WireType } = lib;
    const event = new BinaryWriter().tag(1, WireType.Bit64).double(time / 1000);
    if (step !== 0) event.tag(2, WireType.Varint).int64(step);
    if (body.kind === 'version')
        return event.tag(3, WireType.LengthDelimited).string('brain.Event:2').finish();
    event.tag(5, WireType.LengthDelimited).fork();
    for (const value of valuesOf(lib, time, body)) event.tag(1, WireType.LengthDelimited).bytes(value);
    return event.join().finish();
}

function valuesOf(lib: Wire, time: number, body: Exclude<EventBody, { kind: 'version' }>): Uint8Array[] {
    switch (body.kind) {
        case 'scalars':
            return body.values.map(([tag, value]) => scalarValue(lib, tag, value));
        case 'text':
            return [textValue(lib, body.tag, body.text)];
        case 'start':
            return [pluginValue(lib, '_hparams_/session_start_info', 3, sessionStart(lib, time, body))];
        case 'end':
            return [pluginValue(lib, '_hparams_/session_end_info', 4, sessionEnd(lib, time, body.isGood))];
    }
}

function scalarValue({ BinaryWriter, WireType }: Wire, tag: string, value: number): Uint8Array {
    const writer = new BinaryWriter().tag(1, WireType.LengthDelimited).string(tag);
    return writer.tag(2, WireType.Bit32).float(Math.fround(value)).finish();
}

/** A tensor of one text, for the text dashboard. */
function textValue(lib: Wire, tag: string, text: string): Uint8Array {
    const { BinaryWriter, WireType } = lib;
    const writer = new BinaryWriter().tag(1, WireType.LengthDelimited).string(tag);
    metadata(lib, writer, 'text');
    writer.tag(8, WireType.LengthDelimited).fork().tag(1, WireType.Varint).int32(STRING);
    writer.tag(2, WireType.LengthDelimited).fork().tag(2, WireType.LengthDelimited).fork();
    writer.tag(1, WireType.Varint).int64(1).join().join();
    return writer.tag(8, WireType.LengthDelimited).string(text).join().finish();
}

/** What the dashboard of hyper-parameters reads lies in the metadata; the tensor is empty. */
function pluginValue(lib: Wire, tag: string, field: number, content: Uint8Array): Uint8Array {
    const { BinaryWriter, WireType } = lib;
    const writer = new BinaryWriter().tag(1, WireType.LengthDelimited).string(tag);
    const data = new BinaryWriter().tag(field, WireType.LengthDelimited).bytes(content).finish();
    metadata(lib, writer, 'hparams', data);
    writer.tag(8, WireType.LengthDelimited).fork().tag(1, WireType.Varint).int32(FLOAT);
    // A scalar, 0.
    return writer
        .tag(2, WireType.LengthDelimited)
        .fork()
        .join()
        .tag(5, WireType.Bit32)
        .float(0)
        .join()
        .finish();
}

function metadata({ WireType }: Wire, writer: Writer, plugin: string, content?: Uint8Array): void {
    writer.tag(9, WireType.LengthDelimited).fork().tag(1, WireType.LengthDelimited).fork();
    writer.tag(1, WireType.LengthDelimited).string(plugin);
    if (content !== undefined) writer.tag(2, WireType.LengthDelimited).bytes(content);
    writer.join().tag(4, WireType.Varint).int32(TENSOR_CLASS).join();
}

/** `SessionStartInfo`: parameters that are numbers as numbers, true and false as such. */
function sessionStart(
    { BinaryWriter, WireType }: Wire,
    time: number,
    { params, group }: Extract<EventBody, { kind: 'start' }>,
): Uint8Array {
    const writer = new BinaryWriter();
    for (const [name, text] of params) {
        writer.tag(1, WireType.LengthDelimited).fork().tag(1, WireType.LengthDelimited).string(name);
        writer.tag(2, WireType.LengthDelimited).fork();
        const number = text.trim() === '' ? NaN : Number(text);
        if (Number.isFinite(number)) writer.tag(2, WireType.Bit64).double(number);
        else if (text === 'true' || text === 'false') writer.tag(4, WireType.Varint).bool(text === 'true');
        else writer.tag(3, WireType.LengthDelimited).string(text);
        writer.join().join();
    }
    writer.tag(4, WireType.LengthDelimited).string(group);
    return writer
        .tag(5, WireType.Bit64)
        .double(time / 1000)
        .finish();
}

function sessionEnd({ BinaryWriter, WireType }: Wire, time: number, isGood: boolean): Uint8Array {
    const writer = new BinaryWriter().tag(1, WireType.Varint).int32(isGood ? SUCCESS : FAILURE);
    return writer
        .tag(2, WireType.Bit64)
        .double(time / 1000)
        .finish();
}

/** Parameters and tags as tables of Markdown, which the text dashboard shows. */
export function tableText(title: string, values: ReadonlyMap<string, string>): string {
    const cell = (text: string): string => text.replaceAll('|', String.raw`\|`).replaceAll('\n', ' ');
    const rows = [...values].map(([name, value]) => `| ${cell(name)} | ${cell(value)} |`);
    return [`| ${title} | |`, '| --- | --- |', ...rows].join('\n');
}
