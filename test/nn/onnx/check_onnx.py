# Checks every .onnx of a folder against onnx.checker and ONNX Runtime, and prints a JSON object of what was found.
# expected.npz holds the inputs of i.onnx for batches of 1, 2 and 5 (i.x1, ...) and what this library made of them (i.y1, ...).
import glob, json, os, sys
import numpy, onnx, onnxruntime

found = {}
pairs = numpy.load(os.path.join(sys.argv[1], 'expected.npz'))
for path in sorted(glob.glob(os.path.join(sys.argv[1], '*.onnx'))):
    result = {'problem': None, 'errors': []}
    name = os.path.basename(path)[:-5]
    found[name] = result
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
        # Our own shapes, of inputs, layers and outputs, must be what ONNX infers without them.
        bare = onnx.ModelProto.FromString(model.SerializeToString())
        del bare.graph.value_info[:]
        inferred = onnx.shape_inference.infer_shapes(bare, check_type=True, strict_mode=True, data_prop=True)
        shapes = {}
        for value in [*inferred.graph.value_info, *inferred.graph.output]:
            shapes[value.name] = [d.dim_value or d.dim_param for d in value.type.tensor_type.shape.dim]
        for value in [*model.graph.value_info, *model.graph.output]:
            own = [d.dim_value or d.dim_param for d in value.type.tensor_type.shape.dim]
            other = shapes[value.name]
            if len(own) != len(other) or any(isinstance(a, int) and isinstance(b, int) and a != b for a, b in zip(own, other)):
                raise ValueError(f'{value.name}: shape {own}, inferred {other}')
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(path, options, providers=['CPUExecutionProvider'])
        result['input'] = session.get_inputs()[0].shape
        result['initializers'] = [tensor.name for tensor in model.graph.initializer]
        for batch in '125':
            expected = pairs[f'{name}.y{batch}'].astype('float64')
            (y,) = session.run(None, {session.get_inputs()[0].name: pairs[f'{name}.x{batch}']})
            if y.shape != expected.shape: raise ValueError(f'batch {batch}: shape {y.shape}, expected {expected.shape}')
            difference = numpy.abs(y.astype('float64') - expected).max()
            result['errors'].append(float(difference / max(numpy.abs(expected).max(), 1e-30)))
    except Exception as error:
        result['problem'] = f'{type(error).__name__}: {error}'
print(json.dumps({'onnx': onnx.__version__, 'runtime': onnxruntime.__version__, 'found': found}))
