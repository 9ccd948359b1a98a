import * as ng from '../../../lib/index.js';
import type { DType, GeluKind } from '../../../lib/index.js';
import { binary, numberOption, tensorAt, unary, type GoldenCalls } from './call.js';

const arithmetic: GoldenCalls = {
    add: binary(ng.add),
    sub: binary(ng.sub),
    mul: binary(ng.mul),
    div: binary(ng.div),
    floor_divide: binary(ng.floorDivide),
    remainder: binary(ng.remainder),
    pow: binary(ng.pow),
    minimum: binary(ng.minimum),
    maximum: binary(ng.maximum),
    cast: (operands, { dtype }) => ng.cast(tensorAt(operands, 0), dtype as DType),
};

const functions: GoldenCalls = {
    abs: unary(ng.abs),
    neg: unary(ng.neg),
    sign: unary(ng.sign),
    square: unary(ng.square),
    floor: unary(ng.floor),
    ceil: unary(ng.ceil),
    round: unary(ng.round),
    exp: unary(ng.exp),
    expm1: unary(ng.expm1),
    log: unary(ng.log),
    log1p: unary(ng.log1p),
    sqrt: unary(ng.sqrt),
    rsqrt: unary(ng.rsqrt),
    reciprocal: unary(ng.reciprocal),
    sin: unary(ng.sin),
    cos: unary(ng.cos),
    erf: unary(ng.erf),
    tanh: unary(ng.tanh),
    sigmoid: unary(ng.sigmoid),
};

const activations: GoldenCalls = {
    relu: unary(ng.relu),
    leaky_relu: (operands, { negativeSlope }) =>
        ng.leakyRelu(tensorAt(operands, 0), numberOption(negativeSlope)),
    elu: (operands, { alpha }) => ng.elu(tensorAt(operands, 0), numberOption(alpha)),
    gelu: (operands, { approximate }) => ng.gelu(tensorAt(operands, 0), approximate as GeluKind),
    silu: unary(ng.silu),
    softplus: (operands, { beta, threshold }) =>
        ng.softplus(tensorAt(operands, 0), numberOption(beta), numberOption(threshold)),
};

const comparisons: GoldenCalls = {
    equal: binary(ng.eq),
    not_equal: binary(ng.ne),
    less: binary(ng.lt),
    less_equal: binary(ng.le),
    greater: binary(ng.gt),
    greater_equal: binary(ng.ge),
    logical_and: binary(ng.logicalAnd),
    logical_or: binary(ng.logicalOr),
    logical_xor: binary(ng.logicalXor),
    logical_not: unary(ng.logicalNot),
    isnan: unary(ng.isNaN),
};

const choices: GoldenCalls = {
    // Rows leave the number 0.5 of `where` and the value of `masked_fill` to their case and options.
    where: ([condition, yes, no]) =>
        ng.where(tensorAt([condition], 0), yes ?? 0, no === undefined ? 0.5 : (no ?? 0)),
    masked_fill: (operands, { value }) =>
        ng.maskedFill(tensorAt(operands, 0), tensorAt(operands, 1), Number(value)),
    clamp: (operands, { min, max }) => ng.clamp(tensorAt(operands, 0), numberOption(min), numberOption(max)),
};

export const elementwiseCalls: GoldenCalls = {
    ...arithmetic,
    ...functions,
    ...activations,
    ...comparisons,
    ...choices,
};
