"""Writes test/golden/safetensors: files of the reference writer and the reference reader's verdict on damaged files.

Usage: python scripts/reference/make_safetensors_golden.py   (needs: pip install safetensors)
"""

import base64
import ctypes
import json
import pathlib
import struct

import safetensors

OUT = pathlib.Path(__file__).resolve().parents[2] / "test" / "golden" / "safetensors"

EVERY_DTYPE = {
    "a.float32": ("float32", [2, 3], struct.pack("<6f", 0.5, -1, 2, 3e38, -0.0, 1e-45)),
    "b.float64": ("float64", [2], struct.pack("<2d", 1 / 3, -1e300)),
    "c.float16": ("float16", [3], struct.pack("<3e", 1.5, -65504, 6e-8)),
    "d.bfloat16": ("bfloat16", [2], bytes.fromhex("803f00c0")),
    "e.int64": ("int64", [2], struct.pack("<2q", -(2**63), 2**53 + 1)),
    "f.int32": ("int32", [1, 2], struct.pack("<2i", -7, 2**31 - 1)),
    "g.uint8": ("uint8", [5], bytes(range(251, 256))),
    "h.bool": ("bool", [3], bytes([1, 0, 1])),
    "i.scalar": ("float32", [], struct.pack("<f", 42)),
    "j.empty": ("float32", [0, 4], b""),
    'k "quoted" \\ \u00e9\u4e2d\U0001f600\n': ("uint8", [1], b"\x07"),
}


def serialize(tensors, metadata=None):
    buffers = {
        name: ctypes.create_string_buffer(data, max(len(data), 1))
        for name, (_, _, data) in tensors.items()
    }
    spec = {
        name: safetensors.TensorSpec(
            dtype=dtype, shape=shape, data_ptr=ctypes.addressof(buffers[name]), data_len=len(data)
        )
        for name, (dtype, shape, data) in tensors.items()
    }
    return bytes(safetensors.serialize(spec, metadata))


def raw(header, data=b""):
    """A file of exactly this header text, however wrong."""
    text = header if isinstance(header, bytes) else header.encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(name="w", dtype="U8", shape="[4]", offsets="[0,4]"):
    return f'"{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}'


