import { OnnxError } from './onnx_error.js';
import {
    ONNX_DTYPES,
    type OnnxAttribute,
    type OnnxModel,
    type OnnxNode,
    type OnnxShape,
    type OnnxTensor,
    type OnnxValueInfo,
} from './onnx_model.js';
import type { Wire } from './wire.js';

/** Pieces of a message; the bytes of weights are never copied. */
type Chunks = readonly Uint8Array[];

const irVersion = 8;
/** Protocol Buffers allow no more in one message. */
const maxBytes = 2 ** 31 - 1;

const bytesOf = (chunks: Chunks): number => chunks.reduce((sum, { length }) => sum + length, 0);

/** Writers of single fields. */
interface Fields {
    readonly message: (field: number, ...parts: Chunks[]) => Chunks;
    readonly text: (field: number, value: string) => Chunks;
    readonly integer: (field: number, value: number) => Chunks;
    readonly float: (field: number, value: number) => Chunks;
}

function fieldsOf({ BinaryWriter, WireType }: Wire): Fields {
    return {
        message: (field, ...parts) => {
            const chunks = parts.flat();
            const length = bytesOf(chunks);
            if (length > maxBytes) {
                const fix = 'export in float16 (model.to), or keep the model as safetensors with saveModel';
                throw new OnnxError(
                    `[exportOnnx] the model takes ${length} bytes, an ONNX file of one piece holds 2 GB; ${fix}`,
                );
            }
            const head = new BinaryWriter().tag(field, WireType.LengthDelimited).uint32(length);
            return [head.finish(), ...chunks];
        },
        text: (field, value) => [
            new BinaryWriter().tag(field, WireType.LengthDelimited).string(value).finish(),
        ],
        integer: (field, value) => [new BinaryWriter().tag(field, WireType.Varint).int64(value).finish()],
        float: (field, value) => [new BinaryWriter().tag(field, WireType.Bit32).float(value).finish()],
    };
}

/** ONNX's TensorProto. */
function tensor({ integer, text, message }: Fields, { name, dtype, shape, data }: OnnxTensor): Chunks {
    return [
        ...shape.flatMap((size) => integer(1, size)),
        ...integer(2, ONNX_DTYPES[dtype]),
        ...text(8, name),
        ...message(9, [data]),
    ];
}

/** ONNX's AttributeProto; its field 20 says which of the others is set. */
function attribute(fields: Fields, name: string, value: OnnxAttribute): Chunks {
    const { integer, float, text, message } = fields;
    const own = (type: number, ...parts: Chunks[]): Chunks => [
        ...text(1, name),
        ...parts.flat(),
        ...integer(20, type),
    ];
    if ('float' in value) return own(1, float(2, value.float));
    if ('int' in value) return own(2, integer(3, value.int));
    if ('string' in value) return own(3, text(4, value.string));
    if ('tensor' in value) return own(4, message(5, tensor(fields, value.tensor)));
    if ('floats' in value) return own(6, ...value.floats.map((item) => float(7, item)));
    if ('ints' in value) return own(7, ...value.ints.map((item) => integer(8, item)));
    return own(8, ...value.strings.map((item) => text(9, item)));
}

function node(fields: Fields, { name, operator, inputs, outputs, attributes }: OnnxNode): Chunks {
    const { text, message } = fields;
    return [
        ...inputs.flatMap((input) => text(1, input)),
        ...outputs.flatMap((output) => text(2, output)),
        ...text(3, name),
        ...text(4, operator),
        ...Object.entries(attributes).flatMap(([key, value]) => message(5, attribute(fields, key, value))),
    ];
}

function shapeOf({ integer, text, message }: Fields, shape: OnnxShape): Chunks {
    return shape.flatMap((size) => message(1, typeof size === 'number' ? integer(1, size) : text(2, size)));
}

function valueInfo(fields: Fields, { name, dtype, shape }: OnnxValueInfo): Chunks {
    const { integer, text, message } = fields;
    const tensorType = message(1, integer(1, ONNX_DTYPES[dtype]), message(2, shapeOf(fields, shape)));
    return [...text(1, name), ...message(2, tensorType)];
}

function graph(fields: Fields, model: OnnxModel): Chunks {
    const { graphName, nodes, initializers, inputs, outputs, values } = model;
    const { text, message } = fields;
    return [
        ...nodes.flatMap((item) => message(1, node(fields, item))),
        ...text(2, graphName),
        ...initializers.flatMap((item) => message(5, tensor(fields, item))),
        ...inputs.flatMap((item) => message(11, valueInfo(fields, item))),
        ...outputs.flatMap((item) => message(12, valueInfo(fields, item))),
        ...values.flatMap((item) => message(13, valueInfo(fields, item))),
    ];
}

/**
 * The bytes of an ONNX file, in pieces. The same model gives the same bytes.
 *
 * @throws {OnnxError} above 2 GB.
 */
export function encodeOnnx(model: OnnxModel, wire: Wire): Uint8Array[] {
    const fields = fieldsOf(wire);
    const { integer, text, message } = fields;
    const parts = [
        integer(1, irVersion),
        text(2, model.producer),
        message(7, graph(fields, model)),
        message(8, text(1, ''), integer(2, model.opset)),
        ...Object.entries(model.metadata).map(([key, value]) => message(14, text(1, key), text(2, value))),
    ];
    return parts.flat();
}