def candidates():
    four = b"\x00\x01\x02\x03"
    valid = raw("{" + entry() + "}", four)
    yield "valid", valid
    yield "valid, spaces behind the header", raw("{" + entry() + "}   ", four)
    yield (
        "valid, spaces inside",
        raw('{ "w" : { "dtype" : "U8" , "shape" : [ 4 ] , "data_offsets" : [ 0 , 4 ] } }', four),
    )
    yield (
        "valid, unordered",
        raw(
            "{" + entry("a", "U8", "[1]", "[3,4]") + "," + entry("b", "U8", "[3]", "[0,3]") + "}",
            four,
        ),
    )
    yield "valid, escapes in a name", raw("{" + entry("\\u0041\\n\\/\\ud83d\\ude00") + "}", four)
    yield "valid, empty", raw("{}")
    yield "valid, metadata only", raw('{"__metadata__":{"a":"b"}}')
    yield "valid, zero size", raw("{" + entry("z", "F32", "[0,9007199254740991]", "[0,0]") + "}")
    yield "valid, __proto__ as a name", raw("{" + entry("__proto__") + "}", four)
    yield "empty file", b""
    yield "seven bytes", b"\x00" * 7
    yield "header length 0", struct.pack("<Q", 0)
    yield "header length 100,000,001", struct.pack("<Q", 100_000_001) + b"{}"
    yield "header length 2^63", struct.pack("<Q", 2**63) + b"{}"
    yield "header length one too long", struct.pack("<Q", 3) + b"{}"
    yield "header is not UTF-8", raw(b'{"\xff":1}')
    yield "strict: header starts with a space", raw(" {" + entry() + "}", four)
    yield "header is a list", raw("[]")
    yield "header is cut", raw("{" + entry()[:-1], four)
    yield "text behind the header", raw("{" + entry() + "} x", four)
    yield "nested 100,000 deep", raw('{"w":' + "[" * 100_000 + "}")
    yield "trailing comma", raw("{" + entry() + ",}", four)
    yield "control character in a name", raw("{" + entry("a\nb") + "}", four)
    yield "half a surrogate pair", raw("{" + entry("\\ud83d") + "}", four)
    yield "bad escape", raw("{" + entry("\\x41") + "}", four)
    yield "entry is a number", raw('{"w":4}', four)
    yield "dtype missing", raw('{"w":{"shape":[4],"data_offsets":[0,4]}}', four)
    yield "shape missing", raw('{"w":{"dtype":"U8","data_offsets":[0,4]}}', four)
    yield "offsets missing", raw('{"w":{"dtype":"U8","shape":[4]}}', four)
    yield "dtype unknown", raw("{" + entry(dtype="X8") + "}", four)
    yield "dtype in lower case", raw("{" + entry(dtype="u8") + "}", four)
    yield "dtype is a number", raw('{"w":{"dtype":8,"shape":[4],"data_offsets":[0,4]}}', four)
    yield "shape negative", raw("{" + entry(shape="[-4]") + "}", four)
    yield "shape minus zero", raw("{" + entry(shape="[-0]", offsets="[0,0]") + "}")
    yield "shape fraction", raw("{" + entry(shape="[4.0]") + "}", four)
    yield "shape exponent", raw("{" + entry(shape="[4e0]") + "}", four)
    yield "shape leading zero", raw("{" + entry(shape="[04]") + "}", four)
    yield "shape string", raw("{" + entry(shape='["4"]') + "}", four)
    yield "shape 2^64", raw("{" + entry(shape="[18446744073709551616]") + "}", four)
    yield (
        "shape product overflows to 4",
        raw("{" + entry(shape="[4194305,4194305,211106198978564]") + "}", four),
    )
    yield (
        "shape product 2^32 * 2^32",
        raw("{" + entry(shape="[4294967296,4294967296]", offsets="[0,0]") + "}"),
    )
    yield (
        "byte size overflows",
        raw("{" + entry(dtype="F64", shape="[2305843009213693952]", offsets="[0,0]") + "}"),
    )
    yield "one offset", raw("{" + entry(offsets="[4]") + "}", four)
    yield "three offsets", raw("{" + entry(offsets="[0,4,4]") + "}", four)
    yield "offsets swapped", raw("{" + entry(shape="[0]", offsets="[4,0]") + "}", four)
    yield "offset behind the end", raw("{" + entry(shape="[5]", offsets="[0,5]") + "}", four)
    yield "offset 2^63", raw("{" + entry(offsets="[0,9223372036854775808]") + "}", four)
    yield "size too small for the shape", raw("{" + entry(shape="[5]") + "}", four)
    yield "size too big for the shape", raw("{" + entry(shape="[3]") + "}", four)
    yield "hole at the start", raw("{" + entry(shape="[3]", offsets="[1,4]") + "}", four)
    yield (
        "hole in the middle",
        raw(
            "{" + entry("a", "U8", "[1]", "[0,1]") + "," + entry("b", "U8", "[2]", "[2,4]") + "}",
            four,
        ),
    )
    yield (
        "overlap",
        raw(
            "{" + entry("a", "U8", "[3]", "[0,3]") + "," + entry("b", "U8", "[2]", "[2,4]") + "}",
            four,
        ),
    )
    yield "same bytes twice", raw("{" + entry("a") + "," + entry("b") + "}", four)
    yield "bytes left over", raw("{" + entry() + "}", four + b"\x00")
    yield "data cut", raw("{" + entry() + "}", four[:3])
    yield "metadata is a number", raw('{"__metadata__":4}')
    yield "metadata value is a number", raw('{"__metadata__":{"a":4}}')
    yield "metadata value is an object", raw('{"__metadata__":{"a":{}}}')
    # Rules where this project is stricter than the reference reader; the verdict below records which they are.
    yield "strict: a tensor twice", raw("{" + entry() + "," + entry() + "}", four)
    yield "strict: metadata twice", raw('{"__metadata__":{},"__metadata__":{}}')
    yield "strict: metadata key twice", raw('{"__metadata__":{"a":"b","a":"c"}}')
    yield (
        "strict: field twice",
        raw('{"w":{"dtype":"U8","dtype":"U8","shape":[4],"data_offsets":[0,4]}}', four),
    )
    yield (
        "strict: unknown field",
        raw('{"w":{"dtype":"U8","shape":[4],"data_offsets":[0,4],"x":1}}', four),
    )
    yield "strict: bool byte 2", raw("{" + entry(dtype="BOOL") + "}", four)
    yield "strict: dtype this library lacks", raw("{" + entry(dtype="I8") + "}", four)
    yield "strict: dtype as a long string of F", raw("{" + entry(dtype="F" * 10_000) + "}", four)


def verdict(data):
    try:
        safetensors.deserialize(data)
        return "accept", None
    except Exception as error:  # the reference raises its own error type for every rule
        return "reject", str(error)[:160]


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    one_pair = {"format": "nativegrad \u00e9"}
    (OUT / "every_dtype.safetensors").write_bytes(serialize(EVERY_DTYPE, one_pair))
    (OUT / "no_metadata.safetensors").write_bytes(serialize({"w": EVERY_DTYPE["a.float32"]}))
    (OUT / "empty.safetensors").write_bytes(serialize({}))
    expected = {
        name: {"dtype": dtype, "shape": shape, "data": base64.b64encode(data).decode()}
        for name, (dtype, shape, data) in EVERY_DTYPE.items()
    }
    content = {"metadata": one_pair, "tensors": expected}
    (OUT / "every_dtype.json").write_text(json.dumps(content, indent=1) + "\n")
    rows = []
    for name, data in candidates():
        answer, message = verdict(data)
        row = {"name": name, "reference": answer, "message": message}
        if len(data) > 5000:
            # Long inputs are told by their parts: prefix, one repeated byte, suffix.
            byte = max(set(data), key=data.count)
            start = data.index(bytes([byte]) * 1000)
            count = len(data[start:]) - len(data[start:].lstrip(bytes([byte])))
            row["prefix"] = base64.b64encode(data[:start]).decode()
            row["repeat"] = [byte, count]
            row["suffix"] = base64.b64encode(data[start + count :]).decode()
        else:
            row["bytes"] = base64.b64encode(data).decode()
        rows.append(row)
    report = {"safetensors": safetensors.__version__, "rows": rows}
    (OUT / "verdicts.json").write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
